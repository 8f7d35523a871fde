import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/channels/channel.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { offer } from '../../src/offers/offers.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import { type BatchResult, processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { BACK_OFF } from '../../src/touchpoints/sending/sends.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { type TestChannel, testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import {
  condition,
  DAY,
  expireLeases,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  START,
} from '../support/pipeline.ts'

// What becomes of messages that were tried and never answered, on a channel whose provider recognises a repeat.

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
const SILENCE: Delivery = { outcome: 'retry', detail: 'no answer within 20 s' }
const BUSY: Delivery = { outcome: 'retry', detail: '429', unsent: true }
const REFUSED: Delivery = { outcome: 'rejected', reason: 'refused', detail: 'never heard of it' }

async function open(
  contacts: number,
  options: PipelineOptions = {},
  phone: string | null = null,
): Promise<Pipeline> {
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
    channel: testChannel('email', { idempotent: true, price: 7 }),
    database: await emptiedDatabase(),
    ...options,
  })
  for (let made = 0; made < contacts; made += 1) await pipeline.addContact({ silentSince, phone })
  await pipeline.runNow()
  return pipeline
}

/** One contact with both addresses, and a step that goes by e-mail or, where that cannot be, by the other channel. */
async function openListed(other: TestChannel): Promise<Pipeline> {
  const steps = [{ id: 'remind', channels: ['email', other.name] }]
  const tiers = [{ name: 'only', from: 3 * DAY, to: null, steps }]
  return await open(1, { tiers, others: [other] }, '+8613800000000')
}

/** Works until every try there is has been made. */
async function exhaust(pipeline: Pipeline): Promise<void> {
  for (const pause of [...BACK_OFF, 0]) {
    await pipeline.work()
    pipeline.clock.advance(pause)
  }
}

/** Its worker dies with the only message in the air. */
async function dieSending(pipeline: Pipeline): Promise<void> {
  const { database, clock, channel } = pipeline
  await new Promise<void>((sending) => {
    channel.answer = () => {
      sending()
      return new Promise(() => {})
    }
    void pipeline.work().catch(() => {})
  })
  await expireLeases(database)
  expect(await sweep(database, clock.now(), ['email'])).toMatchObject({ repeated: 1 })
}

const recorded = ({ database }: Pipeline) =>
  rows<{ state: string; reason: string | null; channel: string; cost: number; attempt: number }>(
    database,
    sql`SELECT state, reason, channel, cost, attempt FROM touchpoint_records WHERE channel IS NOT NULL`,
  )

const counted = ({ database }: Pipeline) =>
  rows(database, sql`SELECT channel, sent FROM send_counts WHERE sent > 0`)

const ledger = ({ database }: Pipeline) =>
  rows<{ kind: string; amount: number }>(
    database,
    sql`SELECT kind, sum(amount)::bigint AS amount FROM ledger GROUP BY kind ORDER BY kind`,
  )

