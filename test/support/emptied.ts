import { sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { afterFile } from './after-file.ts'
import { freshDatabase } from './database.ts'

let shared: Promise<Database> | undefined

/**
 * The file's own database without a row in it (but its salts): a clone takes a second on a busy machine, this a few
 * milliseconds. For tests that do not run side by side.
 */
export async function emptiedDatabase(): Promise<Database> {
  shared ??= prepare()
  const database = await shared
  const tables = await rows<{ name: string }>(
    database,
    sql`SELECT relname AS name FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname NOT IN ('settings', 'signing_keys', '__drizzle_migrations')`,
  )
  const names = sql.join(
    tables.map(({ name }) => sql.identifier(name)),
    sql`, `,
  )
  await execute(database, sql`TRUNCATE ${names} RESTART IDENTITY`)
  for (const name of SEQUENCES) await execute(database, sql`ALTER SEQUENCE ${sql.identifier(name)} RESTART`)
  return database
}

const SEQUENCES = ['contacts_contact_id_seq', 'episode_ids', 'touchpoint_ids', 'ledger_ids']

async function prepare(): Promise<Database> {
  const database = await freshDatabase()
  afterFile(() => {
    shared = undefined
  })
  // A session keeps the ids it has taken ahead, and would give them out again after a restart of the sequence.
  for (const name of SEQUENCES) await execute(database, sql`ALTER SEQUENCE ${sql.identifier(name)} CACHE 1`)
  return database
}
