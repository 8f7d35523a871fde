import { hash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { PgDialect } from 'drizzle-orm/pg-core'
import pg from 'pg'
import { messageOf, WinbackError } from '../errors.ts'
import { connectionRemedy } from './connection-remedies.ts'
import { SCHEMA_NAME } from './schema-name.ts'

export type Orm = NodePgDatabase

/** Where statements run: the pool, or the one connection of an open transaction. */
export interface Session {
  /** Drizzle, for ordinary queries on the tables of schema/. */
  readonly orm: Orm
  /** node-postgres underneath, for COPY and for statements that are algorithms (see {@link rows}). */
  readonly client: pg.Pool | pg.PoolClient
}

/** A session inside BEGIN … COMMIT. */
export interface Transaction extends Session {
  readonly client: pg.PoolClient
}

/** Connections of which each statement, and each transaction, takes one that is free. */
export interface Pool extends Session {
  readonly client: pg.Pool
}

/** An open database: a pool whose every connection looks into one schema. */
export interface Database extends Pool {
  readonly schema: string
  /**
   * A few connections more, for what is asked beside a transaction that is open. Asked of the pool itself, that could wait for
   * ever: those who have all its connections may be waiting for the very locks of that transaction.
   */
  readonly aside: Pool
  /** Connection URL. Holds a password: never printed. */
  readonly url: string
  close(): Promise<void>
}

const dialect = new PgDialect()

// bigint columns hold ids and micros, both far below 2^53; a larger value is a bug, so it throws.
// Set on our own pools alone: BullMQ's keep node-postgres' defaults.
const parsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === pg.types.builtins.INT8 && format !== 'binary') {
      return (text: string) => {
        const value = Number(text)
        if (!Number.isSafeInteger(value)) throw new RangeError(`${text} does not fit a safe integer`)
        return value
      }
    }
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text')
  }) as typeof pg.types.getTypeParser,
}

/** Milliseconds in which a connection must stand: a proxy may take one and have nobody behind it. */
const CONNECT_PATIENCE = 30_000
/** Connections beside the pool: what is asked there is short, and waits for no lock that a transaction of the pool may hold. */
const ASIDE = 2
/** Milliseconds of silence after which the other end is asked whether it is there: a long statement may outlive its network. */
const KEEP_ALIVE = 30_000

/**
 * Opens a pool on `url` whose connections have search_path = `schema`, timezone = UTC and no just-in-time compilation.
 * Nothing is contacted yet: see {@link assertServer}.
 * @param options.patience milliseconds in which a connection must stand; waiting for a free one is not limited
 * @throws WinbackError `database.schema` for a name that is not a plain lower-case identifier
 */
export function connect(
  url: string,
  options: { schema?: string; max?: number; applicationName?: string; patience?: number } = {},
): Database {
  const schema = options.schema ?? 'winback'
  if (!SCHEMA_NAME.test(schema)) {
    throw new WinbackError('database.schema', `"${schema}" cannot be a schema name`, {
      remedy: 'Use lower-case letters, digits and underscores, 51 at most.',
    })
  }
  const meant = spellTls(url)
  const settings = {
    Client: patientClient(options.patience ?? CONNECT_PATIENCE),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
    // Of a statement with hundreds of expressions, such as those that count reports, a server that compiles them is seconds
    // over what then runs for milliseconds: 19 s a day counted instead of 0.3.
    ...addOptions(meant, `-c search_path=${schema} -c timezone=UTC -c jit=off`),
    application_name: options.applicationName ?? 'winback',
    types: parsers,
  }
  const pool = openPool({ ...settings, max: options.max ?? 10 })
  const aside = openPool({ ...settings, max: ASIDE })
  return {
    ...pool,
    schema,
    url: meant,
    aside,
    close: async () => {
      await Promise.all([pool.client.end(), aside.client.end()])
    },
  }
}

function openPool(settings: pg.PoolConfig): Pool {
  const client = new pg.Pool(settings)
  // A server that restarts drops idle connections, and those between two statements of a transaction: an error nobody
  // listens to would end the process. The next statement says it, or finds another connection.
  client.on('error', () => {})
  client.on('connect', (connected) => connected.on('error', () => {}))
  return { orm: drizzle(client), client }
}

/**
 * A connection URL with its `sslmode` as node-postgres takes it: `prefer`, `require` and `verify-ca` are `verify-full` to it,
 * of which it warns in ten lines at every start, and which a later version would change.
 */
export function spellTls(url: string): string {
  if (/[?&]uselibpqcompat=/.test(url)) return url
  return url.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=&|$)/, '$1verify-full')
}

/**
 * A connection URL's own `options` before ours, of which the last that names a setting holds: node-postgres takes those of the
 * URL instead of any other. Pure.
 */
export function addOptions(url: string, ours = ''): { connectionString: string; options: string } {
  const [, own] = /[?&]options=([^&]*)/.exec(url) ?? []
  if (own === undefined) return { connectionString: url, options: ours }
  const connectionString = url.replace(/([?&])options=[^&]*(&|$)/, (_, before, after) =>
    after ? before : '',
  )
  return { connectionString, options: `${decodeURIComponent(own.replaceAll('+', ' '))} ${ours}`.trim() }
}

/**
 * Where a connection URL leads, to be shown: `127.0.0.1:5432` or a socket's folder, and `/shop`; never the password. The
 * folder may stand as the host, behind the path, or, without a scheme, before the name of the database.
 */
export function placeOf(url: string): { readonly server: string; readonly path: string } {
  if (url.startsWith('/')) return { server: url, path: '' }
  const written = url.replaceAll(' ', '%20')
  // As node-postgres does: no host may stand behind a user.
  const bare = !URL.canParse(written)
  const { host, pathname, searchParams } = new URL(bare ? written.replace('@/', '@socket/') : written)
  return { server: searchParams.get('host') ?? (bare ? '' : host), path: pathname }
}

