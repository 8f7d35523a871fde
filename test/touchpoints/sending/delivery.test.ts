import { sql } from 'drizzle-orm'
import type { QueryConfig } from 'pg'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../src/channels/channel.ts'
import { eraseContact } from '../../../src/contacts/privacy/erase.ts'
import { type Database, execute, rows, transaction } from '../../../src/database/connect.ts'
import { processBatch } from '../../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../../src/touchpoints/dispatch.ts'
import type { TouchpointKey } from '../../../src/touchpoints/keys.ts'
import type { Settlement } from '../../../src/touchpoints/lifecycle.ts'
import type { Outgoing } from '../../../src/touchpoints/message.ts'
import { resolve } from '../../../src/touchpoints/recovery.ts'
import { concludeSend, handOver } from '../../../src/touchpoints/sending/sends.ts'
import { createSlots } from '../../../src/touchpoints/sending/slots.ts'
import { createStandstill } from '../../../src/touchpoints/sending/standstill.ts'
import { sweep } from '../../../src/touchpoints/sweep.ts'
import { plainCandidate } from '../../support/candidate.ts'
import { type TestChannel, testChannel } from '../../support/channel.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import {
  DAY,
  expireLeases,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  START,
} from '../../support/pipeline.ts'

/** A prepared statement comes with a name beside its text. */
const textOf = (query: string | QueryConfig) => (typeof query === 'string' ? query : query.text)

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
const ONE_STEP = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }]
const COUPON = {
  kind: 'coupon',
  amount: { micros: 5_000_000, currency: 'CNY' },
  deliver: 'account',
  codes: 'generated',
  valid: 7 * DAY,
  expected_redemption: 0.08,
} as const

