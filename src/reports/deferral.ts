import { type SQL, sql } from 'drizzle-orm'
import type { Wait } from '../config/waits.ts'
import { rows, type Session } from '../database/connect.ts'

// Why a planned touchpoint waits. What put it back is kept in its row. What is due and still there waits for the
// dispatcher, which is held back by switches, absences, rates and breakers without touching a row: that is read from those.

/** A cause kept in the row, or why something due has not been taken: `due` is next. */
export type Deferral = Wait | 'held' | 'breaker' | 'rate_limit' | 'due'

/**
 * Why a touchpoint `t` (state, due_at, waits, attempt) of a step `s` (campaign, channels) waits at a moment; NULL where
 * it is merely planned for later, or under way.
 */
export function whyWaiting(now: Date): SQL {
  return sql`CASE
    WHEN t.state <> 'planned' THEN NULL
    WHEN t.due_at > ${now} THEN coalesce(t.waits, CASE WHEN t.attempt > 0 THEN 'retry' END)
    WHEN EXISTS (SELECT FROM switches w
        WHERE w.scope = 'workspace' OR (w.scope = 'campaign' AND w.name = s.campaign))
      OR s.channels <@ (SELECT coalesce(array_agg(w.name), '{}') FROM switches w WHERE w.scope = 'channel') THEN 'held'
    WHEN s.channels <@ (SELECT coalesce(array_agg(a.channel), '{}') FROM absences a) THEN 'unreachable'
    WHEN EXISTS (SELECT FROM breakers b WHERE b.channel = ANY (s.channels) AND b.state = 'half_open') THEN 'breaker'
    WHEN EXISTS (SELECT FROM send_rates r WHERE r.channel = ANY (s.channels)) THEN 'rate_limit'
    ELSE 'due' END`
}

/** Touchpoints that wait for one reason. */
export interface Waiting {
  readonly why: Deferral
  readonly touchpoints: number
  /** When the first of them is looked at again. */
  readonly earliest: Date
}

/** What waits at a moment, by reason; what is merely planned for later does not. */
export async function readWaiting(session: Session, now: Date): Promise<Waiting[]> {
  return await rows<Waiting>(
    session,
    sql`
    SELECT why, count(*) AS touchpoints, min(due_at) AS earliest FROM (
      SELECT t.due_at, ${whyWaiting(now)} AS why FROM touchpoints t JOIN steps s USING (step_id)
    ) waiting WHERE why IS NOT NULL GROUP BY why ORDER BY earliest, why`,
  )
}
