import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs'
import { freemem, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { connect } from '../../src/database/connect.ts'
import { openEmbedded } from '../../src/database/embedded.ts'
import { migrate } from '../../src/database/migrate.ts'
import { hasRedis, type RedisServer, startRedis } from './redis.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    serverUrl: string
    prefix: string
    /** How a clone of the template is made. */
    cloning: 'FILE_COPY' | 'WAL_LOG'
    redisUrl: string | null
    /** Where programs lie that tests make of the sources and start: under node_modules, so that they find packages. */
    programs: string
  }
}

// Several runs may share one server: a name says which machine and process a database belongs to, so that each
// run drops its own and what dead runs of this machine have left behind.
const machine = `wbt_${createHash('sha256').update(hostname()).digest('hex').slice(0, 6)}`

const DIRECTORY = 'winback-test-'

/** Bytes: a run's databases, their log and the tests' files take less than half of it. */
const ROOM = 4 * 2 ** 30

/** Starts what the whole run shares: one PostgreSQL with a migrated template, and one Redis. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const prefix = `${machine}_${process.pid}`
  const room = openRoom(prefix)
  const server = await openServer(room)
  const redis = await openRedis()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await dropStale(client)
  await drop(client, prefix)
  await client.query(`CREATE DATABASE ${prefix}_template`)
  const url = new URL(server.url)
  url.pathname = `/${prefix}_template`
  const template = connect(url.href)
  await migrate(template)
  await template.close()
  project.provide('serverUrl', server.url)
  project.provide('prefix', prefix)
  project.provide('cloning', server.inMemory ? 'FILE_COPY' : 'WAL_LOG')
  project.provide('redisUrl', redis?.url ?? null)
  const programs = openPrograms(prefix)
  project.provide('programs', programs)
  return async () => {
    await drop(client, prefix)
    await client.end()
    await redis?.stop()
    await server.stop()
    rmSync(programs, { recursive: true, force: true })
    room.remove()
  }
}

/** The run's own directory: of the server's data, and of what tests and the programs they start keep for a while. */
interface Room {
  readonly directory: string
  readonly inMemory: boolean
  remove(): void
}

function openRoom(prefix: string): Room {
  const memory = inMemory()
  const place = memory ?? tmpdir()
  removeDead(place)
  const directory = mkdtempSync(join(place, `${DIRECTORY}${prefix}_`))
  // As root, the server runs under another account, which has to get in.
  chmodSync(directory, 0o711)
  const before = process.env.TMPDIR
  if (runsPrograms(directory)) {
    process.env.TMPDIR = join(directory, 'files')
    mkdirSync(process.env.TMPDIR)
  }
  return {
    directory,
    inMemory: memory !== undefined,
    remove: () => {
      if (before === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = before
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** Whether what lies there may be started, as some tests do: a container's memory is often mounted without. */
function runsPrograms(directory: string): boolean {
  const program = join(directory, 'program')
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
  const { status } = spawnSync(program)
  rmSync(program)
  return status === 0
}

function openPrograms(prefix: string): string {
  const place = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
  mkdirSync(place, { recursive: true })
  removeDead(place)
  return mkdtempSync(join(place, `${DIRECTORY}${prefix}_`))
}

interface Server {
  readonly url: string
  /** The run's own, with its files in memory. */
  readonly inMemory: boolean
  stop(): Promise<void>
}

async function openServer(room: Room): Promise<Server> {
  const { DATABASE_URL: shared } = process.env
  if (shared) return { url: shared, inMemory: false, stop: async () => {} }
  const directory = join(room.directory, 'postgres')
  mkdirSync(directory, { mode: 0o711 })
  const server = await openEmbedded({ directory, durable: false })
  await cheapen(server.url)
  return { url: server.url, inMemory: room.inMemory, stop: () => server.stop() }
}

/** Guards the password by one round of hashing in place of 4096: a third of what each of thousands of connections takes. */
async function cheapen(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('SET scram_iterations = 1')
  await client.query(`ALTER ROLE CURRENT_USER PASSWORD ${client.escapeLiteral(new URL(url).password)}`)
  await client.end()
}

/**
 * A file system in memory with room to spare. A clone of the template is a thousand files, which a disk's file system
 * is slow to make and remove: half of a test's processor time went there, and of one that makes a server two thirds.
 */
function inMemory(): string | undefined {
  const place = '/dev/shm'
  if (!existsSync(place)) return undefined
  const { bavail, bsize } = statfsSync(place)
  return Math.min(bavail * bsize, freemem()) > ROOM ? place : undefined
}

/** What killed runs have left: a server that misses its data ends by itself. */
function removeDead(place: string): void {
  for (const name of readdirSync(place)) {
    const pid = name.startsWith(DIRECTORY) ? pidOf(name.slice(DIRECTORY.length)) : undefined
    if (pid !== undefined && !alive(pid)) rmSync(join(place, name), { recursive: true, force: true })
  }
}

async function openRedis(): Promise<RedisServer | undefined> {
  if (hasRedis()) return startRedis()
  const advice = 'redis-server is not installed (apt-get install redis-server)'
  if (process.env.CI) throw new Error(`${advice}: in CI every engine is tested`)
  console.warn(`\n*** ${advice}: EVERY TEST OF THE REDIS ENGINE IS SKIPPED ***\n`)
  return undefined
}

async function dropStale(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ datname: string }>('SELECT datname FROM pg_database')
  const runs = new Set(rows.flatMap(({ datname }) => pidOf(datname) ?? []))
  for (const pid of runs) if (!alive(pid)) await drop(client, `${machine}_${pid}`)
}

/** The run of this machine that gave something this name. */
function pidOf(name: string): number | undefined {
  const match = /^(wbt_[0-9a-f]{6})_(\d+)_/.exec(name)
  return match?.[1] === machine ? Number(match[2]) : undefined
}

async function drop(client: pg.Client, prefix: string): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE starts_with(datname, $1 || '_')`,
    [prefix],
  )
  for (const { datname } of rows) await client.query(`DROP DATABASE IF EXISTS ${datname} WITH (FORCE)`)
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
