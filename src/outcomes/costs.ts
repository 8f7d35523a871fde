import { sql } from 'drizzle-orm'
import type { DeliveryEvent } from '../channels/channel.ts'
import {
  type Database,
  execute,
  preparedRows,
  rows,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { keyTable, recordOf } from '../touchpoints/keys.ts'
import { isOfMonths, nameOf, type Settled } from './reported.ts'

// What messages cost in fact, where their receipts say so. The dearest of them counts, so that their order makes no
// difference; and the ledger gets what it lacks of that.

/** A message that is settled, and whether only as one of which nobody knows. */
interface LockedRecord extends Settled {
  readonly uncertain: boolean
}

/**
 * Locks the records of messages: two receipts about one message wait for each other here, so that each sees what the
 * other booked.
 */
export async function lockRecords(tx: Transaction, messages: readonly Settled[]): Promise<LockedRecord[]> {
  if (messages.length === 0) return []
  return await preparedRows<LockedRecord>(
    tx,
    sql`SELECT r.contact_id AS "contactId", r.touchpoint_id AS "touchpointId", r.settled_at AS "settledAt",
        r.state = 'uncertain' AS uncertain
      FROM touchpoint_records r
      WHERE ${isOfMonths(messages)} AND (r.contact_id, r.touchpoint_id) IN
        (SELECT k.contact_id, k.touchpoint_id FROM ${keyTable(messages)})
      ORDER BY r.contact_id, r.touchpoint_id FOR UPDATE OF r`,
  )
}

/**
 * Books the difference between what messages were thought to cost and what their receipts say. One that was under way, and
 * had no record to be locked, is left to {@link bookEarlyCosts}: it may be settled by now, but others may be booking it.
 * @param locked by {@link lockRecords}
 */
export async function bookCosts(
  tx: Transaction,
  now: Date,
  events: readonly DeliveryEvent[],
  locked: readonly Settled[],
): Promise<void> {
  const priced = events.filter(({ cost }) => cost !== undefined)
  if (priced.length === 0) return
  const names = new Set(priced.map(nameOf))
  await book(
    tx,
    now,
    locked.filter((message) => names.has(nameOf(message))),
  )
  const held = new Set(locked.map(nameOf))
  const early = priced.filter((event) => !held.has(nameOf(event)))
  if (early.length === 0) return
  await execute(
    tx,
    sql`UPDATE delivery_events e SET unbooked = true FROM ${keyTable(early)}
        WHERE e.contact_id = k.contact_id AND e.touchpoint_id = k.touchpoint_id AND e.cost IS NOT NULL
          AND NOT e.unbooked`,
  )
}

/**
 * Books what receipts said of messages before they were settled. Any number of processes may, at the same time.
 * @returns how many messages were looked at
 */
export async function bookEarlyCosts(database: Database, now: Date): Promise<number> {
  const early = await rows<Settled>(
    database,
    sql`SELECT DISTINCT e.contact_id AS "contactId", e.touchpoint_id AS "touchpointId", r.settled_at AS "settledAt"
        FROM delivery_events e CROSS JOIN LATERAL ${recordOf(sql`e`, sql`r.state, r.settled_at`)} r
        WHERE e.unbooked AND r.state <> 'uncertain'
        ORDER BY 1, 2 LIMIT 1000`,
  )
  if (early.length === 0) return 0
  await transaction(database, async (tx) => {
    const settled = await lockRecords(tx, early)
    await book(tx, now, settled)
    await execute(
      tx,
      sql`UPDATE delivery_events e SET unbooked = false FROM ${keyTable(settled)}
          WHERE e.contact_id = k.contact_id AND e.touchpoint_id = k.touchpoint_id AND e.unbooked`,
    )
  })
  return early.length
}

/** Expects the records to be locked by an earlier statement. */
async function book(tx: Transaction, now: Date, messages: readonly Settled[]): Promise<void> {
  if (messages.length === 0) return
  await execute(
    tx,
    sql`
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, 'spend', r.channel, said.cost - booked.before, ${now}
    FROM (SELECT DISTINCT contact_id, touchpoint_id FROM ${keyTable(messages)}) k
    JOIN touchpoint_records r USING (contact_id, touchpoint_id)
    CROSS JOIN LATERAL (SELECT max(e.cost) AS cost FROM delivery_events e
      WHERE e.contact_id = r.contact_id AND e.touchpoint_id = r.touchpoint_id) said
    CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0)::bigint AS before FROM ledger l
      WHERE l.contact_id = r.contact_id AND l.touchpoint_id = r.touchpoint_id AND l.kind = 'spend') booked
    -- What has failed may have been charged for all the same; of what is in doubt, its price stays booked until that ends.
    WHERE ${isOfMonths(messages)} AND r.state IN ('sent', 'failed') AND said.cost <> booked.before`,
  )
}