describe('a message that six tries got no answer for', () => {
  it('is in doubt and costs its price; one that was turned away each time has failed', async () => {
    const pipeline = await open(2)
    pipeline.channel.answer = ({ address }) => (address === 'u1@example.com' ? SILENCE : BUSY)
    await exhaust(pipeline)
    expect(await recorded(pipeline)).toEqual([
      { state: 'uncertain', reason: null, channel: 'email', cost: 7, attempt: 6 },
      { state: 'failed', reason: 'attempts', channel: 'email', cost: 0, attempt: 6 },
    ])
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
  })

  it('is in doubt where the next try would come too late, too', async () => {
    const pipeline = await open(1, { definition: { limits: { max_delay: '90s' } } })
    pipeline.channel.answer = () => SILENCE
    await exhaust(pipeline)
    expect(await recorded(pipeline)).toMatchObject([{ state: 'uncertain', attempt: 2 }])
  })

  it('is sent once anything is heard of it, and its price stays booked once', async () => {
    const pipeline = await open(1)
    const { database, clock, channel } = pipeline
    channel.answer = () => SILENCE
    await exhaust(pipeline)
    const [message] = channel.sent
    if (!message) throw new Error('nothing was sent')
    const { contactId, touchpointId } = message
    const reporting = {
      name: 'email',
      kind: 'email',
      channelsOf: { email: ['email'], phone: [] },
      phoneKeys: () => [],
    } as const
    const event = { contactId, touchpointId, kind: 'delivered', eventId: 'e-1', at: clock.now() } as const
    expect(await recordReceipts(database, clock.now(), reporting, [event])).toMatchObject({ settled: 1 })
    expect(await recorded(pipeline)).toMatchObject([{ state: 'sent', cost: 7 }])
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
  })

  it('counts towards what its person may have, is counted by the breakers, and keeps its coupon', async () => {
    const terms = offer.parse({
      ...{ kind: 'coupon', amount: '5 CNY', valid: '7d', expected_redemption: '8%', deliver: 'code' },
    })
    const steps = [
      { id: 'one', offer: { name: 'five', terms } },
      { id: 'two', after: DAY },
    ]
    const pipeline = await open(1, {
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
      definition: { limits: { per_person: [{ at_most: '1 per week', then: 'skip' }] } },
    })
    pipeline.channel.answer = () => SILENCE
    await exhaust(pipeline)
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([
      { step: 'one', state: 'uncertain' },
      { step: 'two', state: 'skipped', reason: 'frequency_cap' },
    ])
    const { database } = pipeline
    expect(await counted(pipeline)).toEqual([{ channel: 'email', sent: 1 }])
    expect(await rows(database, sql`SELECT state FROM grants`)).toEqual([{ state: 'granted' }])
    expect(await ledger(pipeline)).toEqual([
      { kind: 'liability', amount: 400_000 },
      { kind: 'spend', amount: 7 },
    ])
  })

  it('has failed where the last says that the provider never took it', async () => {
    const pipeline = await open(1)
    let tries = 0
    pipeline.channel.answer = () => {
      tries += 1
      return tries < 6 ? SILENCE : REFUSED
    }
    await exhaust(pipeline)
    expect(await recorded(pipeline)).toMatchObject([{ state: 'failed', reason: 'refused', cost: 0 }])
    expect(await ledger(pipeline)).toEqual([])
  })
})

