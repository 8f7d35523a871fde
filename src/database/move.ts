import { pipeline } from 'node:stream/promises'
import { sql } from 'drizzle-orm'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { messageOf, WinbackError } from '../errors.ts'
import { type Database, execute, rows, type Session, type Transaction, transaction } from './connect.ts'
import { installedSchemas, migrate } from './migrate.ts'
import { ensurePartitionsWithin, type PartitionedTable } from './partitions.ts'

// A whole workspace from one server to another, with nothing but this program: the embedded server brings none of
// PostgreSQL's own, and whoever outgrows it has none either. Rows go by COPY in its text format, which every version reads.

/** What a move brought over. */
export interface Moved {
  /** Every table that holds rows, by name. */
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
}

export interface MoveOptions {
  /** Bytes of the tables that are over, of all there are, and the table under way. */
  readonly onProgress?: (bytes: number, total: number, table: string) => void
}

/**
 * Copies everything in the schema of `source` into a schema of the same name on `target`, as it was at one moment and in
 * one transaction: an error on the way leaves nothing. Both schemas are of this version of Winback afterwards.
 * @throws WinbackError `move.occupied` where Winback lives in that schema of the target already, `move.busy` where other
 *   processes are at work on the source, or were before all was copied, and those of {@link migrate}
 */
export async function moveDatabase(
  source: Database,
  target: Database,
  options: MoveOptions = {},
): Promise<Moved> {
  await assertAlone(source)
  await assertEmpty(target)
  await migrate(target)
  return await transaction(source, async (from) => {
    await from.client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
    return await transaction(target, async (to) => {
      const moved = await copyEverything(from, to, options)
      await assertUnchanged(source, from)
      return moved
    })
  })
}

/**
 * A process that began meanwhile, or a command such as an import of cron's that came and went: the copy knows nothing of what it
 * did, and it would be lost with what is left behind.
 */
async function assertUnchanged(source: Database, from: Transaction): Promise<void> {
  await assertAlone(source)
  const newest = (session: Session) =>
    rows<{ id: number }>(session, sql`SELECT coalesce(max(audit_id), 0) AS id FROM audit`)
  const [[before], [now]] = [await newest(from), await newest(source)]
  if (before?.id === now?.id) return
  throw new WinbackError('move.busy', 'another command changed this database while it was copied', {
    remedy: 'Nothing was moved. Hold back what runs by a timetable of yours (cron), too, and run it again.',
  })
}

/** Another process would go on sending what the copy takes for waiting. */
async function assertAlone(source: Database): Promise<void> {
  const [others] = await rows<{ count: number }>(
    source,
    sql`SELECT count(DISTINCT application_name) AS count FROM pg_stat_activity
        WHERE datname = current_database() AND application_name ~ '^winback \\d+ [0-9a-f]+$'
          AND application_name <> current_setting('application_name')`,
  )
  if (!others || others.count === 0) return
  const who =
    others.count === 1 ? 'another process of Winback is' : `${others.count} processes of Winback are`
  throw new WinbackError('move.busy', `${who} at work on this database`, {
    remedy:
      'End `winback start`, `worker`, `scheduler` and `web` everywhere first; what waits goes on after the move.',
  })
}

/** What a migration puts into a schema that nobody has used. */
const DRAWN = ['settings', 'signing_keys']

/** A move that failed leaves a schema that was made and holds nothing. */
async function assertEmpty(target: Database): Promise<void> {
  if (!(await installedSchemas(target)).includes(target.schema)) return
  for (const { name } of await readTables(target)) {
    if (DRAWN.includes(name)) continue
    const [held] = await rows(target, sql`SELECT FROM ${sql.identifier(name)} LIMIT 1`)
    if (!held) continue
    throw new WinbackError(
      'move.occupied',
      `there is a workspace in the schema "${target.schema}" of the new database already`,
      { remedy: 'Nothing is written over. Name an empty database, or drop that schema if nobody needs it.' },
    )
  }
}

interface Table {
  readonly name: string
  readonly bytes: number
}

