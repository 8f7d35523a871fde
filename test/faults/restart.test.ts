import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect, type Database, execute, rows } from '../../src/database/connect.ts'
import { type Embedded, openEmbedded } from '../../src/database/embedded.ts'
import { migrate } from '../../src/database/migrate.ts'
import { isOutage } from '../../src/database/outage.ts'
import { eventually } from '../support/eventually.ts'
import { killProcesses } from '../support/processes.ts'
import { type RedisServer, redisUrl, startRedis } from '../support/redis.ts'
import { openScene, type Scene, WIDTH } from '../support/scene.ts'

// Real processes, which start slowly where the machine is busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })

const PEOPLE = 90

describe('a PostgreSQL that goes away and comes back', () => {
  let directory: string
  let server: Embedded
  let database: Database | undefined
  let scene: Scene | undefined
  let redis: RedisServer | undefined

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'winback-restart-'))
    // As root, the server runs under another account, which has to get in.
    chmodSync(directory, 0o711)
    server = await openEmbedded({ directory, durable: false })
  })
  afterAll(async () => {
    await killProcesses()
    await scene?.close()
    await redis?.stop()
    await database?.close()
    await server.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** The postmaster of now: each restart has another. */
  const postmaster = () => Number(readFileSync(join(directory, 'data/postmaster.pid'), 'utf8').split('\n')[0])

  async function restart(database: Database, signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const before = postmaster()
    process.kill(before, signal)
    await eventually(
      'another postmaster answers',
      async () => {
        try {
          await rows(database, sql`SELECT 1`)
          return postmaster() !== before
        } catch (error) {
          if (isOutage(error) || (error instanceof Error && 'code' in error && error.code === 'ENOENT'))
            return false
          throw error
        }
      },
      (back) => back,
    )
  }

  describe.each(['postgres', 'redis'] as const)('with the queue on %s', (kind) => {
    it.skipIf(kind === 'redis' && redisUrl() === undefined)(
      'in order or in a crash: nobody is lost, nobody is written to twice',
      async () => {
        database = connect(server.url, { max: 4 })
        await execute(database, sql`DROP SCHEMA IF EXISTS winback CASCADE`)
        await migrate(database)
        if (kind === 'redis') redis = await startRedis()
        scene = await openScene({
          database,
          engine: redis
            ? { kind: 'redis', url: redis.url, prefix: '{restart}' }
            : { kind: 'postgres', url: server.url, schema: 'winback_queue' },
        })
        await scene.start('scheduler')
        await Promise.all([scene.start('worker'), scene.start('worker')])
        await scene.wave(PEOPLE)
        await scene.received(20)
        await restart(database, 'SIGINT')
        await scene.received(50)
        await restart(database, 'SIGQUIT')
        // The scheduler has to be there still: what was queued before would go out without it.
        await scene.wave(20)
        const { sent } = await scene.settled(2 * WIDTH)
        expect(sent).toBeGreaterThanOrEqual(PEOPLE + 20 - 2 * WIDTH)
        await killProcesses()
        await scene.close()
        scene = undefined
        await database.close()
        database = undefined
      },
      240_000,
    )
  })
})
