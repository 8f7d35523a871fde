import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { codeOf, messageOf, WinbackError } from '../errors.ts'
import { dataOf, lastLines, makeData, passwordOf } from './embedded-data.ts'
import { type Home, openBinaries, openHome } from './embedded-home.ts'
import { takePort } from './embedded-port.ts'
import { isAlive, isLiving, startOf, takeLock } from './lock-file.ts'

/** A hold on the embedded server, shared by every process that works in the same directory. */
export interface Embedded {
  /** With the password: never printed. */
  readonly url: string
  /** Process id of the postmaster when it was opened. */
  readonly pid: number
  /** Lets go. Close your pools first: the last to leave stops the server. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  /** The project's own, such as `.winback/postgres`. Root's server may live elsewhere: see embedded-home.ts. */
  readonly directory: string
  /** False for tests alone: a crash of the machine may then lose the database. */
  readonly durable?: boolean
  /** Hears of each try to start a server anew that failed: another follows, for as long as it is held. */
  readonly onTrouble?: (error: unknown) => void
}

const KEEPER = 'winback keeper'
/** Milliseconds: crash recovery may have a gigabyte of log to go through. */
const START_PATIENCE = 300_000
const STOP_PATIENCE = 120_000
const LOG_LIMIT = 10_000_000
/** Milliseconds before another try to start a server that died: the first time, and at most. */
const RETRY = { first: 500, longest: 30_000 }

/**
 * Opens the embedded PostgreSQL in `directory`: makes it the first time, starts it where it is down, waits where
 * another process is starting or stopping it, and joins it where it runs. While open, the hold is one idle
 * connection; should the server die, it is started again on the same port, and tried again where that fails.
 * @throws WinbackError `database.embedded` with the last lines of the server's log and a remedy
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const home = openHome(options.directory)
  const { durable = true, onTrouble = () => {} } = options
  let keeper: Keeper | undefined
  let holding: Promise<Running>
  let stopped = false

  /** @param port the only one it may run on, of pools that are open */
  const hold = async (port?: number): Promise<Running> => {
    const release = await writing(home, () => takeLock(join(home.directory, 'lock'), START_PATIENCE))
    try {
      const server = await writing(home, () => ensureRunning(home, durable, port))
      keeper = server.keeper
      keeper.client.on('error', () => {})
      keeper.client.on('end', () => {
        if (stopped) return
        holding = holdAgain(server.port)
        holding.catch(() => {})
      })
      return server
    } finally {
      release()
    }
  }
  const holdAgain = async (port: number): Promise<Running> => {
    for (let pause = RETRY.first; ; pause = Math.min(2 * pause, RETRY.longest)) {
      try {
        return await hold(port)
      } catch (error) {
        if (stopped) throw error
        onTrouble(error)
        await delay(pause, undefined, { signal: leaving.signal }).catch(() => {})
        if (stopped) throw error
      }
    }
  }
  const leaving = new AbortController()

  holding = hold()
  const server = await holding
  return {
    url: server.url,
    pid: server.pid,
    stop: async () => {
      if (stopped) return
      stopped = true
      leaving.abort()
      // Being started again, it would be held by nobody who lets go.
      await holding.catch(() => {})
      await letGo(home, keeper)
    },
  }
}

interface Running {
  readonly url: string
  readonly pid: number
  readonly port: number
  readonly keeper: Keeper
}

/** The connection that tells other processes the server is in use. It alone keeps no process alive. */
interface Keeper {
  readonly client: pg.Client
  readonly socket: Socket
}

/** Called with the lock held. */
async function ensureRunning(home: Home, durable: boolean, wanted?: number): Promise<Running> {
  const password = passwordOf(home)
  const deadline = performance.now() + START_PATIENCE
  let begun: Begun | undefined
  for (;;) {
    const postmaster = postmasterOf(home)
    if (postmaster) {
      const { pid, port } = postmaster
      if (wanted !== undefined && port !== wanted) {
        throw broken(
          home,
          `the embedded PostgreSQL runs on port ${port} by now, not on ${wanted}: start anew`,
        )
      }
      const url = urlOf(port, password)
      const keeper = await tryConnect(url)
      if (keeper) return { url, pid, port, keeper }
    } else {
      await begun?.fate()
      if (!existsSync(dataOf(home))) await makeData(home, password, durable)
      begun = await start(home, durable, wanted)
    }
    if (performance.now() > deadline) {
      throw broken(home, 'the embedded PostgreSQL did not come up in time')
    }
    await delay(30)
  }
}