describe('a message that is to be tried again because it may be out', () => {
  it.each([
    ['its person returns', 'returned', (pipeline: Pipeline) => pipeline.addActivity(1, pipeline.clock.now())],
    [
      'its address gets no more',
      'suppressed',
      (pipeline: Pipeline) => pipeline.suppress('email', 'u1@example.com'),
    ],
    [
      'its condition no longer holds',
      'condition',
      ({ database }: Pipeline) => execute(database, sql`UPDATE contacts SET attributes = '{"vip":"no"}'`),
    ],
  ])('is in doubt where it is not, since %s, and costs its price', async (_, reason, happens) => {
    const vip = condition('vip', sql`c.attributes ->> 'vip' IS DISTINCT FROM 'no'`)
    const pipeline = await open(1, {
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind', condition: vip }] }],
    })
    pipeline.channel.answer = () => SILENCE
    await pipeline.work()
    pipeline.clock.advance(60)
    await happens(pipeline)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(await recorded(pipeline)).toEqual([
      { state: 'uncertain', reason, channel: 'email', cost: 7, attempt: 1 },
    ])
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
  })

  it('is counted as what it is recorded as, where a guard ends it: to operators, and to the breakers', async () => {
    const vip = condition('vip', sql`c.attributes ->> 'vip' IS DISTINCT FROM 'no'`)
    const pipeline = await open(2, {
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind', condition: vip }] }],
    })
    const { database, clock, channel, worker } = pipeline
    channel.answer = ({ address }) => (address === 'u1@example.com' ? SILENCE : BUSY)
    await pipeline.work()
    clock.advance(60)
    await execute(database, sql`UPDATE contacts SET attributes = '{"vip":"no"}'`)
    const batches: BatchResult[] = []
    await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
      batches.push(await processBatch(worker, batch))
    })
    expect(await pipeline.records()).toMatchObject([{ state: 'uncertain' }, { state: 'skipped' }])
    expect(batches).toMatchObject([{ claimed: 2, settled: { uncertain: 1, skipped: 1 }, deferred: 0 }])
    expect(await counted(pipeline)).toEqual([{ channel: 'email', sent: 1 }])
  })

  it('is counted by the breakers where a return ends it', async () => {
    const pipeline = await open(1)
    pipeline.channel.answer = () => SILENCE
    await pipeline.work()
    await pipeline.addActivity(1, pipeline.clock.now())
    expect(await pipeline.records()).toMatchObject([{ state: 'uncertain', reason: 'returned' }])
    expect(await counted(pipeline)).toEqual([{ channel: 'email', sent: 1 }])
  })

  it.each([
    [
      'its address is gone',
      ({ database }: Pipeline) => execute(database, sql`UPDATE contacts SET email = NULL, email_key = NULL`),
      'no_address',
    ],
    [
      'it is refused there',
      ({ database, clock }: Pipeline) =>
        execute(
          database,
          sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
            SELECT contact_id, 'email', 'withdrawn', ${clock.now()}, 'test', ${clock.now()} FROM contacts`,
        ),
      'no_consent',
    ],
    [
      'its channel is no longer set up',
      ({ worker }: Pipeline) => (worker.channels as Map<string, unknown>).delete('email'),
      'no_channel',
    ],
  ])('goes by no other channel of its step meanwhile, where %s', async (_, happens, reason) => {
    const sms = testChannel('sms')
    const pipeline = await openListed(sms)
    const { channel, clock } = pipeline
    channel.answer = () => SILENCE
    await pipeline.work()
    clock.advance(60)
    await happens(pipeline)
    await pipeline.work()
    expect(channel.sent).toHaveLength(1)
    expect(sms.sent).toEqual([])
    expect(await recorded(pipeline)).toEqual([
      { state: 'uncertain', reason, channel: 'email', cost: 7, attempt: 1 },
    ])
  })

  it('goes by the next channel of its step where its only try never left', async () => {
    const sms = testChannel('sms')
    const pipeline = await openListed(sms)
    pipeline.channel.answer = () => BUSY
    await pipeline.work()
    pipeline.clock.advance(60)
    await execute(pipeline.database, sql`UPDATE contacts SET email = NULL, email_key = NULL`)
    await pipeline.work()
    expect(sms.sent).toHaveLength(1)
    expect(await recorded(pipeline)).toMatchObject([{ state: 'sent', channel: 'sms' }])
  })

  it('is cancelled where each try was turned away', async () => {
    const pipeline = await open(1)
    pipeline.channel.answer = () => BUSY
    await pipeline.work()
    await pipeline.addActivity(1, pipeline.clock.now())
    expect(await pipeline.records()).toMatchObject([{ state: 'cancelled', reason: 'returned' }])
    expect(await ledger(pipeline)).toEqual([])
  })

  it('counts towards how often its person chose to hear, and not against itself', async () => {
    const steps = [{ id: 'one' }, { id: 'two', after: 30 }]
    const pipeline = await open(1, { tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    const { database, clock, channel } = pipeline
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, source)
        SELECT contact_id, ${clock.now()}, '{}', '{}', 1, 7, 'test' FROM contacts`,
    )
    channel.answer = () => (channel.sent.length === 1 ? SILENCE : { outcome: 'sent' })
    await pipeline.work()
    clock.advance(30)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([{ step: 'two', state: 'skipped', reason: 'opted_out' }])
    clock.advance(30)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([
      { step: 'one', state: 'sent' },
      { step: 'two', state: 'skipped' },
    ])
  })

  it('is in doubt where its worker died in the middle of it', async () => {
    const pipeline = await open(1)
    await dieSending(pipeline)
    await pipeline.addActivity(1, pipeline.clock.now())
    expect(await recorded(pipeline)).toMatchObject([
      { state: 'uncertain', reason: 'returned', channel: 'email' },
    ])
  })

  it.each([
    ['by its worker', false],
    ['by the sweeper, once its worker is dead', true],
  ])('keeps its part of the budget, put back %s', async (_, dies) => {
    // For one of them.
    const definition = { limits: { max_delay: '2d', budget: { spend: '0.00001 CNY' } } }
    const pipeline = await open(1, { definition })
    const { database, clock, channel } = pipeline
    if (dies) await dieSending(pipeline)
    channel.answer = () => SILENCE
    if (!dies) await pipeline.work()
    await sweep(database, clock.now(), ['email'])
    await execute(
      database,
      sql`UPDATE touchpoints SET due_at = ${clock.now()}::timestamptz + interval '90 seconds'`,
    )
    await pipeline.addContact({ silentSince })
    clock.advance(30)
    await pipeline.runNow()
    for (const pause of [30, 30, ...BACK_OFF.flatMap((wait) => [60, wait]), 60, 60]) {
      await sweep(database, clock.now(), ['email'])
      await pipeline.work()
      clock.advance(pause)
    }
    expect(new Set(channel.sent.map(({ address }) => address)).size).toBe(1)
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
    expect((await pipeline.records()).map(({ state, reason }) => reason ?? state).toSorted()).toEqual([
      'budget_exhausted',
      'uncertain',
    ])
    expect(await rows(database, sql`SELECT FROM budget_holds`)).toEqual([])
  })

  /** For two of them. */
  const forTwo = { limits: { max_delay: '2d', budget: { spend: '0.000014 CNY' } } }

  it('keeps it no longer than it is in doubt: its price does not count twice until the next sweep', async () => {
    const pipeline = await open(1, { definition: forTwo })
    const { database, clock, channel } = pipeline
    channel.answer = () => SILENCE
    await pipeline.work()
    expect(await rows(database, sql`SELECT amount FROM budget_holds`)).toEqual([{ amount: 7 }])
    channel.answer = () => ({ outcome: 'sent' })
    clock.advance(60)
    await pipeline.work()
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
    await pipeline.addContact({ silentSince })
    await pipeline.runNow()
    await pipeline.work()
    expect((await pipeline.records()).map(({ state }) => state)).toEqual(['sent', 'sent'])
    await sweep(database, clock.now(), ['email'])
    expect(await rows(database, sql`SELECT amount FROM budget_holds`)).toEqual([])
  })

  it.each([
    ['by its worker', false],
    ['by the sweeper, once its worker is dead', true],
  ])('keeps no part of it once its person returns: its price is booked. Put back %s', async (_, dies) => {
    const pipeline = await open(1, { definition: forTwo })
    const { database, clock, channel } = pipeline
    if (dies) await dieSending(pipeline)
    else {
      channel.answer = () => SILENCE
      await pipeline.work()
    }
    await pipeline.addActivity(1, clock.now())
    expect(await recorded(pipeline)).toMatchObject([{ state: 'uncertain', reason: 'returned', cost: 7 }])
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7 }])
    channel.answer = () => ({ outcome: 'sent' })
    await pipeline.addContact({ silentSince })
    clock.advance(1)
    await pipeline.runNow()
    await pipeline.work()
    expect((await pipeline.records()).map(({ state }) => state)).toEqual(['uncertain', 'sent'])
    await sweep(database, clock.now(), ['email'])
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 14 }])
    expect(await rows(database, sql`SELECT FROM budget_holds`)).toEqual([])
  })

  it('keeps it where the sweeper put it back and its worker, thought dead, ends all the same', async () => {
    const pipeline = await open(1, { definition: forTwo })
    const { database, clock, channel } = pipeline
    channel.answer = async () => {
      await expireLeases(database)
      await sweep(database, clock.now(), ['email'])
      return { outcome: 'sent' }
    }
    await pipeline.work()
    expect(await pipeline.open()).toMatchObject([{ state: 'planned' }])
    expect(await rows(database, sql`SELECT amount FROM budget_holds`)).toEqual([{ amount: 7 }])
  })

  it.each([
    ['a cap', { limits: { per_person: [{ at_most: '1 per week', then: 'skip' }] } }, 'frequency_cap'],
  ])('counts under %s meanwhile', async (_, definition, reason) => {
    const steps = [{ id: 'one' }, { id: 'two', after: 60 }]
    const pipeline = await open(1, {
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
      definition,
    })
    pipeline.channel.answer = () => SILENCE
    await pipeline.work()
    // The first is put off for longer than the second.
    await execute(
      pipeline.database,
      sql`UPDATE touchpoints SET due_at = due_at + interval '1 hour' WHERE doubted`,
    )
    pipeline.clock.advance(120)
    pipeline.channel.answer = () => ({ outcome: 'sent' })
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([{ step: 'two', state: 'skipped', reason }])
    pipeline.clock.advance(2 * 3600)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([{ step: 'one', state: 'sent' }, { step: 'two' }])
  })
})

