import { z } from 'zod'
import { CALL_OUTCOMES, SENTIMENTS } from '../../channels/channel.ts'
import { REFUSALS, type RedemptionRefusal } from '../../offers/redemptions.ts'

// What the API answers, as schemas: the document is written from them, and a test holds real answers against them.

const moment = z.iso.datetime()
const words = z.string()

/** Every answer of 4xx and 5xx. */
export const refusal = z.strictObject({
  error: words.describe('Stable, for programs: `unauthorised`, `malformed`, `too_large` …'),
  reason: words.describe('For people: what is wrong, and what would be right'),
  request_id: words.describe('Also in X-Request-Id, and in the log of what failed on our side'),
})

export const success = z.strictObject({ success: z.literal(true) })

export const taken = z.strictObject({
  success: z.literal(true),
  accepted: z.int().describe('Recorded, and durable'),
  repeated: z.int().describe('Known already by their messageId'),
})

export const preferences = z.strictObject({
  channels_off: z.array(words),
  topics_off: z.array(words),
  frequency: z.strictObject({ at_most: z.int(), within_days: z.int() }).nullable(),
  paused_until: moment.nullable(),
})

export const held = z
  .record(words, z.array(z.record(words, z.unknown())))
  .describe('Rows by table, as they stand')

const counts = z.record(words, z.int())
export const erased = z.looseObject({
  removed: counts.describe('Rows by table'),
  kept: counts.describe('Rows that stay under a random id, so that reports add up'),
  rehearsals: z.array(words),
  files: z.strictObject({ rows: z.int(), elsewhere: z.array(words) }),
})

const redeemed = z.strictObject({
  outcome: z.enum(['redeemed', 'repeated']),
  campaign: words,
  offer: words,
})
const refused = z.strictObject({
  outcome: z.literal('refused'),
  reason: z.enum(Object.keys(REFUSALS) as [RedemptionRefusal, ...RedemptionRefusal[]]),
  message: words,
})
export const redemptions = z.union([
  redeemed,
  z.strictObject({ results: z.array(z.union([redeemed, refused])) }),
])

const messages = z.array(
  z.strictObject({
    id: words.describe('What the display is acknowledged by'),
    locale: words,
    title: words,
    text: words,
    html: words,
    url: words.nullable(),
    created_at: moment,
    offer: z
      .strictObject({ name: words, kind: words, code: words.nullable(), expires_at: moment })
      .nullable()
      .describe('What it promises'),
  }),
)
export const inbox = z.strictObject({ messages })

const callFields = {
  id: words,
  kind: z.enum(['recall', 'welcome', 'care']),
  state: z.enum(['open', 'claimed', 'done', 'closed']),
  campaign: words,
  tier: words,
  step: words,
  contact: words.describe('External id'),
  first_name: words.nullable(),
  phone: words.nullable(),
  locale: words.nullable(),
  timezone: words.nullable(),
  script: words,
  taker: z.enum(['agent', 'robot']),
  owner: words.nullable(),
  priority: z.int(),
  silent_since: moment.nullable(),
  opened_at: moment,
  due_at: moment.describe('By when it should have been made'),
  late: z.boolean(),
  next_attempt_at: moment,
  paused: z
    .boolean()
    .describe('Its campaign, all calls or everything are paused: nobody can take it meanwhile'),
  quiet_until: moment
    .nullable()
    .describe(
      'It is outside the hours of the campaign where the contact is until then, and nobody can take it',
    ),
  attempts: z.int(),
  claimed_by: words.nullable(),
  closed_at: moment.nullable(),
  closed_by: words.nullable().describe('The outcome it ended with, or what made it pointless'),
}
export const call = z.strictObject(callFields)
export const calls = z.strictObject({ calls: z.array(call) })
export const callWithHistory = z.strictObject({
  ...callFields,
  history: z.array(
    z.strictObject({
      made_at: moment,
      made_by: words,
      outcome: z.enum(CALL_OUTCOMES),
      reason: words.nullable(),
      sentiment: z.enum(SENTIMENTS).nullable(),
      notes: words.nullable(),
      transcript: words.nullable(),
      minutes: z.number(),
      next_attempt_at: moment.nullable(),
    }),
  ),
})
export const concluded = z.strictObject({
  repeated: z.boolean().describe('The report was known already; nothing changed'),
  marketing_ended: z.boolean().describe('They hear nothing more from us'),
  ...callFields,
})

export const reportList = z.strictObject({
  reports: z.array(z.strictObject({ name: words, title: z.record(words, words) })),
})
export const programme = z.strictObject({
  report: words,
  data: z.unknown().describe('Every figure by its statistical name'),
  sheet: z
    .looseObject({ name: words, title: words })
    .describe('The same in words: sentences, tables, charts'),
})
export const report = programme.extend({ campaign: words })

export const returnedMail = z.strictObject({
  outcome: z.enum(['recorded', 'unsubscribed', 'ignored']),
  detail: words,
})
export const receipts = z.strictObject({ added: z.int(), ignored: z.int(), replies: z.int() })
export const fine = z.strictObject({ status: z.literal('ok') })
