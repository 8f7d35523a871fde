import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { openQueue } from '../../src/touchpoints/queue/queue.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { killProcesses, type WorkerProcess } from '../support/processes.ts'
import { type RedisServer, redisUrl, startRedis } from '../support/redis.ts'
import { openScene, type Scene, WIDTH } from '../support/scene.ts'

// Real processes, which start slowly where the machine is busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })

const PEOPLE = 90

describe.each(['postgres', 'redis'] as const)('with the queue on %s', (kind) => {
  const missing = kind === 'redis' && redisUrl() === undefined
  let scene: Scene
  let engine: Engine
  let redis: RedisServer | undefined
  let workers: [WorkerProcess, WorkerProcess]
  let scheduler: WorkerProcess

  beforeAll(async () => {
    if (missing) return
    const database = await freshDatabase({ max: 4 })
    if (kind === 'redis') redis = await startRedis()
    engine = redis
      ? { kind: 'redis', url: redis.url, prefix: '{faults}' }
      : { kind: 'postgres', url: database.url, schema: 'winback_queue' }
    scene = await openScene({ database, engine })
    scheduler = await scene.start('scheduler')
    workers = await Promise.all([scene.start('worker'), scene.start('worker')])
  })
  afterAll(async () => {
    if (missing) return
    await killProcesses()
    await scene.close()
    await redis?.stop()
  })

  it.skipIf(missing)('a worker that is killed loses nobody and repeats nobody', async () => {
    await scene.wave(PEOPLE)
    await scene.received(20)
    await workers[0].kill()
    workers[0] = await scene.start('worker')
    await scene.received(50)
    await workers[1].kill()
    workers[1] = await scene.start('worker')
    const { sent } = await scene.settled(2 * WIDTH)
    expect(sent).toBeGreaterThanOrEqual(PEOPLE - 2 * WIDTH)
  })

  it.skipIf(missing)('a scheduler that is killed is replaced by any other', async () => {
    await scene.wave(PEOPLE)
    await scene.received(10)
    await scheduler.kill()
    scheduler = await scene.start('scheduler')
    await scene.settled(2 * WIDTH)
  })

  it.skipIf(missing)('a worker that blocks past its lock and its leases does nothing twice', async () => {
    const before = await scene.settled(2 * WIDTH)
    await scene.wave(PEOPLE)
    await scene.received(15)
    workers[0].order({ order: 'block', milliseconds: 4500 })
    await eventually(
      'it blocks',
      () => workers[0].notes.some((note) => note.event === 'blocking'),
      (blocks) => blocks,
    )
    await scene.settled(before.uncertain + WIDTH)
    // It is alive, and goes on as if nothing had been.
    await workers[1].kill()
    await scene.wave(20)
    await scene.settled(before.uncertain + 2 * WIDTH)
    workers[1] = await scene.start('worker')
  })

  it.skipIf(missing)('a queue that is flushed again and again is filled again', async () => {
    const before = await scene.settled(4 * WIDTH)
    await scene.wave(PEOPLE)
    const queue = await openQueue(engine, () => {})
    for (const arrived of [10, 40, 70]) {
      await scene.received(arrived)
      await queue.flush()
    }
    await queue.close()
    expect((await scene.settled(before.uncertain)).uncertain).toBe(before.uncertain)
  })

  it.skipIf(missing || kind !== 'redis')('a Redis that dies and comes back empty', async () => {
    const before = await scene.settled(4 * WIDTH)
    await scene.wave(PEOPLE)
    await scene.received(20)
    const port = redis?.port ?? 0
    await redis?.stop()
    redis = await startRedis({ port })
    expect((await scene.settled(before.uncertain)).uncertain).toBe(before.uncertain)
  })
})
