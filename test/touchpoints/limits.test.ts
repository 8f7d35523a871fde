import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { offer } from '../../src/offers/offers.ts'
import { knownByReport } from '../../src/outcomes/receipts.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { reclaimExpired, resolve } from '../../src/touchpoints/recovery.ts'
import { holdBudgets, openBudgets } from '../../src/touchpoints/reservations/budgets.ts'
import { releaseBudgets, sweepBudgets } from '../../src/touchpoints/reservations/holds.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import {
  DAY,
  expireLeases,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  START,
} from '../support/pipeline.ts'
import { untilWaiting } from '../support/waiting.ts'

// Caps and budgets at work: decided under locks, in one place, whoever else decides at the same moment.

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)

async function open(contacts: number, options: PipelineOptions = {}): Promise<Pipeline> {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    tiers: [
      { name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two' }, { id: 'three' }] },
    ],
    ...options,
  })
  for (let made = 0; made < contacts; made += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return pipeline
}

const capped = (...caps: string[]) => ({
  limits: { per_person: caps.map((cap) => ({ at_most: cap, then: 'defer' })), max_delay: '20d' },
})
const later = (pipeline: Pipeline, seconds: number) =>
  pipeline.clock.set(new Date(pipeline.clock.now().getTime() + seconds * 1000))

/** Queues all that is due. */
async function queue(pipeline: Pipeline): Promise<Batch[]> {
  const batches: Batch[] = []
  await dispatchDue(pipeline.database, { now: pipeline.clock.now(), jobs: 1000 }, async (batch) => {
    batches.push(batch)
  })
  return batches
}

/** Hands all that is due to batches that run at the same time. */
async function rush(pipeline: Pipeline): Promise<void> {
  await Promise.all((await queue(pipeline)).map((batch) => processBatch(pipeline.worker, batch)))
}

/** Processes a batch; after it is gathered and before it reserves, something else happens. */
async function processAround({ worker }: Pipeline, batch: Batch, meanwhile: () => Promise<unknown>) {
  const templates: typeof worker.templates = async (version) => {
    await meanwhile()
    return await worker.templates(version)
  }
  await processBatch({ ...worker, templates }, batch)
}

