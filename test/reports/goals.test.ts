import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { connect, rows } from '../../src/database/connect.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { questionOf, refreshReports } from '../../src/service/reporting.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

const campaign = (goal: string) => `
version: 1
campaign: tiers
title: Tiers
schedule: "0 9 * * *"
goals: { recall: { event: ${goal} } }
window: 30d
holdout: 0%
tiers:
  - name: first
    inactive: 3d..20d
    steps: [{ id: one, channel: log, template: hello }]
  - name: second
    inactive: 20d..
    holdout: 50%
    steps: [{ id: two, channel: log, template: hello }]
`

it('a recall is of the goal of the version its episode opened with, by tier too: a changed goal changes no older figure', async () => {
  const database = await freshDatabase()
  const day = (days: number) => new Date(Date.UTC(2026, 2, 1, 9) + days * 86_400_000)
  const clock = manualClock(day(0))
  const shop = await openShop({
    database,
    clock,
    channels: [],
  })
  await shop.apply(campaign('session'))
  const people = Array.from({ length: 40 }, (_, at) => `u${at}`)
  await shop.importContacts(
    people.map((external_id) => ({ external_id, email: `${external_id}@shop.example` })),
  )
  const act = (who: readonly string[], type: string, at: Date) =>
    shop.importActivity(who.map((external_id) => ({ external_id, type, occurred_at: at.toISOString() })))
  await act(people, 'session', day(-4))
  await shop.run('tiers')
  clock.set(day(18))
  await shop.run('tiers')
  // After the episode's window, and within the second tier's own.
  clock.set(day(41))
  await act(people.slice(0, 10), 'session', day(40))
  await act(people.slice(10, 15), 'order', day(40))
  clock.set(day(60))
  await shop.run('tiers')
  clock.set(day(130))
  const recalled = async () => {
    const [found] = await rows<{ recalled: number }>(
      database,
      sql`SELECT sum(recalled)::int AS recalled FROM report_stages WHERE day = '2026-03-01'`,
    )
    return found?.recalled
  }
  await refreshReports(shop.runtime)
  expect(await recalled()).toBe(10)
  await shop.apply(campaign('order'))
  await refreshReports(shop.runtime)
  const kept = await recalled()
  await refreshReports(shop.runtime, { rebuild: true })
  expect([kept, await recalled()]).toEqual([10, 10])
  const { ownDraws } = await readLift(
    database,
    await questionOf(shop.runtime, 'tiers', { now: clock.now(), to: day(1) }),
  )
  expect(ownDraws.map(({ treated, heldOut }) => treated.recalled + heldOut.recalled)).toEqual([10])
})

it('days are counted where the pool has no connection left: nothing is asked of it while a day is being counted', async () => {
  const database = await freshDatabase()
  const clock = manualClock(new Date('2026-03-05T09:00:00Z'))
  const shop = await openShop({ database, clock, channels: [] })
  await shop.apply(campaign('session'))
  await shop.importContacts([{ external_id: 'ada', email: 'ada@shop.example' }])
  await shop.importActivity([{ external_id: 'ada', type: 'session', occurred_at: '2026-03-01T00:00:00Z' }])
  await shop.run('tiers')
  const narrow = connect(database.url, { max: 1 })
  try {
    expect(await refreshReports({ ...shop.runtime, database: narrow })).toEqual({ days: 1, busy: false })
  } finally {
    await narrow.close()
  }
})
