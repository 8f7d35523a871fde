import { z } from 'zod'
import {
  type Answer,
  type DeliveryEvent,
  EVENT_KINDS,
  type Greeting,
  type Receipts,
  type RefusedWebhook,
} from './channel.ts'
import { eventIdOf } from './event-id.ts'

// What a channel from outside says its provider reported, before any of it is recorded: an event that names no
// message, or a time that is none, would fail the statement that all of them are written by.

const id = z.int().nonnegative()
const eventId = z.string().min(1).transform(eventIdOf)

const event = z
  .object({
    contactId: id,
    touchpointId: id,
    installation: z.string().optional(),
    kind: z.enum(EVENT_KINDS),
    eventId,
    at: z.date(),
    detail: z.string().optional(),
    providerId: z.string().optional(),
    ours: z.boolean().optional(),
    cost: z.int().nonnegative().optional(),
  })
  .transform(
    ({ installation, detail, providerId, ours, cost, ...rest }): DeliveryEvent => ({
      ...rest,
      ...(installation === undefined ? {} : { installation }),
      ...(detail === undefined ? {} : { detail }),
      ...(providerId === undefined ? {} : { providerId }),
      ...(ours === undefined ? {} : { ours }),
      ...(cost === undefined ? {} : { cost }),
    }),
  )

const reply = z.object({
  from: z.string(),
  text: z.string(),
  optOut: z.boolean(),
  eventId,
  at: z.date(),
})

const refusal = z.object({
  outcome: z.literal('refused'),
  status: z.union([z.literal(400), z.literal(401), z.literal(404)]),
  reason: z.string(),
})

/** Strict: what it says beside is not recorded, and must not look as if it were. Calls are those of `callback` alone. */
const receipts = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('accepted'),
    events: z.array(event),
    replies: z.array(reply),
    answer: z.object({ type: z.string(), body: z.string() }).optional(),
  }),
  refusal,
])

const greeting = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('accepted'), answer: z.string() }),
  refusal,
])

const answer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('sent'), events: z.array(event) }),
  z.object({ outcome: z.literal('absent') }),
])

/** @throws Error naming the first thing that is not as it must be: the provider is answered with an error, and repeats */
export function readReceipts(name: string, given: unknown): Receipts | RefusedWebhook {
  const read = receipts.safeParse(given)
  if (!read.success) {
    const [issue] = read.error.issues
    const where = ['receipts', ...(issue?.path ?? [])].join('.')
    throw new Error(
      `the channel ${name} reads a webhook as what cannot be recorded: ${where}: ${issue?.message}`,
    )
  }
  const { data } = read
  if (data.outcome === 'refused') return data
  const { outcome, events, replies } = data
  return { outcome, events, replies, ...(data.answer ? { answer: data.answer } : {}) }
}

/** @throws Error naming the first thing that is not as it must be */
export function readGreeting(name: string, given: unknown): Greeting | RefusedWebhook {
  const read = greeting.safeParse(given)
  if (read.success) return read.data
  const [issue] = read.error.issues
  const where = ['greet', ...(issue?.path ?? [])].join('.')
  throw new Error(
    `the channel ${name} answers its provider with what is no text: ${where}: ${issue?.message}`,
  )
}

/** What cannot be used is not known yet. */
export function readAnswer(given: unknown): Answer {
  const read = answer.safeParse(given)
  return read.success ? read.data : { outcome: 'unknown' }
}