async function open(contacts: number, options: PipelineOptions = {}): Promise<Pipeline> {
  const pipeline = await openPipeline({ tiers: ONE_STEP, ...options, database: await emptiedDatabase() })
  for (let n = 0; n < contacts; n += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return pipeline
}

/** Queues what is due and returns the batches, unprocessed. */
async function queue(pipeline: Pipeline): Promise<Batch[]> {
  const batches: Batch[] = []
  await dispatchDue(pipeline.database, { now: pipeline.clock.now(), jobs: 100 }, async (batch) => {
    batches.push(batch)
  })
  return batches
}

const states = async (pipeline: Pipeline) =>
  (await pipeline.open()).map((row) => row.state).concat((await pipeline.records()).map((row) => row.state))

const ledger = (pipeline: Pipeline) =>
  rows<{ kind: string; amount: number; entries: number }>(
    pipeline.database,
    sql`SELECT kind, sum(amount)::bigint AS amount, count(*) AS entries FROM ledger GROUP BY kind ORDER BY kind`,
  )

describe('a send that ended', () => {
  const outgoing = (attempt: number, channel = testChannel()): Outgoing => ({
    candidate: plainCandidate({ attempt, email: null, phone: null }),
    contact: { contactId: 1, externalId: 'u1', email: null, phone: null, locale: 'en', timezone: 'UTC' },
    channel,
    address: 'a',
    content: null,
    template: 'hello',
    cost: 10,
  })
  const dueIn = (attempt: number, after?: number, maxDelay = 40 * DAY) => {
    const retry = { outcome: 'retry', detail: '451', ...(after === undefined ? {} : { after }) } as const
    const said = concludeSend(outgoing(attempt), retry, START, maxDelay)
    return 'dueAt' in said ? (said.dueAt.getTime() - START.getTime()) / 1000 : said.reason
  }

  it('is tried again after a minute, five, thirty, two hours, six; then given up', () => {
    expect([0, 1, 2, 3, 4, 5].map((attempt) => dueIn(attempt))).toEqual([
      60,
      300,
      1800,
      7200,
      21_600,
      'attempts',
    ])
  })

  it('waits for as long as the provider asked for, if that is longer', () => {
    expect(dueIn(0, 600)).toBe(600)
    expect(dueIn(3, 600)).toBe(7200)
  })

  it('is given up at once where the next try would come too late', () => {
    expect(dueIn(0, 0, 60)).toBe(60)
    expect(dueIn(0, 0, 59)).toBe('attempts')
  })

  it('holds for any time and any words a provider may come up with', () => {
    expect(dueIn(0, 1e300)).toBe(30 * DAY)
    const said = concludeSend(
      outgoing(0),
      { outcome: 'sent', providerId: 'x\0'.repeat(600), detail: 'half \ud800' },
      START,
      DAY,
    )
    expect(said).toMatchObject({ providerId: 'x'.repeat(250), detail: 'half \ufffd' })
    const wordy = concludeSend(outgoing(0), { outcome: 'uncertain', detail: 'x'.repeat(600) }, START, DAY)
    expect(wordy).toMatchObject({ detail: 'x'.repeat(500) })
  })

  it('does not begin where its lease might end before it does', async () => {
    const channel = testChannel()
    const installation = { name: 'aaaaaaaa', unnamed: { touchpoint: 0, grant: 0 } }
    const begin = (left: number) =>
      handOver(outgoing(0, channel), performance.now() + left, { stream: 'test.remind', installation })
    expect(await begin(channel.deadline)).toMatchObject({ outcome: 'retry', unsent: true, after: 0 })
    expect(channel.sent).toEqual([])
    expect(await begin(60 * channel.deadline)).toEqual({ outcome: 'sent' })
  })

  it('costs nothing where it was refused, and its price where nobody knows', () => {
    const conclude = (delivery: Parameters<typeof concludeSend>[1]) =>
      concludeSend(outgoing(0), delivery, START, DAY)
    expect(conclude({ outcome: 'sent' })).toMatchObject({ state: 'sent', cost: 10 })
    expect(conclude({ outcome: 'uncertain', detail: 'x' })).toMatchObject({
      state: 'uncertain',
      cost: 10,
    })
    expect(conclude({ outcome: 'rejected', reason: 'refused', detail: 'x' })).toMatchObject({
      state: 'failed',
      reason: 'refused',
      cost: 0,
    })
  })
})

describe('slots', () => {
  it('are never more than there are, and are served in turn', async () => {
    const slots = createSlots(4)
    expect(await slots.take(10)).toBe(4)
    const granted: string[] = []
    const first = slots.take(10).then((count) => granted.push(`first ${count}`))
    const second = slots.take(1).then((count) => granted.push(`second ${count}`))
    slots.give(1)
    expect(slots.tryTake(10)).toBe(0)
    slots.give(1)
    await first
    expect(granted).toEqual(['first 2'])
    slots.give(2)
    await second
    expect(granted).toEqual(['first 2', 'second 1'])
    expect(slots.tryTake(1)).toBe(1)
    expect(slots.tryTake(1)).toBe(0)
  })
})

describe('a channel at a standstill', () => {
  const RESTS = { slow: 5_000, first: 60_000, longest: 200_000 }

  it('rests after some sends in a row took long and came to nothing, longer each time, until one is answered', () => {
    let now = 1_000
    const told: number[] = []
    const tell = (rest: number) => told.push(rest)
    const standstill = createStandstill(40, tell, RESTS, () => now)
    const times = (count: number, ...[outcome, took]: Parameters<typeof standstill.note>) => {
      for (let n = 0; n < count; n += 1) standstill.note(outcome, took)
    }
    times(9, 'retry', 60_000)
    times(1, 'sent', 30_000)
    times(9, 'uncertain', 35_000)
    // Put off at once: that holds nobody up, and is in no doubt.
    times(50, 'retry', 10)
    times(9, 'retry', 60_000)
    expect(standstill.rest).toBe(0)
    for (const rest of [60_000, 120_000, 200_000, 200_000]) {
      times(rest === 60_000 ? 1 : 10, 'retry', 60_000)
      expect(standstill.rest).toBe(rest)
      // What was under way beside them.
      times(30, 'uncertain', 60_000)
      expect(standstill.rest).toBe(rest)
      now += rest
      expect(standstill.rest).toBe(0)
    }
    times(10, 'retry', 60_000)
    times(1, 'rejected', 100)
    expect(standstill.rest).toBe(0)
    times(10, 'retry', 60_000)
    expect(standstill.rest).toBe(60_000)
    expect(told).toEqual([60_000, 120_000, 200_000, 200_000, 200_000, 60_000])
  })

  it('rests after some in a row were left in doubt, however soon: each is for good', () => {
    let now = 1_000
    const standstill = createStandstill(
      4,
      () => {},
      RESTS,
      () => now,
    )
    const doubt = (count: number) => {
      for (let n = 0; n < count; n += 1) standstill.note('uncertain', 10)
    }
    doubt(3)
    standstill.note('sent', 10)
    doubt(3)
    // One and the same, tried again, may be why.
    standstill.note('sent', 10)
    for (let again = 0; again < 6; again += 1) standstill.note('retry', 10, true, 'odd')
    doubt(2)
    expect(standstill.rest).toBe(0)
    doubt(1)
    expect(standstill.rest).toBe(60_000)
    now += 60_000
    expect([standstill.rest, standstill.most]).toEqual([0, 1])
    // So is one that is sent again because it may have been taken.
    standstill.note('retry', 10, true)
    expect(standstill.rest).toBe(120_000)
    now += 120_000
    standstill.note('retry', 10)
    expect([standstill.rest, standstill.most]).toEqual([0, Number.POSITIVE_INFINITY])
  })

  it('is given nothing more of a batch, nor of the next, and loses nothing', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(20, { channel })
    let now = 0
    const standstill = createStandstill(
      3,
      () => {},
      { ...RESTS, slow: 0 },
      () => now,
    )
    const worker = { ...pipeline.worker, slots: new Map([['email', createSlots(3, standstill)]]) }
    channel.answer = () => ({ outcome: 'retry', detail: 'no answer' })
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    const tried = channel.sent.length
    expect(tried).toBeGreaterThanOrEqual(3)
    expect(tried).toBeLessThanOrEqual(6)
    const waiting = () =>
      rows<{ waits: string; count: number }>(
        pipeline.database,
        sql`SELECT state || ' ' || attempt AS waits, count(*)::int FROM touchpoints GROUP BY 1 ORDER BY 1`,
      )
    expect(await waiting()).toEqual([
      { waits: 'planned 0', count: 20 - tried },
      { waits: 'planned 1', count: tried },
    ])
    // Due again while it still rests: nothing is handed over.
    pipeline.clock.set(new Date(START.getTime() + 61_000))
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    expect(channel.sent).toHaveLength(tried)
    now += 60_000
    channel.answer = () => ({ outcome: 'sent' })
    pipeline.clock.set(new Date(START.getTime() + 122_000))
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    expect(await states(pipeline)).toEqual(Array.from({ length: 20 }, () => 'sent'))
    expect(channel.sent).toHaveLength(20 + tried)
  })
})