it('whatever its tries came to, only what cannot have gone out has failed', async () => {
  const answer = fc.oneof(
    { weight: 12, arbitrary: fc.constant(BUSY) },
    { weight: 4, arbitrary: fc.constantFrom<Delivery>(SILENCE, { outcome: 'uncertain', detail: 'dropped' }) },
    { weight: 1, arbitrary: fc.constantFrom<Delivery>(REFUSED, { outcome: 'sent' }) },
  )
  const story = fc.array(answer, { minLength: 6, maxLength: 6 })
  await assertPatiently(
    // Some return between two tries; 6 is after the last.
    fc.asyncProperty(
      fc.array(fc.tuple(story, fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 8 }),
      async (told) => {
        const stories = told.map(([story]) => story)
        const pipeline = await open(stories.length)
        const tries = new Map<string, Delivery[]>()
        pipeline.channel.answer = ({ address }) => {
          const made = tries.get(address) ?? []
          const next = stories[Number(address.slice(1).split('@')[0]) - 1]?.[made.length] ?? SILENCE
          tries.set(address, [...made, next])
          return next
        }
        let round = 0
        for (const pause of [...BACK_OFF, 0]) {
          await pipeline.work()
          round += 1
          pipeline.clock.advance(pause)
          for (const [person, [, returns]] of told.entries()) {
            if (returns === round) await pipeline.addActivity(person + 1, pipeline.clock.now())
          }
        }
        expect(await pipeline.open()).toEqual([])
        const ended = await rows<{ email: string; state: string; cost: number }>(
          pipeline.database,
          sql`SELECT email, state, cost FROM touchpoint_records JOIN contacts USING (contact_id)`,
        )
        expect(ended).toHaveLength(stories.length)
        for (const { email, state, cost } of ended) {
          const made = tries.get(email) ?? []
          const last = made.at(-1)
          const doubted = made.some((each) => each === SILENCE || each.outcome === 'uncertain')
          const known =
            last?.outcome === 'sent' ? 'sent' : last?.outcome === 'rejected' ? 'failed' : undefined
          const givenUp = made.length === 6 ? 'failed' : 'cancelled'
          expect(state).toBe(known ?? (doubted ? 'uncertain' : givenUp))
          expect(cost).toBe(state === 'failed' || state === 'cancelled' ? 0 : 7)
        }
      },
    ),
    { numRuns: 8, milliseconds: 20_000 },
  )
})

