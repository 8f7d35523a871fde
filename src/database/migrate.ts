import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/node-postgres'
import type { PoolClient } from 'pg'
import { z } from 'zod'
import { systemClock } from '../clock.ts'
import { codeOf, messageOf, WinbackError } from '../errors.ts'
import { LOCKS } from './advisory-locks.ts'
import { type Database, execute, rows, type Session, transactionOn } from './connect.ts'
import { drawInstallation } from './installation.ts'
import { drawSigningKey } from './signing-keys.ts'

// src/database and dist/database are both two steps below the package.
const folder = fileURLToPath(new URL('../../migrations', import.meta.url))

/** What was drawn once, at the first migration. A change of either would change every draw and every hash. */
export interface Settings {
  /** Arms of the workspace's control group hash with it. */
  readonly workspaceSalt: string
  /** Keys the hashes of e-mail addresses and phone numbers. A secret: never printed. */
  readonly addressKey: string
}

/**
 * Brings the schema of `database` up to date: makes it where it is missing, applies what is pending, and draws
 * the settings once. Any number of processes may call it at the same moment. Needs CREATE on the database (or a
 * schema of that name that the role owns), and no superuser.
 * @returns the names of the migrations this call applied, oldest first
 * @throws WinbackError `database.unreachable`, `database.migration`, or `database.newer` where the schema was
 *   made by a later version of Winback
 */
export async function migrate(database: Database): Promise<{ applied: string[] }> {
  const client = await database.client.connect().catch((cause: unknown) => {
    throw new WinbackError('database.unreachable', `the database does not answer: ${messageOf(cause)}`, {
      remedy: 'Check DATABASE_URL, and that the server is up and lets you in.',
      cause,
    })
  })
  const session: Session = { orm: drizzle(client) as Session['orm'], client }
  const lock = sql`hashtext(${`winback migrate ${database.schema}`})`
  try {
    await rows(session, sql`SELECT pg_advisory_lock(${LOCKS.migration}, ${lock})`)
    try {
      const open = await pending(session, database.schema)
      if (open.length > 0) await apply(client, database.schema, open)
      await drawSettings(session)
      await drawInstallation(session)
      await drawSigningKey(session, systemClock.now())
      return { applied: open.map(({ name }) => name) }
    } finally {
      await rows(session, sql`SELECT pg_advisory_unlock(${LOCKS.migration}, ${lock})`)
    }
  } catch (cause) {
    if (cause instanceof WinbackError) throw cause
    // Of a server that is gone, this cannot be asked either.
    const made = await isMade(session, database.schema).catch(() => true)
    throw new WinbackError('database.migration', `the migration failed: ${messageOf(cause)}`, {
      remedy: `Nothing was applied. ${migrationRemedy(cause, database.schema, made)}`,
      cause,
    })
  } finally {
    client.release()
  }
}

/**
 * Names of the migrations that {@link migrate} would apply, oldest first.
 * @throws WinbackError `database.newer`
 */
export async function pendingMigrations(database: Database): Promise<string[]> {
  return (await pending(database, database.schema)).map(({ name }) => name)
}

/** The schemas of this database that Winback lives in: a workspace's, and those of replays. */
export async function installedSchemas(session: Session): Promise<string[]> {
  const found = await rows<{ name: string }>(
    session,
    sql`SELECT namespace.nspname AS name FROM pg_class
          JOIN pg_namespace namespace ON namespace.oid = pg_class.relnamespace
         WHERE pg_class.relname = '__drizzle_migrations' AND pg_class.relkind = 'r' ORDER BY 1`,
  )
  return found.map(({ name }) => name)
}

/** @throws WinbackError `database.not_migrated` */
export async function settingsOf(session: Session): Promise<Settings> {
  const table = await rows<{ exists: boolean }>(
    session,
    sql`SELECT to_regclass('settings') IS NOT NULL AS exists`,
  )
  const found = new Map<string, string>()
  if (table[0]?.exists) {
    for (const row of await rows<{ name: string; value: string }>(
      session,
      sql`SELECT name, value FROM settings`,
    )) {
      found.set(row.name, row.value)
    }
  }
  const workspaceSalt = found.get('workspace_salt')
  const addressKey = found.get('address_key')
  if (workspaceSalt === undefined || addressKey === undefined) {
    throw new WinbackError('database.not_migrated', 'the database has not been set up yet', {
      remedy: 'Run a command that migrates first, such as `winback import` or `winback start`.',
    })
  }
  return { workspaceSalt, addressKey }
}

