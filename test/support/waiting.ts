import { sql } from 'drizzle-orm'
import { type Database, execute } from '../../src/database/connect.ts'
import { eventually } from './eventually.ts'

/** How many of this database's connections wait for a lock at this moment. */
export async function countWaiting(database: Database): Promise<number> {
  return await execute(
    database,
    sql`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
  )
}

/** Until so many of them do. */
export async function untilWaiting(database: Database, wanted = 1): Promise<void> {
  await eventually(
    `${wanted} wait for a lock`,
    () => countWaiting(database),
    (number) => number >= wanted,
  )
}
