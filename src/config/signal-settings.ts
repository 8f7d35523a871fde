import { z } from 'zod'
import { duration, percentage } from './quantities.ts'

// `signals:` of winback.yaml: the thresholds behind the facts of a contact's value, rhythm and discontent.

const score = z
  .union([z.int().min(1).max(5), z.string().regex(/^[1-5]\.\.[1-5]$/, 'expected a score such as 4 or 3..5')])
  .transform((value, context) => {
    const [from = 1, to = from] = String(value).split('..').map(Number)
    if (from > to) {
      context.addIssue({
        code: 'custom',
        message: `expected the lower end before the upper end, found ${value}`,
      })
      return z.NEVER
    }
    return { from, to }
  })

const segmentRule = z.strictObject({
  segment: z.string().min(1).describe('What rfm.segment is called where the rule matches'),
  recency: score.optional().describe('5 bought most recently: 4 or 3..5; any by default'),
  frequency: score.optional().describe('5 buys most often'),
  monetary: score.optional().describe('5 spent most'),
})

/** The rules that ship, first match first: the usual eight groups, in words that say what to do. */
const SEGMENTS = [
  { segment: 'champion', recency: '4..5', frequency: '4..5', monetary: '4..5' },
  { segment: 'loyal', recency: '3..5', frequency: '4..5' },
  { segment: 'promising', recency: '4..5', frequency: '2..3' },
  { segment: 'new', recency: '4..5', frequency: 1 },
  { segment: 'cannot_lose', recency: '1..2', frequency: '4..5', monetary: '4..5' },
  { segment: 'at_risk', recency: '1..2', frequency: '3..5' },
  { segment: 'hibernating', recency: '1..2' },
  { segment: 'needs_attention' },
]

const weight = (value: number) =>
  z.number().min(0).max(100).prefault(value).describe('What the sign adds to the grade')

export const signalSettings = z.strictObject({
  refit: z
    .string()
    .prefault('0 3 * * 1')
    .describe(
      'cron, five fields, in the workspace’s zone: when quintiles and the return model are fitted anew',
    ),
  rfm: z
    .strictObject({
      segments: z
        .array(segmentRule)
        .min(1)
        .prefault(SEGMENTS)
        .describe('Ordered rules over the three scores; the first that matches names rfm.segment'),
    })
    .prefault({})
    .describe('Scores of 1 to 5 by recency, frequency and money'),
  quadrants: z
    .strictObject({
      value: z.int().min(1).max(5).prefault(4).describe('High value from this monetary score on'),
      potential: z.int().min(1).max(5).prefault(4).describe('High potential from this score of use on'),
    })
    .prefault({})
    .describe('Value × potential: core, harvest, grow, light'),
  return: z
    .strictObject({
      horizon: duration
        .prefault('30d')
        .describe('return_probability is that of coming back within this time'),
      contacts: z.int().min(1).prefault(200).describe('Fewer contacts than this are too thin for the model'),
      repeaters: z.int().min(1).prefault(50).describe('Fewer with a second day of activity are too thin'),
    })
    .prefault({})
    .describe('The return model'),
  churn: z
    .strictObject({
      silent: duration.prefault('3d').describe('Silent for less than this is active'),
      rhythm: z
        .number()
        .min(0)
        .max(10)
        .prefault(1.2)
        .describe('Silent for up to this many times their own usual pause is false churn'),
      unfinished: duration
        .prefault('30d')
        .describe('A cart, favourite or comment older than this says nothing'),
    })
    .prefault({})
    .describe('Who is really silent'),
  coupons: z
    .strictObject({ lapse: duration.prefault('30d').describe('A pause that counts as a lapse') })
    .prefault({})
    .describe('Who lapses until a coupon comes'),
  risk: z
    .strictObject({
      sign_in: z
        .strictObject({ after: duration.prefault('14d').describe('Without signing in'), weight: weight(1) })
        .prefault({})
        .describe('No sign-in for long'),
      use: z
        .strictObject({
          window: duration
            .prefault('14d')
            .refine((seconds) => seconds >= 86_400 && seconds <= 32 * 86_400, 'expected 1d to 32d')
            .describe('Days of activity in this time against the same time before'),
          drop: percentage.prefault('50%').describe('Down by this much'),
          days: z.int32().min(1).prefault(4).describe('Days of activity before, or it says nothing'),
          weight: weight(1),
        })
        .prefault({})
        .describe('Use went down'),
      complaint: z
        .strictObject({ weight: weight(2) })
        .prefault({})
        .describe('A complaint is not resolved'),
      review: z
        .strictObject({
          below: z.number().prefault(3).describe('Stars'),
          within: duration.prefault('90d').describe('Older reviews say nothing'),
          weight: weight(1),
        })
        .prefault({})
        .describe('The latest review is bad'),
      nps: z
        .strictObject({ below: z.number().prefault(6).describe('Score'), weight: weight(2) })
        .prefault({})
        .describe('Would not recommend us'),
      assignments: z
        .strictObject({
          open: z.int32().min(1).prefault(1).describe('Tasks that wait'),
          weight: weight(1),
        })
        .prefault({})
        .describe('Tasks are not finished'),
      grades: z
        .strictObject({
          light: z.number().positive().prefault(1).describe('From this sum of weights on'),
          medium: z.number().positive().prefault(2).describe('From this sum of weights on'),
          severe: z.number().positive().prefault(4).describe('From this sum of weights on'),
        })
        .prefault({})
        .describe('What the signs add up to'),
    })
    .prefault({})
    .describe('Signs of discontent and their weights'),
  membership: z
    .strictObject({
      attribute: z
        .string()
        .optional()
        .describe('An attribute of type timestamp that says when the membership ends; else from events'),
    })
    .prefault({})
    .describe('Where the end of a membership is known from'),
  activation: z
    .strictObject({
      events: z
        .array(z.string())
        .min(1)
        .optional()
        .describe('The first of these is the activation; the order event by default'),
    })
    .prefault({})
    .describe('When somebody who signed up has really begun'),
  sunset: z
    .strictObject({
      episodes: z.int32().min(1).prefault(2).describe('Episodes without a recall since the last one'),
      never_active: duration.prefault('90d').describe('Signed up this long ago and never active'),
    })
    .prefault({})
    .describe('Who had better be left alone'),
})

export type SignalSettings = z.output<typeof signalSettings>
export const DEFAULT_SIGNALS: SignalSettings = signalSettings.parse({})
