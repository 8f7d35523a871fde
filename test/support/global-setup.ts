import { createHash } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
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
    redisUrl: string | null
  }
}

// Several runs may share one server: a name says which machine and process a database belongs to, so that each
// run drops its own and what dead runs of this machine have left behind.
const machine = `wbt_${createHash('sha256').update(hostname()).digest('hex').slice(0, 6)}`

/** Starts what the whole run shares: one PostgreSQL with a migrated template, and one Redis. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const prefix = `${machine}_${process.pid}`
  const server = await openServer()
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
  project.provide('redisUrl', redis?.url ?? null)
  return async () => {
    await drop(client, prefix)
    await client.end()
    await redis?.stop()
    await server.stop()
  }
}

async function openServer(): Promise<{ url: string; stop(): Promise<void> }> {
  if (process.env.DATABASE_URL) return { url: process.env.DATABASE_URL, stop: async () => {} }
  const directory = mkdtempSync(join(tmpdir(), 'winback-test-'))
  // As root, the server runs under another account, which has to get in.
  chmodSync(directory, 0o711)
  const server = await openEmbedded({ directory, durable: false })
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      rmSync(directory, { recursive: true, force: true })
    },
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
  const runs = new Set(
    rows.flatMap(({ datname }) => {
      const match = /^(wbt_[0-9a-f]{6})_(\d+)_/.exec(datname)
      return match?.[1] === machine ? [Number(match[2])] : []
    }),
  )
  for (const pid of runs) if (!alive(pid)) await drop(client, `${machine}_${pid}`)
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
  } catch {
    return false
  }
}
