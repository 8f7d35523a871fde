import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../../src/channels/channel.ts'
import { channelRate, openRates } from '../../../src/config/rates.ts'
import { execute, rows } from '../../../src/database/connect.ts'
import { readWaiting } from '../../../src/reports/deferral.ts'
import { processBatch } from '../../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue, nextDue } from '../../../src/touchpoints/dispatch.ts'
import { makeDue } from '../../../src/touchpoints/lifecycle.ts'
import {
  endAbsence,
  endRests,
  forgetAbsences,
  openReach,
  type Reached,
  recordAbsence,
} from '../../../src/touchpoints/sending/absences.ts'
import { createSlots } from '../../../src/touchpoints/sending/slots.ts'
import { testChannel } from '../../support/channel.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../../support/pipeline.ts'

const AWAY: Delivery = { outcome: 'retry', detail: 'connect ECONNREFUSED 10.0.0.1:25', unreached: true }
const ONE_STEP = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }]
const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)

async function open(contacts: number, options: PipelineOptions = {}): Promise<Pipeline> {
  const definition = { limits: { max_delay: '2d' } }
  const given = { tiers: ONE_STEP, definition, ...options }
  const pipeline = await openPipeline({ ...given, database: await emptiedDatabase() })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let n = 0; n < contacts; n += 1) await pipeline.addContact({ silentSince, phone: '+8613800000000' })
  await pipeline.runNow()
  return pipeline
}

async function queue({ database, clock }: Pipeline): Promise<Batch[]> {
  const batches: Batch[] = []
  await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
    batches.push(batch)
  })
  return batches
}

const tries = ({ database }: Pipeline) =>
  rows<{ state: string; attempt: number; count: number }>(
    database,
    sql`SELECT state, attempt, count(*) FROM (SELECT state, attempt FROM touchpoints
        UNION ALL SELECT state, attempt FROM touchpoint_records) t GROUP BY 1, 2 ORDER BY 1, 2`,
  )

describe('what the sends of a batch show of their provider', () => {
  const concluded = (width: number, known: boolean, ...said: Delivery[]) => {
    const reach = openReach(width, known)
    for (const [message, delivery] of said.entries()) reach.note(delivery, message)
    return { away: reach.away, most: reach.most, concluded: reach.conclude() }
  }
  const times = (count: number, delivery: Delivery) => Array.from({ length: count }, () => delivery)
  const sent: Delivery = { outcome: 'sent' }
  const most = Number.POSITIVE_INFINITY

  it('that it is away, where some in a row did not reach it, or the only ones did not', () => {
    const away = AWAY.detail
    expect(concluded(40, false, ...times(10, AWAY))).toEqual({ away: true, most, concluded: { away } })
    expect(concluded(1, false, sent, ...times(3, AWAY))).toEqual({ away: true, most, concluded: { away } })
    expect(concluded(40, false, AWAY)).toEqual({ away: false, most, concluded: { away } })
  })

  it('that it is as good as away, where it answers and takes none, whatever the message', () => {
    const full: Delivery = { outcome: 'retry', detail: '452 4.3.1 the disk is full', takesNone: true }
    const away = full.detail
    expect(concluded(40, false, ...times(10, full))).toEqual({ away: true, most, concluded: { away } })
    expect(concluded(40, false, ...times(3, full))).toEqual({ away: false, most, concluded: { away } })
    expect(concluded(40, true, full)).toEqual({ away: true, most: 1, concluded: { away } })
    // The last knows best how long that takes.
    const until = (after: number): Delivery => ({ ...full, after })
    expect(concluded(40, true, until(7), until(9)).concluded).toEqual({ away, after: 9 })
    // One that says nothing of it, as it was under way beside, takes nothing back; who has got through since does.
    expect(concluded(40, true, until(600), full).concluded).toEqual({ away, after: 600 })
    expect(concluded(3, true, until(600), sent, full, full, full).concluded).toEqual({ away })
    // Of fewer, it may have been about the message; and others got through.
    expect(concluded(40, false, full, full).concluded).toBeUndefined()
    expect(concluded(40, false, sent, ...times(9, full)).concluded).toBeUndefined()
    expect(concluded(40, false, ...times(10, { outcome: 'retry', detail: '450 greylisted' })).away).toBe(
      false,
    )
  })

  it('that it is as good as away, where it took none of one batch after another, of other messages each', () => {
    const full: Delivery = { outcome: 'retry', detail: '421 try later', takesNone: true }
    const putOff = new Set<number>()
    const batch = (message: number, said: Delivery = full) => {
      const reach = openReach(40, false, putOff)
      reach.note(said, message)
      return reach.conclude()
    }
    // Tried again, it may have been about that one message.
    for (let again = 0; again < 6; again += 1) expect(batch(1)).toBeUndefined()
    expect(batch(2)).toBeUndefined()
    expect(batch(3)).toEqual({ away: full.detail })
    expect(batch(4, { outcome: 'sent' })).toBeUndefined()
    for (const message of [5, 6]) expect(batch(message)).toBeUndefined()
  })

  it('nothing, where one or a few did not reach it and others did', () => {
    const nothing = { away: false, most, concluded: undefined }
    expect(concluded(40, false, sent, AWAY)).toEqual(nothing)
    expect(concluded(40, false, ...times(9, AWAY), sent, ...times(9, AWAY))).toEqual(nothing)
    expect(concluded(40, false, AWAY, { outcome: 'retry', detail: '451' })).toEqual(nothing)
    expect(concluded(40, false)).toEqual(nothing)
  })

  it('that it is back, where it was away: the first alone tries, and the rest goes on at once', () => {
    expect(concluded(40, true)).toEqual({ away: false, most: 1, concluded: undefined })
    expect(concluded(40, true, sent)).toEqual({ away: false, most, concluded: 'reached' })
    expect(concluded(40, true, { outcome: 'uncertain', detail: '' })).toMatchObject({ concluded: 'reached' })
    const ours: Delivery = { outcome: 'retry', detail: 'the channel is closed', unsent: true }
    expect(concluded(40, true, ours)).toEqual({ away: false, most: 1, concluded: undefined })
    expect(concluded(40, true, AWAY)).toEqual({ away: true, most: 1, concluded: { away: AWAY.detail } })
  })
})

