import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { systemClock } from '../clock.ts'
import { nearest } from '../config/nearest-name.ts'
import { assertServer, connect, type Database, placeOf, rows } from '../database/connect.ts'
import { openEmbedded } from '../database/embedded.ts'
import { installedSchemas, migrate } from '../database/migrate.ts'
import { openSharedClock, type SharedClock } from '../database/shared-clock.ts'
import { messageOf, WinbackError } from '../errors.ts'
import { withAudit } from './changes.ts'
import type { Invocation } from './verb.ts'
import { exists, openWorkspace, type WorkspaceContext } from './workspace-file.ts'

/** What a verb that needs the database is given. */
export interface DatabaseContext extends WorkspaceContext {
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
  options: {
    /** Leaves the schema as it is: for `doctor`. */
    asIs?: boolean
    /** The verb heeds `interrupt` itself and ends in its own order. */
    drains?: boolean
    /**
     * While it says so, an interrupt cancels no statement: the verb ends in its own order what nobody could take back, and
     * sees to it that this is soon.
     */
    spares?: () => boolean
    /** Another schema than the workspace's, such as that of a replay: one that is there. */
    schema?: string | undefined
  } = {},
): Promise<T> {
  const context = await openWorkspace(invocation)
  const schema = options.schema ?? context.loaded.definition.database.schema
  return withDatabase(context, schema, async (database, engine, applicationName) => {
    const server = await answerOf(database, context)
    // A name that was mistyped must not make a schema, in which nothing ever happened.
    if (options.schema !== undefined && schema !== context.loaded.definition.database.schema) {
      await assertSchema(database)
    }
    if (!options.asIs) await migrate(database)
    const engineOf = { kind: engine, version: server.version }
    const opened = { ...context, database, engine: engineOf, ...(await clockOf(database, context, options)) }
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
  { clock }: WorkspaceContext,
  { asIs }: { asIs?: boolean },
): Promise<Pick<DatabaseContext, 'clock' | 'sharedClock'>> {
  if (clock !== systemClock || asIs) return { clock }
  const shared = await openSharedClock(database, clock)
  return { clock: shared, sharedClock: shared }
}

/** Milliseconds of silence that nobody wonders about. */
const QUIET_MS = 3000

/** A server that takes the connection and says nothing is waited for up to half a minute: in that time it is named. */
async function answerOf(database: Database, { output }: WorkspaceContext) {
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

async function withDatabase<T>(
  context: WorkspaceContext,
  schema: string,
  work: (database: Database, engine: Engine['kind'], applicationName: string) => Promise<T>,
): Promise<T> {
  const settings = context.loaded.definition.database
  // Tells our own connections from those of every other process, whatever machine or container it runs in.
  const applicationName = `winback ${process.pid} ${randomBytes(6).toString('hex')}`
  const open = (url: string) => connect(url, { schema, applicationName })
  if (settings.url !== undefined) {
    const database = open(settings.url)
    try {
      return await work(database, 'yours', applicationName)
    } finally {
      await database.close()
    }
  }
  const directory = embeddedDirectory(context.loaded.directory)
  if (!(await exists(directory))) {
    const { output } = context
    output.note(
      output.language === 'en'
        ? 'Setting up the embedded database (once) …'
        : '正在建立内置数据库（仅首次）…',
    )
  }
  const onTrouble = (error: unknown) => context.output.warn(messageOf(error))
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
