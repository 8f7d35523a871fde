import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import type { Delivery } from '../../src/channels/channel.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { heedClock } from '../../src/touchpoints/clock-seen.ts'
import { forgetAbsences } from '../../src/touchpoints/sending/absences.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)

async function open(contacts: number) {
  const channel = testChannel('email', { concurrency: 3 })
  const pipeline = await openPipeline({
    channel,
    database: await emptiedDatabase(),
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    definition: { limits: { max_delay: '2d' } },
  })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let n = 0; n < contacts; n += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return { ...pipeline, channel }
}

it.each<[string, Delivery]>([
  ['its provider was away', { outcome: 'retry', detail: 'ECONNREFUSED', unreached: true }],
  ['its provider put it off', { outcome: 'retry', detail: '451 later' }],
])('what was put back because %s, by a clock a day ahead, is no day late', async (_, answer) => {
  const { database, clock, channel, work, records } = await open(4)
  await heedClock(database, START)
  channel.answer = () => answer
  clock.set(later(DAY))
  await work()
  await heedClock(database, later(DAY))
  // It is put right.
  clock.set(later(60))
  channel.answer = () => ({ outcome: 'sent' })
  await forgetAbsences(database, later(60))
  await work()
  expect(await records()).toEqual([])
  expect(await heedClock(database, later(60))).toBe(4)
  await work()
  expect((await records()).map(({ state }) => state)).toEqual(Array.from({ length: 4 }, () => 'sent'))
})

it('sends nothing before its time by a clock that shows years ago, until it is put right', async () => {
  const { database, clock, channel, work, records } = await open(3)
  channel.answer = () => ({ outcome: 'retry', detail: '451 later' })
  await work()
  await heedClock(database, later(60))
  channel.answer = () => ({ outcome: 'sent' })
  const ago = later(-10 * 365 * DAY)
  clock.set(ago)
  await heedClock(database, ago)
  await work()
  expect(await records()).toEqual([])
  // A board without a battery has heard the time.
  clock.set(later(90))
  await heedClock(database, later(90))
  await work()
  expect((await records()).map(({ state }) => state)).toEqual(['sent', 'sent', 'sent'])
})

it('leaves alone what waits for its time, while the clock goes on or is put right by seconds', async () => {
  const { database, channel, work } = await open(2)
  channel.answer = () => ({ outcome: 'retry', detail: '451 later' })
  await work()
  const due = () => rows(database, sql`SELECT touchpoint_id, due_at FROM touchpoints ORDER BY 1`)
  const before = await due()
  for (const seconds of [0, 30, 61, 600, 560]) expect(await heedClock(database, later(seconds))).toBe(0)
  expect(await due()).toEqual(before)
  // One that is planned for later was put back by nobody.
  await execute(database, sql`UPDATE touchpoints SET waits = NULL, due_at = ${later(DAY)}`)
  expect(await heedClock(database, START)).toBe(0)
})

it('who left while the clock was a day ahead has left, once it is put right', async () => {
  const { database, clock, suppress, work, records, runNow, addContact } = await open(0)
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  const listed = await addContact({ silentSince, email: 'listed@people.test' })
  const [chosen, withdrawn, back, before] = [
    await addContact({ silentSince }),
    await addContact({ silentSince }),
    await addContact({ silentSince }),
    await addContact({ silentSince }),
  ]
  const choose = (contactId: number, at: Date, off: string) =>
    execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
        VALUES (${contactId}, ${at}, ${off}::text[], '{}', 'page')`,
    )
  await heedClock(database, START)
  await choose(before, later(-60), '{}')
  clock.set(later(DAY))
  await heedClock(database, later(DAY))
  await suppress('email', 'listed@people.test')
  await choose(chosen, later(DAY), '{*}')
  // Told a minute apart, that they want nothing, and then that they do.
  await choose(back, later(DAY - 60), '{*}')
  await choose(back, later(DAY), '{}')
  await execute(
    database,
    sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
      VALUES (${withdrawn}, 'email', 'withdrawn', ${later(DAY)}, 'page', ${later(DAY)})`,
  )
  clock.set(later(60))
  await heedClock(database, later(60))
  await runNow()
  await work()
  const reasons = new Map((await records()).map(({ contactId, reason }) => [contactId, reason]))
  expect(reasons).toEqual(
    new Map([
      [listed, 'suppressed'],
      [chosen, 'opted_out'],
      [withdrawn, 'no_consent'],
      [back, null],
      [before, null],
    ]),
  )
})