it('an absence is tried again after a minute, then two, up to fifteen, whatever others find out meanwhile', async () => {
  const database = await emptiedDatabase()
  const next = async (at: number) => {
    const absence = await recordAbsence(database, 'email', `to li@shop.example\0 ${at}`, later(at))
    return absence && (absence.nextAt.getTime() - START.getTime()) / 1000 - at
  }
  const pauses: (number | undefined)[] = []
  for (let at = 0, n = 0; n < 7; n += 1) {
    const pause = await next(at)
    pauses.push(pause)
    // What was under way beside it.
    expect(await next(at + 5)).toBeUndefined()
    at += pause ?? 0
  }
  expect(pauses).toEqual([60, 120, 240, 480, 900, 900, 900])
  const [row] = await rows(database, sql`SELECT since, tries, detail FROM absences`)
  expect(row).toEqual({ since: START, tries: 7, detail: 'to l***@shop.example 2700' })
  expect(await endAbsence(database, 'email')).toEqual({ channel: 'email', since: START })
  expect(await endAbsence(database, 'email')).toBeUndefined()
  expect(await next(0)).toBe(60)
  await forgetAbsences(database, later(DAY))
  expect(await endAbsence(database, 'email')).toEqual({ channel: 'email', since: START })
  expect(await next(0)).toBe(60)
  await forgetAbsences(database, later(DAY + 61))
  expect(await endAbsence(database, 'email')).toBeUndefined()
})

it('a channel is left alone for as long as its provider asks, a quarter of an hour at most', async () => {
  const database = await emptiedDatabase()
  const pauseAt = async (at: number, after: number) => {
    const absence = await recordAbsence(database, 'email', '429', later(at), after)
    return absence && (absence.nextAt.getTime() - later(at).getTime()) / 1000
  }
  expect(await pauseAt(0, 600)).toBe(600)
  expect(await pauseAt(600, 2.5)).toBe(120)
  expect(await pauseAt(720, 500)).toBe(500)
  expect(await pauseAt(1220, 21_600)).toBe(900)
  await endAbsence(database, 'email')
  expect(await pauseAt(3000, 21_600)).toBe(900)
})