/** Connects, or undefined while the server is on its way up or down. */
async function tryConnect(url: string): Promise<Keeper | undefined> {
  const socket = new Socket()
  const client = new pg.Client({
    connectionString: url,
    application_name: KEEPER,
    connectionTimeoutMillis: 5000,
    keepAlive: true,
    stream: () => socket,
  })
  try {
    await client.connect()
    socket.unref()
    return { client, socket }
  } catch (cause) {
    client.on('error', () => {})
    await client.end().catch(() => {})
    if (cause instanceof pg.DatabaseError && cause.code === '28P01') {
      throw new WinbackError('database.embedded', 'the embedded PostgreSQL refuses its own password', {
        remedy: 'The file "password" beside the data was changed or replaced: put it back.',
        cause,
      })
    }
    return undefined
  }
}

/** A postmaster that has written its pid file. It may end all the same before it lets anybody in: over damaged data, for one. */
interface Begun {
  /** Waits for its end. @throws WinbackError `database.embedded` where another try would end likewise */
  fate(): Promise<void>
}

/** Starts the postmaster and waits until it has written its pid file or ended. */
async function start(home: Home, durable: boolean, wanted?: number): Promise<Begun> {
  const port = await takePort(join(home.directory, 'server.json'), wanted)
  if (port === undefined) {
    const taken = `something else has taken port ${wanted} of the embedded PostgreSQL`
    throw broken(home, wanted === undefined ? 'no TCP port is free on 127.0.0.1' : taken)
  }
  const log = join(home.directory, 'server.log')
  if (existsSync(log) && statSync(log).size > LOG_LIMIT) renameSync(log, `${log}.1`)
  const before = existsSync(log) ? statSync(log).size : 0
  const out = openSync(log, 'a', 0o600)
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    shared_buffers: '128MB',
    // PostgreSQL's own. Six processes ask for ninety between them at most.
    max_connections: 100,
    max_wal_size: '2GB',
    // A look-up by key costs hardly more than a row of a scan: the disks of today, and mostly memory.
    random_page_cost: '1.1',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] ',
    synchronous_commit: 'on',
    // A test run opens a pool for each of its databases, and may keep its data in memory.
    ...(durable
      ? {}
      : { fsync: 'off', full_page_writes: 'off', max_connections: 200, max_wal_size: '512MB' }),
  }
  const server = spawn(
    join(openBinaries(home), 'bin', 'postgres'),
    ['-D', dataOf(home), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      ...home.account,
      cwd: '/',
      // A session of its own: Ctrl-C must not stop the database before we have drained.
      detached: true,
      stdio: ['ignore', out, out],
      env: { LC_ALL: 'C', TZ: 'UTC' },
    },
  )
  closeSync(out)
  let over = false
  const ended = new Promise<string>((resolve) => {
    server.once('exit', (code, signal) => resolve(`it ended with ${signal ?? code}`))
    server.once('error', (error) => resolve(error.message))
  }).finally(() => {
    over = true
  })
  const fate = async () => {
    server.ref()
    const how = await ended
    // Backends that outlive a killed postmaster keep its memory for a moment; another start may have won.
    const said = readFileSync(log).subarray(before).toString()
    if (!/pre-existing shared memory block|lock file "postmaster.pid" already exists/.test(said)) {
      throw broken(home, `the embedded PostgreSQL did not start: ${how}`)
    }
    await delay(200)
  }
  while (!over && postmasterOf(home)?.pid !== server.pid) await delay(10)
  server.unref()
  return { fate }
}

