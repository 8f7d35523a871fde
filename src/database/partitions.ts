import { sql } from 'drizzle-orm'
import { lockKey } from './advisory-locks.ts'
import { type Database, execute, rows, type Session, type Transaction, transaction } from './connect.ts'

export type PartitionedTable = 'activity' | 'touchpoint_records'

/** Moments whose months are wanted: a list, or a range with both ends in it. */
export type Months = readonly Date[] | { readonly from: Date; readonly to: Date }

// Handles whose months are known to exist: no question to the server for what this process has already seen.
const seen = new WeakMap<Database, Set<string>>()

/**
 * Makes the monthly partitions (UTC months) of `table` that are missing, in a transaction of its own. Safe while
 * the caller holds another transaction open on the same table, and from any number of processes at once.
 */
export async function ensurePartitions(
  database: Database,
  table: PartitionedTable,
  months: Months,
): Promise<void> {
  const known = seen.get(database) ?? new Set<string>()
  seen.set(database, known)
  const wanted = monthsOf(months).filter((month) => !known.has(`${table} ${month}`))
  if (wanted.length === 0) return
  if ((await missing(database.aside, table, wanted)).length > 0) {
    await transaction(database.aside, (tx) => ensurePartitionsWithin(tx, table, months))
  }
  for (const month of wanted) known.add(`${table} ${month}`)
}

/** Like {@link ensurePartitions}, as part of the caller's transaction: rolled back with it, remembered nowhere. */
export async function ensurePartitionsWithin(
  tx: Transaction,
  table: PartitionedTable,
  months: Months,
): Promise<void> {
  const wanted = monthsOf(months)
  if ((await missing(tx, table, wanted)).length === 0) return
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('named', sql`${table}::text`)})`)
  // Made aside and attached: CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on the parent, which waits for
  // every open transaction that has read or written it (the caller's own included, when we are on a second
  // connection); ATTACH takes SHARE UPDATE EXCLUSIVE, which waits for none of them.
  for (const month of await missing(tx, table, wanted)) {
    const partition = sql.identifier(partitionName(table, month))
    const parent = sql.identifier(table)
    await execute(tx, sql`CREATE TABLE ${partition} (LIKE ${parent} INCLUDING ALL)`)
    await execute(
      tx,
      sql`ALTER TABLE ${parent} ATTACH PARTITION ${partition}
          FOR VALUES FROM (${sql.raw(bound(month))}) TO (${sql.raw(bound(next(month)))})`,
    )
  }
}

/** Which of `months` (`2026-01`) have no partition in the connection's schema. */
async function missing(session: Session, table: PartitionedTable, months: string[]): Promise<string[]> {
  const names = months.map((month) => partitionName(table, month))
  // Read from the catalogue, not with to_regclass: that one answers from a cache which, inside a transaction,
  // may not know yet what another session made while we waited for the lock.
  const found = await rows<{ month: string }>(
    session,
    sql`SELECT month FROM unnest(${sql.param(months)}::text[], ${sql.param(names)}::text[]) AS wanted (month, name)
        WHERE NOT EXISTS (
          SELECT FROM pg_class
          WHERE relname = name AND relnamespace = current_schema()::regnamespace
        )
        ORDER BY month`,
  )
  return found.map((row) => row.month)
}

/** A moment of each UTC month there is one of, of many in epoch milliseconds: a list for {@link ensurePartitions}. */
export function monthsWith(moments: Iterable<number>): Date[] {
  const months = new Map<number, Date>()
  for (const moment of moments) {
    const at = new Date(moment)
    months.set(at.getUTCFullYear() * 12 + at.getUTCMonth(), at)
  }
  return [...months.values()]
}

/** The distinct UTC months of `months`, `2026-01`, oldest first. */
function monthsOf(months: Months): string[] {
  if (!('from' in months)) return [...new Set(months.map(monthOf))].sort()
  const last = monthOf(months.to)
  const list: string[] = []
  for (let month = monthOf(months.from); month <= last; month = next(month)) list.push(month)
  return list
}

function monthOf(at: Date): string {
  return at.toISOString().slice(0, 7)
}

function next(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number)
  return monthOf(new Date(Date.UTC(year, number, 1)))
}

function partitionName(table: PartitionedTable, month: string): string {
  return `${table}_${month.replace('-', '_')}`
}

/** Partition bounds take no bind values. */
function bound(month: string): string {
  return `'${month}-01 00:00:00+00'`
}