describe('a channel whose provider is away', () => {
  it('is asked again no sooner than the provider says', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(20, { channel })
    channel.answer = () => ({ outcome: 'retry', detail: '429', takesNone: true, after: 600 })
    for (const batch of await queue(pipeline)) await processBatch(pipeline.worker, batch)
    const asked = channel.sent.length
    expect(asked).toBeLessThanOrEqual(6)
    pipeline.clock.set(later(599))
    expect(await queue(pipeline)).toEqual([])
    pipeline.clock.set(later(600))
    for (const batch of await queue(pipeline)) await processBatch(pipeline.worker, batch)
    expect(channel.sent.length).toBe(asked + 1)
  })

  it('rests for every worker, is tried with one message, and nobody pays for it', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(40, { channel })
    const news: Reached[] = []
    const worker = { ...pipeline.worker, onReach: (one: Reached) => news.push(one) }
    const another = { ...worker, slots: new Map([['email', createSlots(3)]]) }
    channel.answer = () => AWAY
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    const first = channel.sent.length
    expect(first).toBeGreaterThanOrEqual(3)
    expect(first).toBeLessThanOrEqual(6)
    expect(await tries(pipeline)).toEqual([{ state: 'planned', attempt: 0, count: 40 }])
    // Those that were put back are due again: a channel that rests is not worked on, by anybody.
    pipeline.clock.set(later(59))
    expect(await queue(pipeline)).toEqual([])
    pipeline.clock.set(later(60))
    for (const batch of await queue(pipeline)) await processBatch(another, batch)
    expect(channel.sent).toHaveLength(first + 1)
    pipeline.clock.set(later(179))
    expect(await queue(pipeline)).toEqual([])
    expect(await readWaiting(pipeline.database, later(179))).toMatchObject([
      { why: 'unreachable', touchpoints: 40 },
    ])
    expect(await nextDue(pipeline.database)).toEqual(later(180))
    channel.answer = () => ({ outcome: 'sent' })
    pipeline.clock.set(later(180))
    for (const batch of await queue(pipeline)) await processBatch(worker, batch)
    expect(await tries(pipeline)).toEqual([{ state: 'sent', attempt: 1, count: 40 }])
    expect(news).toMatchObject([
      { channel: 'email', since: START, detail: AWAY.detail, nextAt: later(60) },
      { channel: 'email', since: START, nextAt: later(180) },
      { channel: 'email', since: START },
    ])
  })

  it('is left alone by what was queued before it was known', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const tiers = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two' }] }]
    const pipeline = await open(5, { channel, tiers })
    const [one, two] = await queue(pipeline)
    if (!one || !two) throw new Error('no batches')
    channel.answer = () => AWAY
    await processBatch(pipeline.worker, one)
    const tried = channel.sent.length
    await processBatch(pipeline.worker, two)
    expect(channel.sent).toHaveLength(tried)
    const waits = await rows(pipeline.database, sql`SELECT DISTINCT waits, due_at AS due FROM touchpoints`)
    expect(waits).toEqual([{ waits: 'unreachable', due: later(60) }])
  })

  it('does not rest for one message that did not reach it where others did, and that one goes later', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(20, { channel })
    channel.answer = ({ contactId }) => (contactId === 5 ? AWAY : { outcome: 'sent' })
    await pipeline.work()
    expect(await tries(pipeline)).toEqual([
      { state: 'planned', attempt: 0, count: 1 },
      { state: 'sent', attempt: 1, count: 19 },
    ])
    expect(await rows(pipeline.database, sql`SELECT FROM absences`)).toEqual([])
  })

  it('holds back none of another channel, nor a message for what else its person gets', async () => {
    const channel = testChannel()
    const sms = testChannel('sms')
    const steps = [{ id: 'mail' }, { id: 'text', channels: ['sms'] }]
    const limits = { max_delay: '2d', per_person: [{ at_most: '1 per day', then: 'defer' }] }
    const pipeline = await open(1, {
      channel,
      others: [sms],
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
      definition: { limits },
    })
    await recordAbsence(pipeline.database, 'email', 'away', START)
    await pipeline.work()
    expect(sms.sent).toHaveLength(1)
    expect(await pipeline.open()).toMatchObject([{ step: 'mail', state: 'planned' }])
  })

  it('waits for its first channel as for one that is paused, where a step has several', async () => {
    const steps = [{ id: 'one', channels: ['email', 'sms'] }]
    const pipeline = await open(1, {
      others: [testChannel('sms')],
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    })
    await recordAbsence(pipeline.database, 'email', 'away', START)
    await pipeline.work()
    expect(await readWaiting(pipeline.database, START)).toEqual([
      { why: 'unreachable', touchpoints: 1, earliest: later(60) },
    ])
    pipeline.clock.set(later(60))
    await pipeline.work()
    expect(await tries(pipeline)).toEqual([{ state: 'sent', attempt: 1, count: 1 }])
  })

  it('is tried at once where its rest is ended by hand, and rests as after a first try where that is in vain', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const steps = [{ id: 'one' }, { id: 'two', channels: ['email', 'sms'] }]
    const pipeline = await open(4, {
      channel,
      others: [testChannel('sms')],
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    })
    const { database, clock } = pipeline
    for (const at of [0, 60, 180, 420]) await recordAbsence(database, 'email', 'away', later(at))
    clock.set(later(430))
    await pipeline.work()
    expect(channel.sent).toEqual([])
    expect(await endRests(database, later(430), 'sms')).toEqual([])
    expect(await endRests(database, later(430), 'email')).toMatchObject([{ since: START, detail: 'away' }])
    expect(await endRests(database, later(430), 'email')).toEqual([])
    await makeDue(database, 'email', later(430))
    channel.answer = () => AWAY
    await pipeline.work()
    expect(channel.sent).not.toEqual([])
    expect(await rows(database, sql`SELECT since, next_at AS next FROM absences`)).toEqual([
      { since: START, next: later(490) },
    ])
    clock.set(later(450))
    await endRests(database, later(450), 'email')
    await makeDue(database, 'email', later(450))
    channel.answer = () => ({ outcome: 'sent' })
    await pipeline.work()
    // What was put back by itself a moment ago waits for no more than that.
    expect(await tries(pipeline)).toEqual([{ state: 'sent', attempt: 1, count: 8 }])
  })

  it('rests no longer than it says where the clock was ahead, and has been put right', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(8, { channel })
    const { database, clock } = pipeline
    const ahead = later(86_400)
    clock.set(ahead)
    channel.answer = () => AWAY
    await pipeline.work()
    clock.set(START)
    channel.answer = () => ({ outcome: 'sent' })
    // As those are that nobody has put back.
    await execute(database, sql`UPDATE touchpoints SET due_at = ${START}`)
    const tried = channel.sent.length
    await pipeline.work()
    expect(channel.sent).toHaveLength(tried)
    await forgetAbsences(database, START)
    await pipeline.work()
    expect(await tries(pipeline)).toEqual([{ state: 'sent', attempt: 1, count: 8 }])
    expect(await rows(database, sql`SELECT FROM absences`)).toEqual([])
  })

  it('loses nothing to a provider that answers and takes none, for as long as it does', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(20, { channel })
    const { database, clock } = pipeline
    const detail = '452 4.3.1 the disk is full'
    channel.answer = () => ({ outcome: 'retry', detail, takesNone: true })
    // A night of it: each message would have been given up by then.
    for (let minutes = 0; minutes < 12 * 60; minutes += 5) {
      clock.set(later(minutes * 60))
      await pipeline.work()
    }
    expect(await rows(database, sql`SELECT channel, since, detail FROM absences`)).toEqual([
      { channel: 'email', since: START, detail },
    ])
    expect(await pipeline.records()).toEqual([])
    channel.answer = () => ({ outcome: 'sent' })
    for (let hours = 0; hours < 7; hours += 1) {
      clock.set(later((13 + hours) * 3600))
      await pipeline.work()
    }
    expect((await pipeline.records()).map(({ state }) => state)).toEqual(
      Array.from({ length: 20 }, () => 'sent'),
    )
  })

  it('loses nothing to one that takes none, though but one message is due at a time', async () => {
    const channel = testChannel('email', { concurrency: 3 })
    const pipeline = await open(0, { channel })
    const { database, clock } = pipeline
    channel.answer = () => ({ outcome: 'retry', detail: '421 4.3.2 shutting down', takesNone: true })
    for (let hours = 0; hours < 12; hours += 1) {
      clock.set(later(hours * 3600))
      await pipeline.addContact({ silentSince: new Date(clock.now().getTime() - 4 * DAY * 1000) })
      await pipeline.runNow()
      for (let minutes = 0; minutes < 60; minutes += 5) {
        clock.set(later(hours * 3600 + minutes * 60))
        await pipeline.work()
      }
    }
    // Known by the third.
    expect(await rows(database, sql`SELECT channel, since FROM absences`)).toEqual([
      { channel: 'email', since: later(2 * 3600) },
    ])
    expect(await pipeline.records()).toEqual([])
    channel.answer = () => ({ outcome: 'sent' })
    for (let hours = 12; hours < 20; hours += 1) {
      clock.set(later(hours * 3600))
      await pipeline.work()
    }
    expect((await pipeline.records()).map(({ state }) => state)).toEqual(
      Array.from({ length: 12 }, () => 'sent'),
    )
  })

  it('leaves in doubt none but those it was tried with, where its gateway may have passed them on', async () => {
    const channel = testChannel('email', { concurrency: 3, idempotent: true })
    const pipeline = await open(20, { channel })
    const { database, clock } = pipeline
    channel.answer = () => ({ outcome: 'retry', detail: 'the provider answers 503', takesNone: true })
    await pipeline.work()
    const tried = new Set(channel.sent.map(({ touchpointId }) => touchpointId)).size
    expect(tried).toBeLessThanOrEqual(6)
    const [seen] = await rows<{ doubted: number; most: number }>(
      database,
      sql`SELECT count(*) FILTER (WHERE doubted)::int AS doubted, max(attempt) AS most FROM touchpoints`,
    )
    expect(seen).toEqual({ doubted: tried, most: 1 })
    // It never comes back: nobody knows of those; the others have not been sent.
    clock.set(later(3 * DAY))
    await pipeline.work()
    await pipeline.work()
    const ended = (await pipeline.records()).map(({ state }) => state).toSorted()
    const lost = ended.filter((state) => state === 'uncertain').length
    expect(lost).toBeGreaterThanOrEqual(tried)
    expect(lost).toBeLessThanOrEqual(tried + 1)
    expect(ended).toEqual([
      ...Array.from({ length: 20 - lost }, () => 'skipped'),
      ...Array.from({ length: lost }, () => 'uncertain'),
    ])
  })

  it('gives back its rate, its place in the warm-up and what it reserved of a budget', async () => {
    const channel = testChannel('email', { concurrency: 3, price: 10_000 })
    const limits = { max_delay: '2d', budget: { spend: '1 CNY per day' } }
    const pipeline = await open(20, { channel, definition: { limits } })
    const email = channelRate.parse({ at_most: '100 per day' })
    const rates = openRates('UTC', { email })
    channel.answer = () => AWAY
    await dispatchDue(pipeline.database, { now: START, jobs: 10, rates }, async (batch) => {
      await processBatch(pipeline.worker, batch)
    })
    const [left] = await rows<{ tokens: number; taken: number; held: number }>(
      pipeline.database,
      sql`SELECT tokens, taken, (SELECT count(*) FROM budget_holds) AS held FROM send_rates`,
    )
    expect(left).toEqual({ tokens: 0, taken: 0, held: 0 })
    expect(await rows(pipeline.database, sql`SELECT FROM ledger`)).toEqual([])
  })

  it('sends none of its messages beyond their own time', async () => {
    const channel = testChannel()
    const pipeline = await open(1, { channel, definition: { limits: { max_delay: '30s' } } })
    channel.answer = () => AWAY
    await pipeline.work()
    pipeline.clock.set(later(60))
    channel.answer = () => ({ outcome: 'sent' })
    await pipeline.work()
    expect(await pipeline.records()).toMatchObject([{ state: 'skipped', reason: 'too_late' }])
    expect(channel.sent).toHaveLength(1)
  })
})
