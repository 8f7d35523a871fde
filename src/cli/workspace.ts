import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'drizzle-orm'
import { type Clock, systemClock } from '../clock.ts'
import { nearest } from '../config/nearest-name.ts'
import { assertServer, connect, type Database, placeOf, rows } from '../database/connect.ts'
import { openEmbedded } from '../database/embedded.ts'
import { installedSchemas, migrate } from '../database/migrate.ts'
import { openSharedClock, type SharedClock } from '../database/shared-clock.ts'
import { messageOf, WinbackError } from '../errors.ts'
import { withAudit } from './changes.ts'
import type { Outcome } from './output.ts'
import type { Invocation, Start } from './verb.ts'
import {
  type DatabasePlace,
  exists,
  openWorkspace,
  type ReadableContext,
  readAsFarAsItGoes,
  type WorkspaceContext,
} from './workspace-file.ts'

/** What a verb that needs the database is given. */
export interface DatabaseContext extends WorkspaceContext, OpenedDatabase {}

/** A database that answers, and the time those who work on it go by. */
interface OpenedDatabase {
  readonly clock: Clock
  readonly database: Database
  readonly engine: Engine
  /** The clock, where it is the machine's held against the database's. */
  readonly sharedClock?: SharedClock
}

export interface Engine {
  readonly kind: 'embedded' | 'yours'
  /** Of the server: `18.0`. */
  readonly version: string
}

/** Where the embedded server keeps its data: beside the workspace file. */
export function embeddedDirectory(workspaceDirectory: string): string {
  return join(workspaceDirectory, '.winback', 'postgres')
}

/**
 * Opens the workspace and its database, the embedded one where no url is set, brings the schema up to date,
 * runs `work`, and closes everything again however it ends. Ctrl-C cancels the running statements: what was
 * not committed is rolled back.
 */
export async function withWorkspace<T>(
  invocation: Invocation,
  work: (context: DatabaseContext) => Promise<T>,
  options: DatabaseOptions = {},
): Promise<T> {
  const context = await openWorkspace(invocation)
  const { directory, definition } = context.loaded
  return withDatabase(
    context,
    { directory, ...definition.database },
    (opened) => work({ ...context, ...opened }),
    options,
  )
}

/** Starts a verb whose work is done in a workspace: see {@link withWorkspace}. */
export function startInWorkspace(
  start: Start,
  command: Command,
  work: (context: DatabaseContext) => Promise<Outcome>,
  options?: DatabaseOptions,
): Promise<void> {
  return start(command, (invocation) => withWorkspace(invocation, work, options))
}

/**
 * {@link withWorkspace} for what must work where something is wrong in winback.yaml, or a secret of it is not on this machine:
 * whoever holds back what goes wrong has no time to mend a file first.
 * @throws ConfigError where it does not say where the database is
 */
export async function withReadable<T>(
  invocation: Invocation,
  work: (context: ReadableContext & OpenedDatabase) => Promise<T>,
): Promise<T> {
  const context = await readAsFarAsItGoes(invocation)
  return withDatabase(context, context.place, (opened) => work({ ...context, ...opened }), {})
}

interface DatabaseOptions {
  /** Leaves the schema as it is: for `doctor`. */
  readonly asIs?: boolean
  /** The verb heeds `interrupt` itself and ends in its own order. */
  readonly drains?: boolean
  /**
   * While it says so, an interrupt cancels no statement: the verb ends in its own order what nobody could take back, and
   * sees to it that this is soon.
   */
  readonly spares?: () => boolean
  /** Another schema than the workspace's, such as that of a replay: one that is there. */
  readonly schema?: string | undefined
}

async function withDatabase<T>(
  invocation: Invocation,
  place: DatabasePlace,
  work: (opened: OpenedDatabase) => Promise<T>,
  options: DatabaseOptions,
): Promise<T> {
  const schema = options.schema ?? place.schema
  return connected(invocation, { ...place, schema }, async (database, engine, applicationName) => {
    // The embedded one may have taken a while to be there.
    if (!options.drains) invocation.interrupt.throwIfAborted()
    const server = await answerOf(database, invocation)
    // A name that was mistyped must not make a schema, in which nothing ever happened.
    if (schema !== place.schema) await assertSchema(database)
    if (!options.asIs) await migrate(database)
    const engineOf = { kind: engine, version: server.version }
    const opened = { database, engine: engineOf, ...(await clockOf(database, invocation, options)) }
    const run = withAudit(database, invocation, () => work(opened))
    if (options.drains) return run
    return unlessInterrupted(run, invocation.interrupt, async () => {
      if (!options.spares?.()) await cancelStatements(database, applicationName)
    })
  })
}

