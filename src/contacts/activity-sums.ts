import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { type Chunk, chunksAfter, inChunk } from '../database/chunks.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { heldTotal } from '../database/storable.ts'

// What contacts did by the types that count: summed up for each in contact_activity, and in feed_days for each day. Ingest
// adds to it what is new; where the workspace counts other types than it did, everything is summed anew.

/** As winback.yaml says them. */
export interface CountedTypes {
  /** Types that count as the contact being active. */
  readonly activity: readonly string[]
  readonly orders: { readonly event: string }
}

/** The row of `settings` that says by which types the sums are. */
const SETTING = 'counted_types'

/**
 * The sums by contact, a row for each that has any.
 * @param events what follows FROM: rows of activity, narrowed or not
 */
export function sumsSql({ activity, orders }: CountedTypes, events: SQL): SQL {
  const counts = sql`type = ANY(${sql.param([...activity])}::text[])`
  const ordered = sql`type = ${orders.event}`
  return sql`
    SELECT contact_id,
      max(occurred_at) FILTER (WHERE ${counts}) AS last_active_at,
      min(occurred_at) FILTER (WHERE ${counts}) AS first_active_at,
      count(*) FILTER (WHERE ${counts}) AS activity_count,
      count(*) FILTER (WHERE ${ordered}) AS orders_count,
      coalesce(sum(value) FILTER (WHERE ${ordered}), 0) AS orders_total,
      min(occurred_at) FILTER (WHERE ${ordered}) AS first_order_at,
      max(occurred_at) FILTER (WHERE ${ordered}) AS last_order_at
    FROM (SELECT * FROM ${events}) event WHERE ${counts} OR ${ordered} GROUP BY contact_id`
}

/** What came on each UTC day, in the order of days. @param events as {@link sumsSql} takes them */
export function feedSql({ activity, orders }: CountedTypes, events: SQL): SQL {
  return sql`
    SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, count(*), max(occurred_at)
    FROM (SELECT * FROM ${events}) event
    WHERE type = ANY(${sql.param([...activity])}::text[]) OR type = ${orders.event}
    GROUP BY day ORDER BY day`
}

/**
 * Sums up anew what everybody did, if the sums are by other types than these: who did only what counts since would look as
 * if they had done nothing, and be written to. One statement where nothing has changed. Interrupted, it is begun anew.
 */
export async function countActivity(database: Database, counted: CountedTypes, now: Date): Promise<void> {
  const { wanted, kept, otherwise } = await compareTypes(database, counted)
  if (kept === wanted) return
  if (otherwise) {
    for (const chunk of await chunksAfter(database, 0)) {
      await transaction(database, (tx) => countChunk(tx, chunk, counted))
    }
    await transaction(database, (tx) => countFeed(tx, counted, now))
  }
  await execute(
    database,
    sql`INSERT INTO settings (name, value) VALUES (${SETTING}, ${wanted})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  )
}

/** Whether what everybody did is summed up by other types than these, until {@link countActivity}. */
export async function countsOtherwise(database: Database, counted: CountedTypes): Promise<boolean> {
  return (await compareTypes(database, counted)).otherwise
}

async function compareTypes(
  database: Database,
  { activity, orders }: CountedTypes,
): Promise<{ wanted: string; kept: string | null; otherwise: boolean }> {
  const wanted = named(orders.event, activity)
  const [known] = await rows<{ kept: string | null; rules: string | null; begun: boolean }>(
    database,
    // Signals are by the same types; before they were ever made, nobody knows by which the sums are.
    sql`SELECT (SELECT value FROM settings WHERE name = ${SETTING}) AS kept,
          (SELECT rules FROM signal_rules) AS rules, EXISTS (SELECT FROM activity) AS begun`,
  )
  const kept = known?.kept ?? null
  const before = kept ?? (known?.rules ? typesOf(known.rules) : undefined)
  return { wanted, kept, otherwise: known?.begun === true && before !== wanted }
}

function typesOf(rules: string): string {
  const { order, activity } = JSON.parse(rules) as { order: string; activity: string[] }
  return named(order, activity)
}

/** The same for the same types, in whatever order they are listed. */
function named(order: string, activity: readonly string[]): string {
  return JSON.stringify([order, ...new Set(activity.toSorted())])
}

/** Lock first, then look, as ingest does: what commits meanwhile is either seen or added afterwards. */
async function countChunk(tx: Transaction, chunk: Chunk, counted: CountedTypes): Promise<void> {
  const mine = inChunk(chunk, sql`contact_id`)
  await execute(tx, sql`SELECT FROM contact_activity WHERE ${mine} ORDER BY contact_id FOR NO KEY UPDATE`)
  await execute(
    tx,
    sql`WITH sums AS MATERIALIZED (${sumsSql(counted, sql`activity WHERE ${mine}`)}), fresh AS (
          SELECT a.contact_id, coalesce(n.last_active_at, c.signed_up_at) AS silent_since, n.last_active_at,
            n.first_active_at, coalesce(n.activity_count, 0)::int AS activity_count,
            coalesce(n.orders_count, 0)::int AS orders_count,
            ${heldTotal(sql`coalesce(n.orders_total, 0)`)}::bigint AS orders_total, n.first_order_at, n.last_order_at
          FROM contact_activity a JOIN contacts c USING (contact_id) LEFT JOIN sums n USING (contact_id)
          WHERE ${inChunk(chunk, sql`a.contact_id`)}
        )
        UPDATE contact_activity a SET silent_since = f.silent_since, last_active_at = f.last_active_at,
          first_active_at = f.first_active_at, activity_count = f.activity_count, orders_count = f.orders_count,
          orders_total = f.orders_total, first_order_at = f.first_order_at, last_order_at = f.last_order_at
        FROM fresh f WHERE a.contact_id = f.contact_id
          AND (a.silent_since, a.last_active_at, a.first_active_at, a.activity_count, a.orders_count, a.orders_total,
            a.first_order_at, a.last_order_at)
          IS DISTINCT FROM (f.silent_since, f.last_active_at, f.first_active_at, f.activity_count, f.orders_count,
            f.orders_total, f.first_order_at, f.last_order_at)`,
  )
}

/** Seconds of the feed that selections look at, and a day. */
const FEED = 31 * 86_400

/** By the types of before, a feed of those that count by now would look broken for weeks, and no run go out. */
async function countFeed(tx: Transaction, counted: CountedTypes, now: Date): Promise<void> {
  // Whoever records events counts them at the end: it has done so by now, or does so afterwards.
  await tx.client.query('LOCK TABLE feed_days IN SHARE ROW EXCLUSIVE MODE')
  const since = earlier(now, FEED).toISOString().slice(0, 10)
  await execute(tx, sql`DELETE FROM feed_days WHERE day >= ${since}::date`)
  await execute(
    tx,
    sql`INSERT INTO feed_days (day, events, newest_at)
        ${feedSql(counted, sql`activity WHERE occurred_at >= ${`${since}T00:00:00Z`}::timestamptz`)}`,
  )
}
