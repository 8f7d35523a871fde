import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { readWaiting } from '../../src/reports/deferral.ts'
import { deliverySheet, readDelivery } from '../../src/reports/delivery.ts'
import { funnelSheet, readFunnel } from '../../src/reports/funnel.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)

it('counts what waits by reason, with the earliest moment; what is planned for later waits for nothing', async () => {
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two', after: DAY }] }],
    definition: { limits: { send_window: { default: '09:00-21:00' } } },
  })
  const silentSince = later(-4 * DAY)
  const [first] = [await pipeline.addContact({ silentSince }), await pipeline.addContact({ silentSince })]
  await pipeline.runNow()
  await pipeline.work()
  // 01:00: both wait for nine o'clock.
  expect(await readWaiting(pipeline.database, START)).toEqual([
    { why: 'quiet_hours', touchpoints: 2, earliest: new Date('2026-03-02T09:00:00Z') },
  ])
  const rules = {
    activity: ['session'],
    order: 'order',
    goalsOf: async () => new Map([1, 2, 3].map((version) => [version, 'session'])),
    earnedOf: async () => ({ order: 0.3, order_refunded: -0.3 }),
  }
  await rollUp(pipeline.database, START, rules)
  const funnel = await readFunnel(pipeline.database, { campaign: 'test', now: START, split: new Map() })
  expect(funnel.cells).toMatchObject([{ answer: 'waiting', reason: 'quiet_hours', people: 2 }])
  const style = { locale: 'en', currency: 'CNY', color: false, width: 100 }
  const answers = funnelSheet(funnel, style).tables.find(({ id }) => id === 'answers')
  expect(JSON.stringify(answers?.rows)).toContain('waits for the hours in which the channel may send')
  await execute(
    pipeline.database,
    sql`UPDATE touchpoints SET attempt = 1, waits = 'retry', due_at = ${later(60)} WHERE contact_id = ${first} AND due_at > planned_for`,
  )
  expect(await readWaiting(pipeline.database, START)).toEqual([
    { why: 'retry', touchpoints: 1, earliest: later(60) },
    { why: 'quiet_hours', touchpoints: 1, earliest: new Date('2026-03-02T09:00:00Z') },
  ])
  const due = async () => (await readWaiting(pipeline.database, later(120))).map(({ why }) => why)
  expect(await due()).toEqual(['due', 'quiet_hours'])
  await execute(
    pipeline.database,
    sql`INSERT INTO send_rates (channel, tokens, refilled_at, day, taken) VALUES ('email', 0, ${START}, '2026-03-02', 1)`,
  )
  expect(await due()).toEqual(['rate_limit', 'quiet_hours'])
  await execute(
    pipeline.database,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('channel', 'email', 'paused', 'bounces', ${START})`,
  )
  expect(await due()).toEqual(['held', 'quiet_hours'])
  // A breaker that is tried again stands in the report of what arrived, beside what is switched off.
  await execute(pipeline.database, sql`DELETE FROM switches`)
  await execute(
    pipeline.database,
    sql`INSERT INTO breakers (channel, state, since, reason) VALUES ('email', 'half_open', ${START}, '6 % hard bounces')`,
  )
  expect(await due()).toEqual(['breaker', 'quiet_hours'])
  const question = { campaign: 'test', now: START, split: new Map() }
  const delivery = deliverySheet(await readDelivery(pipeline.database, question), style)
  expect(JSON.stringify(delivery.tables.at(-1)?.rows)).toMatch(/breaker E-mail: half open.*6 % hard bounces/)
})
