import { sql } from 'drizzle-orm'
import type { Workspace } from '../config/workspace.ts'
import { ingestActivity, prepareIngest } from '../contacts/ingest.ts'
import { connect, type Database, execute, rows, transaction } from '../database/connect.ts'
import { migrate } from '../database/migrate.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { messageOf, WinbackError } from '../errors.ts'
import type { Runtime } from './runtime.ts'

// A replay happens in a schema of its own, beside the real one: the same contacts under the same ids (so the same
// draws), and no activity but what the clock has reached.

const CHUNK = 10_000

/**
 * Makes the schema of a replay from a database: contacts, addresses, suppressions, salts and imported codes copied, contact facts as
 * on the day of the sign-up, all activity up to `to` laid ready in time order. What stood in the schema before is
 * dropped: a replay can be made again at any time.
 * @param campaigns those that will be applied in it, by name
 * @param onPart hears of each part that is copied: all of it may take minutes
 * @returns a handle on the new schema; the caller closes it
 * @throws WinbackError `replay.schema` for one that holds anything but a replay, or cannot be made; `replay.erased` where
 *   somebody was erased meanwhile
 */
export async function prepareRehearsal(
  source: Database,
  schema: string,
  to: Date,
  campaigns: readonly string[],
  onPart: () => void = () => {},
): Promise<Database> {
  if (schema === source.schema) {
    throw new WinbackError('replay.schema', `a replay cannot run in "${schema}", where the real data are`, {
      remedy: 'Name another schema with --schema.',
    })
  }
  await assertExpendable(source, schema)
  await execute(source, sql`DROP SCHEMA IF EXISTS ${sql.identifier(schema)} CASCADE`)
  await markSchema(source, schema)
  const database = connect(source.url, { schema, applicationName: 'winback replay' })
  try {
    await migrate(database)
    await fill(database, { source, to, campaigns, onPart })
    await assertNobodyErased(database, source)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** What {@link prepareRehearsal} lays into the new schema. */
async function fill(
  database: Database,
  what: {
    readonly source: Database
    readonly to: Date
    readonly campaigns: readonly string[]
    onPart(): void
  },
): Promise<void> {
  const { source, to, campaigns, onPart } = what
  const from = (table: string) => sql`${sql.identifier(source.schema)}.${sql.identifier(table)}`
  for (const table of ['external_ids', 'suppressions', 'consents', 'preferences', 'erased_ids', 'devices']) {
    await execute(database, sql`INSERT INTO ${sql.identifier(table)} SELECT * FROM ${from(table)}`)
    onPart()
  }
  await execute(database, sql`INSERT INTO contacts OVERRIDING SYSTEM VALUE SELECT * FROM ${from('contacts')}`)
  onPart()
  await execute(database, sql`INSERT INTO outside_sends SELECT * FROM ${from('outside_sends')}`)
  onPart()
  await execute(
    database,
    sql`INSERT INTO contact_activity (contact_id, silent_since) SELECT contact_id, signed_up_at FROM contacts`,
  )
  // But for its name: to providers, what it delivers is nothing that goes out in truth.
  await execute(
    database,
    sql`UPDATE settings s SET value = o.value FROM ${from('settings')} o WHERE o.name = s.name AND s.name <> 'installation'`,
  )
  // The salts too, without a version yet: whoever is held out in truth is held out in the rehearsal.
  await execute(
    database,
    sql`INSERT INTO campaigns SELECT campaign, 0, salt, created_at FROM ${from('campaigns')}
      WHERE campaign = ANY (${sql.param(campaigns)}::text[])`,
  )
  // All of the pool, whoever has them by now: without codes, no message that promises one would go.
  await execute(
    database,
    sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at)
      SELECT code, shown, campaign, offer, imported_at, expires_at FROM ${from('offer_codes')}
      WHERE imported_at IS NOT NULL AND campaign = ANY (${sql.param(campaigns)}::text[])`,
  )
  await execute(
    database,
    sql`
    CREATE UNLOGGED TABLE upcoming_activity AS
    SELECT row_number() OVER (ORDER BY occurred_at, contact_id, key) AS place, contact_id, occurred_at, key, type,
      value, properties
    FROM ${from('activity')} WHERE occurred_at <= ${to}`,
  )
  onPart()
  await execute(database, sql`CREATE INDEX ON upcoming_activity (place)`)
  await execute(database, sql`CREATE INDEX ON upcoming_activity (occurred_at)`)
  await execute(database, sql`ANALYZE`)
}

/**
 * An erasure that looked for rehearsals before this one had our key knows nothing of it: whoever went while they were copied
 * goes with the copy.
 */
async function assertNobodyErased(database: Database, source: Database): Promise<void> {
  const erased = await rows(
    database,
    sql`SELECT FROM contacts c WHERE NOT EXISTS (SELECT FROM ${sql.identifier(source.schema)}.contacts o
      WHERE o.contact_id = c.contact_id) LIMIT 1`,
  )
  if (erased.length === 0) return
  await execute(database, sql`DROP SCHEMA ${sql.identifier(database.schema)} CASCADE`)
  throw new WinbackError(
    'replay.erased',
    'somebody was erased while people were copied; the copy is gone, too',
    {
      remedy: 'Run it again.',
    },
  )
}

/** What stands at the schema of a replay from before anything is in it: by this, it is told from real data. */
const MARK = 'winback replay: dropped and made anew by the next one'

/** Makes the schema and marks it in one transaction, so that what a replay leaves half made is known for its own, too. */
async function markSchema(source: Database, schema: string): Promise<void> {
  await transaction(source, async (tx) => {
    await execute(tx, sql`CREATE SCHEMA ${sql.identifier(schema)}`)
    await execute(tx, sql`COMMENT ON SCHEMA ${sql.identifier(schema)} IS ${sql.raw(`'${MARK}'`)}`)
  }).catch((cause: unknown) => {
    throw new WinbackError('replay.schema', `the schema "${schema}" cannot be made: ${messageOf(cause)}`, {
      remedy: 'See that the role may create it: GRANT CREATE ON DATABASE … TO …;',
      cause,
    })
  })
}

/** A schema is dropped with all it holds: so it is empty, or an earlier replay's, whole or left half made. */
async function assertExpendable(source: Database, schema: string): Promise<void> {
  // All that stands in a schema depends on it: functions, types and extensions, too, which take columns of other
  // schemas with them. The table is one that replays alone have: those made before they were marked are known by it.
  const [found] = await rows<{ filled: boolean; replayed: boolean }>(
    source,
    sql`SELECT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = n.oid) AS filled,
               obj_description(n.oid, 'pg_namespace') IS NOT DISTINCT FROM ${MARK}
                 OR EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'upcoming_activity') AS replayed
        FROM pg_namespace n WHERE n.nspname = ${schema}`,
  )
  if (!found?.filled || found.replayed) return
  throw new WinbackError('replay.schema', `the schema "${schema}" holds something else than a replay`, {
    remedy: 'Name another with --schema: a replay drops what stands in its schema.',
  })
}

/**
 * Ingests what was laid ready up to a moment, in chunks, exactly as live events are: facts, returns, cancels.
 * @param onChunk hears how many are in so far: the first time it is all that ever happened before
 * @returns how many events were revealed
 */
export async function revealActivity(
  runtime: Runtime,
  workspace: Workspace,
  upTo: Date,
  onChunk: (revealed: number) => void = () => {},
): Promise<number> {
  const { database, hooks } = runtime
  const [range] = await rows<{ first: number | null; last: number | null; oldest: Date; newest: Date }>(
    database,
    sql`SELECT min(place) AS first, max(place) AS last, min(occurred_at) AS oldest, max(occurred_at) AS newest
      FROM upcoming_activity WHERE occurred_at <= ${upTo}`,
  )
  if (!range || range.first === null || range.last === null) return 0
  await ensurePartitions(database, 'activity', { from: range.oldest, to: range.newest })
  for (let place = range.first; place <= range.last; place += CHUNK) {
    const end = Math.min(place + CHUNK - 1, range.last)
    await transaction(database, async (tx) => {
      await prepareIngest(tx)
      await execute(
        tx,
        sql`
        WITH revealed AS (
          DELETE FROM upcoming_activity WHERE place BETWEEN ${place} AND ${end}
          RETURNING contact_id, occurred_at, key, type, value, properties
        )
        INSERT INTO incoming_activity SELECT contact_id, occurred_at, key, type, value, properties FROM revealed`,
      )
      await ingestActivity(tx, { now: upTo, workspace, hooks, last: true })
    })
    onChunk(end - range.first + 1)
  }
  return range.last - range.first + 1
}
