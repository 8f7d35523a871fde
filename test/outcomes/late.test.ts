import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { later, manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { refreshReports } from '../../src/service/reporting.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'

// What comes in after a lapse has ended, of what the feed does not count: the sums of reports hear of it.

const START = new Date('2026-03-10T09:00:00Z')
const DAY = 86_400
const AT = (days: number) => later(START, days * DAY)

const CAMPAIGN = `
version: 1
campaign: refunds
title: With a margin
schedule: "0 9 * * *"
timezone: UTC
silenced_by: goal
goals: { back: { event: renewed, margin: 50% }, order: { event: order, margin: 30% } }
window: 20d
holdout: 0%
reentry: { wait: 365d }
tiers:
  - name: only
    inactive: 3d..40d
    steps: [{ id: hello, channel: email, template: hello }]
`

let database: Database
let shop: Shop
const clock = manualClock(START)
beforeAll(async () => {
  database = await freshDatabase()
  shop = await openShop({ database, clock, channels: [testChannel('email')] })
  await shop.importContacts([{ external_id: 'ada', email: 'ada@people.test' }])
  await shop.importActivity([{ external_id: 'ada', type: 'session', occurred_at: AT(-5).toISOString() }])
  await shop.apply(CAMPAIGN)
  await shop.run('refunds')
  clock.set(AT(25))
  await shop.importActivity([
    { external_id: 'ada', type: 'order', occurred_at: AT(2).toISOString(), value: 100 },
  ])
  // The episode ends, and its day is over.
  await shop.run('refunds')
  clock.set(AT(60))
  await refreshReports(shop.runtime)
})

/** The margin as it is kept, and the days that are to be counted again. */
async function kept() {
  const [found] = await rows<{ margin: number; uninstalled: number; dirty: number }>(
    database,
    sql`SELECT sum(margin)::bigint AS margin, sum(uninstalled)::bigint AS uninstalled,
        (SELECT count(*) FROM report_dirty) AS dirty FROM report_people`,
  )
  return found
}

test.each([
  [
    'a refund within the window takes its margin away',
    'order_refunded',
    3,
    40,
    { margin: 18e6, uninstalled: 0 },
  ],
  ['so does no refund after it', 'order_refunded', 30, 40, { margin: 18e6, uninstalled: 0 }],
  ['a goal that is no activity brings its margin', 'renewed', 4, 10, { margin: 23e6, uninstalled: 0 }],
  ['who took the app off is counted', 'uninstalled', 5, undefined, { margin: 23e6, uninstalled: 1 }],
  [
    'what no report looks at changes nothing',
    'product_viewed',
    5,
    undefined,
    { margin: 23e6, uninstalled: 1 },
  ],
])('late: %s', async (_, type, on, value, expected) => {
  const row = { external_id: 'ada', type, occurred_at: AT(on).toISOString(), ...(value ? { value } : {}) }
  await shop.importActivity([row])
  const looked = type !== 'product_viewed' && on <= 20
  expect(await kept()).toMatchObject({ dirty: looked ? 1 : 0 })
  await refreshReports(shop.runtime)
  expect(await kept()).toEqual({ ...expected, dirty: 0 })
  await refreshReports(shop.runtime, { rebuild: true })
  expect(await kept()).toEqual({ ...expected, dirty: 0 })
})

test('late: a version that no longer compiles has its days counted again, and turns no activity away', async () => {
  // As a newer Winback would have it.
  await execute(
    database,
    sql`UPDATE campaign_versions SET source = replace(source, E'\ngoals:', E'\nshiny: true\ngoals:')`,
  )
  const older = await openShop({ database, clock, channels: [testChannel('email')] })
  await expect(older.runtime.book.campaign('refunds', 1)).rejects.toThrow()
  const row = { external_id: 'ada', type: 'order_refunded', occurred_at: AT(4).toISOString(), value: 10 }
  expect(await older.importActivity([row])).toMatchObject({ inserted: 1 })
  expect(await kept()).toMatchObject({ dirty: 1 })
})