async function copyEverything(from: Transaction, to: Transaction, options: MoveOptions): Promise<Moved> {
  await makePartitions(from, to)
  const tables = await readTables(from)
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0)
  const names = sql.join(
    tables.map(({ name }) => sql.identifier(name)),
    sql`, `,
  )
  // What the migrations drew for a new workspace is this one's no longer.
  await execute(to, sql`TRUNCATE ${names}`)
  const copied: { table: string; rows: number }[] = []
  let done = 0
  for (const { name, bytes } of tables) {
    options.onProgress?.(done, total, name)
    const count = await copyTable(from, to, name, (read) =>
      options.onProgress?.(done + Math.min(read, bytes), total, name),
    )
    if (count > 0) copied.push({ table: name, rows: count })
    done += bytes
  }
  await copySequences(from, to)
  // Else the planner takes every table for empty until somebody has looked.
  await execute(to, sql`ANALYZE ${names}`)
  return { tables: copied }
}

/** The months that the source has. */
async function makePartitions(from: Session, to: Transaction): Promise<void> {
  const found = await rows<{ table: PartitionedTable; months: string[] }>(
    from,
    sql`SELECT p.relname AS table, array_agg(replace(right(c.relname, 7), '_', '-')) AS months
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relnamespace = current_schema()::regnamespace AND p.relkind = 'p' GROUP BY 1`,
  )
  for (const { table, months } of found) {
    await ensurePartitionsWithin(
      to,
      table,
      months.map((month) => new Date(`${month}-01T00:00:00Z`)),
    )
  }
}

/** Tables, a partitioned one as a whole: those that refer to others after those they refer to. */
async function readTables(session: Session): Promise<Table[]> {
  return await rows<Table>(
    session,
    sql`SELECT c.relname AS name, pg_table_size(c.oid) + coalesce((
          SELECT sum(pg_table_size(i.inhrelid)) FROM pg_inherits i WHERE i.inhparent = c.oid), 0)::bigint AS bytes
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
          AND c.relname <> '__drizzle_migrations'
        ORDER BY EXISTS (SELECT FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f'), c.relname`,
  )
}

/** @returns how many rows there are of it now */
async function copyTable(
  from: Transaction,
  to: Transaction,
  name: string,
  onBytes: (read: number) => void,
): Promise<number> {
  const columns = await rows<{ name: string }>(
    from,
    sql`SELECT quote_ident(attname) AS name FROM pg_attribute
        WHERE attrelid = ${name}::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
  )
  const list = columns.map((column) => column.name).join(', ')
  // A trigger would count again, and mark as changed, what has been counted.
  await execute(to, sql`ALTER TABLE ${sql.identifier(name)} DISABLE TRIGGER USER`)
  const reading = from.client.query(copyTo(`COPY (SELECT ${list} FROM "${name}") TO STDOUT`))
  const writing = to.client.query(copyFrom(`COPY "${name}" (${list}) FROM STDIN`))
  let read = 0
  reading.on('data', (chunk: Buffer) => {
    read += chunk.length
    onBytes(read)
  })
  try {
    await pipeline(reading, writing)
  } catch (cause) {
    throw new WinbackError('move.failed', `${name} could not be copied: ${messageOf(cause)}`, {
      remedy: 'Nothing was moved, and nothing changed here: run it again once that is mended.',
      cause,
    })
  }
  await execute(to, sql`ALTER TABLE ${sql.identifier(name)} ENABLE TRIGGER USER`)
  return writing.rowCount
}

/** Ids go on after those that were given. */
async function copySequences(from: Session, to: Session): Promise<void> {
  const sequences = await rows<{ name: string }>(
    from,
    sql`SELECT relname AS name FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' AND relname NOT LIKE '\\_\\_drizzle%'`,
  )
  for (const { name } of sequences) {
    const [at] = await rows<{ last: string; called: boolean }>(
      from,
      sql`SELECT last_value::text AS last, is_called AS called FROM ${sql.identifier(name)}`,
    )
    if (at) await execute(to, sql`SELECT setval(${name}::regclass, ${at.last}::bigint, ${at.called})`)
  }
}