/** Whoever works on a database goes by one time. A clock that a test or a replay sets is its own. */
async function clockOf(
  database: Database,
  { clock }: Pick<Invocation, 'clock'>,
  { asIs }: DatabaseOptions,
): Promise<Pick<DatabaseContext, 'clock' | 'sharedClock'>> {
  if (clock !== systemClock || asIs) return { clock }
  const shared = await openSharedClock(database, clock)
  return { clock: shared, sharedClock: shared }
}

/** Milliseconds of silence that nobody wonders about. */
const QUIET_MS = 3000

/** A server that takes the connection and says nothing is waited for up to half a minute: in that time it is named. */
async function answerOf(database: Database, { output }: Pick<Invocation, 'output'>) {
  const where = placeOf(database.url).server
  const timer = setTimeout(() => {
    output.hint(
      output.language === 'en'
        ? `Waiting for the database at ${where}, which has not answered yet …`
        : `正在等待数据库 ${where} 响应…`,
    )
  }, QUIET_MS)
  try {
    return await assertServer(database)
  } finally {
    clearTimeout(timer)
  }
}

/** @throws WinbackError `database.no_schema` where Winback does not live in the schema */
async function assertSchema(database: Database): Promise<void> {
  const { schema } = database
  const schemas = await installedSchemas(database)
  if (schemas.includes(schema)) return
  const near = nearest(schema, schemas)
  const known =
    schemas.length === 0
      ? 'There is none yet: `winback import` makes the workspace’s, `winback replay` one of its own.'
      : `There ${schemas.length === 1 ? 'is' : 'are'} ${schemas.join(', ')}; \`winback replay\` makes one of its own.`
  throw new WinbackError('database.no_schema', `there is no schema "${schema}" of Winback in this database`, {
    remedy: near === undefined ? known : `Did you mean --schema ${near}? ${known}`,
    facts: { schemas },
  })
}

async function connected<T>(
  { output }: Pick<Invocation, 'output'>,
  { directory: workspaceDirectory, url, schema }: DatabasePlace,
  work: (database: Database, engine: Engine['kind'], applicationName: string) => Promise<T>,
): Promise<T> {
  // Tells our own connections from those of every other process, whatever machine or container it runs in.
  const applicationName = `winback ${process.pid} ${randomBytes(6).toString('hex')}`
  const open = (url: string) => connect(url, { schema, applicationName })
  if (url !== undefined) {
    const database = open(url)
    try {
      return await work(database, 'yours', applicationName)
    } finally {
      await database.close()
    }
  }
  const directory = embeddedDirectory(workspaceDirectory)
  if (!(await exists(directory))) {
    output.note(
      output.language === 'en'
        ? 'Setting up the embedded database (once) …'
        : '正在建立内置数据库（仅首次）…',
    )
  }
  const onTrouble = (error: unknown) => output.warn(messageOf(error))
  const server = await openEmbedded({ directory, onTrouble })
  try {
    const database = open(server.url)
    try {
      return await work(database, 'embedded', applicationName)
    } finally {
      await database.close()
    }
  } finally {
    await server.stop()
  }
}

/** Waits for `run`; on an interrupt, cancels its statements until it has given up, then says so. */
async function unlessInterrupted<T>(
  run: Promise<T>,
  interrupt: AbortSignal,
  cancelStatements: () => Promise<void>,
): Promise<T> {
  let canceller: NodeJS.Timeout | undefined
  // Again and again: the moment of the first may have fallen between two statements.
  const cancel = () => {
    canceller ??= setInterval(() => void cancelStatements().catch(() => {}), 100)
  }
  interrupt.addEventListener('abort', cancel)
  if (interrupt.aborted) cancel()
  try {
    return await run
  } catch (cause) {
    if (!interrupt.aborted) throw cause
    throw new WinbackError('interrupted', 'interrupted; what was not finished was rolled back', {
      remedy: 'Run the same command again to go on.',
      cause,
    })
  } finally {
    interrupt.removeEventListener('abort', cancel)
    clearInterval(canceller)
  }
}

async function cancelStatements(database: Database, applicationName: string): Promise<void> {
  await rows(
    database,
    sql`SELECT pg_cancel_backend(pid) FROM pg_stat_activity
        WHERE application_name = ${applicationName} AND pid <> pg_backend_pid() AND state <> 'idle'`,
  )
}
