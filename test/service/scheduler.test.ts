import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { startScheduler, sumsWait } from '../../src/service/scheduler.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'

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
