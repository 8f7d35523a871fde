import { createVerify, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { messageOf } from '../../errors.ts'
import type { DeliveryEvent, EventKind, Receipts, RefusedWebhook, Webhook } from '../channel.ts'
import { saysOurFault } from './handover.ts'
import { isMachine } from './machine.ts'
import { referenceOfId } from './message.ts'

// Amazon SES by SNS. A notification is believed when its topic is one of ours and its signature is that of a
// certificate of Amazon's own host. https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
// and https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html

/** Reads a document of Amazon's; given, so that a test may stand in its place. */
export type Fetch = (url: string) => Promise<string>

const fetchText: Fetch = async (url) => {
  const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(5_000) })
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  return await answer.text()
}

const AMAZON = /^sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$/

const envelope = z.looseObject({
  Type: z.enum(['Notification', 'SubscriptionConfirmation', 'UnsubscribeConfirmation']),
  MessageId: z.string().min(1).max(200),
  TopicArn: z.string(),
  Subject: z.string().nullish(),
  Message: z.string(),
  Timestamp: z.string(),
  SignatureVersion: z.enum(['1', '2']),
  Signature: z.string(),
  SigningCertURL: z.url(),
  SubscribeURL: z.url().optional(),
  Token: z.string().optional(),
})
type Envelope = z.output<typeof envelope>

const notification = z.looseObject({
  eventType: z.string().optional(),
  notificationType: z.string().optional(),
  mail: z.looseObject({
    messageId: z.string().optional(),
    commonHeaders: z.looseObject({ messageId: z.string().optional() }).optional(),
    headers: z.array(z.looseObject({ name: z.string(), value: z.string() })).optional(),
  }),
  bounce: z
    .looseObject({
      bounceType: z.string(),
      bounceSubType: z.string().optional(),
      bouncedRecipients: z.array(z.looseObject({ diagnosticCode: z.string().optional() })).optional(),
    })
    .optional(),
  complaint: z
    .looseObject({ complaintFeedbackType: z.string().nullish(), complaintSubType: z.string().nullish() })
    .optional(),
  open: z.looseObject({ userAgent: z.string().optional() }).optional(),
  click: z.looseObject({ userAgent: z.string().optional() }).optional(),
})
type Told = z.output<typeof notification>

const NAMELESS =
  'SES says by the original headers alone which mail it is about: have it include them in its notifications'

export interface SesReader {
  /**
   * @throws Error where Amazon cannot be asked for its certificate, or to confirm: it sends again what is answered by 5xx, and
   *   takes a 4xx for the end of it. https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
   */
  read(webhook: Webhook): Promise<Receipts | RefusedWebhook>
}

/** @param topics ARNs that are believed */
export function createSesReader(topics: readonly string[], fetchDocument: Fetch = fetchText): SesReader {
  const certificates = new Map<string, X509Certificate>()

  const certificateAt = async (url: string): Promise<X509Certificate> => {
    const known = certificates.get(url)
    if (known) return known
    try {
      const certificate = new X509Certificate(await fetchDocument(url))
      if (certificates.size < 20) certificates.set(url, certificate)
      return certificate
    } catch (cause) {
      throw new Error(`the certificate that Amazon SNS signs by cannot be read: ${messageOf(cause)}`, {
        cause,
      })
    }
  }

  return {
    read: async (webhook) => {
      const message = parse(envelope, Buffer.from(webhook.body).toString('utf8'))
      if (!message) return refused(400, 'expected a message of Amazon SNS, with raw message delivery off')
      if (!topics.includes(message.TopicArn)) {
        return refused(401, `the topic ${message.TopicArn} is not in channels.email.receipts.sns.topics`)
      }
      if (!isAmazon(message.SigningCertURL))
        return refused(401, 'the certificate is not on a host of Amazon SNS')
      const certificate = await certificateAt(message.SigningCertURL)
      if (!isSigned(message, certificate)) return refused(401, 'the signature does not match')
      if (message.Type === 'SubscriptionConfirmation') return await subscribe(message, fetchDocument)
      if (message.Type !== 'Notification') return accepted([])
      const told = parse(notification, message.Message)
      // SES publishes a line of plain text once, when a topic is set up.
      if (!told) return accepted([])
      // Taken, it would be lost without a word, and with it every complaint.
      if (!told.mail.headers && !told.mail.commonHeaders) return refused(400, NAMELESS)
      return accepted(eventOf(told, message) ?? [])
    },
  }
}

function isAmazon(url: string): boolean {
  const { protocol, hostname, pathname } = new URL(url)
  return protocol === 'https:' && AMAZON.test(hostname) && pathname.endsWith('.pem')
}

