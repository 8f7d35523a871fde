import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { heldTotal } from '../database/storable.ts'
import { stripesSharedSql } from '../database/stripes.ts'
import { type CountedTypes, feedSql, sumsSql } from './activity-sums.ts'
import type { Hooks } from './hooks.ts'

/** What an ingest must know of the workspace. */
export interface ActivityRules extends CountedTypes {
  /** Seconds for which a message id is known again whoever it is said of. */
  readonly events: { readonly horizon: number }
}

/** Makes the temporary tables of {@link ingestActivity}, empty, where the connection does not have them yet. */
export const INGEST_TABLES = `
  CREATE TEMP TABLE IF NOT EXISTS incoming_activity (
    contact_id bigint NOT NULL, occurred_at timestamptz NOT NULL, key bigint NOT NULL, type text NOT NULL,
    value bigint, properties jsonb, named boolean NOT NULL DEFAULT FALSE
  ) ON COMMIT DELETE ROWS;
  CREATE TEMP TABLE IF NOT EXISTS new_activity (
    contact_id bigint NOT NULL, occurred_at timestamptz NOT NULL, type text NOT NULL, value bigint
  ) ON COMMIT DELETE ROWS`

/** Runs {@link INGEST_TABLES} by itself, for this transaction. */
export async function prepareIngest(tx: Transaction): Promise<void> {
  await tx.client.query(INGEST_TABLES)
}

/** What a message id is stored and compared by in ingest_keys: 128 bits of its SHA-256. */
export function messageKeySql(messageId: SQL): SQL {
  return sql`encode(substr(sha256(convert_to(${messageId}, 'UTF8')), 1, 16), 'hex')::uuid`
}

/** The key in `activity` of an event that has a message id. */
export function activityKeySql(messageId: SQL): SQL {
  return sql`hashtextextended(${messageId}, 1)`
}

export interface IngestOptions {
  readonly now: Date
  readonly workspace: ActivityRules
  readonly hooks: Hooks
  /** Whether rows may be `named`; otherwise nobody looks for their keys at other times. */
  readonly named?: boolean
  /** The transaction commits next, which empties the temporary tables for less than TRUNCATE does. */
  readonly last?: boolean
}

/**
 * Records what stands in the temporary table `incoming_activity` (10,000 rows at most; contacts that exist, months
 * that have a partition) and everything that follows from it, in the caller's transaction. The file importer, live
 * ingest and replay all come through here. What is known already changes nothing: by (contact, time, key), and, where
 * `named` says that the key stands for the sender's own message id, by (contact, key) at whatever time.
 * Values are integer micros. Both temporary tables are empty again when it returns, or with the commit that is next.
 * @returns how many rows were new
 */
export async function ingestActivity(
  tx: Transaction,
  { now, workspace, hooks, named = false, last = false }: IngestOptions,
): Promise<{ inserted: number }> {
  await lockIncoming(tx)
  if (named) await dropRepeats(tx)
  const inserted = await insertNew(tx, now, workspace)
  if (inserted > 0) {
    await hooks.onActivity?.(tx, now)
    await countFeed(tx, workspace)
  }
  if (!last) await tx.client.query('TRUNCATE incoming_activity, new_activity')
  return { inserted }
}

/**
 * The contacts' stripes, then the contacts: in one order before anything is written, so that two ingests of the same
 * contacts wait and never deadlock. Whoever was erased since their names were looked up leaves nothing. Statements in one
 * message: each has its own snapshot, and none has values.
 */
async function lockIncoming(tx: Transaction): Promise<void> {
  await execute(
    tx,
    sql`${stripesSharedSql(sql`SELECT contact_id FROM incoming_activity`)};
        SELECT FROM contact_activity WHERE contact_id IN (SELECT contact_id FROM incoming_activity)
        ORDER BY contact_id FOR NO KEY UPDATE;
        DELETE FROM incoming_activity i WHERE EXISTS (SELECT FROM erased_ids)
          AND (SELECT a.contact_id FROM contact_activity a WHERE a.contact_id = i.contact_id) IS NULL`,
  )
}

