import { z } from 'zod'
import { offer } from '../offers/offers.ts'
import { DATA_SOURCES } from './annual-report.ts'
import { enter } from './entering.ts'
import { amount, band, budget, dailyCount, duration, localWindow, percentage, rate } from './quantities.ts'

// The campaign file. One schema: the types below are inferred from it, `winback schema` prints it as JSON Schema.
// What a later part of Winback will read is an unknown key until it is built: a setting that does nothing is worse than
// an error.

export const name = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,62}$/,
    'expected a name of lower-case letters, digits, - and _, starting with a letter',
  )
const condition = z
  .string()
  .min(1)
  .describe('A CEL condition over facts: orders.total >= 2000 && orders.count >= 4')

const texts = z.union([z.string(), z.record(z.string(), z.string())])

/** One of the messages a step compares. */
export interface Variant {
  /** Of those the step is planned for, in (0, 1]. */
  readonly share: number
  /** Instead of the step's. */
  readonly template?: string | Readonly<Record<string, string>> | undefined
  readonly offer?: string | undefined
}

const variant = z.union([
  percentage.transform((share): Variant => ({ share })),
  z
    .strictObject({
      share: percentage.describe('Of those the step is planned for; the shares of a step come to 100%'),
      template: texts.optional().describe('Instead of the step’s'),
      offer: z.string().optional().describe('Instead of the step’s; one of `offers`'),
    })
    .transform((given): Variant => given),
])

const step = z.strictObject({
  id: name.describe('Stable: reports and conditions name the step by it'),
  channel: z
    .union([z.string(), z.array(z.string()).min(1)])
    .transform((value) => (typeof value === 'string' ? [value] : value))
    .describe('A channel, or a list: the first on which the contact can be reached'),
  template: texts.optional().describe('A template, or one for each segment (with `everyone` for the rest)'),
  after: duration.prefault('0s').describe('Counted from entering the tier'),
  when: condition.optional().describe('Sent only where this is true'),
  unless: condition.optional().describe('Not sent where this is true'),
  offer: z.string().optional().describe('One of `offers`: granted with this message'),
  variants: z
    .record(name, variant)
    .optional()
    .describe(
      'Messages that are compared, each with its share: { plain: 50%, story: 50% }. The others are held against the first',
    ),
  data: z
    .enum(DATA_SOURCES)
    .optional()
    .describe('What is read of the contact beside facts: annual-report gives templates `report.*`'),
  otherwise: z
    .string()
    .optional()
    .describe('The template used where a fact of the first is missing or stale'),
  script: z.string().optional().describe('In the place of `template` on a callback step: what is said'),
  sla: duration.prefault('24h').describe('Of a callback step: within which time the call is to be made'),
  capacity: dailyCount
    .optional()
    .describe('Of a callback step: calls a day that people can make; the rest waits, or goes to the robot'),
})

/** What tiers may not be called: reports name the steps of `on_return` by it. */
export const ON_RETURN = 'on_return'

const tierKeys = z.strictObject({
  name: name.describe('Unique: reports name the tier by it'),
  inactive: band.optional().describe('Elapsed silence, half-open: 3d..7d'),
  enter: enter
    .optional()
    .describe(
      'Instead of silence: 7d before membership.ends (any date the contact has), or event first_order (an event; first_ for the first alone)',
    ),
  after: duration.optional().describe('With `enter: event`: how long after the event'),
  where: condition.optional().describe('With `enter: event`: which events; a condition over event.value'),
  within: duration
    .optional()
    .describe(
      'With `enter`: how long after that moment somebody may still be taken in, where a run was missed',
    ),
  holdout: percentage.prefault('0%').describe('Of the treated, drawn on entering the tier'),
  steps: z.array(step).min(1).describe('What is sent in this tier'),
})

const tier = tierKeys.refine((given) => given.inactive !== undefined || given.enter !== undefined, {
  path: ['inactive'],
  message:
    '`inactive` is missing; expected a band such as 3d..7d, or 15d.. without an upper end (or `enter`, for a date or an event)',
  // Said beside whatever else is wrong with the tier: a misspelt `inactive` is told once only if both are known.
  when: ({ value }) => typeof value === 'object' && value !== null && !Array.isArray(value),
})

