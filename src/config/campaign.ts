import { z } from 'zod'
import { amount, band, duration, localWindow, percentage, rate } from './quantities.ts'

// The campaign file. One schema: the types below are inferred from it, `winback schema` prints it as JSON Schema.
// What a later part of Winback will read (variants, stop rules, on_return …) is an unknown key until it is
// built: a setting that does nothing is worse than an error.

const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,62}$/,
    'expected a name of lower-case letters, digits, - and _, starting with a letter',
  )
const condition = z
  .string()
  .min(1)
  .describe('A CEL condition over facts: orders.total >= 2000 && orders.count >= 4')

export const step = z.strictObject({
  id: name.describe('Stable: reports and conditions name the step by it'),
  channel: z
    .union([z.string(), z.array(z.string()).min(1)])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .describe('A channel, or a list: the first on which the contact can be reached'),
  template: z
    .union([z.string(), z.record(z.string(), z.string())])
    .optional()
    .describe('A template, or one for each segment (with `everyone` for the rest)'),
  after: duration.prefault('0s').describe('Counted from entering the tier'),
  when: condition.optional().describe('Sent only where this is true'),
  unless: condition.optional().describe('Not sent where this is true'),
  offer: z.string().optional(),
  otherwise: z
    .string()
    .optional()
    .describe('The template used where a fact of the first is missing or stale'),
})

export const tier = z.strictObject({
  name,
  inactive: band.describe('Elapsed silence, half-open: 3d..7d'),
  holdout: percentage.prefault('0%').describe('Of the treated, drawn on entering the tier'),
  steps: z.array(step).min(1),
})

const offerCommon = {
  valid: duration.describe('How long a grant may be redeemed'),
  stock: z.int().nonnegative().optional(),
  expected_redemption: percentage.prefault('100%'),
  per_contact: rate.optional(),
}
export const offer = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('coupon'),
    amount,
    minimum: amount.optional(),
    deliver: z.enum(['account', 'code']).prefault('account'),
    ...offerCommon,
  }),
  z.strictObject({
    kind: z.literal('trial'),
    days: z.int().positive(),
    value: amount.optional(),
    ...offerCommon,
  }),
  z.strictObject({
    kind: z.literal('benefit'),
    name: z.string(),
    value: amount,
    ...offerCommon,
    valid: duration.prefault('30d'),
  }),
])

export const campaign = z.strictObject({
  version: z.literal(1).describe('The version of this file format'),
  campaign: name.describe('The campaign’s key; never change it'),
  title: z.string().min(1),
  owner: z.email().optional(),
  schedule: z.string().describe('cron, five fields, in `timezone`'),
  timezone: z.string().optional().describe('IANA zone; the workspace’s by default'),
  starts: z.iso.date().optional(),
  ends: z.iso.date().optional(),
  exclusive: name.optional().describe('One live episode for each contact within this group'),
  priority: z.int().min(0).max(100).prefault(50),
  rollout: percentage.prefault('100%').describe('Share of persons the campaign may take in, by hash'),
  audience: condition.optional(),
  segments: z.record(name, condition).prefault({}).describe('First that matches; the rest are `everyone`'),
  intake: z
    .strictObject({
      max_silence: duration.optional(),
      backlog: rate.optional(),
      order: z.enum(['newest', 'oldest']).prefault('newest'),
    })
    .prefault({}),
  feed: z
    .strictObject({ max_lag: duration.optional(), min_volume: percentage.optional() })
    .prefault({})
    .describe('A run refuses when activity is older or thinner than this'),
  goals: z
    .record(name, z.strictObject({ event: z.string(), margin: percentage.optional() }))
    .refine((goals) => Object.keys(goals).length > 0, 'expected at least one goal; the first is the primary'),
  window: duration.describe('A recall counts within this time of the assignment'),
  grace: duration.prefault('2d').describe('How long after the window late events are still waited for'),
  value: z.strictObject({ recall: amount.optional(), acquisition: amount.optional() }).prefault({}),
  holdout: percentage.describe('Share held out, drawn when the episode opens'),
  reentry: z
    .strictObject({
      wait: duration.prefault('0s'),
      sunset: z
        .string()
        .regex(/^\d+ episodes?$/, 'expected a number of episodes, such as 2 episodes')
        .transform((text) => Number.parseInt(text, 10))
        .optional(),
    })
    .prefault({}),
  limits: z
    .strictObject({
      per_person: z
        .array(
          z.strictObject({ at_most: rate, channel: z.string().optional(), then: z.enum(['defer', 'skip']) }),
        )
        .prefault([]),
      send_window: z.record(z.string(), localWindow).prefault({}).describe('By channel, or `default`'),
      spread: duration.prefault('0s').describe('Deferred messages are spread over this time'),
      max_delay: duration
        .prefault('2d')
        .describe('Later than this after its planned time a message is not sent'),
      budget: z.strictObject({ liability: amount.optional() }).prefault({}),
    })
    .prefault({}),
  seeds: z
    .array(z.string())
    .prefault([])
    .describe('External ids that get every message and are never counted'),
  offers: z.record(name, offer).prefault({}),
  tiers: z.array(tier).min(1),
})

export type Campaign = z.output<typeof campaign>
export type Tier = Campaign['tiers'][number]
export type Step = Tier['steps'][number]
export type Offer = Campaign['offers'][string]
