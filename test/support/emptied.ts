import { sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { freshDatabase } from './database.ts'

let shared: Promise<Database> | undefined

/**
 * The file's own database without a row in it (but its salts): a clone takes a second on a busy machine, this a few
 * milliseconds. For tests that do not run side by side.
 */
export async function emptiedDatabase(): Promise<Database> {
  shared ??= freshDatabase()
  const database = await shared
  const tables = await rows<{ name: string }>(
    database,
    sql`SELECT relname AS name FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname NOT IN ('settings', '__drizzle_migrations')`,
  )
  const names = sql.join(
    tables.map(({ name }) => sql.identifier(name)),
    sql`, `,
  )
  await execute(database, sql`TRUNCATE ${names} RESTART IDENTITY`)
  return database
}
