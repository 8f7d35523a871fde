import { z } from 'zod'
import {
  CALL_OUTCOMES,
  type CallReport,
  type Receipts,
  type RefusedWebhook,
  SENTIMENTS,
  type Webhook,
} from '../channel.ts'
import { readReference } from '../reference.ts'
import { readSigned } from '../webhook/signed-body.ts'

const body = z.strictObject({
  calls: z
    .array(
      z.strictObject({
        /** As it came with the call. */
        reference: z.string(),
        /** The same at every repeat. */
        id: z.string().min(1).max(200),
        at: z.iso.datetime({ offset: true }),
        outcome: z.enum(CALL_OUTCOMES),
        reason: z.string().max(60).optional(),
        minutes: z.number().min(0).max(600).prefault(0),
        sentiment: z.enum(SENTIMENTS).optional(),
        transcript: z.string().max(50_000).optional(),
        notes: z.string().max(2000).optional(),
        next_attempt_at: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .max(200),
})

/** What the robot posts of its calls, signed as our own requests are. */
export function readCallReports(
  webhook: Webhook,
  key: { readonly key_id: string; readonly secret: string },
): Receipts | RefusedWebhook {
  const read = readSigned(webhook, key, body, '{ calls: […] }')
  if (read.outcome === 'refused') return read
  const calls: CallReport[] = []
  for (const [index, report] of read.data.calls.entries()) {
    const named = readReference(report.reference)
    if (!named) return { outcome: 'refused', status: 400, reason: `calls.${index}.reference is none of ours` }
    const { id, at, minutes, next_attempt_at: next, reason, sentiment, transcript, notes, outcome } = report
    calls.push({
      ...named,
      eventId: id,
      at: new Date(at),
      outcome,
      seconds: Math.round(minutes * 60),
      reason,
      sentiment,
      transcript,
      notes,
      nextAttemptAt: next === undefined ? undefined : new Date(next),
    })
  }
  return { outcome: 'accepted', events: [], replies: [], calls }
}
