import { sql } from 'drizzle-orm'
import type { Rates } from '../config/rates.ts'
import { type Database, preparedRows, rows, type Session } from '../database/connect.ts'
import type { TouchpointKey } from './keys.ts'
import { isOpen, queueDue } from './lifecycle.ts'
import { type Allowance, giveBack, readRates, takeRate } from './rates.ts'

/**
 * Touchpoints a job carries. What a batch costs whatever its size (a job, a dozen round trips) is an eighth of the work
 * with 400 and a sixteenth with 800; with more, one batch of a slow channel keeps what matters more waiting for longer.
 */
export const BATCH = 800

/** What the dispatcher gives batches to: BullMQ, or a function that processes them here and now (a replay). */
export type Deliverer = (batch: Batch) => Promise<void>

/** Touchpoints of one step that go together. */
export interface Batch {
  readonly stepId: number
  readonly keys: readonly TouchpointKey[]
  /** The day whose rates they were counted in; undefined where nothing limits. */
  readonly ratedOn?: string | undefined
}

/**
 * Steps that have due touchpoints and may be worked on, the campaign of highest priority first. Pauses, stops, kill
 * switches and channels that rest gate this query; they do not touch rows. A step is closed where all its channels are.
 */
async function dueSteps(session: Session, now: Date): Promise<{ stepId: number; channels: string[] }[]> {
  return await preparedRows<{ stepId: number; channels: string[] }>(
    session,
    sql`
    SELECT s.step_id AS "stepId", s.channels FROM steps s
    CROSS JOIN LATERAL (
      SELECT min(t.due_at) AS oldest FROM (
        SELECT due_at FROM touchpoints t
        WHERE t.step_id = s.step_id AND t.due_at <= ${now} AND t.state = 'planned' ORDER BY due_at LIMIT 1) t
    ) due
    WHERE due.oldest IS NOT NULL
      AND ${isOpen(sql`s`, now)}
    ORDER BY s.priority DESC, due.oldest, s.step_id`,
  )
}

/** One look at what is due. */
export interface Look {
  readonly now: Date
  /** Batches that are handed over at most. */
  readonly jobs: number
  /** Seconds after which a batch that nobody claimed is planned again. */
  readonly lease?: number | undefined
  /** What the channels' providers, warm-ups and breakers leave, over all processes; undefined: nothing limits. */
  readonly rates?: Rates | undefined
}

/**
 * Queues due touchpoints, up to `jobs` batches, and hands each to `deliver`. Few jobs are queued at a time: pause
 * and priority act on what is still in PostgreSQL. A batch that could not be handed over comes back by its lease.
 * @returns how many batches were handed over; fewer than `jobs`: nothing more could be handed over at this look, and what
 *   a rate holds back or somebody else is taking stays planned
 */
export async function dispatchDue(
  database: Database,
  { now, jobs, lease, rates }: Look,
  deliver: Deliverer,
): Promise<number> {
  let handed = 0
  const standing = rates && (await readRates(database, rates))
  for (const { stepId, channels } of await dueSteps(database, now)) {
    while (handed < jobs) {
      const { allowed, ramping, day }: Allowance = standing
        ? await takeRate(database, standing, channels, now, BATCH)
        : { allowed: BATCH, ramping: false }
      if (allowed === 0) break
      const wanted = { stepId, now, limit: allowed, newest: ramping, ratedOn: day }
      const keys = await queueDue(database, wanted, lease)
      const rest = allowed - keys.length
      const unused = channels.map((channel) => ({ channel, untried: rest, unsent: rest }))
      await giveBack(database, unused, day)
      if (keys.length === 0) break
      await deliver({ stepId, keys, ratedOn: day })
      handed += 1
      // Nothing more is due of the step, or it is in somebody's hands at this moment: for the next look.
      if (keys.length < allowed) break
    }
    if (handed >= jobs) break
  }
  return handed
}

/**
 * The earliest time any touchpoint is due, or null when none is planned: where a replay jumps to. Where a step's channels
 * rest, it is due when the first of them is tried again.
 */
export async function nextDue(session: Session): Promise<Date | null> {
  const [next] = await rows<{ dueAt: Date | null }>(
    session,
    sql`
    SELECT min(greatest(due.due_at, (SELECT min(a.next_at) FROM absences a
      WHERE a.channel = ANY (s.channels) HAVING count(*) = cardinality(s.channels)))) AS "dueAt"
    FROM steps s CROSS JOIN LATERAL (
      SELECT due_at FROM touchpoints t WHERE t.step_id = s.step_id AND t.state = 'planned' ORDER BY due_at LIMIT 1
    ) due
    WHERE ${isOpen(sql`s`)}`,
  )
  return next?.dueAt ?? null
}
