import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import {
  batchOf,
  type Engine,
  type Job,
  type JobQueue,
  jobOf,
  openQueue,
  startWorker,
} from '../../src/touchpoints/queue.ts'
import { freshDatabase } from '../support/database.ts'
import { hasRedis, type RedisServer, startRedis } from '../support/redis.ts'

// One suite over every kind of engine, each a real server of the test's own.

const servers: RedisServer[] = []
afterAll(async () => {
  // Sentinels first: they would look for their master.
  for (const server of servers.reverse()) await server.stop()
})

async function redis(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const server = await startRedis(options)
  servers.push(server)
  return server
}

async function single(): Promise<Engine> {
  return { kind: 'redis', url: (await redis()).url, prefix: '{winback}' }
}

/** One node that holds all slots: it refuses commands across slots like a larger cluster does. */
async function cluster(): Promise<Engine> {
  const node = await redis({ arguments: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] })
  const client = new Redis(node.url)
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  for (let state = ''; !state.includes('cluster_state:ok'); )
    state = String(await client.call('CLUSTER', 'INFO'))
  client.disconnect()
  const host = `127.0.0.1:${node.port}`
  return { kind: 'redis', url: `redis://${host},${host}`, prefix: '{winback}' }
}

async function sentinel(): Promise<Engine> {
  const master = await redis()
  const config = `sentinel monitor shop 127.0.0.1 ${master.port} 1\n`
  const watcher = await redis({ config, arguments: ['--sentinel'] })
  return { kind: 'redis', url: `redis+sentinel://127.0.0.1:${watcher.port}/shop`, prefix: '{winback}' }
}

async function postgres(): Promise<Engine> {
  return { kind: 'postgres', url: (await freshDatabase()).url, schema: 'winback_queue' }
}

const fail = (error: Error) => {
  throw error
}

it('names any rows in a job, in their order', () => {
  const key = fc.record({ contactId: fc.maxSafeNat(), touchpointId: fc.maxSafeNat() })
  fc.assert(
    fc.property(fc.array(key), (keys) => {
      expect(batchOf(jobOf({ stepId: 7, keys }))).toEqual({ stepId: 7, keys })
      const rated = { stepId: 7, keys, ratedOn: '2026-03-02' }
      expect(batchOf(jobOf(rated))).toEqual(rated)
    }),
  )
})

describe.each([
  { name: 'PostgreSQL', open: postgres, here: true },
  { name: 'Redis', open: single, here: hasRedis() },
  { name: 'Redis Cluster', open: cluster, here: hasRedis() },
  { name: 'Redis Sentinel', open: sentinel, here: hasRedis() },
])('the queue on $name', ({ open, here }) => {
  it.skipIf(!here)('hands every job to a worker once, keeps nothing, and can be thrown away', async () => {
    const engine = await open()
    const queue: JobQueue = await openQueue(engine, fail)
    const jobs: Job[] = Array.from({ length: 7 }, (_, stepId) =>
      jobOf({
        stepId,
        keys: [
          { contactId: 40 + stepId, touchpointId: 900 },
          { contactId: 3, touchpointId: 10 ** 12 + stepId },
        ],
      }),
    )
    await queue.add(jobs)
    expect(await queue.waiting()).toBe(7)

    const taken: Job[] = []
    let finish = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const worker = startWorker(engine, { concurrency: 2, onError: fail }, async (job) => {
      taken.push(job)
      if (taken.length === jobs.length) finish()
    })
    await finished
    await worker.close()
    expect(taken.toSorted((a, b) => a.stepId - b.stepId)).toEqual(jobs)
    expect(taken.flatMap((job) => batchOf(job).keys).map((key) => key.touchpointId)).toContain(10 ** 12 + 6)
    expect(await queue.waiting()).toBe(0)

    await queue.add(jobs)
    await queue.flush()
    expect(await queue.waiting()).toBe(0)
    await queue.close()
  })
})

it.each<{ variable: string; engine: Engine }>([
  {
    variable: 'DATABASE_URL',
    engine: { kind: 'postgres', url: 'postgres://nobody@127.0.0.1:1/none', schema: 'winback_queue' },
  },
  { variable: 'REDIS_URL', engine: { kind: 'redis', url: 'redis://127.0.0.1:1', prefix: '{winback}' } },
])('says to look at $variable when the engine is not there', async ({ engine, variable }) => {
  await expect(openQueue(engine, () => {}, 0.5)).rejects.toMatchObject({
    code: 'queue.unreachable',
    remedy: expect.stringContaining(variable),
  })
})