/** The lines that are signed, in this order, each with its name. */
function isSigned(message: Envelope, certificate: X509Certificate): boolean {
  const names =
    message.Type === 'Notification'
      ? (['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'] as const)
      : (['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'] as const)
  const text = names
    .flatMap((name) => (typeof message[name] === 'string' ? [`${name}\n${message[name]}\n`] : []))
    .join('')
  const algorithm = message.SignatureVersion === '2' ? 'sha256' : 'sha1'
  try {
    return createVerify(algorithm)
      .update(text, 'utf8')
      .verify(certificate.publicKey, Buffer.from(message.Signature, 'base64'))
  } catch {
    return false
  }
}

/** Asked for once, when the topic is subscribed to; its link is on Amazon's host, or is not followed. */
async function subscribe(message: Envelope, fetchDocument: Fetch): Promise<Receipts | RefusedWebhook> {
  const url = message.SubscribeURL
  if (url === undefined || !AMAZON.test(new URL(url).hostname)) {
    return refused(400, 'the subscription is not confirmed on a host of Amazon SNS')
  }
  try {
    await fetchDocument(url)
    return accepted([])
  } catch (cause) {
    throw new Error(`the subscription to ${message.TopicArn} could not be confirmed: ${messageOf(cause)}`, {
      cause,
    })
  }
}

const KINDS: Readonly<Record<string, EventKind>> = {
  Send: 'sent',
  Delivery: 'delivered',
  // It still tries, and reports a bounce once it has given up.
  DeliveryDelay: 'sent',
  Open: 'opened',
  Click: 'clicked',
  Complaint: 'complaint',
  // Something in our mail, such as a virus: it says nothing of the address.
  Reject: 'soft_bounce',
}

/** Feedback (RFC 5965, 6591) that is no complaint of a person: it came out of the junk folder, it is about a signature or a virus. */
const NO_COMPLAINT = ['not-spam', 'auth-failure', 'virus']

function kindOf(told: Told): EventKind | undefined {
  const type = told.eventType ?? told.notificationType ?? ''
  if (type === 'Bounce') return told.bounce?.bounceType === 'Permanent' ? 'hard_bounce' : 'soft_bounce'
  const feedback = told.complaint?.complaintFeedbackType?.toLowerCase() ?? ''
  if (type === 'Complaint' && NO_COMPLAINT.includes(feedback)) return undefined
  // They complained of an earlier mail, and this was not sent.
  if (type === 'Complaint' && told.complaint?.complaintSubType === 'OnAccountSuppressionList')
    return 'unsubscribed'
  // As with our own links: what a scanner follows is no click.
  const { userAgent } = told.open ?? told.click ?? {}
  const machine = userAgent !== undefined && isMachine(userAgent, undefined)
  if (machine && type === 'Open') return 'prefetched'
  if (machine && type === 'Click') return undefined
  return Object.hasOwn(KINDS, type) ? KINDS[type] : undefined
}

/** Of the message, however good its address is: they say so in a subtype. */
const OF_THE_MESSAGE = ['MessageTooLarge', 'ContentRejected', 'AttachmentRejected']

/** Whether what came back for a passing reason is about us: a Reject always is. */
function isOurs({ bounce }: Told): boolean {
  if (!bounce || OF_THE_MESSAGE.includes(bounce.bounceSubType ?? '')) return true
  return saysOurFault(bounce.bouncedRecipients?.[0]?.diagnosticCode ?? '')
}

function eventOf(told: Told, message: Envelope): DeliveryEvent[] | undefined {
  const own = told.mail.headers?.find(({ name }) => name.toLowerCase() === 'message-id')?.value
  const reference = referenceOfId(own ?? told.mail.commonHeaders?.messageId ?? '')
  const kind = kindOf(told)
  if (!reference || !kind) return undefined
  const detail =
    told.bounce?.bouncedRecipients?.[0]?.diagnosticCode ?? told.complaint?.complaintFeedbackType ?? undefined
  const at = new Date(message.Timestamp)
  return [
    {
      ...reference,
      kind,
      eventId: `sns ${message.MessageId}`,
      at: Number.isNaN(at.getTime()) ? new Date(0) : at,
      ...(detail === undefined ? {} : { detail }),
      ...(kind === 'soft_bounce' && isOurs(told) ? { ours: true } : {}),
      ...(told.mail.messageId === undefined ? {} : { providerId: told.mail.messageId }),
    },
  ]
}

function parse<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

function accepted(events: readonly DeliveryEvent[]): Receipts {
  return { outcome: 'accepted', events, replies: [] }
}

function refused(status: 400 | 401, reason: string): RefusedWebhook {
  return { outcome: 'refused', status, reason }
}
