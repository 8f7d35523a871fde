import { sql } from 'drizzle-orm'
import { expect, it, vi } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { enqueueBatches, startScheduler, sumsWait } from '../../src/service/scheduler.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'

const HOURLY = oneTierCampaign('hourly', ['{ id: ping, channel: log }'], { schedule: '0 * * * *' })

it('links whom the countries that the workspace has by now make one', async () => {
  const shop = await openShop({
    database: await freshDatabase(),
    clock: manualClock(new Date('2026-03-02T09:00:00Z')),
    channels: [testChannel('callback')],
    workspace: `${WORKSPACE.trimEnd()}\n  callback: { country: "86" }\n`,
  })
  const { database, runtime } = shop
  await shop.importContacts([
    { external_id: 'a', phone: '13800138000' },
    { external_id: 'b', phone: '+8613800138000' },
  ])
  // As they were imported before.
  await execute(database, sql`UPDATE contacts SET whole_key = NULL, person_id = contact_id`)
  await execute(database, sql`DELETE FROM settings WHERE name = 'number_countries'`)
  const errors: unknown[] = []
  const scheduler = await startScheduler(
    runtime,
    { kind: 'postgres', url: database.url, schema: 'winback_queue' },
    {
      ...{ onRun: () => {}, onBatch: () => {}, onSweep: () => {} },
      onError: (where, error) => errors.push([where, error]),
    },
  )
  await eventually(
    'they are one person',
    () => rows(database, sql`SELECT DISTINCT person_id FROM contacts`),
    (persons) => persons.length === 1,
  )
  await scheduler.close()
  expect(errors).toEqual([])
})

it('looks for what is due each minute, also of a clock that was put back', async () => {
  const clock = manualClock(new Date('2026-03-02T07:30:00Z'))
  const shop = await openShop({ database: await freshDatabase(), clock, channels: [testChannel('log')] })
  await shop.apply(HOURLY)
  // The machine's clock, which gives the minutes; whatever waits goes on waiting in real time.
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-03-02T10:00:59.950Z') })
  const runs: Date[] = []
  const errors: unknown[] = []
  const scheduler = await startScheduler(
    shop.runtime,
    { kind: 'postgres', url: shop.database.url, schema: 'winback_queue' },
    {
      ...{ onRun: (_campaign, tick) => runs.push(tick), onBatch: () => {}, onSweep: () => {} },
      onError: (where, error) => errors.push([where, error]),
    },
    { pace: { idle: 50, busy: 20, sweep: 15_000, age: 3_600_000 } },
  )
  try {
    vi.setSystemTime(new Date('2026-03-02T09:00:59.950Z'))
    clock.set(new Date('2026-03-02T09:00:59.950Z'))
    await eventually(
      'the run at the start',
      () => runs.length,
      (count) => count === 1,
    )
    clock.set(new Date('2026-03-02T10:00:59.950Z'))
    await eventually(
      'the run of a minute',
      () => {
        // Fast, though no minute is missed.
        vi.setSystemTime(Date.now() + 400)
        return runs.length
      },
      (count) => count === 2,
    )
  } finally {
    vi.useRealTimers()
    await scheduler.close()
  }
  expect(runs).toEqual([new Date('2026-03-02T09:00:00Z'), new Date('2026-03-02T10:00:00Z')])
  expect(errors).toEqual([])
})

it('outlives a queue that refuses a batch while the next is taken, and tells of it', async () => {
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const shop = await openShop({
    database: await freshDatabase(),
    clock,
    channels: [testChannel('log')],
    workspace: `${WORKSPACE}rates: { log: { at_most: 3 per 1h } }\n`,
  })
  await shop.importContacts([{ external_id: 'a' }])
  await shop.importActivity([{ external_id: 'a', type: 'session', occurred_at: '2026-02-20T09:00:00Z' }])
  for (const name of ['first', 'second', 'third']) {
    await shop.apply(oneTierCampaign(name, ['{ id: ping, channel: log }']))
    await shop.run(name)
  }
  const unheard: unknown[] = []
  const hear = (reason: unknown) => unheard.push(reason)
  process.on('unhandledRejection', hear)
  try {
    const full = new Error('OOM command not allowed when used memory > maxmemory')
    const queue = { add: () => Promise.reject(full) }
    await expect(enqueueBatches(shop.runtime, queue, 4)).rejects.toBe(full)
    // Once the queue has room, nothing waits for a lease, nor for a place in the rate.
    const states = await rows(shop.database, sql`SELECT DISTINCT state, lease_until FROM touchpoints`)
    expect(states).toEqual([{ state: 'planned', lease_until: null }])
    const handed: unknown[] = []
    const open = { add: async (jobs: readonly unknown[]) => void handed.push(...jobs) }
    expect(await enqueueBatches(shop.runtime, open, 4)).toBe(3)
    expect(handed).toHaveLength(3)
  } finally {
    process.off('unhandledRejection', hear)
  }
  expect(unheard).toEqual([])
})

it('the sums of reports wait while messages go out, though not for ever', () => {
  const latest = 600_000
  // Before the first look, while batches are handed over, and in the lull after them.
  expect(sumsWait(10, undefined, latest)).toBe(true)
  expect(sumsWait(100_000, 100_000, latest)).toBe(true)
  expect(sumsWait(104_999, 100_000, latest)).toBe(true)
  expect(sumsWait(105_000, 100_000, latest)).toBe(false)
  // Nothing was due at all.
  expect(sumsWait(10, Number.NEGATIVE_INFINITY, latest)).toBe(false)
  // However much goes out.
  expect(sumsWait(latest, latest, latest)).toBe(false)
  expect(sumsWait(latest, undefined, latest)).toBe(false)
})
