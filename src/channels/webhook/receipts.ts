import { z } from 'zod'
import { EVENT_KINDS, type Receipts, type RefusedWebhook, type Webhook } from '../channel.ts'
import { readReference } from '../reference.ts'
import { readSigned } from './signed-body.ts'

const body = z.strictObject({
  events: z
    .array(
      z.strictObject({
        /** As it came with the message. */
        reference: z.string(),
        kind: z.enum(EVENT_KINDS),
        /** The same at every repeat. */
        id: z.string().min(1).max(200),
        at: z.iso.datetime({ offset: true }),
        detail: z.string().max(2000).optional(),
        /** In units of the workspace's currency. */
        cost: z.number().min(0).max(1e6).optional(),
      }),
    )
    .max(1000),
})

/** What a provider of your own posts, signed as our own requests are. */
export function readWebhookReceipts(
  webhook: Webhook,
  key: { readonly key_id: string; readonly secret: string },
): Receipts | RefusedWebhook {
  const read = readSigned(webhook, key, body, '{ events: […] }')
  if (read.outcome === 'refused') return read
  const events = []
  for (const [index, event] of read.data.events.entries()) {
    const { reference, kind, id, at, detail, cost } = event
    const named = readReference(reference)
    if (!named)
      return { outcome: 'refused', status: 400, reason: `events.${index}.reference is none of ours` }
    events.push({
      ...named,
      kind,
      eventId: id,
      at: new Date(at),
      ...(detail === undefined ? {} : { detail }),
      ...(cost === undefined ? {} : { cost: Math.round(cost * 1e6) }),
    })
  }
  return { outcome: 'accepted', events, replies: [] }
}