it('a provider that answers 500 to all is given one message after each rest, and the others keep their tries', async () => {
  const channel = testChannel('email', { concurrency: 5, idempotent: true })
  const pipeline = await open(40, { channel })
  let now = 0
  const rests = { slow: 5_000, first: 60_000, longest: 900_000 }
  const standstill = createStandstill(
    5,
    () => {},
    rests,
    () => now,
  )
  const worker = { ...pipeline.worker, slots: new Map([['email', createSlots(5, standstill)]]) }
  const work = async (seconds: number) => {
    now = seconds * 1000
    pipeline.clock.set(new Date(START.getTime() + now))
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
  }
  channel.answer = () => ({ outcome: 'retry', detail: 'the provider answers 500' })
  // Each would have been given up within nine hours.
  for (let minutes = 0; minutes < 10 * 60; minutes += 2) await work(minutes * 60)
  const [seen] = await rows<{ untried: number; ended: number }>(
    pipeline.database,
    sql`SELECT count(*) FILTER (WHERE attempt <= 2)::int AS untried,
        (SELECT count(*)::int FROM touchpoint_records) AS ended FROM touchpoints`,
  )
  expect(seen).toEqual({ untried: 40, ended: 0 })
  channel.answer = () => ({ outcome: 'sent' })
  for (let hours = 10; hours < 17; hours += 1) await work(hours * 3600)
  expect(await states(pipeline)).toEqual(Array.from({ length: 40 }, () => 'sent'))
  const keys = channel.sent.map(({ touchpointId, key }) => `${touchpointId} ${key}`)
  expect(new Set(keys).size).toBe(40)
})

