import { sql } from 'drizzle-orm'
import { type Database, execute, rows, type Session, transaction } from './connect.ts'

/** Rows written at once from which the planner is told about them. */
export const MANY = 500

/**
 * Tells the planner about tables that were just filled: what follows at once would be planned for empty ones, for
 * autovacuum looks again only within a minute. It then samples in full; that the tables are large is seen in a tenth.
 */
export async function refreshStatistics(database: Database, tables: readonly string[]): Promise<void> {
  const names = tables.map((table) => sql.identifier(table))
  await transaction(database, async (tx) => {
    await execute(tx, sql`SET LOCAL default_statistics_target TO 10`)
    await execute(tx, sql`ANALYZE ${sql.join(names, sql`, `)}`)
  })
}

/** Whether nobody ever told the planner about a table. */
export async function isUnknown(session: Session, table: string): Promise<boolean> {
  const [found] = await rows<{ unknown: boolean }>(
    session,
    sql`SELECT reltuples < 0 AS unknown FROM pg_class WHERE oid = ${table}::regclass`,
  )
  return found?.unknown === true
}