export const campaign = z.strictObject({
  version: z.literal(1).describe('The version of this file format'),
  campaign: name.describe('The campaign’s key; never change it'),
  title: z.string().min(1).describe('What reports call the campaign'),
  topic: name.optional().describe('One of `topics` of the workspace: contacts may refuse it'),
  owner: z.email().optional().describe('Who answers for it'),
  schedule: z.string().describe('cron, five fields, in `timezone`'),
  timezone: z.string().optional().describe('IANA zone; the workspace’s by default'),
  starts: z.iso.date().optional().describe('First local day it takes anybody in: 2026-11-25'),
  ends: z.iso.date().optional().describe('Last local day it takes anybody in'),
  exclusive: name.optional().describe('One live episode for each contact within this group'),
  priority: z.int().min(0).max(100).prefault(50).describe('Higher first, where caps must choose'),
  rollout: percentage.prefault('100%').describe('Share of persons the campaign may take in, by hash'),
  audience: condition
    .optional()
    .describe('Who may be taken in, beside the silence the tiers ask for: a CEL condition'),
  segments: z.record(name, condition).prefault({}).describe('First that matches; the rest are `everyone`'),
  intake: z
    .strictObject({
      max_silence: duration.optional().describe('Nobody is taken in who was silent for longer'),
      backlog: dailyCount.optional().describe('How many may be taken in: 20000 per day'),
      order: z
        .enum(['newest', 'oldest'])
        .prefault('newest')
        .describe('Who comes first where there are more: those who lapsed last, or first'),
    })
    .prefault({})
    .describe('How fast those who lapsed long ago are taken in'),
  feed: z
    .strictObject({
      max_lag: duration.optional().describe('Age the newest activity may have'),
      min_volume: percentage.optional().describe('Of the normal number of events a day'),
    })
    .prefault({})
    .describe('A run refuses when activity is older or thinner than this'),
  goals: z
    .record(
      name,
      z.strictObject({
        event: z.string().describe('A type of activity'),
        margin: percentage.optional().describe('Share of its value that is earned'),
      }),
    )
    .refine((goals) => Object.keys(goals).length > 0, 'expected at least one goal; the first is the primary')
    .describe('What counts as success; the first is the recall'),
  silenced_by: z
    .enum(['activity', 'goal'])
    .optional()
    .describe(
      'What ends the sending: any activity, or the primary goal alone. By default activity where tiers ask for silence, and goal where they are entered by a date or an event',
    ),
  window: duration.describe('A recall counts within this time of the assignment'),
  grace: duration.prefault('2d').describe('How long after the window late events are still waited for'),
  value: z
    .strictObject({
      recall: amount.optional().describe('What winning one contact back is worth'),
      acquisition: amount.optional().describe('What winning a new one costs, to compare with'),
    })
    .prefault({})
    .describe('What the report reckons with'),
  holdout: percentage.describe('Share held out, drawn when the episode opens'),
  reentry: z
    .strictObject({
      wait: duration.prefault('0s').describe('From the end of the last episode'),
      sunset: z
        .string()
        .regex(/^\d+ episodes?$/, 'expected a number of episodes, such as 2 episodes')
        .transform((text) => Number.parseInt(text, 10))
        .optional()
        .describe('Nobody is taken in again after so many episodes without a recall: 2 episodes'),
      unanswered: z
        .string()
        .regex(/^[1-9]\d* sends?$/, 'expected a number of messages, such as 8 sends')
        .transform((text) => Number.parseInt(text, 10))
        .optional()
        .describe(
          'Nobody is taken in who got so many messages since their last activity, another system’s included: 8 sends',
        ),
    })
    .prefault({})
    .describe('When somebody may be taken in again'),
  limits: z
    .strictObject({
      per_person: z
        .array(
          z.strictObject({
            at_most: rate.describe('Messages: 2 per day. Days and weeks are the recipient’s own'),
            channel: z.string().optional().describe('Of this channel alone; of all by default'),
            topic: z.string().optional().describe('Of campaigns about this topic alone; of all by default'),
            then: z.enum(['defer', 'skip']).describe('What becomes of a message too many'),
          }),
        )
        .prefault([])
        .describe('How much one person may get, across campaigns'),
      effort: z
        .strictObject({
          core: z.int32().min(0).optional().describe('Spends and uses much'),
          harvest: z.int32().min(0).optional().describe('Spends much, uses little'),
          grow: z.int32().min(0).optional().describe('Uses much, spends little'),
          light: z.int32().min(0).optional().describe('Neither'),
        })
        .prefault({})
        .describe('Messages an episode, by the fact `quadrant`: who brings little gets fewer'),
      send_window: z.record(z.string(), localWindow).prefault({}).describe('By channel, or `default`'),
      spread: duration.prefault('0s').describe('Deferred messages are spread over this time'),
      max_delay: duration
        .prefault('2d')
        .describe('Later than this after its planned time a message is not sent'),
      budget: z
        .strictObject({
          spend: budget.optional().describe('What sending may cost, in all or a local day: 3000 CNY per day'),
          liability: amount.optional().describe('What the offers may come to'),
        })
        .prefault({})
        .describe('What the campaign may cost'),
    })
    .prefault({})
    .describe('What no message may exceed'),
  stop: z
    .strictObject({
      unsubscribe: percentage.optional().describe('Share of those written to who opt out'),
      complaint: percentage.optional().describe('Share of messages that are complained of'),
      hard_bounce: percentage.optional().describe('Share of messages whose address does not exist'),
    })
    .prefault({})
    .describe('The campaign pauses by itself where the last seven days exceed one of these'),
  seeds: z
    .array(z.string())
    .prefault([])
    .describe('External ids that get every message and are never counted'),
  offers: z.record(name, offer).prefault({}).describe('What steps may give, by name'),
  tiers: z
    .array(tier)
    .min(1)
    .describe(
      'Bands of silence, or moments around a date or after an event, one after the other, each with its steps',
    ),
  on_return: z
    .array(step)
    .prefault([])
    .describe('Steps released by the return, for those alone who were contacted: a greeting, a gift'),
})

export type Campaign = z.output<typeof campaign>
export type Tier = Campaign['tiers'][number]
export type Step = Tier['steps'][number]
