import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { execute, rows } from '../../src/database/connect.ts'
import { type Offer, offer } from '../../src/offers/offers.ts'
import type { OfferProvider } from '../../src/offers/provider.ts'
import { findReleased } from '../../src/reports/dealings-sql.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { testChannel } from '../support/channel.ts'
import {
  DAY,
  expireLeases,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  START,
  type StepSketch,
} from '../support/pipeline.ts'

// One promise an episode: reserved while a message is under way, granted once it is out, given back otherwise.

function coupon(changes: Record<string, unknown> = {}): Offer {
  return offer.parse({
    kind: 'coupon',
    amount: '5 CNY',
    valid: '7d',
    expected_redemption: '8%',
    deliver: 'code',
    ...changes,
  })
}

async function open(
  contacts: number,
  terms: Offer,
  options: PipelineOptions & { step?: Partial<StepSketch> } = {},
): Promise<Pipeline> {
  const steps = [
    { id: 'one', offer: { name: 'five', terms }, ...options.step },
    { id: 'two', after: DAY, offer: { name: 'five', terms } },
  ]
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    ...options,
  })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let made = 0; made < contacts; made += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return pipeline
}

interface GrantRow {
  state: string
  code: string | null
  credit: string | null
  expiresAt: Date
}

const grantsOf = ({ database }: Pipeline) =>
  rows<GrantRow>(
    database,
    sql`SELECT state, code, credit, expires_at AS "expiresAt" FROM grants ORDER BY contact_id, grant_id`,
  )
const takenOf = async ({ database }: Pipeline) => {
  const [stock] = await rows<{ taken: number }>(database, sql`SELECT taken FROM offer_stocks`)
  return stock?.taken ?? 0
}
/** How the messages had ended whose grants were given back, as the contacts' stories tell it. */
const releasedOf = async ({ database, clock }: Pipeline) => {
  const found = await rows<{ id: number }>(database, sql`SELECT contact_id AS id FROM contacts`)
  const told = await Promise.all(found.map(({ id }) => findReleased(database, id, clock.now())))
  return told.flat().map(({ state, reason }) => `${state} ${reason}`)
}
const liability = async ({ database }: Pipeline) => {
  const [sum] = await rows<{ amount: number }>(
    database,
    sql`SELECT coalesce(sum(amount), 0)::bigint AS amount FROM ledger WHERE kind = 'liability'`,
  )
  return sum?.amount
}
const promised = (pipeline: Pipeline) =>
  pipeline.channel.sent.map(
    ({ content }) => (JSON.parse(content) as { offer?: { code?: string } }).offer?.code,
  )
const wait = (pipeline: Pipeline, seconds: number) =>
  pipeline.clock.set(new Date(pipeline.clock.now().getTime() + seconds * 1000))

