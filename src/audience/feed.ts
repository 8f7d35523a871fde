import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { rows, type Session } from '../database/connect.ts'

/** Days whose mean volume is what is normal. */
const NORMAL_DAYS = 28

/** What the feed looks like at a moment; volumes are events a UTC day. */
export interface FeedState {
  readonly newestAt: Date | null
  /** The last whole day. */
  readonly lastDay: number
  /** Mean of the days before it; null while there are fewer than seven. */
  readonly normal: number | null
}

/** Nothing ever came, the newest is too old, or too little came. */
export type FeedFault = 'never' | 'late' | 'thin'

/** Whether a feed is to be believed, and why it is not. */
export type FeedVerdict =
  | { readonly ok: true }
  | { readonly ok: false; readonly fault: FeedFault; readonly reason: string }

/** The feed at a moment, from what ingest counts of each UTC day. */
export async function readFeed(session: Session, now: Date): Promise<FeedState> {
  const today = now.toISOString().slice(0, 10)
  const [state] = await rows<FeedState>(
    session,
    sql`
    WITH days AS (
      SELECT day, events, newest_at, ${today}::date - day AS ago FROM feed_days
      WHERE day > ${today}::date - ${NORMAL_DAYS + 2}::int AND day <= ${today}::date
    )
    -- A day has one newest event. Where that came after the moment, while a run was at work, the feed is alive at it.
    SELECT (SELECT max(least(newest_at, ${now})) FROM feed_days WHERE day <= ${today}::date) AS "newestAt",
      coalesce(sum(events) FILTER (WHERE ago = 1), 0)::float8 AS "lastDay",
      CASE WHEN count(*) FILTER (WHERE ago > 1) >= 7
        THEN (sum(events) FILTER (WHERE ago > 1) / (max(ago) - 1))::float8 END AS normal
    FROM days`,
  )
  return state ?? { newestAt: null, lastDay: 0, normal: null }
}

/**
 * A broken tracker must never make everyone "inactive": the selection refuses when the newest activity is older
 * than `feed.max_lag`, or the last whole day brought less than `feed.min_volume` of normal. Pure.
 */
export function judgeFeed(
  state: FeedState,
  feed: CompiledCampaign['definition']['feed'],
  now: Date,
): FeedVerdict {
  if (feed.max_lag !== undefined) {
    if (state.newestAt === null) return { ok: false, fault: 'never', reason: 'no activity has ever arrived' }
    if (state.newestAt < earlier(now, feed.max_lag)) {
      const hours = Math.round((now.getTime() - state.newestAt.getTime()) / 360_000) / 10
      return {
        ok: false,
        fault: 'late',
        reason: `the newest activity is ${hours} h old (${state.newestAt.toISOString()}), more than feed.max_lag allows`,
      }
    }
  }
  if (
    feed.min_volume !== undefined &&
    state.normal !== null &&
    state.lastDay < feed.min_volume * state.normal
  ) {
    const share = Math.round((100 * state.lastDay) / state.normal)
    return {
      ok: false,
      fault: 'thin',
      reason: `the last whole day brought ${state.lastDay} events, ${share} % of the normal ${Math.round(state.normal)}, less than feed.min_volume allows`,
    }
  }
  return { ok: true }
}
