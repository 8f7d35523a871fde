import { type SQL, sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { afterFile } from './after-file.ts'
import { freshDatabase } from './database.ts'

let shared: Promise<Emptied> | undefined

interface Emptied {
  readonly database: Database
  readonly tables: readonly string[]
  readonly sequences: readonly string[]
  /** Names of what a new database has in its settings, the salts: what else comes there is something that was noted. */
  readonly settings: readonly string[]
}

const KEPT = sql`('settings', 'signing_keys', '__drizzle_migrations')`

/**
 * The file's own database without a row in it (but its salts): a clone takes a second on a busy machine, this a few
 * milliseconds. For tests that do not run side by side.
 */
export async function emptiedDatabase(): Promise<Database> {
  shared ??= prepare()
  const { database, tables, sequences, settings } = await shared
  // TRUNCATE makes a new file of every partition and index: of the few tables that hold anything, not of all there are.
  const filled = await rows<{ name: string }>(
    database,
    sql.join(
      tables.map(
        (name) => sql`SELECT ${name}::text AS name WHERE EXISTS (SELECT FROM ${sql.identifier(name)})`,
      ),
      sql` UNION ALL `,
    ),
  )
  if (filled.length > 0) {
    const names = filled.map(({ name }) => sql.identifier(name))
    await execute(database, sql`TRUNCATE ${sql.join(names, sql`, `)} CASCADE`)
  }
  await execute(database, sql`DELETE FROM settings WHERE name <> ALL (${sql.param(settings)}::text[])`)
  const restarts = sequences.map((name) => sql`setval(${name}::regclass, 1, false)`)
  await execute(database, sql`SELECT ${sql.join(restarts, sql`, `)}`)
  return database
}

async function prepare(): Promise<Emptied> {
  const database = await freshDatabase()
  afterFile(() => {
    shared = undefined
  })
  const named = async (statement: SQL) =>
    (await rows<{ name: string }>(database, statement)).map(({ name }) => name)
  const tables = await named(
    sql`SELECT relname AS name FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND relname NOT IN ${KEPT}`,
  )
  const sequences = await named(
    sql`SELECT relname AS name FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_depend JOIN pg_class kept ON kept.oid = refobjid
        WHERE objid = pg_class.oid AND kept.relname IN ${KEPT})`,
  )
  const settings = await named(sql`SELECT name FROM settings`)
  // A session keeps the ids it has taken ahead, and would give them out again after a restart of the sequence.
  for (const name of sequences) await execute(database, sql`ALTER SEQUENCE ${sql.identifier(name)} CACHE 1`)
  return { database, tables, sequences, settings }
}
