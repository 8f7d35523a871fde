import { once } from 'node:events'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { sql } from 'drizzle-orm'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { execute, rows, transaction } from '../../../src/database/connect.ts'
import type { Engine } from '../../../src/touchpoints/queue/engine.ts'
import { startWorker } from '../../../src/touchpoints/queue/job-worker.ts'
import { batchOf, type Job, jobOf } from '../../../src/touchpoints/queue/jobs.ts'
import { type JobQueue, openQueue } from '../../../src/touchpoints/queue/queue.ts'
import { freshDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { hasRedis, type RedisServer, startRedis } from '../../support/redis.ts'
import { startTrouble } from '../../support/tls.ts'

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

/** Both have the password, as charts set them up. */
async function sentinel(): Promise<Engine> {
  const master = await redis({ arguments: ['--requirepass', 'p/w'] })
  const config = `sentinel monitor shop 127.0.0.1 ${master.port} 1\nsentinel auth-pass shop p/w\nrequirepass p/w\n`
  const watcher = await redis({ config, arguments: ['--sentinel'] })
  return { kind: 'redis', url: `redis+sentinel://:p%2Fw@127.0.0.1:${watcher.port}/shop`, prefix: '{winback}' }
}

async function postgres(): Promise<Engine> {
  return { kind: 'postgres', url: (await freshDatabase()).url, schema: 'winback_queue' }
}

const fail = (error: Error) => {
  throw error
}

/** An engine that answers and refuses to hand out jobs, until it is allowed to. */
interface Refusing {
  readonly engine: Engine
  allow(): Promise<unknown>
}

async function refusingPostgres(): Promise<Refusing> {
  const database = await freshDatabase()
  const engine: Engine = { kind: 'postgres', url: database.url, schema: 'winback_queue' }
  await (await openQueue(engine, fail)).close()
  const rename = (from: string, to: string) =>
    execute(
      database,
      sql`DO ${sql.raw(`$$ DECLARE found regprocedure; BEGIN
          FOR found IN SELECT oid FROM pg_proc WHERE proname = '${from}' AND pronamespace = 'winback_queue'::regnamespace
          LOOP EXECUTE format('ALTER FUNCTION %s RENAME TO ${to}', found); END LOOP; END $$`)}`,
    )
  await rename('move_to_active', 'put_away')
  return { engine, allow: () => rename('put_away', 'move_to_active') }
}

async function refusingRedis(): Promise<Refusing> {
  const server = await redis({ arguments: ['--min-replicas-to-write', '1'] })
  const allow = async () => {
    const client = new Redis(server.url)
    await client.config('SET', 'min-replicas-to-write', '0')
    client.disconnect()
  }
  return { engine: { kind: 'redis', url: server.url, prefix: '{winback}' }, allow }
}

describe.each([
  { name: 'PostgreSQL', open: postgres, here: true },
  { name: 'Redis', open: single, here: hasRedis() },
  { name: 'Redis Cluster', open: cluster, here: hasRedis() },
  { name: 'Redis Sentinel', open: sentinel, here: hasRedis() },
])('the queue on $name', ({ open, here }) => {
  it.skipIf(!here)('hands every job to a worker once, keeps nothing, and can be thrown away', async () => {
    const engine = await open()
    const queue: JobQueue = await openQueue(engine, fail)
    const known = await queue.id()
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
    expect(await worker.queueId()).toBe(known)
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

it('a queue that gives way to a worker while it is flushed is flushed after it', async () => {
  const database = await freshDatabase()
  // Whoever has waited the longest looks for a deadlock first: long enough for the other to bring it about.
  const patient = `${database.url}?options=${encodeURIComponent('-c deadlock_timeout=3s')}`
  const queue = await openQueue({ kind: 'postgres', url: patient, schema: 'winback_queue' }, fail)
  await queue.add([jobOf({ stepId: 1, keys: [] })])
  const flushing = await transaction(database, async (tx) => {
    await execute(tx, sql`SET LOCAL deadlock_timeout = '1h'`)
    await execute(tx, sql`SELECT nextval('winback_queue.bullmq_jid_' || md5('touchpoints'))`)
    const flushed = queue.flush()
    flushed.catch(() => {})
    await eventually(
      'it waits for the sequence',
      () =>
        rows(
          database,
          sql`SELECT FROM pg_locks JOIN pg_database d ON d.oid = database
            WHERE NOT granted AND locktype = 'relation' AND datname = current_database()`,
        ),
      (waiting) => waiting.length > 0,
    )
    await execute(tx, sql`SELECT FROM winback_queue.meta FOR UPDATE`)
    return { flushed }
  })
  await flushing.flushed
  expect(await queue.waiting()).toBe(0)
  await queue.close()
})

it.skipIf(!hasRedis())(
  'a queue on Redis is the same by whatever name, and another by another prefix',
  async () => {
    const { port } = await redis()
    const ids: string[] = []
    for (const [host, prefix] of [
      ['127.0.0.1', '{winback}'],
      ['localhost', '{winback}'],
      ['127.0.0.1', '{shop}'],
    ] as const) {
      const queue = await openQueue({ kind: 'redis', url: `redis://${host}:${port}`, prefix }, fail)
      ids.push(await queue.id())
      await queue.close()
    }
    expect(ids[1]).toBe(ids[0])
    expect(ids[2]).not.toBe(ids[0])
  },
)

it.skipIf(!hasRedis())('a primary that becomes a replica is left for the one its name leads to', async () => {
  const [primary, other] = [await redis(), await redis()]
  // As a name that a provider points elsewhere: who is connected stays where they are.
  let port = primary.port
  const name = createServer((from) => {
    const to = dial(port, '127.0.0.1')
    for (const [one, two] of [
      [from, to],
      [to, from],
    ] as const) {
      one.on('error', () => {}).on('close', () => two.destroy())
      one.pipe(two)
    }
  })
  await new Promise<void>((resolve) => name.listen(0, '127.0.0.1', resolve))
  const url = `redis://127.0.0.1:${(name.address() as AddressInfo).port}`
  const engine: Engine = { kind: 'redis', url, prefix: '{winback}' }
  const queue = await openQueue(engine, () => {})
  const taken: Job[] = []
  const worker = startWorker(engine, { concurrency: 1, onError: () => {} }, async (job) => {
    taken.push(job)
  })
  const job = jobOf({ stepId: 1, keys: [{ contactId: 1, touchpointId: 1 }] })
  const hand = async () => {
    await queue.add([job]).catch(() => {})
    return taken.length
  }
  await eventually('a job is taken', hand, (count) => count > 0)
  port = other.port
  const client = new Redis(primary.url)
  await client.call('REPLICAOF', '127.0.0.1', `${other.port}`)
  client.disconnect()
  const before = taken.length
  await eventually('one is taken from the new primary', hand, (count) => count > before)
  await worker.close()
  await queue.close()
  await new Promise((resolve) => name.close(resolve))
})

describe.each([
  { name: 'PostgreSQL', here: true, refusing: refusingPostgres },
  { name: 'Redis', here: hasRedis(), refusing: refusingRedis },
])('a queue on $name that refuses', ({ here, refusing }) => {
  it.skipIf(!here)(
    'is asked again a second later, and worked on as soon as it lets us',
    async () => {
      const { engine, allow } = await refusing()
      const refused: number[] = []
      const taken: Job[] = []
      const worker = startWorker(
        engine,
        { concurrency: 2, onError: () => refused.push(performance.now()) },
        async (job) => {
          taken.push(job)
        },
      )
      await eventually(
        'three refusals',
        () => refused.length,
        (count) => count >= 3,
      )
      expect((refused[2] ?? 0) - (refused[0] ?? 0)).toBeGreaterThan(1500)
      await allow()
      const queue = await openQueue(engine, () => {})
      const job = jobOf({ stepId: 1, keys: [{ contactId: 1, touchpointId: 2 }] })
      await queue.add([job])
      await eventually(
        'the job is taken',
        () => taken,
        (jobs) => jobs.length > 0,
      )
      expect(taken).toEqual([job])
      await worker.close()
      await queue.close()
    },
    60_000,
  )
})

it('a worker whose database lets nobody in when it starts works once it does', async () => {
  const [database, beside] = [await freshDatabase(), await freshDatabase()]
  const name = sql.identifier(new URL(database.url).pathname.slice(1))
  const engine: Engine = { kind: 'postgres', url: database.url, schema: 'winback_queue' }
  const queue = await openQueue(engine, fail)
  const job = jobOf({ stepId: 1, keys: [{ contactId: 1, touchpointId: 2 }] })
  await queue.add([job])
  await queue.close()
  await execute(beside, sql`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`)
  const refused: Error[] = []
  const taken: Job[] = []
  const onError = (error: Error) => refused.push(error)
  const worker = startWorker(engine, { concurrency: 1, onError }, async (each) => {
    taken.push(each)
  })
  await eventually(
    'it says that it was refused',
    () => refused.length,
    (count) => count > 0,
  )
  await execute(beside, sql`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`)
  await eventually(
    'the job is taken',
    () => taken,
    (jobs) => jobs.length > 0,
  )
  expect(taken).toEqual([job])
  await worker.close()
}, 60_000)

it('a worker that is ended while it begins leaves no connection: the embedded server would run on for it', async () => {
  const database = await freshDatabase()
  const url = new URL(database.url)
  const [there, host] = [Number(url.port), url.hostname]
  const open = new Set<Socket>()
  const way = createServer((one) => {
    open.add(one)
    const two = dial(there, host)
    two.on('error', () => {}).pipe(one)
    one
      .on('error', () => {})
      .on('close', () => {
        open.delete(one)
        two.destroy()
      })
    one.pipe(two)
  })
  await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve))
  const { port } = way.address() as AddressInfo
  url.host = `127.0.0.1:${port}`
  const engine: Engine = { kind: 'postgres', url: url.href, schema: 'winback_queue' }
  const queue = await openQueue(engine, fail)
  await queue.close()
  await startWorker(engine, { concurrency: 1, onError: fail }, async () => {}).close()
  // Whoever asked before was let in before.
  const last = dial(port, '127.0.0.1')
  await once(last, 'connect')
  last.destroy()
  await eventually(
    'all have left',
    () => open.size,
    (count) => count === 0,
    5,
  )
  await new Promise((resolve) => way.close(resolve))
}, 60_000)

it.skipIf(!hasRedis())(
  'ends though its Redis is gone for good',
  async () => {
    const server = await redis()
    const engine: Engine = { kind: 'redis', url: server.url, prefix: '{winback}' }
    const lost: Error[] = []
    const onError = (error: Error) => lost.push(error)
    const queue = await openQueue(engine, onError)
    const worker = startWorker(engine, { concurrency: 1, onError }, async () => {})
    await eventually(
      'the worker is there',
      () => queue.workers(),
      (count) => count === 1,
    )
    await server.stop()
    const asked = queue.waiting()
    queue.leave()
    await expect(asked).rejects.toThrow('the queue does not answer')
    await Promise.all([worker.close(), queue.close()])
  },
  60_000,
)

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

it('says how to have the certificate of the engine believed', async () => {
  const { port, stop } = await startTrouble('self')
  const engine: Engine = { kind: 'redis', url: `rediss://127.0.0.1:${port}`, prefix: '{winback}' }
  await expect(openQueue(engine, () => {}, 2)).rejects.toMatchObject({
    message: expect.stringContaining('self-signed certificate'),
    remedy: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
  })
  await stop()
})
