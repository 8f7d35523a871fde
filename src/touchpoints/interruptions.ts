import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { ensurePartitionsWithin } from '../database/partitions.ts'
import { countedDoubts } from './breakers.ts'
import { inDoubt } from './lifecycle.ts'
import { freedWith } from './rates.ts'

// What takes touchpoints from under whoever works on them: a return, the next tier, a stop, a suppression, a consent that
// was withdrawn. Each runs in the transaction that records its cause. Nothing here touches what is `sending`.

/**
 * planned | queued | claimed → cancelled, for all touchpoints a condition picks out; `sending` is past recall. One that
 * was to be tried again because it may be out is uncertain, and costs its price.
 * To be run in the transaction that records the cause (a return, the next tier, a stop), after it has taken its
 * locks on the episodes.
 * @param which an SQL condition over `t` (touchpoints)
 * @param state `skipped` where a guard would have said so (a suppression), else `cancelled`
 */
export async function cancel(
  tx: Transaction,
  cause: { which: SQL; reason: string; detail?: string; now: Date; state?: 'cancelled' | 'skipped' },
): Promise<number> {
  await ensurePartitionsWithin(tx, 'touchpoint_records', [cause.now])
  const [result] = await rows<{ cancelled: number }>(
    tx,
    sql`
    WITH locked AS (
      SELECT t.*, ${inDoubt(sql`${cause.state ?? 'cancelled'}::text`)} AS ended, CASE WHEN t.doubted THEN t.doubted_on END AS went_by,
        CASE WHEN t.doubted THEN coalesce(t.doubted_cost, 0) ELSE 0 END AS cost
      FROM touchpoints t
      WHERE t.state IN ('planned', 'queued', 'claimed') AND (${cause.which})
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    ), gone AS (
      DELETE FROM touchpoints t USING locked l
      WHERE t.contact_id = l.contact_id AND t.touchpoint_id = l.touchpoint_id
      RETURNING l.*
    ), recorded AS (
      INSERT INTO touchpoint_records
        (contact_id, touchpoint_id, episode_id, step_id, variant, state, reason, detail, channel, cost, attempt, planned_for,
          settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, variant, ended, ${cause.reason}, ${cause.detail ?? null},
        went_by, cost, attempt, planned_for, ${cause.now}
      FROM gone
    ), booked AS (
      INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', went_by, cost, ${cause.now} FROM gone WHERE cost > 0
    ), ${freedWith(sql`gone`)}, counted AS (
      ${countedDoubts(sql`SELECT step_id, went_by AS channel, ended AS state FROM gone`, cause.now)}
    )
    SELECT count(*) AS cancelled FROM gone`,
  )
  return result?.cancelled ?? 0
}

/** Locks episodes for the transaction, in the order of their keys: whatever silences them comes before or after it. */
export async function lockEpisodes(
  tx: Transaction,
  keys: readonly { readonly contactId: number; readonly episodeId: number }[],
): Promise<void> {
  await execute(
    tx,
    sql`SELECT FROM episodes e WHERE (e.contact_id, e.episode_id) IN (
        SELECT * FROM unnest(${bigints(keys.map((key) => key.contactId))}, ${bigints(keys.map((key) => key.episodeId))}))
      ORDER BY e.contact_id, e.episode_id FOR SHARE OF e`,
  )
}

/**
 * Locks what {@link cancel} and then {@link unclaim} may take of the touchpoints a condition picks out. Each of the two
 * goes by the order of the keys, but one after the other they do not: a return that cancels all of them would wait for us,
 * and we for it.
 * @param which an SQL condition over `t` (touchpoints)
 */
export async function lockWaiting(tx: Transaction, which: SQL): Promise<void> {
  await execute(
    tx,
    sql`SELECT FROM touchpoints t WHERE t.state IN ('planned', 'queued', 'claimed') AND (${which})
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t`,
  )
}

/**
 * queued | claimed → planned, for all touchpoints a condition picks out: the guards have to look at them again, for what
 * they saw is no longer so. The worker that holds them finds its claim gone. What is planned is locked, too: whoever took
 * it before the cause is committed would not see it, and keep what it saw.
 * @param which an SQL condition over `t` (touchpoints)
 */
export async function unclaim(tx: Transaction, which: SQL): Promise<number> {
  return await execute(
    tx,
    sql`
    WITH locked AS (
      SELECT t.contact_id, t.touchpoint_id, t.step_id, t.state, t.rated_on FROM touchpoints t
      WHERE t.state IN ('planned', 'queued', 'claimed') AND (${which})
      ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE OF t
    ), ${freedWith(sql`locked`)}
    UPDATE touchpoints t SET state = 'planned', claim_id = NULL, lease_until = NULL, channel = NULL
    FROM locked WHERE t.contact_id = locked.contact_id AND t.touchpoint_id = locked.touchpoint_id
      AND locked.state <> 'planned'`,
  )
}
