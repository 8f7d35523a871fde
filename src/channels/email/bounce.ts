import { hash } from 'node:crypto'
import PostalMime from 'postal-mime'
import { readAddress } from '../../tokens/address.ts'
import type { SigningKeys } from '../../tokens/token.ts'
import type { DeliveryEvent, EventKind } from '../channel.ts'
import { type Referred, readReference } from '../reference.ts'
import { enhancedStatus, isBadRecipient, isOurFault, knownStatus } from './handover.ts'

// Mail that comes back: delivery status notifications (RFC 3464, or in qmail's words), complaints in the abuse reporting
// format (RFC 5965), and mails to the mailbox for unsubscribing. Anybody may write to a mailbox, so a mail is believed only
// by the signed reference in the address it was sent to or, of a complaint, in the address that what it is about came from.

/** What a mail says, or why it says nothing we act on. */
export type Returned =
  | { readonly outcome: 'events'; readonly events: readonly DeliveryEvent[] }
  | { readonly outcome: 'unsubscribe'; readonly message: Referred; readonly eventId: string }
  | { readonly outcome: 'ignored' | 'refused'; readonly reason: string }

/** A longer mail is no notification: most quote the headers alone. */
const LONGEST_MAIL = 1_000_000
/** Headers of notifications take a tenth of it. */
const LONGEST_HEADERS = 100_000
/**
 * What it says comes before the mail it quotes (RFC 6522, 3), within a few hundred. Each line costs the parser as much as a
 * hundred bytes, so a megabyte of ends of lines, or of parts with nothing in them, would take it more than ten seconds.
 */
const MOST_LINES = 5_000

/** Characters of what people are told in which the reason is looked for. */
const LONGEST_NOTICE = 10_000

/** RFC 5965, 2. */
const FEEDBACK = /report-type="?feedback-report/i
/**
 * Microsoft's own complaints (JMRP) are no reports in that format: by their subject and a header of the mail they quote.
 * https://sendersupport.olc.protection.outlook.com/snds/
 */
const MICROSOFTS = /^\s*complaint about message from /i
const MICROSOFTS_HEADER = 'x-hmxmroriginalrecipient'
const NOBODYS = {
  outcome: 'refused',
  reason: 'it is addressed to no mailbox of ours with a valid reference',
} as const

const READING = {
  forceRfc822Attachments: true,
  attachmentEncoding: 'utf8',
  maxHeadersSize: LONGEST_HEADERS,
} as const

/** The second is of mail to addresses beyond ASCII (RFC 6533). */
const STATUS = ['message/delivery-status', 'message/global-delivery-status']

interface Part {
  readonly mimeType: string
  readonly text: string
}

/**
 * Reads a mail that came to one of our mailboxes. Never throws, whatever the bytes.
 * @param options.recipients addresses it was delivered to, where the pipe or the caller knows them; its own headers
 *   are looked at besides
 */
