import { sql } from 'drizzle-orm'
import { describe, expect, it, vi } from 'vitest'
import { CREDITOR } from '../../src/config/waits.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import type { CreditAnswer, CreditRequest, OfferProvider } from '../../src/offers/provider.ts'
import { recordErasure } from '../../src/outcomes/silence.ts'
import { readAbsences } from '../../src/reports/absences.ts'
import { readWaiting } from '../../src/reports/deferral.ts'
import type { Reached } from '../../src/touchpoints/sending/absences.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { testChannel } from '../support/channel.ts'
import { coupon, grantsOf, liability, openGranting, promised, takenOf, wait } from '../support/grants.ts'
import { DAY, expireLeases, type Pipeline, START, type StepSketch } from '../support/pipeline.ts'

// What a provider puts into an account: asked for until it is known, once an episode, and counted while nobody knows.

describe('an offer that a provider credits', () => {
  type Outcome = CreditAnswer['outcome']
  const provider = (answers: Outcome[]) => {
    const keys: string[] = []
    const credit: OfferProvider['credit'] = async ({ key }) => {
      keys.push(key)
      const outcome = answers.shift() ?? 'credited'
      return outcome === 'credited' ? { outcome } : { outcome, detail: 'as told' }
    }
    return { keys, provider: { concurrency: 1, credit } }
  }
  const begin = async (
    answers: Outcome[],
    step: Partial<StepSketch> = {},
    definition: Record<string, unknown> = {},
    contacts = 1,
  ) => {
    const pipeline = await openGranting(contacts, coupon({ deliver: 'account' }), { step, definition })
    const asked = provider(answers)
    Object.assign(pipeline.worker, { offerProvider: asked.provider })
    await pipeline.work()
    return { pipeline, keys: asked.keys }
  }

  it('is in the account before the message says so', async () => {
    const { pipeline, keys } = await begin(['credited'])
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(keys).toHaveLength(1)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'credited' }])
    wait(pipeline, DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(2)
    expect(keys).toHaveLength(1)
    expect(await liability(pipeline)).toBe(400_000)
  })

  it('is asked for again with the same key where the answer is not known', async () => {
    const { pipeline, keys } = await begin(['unknown', 'unknown'])
    expect(pipeline.channel.sent).toHaveLength(0)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    wait(pipeline, 60)
    await pipeline.work()
    await sweep(pipeline.database, pipeline.clock.now(), [])
    wait(pipeline, 300)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(new Set(keys).size).toBe(1)
    expect(keys).toHaveLength(3)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'credited' }])
  })

  it('is refused in words that no database takes, and the others of the batch get theirs', async () => {
    const pipeline = await openGranting(3, coupon({ deliver: 'account' }))
    let calls = 0
    // A page in two bytes a letter.
    const refusal = { outcome: 'refused', detail: '403 \u0000N\u0000o' } as const
    const credit: OfferProvider['credit'] = async () => {
      calls += 1
      return calls === 1 ? refusal : { outcome: 'credited' }
    }
    Object.assign(pipeline.worker, { offerProvider: { concurrency: 1, credit } })
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(2)
    expect((await pipeline.records()).map(({ reason }) => reason).toSorted()).toEqual([
      null,
      null,
      'offer_unavailable',
    ])
  })

  it('costs no message a try while the provider is away, and is nobody’s who comes back meanwhile', async () => {
    const away: Outcome[] = Array(400).fill('unasked')
    const { pipeline, keys } = await begin(away, {}, { limits: { max_delay: '2d' } }, 12)
    const { database, clock } = pipeline
    // The rest of the batch is not asked for.
    expect(keys).toHaveLength(3)
    expect(await grantsOf(pipeline)).toEqual([])
    // All the pauses between tries are less than nine hours; it is asked ever less often meanwhile.
    for (let quarter = 1; quarter <= 40; quarter += 1) {
      wait(pipeline, 900)
      await pipeline.work()
    }
    expect(
      await rows(
        database,
        sql`SELECT attempt, max(due_at) AS due, count(*) FROM touchpoints WHERE waits = 'credit' GROUP BY 1`,
      ),
    ).toEqual([{ attempt: 0, due: new Date(clock.now().getTime() + 900_000), count: 12 }])
    expect([await takenOf(pipeline), await liability(pipeline)]).toEqual([0, 0])
    const [contact] = await rows<{ id: number }>(database, sql`SELECT min(contact_id) AS id FROM contacts`)
    await pipeline.addActivity(contact?.id ?? 0, clock.now())
    away.length = 0
    wait(pipeline, 900)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(11)
    expect(await takenOf(pipeline)).toBe(11)
  })

  it('is told of as channels are whose provider is away: from when on and why, until it answers', async () => {
    const away: Outcome[] = Array(400).fill('unasked')
    const { pipeline } = await begin(away, {}, { limits: { max_delay: '2d' } }, 4)
    const { database, clock } = pipeline
    const said = async (campaign?: string) => await readAbsences(database, clock.now(), campaign)
    const told: string[] = []
    Object.assign(pipeline.worker, {
      onReach: ({ channel, ...news }: Reached) =>
        told.push(`${channel} ${'detail' in news ? 'away' : 'back'}`),
    })
    const [absent, ...others] = await said('test')
    expect(others).toEqual([])
    expect(absent).toMatchObject({
      channel: CREDITOR,
      since: START,
      detail: 'as told',
      waiting: 4,
      more: false,
    })
    wait(pipeline, 900)
    await pipeline.work()
    expect(await said()).toEqual([expect.objectContaining({ channel: CREDITOR, since: START, waiting: 4 })])
    expect(await said('another')).toEqual([])
    // Nothing on a channel is held up by it.
    expect(await readWaiting(database, clock.now())).toEqual([
      expect.objectContaining({ why: 'credit', touchpoints: 4 }),
    ])
    away.length = 0
    away.push('refused')
    wait(pipeline, 900)
    await pipeline.work()
    expect(await said()).toEqual([])
    expect(told).toEqual([`${CREDITOR} away`, `${CREDITOR} back`])
  })

  it('is away where one message did not get through and no other did, and not where others did', async () => {
    const { pipeline } = await begin(['unasked', 'credited'], {}, {}, 2)
    expect(await readAbsences(pipeline.database, pipeline.clock.now())).toEqual([])
    const alone = await begin(['unasked'])
    expect(await readAbsences(alone.pipeline.database, START)).toMatchObject([{ channel: CREDITOR }])
  })

  it('is waited for no longer by a worker that is ending, and asked for again without a try', async () => {
    const pipeline = await openGranting(3, coupon({ deliver: 'account' }))
    const { database, clock, worker } = pipeline
    const ending = new AbortController()
    const asked: string[] = []
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    let leave = (_: CreditAnswer) => {}
    const left = new Promise<CreditAnswer>((resolve) => {
      leave = resolve
    })
    const credit = async ({ key }: CreditRequest): Promise<CreditAnswer> => {
      asked.push(key)
      begin()
      return await left
    }
    Object.assign(worker, { offerProvider: { concurrency: 1, credit }, ending: ending.signal })
    const working = pipeline.work()
    await begun
    ending.abort()
    leave({ outcome: 'unknown', detail: 'this process is ending' })
    await working
    expect(asked).toHaveLength(1)
    // The one may be in the account; the others were asked for by nobody, and are due at once.
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    expect(
      await rows(
        database,
        sql`SELECT attempt, due_at AS due, count(*) FROM touchpoints WHERE waits = 'credit' GROUP BY 1, 2 ORDER BY 2`,
      ),
    ).toEqual([
      { attempt: 0, due: clock.now(), count: 2 },
      { attempt: 0, due: new Date(clock.now().getTime() + 60_000), count: 1 },
    ])
    const another = provider([])
    Object.assign(worker, { offerProvider: another.provider, ending: undefined })
    wait(pipeline, 60)
    await pipeline.work()
    expect(new Set([...asked, ...another.keys]).size).toBe(3)
    expect(another.keys).toHaveLength(3)
    expect(pipeline.channel.sent).toHaveLength(3)
  })

  it('may be in the account where an earlier call gave no answer, however far the next one came', async () => {
    const { pipeline, keys } = await begin(['unknown', 'unasked'])
    wait(pipeline, 60)
    await pipeline.work()
    expect(keys).toHaveLength(2)
    expect(
      await rows(pipeline.database, sql`SELECT attempt FROM touchpoints WHERE waits = 'credit'`),
    ).toEqual([{ attempt: 1 }])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    wait(pipeline, 180)
    await pipeline.work()
    expect(new Set(keys).size).toBe(1)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'credited' }])
  })

  it('counts as granted where somebody comes back while nobody knows', async () => {
    const { pipeline } = await begin(['unknown'])
    const [contact] = await rows<{ id: number }>(
      pipeline.database,
      sql`SELECT contact_id AS id FROM contacts`,
    )
    await pipeline.addActivity(contact?.id ?? 0, pipeline.clock.now())
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'asking' }])
    expect(await takenOf(pipeline)).toBe(1)
  })

  it('counts as granted where somebody is erased while nobody knows: the account may have it', async () => {
    const { pipeline } = await begin(['unknown'], {}, { limits: { budget: { liability: '0.5 CNY' } } })
    const { database, clock } = pipeline
    const [contact] = await rows<{ id: number }>(database, sql`SELECT contact_id AS id FROM contacts`)
    await transaction(database, (tx) =>
      eraseContact(tx, contact?.id ?? 0, {
        now: clock.now(),
        hooks: { onErased: recordErasure },
        phoneKeys: () => [],
      }),
    )
    await sweep(database, clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: null }])
    expect(await takenOf(pipeline)).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
  })

  const five = { kind: 'coupon', amount: '5 CNY', expected_redemption: '8%', valid: '7d', deliver: 'account' }
  /** For one of them. */
  const scanty = { offers: { five }, limits: { budget: { liability: '0.5 CNY' } } }

  it('is asked for as far as the budget goes', async () => {
    const { pipeline, keys } = await begin([], {}, scanty, 3)
    expect(keys).toHaveLength(1)
    expect(await liability(pipeline)).toBe(400_000)
    expect(await pipeline.records()).toMatchObject([
      { state: 'sent' },
      { state: 'skipped', reason: 'budget_exhausted' },
      { state: 'skipped', reason: 'budget_exhausted' },
    ])
  })

  it('has what it was asked for before anybody else is promised any: the account may have it', async () => {
    const pipeline = await openGranting(2, coupon({ deliver: 'account' }), { definition: scanty })
    const { keys, provider: unsure } = provider(['unknown'])
    Object.assign(pipeline.worker, { offerProvider: unsure })
    // Planned first, and due only with the second try of the other.
    await execute(
      pipeline.database,
      sql`UPDATE touchpoints SET planned_for = planned_for - interval '1 hour', due_at = due_at + interval '1 minute'
        WHERE contact_id = (SELECT max(contact_id) FROM contacts)`,
    )
    await pipeline.work()
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    wait(pipeline, 60)
    await pipeline.work()
    expect(new Set(keys).size).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
    expect((await pipeline.records()).map(({ state }) => state).toSorted()).toEqual(['sent', 'skipped'])
  })

  it('keeps its part where its message has to wait for other money: nobody of the batch is promised it', async () => {
    const terms = coupon({ deliver: 'account' })
    const step = { id: 'one', channels: ['email', 'log'], offer: { name: 'five', terms } }
    const budget = { liability: '0.5 CNY', spend: '1 CNY per day' }
    const pipeline = await openGranting(2, terms, {
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [step] }],
      definition: { offers: { five }, limits: { budget, max_delay: '3d' } },
      channel: testChannel('email', { price: 10_000 }),
      others: [testChannel('log')],
    })
    const { database, worker, campaign } = pipeline
    const { keys, provider: unsure } = provider(['unknown'])
    Object.assign(worker, { offerProvider: unsure })
    // One goes by what costs nothing, at the second try of the other.
    await execute(
      database,
      sql`WITH one AS (UPDATE contacts SET email = NULL, email_key = NULL
          WHERE contact_id = (SELECT max(contact_id) FROM contacts) RETURNING contact_id)
        UPDATE touchpoints t SET due_at = due_at + interval '1 minute' FROM one WHERE t.contact_id = one.contact_id`,
    )
    await pipeline.work()
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    // No mail may go today any more.
    const { limits } = campaign.definition
    const { spend } = limits.budget
    if (spend) Object.assign(limits.budget, { spend: { ...spend, amount: { ...spend.amount, micros: 0 } } })
    wait(pipeline, 60)
    await pipeline.work()
    expect(await pipeline.open()).toMatchObject([{ state: 'planned' }])
    expect(await pipeline.records()).toMatchObject([{ state: 'skipped', reason: 'budget_exhausted' }])
    Object.assign(limits.budget, { spend })
    wait(pipeline, DAY)
    await pipeline.work()
    expect(new Set(keys).size).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
  })

  it('is held for once where a worker dies while it asks, and no part of its batch is held any longer', async () => {
    const limits = { budget: { liability: '1.3 CNY', spend: '1 CNY' } }
    const pipeline = await openGranting(3, coupon({ deliver: 'account' }), {
      definition: { offers: { five }, limits },
      channel: testChannel('email', { price: 10_000 }),
    })
    const { database, clock, worker } = pipeline
    const death = async () => {
      throw new Error('killed')
    }
    Object.assign(worker, { offerProvider: { concurrency: 1, credit: death } })
    await expect(pipeline.work()).rejects.toThrow('killed')
    await expireLeases(database)
    await sweep(database, clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject(Array(3).fill({ state: 'reserved', credit: 'asking' }))
    expect(await rows(database, sql`SELECT kind, amount FROM budget_holds`)).toEqual([])
    // They count all the same: the accounts may have them.
    const asked = provider([])
    Object.assign(worker, { offerProvider: asked.provider })
    await pipeline.work()
    expect(asked.keys).toHaveLength(3)
    expect(pipeline.channel.sent).toHaveLength(3)
    expect(await liability(pipeline)).toBe(1_200_000)
  })

  /** A worker that is thought dead has a refusal in its hand while another asks. */
  const overtake = (pipeline: Pipeline, keys: string[], answers: ('refused' | 'unknown' | 'credited')[]) => ({
    concurrency: 1,
    credit: async ({ key }: CreditRequest): Promise<CreditAnswer> => {
      keys.push(key)
      const outcome = answers.shift() ?? 'credited'
      if (outcome === 'refused') {
        await expireLeases(pipeline.database)
        await sweep(pipeline.database, pipeline.clock.now(), [])
        await pipeline.work()
      }
      return outcome === 'credited' ? { outcome } : { outcome, detail: 'as told' }
    },
  })

  /** Its message would have been asked for again too late: it counts as granted, though nobody knows. */
  const outlast = async (answers: ('refused' | 'unknown')[]) => {
    const begun = await begin(answers, {}, { limits: { max_delay: '2h' } })
    const { database, clock } = begun.pipeline
    await execute(
      database,
      sql`UPDATE touchpoints SET due_at = due_at + interval '3 hours' WHERE waits = 'credit'`,
    )
    wait(begun.pipeline, 4 * 3600)
    await begun.pipeline.work()
    await sweep(database, clock.now(), [])
    return begun
  }

  it('is not given back by a refusal after which another has asked, and may have been credited', async () => {
    const pipeline = await openGranting(1, coupon({ deliver: 'account' }))
    const keys: string[] = []
    Object.assign(pipeline.worker, { offerProvider: overtake(pipeline, keys, ['refused', 'unknown']) })
    await pipeline.work()
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'reserved', credit: 'asking' }])
    wait(pipeline, 60)
    await pipeline.work()
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
  })

  it('is not given back so where it counted as granted while nobody knew, either', async () => {
    const { pipeline, keys } = await outlast(['unknown'])
    wait(pipeline, DAY - 4 * 3600)
    Object.assign(pipeline.worker, { offerProvider: overtake(pipeline, keys, ['refused', 'unknown']) })
    await pipeline.work()
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'asking' }])
    wait(pipeline, 60)
    await pipeline.work()
    expect(keys).toHaveLength(4)
    expect(new Set(keys).size).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
  })

  it('is given back where the provider refuses after all, when the next step asks', async () => {
    const { pipeline, keys } = await outlast(['unknown', 'refused'])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'asking' }])
    expect(await liability(pipeline)).toBe(400_000)
    wait(pipeline, DAY - 4 * 3600)
    await pipeline.work()
    expect(new Set(keys).size).toBe(1)
    expect(await grantsOf(pipeline)).toEqual([])
    expect(await takenOf(pipeline)).toBe(0)
    expect(await liability(pipeline)).toBe(0)
  })

  it.each([
    ['the same version', scanty],
    ['one that credits nothing', { ...scanty, offers: {} }],
  ])(
    'keeps its part of the budget while nobody knows: nobody else is promised what there is, by %s',
    async (_, definition) => {
      const { pipeline, keys } = await begin(['unknown'], {}, definition)
      const { database, clock } = pipeline
      await sweep(database, clock.now(), [])
      await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
      wait(pipeline, 30)
      await pipeline.runNow()
      await pipeline.work()
      expect(keys).toHaveLength(1)
      expect(await rows(database, sql`SELECT waits FROM touchpoints WHERE waits <> 'credit'`)).toEqual([
        { waits: 'budget_held' },
      ])
      for (const pause of [30, 60]) {
        wait(pipeline, pause)
        await pipeline.work()
      }
      expect(await liability(pipeline)).toBe(400_000)
      expect(await pipeline.records()).toMatchObject([
        { state: 'sent' },
        { state: 'skipped', reason: 'budget_exhausted' },
      ])
    },
  )

  it('is asked for no longer than a claim lasts, however many offers a batch promises', async () => {
    const terms = coupon({ deliver: 'account' })
    const variants = ['five', 'ten'].map((name) => ({ name, share: 0.5, offer: { name, terms } }))
    const pipeline = await openGranting(12, terms, { step: { variants } })
    const { database, clock, worker } = pipeline
    const now = performance.now.bind(performance)
    let passed = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now() + passed)
    const asked: string[] = []
    const credit = async ({ offer }: CreditRequest): Promise<CreditAnswer> => {
      asked.push(offer)
      passed += 31_000
      return { outcome: 'credited' }
    }
    Object.assign(worker, { offerProvider: { concurrency: 1, credit } })
    await pipeline.work()
    vi.restoreAllMocks()
    expect(
      await rows(database, sql`SELECT DISTINCT variant FROM touchpoints WHERE waits = 'credit'`),
    ).toHaveLength(2)
    expect(asked).toHaveLength(1)
    expect(await rows(database, sql`SELECT FROM touchpoints WHERE due_at <= ${clock.now()}`)).toEqual([])
  })

  it('is not promised where the provider refuses', async () => {
    const { pipeline } = await begin(['refused'])
    expect(pipeline.channel.sent).toHaveLength(0)
    expect(await pipeline.records()).toMatchObject([{ state: 'skipped', reason: 'offer_unavailable' }])
    expect(await grantsOf(pipeline)).toEqual([])
    expect(await takenOf(pipeline)).toBe(0)
    const soft = await begin(['refused'], { otherwise: true, facts: [] })
    expect(promised(soft.pipeline)).toEqual([undefined])
    // The message went out, and without the offer: nobody has it, nothing is booked, and the next step asks anew.
    expect(await grantsOf(soft.pipeline)).toEqual([])
    expect(await takenOf(soft.pipeline)).toBe(0)
    expect(await liability(soft.pipeline)).toBe(0)
    wait(soft.pipeline, DAY)
    await soft.pipeline.work()
    expect(new Set(soft.keys).size).toBe(2)
    expect(await grantsOf(soft.pipeline)).toMatchObject([{ state: 'granted', credit: 'credited' }])
  })
})