/** node-postgres' client with a limit to connecting alone: the pool's own would also end the wait for a free connection. */
function patientClient(patience: number): typeof pg.Client {
  return class extends pg.Client {
    constructor(config?: string | pg.ClientConfig) {
      super({
        ...(typeof config === 'string' ? { connectionString: config } : config),
        connectionTimeoutMillis: patience,
      })
    }
  }
}

/**
 * Runs a statement written with drizzle's `sql` template and returns its rows as node-postgres parses them:
 * timestamptz as Date, bigint as number, numeric as string. (Drizzle's own `execute` leaves timestamps as text.)
 * An array is one bind value: write `${sql.param(names)}::text[]`, and of numbers `${bigints(ids)}` (arrays.ts).
 */
export async function rows<Row extends object>(session: Session, statement: SQL): Promise<Row[]> {
  const { sql, params } = dialect.sqlToQuery(statement)
  const result = await session.client.query(sql, params)
  return result.rows as Row[]
}

/**
 * {@link rows} through a prepared statement, which a connection parses and plans once: for the few statements that run
 * hundreds of times a second, always with the same text. Planning them anew cost a third of what they take.
 */
export async function preparedRows<Row extends object>(session: Session, statement: SQL): Promise<Row[]> {
  const { sql, params } = dialect.sqlToQuery(statement)
  const result = await session.client.query({ name: hash('sha1', sql), text: sql }, params)
  return result.rows as Row[]
}

/** Like {@link rows}, for a statement whose count of rows is all that matters. */
export async function execute(session: Session, statement: SQL): Promise<number> {
  const { sql, params } = dialect.sqlToQuery(statement)
  const result = await session.client.query(sql, params)
  return result.rowCount ?? 0
}

/**
 * A condition that is always true, and whose transaction commits without waiting for its log to reach the disk: it may
 * be lost should the server crash within the next moments, though never torn. For what nothing outside depends on yet
 * (a place in the queue, a claim, a reservation). The log is written in order, so whatever is committed later and does
 * wait, the marking of `sending` first of all, has all of this on the disk with it.
 */
export const AWAITING_NO_DISK: SQL = sql`(SELECT set_config('synchronous_commit', 'off', true)) = 'off'`

/** Runs `work` in one transaction on one connection: committed when it returns, rolled back when it throws. */
export async function transaction<T>(database: Pool, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return await transactionFrom(database, 'BEGIN', work)
}

/**
 * {@link transaction} that commits without waiting for the disk (see {@link AWAITING_NO_DISK}), and that looks everything
 * up by index: what is reserved is found by key, in tables that a first run fills within seconds and that the planner,
 * who saw them empty, would read from end to end.
 */
export async function provisionally<T>(database: Pool, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return await transactionFrom(
    database,
    'BEGIN; SET LOCAL synchronous_commit TO off; SET LOCAL enable_seqscan TO off',
    work,
  )
}

async function transactionFrom<T>(
  database: Pool,
  begin: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await database.client.connect()
  let broken: Error | undefined
  const onBroken = (cause: Error) => {
    broken = cause
  }
  try {
    return await transactionOn(client, work, onBroken, begin)
  } finally {
    // A connection that cannot even roll back is thrown away rather than returned to the pool.
    client.release(broken)
  }
}

/**
 * {@link transaction} on a connection the caller holds, for work whose temporary tables outlive one transaction.
 * `onBroken` hears of a connection that could not even roll back, and should not be used again.
 */
export async function transactionOn<T>(
  client: pg.PoolClient,
  work: (tx: Transaction) => Promise<T>,
  onBroken: (cause: Error) => void = () => {},
  begin = 'BEGIN',
): Promise<T> {
  try {
    await client.query(begin)
    const result = await work({ orm: drizzle(client), client })
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK').catch(onBroken)
    throw error
  }
}

/**
 * Checks that the server answers, is new enough, and keeps to what {@link connect} begins a connection with: where a pooler
 * drops that, tables would be made, and looked for, in whatever schema the role looks into by itself.
 * @throws WinbackError `database.unreachable`, `database.too_old` or `database.pooler`, each with the remedy
 */
export async function assertServer(database: Database): Promise<{ version: string }> {
  let answer: { v: string; path: string; zone: string } | undefined
  try {
    const result = await database.client.query<{ v: string; path: string; zone: string }>(
      `SELECT current_setting('server_version_num') AS v, current_setting('search_path') AS path,
         current_setting('TimeZone') AS zone`,
    )
    answer = result.rows[0]
  } catch (cause) {
    throw new WinbackError('database.unreachable', `the database does not answer: ${messageOf(cause)}`, {
      remedy: connectionRemedy(cause)?.en ?? 'Check DATABASE_URL, and that the server is up and lets you in.',
      cause,
    })
  }
  const version = Number(answer?.v)
  const major = Math.floor(version / 10000)
  if (major < 15) {
    throw new WinbackError('database.too_old', `PostgreSQL ${major} is too old`, {
      remedy: 'Use PostgreSQL 15 or newer.',
    })
  }
  if (answer && (answer.path !== database.schema || answer.zone !== 'UTC')) {
    const what = `a connection begins with search_path ${answer.path} and timezone ${answer.zone}`
    throw new WinbackError('database.pooler', `${what}, in place of ${database.schema} and UTC`, {
      remedy:
        'Something on the way, such as PgBouncer, drops what we ask for as a connection begins. Connect to PostgreSQL ' +
        'itself, or set the pooler up as docs/operations.md says.',
    })
  }
  return { version: `${major}.${version % 10000}` }
}
