import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute } from '../../../src/database/connect.ts'
import { processBatch } from '../../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../../src/touchpoints/dispatch.ts'
import { testChannel } from '../../support/channel.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import { DAY, openPipeline, START } from '../../support/pipeline.ts'

it('a call that is put off to another day takes nobody’s place today', async () => {
  const calls = testChannel('callback')
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: {
      limits: { max_delay: '60d', per_person: [{ at_most: '1 per week', then: 'defer' }] },
    },
    tiers: [
      {
        name: 'only',
        from: 3 * DAY,
        to: null,
        steps: [{ id: 'one', channels: ['callback'], call: { capacity: 2, sla: 3600 } }],
      },
    ],
    others: [calls],
  })
  const add = (phone: string) =>
    pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000), phone })
  for (const phone of ['+491701234501', '+491701234502']) {
    // They had a mail a minute ago: the cap puts their calls off to next week.
    await execute(
      pipeline.database,
      sql`INSERT INTO outside_sends (contact_id, sent_at, channel, topic, imported_at)
        VALUES (${await add(phone)}, ${new Date(START.getTime() - 60_000)}, 'email', '', ${START})`,
    )
  }
  await pipeline.runNow()
  await pipeline.work()
  expect(calls.sent).toHaveLength(0)
  for (const phone of ['+491701234503', '+491701234504', '+491701234505']) await add(phone)
  pipeline.clock.set(new Date(START.getTime() + 60_000))
  await pipeline.runNow()
  await pipeline.work()
  expect(calls.sent).toHaveLength(2)
})

it('a call that was let through before midnight and is made after it takes a place of the new day', async () => {
  const { calls, pipeline } = await openOneCaller()
  const { clock, worker, database } = pipeline
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  await pipeline.addContact({ silentSince, phone: '+491701234501' })
  clock.set(new Date('2026-03-02T23:59:59Z'))
  await pipeline.runNow()
  // Asked for just before the call is marked as under way.
  const addressKey = () => {
    clock.set(new Date('2026-03-03T00:00:01Z'))
    return null
  }
  await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
    await processBatch({ ...worker, addressKey }, batch)
  })
  await pipeline.addContact({ silentSince, phone: '+491701234502' })
  await pipeline.runNow()
  await pipeline.work()
  expect(calls.sent).toHaveLength(1)
  clock.advance(DAY)
  await pipeline.work()
  expect(calls.sent).toHaveLength(2)
})

/** A campaign of calls, of which people make one a day. */
async function openOneCaller() {
  const calls = testChannel('callback')
  const step = { id: 'one', channels: ['callback'], call: { capacity: 1, sla: 3600 } }
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: { limits: { max_delay: '60d' } },
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [step] }],
    others: [calls],
  })
  return { calls, pipeline }
}

it('of calls that wait for a place, those that were planned first go first, whoever they are to', async () => {
  const { calls, pipeline } = await openOneCaller()
  const { clock, addContact, runNow, work } = pipeline
  const before = (days: number) => new Date(START.getTime() - days * DAY * 1000)
  // They lapse a day later, and came a year earlier.
  const later = await addContact({ silentSince: before(2), phone: '+491701234501' })
  const sooner = [
    await addContact({ silentSince: before(4), phone: '+491701234502' }),
    await addContact({ silentSince: before(4), phone: '+491701234503' }),
  ]
  for (const day of [0, 1, 2]) {
    clock.set(before(-day))
    await runNow()
    await work()
  }
  const called = calls.sent.map(({ contactId }) => contactId)
  expect(new Set(called.slice(0, 2))).toEqual(new Set(sooner))
  expect(called.slice(2)).toEqual([later])
})

it('people make as many calls as the newest version says, for whoever began with an older one, too', async () => {
  const { calls, pipeline } = await openOneCaller()
  const { clock, campaign, worker, database } = pipeline
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let n = 1; n <= 9; n += 1) await pipeline.addContact({ silentSince, phone: `+4917012345${n}0` })
  await pipeline.runNow()
  /** How many are made on the next day. */
  const madeBy = async (step: object | undefined) => {
    clock.advance(DAY)
    const [tier] = campaign.definition.tiers
    const steps = step === undefined ? [] : [{ ...tier?.steps[0], ...step }]
    const definition = { ...campaign.definition, tiers: [{ ...tier, steps }] } as typeof campaign.definition
    const book = { ...worker.book, currentText: async () => ({ ...campaign, definition }) }
    const before = calls.sent.length
    await dispatchDue(database, { now: clock.now(), jobs: 9 }, async (batch) => {
      await processBatch({ ...worker, book }, batch)
    })
    return calls.sent.length - before
  }
  const script = 'adviser'
  expect(await madeBy({ script, capacity: { count: 2 } })).toBe(2)
  expect(await madeBy({ script, capacity: { count: 0 } })).toBe(0)
  // It is gone, or asks for no call any more.
  expect(await madeBy(undefined)).toBe(1)
  expect(await madeBy({})).toBe(1)
  expect(await madeBy({ script })).toBe(5)
})
