import type { SendMailOptions } from 'nodemailer'
import type { Attachment } from 'nodemailer/lib/mailer/index.js'
import type { InlineImage, Message } from '../channel.ts'
import type { Sender } from './address.ts'

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

/** One line of text that is safe as a header's value: unfit characters become one space. */
export function headerText(value: string): string {
  return value.replace(UNFIT, ' ').replace(/ {2,}/g, ' ').trim()
}

/** A key as the left side of a Message-ID: other characters as `=` and their bytes, so that no two keys meet. */
function idPart(key: string): string {
  return key.replace(/[^A-Za-z0-9._-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}

/** The Message-ID of a touchpoint's mail: the same for every attempt. */
export function messageId(key: string, domain: string): string {
  return `<${idPart(key)}@${domain}>`
}

/** Shown where the HTML names it, and in no list of attachments. */
function attached({ cid, content }: InlineImage): Attachment {
  return { cid, content, filename: `${cid}.png`, contentType: 'image/png', contentDisposition: 'inline' }
}

export function composeMail(
  message: Message<string, EmailContent>,
  sender: Sender,
  replyTo: Sender | undefined,
): SendMailOptions {
  const { content, key, address } = message
  const name = headerText(content.fromName ?? sender.name)
  return {
    // Given as objects, addresses are not parsed again, and the envelope is stated rather than derived.
    envelope: { from: sender.address, to: [address] },
    from: { name, address: sender.address },
    to: { name: '', address },
    ...(replyTo ? { replyTo: { name: headerText(replyTo.name), address: replyTo.address } } : {}),
    subject: headerText(content.subject),
    messageId: messageId(key, sender.domain),
    headers: {
      'Auto-Submitted': 'auto-generated',
      Precedence: 'bulk',
      'X-Winback-Touchpoint': headerText(key),
    },
    html: content.html,
    text: content.text,
    ...(content.images?.length ? { attachments: content.images.map(attached) } : {}),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}