/** Stops the server unless another process holds it or works on it. */
async function letGo(home: Home, keeper: Keeper | undefined): Promise<void> {
  // From here on its answers are awaited: without this, the process may end in the middle.
  keeper?.socket.ref()
  const release = await writing(home, () => takeLock(join(home.directory, 'lock'), STOP_PATIENCE)).catch(
    async (error: unknown) => {
      await keeper?.client.end().catch(() => {})
      throw error
    },
  )
  try {
    const postmaster = postmasterOf(home)
    if (!postmaster || !keeper) return
    const last = await isLast(keeper.client)
    await keeper.client.end().catch(() => {})
    if (!last) return
    // Fast shutdown: sessions are ended, a checkpoint is written.
    const server = { pid: postmaster.pid, started: startOf(postmaster.pid) }
    process.kill(postmaster.pid, 'SIGINT')
    const deadline = performance.now() + STOP_PATIENCE
    // It removes its pid file a moment before it ends, and forgets what it was started with before it lets go of
    // its port: its end alone tells that both are free.
    while (postmasterOf(home) || isLiving(server)) {
      if (performance.now() > deadline) throw broken(home, 'the embedded PostgreSQL did not stop in time')
      await delay(20)
    }
  } finally {
    release()
  }
}

async function isLast(keeper: pg.Client): Promise<boolean> {
  // A pool that was closed a moment ago may still show; someone's psql stays.
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const found = await keeper
      .query<{ keepers: number; others: number }>(
        `SELECT count(*) FILTER (WHERE application_name = $1)::int AS keepers,
                count(*) FILTER (WHERE application_name <> $1)::int AS others
         FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
        [KEEPER],
      )
      .catch(() => undefined)
    const count = found?.rows[0]
    if (!count || count.keepers > 0) return false
    if (count.others === 0) return true
    await delay(50)
  }
  return false
}

/** The living postmaster, from its pid file; undefined where there is none. */
function postmasterOf(home: Home): { pid: number; port: number } | undefined {
  const file = join(dataOf(home), 'postmaster.pid')
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
  const [pid, , , port] = text.split('\n').map(Number)
  if (pid === undefined || !isAlive(pid)) return undefined
  if (!isOurs(pid, dataOf(home))) {
    // It is dead, or its id went to another process, which PostgreSQL would take for a postmaster and refuse to
    // start. (Backends that outlive it still bar a second server: PostgreSQL finds their shared memory without this.)
    rmSync(file, { force: true })
    return undefined
  }
  return port ? { pid, port } : undefined
}

/**
 * Where the system says what a process runs: whether it runs on our data, by whatever name of its folder (through a link, or from
 * before it was renamed). A dead one not yet reaped does not.
 */
function isOurs(pid: number, data: string): boolean {
  if (process.platform !== 'linux') return true
  try {
    const [, flag, named] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    if (flag !== '-D') return false
    const here = folderAt(`/proc/${pid}/cwd`)
    // A server of another account shows its name alone.
    return here === undefined ? named === data : here === folderAt(data)
  } catch {
    return false
  }
}

/** Which folder of the machine a path leads to; undefined where that cannot be seen. */
function folderAt(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path)
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}

/** What is to be done where the system lets nobody write, by its code. */
const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOENT: 'The folder was renamed or taken away while it was worked on: run this again from where it is now.',
  ENOSPC: 'Make room on its disk, and run this again: what is in the database stays as it is.',
  EDQUOT: 'Make room, or have the quota raised, and run this again: what is in the database stays as it is.',
  EROFS: 'Have it writable (remount its disk), or set DATABASE_URL to a PostgreSQL of your own.',
  EACCES: 'Run as the account whose it is, or set DATABASE_URL to a PostgreSQL of your own.',
  EPERM: 'Run as the account whose it is, or set DATABASE_URL to a PostgreSQL of your own.',
}

/** Says of what cannot be written where, and what is to be done. @throws WinbackError `database.embedded` */
async function writing<Result>(home: Home, work: () => Promise<Result>): Promise<Result> {
  return await work().catch((cause: unknown) => {
    const remedy = cause instanceof WinbackError ? undefined : UNWRITABLE[codeOf(cause)]
    if (remedy === undefined) throw cause
    const what = `the embedded PostgreSQL cannot write to ${home.directory}: ${messageOf(cause)}`
    throw new WinbackError('database.embedded', what, { remedy, cause })
  })
}

function broken(home: Home, what: string): WinbackError {
  const log = join(home.directory, 'server.log')
  const said = existsSync(log) ? lastLines(readFileSync(log, 'utf8')) : ''
  return new WinbackError('database.embedded', said === '' ? what : `${what}\n${said}`, {
    location: { file: log },
    remedy: 'Mend what its log names, or set DATABASE_URL to a PostgreSQL of your own.',
  })
}

function urlOf(port: number, password: string): string {
  return `postgres://winback:${password}@127.0.0.1:${port}/postgres`
}
