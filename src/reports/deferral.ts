import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'

// Why a planned touchpoint waits. A deferral keeps no reason of its own (the row stays narrow), but what it did to the
// row tells: a try that failed has been counted, and nothing else moves `due_at` past `planned_for` but the send window
// and a pause of the channel.

export type Deferral = 'retry' | 'paused' | 'quiet_hours'

/** Why a touchpoint is due later than it was planned for, or null where it is not. Pure. */
export function deferralOf(touchpoint: {
  readonly state: string
  readonly attempt: number
  readonly plannedFor: Date
  readonly dueAt: Date | null
  /** One of its channels is switched off. */
  readonly paused: boolean
}): Deferral | null {
  const { state, attempt, plannedFor, dueAt, paused } = touchpoint
  if (state !== 'planned' || dueAt === null || dueAt <= plannedFor) return null
  return attempt > 0 ? 'retry' : paused ? 'paused' : 'quiet_hours'
}

/** Touchpoints that wait for one reason: deferred, or `held`: due and not sent. */
export interface Waiting {
  readonly why: Deferral | 'held'
  readonly touchpoints: number
  /** When the first of them is looked at again. */
  readonly earliest: Date
}

/** What waits at a moment, by reason; what is merely planned for later does not. The cases are {@link deferralOf}'s. */
export async function readWaiting(session: Session, now: Date): Promise<Waiting[]> {
  return await rows<Waiting>(
    session,
    sql`
    SELECT why, count(*) AS touchpoints, min(due_at) AS earliest FROM (
      SELECT t.due_at, CASE
        WHEN t.due_at <= ${now} THEN 'held'
        WHEN t.attempt > 0 THEN 'retry'
        WHEN EXISTS (SELECT FROM switches w WHERE w.scope = 'channel' AND w.name = ANY (s.channels)) THEN 'paused'
        ELSE 'quiet_hours' END AS why
      FROM touchpoints t JOIN steps s USING (step_id)
      WHERE t.state = 'planned' AND (t.due_at <= ${now} OR t.due_at > t.planned_for)
    ) waiting GROUP BY why ORDER BY earliest, why`,
  )
}