async function pending(session: Session, schema: string): Promise<Migration[]> {
  const known = knownMigrations()
  const table = await rows<{ exists: boolean }>(
    session,
    sql`SELECT to_regclass(${`${schema}.__drizzle_migrations`}) IS NOT NULL AS exists`,
  )
  if (!table[0]?.exists) return known
  const [newest] = await rows<{ created_at: number | null }>(
    session,
    sql`SELECT max(created_at) AS created_at FROM ${sql.identifier(schema)}.__drizzle_migrations`,
  )
  const last = newest?.created_at ?? 0
  if (last > (known.at(-1)?.when ?? 0)) {
    throw new WinbackError('database.newer', 'the database was set up by a later version of Winback', {
      remedy: 'Upgrade Winback here to the version that last migrated it.',
    })
  }
  return known.filter((migration) => migration.when > last)
}

/** `when` numbers it, in the order of the journal. */
interface Migration {
  readonly name: string
  readonly when: number
}

const journal = z.object({ entries: z.array(z.object({ tag: z.string(), when: z.number() })) })

/** Read here rather than with drizzle's reader, which keeps no names. */
function knownMigrations(): Migration[] {
  const file = join(folder, 'meta', '_journal.json')
  try {
    const { entries } = journal.parse(JSON.parse(readFileSync(file, 'utf8')))
    return entries.map(({ tag, when }) => ({ name: tag, when }))
  } catch (cause) {
    throw new WinbackError('database.migration', `${file} cannot be read: ${messageOf(cause)}`, {
      remedy: 'Install Winback again: its package is incomplete.',
      cause,
    })
  }
}

/**
 * All of them or none. Drizzle's own begins with CREATE SCHEMA, which asks for CREATE on the database even where the schema
 * exists: whoever has it taken back once everything stands could not upgrade.
 */
async function apply(client: PoolClient, schema: string, open: readonly Migration[]): Promise<void> {
  const wanted = new Set(open.map(({ when }) => when))
  const files = readMigrationFiles({ migrationsFolder: folder }).filter((file) =>
    wanted.has(file.folderMillis),
  )
  const table = sql`${sql.identifier(schema)}.__drizzle_migrations`
  await transactionOn(client, async (tx) => {
    if (!(await isMade(tx, schema))) await execute(tx, sql`CREATE SCHEMA ${sql.identifier(schema)}`)
    await execute(
      tx,
      sql`CREATE TABLE IF NOT EXISTS ${table} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
    )
    for (const { sql: statements, hash, folderMillis } of files) {
      for (const statement of statements) await client.query(statement)
      await execute(tx, sql`INSERT INTO ${table} (hash, created_at) VALUES (${hash}, ${folderMillis})`)
    }
  })
}

async function isMade(session: Session, schema: string): Promise<boolean> {
  const [found] = await rows<{ made: boolean }>(
    session,
    sql`SELECT to_regnamespace(${schema}) IS NOT NULL AS made`,
  )
  return found?.made === true
}

/** Told by its code and by what there is: the server may say it in any language. */
function migrationRemedy(cause: unknown, schema: string, made: boolean): string {
  if (codeOf(cause) === '25006') return 'Where it is a standby, DATABASE_URL has to name the primary.'
  if (codeOf(cause) !== '42501') return 'Mend what it names, and run this again.'
  return made
    ? `The schema "${schema}" and all that is in it have to belong to the role: ALTER SCHEMA, and each table, function and sequence, OWNER TO …;`
    : `Let the role make the schema "${schema}" (GRANT CREATE ON DATABASE … TO …;), or make it: CREATE SCHEMA "${schema}" AUTHORIZATION …;`
}

async function drawSettings(session: Session): Promise<void> {
  const draw = () => randomBytes(32).toString('hex')
  await rows(
    session,
    sql`INSERT INTO settings (name, value) VALUES ('workspace_salt', ${draw()}), ('address_key', ${draw()})
        ON CONFLICT (name) DO NOTHING`,
  )
}
