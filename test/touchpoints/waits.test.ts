import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { openCalendar } from '../../src/config/calendar.ts'
import { WAITS } from '../../src/config/waits.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { offer } from '../../src/offers/offers.ts'
import { WAITS as WORDS } from '../../src/reports/reasons.ts'
import { holdBudgets, openBudgets } from '../../src/touchpoints/reservations/budgets.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../support/pipeline.ts'

// Whatever puts a touchpoint back says why, and the row keeps it until it is claimed again.

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
const ONE = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }] }]
const TWO = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two' }] }]

async function open(options: PipelineOptions): Promise<Pipeline> {
  const pipeline = await openPipeline({ tiers: ONE, ...options, database: await emptiedDatabase() })
  await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return pipeline
}

async function waits({ database }: Pipeline): Promise<(string | null)[]> {
  const found = await rows<{ waits: string | null }>(
    database,
    sql`SELECT waits FROM touchpoints ORDER BY step_id`,
  )
  return found.map((row) => row.waits)
}

const limits = (wanted: Record<string, unknown>) => ({ limits: { max_delay: '20d', ...wanted } })

describe('a touchpoint that is put back keeps the cause:', () => {
  it('the hours of its channel', async () => {
    const pipeline = await open({ definition: limits({ send_window: { default: '09:00-21:00' } }) })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['quiet_hours'])
  })

  it('the hours its channel keeps where the campaign says none', async () => {
    const daily = { from: 9 * 60, to: 20 * 60, workdays: false }
    const openBy = (send_window: Record<string, string>) =>
      open({
        channel: Object.assign(testChannel('email'), { window: daily }),
        definition: limits({ send_window }),
      })
    for (const campaign of [{}, { sms: '00:00-24:00' }]) {
      const pipeline = await openBy(campaign)
      await pipeline.work()
      expect(await waits(pipeline)).toEqual(['quiet_hours'])
    }
    for (const campaign of [{ email: '00:00-24:00' }, { default: '00:00-24:00' }]) {
      const pipeline = await openBy(campaign)
      await pipeline.work()
      expect(await waits(pipeline)).toEqual([])
    }
  })

  it('a day on which nothing is sent, though its hours are open', async () => {
    const pipeline = await open({ definition: limits({ send_window: { default: '00:00-24:00' } }) })
    const calendar = openCalendar({ blackout: [{ from: '2026-03-02', to: '2026-03-04' }] })
    Object.assign(pipeline.worker, { calendar })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['holiday'])
  })

  it('a cap that is reached, and a message that ranks higher', async () => {
    const pipeline = await open({
      tiers: TWO,
      definition: limits({ per_person: [{ at_most: '1 per day', then: 'defer' }] }),
    })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['frequency_cap'])
    // The one that was sent never was; in its place one that is due, planned earlier and with another worker.
    await execute(pipeline.database, sql`DELETE FROM touchpoint_records`)
    await execute(pipeline.database, sql`UPDATE touchpoints SET due_at = ${START}`)
    const [mine] = await rows<{ contactId: number; episodeId: number; stepId: number }>(
      pipeline.database,
      sql`SELECT contact_id AS "contactId", episode_id AS "episodeId", min(step_id) - 1 AS "stepId" FROM touchpoints
        GROUP BY contact_id, episode_id`,
    )
    await execute(
      pipeline.database,
      sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        VALUES (${mine?.contactId}, ${mine?.episodeId}, ${mine?.stepId}, ${new Date(START.getTime() - 1000)}, ${START})`,
    )
    const { stepId = 0 } = mine ?? {}
    await execute(
      pipeline.database,
      sql`UPDATE touchpoints SET state = 'queued', lease_until = now() + interval '1 hour'
      WHERE step_id = ${stepId}`,
    )
    await pipeline.work()
    expect(await waits(pipeline)).toEqual([null, 'outranked'])
  })

  it('a day’s budget that is spent, and one that others hold', async () => {
    const cent = 10_000
    const spend = { definition: limits({ budget: { spend: '0.01 CNY per day' } }) }
    const pipeline = await open({ ...spend, tiers: TWO, channel: testChannel('email', { price: cent }) })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['budget_exhausted'])

    const other = await open({ ...spend, channel: testChannel('email', { price: cent }) })
    const budget = { campaign: 'test', kind: 'spend', most: cent, per: 'day', zone: 'UTC' } as const
    await openBudgets(other.database, [budget])
    const claim = { contactId: 1, touchpointId: 1, spend: cent, liability: 0 }
    await transaction(other.database, (tx) => holdBudgets(tx, randomUUID(), [budget], START, [claim]))
    await other.work()
    expect(await waits(other)).toEqual(['budget_held'])
  })

  it('an offer another step is granting, and a provider that gives no answer', async () => {
    const terms = offer.parse({ kind: 'coupon', amount: '5 CNY', valid: '7d', deliver: 'account' })
    const steps = [{ id: 'one', offer: { name: 'five', terms } }]
    const pipeline = await open({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
      definition: limits({}),
    })
    Object.assign(pipeline.worker, {
      offerProvider: { concurrency: 1, credit: async () => ({ outcome: 'unknown', detail: 'timed out' }) },
    })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['credit'])
    await execute(pipeline.database, sql`UPDATE grants SET touchpoint_id = -1, credit = NULL`)
    await execute(pipeline.database, sql`UPDATE touchpoints SET due_at = ${START}`)
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['offer_held'])
  })

  it('calls that people cannot make today', async () => {
    const call = { capacity: 0, sla: 3600, script: 'x' } as never
    const pipeline = await open({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one', call }] }],
      definition: limits({}),
    })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['capacity'])
  })

  it('its channel that is off, and a send that failed for now', async () => {
    const channel = testChannel()
    channel.answer = () => ({ outcome: 'retry', detail: '451' })
    const pipeline = await open({ channel, definition: limits({}) })
    await pipeline.work()
    expect(await waits(pipeline)).toEqual(['retry'])
    // Of two channels the first is off: the step is worked on, and waits for it.
    const other = await open({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one', channels: ['email', 'sms'] }] }],
      others: [testChannel('sms')],
      definition: limits({}),
    })
    await execute(
      other.database,
      sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('channel', 'email', 'paused', 'x', ${START})`,
    )
    await other.work()
    expect(await waits(other)).toEqual(['paused'])
  })

  it('and loses it with the claim', async () => {
    const channel = testChannel()
    channel.answer = () => ({ outcome: 'retry', detail: '451' })
    const pipeline = await open({ channel, definition: limits({}) })
    await pipeline.work()
    pipeline.clock.set(new Date(START.getTime() + DAY * 1000))
    let seen: (string | null)[] = []
    channel.answer = async () => {
      seen = await waits(pipeline)
      return { outcome: 'sent' }
    }
    await pipeline.work()
    expect(seen).toEqual([null])
  })
})

it('every cause has its words', () => {
  expect(Object.keys(WORDS)).toEqual(expect.arrayContaining([...WAITS]))
})