describe('a grant', () => {
  it('is one for the whole episode: its second step speaks of the same code', async () => {
    const pipeline = await open(3, coupon())
    await pipeline.work()
    wait(pipeline, DAY)
    await pipeline.work()
    const codes = promised(pipeline)
    expect(codes).toHaveLength(6)
    expect(new Set(codes).size).toBe(3)
    expect(await grantsOf(pipeline)).toMatchObject([
      { state: 'granted' },
      { state: 'granted' },
      { state: 'granted' },
    ])
    expect((await grantsOf(pipeline)).map(({ code }) => code).toSorted()).toEqual(
      [...new Set(codes)].toSorted(),
    )
    expect(await takenOf(pipeline)).toBe(3)
    expect(await liability(pipeline)).toBe(3 * 400_000)
  })

  it('is given back where the message was refused, and where it is tried again', async () => {
    const channel = testChannel()
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: '550' })
    const refused = await open(2, coupon(), { channel })
    await refused.work()
    expect(await grantsOf(refused)).toEqual([])
    expect(await takenOf(refused)).toBe(0)
    expect(await liability(refused)).toBe(0)
    expect(await releasedOf(refused)).toEqual(['failed refused', 'failed refused'])

    const slow = testChannel()
    slow.answer = () => ({ outcome: 'retry', detail: '451' })
    const retried = await open(1, coupon(), { channel: slow })
    await retried.work()
    expect(await takenOf(retried)).toBe(0)
    slow.answer = () => ({ outcome: 'sent' })
    wait(retried, 60)
    await retried.work()
    expect(await grantsOf(retried)).toMatchObject([{ state: 'granted' }])
    // The story tells of the try that came to nothing, too.
    expect(await releasedOf(retried)).toEqual(['null null'])
  })

  it.each([
    ['tried again', async () => ({ outcome: 'retry', detail: 'silence' }) as const],
    [
      'found where its worker died',
      async (pipeline: Pipeline) => {
        await expireLeases(pipeline.database)
        await sweep(pipeline.database, pipeline.clock.now(), ['email'])
        return { outcome: 'uncertain', detail: 'too late' } as const
      },
    ],
  ])('stays with a message that may be out and is sent again with its key: %s', async (_, first) => {
    const channel = testChannel('email', { idempotent: true })
    const pipeline = await open(2, coupon({ stock: 1 }), { channel })
    channel.answer = () => {
      channel.answer = () => ({ outcome: 'sent' })
      return first(pipeline)
    }
    await pipeline.work()
    // Whoever has the code may have it by now: nobody else gets it.
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
    expect(await takenOf(pipeline)).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
    wait(pipeline, 60)
    await pipeline.work()
    const [code, again] = promised(pipeline)
    expect(again).toBe(code)
    expect(promised(pipeline)).toHaveLength(2)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', code }])
    expect(await liability(pipeline)).toBe(400_000)
  })

  it('is never more than the stock, and those who come too late get the neutral message or none', async () => {
    const none = await open(5, coupon({ stock: 3 }))
    await none.work()
    expect(await takenOf(none)).toBe(3)
    const skipped = (await none.records()).filter(({ state }) => state === 'skipped')
    expect(skipped).toMatchObject([{ reason: 'offer_unavailable' }, { reason: 'offer_unavailable' }])

    const neutral = await open(5, coupon({ stock: 3 }), { step: { otherwise: true, facts: [] } })
    await neutral.work()
    expect(neutral.channel.sent).toHaveLength(5)
    expect(promised(neutral).filter((code) => code !== undefined)).toHaveLength(3)
    expect(await takenOf(neutral)).toBe(3)
  })

  it('takes imported codes one by one, and says when there are no more', async () => {
    const pipeline = await open(3, coupon({ codes: 'imported' }))
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at) VALUES
        ('A1', 'a-1', 'test', 'five', ${START}, ${new Date(START.getTime() + 2 * DAY * 1000)}),
        ('B2', 'b-2', 'test', 'five', ${START}, NULL),
        ('C3', 'c-3', 'test', 'five', ${START}, ${START})`,
    )
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['a-1', 'b-2'])
    const [first] = (await grantsOf(pipeline)).filter(({ code }) => code === 'a-1')
    expect(first?.expiresAt).toEqual(new Date(START.getTime() + 2 * DAY * 1000))
    const [skip] = await rows(
      pipeline.database,
      sql`SELECT reason, detail FROM touchpoint_records WHERE state = 'skipped'`,
    )
    expect(skip).toEqual({ reason: 'offer_unavailable', detail: 'codes' })
  })

  it('gives imported codes by their end: the earliest first, those without one last, none that has ended', async () => {
    const pipeline = await open(3, coupon({ codes: 'imported' }))
    const until = (days: number) => new Date(START.getTime() + days * DAY * 1000)
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at) VALUES
        ('A', 'a', 'test', 'five', ${START}, NULL), ('B', 'b', 'test', 'five', ${START}, ${until(3)}),
        ('C', 'c', 'test', 'five', ${START}, ${until(-1)}), ('D', 'd', 'test', 'five', ${START}, ${until(2)}),
        ('E', 'e', 'test', 'five', ${START}, ${until(2)}), ('F', 'f', 'test', 'five', ${START}, NULL)`,
    )
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['b', 'd', 'e'])
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    pipeline.clock.set(until(0.5))
    await pipeline.runNow()
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['a', 'b', 'd', 'e'])
  })

  it('counts what the person had of the kind over all campaigns and accounts', async () => {
    for (const [limit, detail] of [
      [{ per_contact: '1 per 30d' }, 'per_contact'],
      [{ lifetime: 1 }, 'lifetime'],
      [{ cool_down: '30d' }, 'cool_down'],
    ] as const) {
      const pipeline = await open(1, coupon(limit))
      // Another account of the person had a coupon of another campaign ten days ago.
      const person = await rows<{ id: number }>(pipeline.database, sql`SELECT person_id AS id FROM contacts`)
      const other = await pipeline.addContact({ person: person[0]?.id ?? 0 })
      const before = new Date(START.getTime() - 10 * DAY * 1000)
      await rows(
        pipeline.database,
        sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face,
            expected, reserved_at, granted_at, expires_at)
          VALUES (${other}, 1, 'earlier', 'ten', 'coupon', 1, 1, 'expired', 1, 1, ${before}, ${before}, ${before})`,
      )
      await pipeline.work()
      const [skip] = await rows(pipeline.database, sql`SELECT reason, detail FROM touchpoint_records`)
      expect(skip).toEqual({ reason: 'offer_unavailable', detail })
    }
  })

  it('ends with its time, and what it was expected to cost is taken back', async () => {
    const pipeline = await open(2, coupon())
    await pipeline.work()
    expect(await liability(pipeline)).toBe(800_000)
    wait(pipeline, 7 * DAY - 1)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await liability(pipeline)).toBe(800_000)
    wait(pipeline, 1)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'expired' }, { state: 'expired' }])
    expect(await liability(pipeline)).toBe(0)
  })

  it('is granted, and owed, with the settlement of its message, while the rest of the batch is on its way', async () => {
    const channel = testChannel('email', { concurrency: 1 })
    const pipeline = await open(2, coupon(), { channel })
    let seen: unknown
    channel.answer = async () => {
      seen = [(await grantsOf(pipeline)).map(({ state }) => state), await liability(pipeline)]
      return { outcome: 'sent' }
    }
    await pipeline.work()
    // As the second message was being sent.
    expect(seen).toEqual([['granted', 'reserved'], 400_000])
    expect(await liability(pipeline)).toBe(2 * 400_000)
  })

  it('of a worker that died comes back with its touchpoint, or stays where the message may be out', async () => {
    const channel = testChannel('email', { concurrency: 1 })
    const pipeline = await open(2, coupon(), { channel })
    // Dies with its first message in the air: the answer never comes back from this one.
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise(() => {})
      }
      void pipeline.work().catch(() => {})
    })
    await expireLeases(pipeline.database)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
    expect(await takenOf(pipeline)).toBe(1)
    expect(await pipeline.records()).toMatchObject([{ state: 'uncertain' }])
  })
})

describe('an offer that a provider credits', () => {
  const provider = (answers: ('credited' | 'refused' | 'unknown')[]) => {
    const keys: string[] = []
    const credit: OfferProvider['credit'] = async ({ key }) => {
      keys.push(key)
      const outcome = answers.shift() ?? 'credited'
      return outcome === 'credited' ? { outcome } : { outcome, detail: 'as told' }
    }
    return { keys, provider: { concurrency: 1, credit } }
  }
  const begin = async (
    answers: ('credited' | 'refused' | 'unknown')[],
    step: Partial<StepSketch> = {},
    definition: Record<string, unknown> = {},
    contacts = 1,
  ) => {
    const pipeline = await open(contacts, coupon({ deliver: 'account' }), { step, definition })
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

  it('is given back where the provider refuses after all, when the next step asks', async () => {
    const { pipeline, keys } = await begin(['unknown', 'refused'], {}, { limits: { max_delay: '2h' } })
    const { database, clock } = pipeline
    // It would have been asked for again too late.
    await execute(
      database,
      sql`UPDATE touchpoints SET due_at = due_at + interval '3 hours' WHERE waits = 'credit'`,
    )
    wait(pipeline, 4 * 3600)
    await pipeline.work()
    await sweep(database, clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', credit: 'asking' }])
    expect(await liability(pipeline)).toBe(400_000)
    wait(pipeline, DAY - 4 * 3600)
    await pipeline.work()
    expect(new Set(keys).size).toBe(1)
    expect(await grantsOf(pipeline)).toEqual([])
    expect(await takenOf(pipeline)).toBe(0)
    expect(await liability(pipeline)).toBe(0)
  })

  it('keeps its part of the budget while nobody knows: nobody else is promised it', async () => {
    const { pipeline, keys } = await begin(['unknown'], {}, scanty)
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