export async function readReturned(
  raw: Uint8Array,
  options: { keys: SigningKeys; now: Date; recipients?: readonly string[] },
): Promise<Returned> {
  if (raw.length > LONGEST_MAIL) return { outcome: 'refused', reason: 'the mail is longer than 1 MB' }
  // The headers first, and no more of a mail that names no mailbox of ours.
  const head = await PostalMime.parse(raw.subarray(0, headersEnd(raw)), READING).catch(() => undefined)
  if (!head) return { outcome: 'refused', reason: 'it cannot be read as a mail' }
  const recipients = [
    ...(options.recipients ?? []),
    ...head.headers
      .filter(({ key }) => ['to', 'delivered-to', 'x-original-to', 'envelope-to'].includes(key))
      // Split, for anybody may post a mail: a pattern that looks for an @ goes through a long word again from each of its letters.
      .flatMap(({ value }) => value.split(/[\s<>,;"]+/)),
  ]
  const addressed = (mailbox: 'bounce' | 'unsubscribe') =>
    recipients.flatMap((recipient) => referenceIn(options.keys, mailbox, recipient) ?? [])[0]
  // A mail without an id of its own is known by its bytes: read again, it is the same mail.
  const eventId = `mail ${head.messageId?.slice(0, 200) ?? hash('sha256', raw, 'base64url')}`

  const leaving = addressed('unsubscribe')
  if (leaving) return { outcome: 'unsubscribe', message: leaving, eventId }
  const told = addressed('bounce')
  const feedback =
    MICROSOFTS.test(head.subject ?? '') ||
    head.headers.some(({ key, value }) => key === 'content-type' && FEEDBACK.test(value))
  if (!told && !feedback) return NOBODYS

  const mail = await PostalMime.parse(firstLines(raw), READING).catch(() => undefined)
  if (!mail) return { outcome: 'refused', reason: 'it cannot be read as a mail' }
  const parts = mail.attachments.map(
    ({ mimeType, content }): Part => ({ mimeType: mimeType.toLowerCase(), text: textOf(content) }),
  )
  const complaint = complaintAmong(parts)
  const message = told ?? (complaint && complainedOf(options.keys, complaint, parts))
  if (!message) return NOBODYS
  const event = (kind: EventKind, detail: string, ours = false): DeliveryEvent => ({
    ...message,
    kind,
    eventId,
    at: options.now,
    detail,
    ...(ours ? { ours } : {}),
  })
  if (complaint) {
    const type = complaint.get('feedback-type')?.toLowerCase()
    return type === 'abuse' || type === 'fraud' || type === 'not-spam'
      ? type === 'not-spam'
        ? { outcome: 'ignored', reason: 'somebody took it out of the junk folder' }
        : { outcome: 'events', events: [event('complaint', `feedback report: ${type}`)] }
      : { outcome: 'ignored', reason: `a feedback report of type ${type ?? 'unknown'}` }
  }
  const status = parts.find(({ mimeType }) => STATUS.includes(mimeType))
  const recipientsSaid = status ? recipientsOf(status.text) : recipientsOfQmail(mail.text ?? '')
  if (!status && recipientsSaid.length === 0) {
    return { outcome: 'ignored', reason: 'an answer of a person or a program, not a notification' }
  }
  // The first that settles it: our mails have one recipient, and each of a thousand has the whole notice read again.
  for (const fields of recipientsSaid) {
    const said = judge(fields, mail.text ?? '')
    if (said) return { outcome: 'events', events: [event(said.kind, said.detail, said.ours)] }
  }
  return { outcome: 'ignored', reason: 'a notification that settles nothing' }
}

/**
 * Providers of mailboxes report complaints to one address that was registered with them. Which mail it is about, the address it
 * was sent from says: as signed as where a bounce comes back to, and as unknown to all but its recipient.
 */
function complainedOf(
  keys: SigningKeys,
  complaint: ReadonlyMap<string, string>,
  parts: readonly Part[],
): Referred | undefined {
  const senders = [
    complaint.get('original-mail-from'),
    ...parts.flatMap((part) => {
      const fields = headersOf(part)
      // Microsoft takes off the one, and says who sent it where it says that it looked.
      return [fields.get('return-path'), fields.get('authentication-results')]
    }),
  ]
  return senders.flatMap((sender) => referenceIn(keys, 'bounce', sender ?? '') ?? [])[0]
}

/** What a complaint says of itself; undefined where none of the parts is one. */
function complaintAmong(parts: readonly Part[]): ReadonlyMap<string, string> | undefined {
  const report = parts.find(({ mimeType }) => mimeType === 'message/feedback-report')
  if (report) return fieldsOf(report.text)
  const quoting = parts.some(
    (part) => part.mimeType === 'message/rfc822' && headersOf(part).has(MICROSOFTS_HEADER),
  )
  return quoting ? new Map([['feedback-type', 'abuse']]) : undefined
}

/** The headers of a mail that is quoted. */
function headersOf({ text }: Part): ReadonlyMap<string, string> {
  return fieldsOf(text.slice(0, LONGEST_HEADERS))
}

/** Bytes up to the blank line behind the headers, or all of them. */
function headersEnd(raw: Uint8Array): number {
  const found = /\n\r?\n/.exec(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1'))
  return found ? found.index + found[0].length : raw.length
}

function firstLines(raw: Uint8Array): Uint8Array {
  let end = 0
  for (let lines = 0; lines < MOST_LINES; lines++) {
    const found = raw.indexOf(0x0a, end)
    if (found === -1) return raw
    end = found + 1
  }
  return raw.subarray(0, end)
}

function textOf(content: string | ArrayBuffer | Uint8Array): string {
  return typeof content === 'string' ? content : Buffer.from(content as ArrayBuffer).toString('utf8')
}

function referenceIn(
  keys: SigningKeys,
  mailbox: 'bounce' | 'unsubscribe',
  address: string,
): Referred | undefined {
  const match = /\+([0-9a-z-]+)@/i.exec(address)
  const reference = match?.[1] === undefined ? undefined : readAddress(keys, mailbox, match[1])
  return reference === undefined ? undefined : readReference(reference)
}

/** The groups of fields behind the first, which is about the message as a whole: one for each recipient. */
function recipientsOf(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\r?\n[ \t]*\r?\n/)
    .map(fieldsOf)
    .filter((fields) => fields.has('action') || fields.has('final-recipient'))
}

/**
 * What qmail writes instead of a report: a text with a paragraph for each recipient, before the copy of the mail. As fields of
 * a report. https://cr.yp.to/proto/qsbmf.txt
 */
function recipientsOfQmail(text: string): ReadonlyMap<string, string>[] {
  if (!text.startsWith('Hi. This is the ')) return []
  const [notice = ''] = text.split(/^--- /m)
  return notice.split(/\r?\n[ \t]*\r?\n/).flatMap((paragraph) => {
    const words = /^\s*<[^<>\s]+>:\s(.+)$/s.exec(paragraph)?.[1]?.replace(/\s+/g, ' ').trim()
    if (words === undefined) return []
    const reply = /\bRemote host said: (.+)$/.exec(words)?.[1] ?? words
    const status = /\(#([245]\.\d{1,3}\.\d{1,3})\b/.exec(words)?.[1]
    return [
      new Map([
        ['action', 'failed'],
        ['diagnostic-code', `smtp; ${reply}`],
        ...(status === undefined ? [] : [['status', status] as const]),
      ]),
    ]
  })
}

/** Header fields as a map, names in lower case, folded lines joined. */
function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    // Trimmed afterwards: where a pattern asks for blanks and then for anything, a line of them is gone through for each.
    const match = /^([A-Za-z-]{1,60}):(.*)$/s.exec(line)
    if (match) fields.set((match[1] ?? '').toLowerCase(), (match[2] ?? '').trim())
  }
  return fields
}

/**
 * `failed` with 5.x.x is final where it is about the address ({@link isBadRecipient}): for a policy, a blocklist, the size or a
 * full mailbox another message may pass, as with 4.x.x. A delay settles nothing: the server is still trying.
 * @param notice what people are told, where the fields do not say why
 */
function judge(
  fields: ReadonlyMap<string, string>,
  notice: string,
): { kind: EventKind; detail: string; ours?: boolean } | undefined {
  const action = fields.get('action')?.toLowerCase()
  const status = /\b([245])\.(\d{1,3})\.(\d{1,3})\b/.exec(fields.get('status') ?? '')
  const detail = fields.get('diagnostic-code') ?? fields.get('status') ?? action ?? ''
  if (action === 'delivered' || action === 'relayed') return { kind: 'delivered', detail }
  if (action !== 'failed') return undefined
  // `smtp; 550 5.1.1 no such user`: the words of the server that refused it.
  const text = detail.replace(/^[^;]*;[ \t]*/, '')
  const code = /^(5\d\d)(?=[ -]|$)/.exec(text)?.[1]
  const said = {
    status: knownStatus(status?.[2], status?.[3]) ?? enhancedStatus(text),
    code: code === undefined ? undefined : Number(code),
    text,
    asked: false,
  }
  // OpenSMTPD and Exim say 5.0.0 and no more in what is for machines, also of what they gave up or did not even try.
  const unsaid = said.status === undefined && !fields.has('diagnostic-code')
  const final = (status?.[1] ?? code?.[0]) === '5' && isBadRecipient(unsaid ? saidIn(notice) : said)
  if (final) return { kind: 'hard_bounce', detail }
  return { kind: 'soft_bounce', detail, ours: isOurFault(unsaid ? saidIn(notice) : said) }
}

/** The reply that a notice for people quotes, or all of its words. */
function saidIn(notice: string) {
  const reply = /(?<![\w.+-])5\d\d[ -][^\r\n]+/.exec(notice)?.[0]
  const text = reply ?? notice.slice(0, LONGEST_NOTICE)
  return { status: enhancedStatus(text), code: reply ? Number(reply.slice(0, 3)) : 550, text, asked: false }
}
