import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { readQueues } from '../../src/reports/queues.ts'
import { watchQueues } from '../../src/service/queue-processes.ts'
import { startScheduler } from '../../src/service/scheduler.ts'
import { startSending } from '../../src/service/sending.ts'
import type { ServiceEvents } from '../../src/service/service.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { redisUrl } from '../support/redis.ts'
import { openShop } from '../support/shop.ts'

const POSTGRES: Engine = { kind: 'postgres', url: 'postgres://db/shop', schema: 'winback_queue' }
const REDIS: Engine = { kind: 'redis', url: 'redis://:hidden@cache.internal:6379/1', prefix: '{shop}' }
const PACE = { look: 20, gap: 0 }

it('a scheduler says once that it is alone, once that its worker is at another queue, and once that they are together', async () => {
  const database = await freshDatabase()
  const told: unknown[] = []
  const tooSoon: unknown[] = []
  let theirs = 'redis id'
  const scheduler = { role: 'scheduler', engine: POSTGRES, queueId: async () => 'postgres' } as const
  const worker = { role: 'worker', engine: REDIS, queueId: async () => theirs } as const
  const watches = [watchQueues({ database }, scheduler, (gap) => told.push(gap), PACE)]
  const heard = (count: number) =>
    eventually(
      `${count} gaps told`,
      () => told.length,
      (found) => found === count,
    )
  await heard(1)
  watches.push(
    // So soon, the row may be that of one that was killed.
    watchQueues({ database }, worker, (gap) => tooSoon.push(gap), { look: 20, gap: 3_600_000 }),
  )
  await heard(2)
  const since = async (moment: Date) =>
    rows(database, sql`SELECT FROM queue_processes WHERE seen_at > ${moment}`)
  const looks = async () => {
    for (let n = 0; n < 3; n += 1) {
      const [now] = await rows<{ at: Date }>(database, sql`SELECT clock_timestamp() AS at`)
      await eventually(
        'both have looked',
        () => since(now?.at ?? new Date()),
        ({ length }) => length === 2,
      )
    }
  }
  await looks()
  const mine = { engine: 'postgres', place: '', schedulers: [expect.any(String)], workers: [] }
  const other = {
    engine: 'redis',
    place: 'cache.internal:6379/1 {shop}',
    schedulers: [],
    workers: [expect.any(String)],
  }
  expect(told).toEqual([
    { kind: 'no_worker', queues: [mine] },
    { kind: 'apart', queues: [mine, other] },
  ])
  theirs = 'postgres'
  await looks()
  expect(told.slice(2)).toEqual([undefined])
  expect(tooSoon).toEqual([])
  for (const watch of watches) await watch.stop()
  expect(await readQueues(database)).toEqual([])
})

it('one that was killed is believed to run for a minute, and then forgotten', async () => {
  const database = await freshDatabase()
  await execute(
    database,
    sql`INSERT INTO queue_processes (process_id, role, host, engine, place, queue_id, seen_at)
      SELECT gen_random_uuid(), 'worker', 'b', 'redis', 'cache:6379 {winback}', 'x', clock_timestamp() - make_interval(secs => ago)
      FROM unnest('{59, 61, 7200}'::int[]) AS ago`,
  )
  expect(await readQueues(database)).toHaveLength(1)
  await execute(
    database,
    sql`DELETE FROM queue_processes WHERE seen_at > clock_timestamp() - make_interval(secs => 60)`,
  )
  expect(await readQueues(database)).toEqual([])
  const mine = { role: 'scheduler', engine: POSTGRES, queueId: async () => 'postgres' } as const
  const told: unknown[] = []
  const watch = watchQueues({ database }, mine, (gap) => told.push(gap), PACE)
  const left = await eventually(
    'the old one is forgotten',
    () => rows<{ role: string }>(database, sql`SELECT role FROM queue_processes ORDER BY role`),
    (found) => found.length === 2 && found[0]?.role === 'scheduler',
  )
  await watch.stop()
  expect(left).toEqual([{ role: 'scheduler' }, { role: 'worker' }])
  // The worker of a minute ago does not count.
  expect(told).toMatchObject([{ kind: 'no_worker' }])
})

it.skipIf(redisUrl() === undefined)(
  'a service says which queue it has, and leaves no word behind',
  async () => {
    const database = await freshDatabase()
    const { runtime } = await openShop({ database, clock: manualClock(new Date()), channels: [] })
    const told: Parameters<NonNullable<ServiceEvents['onGap']>>[0][] = []
    const events: ServiceEvents = {
      onError: () => {},
      onBatch: () => {},
      onRun: () => {},
      onSweep: () => {},
      onGap: (gap) => told.push(gap),
    }
    const pace = { idle: 1000, busy: 40, sweep: 60_000, age: 60_000, queues: PACE }
    const here: Engine = { kind: 'postgres', url: database.url, schema: `${database.schema}_queue` }
    const there: Engine = { kind: 'redis', url: redisUrl() ?? '', prefix: '{apart}' }
    const services = [
      await startScheduler(runtime, here, events, { pace }),
      await startSending(runtime, there, events),
    ]
    const heard = await eventually(
      'they are apart',
      () => told.find((gap) => gap?.kind === 'apart'),
      (said) => said !== undefined,
    )
    for (const service of services) await service.close()
    expect(heard).toMatchObject({
      queues: [
        { engine: 'postgres', workers: [] },
        { engine: 'redis', schedulers: [], place: expect.stringMatching(/^127\.0\.0\.1:\d+ \{apart\}$/) },
      ],
    })
    expect(await rows(database, sql`SELECT FROM queue_processes`)).toEqual([])
    await runtime.close()
  },
)