describe('caps', () => {
  it('let one message a day through of three that are due, the first planned first, on three days', async () => {
    const pipeline = await open(20, { definition: capped('1 per day') })
    for (const day of [1, 2, 3]) {
      await rush(pipeline)
      later(pipeline, 301)
      await rush(pipeline)
      expect(pipeline.channel.sent).toHaveLength(20 * day)
      later(pipeline, DAY)
    }
    expect(await pipeline.open()).toEqual([])
  })

  it('hold with batches that decide at the same moment', async () => {
    for (let round = 0; round < 5; round += 1) {
      const pipeline = await open(10, {
        definition: capped('2 per day'),
        channel: testChannel('email', { concurrency: 50 }),
      })
      await rush(pipeline)
      await rush(pipeline)
      const [most] = await rows<{ most: number }>(
        pipeline.database,
        sql`SELECT max(n) AS most FROM (SELECT count(*) AS n FROM touchpoint_records WHERE state = 'sent'
          GROUP BY contact_id) per`,
      )
      expect(most?.most).toBeLessThanOrEqual(2)
    }
  })

  it('count what the person got through another account, of another campaign, and what nobody knows', async () => {
    const pipeline = await open(1, { definition: capped('1 per day') })
    const [me] = await rows<{ person: number }>(
      pipeline.database,
      sql`SELECT person_id AS person FROM contacts`,
    )
    const other = await pipeline.addContact({ person: me?.person ?? 0 })
    const [step] = await rows<{ id: number }>(
      pipeline.database,
      sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
        VALUES ('other', 1, 1, 'a', 1, 's', '{sms}') RETURNING step_id AS id`,
    )
    await ensurePartitions(pipeline.database, 'touchpoint_records', [START])
    await execute(
      pipeline.database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
          planned_for, settled_at)
        VALUES (${other}, 1000000, 1, ${step?.id}, 'uncertain', 'sms', 1, ${START}, ${START})`,
    )
    await pipeline.work()
    expect(pipeline.channel.sent).toEqual([])
    later(pipeline, DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  it('count what another system sent before', async () => {
    const pipeline = await open(2, { definition: capped('1 per day') })
    await execute(
      pipeline.database,
      sql`INSERT INTO outside_sends (contact_id, sent_at, channel, imported_at)
        SELECT min(contact_id), ${START}, 'sms', ${START} FROM contacts`,
    )
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  it('count what a person got whom the contact was merged with after it was gathered', async () => {
    const pipeline = await open(2, {
      definition: capped('1 per day'),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }] }],
    })
    const [both] = await queue(pipeline)
    if (!both) throw new Error('no batch')
    const [one, two] = both.keys
    if (!one || !two) throw new Error('not two')
    await processBatch(pipeline.worker, { ...both, keys: [one] })
    await processAround(pipeline, { ...both, keys: [two] }, () =>
      execute(
        pipeline.database,
        sql`UPDATE contacts SET person_id = ${one.contactId} WHERE contact_id = ${two.contactId}`,
      ),
    )
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    later(pipeline, DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(2)
  })

  it('give a place back where the message was put off or refused', async () => {
    const channel = testChannel()
    channel.answer = () =>
      channel.sent.length === 1
        ? { outcome: 'rejected', reason: 'refused', detail: '550' }
        : { outcome: 'sent' }
    const pipeline = await open(1, { definition: capped('1 per day'), channel })
    await pipeline.work()
    later(pipeline, 301)
    await pipeline.work()
    expect((await pipeline.records()).map(({ state }) => state).toSorted()).toEqual(['failed', 'sent'])
  })
})

describe('the effort an episode is worth', () => {
  const steps = [{ id: 'one' }, { id: 'two' }]
  const open1 = async () => {
    const pipeline = await open(1, { tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    Object.assign(pipeline.campaign, { effort: () => sql`1` })
    return pipeline
  }

  it('is not exceeded by a step that was claimed before the one with the lower number', async () => {
    const pipeline = await open1()
    const [one, two] = (await queue(pipeline)).toSorted((a, b) => a.stepId - b.stepId)
    if (!one || !two) throw new Error('not two')
    await processAround(pipeline, two, () => processBatch(pipeline.worker, one))
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([
      { step: 'one', state: 'sent' },
      { step: 'two', state: 'skipped', reason: 'effort' },
    ])
  })

  it('is spent by the one step of two that decide at the same moment', async () => {
    const pipeline = await open1()
    await rush(pipeline)
    await pipeline.work()
    const states = (await pipeline.records()).map(({ state }) => state)
    expect(states.toSorted()).toEqual(['sent', 'skipped'])
  })
})

describe('a budget', () => {
  const priced = (budget: Record<string, string>) => ({ limits: { budget, max_delay: '20d' } })
  const spent = async ({ database }: Pipeline, kind = 'spend') => {
    const [sum] = await rows<{ amount: number }>(
      database,
      sql`SELECT coalesce(sum(amount), 0)::bigint AS amount FROM ledger WHERE kind = ${kind}`,
    )
    return sum?.amount
  }
  const holds = ({ database }: Pipeline) => rows(database, sql`SELECT * FROM budget_holds`)
  const cent = 10_000

  it('of a day is spent to the last message it covers, and there again the next day', async () => {
    const channel = testChannel('email', { price: cent, concurrency: 50 })
    const pipeline = await open(10, { definition: priced({ spend: '0.125 CNY per day' }), channel })
    // What another batch still held looks again a minute later.
    const spend = async () => {
      await rush(pipeline)
      later(pipeline, 60)
      await rush(pipeline)
    }
    await spend()
    expect(channel.sent).toHaveLength(12)
    expect(await spent(pipeline)).toBe(12 * cent)
    later(pipeline, DAY)
    await spend()
    expect(channel.sent).toHaveLength(24)
    later(pipeline, DAY)
    await spend()
    expect(channel.sent).toHaveLength(30)
    expect(await holds(pipeline)).toEqual([])
  })

  it('of a campaign ends it with a reason, and failed sends give back', async () => {
    const channel = testChannel('email', { price: cent })
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: '550' })
    const pipeline = await open(2, { definition: priced({ spend: '0.02 CNY' }), channel })
    await pipeline.work()
    expect(await spent(pipeline)).toBe(0)
    channel.answer = () => ({ outcome: 'sent' })
    const more = await open(3, { definition: priced({ spend: '0.02 CNY' }), channel })
    await rush(more)
    // What another batch held looked again.
    later(more, 60)
    await rush(more)
    expect(await spent(more)).toBe(2 * cent)
    const reasons = (await more.records()).flatMap(({ reason }) => (reason === null ? [] : [reason]))
    expect(reasons).toEqual(Array.from({ length: 7 }, () => 'budget_exhausted'))
  })

  it('waits for what another batch holds, and is skipped only when it is spent', async () => {
    const channel = testChannel('email', { price: cent })
    const pipeline = await open(2, { definition: priced({ spend: '0.01 CNY' }), channel })
    const budget = { campaign: 'test', kind: 'spend', most: cent, per: null, zone: 'UTC' } as const
    await openBudgets(pipeline.database, [budget])
    const holding = randomUUID()
    const claim = { contactId: 1, touchpointId: 1, spend: cent, liability: 0 }
    await transaction(pipeline.database, (tx) => holdBudgets(tx, holding, [budget], START, [claim]))
    await pipeline.work()
    expect(await pipeline.records()).toEqual([])
    await releaseBudgets(pipeline.database, holding)
    later(pipeline, 60)
    await pipeline.work()
    expect(await spent(pipeline)).toBe(cent)
    expect(new Set((await pipeline.records()).map(({ reason }) => reason))).toEqual(
      new Set([null, 'budget_exhausted']),
    )
  })

  it('counts what was booked before there was one', async () => {
    const channel = testChannel('email', { price: cent })
    const before = await open(1, { definition: { limits: { max_delay: '20d' } }, channel })
    await before.work()
    expect(await spent(before)).toBe(3 * cent)
    await before.addContact({ silentSince })
    later(before, 3600)
    await before.runNow()
    Object.assign(before.campaign.definition.limits.budget, {
      spend: { amount: { micros: 4 * cent, currency: 'CNY' }, per: null },
    })
    await before.work()
    expect(await spent(before)).toBe(4 * cent)
  })

  it('of liability covers what is promised at its expected cost, once an episode', async () => {
    const terms = offer.parse({ kind: 'coupon', amount: '5 CNY', valid: '7d', expected_redemption: '10%' })
    const steps = [
      { id: 'one', offer: { name: 'five', terms } },
      { id: 'two', after: DAY, offer: { name: 'five', terms } },
    ]
    const pipeline = await open(5, {
      definition: priced({ liability: '1.6 CNY' }),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    })
    await rush(pipeline)
    expect(await spent(pipeline, 'liability')).toBe(3 * 500_000)
    later(pipeline, DAY)
    await rush(pipeline)
    expect(await spent(pipeline, 'liability')).toBe(3 * 500_000)
    // Those with a grant hear of it again; the others are refused again.
    expect(pipeline.channel.sent).toHaveLength(6)
    const [stock] = await rows<{ taken: number }>(pipeline.database, sql`SELECT taken FROM offer_stocks`)
    expect(stock?.taken).toBe(3)
  })

  it('is held for what a dead worker was sending, and booked where nobody knows', async () => {
    const channel = testChannel('email', { price: cent, concurrency: 1 })
    const pipeline = await open(1, {
      definition: priced({ spend: '0.01 CNY' }),
      channel,
    })
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise(() => {})
      }
      void rush(pipeline).catch(() => {})
    })
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await holds(pipeline)).toHaveLength(1)
    await expireLeases(pipeline.database)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await holds(pipeline)).toEqual([])
    expect(await spent(pipeline)).toBe(cent)
  })

  it('is spent once where a worker that was thought dead tells after all', async () => {
    const channel = testChannel('email', { price: cent, concurrency: 1 })
    const pipeline = await open(1, {
      definition: priced({ spend: '1 CNY' }),
      channel,
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }] }],
    })
    const { database } = pipeline
    let end = () => {}
    let working: Promise<void> | undefined
    await new Promise<void>((sending) => {
      channel.answer = () =>
        new Promise((answer) => {
          end = () => answer({ outcome: 'sent' })
          sending()
        })
      working = rush(pipeline)
    })
    await expireLeases(database)
    await transaction(database, async (tx) => {
      expect(await reclaimExpired(tx, START, [])).toMatchObject({ uncertain: 1 })
      end()
      await untilWaiting(database)
    })
    expect(await spent(pipeline)).toBe(cent)
    await working
    expect(await pipeline.records()).toMatchObject([{ state: 'sent' }])
    expect(await spent(pipeline)).toBe(cent)
    expect(await rows(database, sql`SELECT cost FROM touchpoint_records`)).toEqual([{ cost: cent }])
  })

  it('is spent where a dead worker’s send is known by a receipt before the rest of its batch is found', async () => {
    const channel = testChannel('email', { price: cent, concurrency: 1 })
    const steps = [{ id: 'one' }]
    const tiers = [{ name: 'only', from: 3 * DAY, to: null, steps }]
    const pipeline = await open(2, { definition: priced({ spend: '1 CNY' }), channel, tiers })
    const { database } = pipeline
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise(() => {})
      }
      void rush(pipeline).catch(() => {})
    })
    await execute(database, sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE state = 'sending'`)
    expect(await sweep(database, START, [])).toMatchObject({ uncertain: 1 })
    const [uncertain] = await pipeline.records()
    const [{ touchpointId = 0 } = {}] = channel.sent
    expect(
      await resolve(database, START, [
        { ...knownByReport({ contactId: uncertain?.contactId ?? 0, touchpointId }) },
      ]),
    ).toBe(1)
    await expireLeases(database)
    await sweep(database, START, [])
    expect(await pipeline.records()).toMatchObject([{ state: 'sent' }])
    expect(await spent(pipeline)).toBe(cent)
  })

  it('is spent where more went than a number holds exactly, and nothing throws', async () => {
    const pipeline = await open(1, { definition: priced({ spend: '0.03 CNY' }) })
    const budget = { campaign: 'test', kind: 'spend', most: 3 * cent, per: null, zone: 'UTC' } as const
    await openBudgets(pipeline.database, [budget])
    await execute(
      pipeline.database,
      sql`INSERT INTO budget_days (campaign, kind, day, spent) VALUES ('test', 'spend', ${START}, ${'10000000000000000'}::bigint)`,
    )
    const claim = { contactId: 1, touchpointId: 1, spend: cent, liability: 0 }
    const short = await transaction(pipeline.database, (tx) =>
      holdBudgets(tx, randomUUID(), [budget], START, [claim]),
    )
    expect(short).toEqual(new Map([[1, { budget, held: false }]]))
  })

  it('is swept without waiting for a worker that lets go of its own: the two would wait for each other', async () => {
    const pipeline = await open(1, { definition: priced({ spend: '0.03 CNY' }) })
    const budget = { campaign: 'test', kind: 'spend', most: 3 * cent, per: null, zone: 'UTC' } as const
    await openBudgets(pipeline.database, [budget])
    // Two that are nobody's any more; a worker is letting go of the first.
    const [mine, left] = [randomUUID(), randomUUID()]
    const claim = { contactId: 1, touchpointId: 1, spend: cent, liability: 0 }
    for (const claimId of [mine, left]) {
      await transaction(pipeline.database, (tx) => holdBudgets(tx, claimId, [budget], START, [claim]))
    }
    await transaction(pipeline.database, async (tx) => {
      await releaseBudgets(tx, mine)
      // Returns while the other transaction is open.
      expect(await sweepBudgets(pipeline.database)).toBe(1)
    })
    expect(await holds(pipeline)).toEqual([])
  })
})
