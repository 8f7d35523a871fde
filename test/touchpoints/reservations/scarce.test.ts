import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { outcomeText, scarceText } from '../../../src/cli/step-outcome.ts'
import { execute, rows, transaction } from '../../../src/database/connect.ts'
import { offer } from '../../../src/offers/offers.ts'
import { speechOf } from '../../../src/reports/words.ts'
import { previewStep } from '../../../src/touchpoints/preview.ts'
import { holdBudgets, openBudgets } from '../../../src/touchpoints/reservations/budgets.ts'
import { testChannel } from '../../support/channel.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../../support/pipeline.ts'

// A preview asks what a reservation would say, and takes nothing.

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
const coupon = (terms: Record<string, unknown> = {}) =>
  offer.parse({ kind: 'coupon', amount: '5 CNY', valid: '7d', deliver: 'code', ...terms })

async function open(options: PipelineOptions): Promise<Pipeline & { me: number }> {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two', after: DAY }] }],
    ...options,
  })
  const me = await pipeline.addContact({ silentSince })
  return { ...pipeline, me }
}

async function foresee({ worker, campaign, me }: Pipeline & { me: number }) {
  const step = campaign.tiers[0]?.steps[0]
  if (!step) throw new Error('no step')
  return await previewStep(worker, campaign, step, me, { anyTime: true, limits: true })
}

const english = speechOf({ locale: 'en', currency: 'CNY', timezone: 'UTC' })
const definition = (limits: Record<string, unknown>) => ({ limits: { max_delay: '20d', ...limits } })
const withOffer = (terms: Record<string, unknown>, otherwise = false): PipelineOptions => ({
  definition: definition({}),
  tiers: [
    {
      name: 'only',
      from: 3 * DAY,
      to: null,
      steps: [{ id: 'one', otherwise, offer: { name: 'five', terms: coupon(terms) } }],
    },
  ],
})

describe('a preview', () => {
  it('says what a cap would, and counts the message that is due not against itself', async () => {
    const pipeline = await open({
      definition: definition({ per_person: [{ at_most: '1 per day', then: 'defer' }] }),
    })
    await pipeline.runNow()
    expect((await foresee(pipeline)).scarce).toBeUndefined()
    await pipeline.work()
    const { scarce } = await foresee(pipeline)
    expect(scarce?.verdict).toMatchObject({ kind: 'defer', cause: 'frequency_cap' })
    expect(scarceText(scarce, english)).toBe(
      'But as limits and stock stand it would wait until Mar 3, 2026, 00:00: waits until the person may get another message under the campaign’s limits.',
    )
  })

  it('says that stock or codes are gone, or which template would go instead; with a dummy code', async () => {
    const none = await open(withOffer({ stock: 0 }))
    const { scarce, composed } = await foresee(none)
    expect(scarce).toEqual({
      verdict: { kind: 'skip', reason: 'offer_unavailable', detail: 'stock' },
      neutral: false,
    })
    expect(JSON.stringify(composed)).toContain('TEST-0000')
    const codes = await foresee(await open(withOffer({ codes: 'imported' }, true)))
    expect(codes.scarce).toMatchObject({ verdict: { detail: 'codes' }, neutral: true })
    expect(scarceText(codes.scarce, english)).toContain(
      'without its offer, with the neutral template (codes)',
    )
    expect((await foresee(await open(withOffer({ stock: 1 })))).scarce).toBeUndefined()
  })

  it('says what a budget would, spent or held', async () => {
    const cent = 10_000
    const channel = testChannel('email', { price: cent })
    const pipeline = await open({ definition: definition({ budget: { spend: '0.01 CNY' } }), channel })
    expect((await foresee(pipeline)).scarce).toBeUndefined()
    const budget = { campaign: 'test', kind: 'spend', most: cent, per: null, zone: 'UTC' } as const
    await openBudgets(pipeline.database, [budget])
    const claim = { contactId: 1, touchpointId: 1, spend: cent, liability: 0 }
    await transaction(pipeline.database, (tx) => holdBudgets(tx, randomUUID(), [budget], START, [claim]))
    expect((await foresee(pipeline)).scarce?.verdict).toMatchObject({ kind: 'defer', cause: 'budget_held' })
    await execute(pipeline.database, sql`DELETE FROM budget_holds`)
    await pipeline.runNow()
    await pipeline.work()
    const { scarce } = await foresee(pipeline)
    expect(scarce?.verdict).toMatchObject({ kind: 'skip', reason: 'budget_exhausted' })
    expect(outcomeText({ kind: 'skip', reason: 'budget_exhausted', detail: null }, english)).toContain(
      'budget',
    )
  })

  it('says that people can make no more calls today, unless a robot takes what is beyond', async () => {
    const call = { capacity: 1, sla: 3600, script: 'x' } as never
    const robot = testChannel('callback')
    const pipeline = await open({
      definition: definition({}),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one', call }] }],
      others: [robot],
    })
    await pipeline.runNow()
    expect((await foresee(pipeline)).scarce).toBeUndefined()
    await pipeline.work()
    // The place is their own: looked at once more, it is not full for them. For somebody else it is.
    const another = { ...pipeline, me: await pipeline.addContact({ silentSince }) }
    const { scarce } = await foresee(another)
    expect(scarce).toMatchObject({ verdict: { kind: 'defer', cause: 'capacity' }, neutral: false })
    expect(scarceText(scarce, english)).toContain('it would wait until')
    Object.assign(robot, { overflow: 'overflow' })
    expect((await foresee(another)).scarce).toBeUndefined()
    expect(await rows(pipeline.database, sql`SELECT FROM call_slots`)).toHaveLength(1)
  })

  it('takes nothing', async () => {
    const pipeline = await open(withOffer({ stock: 1 }))
    await pipeline.runNow()
    await foresee(pipeline)
    for (const table of ['grants', 'offer_stocks', 'offer_codes', 'budget_holds']) {
      expect(await rows(pipeline.database, sql`SELECT FROM ${sql.identifier(table)}`)).toEqual([])
    }
  })
})