/**
 * A message id its contact has had before is the same event, corrected or sent again with another time; the first
 * stays. The primary key cannot say so, for a partitioned one holds the time. As a subquery of one value: look-ups by
 * contact in each month's index, where a join may become a scan of all months. An id of a month that was removed
 * since is not known any more, and the same id of two contacts is two events.
 */
async function dropRepeats(tx: Transaction): Promise<void> {
  await execute(
    tx,
    sql`DELETE FROM incoming_activity i USING (
          SELECT ctid AS place, contact_id, key,
            row_number() OVER (PARTITION BY contact_id, key ORDER BY ctid) AS time
          FROM incoming_activity WHERE named
        ) AS n
        WHERE i.ctid = n.place AND (n.time > 1 OR (
          SELECT a.key FROM activity a WHERE a.contact_id = n.contact_id AND a.key = n.key LIMIT 1) IS NOT NULL)`,
  )
}

/**
 * The new rows and what follows from them for the contacts, in one statement: each asked by itself, they waited longer
 * for their turn in a busy process than they worked.
 * - Sums: min, max, count and sum over the new rows alone, added to what is there. Each is commutative, so late,
 *   repeated and out-of-order events come to the same. Summed by contact first, for an UPDATE that joins several rows
 *   to one would use any one of them.
 * - Marks: whose signals are out of date from this commit on. DO NOTHING is enough although a mark may be taken away
 *   meanwhile: whoever takes marks holds the contacts' rows of contact_activity first, as this transaction has since
 *   it began.
 */
async function insertNew(tx: Transaction, now: Date, workspace: ActivityRules): Promise<number> {
  const [found] = await rows<{ count: number }>(
    tx,
    sql`WITH inserted AS (
          INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
          SELECT contact_id, occurred_at, key, type, value, properties, ${now}
          -- By ctid at the last: of two with one key, the one that came first is kept.
          FROM incoming_activity ORDER BY contact_id, occurred_at, key, ctid
          ON CONFLICT DO NOTHING
          RETURNING contact_id, occurred_at, type, value
        ), kept AS (
          INSERT INTO new_activity SELECT contact_id, occurred_at, type, value FROM inserted
        ), summed AS (
          UPDATE contact_activity a SET
            last_active_at = greatest(a.last_active_at, n.last_active_at),
            first_active_at = least(a.first_active_at, n.first_active_at),
            activity_count = a.activity_count + n.activity_count,
            silent_since = CASE WHEN n.last_active_at IS NULL THEN a.silent_since
                                ELSE greatest(a.last_active_at, n.last_active_at) END,
            orders_count = a.orders_count + n.orders_count,
            orders_total = ${heldTotal(sql`a.orders_total + n.orders_total`)},
            first_order_at = least(a.first_order_at, n.first_order_at),
            last_order_at = greatest(a.last_order_at, n.last_order_at)
          FROM (${sumsSql(workspace, sql`inserted`)}) AS n
          WHERE a.contact_id = n.contact_id
        ), marked AS (
          INSERT INTO signal_marks (contact_id) SELECT DISTINCT contact_id FROM inserted ORDER BY contact_id
          ON CONFLICT DO NOTHING
        )
        SELECT count(*) AS count FROM inserted`,
  )
  return found?.count ?? 0
}

/** Last in the transaction: every ingest of the same day waits for these rows. */
async function countFeed(tx: Transaction, workspace: ActivityRules): Promise<void> {
  await rows(
    tx,
    sql`INSERT INTO feed_days (day, events, newest_at)
        ${feedSql(workspace, sql`new_activity`)}
        ON CONFLICT (day) DO UPDATE SET
          events = feed_days.events + excluded.events,
          newest_at = greatest(feed_days.newest_at, excluded.newest_at)`,
  )
}
