import pg from 'pg'
import type { SyncSettings } from '../../config/sync-settings.ts'
import { spellTls } from '../../database/connect.ts'
import { parseJson } from '../values/json.ts'
import { lowerBound } from './bound.ts'
import type { Column } from './columns.ts'
import {
  connectFailure,
  type SourceFacts,
  type Statement,
  type SyncPlace,
  statementFailure,
} from './failures.ts'

// Somebody's own PostgreSQL, read and never written: one connection, one read-only transaction, one snapshot. A query is
// wrapped as a subquery, so that whatever it is, only what is new of it travels, in the order of its cursor.

export type SourceRow = Readonly<Record<string, unknown>>

/** A query of a sync, ready to be read once; closed by whoever opened it. */
export interface Source {
  /** Host, port and database, for people. */
  readonly place: string
  /** What the query returns, known before a row of it is read. */
  readonly columns: readonly Column[]
  /** How many rows PostgreSQL expects a {@link Source.read} to bring: for a progress bar. */
  estimate(from: Position | undefined): Promise<number>
  /** Rows from a position on, or all, in the order of the cursor; those without a cursor last, and only of all. */
  read(from: Position | undefined): AsyncGenerator<readonly SourceRow[]>
  close(): Promise<void>
}

/** Where a sync had come to. */
export interface Position {
  readonly cursor: string
  readonly type: string
}

export interface SourceOptions {
  readonly url: string
  /** Whether `url` is the sync's own, and not Winback's database. */
  readonly own: boolean
  readonly settings: SyncSettings
  readonly where: SyncPlace
  readonly now: Date
}

/** Rows a round trip. */
const FETCH = 1000
const PATIENCE_MS = 10_000
/** Of silence, after which the other end is asked whether it is there: a slow query may outlive its network. */
const KEEP_ALIVE_MS = 30_000

/**
 * Connects and asks for the query's columns. `default_transaction_read_only` is not relied upon: the transaction itself is
 * read only, and PostgreSQL refuses whatever a query may do beyond reading.
 * @throws WinbackError `unavailable.source`, `sync.permission`; ConfigError at the query's line
 */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { settings, where, now } = options
  const client = new pg.Client({
    connectionString: spellTls(options.url),
    application_name: 'winback sync',
    connectionTimeoutMillis: PATIENCE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: { getTypeParser: parserOf as typeof pg.types.getTypeParser },
  })
  // A connection that breaks between two statements is told of by the next.
  client.on('error', () => {})
  let facts: SourceFacts = { place: placeOf(options.url), own: options.own }
  const query = settings.query.replace(/[\s;]+$/, '')
  const ask = async (statement: Statement, values: readonly unknown[] = []) => {
    try {
      return await client.query<Record<string, unknown>>(statement.sql, [...values])
    } catch (error) {
      throw statementFailure(where, facts, statement, error)
    }
  }
  /** The query as a subquery `q`: on lines of its own, for it may end in a comment. */
  const wrapped = (before: string, after: string): Statement => {
    const head = `${before} (\n`
    return { sql: `${head}${query}\n) AS q${after}`, query: { text: query, offset: head.length } }
  }
  const reading = (from: Position | undefined, before = 'SELECT q.* FROM') => {
    const column = `q.${pg.escapeIdentifier(settings.cursor)}`
    if (!from) return { statement: wrapped(before, ` ORDER BY ${column}`), values: [] }
    const bound = lowerBound(from, settings.overlap, now, settings.timezone)
    return {
      statement: wrapped(before, ` WHERE ${column} >= ${bound.sql} ORDER BY ${column}`),
      values: bound.values,
    }
  }
  const close = () => client.end().catch(() => {})
  try {
    await client.connect()
  } catch (error) {
    await close()
    throw connectFailure(where, facts, error)
  }
  try {
    // Set within the transaction: a pooler gives its connection to the next one afterwards.
    await client.query(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
      SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; SET LOCAL cursor_tuple_fraction = 1;
      SET LOCAL idle_in_transaction_session_timeout = '10min'`)
    const { rows: who } = await client.query<{ role: string }>('SELECT current_user AS role')
    facts = { ...facts, role: who[0]?.role ?? '' }
    const probe = await ask(wrapped('SELECT q.* FROM', ' LIMIT 0'))
    const types = await client.query<{ type: string }>(
      // -1: of whatever length. A cursor that is cast to `character` is its first letter, and all is read again.
      'SELECT format_type(oid, -1) AS type FROM unnest($1::oid[]) WITH ORDINALITY AS asked (oid, no) ORDER BY no',
      [probe.fields.map((field) => field.dataTypeID)],
    )
    const columns = probe.fields.map(({ name }, no) => ({ name, type: types.rows[no]?.type ?? 'text' }))
    return {
      place: facts.place,
      columns,
      estimate: async (from) => {
        const { statement, values } = reading(from, 'EXPLAIN (FORMAT JSON) SELECT q.* FROM')
        const { rows } = await ask(statement, values)
        const plans = rows[0]?.['QUERY PLAN'] as { Plan?: { 'Plan Rows'?: number } }[] | undefined
        return plans?.[0]?.Plan?.['Plan Rows'] ?? 0
      },
      read: async function* (from) {
        const { statement, values } = reading(
          from,
          'DECLARE winback_sync NO SCROLL CURSOR FOR SELECT q.* FROM',
        )
        await ask(statement, values)
        for (;;) {
          const { rows } = await ask({ ...statement, sql: `FETCH ${FETCH} FROM winback_sync` })
          if (rows.length > 0) yield rows
          if (rows.length < FETCH) return
        }
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Host, port and database of a url; never its password. */
function placeOf(url: string): string {
  try {
    const { host, pathname } = new URL(url)
    return `${host}${decodeURIComponent(pathname)}`
  } catch {
    return 'the given url'
  }
}

const BOOL = 16
const NUMBERS = [20, 21, 23, 700, 701, 1700]
const JSONS = [114, 3802]

/**
 * Everything as PostgreSQL writes it, but truths, JSON, and numbers that JavaScript holds exactly: a longer one, such as
 * an id of twenty digits, stays text, within JSON too.
 */
function parserOf(oid: number): (text: string) => unknown {
  if (oid === BOOL) return (text) => text === 't'
  if (JSONS.includes(oid)) return parseJson
  if (!NUMBERS.includes(oid)) return (text) => text
  return (text) => {
    const number = Number(text)
    return Number.isFinite(number) && text.replace(/\D/g, '').length <= 15 ? number : text
  }
}
