import { type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'
import type { DeliveryEvent, EventKind, Receipts, RefusedWebhook, Webhook } from '../channel.ts'
import { parseJson } from '../http.ts'
import { type Referred, readReference, referenceOf } from '../reference.ts'
import { saysOurFault } from './handover.ts'
import { isMachine } from './machine.ts'
import { type PreparedHeader, referenceOfId } from './message.ts'

// SendGrid's signed event webhook: ECDSA on P-256 over the timestamp and the raw body.
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

const KINDS: Readonly<Record<string, EventKind>> = {
  processed: 'sent',
  delivered: 'delivered',
  // It still tries, for three days, and reports a bounce once it has given up.
  deferred: 'sent',
  spamreport: 'complaint',
  // Its own link, where its subscription tracking is on, or one of its unsubscribe groups.
  unsubscribe: 'unsubscribed',
  group_unsubscribe: 'unsubscribed',
  open: 'opened',
  click: 'clicked',
}

/** The unique argument by which SendGrid names our message in every event. */
const ARGUMENT = 'winback'

/**
 * The header by which SendGrid is told what to call a message in its events; it takes it off. Of the Message-ID it speaks in
 * events of the delivery alone, and in none of what people do with the mail: no complaint, no unsubscription.
 * https://www.twilio.com/docs/sendgrid/for-developers/sending-email/unique-arguments
 */
export function sendgridHeader(message: Referred): Record<string, PreparedHeader> {
  const value = JSON.stringify({ unique_args: { [ARGUMENT]: referenceOf(message) } })
  return { 'X-SMTPAPI': { prepared: true, value } }
}

/**
 * Why SendGrid gave a message to no server, where the address is the reason or its person had left before; the others
 * (`Spam Content`, `Invalid SMTPAPI header`, `Recipient List over Package Quota`) say nothing of it.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
 */
const DROPPED: ReadonlyMap<string, EventKind> = new Map([
  ['Bounced Address', 'hard_bounce'],
  ['Invalid', 'hard_bounce'],
  ['Unsubscribed Address', 'unsubscribed'],
  // They complained of an earlier mail, and not of this.
  ['Spam Reporting Address', 'unsubscribed'],
])

/** What is of another shape is left out: an account's own arguments and categories stand beside these. */
const text = z.string().optional().catch(undefined)
const event = z.looseObject({
  event: z.string(),
  timestamp: z.number(),
  sg_event_id: z.string().min(1).max(200),
  sg_message_id: text,
  [ARGUMENT]: text,
  'smtp-id': text,
  type: text,
  reason: text,
  response: text,
  useragent: text,
  sg_machine_open: z.boolean().optional().catch(undefined),
})

/**
 * Seconds for which a signature is good. What was not answered SendGrid sends again for a day, and nowhere says that it signs
 * anew: after an outage, a closer look would turn away all that was reported meanwhile. An event that comes again changes
 * nothing, whoever sends it.
 */
const GOOD = 2 * 86_400
/** Seconds by which its clock may be ahead of ours. */
const AHEAD = 600

export function readSendgrid(webhook: Webhook, key: KeyObject): Receipts | RefusedWebhook {
  const signature = webhook.headers['x-twilio-email-event-webhook-signature']
  const timestamp = webhook.headers['x-twilio-email-event-webhook-timestamp']
  if (signature === undefined || timestamp === undefined) return refused(401, 'it is not signed')
  const signed = Buffer.concat([Buffer.from(timestamp), webhook.body])
  if (!verify('sha256', signed, key, Buffer.from(signature, 'base64'))) {
    return refused(401, 'the signature is not that of channels.email.receipts.sendgrid.public_key')
  }
  const age = webhook.now.getTime() / 1000 - Number(timestamp)
  if (!(age <= GOOD && age >= -AHEAD)) return refused(401, 'the signature is too old')
  const parsed = parseEvents(webhook.body)
  if (!parsed) return refused(400, 'expected a JSON array of events')
  return { outcome: 'accepted', replies: [], events: parsed.flatMap((one) => eventOf(one) ?? []) }
}

/** Those that can be read; undefined where that is none of those there are. One must not lose what stands beside it. */
function parseEvents(body: Uint8Array): z.output<typeof event>[] | undefined {
  const value = parseJson(Buffer.from(body).toString('utf8'))
  if (!Array.isArray(value)) return undefined
  const read = value.flatMap((each) => event.safeParse(each).data ?? [])
  return read.length === 0 && value.length > 0 ? undefined : read
}

/** Undefined for what is about no message of ours, or says nothing of its delivery. */
function eventOf(one: z.output<typeof event>): DeliveryEvent | undefined {
  const reference = readReference(one[ARGUMENT] ?? '') ?? referenceOfId(one['smtp-id'] ?? '')
  const kind = kindOf(one)
  if (!reference || !kind) return undefined
  const detail = one.reason ?? one.response
  // Dropped for another reason than the address, it was never offered to its server.
  const ours = kind === 'soft_bounce' && (one.event === 'dropped' || saysOurFault(detail ?? ''))
  return {
    ...reference,
    kind,
    eventId: one.sg_event_id,
    at: new Date(one.timestamp * 1000),
    ...(detail === undefined ? {} : { detail }),
    ...(ours ? { ours } : {}),
    ...(one.sg_message_id === undefined ? {} : { providerId: one.sg_message_id }),
  }
}

function kindOf(one: z.output<typeof event>): EventKind | undefined {
  if (one.event === 'bounce') return one.type === 'blocked' ? 'soft_bounce' : 'hard_bounce'
  if (one.event === 'dropped') return DROPPED.get(one.reason ?? '') ?? 'soft_bounce'
  // As with our own links: what a scanner follows is no click.
  const machine = one.sg_machine_open || (one.useragent !== undefined && isMachine(one.useragent, undefined))
  if (machine && one.event === 'open') return 'prefetched'
  if (machine && one.event === 'click') return undefined
  return Object.hasOwn(KINDS, one.event) ? KINDS[one.event] : undefined
}

function refused(status: 400 | 401, reason: string): RefusedWebhook {
  return { outcome: 'refused', status, reason }
}