it('a channel that has been at a standstill is tried with one message after each rest, and with all once that is answered', async () => {
  const channel = testChannel('email', { concurrency: 5 })
  const pipeline = await open(40, { channel })
  const rests = { slow: 0, first: 60_000, longest: 60_000 }
  let now = 0
  const standstill = createStandstill(
    5,
    () => {},
    rests,
    () => now,
  )
  const worker = { ...pipeline.worker, slots: new Map([['email', createSlots(5, standstill)]]) }
  const work = async (seconds: number) => {
    now = seconds * 1000
    pipeline.clock.set(new Date(START.getTime() + now))
    const before = channel.sent.length
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    return channel.sent.length - before
  }
  // It takes the text and says no more: each of those is in doubt for good.
  channel.answer = () => ({ outcome: 'uncertain', detail: 'no answer' })
  expect(await work(0)).toBeLessThanOrEqual(10)
  for (const seconds of [61, 122, 183]) expect(await work(seconds)).toBe(1)
  const lost = channel.sent.length
  channel.answer = () => ({ outcome: 'sent' })
  expect(await work(244)).toBe(40 - lost)
})

describe('a batch', () => {
  it('has no more under way than the channel sends at once, also where two run side by side', async () => {
    let underWay = 0
    let most = 0
    const channel = testChannel('email', { concurrency: 5 })
    const steps = [{ id: 'one' }, { id: 'two' }]
    const pipeline = await open(30, { channel, tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    const batches = await queue(pipeline)
    expect(batches).toHaveLength(2)
    let sending = 0
    channel.answer = async () => {
      underWay += 1
      most = Math.max(most, underWay)
      const [row] = await rows<{ count: number }>(
        pipeline.database,
        sql`SELECT count(*) AS count FROM touchpoints WHERE state = 'sending'`,
      )
      sending = Math.max(sending, row?.count ?? 0)
      underWay -= 1
      return { outcome: 'sent' }
    }
    await Promise.all(batches.map((batch) => processBatch(pipeline.worker, batch)))
    expect(channel.sent).toHaveLength(60)
    expect(most).toBe(5)
    // A killed worker leaves what is `sending` in doubt: settling frees a place, not the end of the send.
    expect(sending).toBeLessThanOrEqual(5)
  })

  it('that runs twice, also at the same time, sends once', async () => {
    const pipeline = await open(20)
    const [batch] = await queue(pipeline)
    if (!batch) throw new Error('no batch')
    await Promise.all([1, 2, 3].map(() => processBatch(pipeline.worker, batch)))
    await processBatch(pipeline.worker, batch)
    expect(pipeline.channel.sent).toHaveLength(20)
    expect(new Set(pipeline.channel.sent.map((message) => message.key)).size).toBe(20)
    expect(new Set(await states(pipeline))).toEqual(new Set(['sent']))
  })

  it('says of a provider that it took none of its messages, and what it said', async () => {
    const pipeline = await open(4)
    const { channel, worker, clock } = pipeline
    const again = async (minutes: number) => {
      clock.set(new Date(START.getTime() + minutes * 60_000))
      const [batch] = await queue(pipeline)
      if (!batch) throw new Error('no batch')
      return (await processBatch(worker, batch)).tookNone
    }
    const said = '451 4.3.0 the disk is full'
    channel.answer = () => ({ outcome: 'retry', detail: said })
    expect(await again(0)).toEqual([{ channel: 'email', messages: 4, said }])
    // One got through: what was said to the others may be about them.
    channel.answer = () =>
      channel.sent.length === 5 ? { outcome: 'sent' } : { outcome: 'retry', detail: said }
    expect(await again(2)).toEqual([])
    const refused = '550 5.7.1 sender not allowed'
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: refused })
    expect(await again(10)).toEqual([{ channel: 'email', messages: 3, said: refused }])
    expect(new Set(await states(pipeline))).toEqual(new Set(['sent', 'failed']))
  })

  it('says nothing of a provider that knows none of its addresses', async () => {
    const pipeline = await open(4)
    pipeline.channel.answer = () => ({
      outcome: 'rejected',
      reason: 'bad_address',
      detail: '550 5.1.1 nobody',
    })
    const [batch] = await queue(pipeline)
    expect(batch && (await processBatch(pipeline.worker, batch)).tookNone).toEqual([])
  })

  it('of an older job does not touch what another job has claimed', async () => {
    const pipeline = await open(1)
    const [old] = await queue(pipeline)
    if (!old) throw new Error('no batch')
    await expireLeases(pipeline.database)
    await sweep(pipeline.database, START, [])
    let inner: unknown
    pipeline.channel.answer = async () => {
      inner = await processBatch(pipeline.worker, old)
      return { outcome: 'sent' }
    }
    const [again] = await queue(pipeline)
    if (!again) throw new Error('no batch')
    await processBatch(pipeline.worker, again)
    expect(inner).toEqual({ claimed: 0, settled: {}, deferred: 0 })
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  it('ends what belongs to a contact that is there no more', async () => {
    const pipeline = await open(2)
    await execute(pipeline.database, sql`DELETE FROM contact_activity WHERE contact_id = 1`)
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([
      { contactId: 1, state: 'skipped', reason: 'erased' },
      { contactId: 2, state: 'sent' },
    ])
  })

  it('looks at the clock again before each slice: what the window has closed on goes when it opens', async () => {
    const channel = testChannel('email', { concurrency: 1 })
    const pipeline = await open(3, {
      channel,
      definition: { limits: { send_window: { default: '00:00-02:00' } } },
    })
    channel.answer = () => {
      pipeline.clock.advance(3600)
      return { outcome: 'sent' }
    }
    // START is one in the morning: after the first message it is two.
    await pipeline.work()
    expect(channel.sent).toHaveLength(1)
    const opening = new Date('2026-03-03T00:00:00Z')
    expect(await pipeline.open()).toMatchObject([
      { state: 'planned', dueAt: opening },
      { state: 'planned', dueAt: opening },
    ])
    pipeline.clock.set(opening)
    await pipeline.work()
    expect(channel.sent).toHaveLength(3)
  })

  it('looks at the clock again once it has marked: what waited beyond the window for that goes when it opens', async () => {
    const pipeline = await open(2, { definition: { limits: { send_window: { default: '00:00-02:00' } } } })
    const { clock, channel, worker } = pipeline
    // Asked for just before the marking, which comes through an hour later. START is one in the morning.
    let waited = false
    const addressKey = () => {
      if (!waited) clock.advance(3600)
      waited = true
      return null
    }
    const [batch] = await queue(pipeline)
    if (!batch) throw new Error('no batch')
    expect(await processBatch({ ...worker, addressKey }, batch)).toMatchObject({ settled: {}, deferred: 2 })
    expect(channel.sent).toEqual([])
    const opening = new Date('2026-03-03T00:00:00Z')
    expect(await pipeline.open()).toMatchObject([
      { state: 'planned', dueAt: opening },
      { state: 'planned', dueAt: opening },
    ])
    clock.set(opening)
    await pipeline.work()
    expect(channel.sent).toHaveLength(2)
  })

  it.each([
    ['the next', 2],
    // As of a machine that was suspended meanwhile.
    ['any later one', 70 * DAY],
  ])('that begins in one month is settled in %s', async (_, seconds) => {
    const pipeline = await openPipeline({ tiers: ONE_STEP, database: await emptiedDatabase() })
    pipeline.clock.set(new Date('2026-08-31T23:59:59Z'))
    await pipeline.addContact({ silentSince: new Date('2026-08-27T12:00:00Z') })
    await pipeline.runNow()
    pipeline.channel.answer = () => {
      pipeline.clock.advance(seconds)
      return { outcome: 'sent' }
    }
    await pipeline.work()
    expect(await states(pipeline)).toEqual(['sent'])
  })

  it('settles what is under way when the database refuses to mark the next, and gives its places back', async () => {
    const channel = testChannel('email', { concurrency: 2 })
    const pipeline = await open(6, { channel })
    let marks = 0
    // The second marking fails for good: not an outage, so nobody waits.
    const broken: Database = {
      ...pipeline.database,
      client: new Proxy(pipeline.database.client, {
        get: (target, key) => {
          if (key !== 'query') return Reflect.get(target, key)
          return (query: string | QueryConfig, values: unknown[]) => {
            if (textOf(query).includes(`SET state = 'sending'`)) {
              marks += 1
              if (marks === 2) return Promise.reject(new Error('disk full'))
            }
            return target.query(query, values)
          }
        },
      }),
    }
    const [batch] = await queue(pipeline)
    if (!batch) throw new Error('no batch')
    const worker = { ...pipeline.worker, database: broken }
    await expect(processBatch(worker, batch)).rejects.toThrow('disk full')
    expect(channel.sent.length).toBe(2)
    expect((await pipeline.records()).map((row) => row.state)).toEqual(['sent', 'sent'])
    expect(pipeline.worker.slots.get('email')?.tryTake(2)).toBe(2)
    pipeline.worker.slots.get('email')?.give(2)
    await expireLeases(pipeline.database)
    expect(await sweep(pipeline.database, START, [])).toEqual({ released: 4, repeated: 0, uncertain: 0 })
    await pipeline.work()
    expect(channel.sent).toHaveLength(6)
  })

  it('keeps what it learnt through an outage, and takes back what it marked without hearing so', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(9, { channel })
    // Each kind of statement loses its first answer, after it was carried out.
    const lost = new Set<string>()
    const flaky: Database = {
      ...pipeline.database,
      client: new Proxy(pipeline.database.client, {
        get: (target, key) => {
          if (key !== 'query') return Reflect.get(target, key)
          return async (query: string | QueryConfig, values: unknown[]) => {
            const result = await target.query(query, values)
            const kind = ["SET state = 'sending'", 'INTO touchpoint_records'].find((part) =>
              textOf(query).includes(part),
            )
            if (kind === undefined || lost.has(kind)) return result
            lost.add(kind)
            throw Object.assign(new Error('terminating connection'), { code: '57P01' })
          }
        },
      }),
    }
    for (const batch of await queue(pipeline))
      await processBatch({ ...pipeline.worker, database: flaky }, batch)
    expect(lost.size).toBe(2)
    await pipeline.work()
    expect(await states(pipeline)).toEqual(Array.from({ length: 9 }, () => 'sent'))
    expect(new Set(channel.sent.map((message) => message.touchpointId)).size).toBe(9)
    expect(channel.sent).toHaveLength(9)
  })
})

describe('a sweep', () => {
  const sending = async (pipeline: Pipeline) => {
    for (const batch of await queue(pipeline)) {
      // The worker dies in the middle: its sends never end.
      pipeline.channel.answer = () => new Promise(() => {})
      void processBatch(pipeline.worker, batch)
    }
    await new Promise<void>((resolve) => {
      const look = () => (pipeline.channel.sent.length > 0 ? resolve() : setImmediate(look))
      look()
    })
  }

  it('leaves live leases alone', async () => {
    const pipeline = await open(1)
    await queue(pipeline)
    expect(await sweep(pipeline.database, START, [])).toEqual({ released: 0, repeated: 0, uncertain: 0 })
    expect(await states(pipeline)).toEqual(['queued'])
  })

  it('plans again what was queued or claimed', async () => {
    const pipeline = await open(6, { channel: testChannel('email', { concurrency: 1 }) })
    await queue(pipeline)
    await expireLeases(pipeline.database)
    expect(await sweep(pipeline.database, START, [])).toEqual({ released: 6, repeated: 0, uncertain: 0 })
    await sending(pipeline)
    await expireLeases(pipeline.database)
    expect(await sweep(pipeline.database, START, [])).toEqual({ released: 5, repeated: 0, uncertain: 1 })
    expect(await states(pipeline)).toEqual([...Array.from({ length: 5 }, () => 'planned'), 'uncertain'])
  })

  it('sends again, with the same key, where the channel knows repeats', async () => {
    const channel = testChannel('email', { idempotent: true })
    const pipeline = await open(1, { channel })
    await sending(pipeline)
    await expireLeases(pipeline.database)
    expect(await sweep(pipeline.database, START, ['email'])).toEqual({
      released: 0,
      repeated: 1,
      uncertain: 0,
    })
    channel.answer = () => ({ outcome: 'sent' })
    // The places of the dead worker died with it.
    const slots = new Map([['email', createSlots(4)]])
    for (const batch of await queue(pipeline)) await processBatch({ ...pipeline.worker, slots }, batch)
    const key = `tp-${pipeline.worker.installation.name}-${channel.sent[0]?.touchpointId}`
    expect(channel.sent.map((message) => message.key)).toEqual([key, key])
    const [record] = await rows(pipeline.database, sql`SELECT state, attempt FROM touchpoint_records`)
    expect(record).toEqual({ state: 'sent', attempt: 2 })
  })

  it('that thought a slow worker dead is corrected when the worker tells', async () => {
    const channel = testChannel('email', { price: 7 })
    const pipeline = await open(1, { channel })
    let end = () => {}
    channel.answer = () =>
      new Promise((resolve) => {
        end = () => resolve({ outcome: 'sent', providerId: 'p-1', detail: '250 taken' })
      })
    const [batch] = await queue(pipeline)
    if (!batch) throw new Error('no batch')
    const working = processBatch(pipeline.worker, batch)
    await new Promise<void>((resolve) => {
      const look = () => (channel.sent.length > 0 ? resolve() : setImmediate(look))
      look()
    })
    await expireLeases(pipeline.database)
    expect(await sweep(pipeline.database, START, [])).toMatchObject({ uncertain: 1 })
    expect(await ledger(pipeline)).toEqual([])
    // It may be out, and what comes of it counts for the breakers: so it does, too, and once.
    const counted = () => rows(pipeline.database, sql`SELECT sum(sent) AS sent FROM send_counts`)
    expect(await counted()).toEqual([{ sent: 1 }])
    end()
    await working
    expect(await counted()).toEqual([{ sent: 1 }])
    const [record] = await rows(
      pipeline.database,
      sql`SELECT state, provider_id AS id, detail, cost FROM touchpoint_records`,
    )
    expect(record).toEqual({ state: 'sent', id: 'p-1', detail: '250 taken', cost: 7 })
    expect(await ledger(pipeline)).toEqual([{ kind: 'spend', amount: 7, entries: 1 }])
  })
})

describe('what a slow worker tells of messages that were taken from it', () => {
  const counted = ({ database }: Pipeline) => rows(database, sql`SELECT sum(sent) AS sent FROM send_counts`)

  /** It hands over its only message, the sweeper takes it, something happens, and then it hears the answer. */
  async function outlive(
    channel: TestChannel,
    answer: Delivery,
    meanwhile: (pipeline: Pipeline) => Promise<void> = async () => {},
  ): Promise<Pipeline> {
    const pipeline = await open(1, { channel })
    const [batch] = await queue(pipeline)
    if (!batch) throw new Error('no batch')
    let end = () => {}
    let working: Promise<unknown> | undefined
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise((resolve) => {
          end = () => resolve(answer)
        })
      }
      working = processBatch(pipeline.worker, batch)
    })
    await expireLeases(pipeline.database)
    await sweep(pipeline.database, START, channel.idempotent ? ['email'] : [])
    await meanwhile(pipeline)
    end()
    await working
    return pipeline
  }

  it.each([
    ['sent', { outcome: 'sent' }, 1],
    ['in doubt', { outcome: 'uncertain', detail: 'dropped after DATA' }, 1],
    ['refused', { outcome: 'rejected', reason: 'refused', detail: '550' }, 0],
  ] as const)('is counted once: %s', async (_, answer, sent) => {
    expect(await counted(await outlive(testChannel('email'), answer))).toEqual([{ sent }])
  })

  it.each([
    ['sent', { outcome: 'sent' }],
    ['refused', { outcome: 'rejected', reason: 'refused', detail: '550' }],
  ] as const)('is counted once, and as in doubt, where its reader was erased: %s', async (_, answer) => {
    const erased = async ({ database }: Pipeline) => {
      await transaction(database, (tx) => eraseContact(tx, 1, { now: START, hooks: {}, phoneKeys: () => [] }))
    }
    const pipeline = await outlive(testChannel('email'), answer, erased)
    expect(await rows(pipeline.database, sql`SELECT state FROM touchpoint_records`)).toEqual([
      { state: 'uncertain' },
    ])
    expect(await counted(pipeline)).toEqual([{ sent: 1 }])
  })

  it('is counted once where another worker has sent it again, to a provider that knows repeats', async () => {
    const channel = testChannel('email', { idempotent: true })
    const again = async (pipeline: Pipeline) => {
      channel.answer = () => ({ outcome: 'sent' })
      const slots = new Map([['email', createSlots(4)]])
      for (const batch of await queue(pipeline)) await processBatch({ ...pipeline.worker, slots }, batch)
    }
    const pipeline = await outlive(channel, { outcome: 'sent' }, again)
    expect(channel.sent).toHaveLength(2)
    expect(await counted(pipeline)).toEqual([{ sent: 1 }])
  })
})

