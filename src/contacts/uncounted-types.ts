import { EVENTS } from '../config/event-names.ts'
import { nearest } from '../config/nearest-name.ts'
import type { ActivityRules } from './ingest.ts'

/** A type of events that is kept and changes nothing: who has them alone looks as if they did nothing. */
export interface UncountedType {
  readonly type: string
  readonly rows: number
  /** The type that was probably meant. */
  readonly meant?: string
}

/** Hears the types of a file, row by row. */
export interface TypeCounter {
  hear(type: string): void
  /** Those that are neither activity nor orders in the workspace, nor documented; the most frequent first. */
  uncounted(): UncountedType[]
}

/** Types that are remembered: a column that holds anything but types must not fill the memory. */
const MOST = 1000

export function countTypes({ activity, orders }: Pick<ActivityRules, 'activity' | 'orders'>): TypeCounter {
  const counted = new Set([...activity, orders.event, ...Object.keys(EVENTS)])
  const heard = new Map<string, number>()
  return {
    hear: (type) => {
      if (counted.has(type)) return
      const before = heard.get(type)
      if (before !== undefined || heard.size < MOST) heard.set(type, (before ?? 0) + 1)
    },
    uncounted: () =>
      [...heard]
        .toSorted(([, one], [, other]) => other - one)
        .map(([type, rows]) => {
          const meant = nearest(type, [...activity, orders.event])
          return meant === undefined ? { type, rows } : { type, rows, meant }
        }),
  }
}
