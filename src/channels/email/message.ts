import type { SendMailOptions } from 'nodemailer'
import type { Attachment } from 'nodemailer/lib/mailer/index.js'
import { type OwnMailbox, signAddress } from '../../tokens/address.ts'
import type { SigningKeys } from '../../tokens/token.ts'
import type { InlineImage, Message } from '../channel.ts'
import { bareReference, type Referred, readReference, referenceOf } from '../reference.ts'
import type { Sender } from './address.ts'
import { type LinkBase, type Tracking, trackHtml, unsubscribeUrl } from './links.ts'
import { textPart } from './parts.ts'

// From what was rendered to what nodemailer is given. Subjects and names carry what contacts called themselves,
// so nothing that could end a header line gets through here, whatever the libraries below would make of it.

export interface EmailContent {
  readonly subject: string
  /** Front matter `from_name`: the sender's name in the contact's language. */
  readonly fromName: string | undefined
  readonly html: string
  readonly text: string
  readonly images?: readonly InlineImage[]
}

/** Controls, lone surrogates, the Unicode line breaks, and what turns the direction of text to disguise it. */
const UNFIT = /[\p{Cc}\p{Cs}\u2028\u2029\u202A-\u202E\u2066-\u2069]+/gu

/** Characters of a subject or a name. Nobody reads more, and a word that fills a line beyond 998 is refused (RFC 5322, 2.1.1). */
const LONGEST_HEADER = 250

/** One line of text that is safe as a header's value: unfit characters become one space, and what is too long is cut. */
export function headerText(value: string): string {
  const line = value.replace(UNFIT, ' ').replace(/ {2,}/g, ' ').trim()
  if (line.length <= LONGEST_HEADER) return line
  const characters = [...line]
  return characters.length <= LONGEST_HEADER ? line : `${characters.slice(0, LONGEST_HEADER - 1).join('')}…`
}

/** A key as part of a Message-ID: other characters as `=` and their bytes, so that no two keys meet. */
function idPart(key: string): string {
  return key.replace(/[^A-Za-z0-9_-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}

/** The Message-ID of a touchpoint's mail: the same for every attempt, and readable in what comes back. */
export function messageId(message: Referred & { readonly key: string }, domain: string): string {
  return `<${idPart(message.key)}.${referenceOf(message)}@${domain}>`
}

/** The message a Message-ID of ours names; with or without its brackets. */
export function referenceOfId(id: string): Referred | undefined {
  const match = /^<?[^<>@\s]*\.([0-9a-z-]+)@[^<>@\s]+>?$/i.exec(id.trim())
  return match?.[1] === undefined ? undefined : readReference(match[1].toLowerCase())
}

/** Shown where the HTML names it, and in no list of attachments. */
async function attached({ cid, draw }: InlineImage): Promise<Attachment> {
  return {
    cid,
    content: await draw(),
    filename: `${cid}.png`,
    contentType: 'image/png',
    contentDisposition: 'inline',
  }
}

/** Whom mail is from, and where what comes back of it goes. */
export interface Letterhead {
  readonly sender: Sender
  readonly replyTo: Sender | undefined
  readonly links: LinkBase | undefined
  readonly tracking: Tracking
  /** Mailboxes of ours, `local@domain`; the reference is added behind a plus. */
  readonly mailboxes: { readonly bounce: string | undefined; readonly unsubscribe: string | undefined }
  /** Headers for the provider alone, who takes them off. */
  providerHeaders?(message: Referred): Readonly<Record<string, PreparedHeader>>
}

/** A header that goes out as it is: ASCII, on one line. */
export interface PreparedHeader {
  readonly prepared: true
  readonly value: string
}

/** `leave@shop.example` as `leave+<signed reference>@shop.example`. */
function referring(keys: SigningKeys, mailbox: OwnMailbox, address: string, message: Referred): string {
  const at = address.lastIndexOf('@')
  return `${address.slice(0, at)}+${signAddress(keys, mailbox, bareReference(message))}${address.slice(at)}`
}

/** RFC 2369 and 8058: a link that a mail program may post to without asking, and a mailbox for those that cannot. */
function unsubscribeHeaders({ links, mailboxes }: Letterhead, message: Referred): Record<string, string> {
  if (!links) return {}
  const mailbox = mailboxes.unsubscribe
  const ways = [
    `<${unsubscribeUrl(links, message)}>`,
    ...(mailbox === undefined
      ? []
      : [`<mailto:${referring(links.keys, 'unsubscribe', mailbox, message)}?subject=unsubscribe>`]),
  ]
  return {
    'List-Unsubscribe': ways.join(', '),
    'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click',
  }
}

/** @throws Error of a picture that cannot be drawn */
export async function composeMail(
  message: Message<string, EmailContent>,
  head: Letterhead,
): Promise<SendMailOptions> {
  const { content, key, address } = message
  const { sender, replyTo, links, mailboxes } = head
  const from =
    links && mailboxes.bounce !== undefined
      ? referring(links.keys, 'bounce', mailboxes.bounce, message)
      : sender.address
  const name = headerText(content.fromName ?? sender.name)
  return {
    // Given as objects, addresses are not parsed again, and the envelope is stated rather than derived.
    envelope: { from, to: [address] },
    from: { name, address: sender.address },
    to: { name: '', address },
    ...(replyTo ? { replyTo: { name: headerText(replyTo.name), address: replyTo.address } } : {}),
    subject: headerText(content.subject),
    messageId: messageId(message, sender.domain),
    headers: {
      'Auto-Submitted': 'auto-generated',
      Precedence: 'bulk',
      'X-Winback-Touchpoint': headerText(key),
      // Gmail's figures by campaign and by domain. The last names who sends, in 5 to 15 characters, which domains have not.
      // https://support.google.com/mail/answer/6254652
      'Feedback-ID': headerText([message.stream, sender.domain, 'winback'].filter(Boolean).join(':')),
      ...unsubscribeHeaders(head, message),
      ...head.providerHeaders?.(message),
    },
    html: textPart('html', links ? trackHtml(content.html, links, message, head.tracking) : content.html),
    text: textPart('plain', content.text),
    ...(content.images?.length ? { attachments: await Promise.all(content.images.map(attached)) } : {}),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
