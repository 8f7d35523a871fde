import { type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'
import type { DeliveryEvent, EventKind, Receipts, RefusedWebhook, Webhook } from '../channel.ts'
import { referenceOfId } from './message.ts'

// SendGrid's signed event webhook: ECDSA on P-256 over the timestamp and the raw body.
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features

const KINDS: Readonly<Record<string, EventKind>> = {
  processed: 'sent',
  delivered: 'delivered',
  deferred: 'soft_bounce',
  spamreport: 'complaint',
  open: 'opened',
  click: 'clicked',
}

/**
 * Why SendGrid gave a message to no server, where the address is the reason; the others (`Spam Content`, `Invalid
 * SMTPAPI header`, `Recipient List over Package Quota`) say nothing of it.
 * https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
 */
const ABOUT_THE_ADDRESS = new Set([
  ...['Bounced Address', 'Invalid', 'Unsubscribed Address', 'Spam Reporting Address'],
])

const event = z.looseObject({
  event: z.string(),
  timestamp: z.number(),
  sg_event_id: z.string().min(1).max(200),
  sg_message_id: z.string().optional(),
  'smtp-id': z.string().optional(),
  type: z.string().optional(),
  reason: z.string().optional(),
  response: z.string().optional(),
  sg_machine_open: z.boolean().optional(),
})

/** A signature older than this is a replay. Seconds. */
const FRESH = 600

export function readSendgrid(webhook: Webhook, key: KeyObject): Receipts | RefusedWebhook {
  const signature = webhook.headers['x-twilio-email-event-webhook-signature']
  const timestamp = webhook.headers['x-twilio-email-event-webhook-timestamp']
  if (signature === undefined || timestamp === undefined) return refused(401, 'it is not signed')
  const signed = Buffer.concat([Buffer.from(timestamp), webhook.body])
  if (!verify('sha256', signed, key, Buffer.from(signature, 'base64'))) {
    return refused(401, 'the signature is not that of channels.email.receipts.sendgrid.public_key')
  }
  const age = webhook.now.getTime() / 1000 - Number(timestamp)
  if (!(Math.abs(age) <= FRESH)) return refused(401, 'the signature is too old')
  const parsed = parseEvents(webhook.body)
  if (!parsed) return refused(400, 'expected a JSON array of events')
  return { outcome: 'accepted', replies: [], events: parsed.flatMap((one) => eventOf(one) ?? []) }
}

function parseEvents(body: Uint8Array): z.output<typeof event>[] | undefined {
  try {
    const parsed = z.array(event).safeParse(JSON.parse(Buffer.from(body).toString('utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Undefined for what is about no message of ours, or says nothing of its delivery. */
function eventOf(one: z.output<typeof event>): DeliveryEvent | undefined {
  const reference = referenceOfId(one['smtp-id'] ?? '')
  const kind = kindOf(one)
  if (!reference || !kind) return undefined
  const detail = one.reason ?? one.response
  return {
    ...reference,
    kind,
    eventId: one.sg_event_id,
    at: new Date(one.timestamp * 1000),
    ...(detail === undefined ? {} : { detail }),
    ...(one.sg_message_id === undefined ? {} : { providerId: one.sg_message_id }),
  }
}

function kindOf(one: z.output<typeof event>): EventKind | undefined {
  if (one.event === 'bounce') return one.type === 'blocked' ? 'soft_bounce' : 'hard_bounce'
  if (one.event === 'dropped') return ABOUT_THE_ADDRESS.has(one.reason ?? '') ? 'hard_bounce' : 'soft_bounce'
  if (one.event === 'open' && one.sg_machine_open) return 'prefetched'
  return Object.hasOwn(KINDS, one.event) ? KINDS[one.event] : undefined
}

function refused(status: 400 | 401, reason: string): RefusedWebhook {
  return { outcome: 'refused', status, reason }
}