it('whatever its tries came to, no more may be out than a budget has room for, and all of it is counted', async () => {
  const room = 3
  const definition = { limits: { max_delay: '20d', budget: { spend: `0.0000${room * 7} CNY` } } }
  /** `dies`: the sweeper thinks its worker dead, whose answer comes all the same. */
  const answer = fc.constantFrom('sent', 'silence', 'busy', 'refused', 'dies')
  const story = fc.record({
    tries: fc.array(answer, { minLength: 6, maxLength: 6 }),
    comes: fc.constantFrom(1, 1, 2, 3, 4),
    stays: fc.constantFrom(0, 1, 2, 3, 9, 9),
  })
  await assertPatiently(
    fc.asyncProperty(fc.array(story, { minLength: 4, maxLength: 8 }), async (told) => {
      // One at a time: the sweeper comes by nobody else's send.
      const channel = testChannel('email', { idempotent: true, price: 7, concurrency: 1 })
      const pipeline = await open(0, { definition, channel })
      const { database, clock } = pipeline
      const people: (typeof told)[number][] = []
      const out = new Set<string>()
      const made = new Map<string, number>()
      let most = 0
      channel.answer = async ({ address }) => {
        const no = made.get(address) ?? 0
        made.set(address, no + 1)
        const said = people[Number(address.slice(1).split('@')[0]) - 1]?.tries[no] ?? 'silence'
        if (said === 'refused') out.delete(address)
        else if (said !== 'busy') out.add(address)
        most = Math.max(most, out.size)
        if (said === 'dies') {
          await expireLeases(database)
          await sweep(database, clock.now(), ['email'])
        }
        if (said === 'silence') return SILENCE
        if (said === 'busy') return BUSY
        return said === 'refused' ? REFUSED : { outcome: 'sent' }
      }
      for (let round = 1; round <= 12 || (await pipeline.open()).length > 0; round += 1) {
        if (round > 60) throw new Error('it never ends')
        for (const one of told.filter(({ comes }) => comes === round)) {
          await pipeline.addContact({ silentSince })
          people.push(one)
        }
        await pipeline.runNow()
        await pipeline.work()
        clock.advance(round % 2 === 0 ? 60 : (BACK_OFF[(round - 1) / 2] ?? 21_600))
        for (const [person, { comes, stays }] of people.entries()) {
          if (comes + stays === round) await pipeline.addActivity(person + 1, clock.now())
        }
        if (round % 3 === 0) await sweep(database, clock.now(), ['email'])
      }
      await sweep(database, clock.now(), ['email'])
      expect(await rows(database, sql`SELECT FROM budget_holds`)).toEqual([])
      const spent = (await ledger(pipeline)).reduce((sum, { amount }) => sum + amount, 0)
      expect(spent).toBe(7 * out.size)
      expect(most).toBeLessThanOrEqual(room)
    }),
    { numRuns: 12, milliseconds: 20_000 },
  )
})