describe('what is uncertain', () => {
  const doubtful = async () => {
    const channel = testChannel('email', { price: 7 })
    channel.answer = () => ({ outcome: 'uncertain', detail: 'dropped after DATA' })
    const steps = [{ id: 'coupon', offer: { name: 'five', terms: COUPON } }]
    const pipeline = await open(1, { channel, tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    await pipeline.work()
    const [key] = await rows<TouchpointKey>(
      pipeline.database,
      sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId" FROM touchpoint_records`,
    )
    if (!key) throw new Error('no record')
    const known = (state: Settlement['state']): Settlement => ({
      ...key,
      state,
      reason: state === 'failed' ? 'refused' : null,
      detail: 'receipt',
      channel: 'email',
      template: null,
      providerId: 'p-1',
      cost: 0,
    })
    return { pipeline, known }
  }

  it('counts as spent, and stays so when a receipt says it arrived', async () => {
    const { pipeline, known } = await doubtful()
    const spent = [
      { kind: 'liability', amount: 400_000, entries: 1 },
      { kind: 'spend', amount: 7, entries: 1 },
    ]
    expect(await ledger(pipeline)).toEqual(spent)
    expect(await resolve(pipeline.database, START, [known('sent')])).toBe(1)
    expect(await ledger(pipeline)).toEqual(spent)
    // Known is known: a second receipt, also a contrary one, changes nothing.
    expect(await resolve(pipeline.database, START, [known('failed')])).toBe(0)
    expect(await pipeline.records()).toMatchObject([{ state: 'sent' }])
  })

  it('is taken back when a receipt says it never arrived', async () => {
    const { pipeline, known } = await doubtful()
    expect(await resolve(pipeline.database, START, [known('failed')])).toBe(1)
    expect(await ledger(pipeline)).toEqual([
      // The grant outlives its message.
      { kind: 'liability', amount: 400_000, entries: 1 },
      { kind: 'spend', amount: 0, entries: 2 },
    ])
    expect(await pipeline.records()).toMatchObject([{ state: 'failed', reason: 'refused' }])
  })
})

describe('an offer', () => {
  it('is granted and owed once an episode, also where its steps are at work at the same moment', async () => {
    const offer = { name: 'five', terms: COUPON }
    const steps = [
      { id: 'one', offer },
      { id: 'two', offer },
      { id: 'three', offer },
    ]
    const channel = testChannel('email', { concurrency: 50 })
    const pipeline = await open(10, { channel, tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    const batches = await queue(pipeline)
    expect(batches).toHaveLength(3)
    await Promise.all(batches.map((batch) => processBatch(pipeline.worker, batch)))
    // Whoever came second waits a minute for what the first is granting, and then speaks of the same grant.
    pipeline.clock.set(new Date(pipeline.clock.now().getTime() + 61_000))
    await pipeline.work()
    pipeline.clock.set(new Date(pipeline.clock.now().getTime() + 61_000))
    await pipeline.work()
    expect(channel.sent).toHaveLength(30)
    expect(await ledger(pipeline)).toEqual([{ kind: 'liability', amount: 10 * 400_000, entries: 10 }])
  })

  it('is not owed by a message that was refused', async () => {
    const steps = [{ id: 'one', offer: { name: 'five', terms: COUPON } }]
    const channel = testChannel('email', { price: 3 })
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: '550' })
    const pipeline = await open(1, { channel, tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    await pipeline.work()
    expect(await ledger(pipeline)).toEqual([])
  })
})
