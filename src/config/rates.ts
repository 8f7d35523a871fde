import { z } from 'zod'
import { duration, percentage, rate } from './quantities.ts'

/** How fast a channel may send: one entry of `rates` in winback.yaml. */
export const channelRate = z.strictObject({
  at_most: rate.optional().describe('What the provider takes, over all workers: 14 per 1s, 50000 per day'),
  warm_up: z
    .strictObject({
      from: z.int().positive().prefault(50).describe('Messages on the first day'),
      to: z.int().positive().prefault(8000).describe('Messages on the last day'),
      over: duration.prefault('21d').describe('How long it takes; then there is no limit a day'),
      starts: z.iso.date().describe('The first day, in the workspace’s timezone'),
    })
    .optional()
    .describe('A dormant list is written to slowly at first, those who lapsed last before the others'),
  breaker: z
    .strictObject({
      complaint: percentage.prefault('0.1%').describe('Share of complaints at which the channel pauses'),
      hard_bounce: percentage.prefault('5%').describe('Share of hard bounces at which the channel pauses'),
      window: duration.prefault('24h').describe('Over the messages of this time'),
    })
    .prefault({})
    .describe('When the channel pauses by itself, and is tried again after as long with a few messages'),
})
export type ChannelRate = z.output<typeof channelRate>
export type WarmUp = NonNullable<ChannelRate['warm_up']>

/** The limits of a workspace as the dispatcher works with them. */
export interface Rates {
  /** IANA zone of the days that a warm-up counts. */
  readonly timezone: string
  readonly channels: ReadonlyMap<
    string,
    {
      /** So many within so many seconds. */
      readonly rate?: { readonly count: number; readonly per: number } | undefined
      readonly warmUp?: WarmUp | undefined
    }
  >
}

const SPANS = { day: 86_400, week: 604_800 }

export function openRates(timezone: string, given: Readonly<Record<string, ChannelRate>>): Rates {
  return {
    timezone,
    channels: new Map(
      Object.entries(given).flatMap(([channel, { at_most: most, warm_up: warmUp }]) => {
        if (!most && !warmUp) return []
        const per = most && (typeof most.per === 'number' ? most.per : SPANS[most.per])
        return [[channel, { rate: most && per ? { count: most.count, per } : undefined, warmUp }] as const]
      }),
    ),
  }
}
