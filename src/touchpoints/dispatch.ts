import { sql } from 'drizzle-orm'
import { type Database, preparedRows, rows, type Session } from '../database/connect.ts'
import { isOpen, LEASES, queueDue, type TouchpointKey } from './lifecycle.ts'

/** Touchpoints a job carries. */
export const BATCH = 400

/** What the dispatcher gives batches to: BullMQ, or a function that processes them here and now (a replay). */
export type Deliverer = (batch: { stepId: number; keys: TouchpointKey[] }) => Promise<void>

/**
 * Steps that have due touchpoints and may be worked on, the campaign of highest priority first. Pauses, stops and
 * kill switches gate this query; they do not touch rows. A step is paused where all its channels are.
 */
async function dueSteps(session: Session, now: Date): Promise<number[]> {
  const found = await preparedRows<{ stepId: number }>(
    session,
    sql`
    SELECT s.step_id AS "stepId" FROM steps s
    CROSS JOIN LATERAL (
      SELECT min(t.due_at) AS oldest FROM (
        SELECT due_at FROM touchpoints t
        WHERE t.step_id = s.step_id AND t.due_at <= ${now} AND t.state = 'planned' ORDER BY due_at LIMIT 1) t
    ) due
    WHERE due.oldest IS NOT NULL
      AND ${isOpen(sql`s`)}
    ORDER BY s.priority DESC, due.oldest, s.step_id`,
  )
  return found.map((row) => row.stepId)
}

/**
 * Queues due touchpoints, up to `jobs` batches, and hands each to `deliver`. Few jobs are queued at a time: pause
 * and priority act on what is still in PostgreSQL. A batch that could not be handed over comes back by its lease.
 * @returns how many batches were handed over; fewer than `jobs` means that nothing more is due
 */
export async function dispatchDue(
  database: Database,
  now: Date,
  jobs: number,
  deliver: Deliverer,
  lease = LEASES.queued,
): Promise<number> {
  let handed = 0
  for (const stepId of await dueSteps(database, now)) {
    while (handed < jobs) {
      const keys = await queueDue(database, { stepId, now, limit: BATCH }, lease)
      if (keys.length === 0) break
      await deliver({ stepId, keys })
      handed += 1
    }
    if (handed >= jobs) break
  }
  return handed
}

/** The earliest time any touchpoint is due, or null when none is planned: where a replay jumps to. */
export async function nextDue(session: Session): Promise<Date | null> {
  const [next] = await rows<{ dueAt: Date | null }>(
    session,
    sql`
    SELECT min(due.due_at) AS "dueAt" FROM steps s CROSS JOIN LATERAL (
      SELECT due_at FROM touchpoints t WHERE t.step_id = s.step_id AND t.state = 'planned' ORDER BY due_at LIMIT 1
    ) due
    WHERE ${isOpen(sql`s`)}`,
  )
  return next?.dueAt ?? null
}
