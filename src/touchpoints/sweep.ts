import { sql } from 'drizzle-orm'
import { type Database, provisionally, rows } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { concludeGrants, expireGrants } from '../offers/conclusion.ts'
import { sweepBudgets } from './budgets.ts'

/** What a sweep found and mended. */
export interface Swept {
  /** Claims or queue places whose lease ran out before anything was handed over: planned again. */
  readonly released: number
  /** Sends of unknown outcome on a channel that recognises repeats: to be sent again with the same key. */
  readonly repeated: number
  /** Sends of unknown outcome elsewhere: recorded, never repeated. */
  readonly uncertain: number
}

/**
 * Moves what a dead worker (or a flushed queue) left behind. Needs no job and runs anywhere, any number of times:
 * each row is moved by whoever locks it first. Leases are the database's real time; `now` dates the records.
 *
 * It reads the due part of the work table through its index. An index on the lease would find the expired at once,
 * and would turn each of a touchpoint's changes of state into a non-HOT update.
 * @param idempotent names of the channels whose provider recognises a repeat by its key
 */
export async function sweep(database: Database, now: Date, idempotent: readonly string[]): Promise<Swept> {
  await ensurePartitions(database, 'touchpoint_records', [now])
  const [swept] = await rows<Swept>(
    database,
    sql`
    WITH expired AS MATERIALIZED (
      SELECT t.* FROM steps s JOIN touchpoints t ON t.step_id = s.step_id AND t.due_at <= ${now}
      WHERE t.state IN ('queued', 'claimed', 'sending') AND t.lease_until < clock_timestamp()
      ORDER BY t.contact_id, t.touchpoint_id LIMIT 10000 FOR UPDATE OF t SKIP LOCKED
    ), released AS (
      UPDATE touchpoints t
      SET state = 'planned', claim_id = NULL, lease_until = NULL, channel = NULL,
          waits = CASE WHEN t.state = 'sending' THEN 'retry' END,
          attempt = t.attempt + (t.state = 'sending')::int
      FROM expired x
      WHERE t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id
        AND (x.state <> 'sending' OR x.channel = ANY (${sql.param(idempotent)}::text[]))
      RETURNING x.state
    ), gone AS (
      DELETE FROM touchpoints t USING expired x
      WHERE t.contact_id = x.contact_id AND t.touchpoint_id = x.touchpoint_id
        AND x.state = 'sending' AND NOT x.channel = ANY (${sql.param(idempotent)}::text[])
      RETURNING x.*
    ), recorded AS (
      INSERT INTO touchpoint_records
        (contact_id, touchpoint_id, episode_id, step_id, variant, state, detail, channel, attempt, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, variant, 'uncertain',
        'the worker went away while it was sending', channel, attempt + 1, planned_for, ${now}
      FROM gone
    )
    SELECT (SELECT count(*) FROM released WHERE state <> 'sending') AS released,
      (SELECT count(*) FROM released WHERE state = 'sending') AS repeated,
      (SELECT count(*) FROM gone) AS uncertain`,
  )
  // Of workers that are gone, and of episodes that were cut short: after the touchpoints, whose end decides.
  await provisionally(database, (tx) => concludeGrants(tx, now, 'behind'))
  await expireGrants(database, now)
  await sweepBudgets(database, now)
  return swept ?? { released: 0, repeated: 0, uncertain: 0 }
}
