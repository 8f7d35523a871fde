import { spawn } from 'node:child_process'
import { accessSync, chmodSync, constants, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { connect, type Database } from '../src/database/connect.ts'
import { openEmbedded } from '../src/database/embedded.ts'
import { migrate } from '../src/database/migrate.ts'

// Where everything runs: one embedded PostgreSQL with its durable settings, one Redis, one directory, all new and
// all gone afterwards. Each repetition gets a database that is a copy of a prepared one, so that none meets the
// bloat of another.

/** The package's own directory, two steps above the compiled file. */
export const packageDirectory = fileURLToPath(new URL('../../', import.meta.url))

export interface Arena {
  readonly directory: string
  /** `18.0 (embedded)` */
  readonly postgres: string
  /** Undefined where redis-server is not installed. */
  readonly redisUrl: string | undefined
  /** A database that is migrated and empty, to be copied. */
  readonly migrated: string
  /** Makes a database, migrated and filled by `fill`, to be copied; returns its name. */
  prepare(name: string, fill: (database: Database) => Promise<void>): Promise<string>
  /** The URL of a fresh copy of a prepared database. */
  copy(prepared: string): Promise<string>
  /** An empty database without a schema. */
  empty(): Promise<string>
  drop(url: string): Promise<void>
  close(): Promise<void>
}

/**
 * Starts the servers in a temporary directory. `log` hears of what takes a while.
 * @param durable false where nothing is measured
 */
export async function openArena(log: (text: string) => void, durable: boolean): Promise<Arena> {
  linkAssets()
  const directory = mkdtempSync(join(tmpdir(), 'winback-bench-'))
  // As root, the server runs under another account, which has to get in.
  chmodSync(directory, 0o711)
  log('starting the embedded PostgreSQL')
  const server = await openEmbedded({ directory: join(directory, 'postgres'), durable })
  const redis = await startRedis(directory)
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  const version = await client.query<{ v: string }>(`SELECT current_setting('server_version') AS v`)
  let made = 0
  const urlOf = (name: string) => {
    const url = new URL(server.url)
    url.pathname = `/${name}`
    return url.href
  }
  const drop = (name: string) => client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
  const clone = (template: string, name: string) =>
    client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`)
  const migrated = 'migrated'
  await client.query(`CREATE DATABASE ${migrated}`)
  await change(urlOf(migrated), migrate)
  return {
    directory,
    postgres: `${version.rows[0]?.v ?? ''} (embedded)`,
    redisUrl: redis?.url,
    migrated,
    prepare: async (name, fill) => {
      const prepared = `prepared_${name}`
      await drop(prepared)
      await clone(migrated, prepared)
      await change(urlOf(prepared), fill)
      return prepared
    },
    copy: async (prepared) => {
      const name = `copy_${++made}`
      await clone(prepared, name)
      // The copy itself is not part of what is measured; nor is writing it out.
      await client.query('CHECKPOINT')
      return urlOf(name)
    },
    empty: async () => {
      const name = `copy_${++made}`
      await client.query(`CREATE DATABASE ${name}`)
      await client.query('CHECKPOINT')
      return urlOf(name)
    },
    drop: async (url) => {
      await drop(new URL(url).pathname.slice(1))
    },
    close: async () => {
      await client.end()
      await redis?.stop()
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Changes a database that copies are made of, and leaves it as its server would after a quiet night. */
async function change(url: string, act: (database: Database) => Promise<unknown>): Promise<void> {
  const database = connect(url)
  try {
    await act(database)
    await database.client.query('VACUUM (ANALYZE)')
  } finally {
    await database.close()
  }
}

/** The compiled copy of src/ looks for the migrations where the package's own would find them. */
export function linkAssets(): void {
  for (const name of ['migrations', 'templates']) {
    const link = fileURLToPath(new URL(`../${name}`, import.meta.url))
    if (!existsSync(link)) symlinkSync(join(packageDirectory, name), link)
  }
}

async function startRedis(directory: string): Promise<{ url: string; stop(): Promise<void> } | undefined> {
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'redis-server'))
    .find(isExecutable)
  if (path === undefined) return undefined
  const port = await freePort()
  const flags = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', directory]
  const server = spawn(path, ['--port', `${port}`, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()))
  await new Promise<void>((resolve, reject) => {
    server.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('Ready to accept connections')) resolve()
    })
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    stop: async () => {
      server.kill('SIGTERM')
      await ended
    },
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject()))
    })
  })
}
