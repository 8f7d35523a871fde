import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { channelRate, openRates } from '../../src/config/rates.ts'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { recordRefusals } from '../../src/outcomes/silence.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { broken, watchCampaigns, watchChannels } from '../../src/touchpoints/breakers.ts'
import { type Batch, dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { giveBack, readRates, takeRate, warmUpOn } from '../../src/touchpoints/rates.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, expireLeases, openPipeline, type Pipeline, START } from '../support/pipeline.ts'

async function open(contacts: number, definition: Record<string, unknown> = {}): Promise<Pipeline> {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }] }],
    definition: { limits: { max_delay: '60d' }, ...definition },
    channel: testChannel('email', { concurrency: 100 }),
  })
  for (let made = 0; made < contacts; made += 1) {
    await pipeline.addContact({ silentSince: new Date(START.getTime() - (4 * DAY + made) * 1000) })
  }
  await pipeline.runNow()
  return pipeline
}

const wait = (pipeline: Pipeline, seconds: number) =>
  pipeline.clock.set(new Date(pipeline.clock.now().getTime() + seconds * 1000))

async function work(pipeline: Pipeline, rates: ReturnType<typeof openRates>): Promise<number> {
  const before = pipeline.channel.sent.length
  await dispatchDue(
    pipeline.database,
    { now: pipeline.clock.now(), jobs: 100, lease: 300, rates },
    async (batch) => {
      await processBatch(pipeline.worker, batch)
    },
  )
  return pipeline.channel.sent.length - before
}

describe('a provider’s rate', () => {
  it('is so many within its span, and again as many once that is over', async () => {
    const pipeline = await open(50)
    const rates = openRates('UTC', { email: channelRate.parse({ at_most: '10 per 1s' }) })
    expect(await work(pipeline, rates)).toBe(10)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 0.5)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 0.5)
    expect(await work(pipeline, rates)).toBe(10)
    wait(pipeline, 3600)
    expect(await work(pipeline, rates)).toBe(10)
  })

  it('of so many a day is no more on any, however often it is looked, and what is raised goes at once', async () => {
    const pipeline = await open(60)
    const daily = (most: number) =>
      openRates('UTC', { email: channelRate.parse({ at_most: `${most} per day` }) })
    const sent: number[] = []
    for (let hour = 0; hour < 24; hour += 1) {
      sent.push(await work(pipeline, daily(20)))
      wait(pipeline, 3600)
    }
    expect(sent).toEqual([20, ...Array.from({ length: 23 }, () => 0)])
    expect(await work(pipeline, daily(20))).toBe(20)
    expect(await work(pipeline, daily(25))).toBe(5)
    expect(await work(pipeline, daily(10))).toBe(0)
  })

  it('goes on when a clock that was ahead has been put right, and is no larger where two differ a little', async () => {
    const pipeline = await open(60)
    const rates = openRates('UTC', { email: channelRate.parse({ at_most: '10 per 1s' }) })
    wait(pipeline, 86_400)
    expect(await work(pipeline, rates)).toBe(10)
    wait(pipeline, -86_400)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 1)
    expect(await work(pipeline, rates)).toBe(10)
    // Of two machines one is four seconds ahead: they take turns within a second.
    wait(pipeline, 4)
    expect(await work(pipeline, rates)).toBe(10)
    wait(pipeline, -4)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 4.5)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 0.5)
    expect(await work(pipeline, rates)).toBe(10)
  })

  it('is not gone beyond by what the provider turns away: it was asked all the same', async () => {
    const pipeline = await open(50)
    let answered = 0
    pipeline.channel.answer = () => {
      answered += 1
      return answered % 2 === 0
        ? { outcome: 'retry', detail: '429', unsent: true }
        : { outcome: 'rejected', reason: 'refused', detail: '550' }
    }
    const rates = openRates('UTC', { email: channelRate.parse({ at_most: '10 per 1s' }) })
    expect(await work(pipeline, rates)).toBe(10)
    expect(await work(pipeline, rates)).toBe(0)
    wait(pipeline, 1)
    expect(await work(pipeline, rates)).toBe(10)
  })

  it('is given back for what the guards hold back', async () => {
    const pipeline = await open(20)
    await execute(pipeline.database, sql`UPDATE contacts SET email = NULL WHERE contact_id <= 10`)
    const rates = openRates('UTC', { email: channelRate.parse({ at_most: '10 per 1s' }) })
    expect((await work(pipeline, rates)) + (await work(pipeline, rates))).toBe(10)
    expect(await work(pipeline, rates)).toBe(0)
  })

  describe('is given back for what is taken away', () => {
    const rates = openRates('UTC', {
      email: channelRate.parse({
        at_most: '10 per 1000d',
        warm_up: { starts: '2026-03-02', from: 10, to: 10, over: '9d' },
      }),
    })
    const returns = async (pipeline: Pipeline, contactIds: readonly number[]) => {
      for (const contactId of contactIds) await pipeline.addActivity(contactId, pipeline.clock.now())
    }
    const refuse = async ({ database, clock }: Pipeline, count: number) => {
      await transaction(database, async (tx) => {
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_refusals ON COMMIT DROP AS
            SELECT contact_id, 'sms' AS channel, 'opted_out' AS reason FROM contacts WHERE contact_id <= ${count}`,
        )
        await recordRefusals(tx, clock.now())
      })
    }
    const flush = async ({ database, clock }: Pipeline) => {
      await expireLeases(database)
      await sweep(database, clock.now(), [])
    }

    it.each([
      ['by a return', (pipeline: Pipeline) => returns(pipeline, [1, 2, 3, 4]), 4],
      ['by a refusal, to be looked at again', (pipeline: Pipeline) => refuse(pipeline, 4), 4],
      ['by the sweeper: the queue was lost', flush, 10],
    ])('before a worker has it, %s', async (_, happens, freed) => {
      const pipeline = await open(20)
      const batches: Batch[] = []
      const look = { now: pipeline.clock.now(), jobs: 100, rates }
      await dispatchDue(pipeline.database, look, async (batch) => void batches.push(batch))
      expect(batches.flatMap(({ keys }) => keys)).toHaveLength(10)
      await happens(pipeline)
      expect(await work(pipeline, rates)).toBe(freed)
      for (const batch of batches) await processBatch(pipeline.worker, batch)
      expect(pipeline.channel.sent).toHaveLength(10)
      expect(await work(pipeline, rates)).toBe(0)
    })

    it.each([
      ['by a return', (pipeline: Pipeline) => returns(pipeline, [1, 2, 3, 4])],
      ['by the sweeper, though its worker lives', flush],
    ])('from its worker, %s, and once', async (_, happens) => {
      const pipeline = await open(20)
      const { clock, database, channel, worker } = pipeline
      await dispatchDue(database, { now: clock.now(), jobs: 100, rates }, async (batch) => {
        const templates: typeof worker.templates = async (version) => {
          await happens(pipeline)
          return await worker.templates(version)
        }
        await processBatch({ ...worker, templates }, batch)
      })
      while ((await work(pipeline, rates)) > 0);
      expect(channel.sent).toHaveLength(10)
    })

    it('on the channels it was taken on, and on none that had a rate once', async () => {
      const steps = [{ id: 'one', channels: ['sms', 'email'] }]
      const pipeline = await openPipeline({
        tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
        others: [testChannel('sms')],
      })
      const { database, clock } = pipeline
      const once = openRates('UTC', { sms: channelRate.parse({ at_most: '10 per 1s' }) })
      const yesterday = new Date(START.getTime() - DAY * 1000)
      await takeRate(database, await readRates(database, once), ['sms'], yesterday, 1)
      await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
      await pipeline.runNow()
      await dispatchDue(database, { now: clock.now(), jobs: 1, rates }, async () => {})
      await returns(pipeline, [1])
      expect(await rows(database, sql`SELECT channel, places FROM freed_places`)).toEqual([
        { channel: 'email', places: 1 },
      ])
    })

    it('by the sweeper, where its worker died before it sent', async () => {
      const pipeline = await open(20)
      const { clock, database, channel, worker } = pipeline
      await dispatchDue(database, { now: clock.now(), jobs: 100, rates }, async (batch) => {
        const templates = () => Promise.reject(new Error('killed'))
        await expect(processBatch({ ...worker, templates }, batch)).rejects.toThrow('killed')
      })
      await flush(pipeline)
      expect(await work(pipeline, rates)).toBe(10)
      expect(channel.sent).toHaveLength(10)
    })
  })

  it('is not used by what goes on another channel of its step', async () => {
    const sms = testChannel('sms')
    const pipeline = await openPipeline({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one', channels: ['sms', 'email'] }] }],
      definition: { limits: { max_delay: '60d' } },
      others: [sms],
    })
    const warmUp = { starts: '2026-03-02', from: 10, to: 10, over: '9d' }
    const rates = openRates('UTC', {
      email: channelRate.parse({ at_most: '10 per 1000d', warm_up: warmUp }),
    })
    const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
    const phones = Array.from({ length: 25 }, (_, no) => `+86138000000${10 + no}`)
    for (const phone of phones) await pipeline.addContact({ silentSince, phone })
    await pipeline.runNow()
    for (let look = 0; look < 3; look += 1) await work(pipeline, rates)
    expect(sms.sent).toHaveLength(25)
    for (let made = 0; made < 12; made += 1) await pipeline.addContact({ silentSince })
    wait(pipeline, 1)
    await pipeline.runNow()
    expect((await work(pipeline, rates)) + (await work(pipeline, rates))).toBe(10)
  })

  it('is one for any number of processes', async () => {
    const { database } = await open(0)
    const rates = await readRates(
      database,
      openRates('UTC', { email: channelRate.parse({ at_most: '100 per 60s' }) }),
    )
    const others = [1, 2, 3].map(() => connect(database.url))
    const taken = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        takeRate(others[index % 3] ?? database, rates, ['email'], START, 7).then(({ allowed }) => allowed),
      ),
    )
    expect(taken.reduce((sum, allowed) => sum + allowed, 0)).toBe(100)
    for (const other of others) await other.close()
  })
})

describe('a warm-up', () => {
  const warmUp = channelRate.parse({ warm_up: { starts: '2026-03-02' } }).warm_up

  it('goes from 50 to 8,000 a day over 21 days, and then is over', () => {
    if (!warmUp) throw new Error('no warm-up')
    const on = (day: number) =>
      warmUpOn(warmUp, new Date(START.getTime() + day * DAY * 1000).toISOString().slice(0, 10))
    expect([on(-1), on(0), on(1), on(10), on(20), on(21)]).toEqual([0, 50, 64, 632, 8000, null])
  })

  it('sends its number a day, those who lapsed last first, and counts what went out alone', async () => {
    const pipeline = await open(12)
    pipeline.channel.answer = () =>
      pipeline.channel.sent.length === 1
        ? { outcome: 'rejected', reason: 'refused', detail: '550' }
        : { outcome: 'sent' }
    const rates = openRates('UTC', {
      email: channelRate.parse({ warm_up: { starts: '2026-03-02', from: 4, to: 8, over: '2d' } }),
    })
    // One was refused: its place is given back, and taken in the next look.
    expect((await work(pipeline, rates)) + (await work(pipeline, rates))).toBe(5)
    expect(await work(pipeline, rates)).toBe(0)
    const first = pipeline.channel.sent.map(({ address }) => Number(address.slice(1).split('@')[0]))
    expect(first.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5])
    wait(pipeline, DAY)
    expect(await work(pipeline, rates)).toBe(7)
  })

  it('gets a place back on the day it was taken, not on the one after', async () => {
    const pipeline = await open(12)
    const { channel } = pipeline
    const rates = openRates('UTC', {
      email: channelRate.parse({ warm_up: { starts: '2026-03-02', from: 4, to: 5, over: '2d' } }),
    })
    const lateBatches: Batch[] = []
    await dispatchDue(
      pipeline.database,
      { now: pipeline.clock.now(), jobs: 100, lease: 300, rates },
      async (batch) => void lateBatches.push(batch),
    )
    wait(pipeline, DAY)
    expect(await work(pipeline, rates)).toBe(5)
    // What was queued yesterday is refused today: today's number stays as it is.
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: '550' })
    expect(lateBatches.flatMap(({ keys }) => keys)).toHaveLength(4)
    for (const batch of lateBatches) await processBatch(pipeline.worker, batch)
    expect(channel.sent).toHaveLength(9)
    expect(await work(pipeline, rates)).toBe(0)
  })

  it('is no larger where two clocks do not agree which day it is', async () => {
    const { database } = await open(0)
    const rates = await readRates(
      database,
      openRates('UTC', {
        email: channelRate.parse({ warm_up: { starts: '2026-03-02', from: 4, to: 4, over: '9d' } }),
      }),
    )
    const midnight = Date.parse('2026-03-03T00:00:00Z')
    const take = async (seconds: number) =>
      (await takeRate(database, rates, ['email'], new Date(midnight + seconds * 1000), 3)).allowed
    expect([await take(-60), await take(1), await take(-1), await take(2), await take(-1)]).toEqual([
      3, 3, 1, 0, 0,
    ])
  })

  it('gets a place back on the day it was counted in, whatever the clock of who took it says', async () => {
    const { database } = await open(0)
    const rates = await readRates(
      database,
      openRates('UTC', {
        email: channelRate.parse({ warm_up: { starts: '2026-03-02', from: 4, to: 4, over: '9d' } }),
      }),
    )
    const midnight = Date.parse('2026-03-03T00:00:00Z')
    const take = (seconds: number) =>
      takeRate(database, rates, ['email'], new Date(midnight + seconds * 1000), 4)
    await take(-60)
    expect(await take(1)).toMatchObject({ allowed: 4, day: '2026-03-03' })
    const unused = [{ channel: 'email', untried: 4, unsent: 4 }]
    await giveBack(database, unused, '2026-03-03')
    const behind = await take(-1)
    expect(behind).toMatchObject({ allowed: 4, day: '2026-03-03' })
    await giveBack(database, unused, behind.day)
    expect(await take(1)).toMatchObject({ allowed: 4 })
  })

  it('is one for any number of workers, each with a connection of its own', async () => {
    const pipeline = await open(90)
    const { channel } = pipeline
    // Refused ones give their places back, while the others are taking theirs.
    let refused = 0
    channel.answer = () => {
      if (channel.sent.length % 7 !== 0) return { outcome: 'sent' }
      refused += 1
      return { outcome: 'rejected', reason: 'refused', detail: '550' }
    }
    const rates = openRates('UTC', {
      email: channelRate.parse({
        at_most: '1000 per 1d',
        warm_up: { starts: '2026-03-02', from: 15, to: 25, over: '2d' },
      }),
    })
    const others = [1, 2, 3, 4].map(() => connect(pipeline.database.url))
    const dispatch = (database: Database) =>
      dispatchDue(database, { now: pipeline.clock.now(), jobs: 100, lease: 300, rates }, async (batch) => {
        await processBatch({ ...pipeline.worker, database }, batch)
      })
    for (const sent of [15, 40]) {
      while ((await Promise.all(others.map(dispatch))).some((handed) => handed > 0)) {
        expect(channel.sent.length - refused).toBeLessThanOrEqual(sent)
      }
      expect(channel.sent.length - refused).toBe(sent)
      wait(pipeline, DAY)
    }
    for (const other of others) await other.close()
  })
})

describe('a breaker', () => {
  it('is broken by a share of enough events, and says which', () => {
    const rules = { complaint: 0.001, hard_bounce: 0.05 }
    expect(broken({ sent: 1000, harm: { complaint: 1 } }, rules)).toBeUndefined()
    expect(broken({ sent: 2000, harm: { complaint: 2 } }, rules)).toBeUndefined()
    expect(broken({ sent: 1000, harm: { complaint: 2 } }, rules)).toBe(
      '0.2 % complaints (2 of 1000), more than 0.1 %',
    )
    expect(broken({ sent: 20, harm: { hard_bounce: 4 } }, rules)).toBeUndefined()
    expect(broken({ sent: 90, harm: { hard_bounce: 5 } }, rules)).toBe(
      '5.56 % hard bounces (5 of 90), more than 5 %',
    )
    expect(broken({ sent: 0, harm: { complaint: 9 } }, rules)).toBeUndefined()
  })

  const report = async (pipeline: Pipeline, kind: string, count: number) => {
    await execute(
      pipeline.database,
      // Half of them as a version before wrote them down: of which step and channel they are was looked up.
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at, channel, step_id,
          settled_at)
        SELECT contact_id, touchpoint_id, ${`${kind}-${count}`}, ${kind}, ${pipeline.clock.now()}, ${pipeline.clock.now()},
          CASE contact_id % 2 WHEN 1 THEN channel END, CASE contact_id % 2 WHEN 1 THEN step_id END,
          CASE contact_id % 2 WHEN 1 THEN settled_at END
        FROM touchpoint_records WHERE state = 'sent' ORDER BY contact_id LIMIT ${count}`,
    )
  }
  const switches = ({ database }: Pipeline) => rows(database, sql`SELECT scope, name, reason FROM switches`)
  const none = openRates('UTC', {})
  const watch = async (pipeline: Pipeline) =>
    (await watchChannels(pipeline.database, pipeline.clock.now(), {})).map(({ event }) => event)

  it('pauses its channel, is tried with a few after a day, and closes or opens again', async () => {
    const pipeline = await open(40)
    expect(await work(pipeline, none)).toBe(40)
    await report(pipeline, 'complaint', 2)
    expect(await watch(pipeline)).toEqual(['opened'])
    expect(await switches(pipeline)).toEqual([
      { scope: 'channel', name: 'email', reason: 'breaker: 5 % complaints (2 of 40), more than 0.1 %' },
    ])
    expect(await watch(pipeline)).toEqual([])
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    wait(pipeline, 60)
    await pipeline.runNow()
    expect(await work(pipeline, none)).toBe(0)
    wait(pipeline, DAY)
    expect(await watch(pipeline)).toEqual(['half_open'])
    expect(await switches(pipeline)).toEqual([])
    expect(
      await takeRate(
        pipeline.database,
        await readRates(pipeline.database, none),
        ['email'],
        pipeline.clock.now(),
        1000,
      ),
    ).toEqual({
      allowed: 200,
      ramping: true,
      day: '2026-03-03',
    })
    expect(await watch(pipeline)).toEqual([])
    // Nothing went out: nothing was tried.
    wait(pipeline, DAY)
    expect(await watch(pipeline)).toEqual([])
    expect(await work(pipeline, none)).toBe(1)
    wait(pipeline, DAY - 1)
    expect(await watch(pipeline)).toEqual([])
    wait(pipeline, 1)
    expect(await watch(pipeline)).toEqual(['closed'])
    expect(
      await takeRate(
        pipeline.database,
        await readRates(pipeline.database, none),
        ['email'],
        pipeline.clock.now(),
        1000,
      ),
    ).toMatchObject({
      allowed: 1000,
    })
  })

  it('counts harm among the messages it came of: what is still said of those of the day before is no share of today’s', async () => {
    const pipeline = await open(40)
    await work(pipeline, none)
    const limits = { email: { breaker: { complaint: 0.1, hard_bounce: 0.2, window: DAY } } }
    const look = () => watchChannels(pipeline.database, pipeline.clock.now(), limits)
    wait(pipeline, 12 * 3600)
    await report(pipeline, 'complaint', 3)
    await report(pipeline, 'hard_bounce', 6)
    expect(await look()).toEqual([])
    // Today it begins an hour later.
    wait(pipeline, 13 * 3600)
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    await pipeline.runNow()
    expect(await work(pipeline, none)).toBe(1)
    expect(await look()).toEqual([])
  })

  it('judges the few messages it is tried with by what comes of them, not by what is still said of those before', async () => {
    const pipeline = await open(40)
    await work(pipeline, none)
    await report(pipeline, 'complaint', 2)
    expect(await watch(pipeline)).toEqual(['opened'])
    wait(pipeline, DAY)
    expect(await watch(pipeline)).toEqual(['half_open'])
    wait(pipeline, 60)
    for (const late of [1, 2, 3]) {
      await pipeline.addContact({ silentSince: new Date(START.getTime() - (3 * DAY + late) * 1000) })
    }
    await pipeline.runNow()
    expect(await work(pipeline, none)).toBe(3)
    wait(pipeline, 60)
    // Of the forty: some read their mail a day later.
    await report(pipeline, 'complaint', 4)
    await report(pipeline, 'hard_bounce', 6)
    expect(await watch(pipeline)).toEqual([])
    wait(pipeline, DAY)
    await report(pipeline, 'complaint', 5)
    expect(await watch(pipeline)).toEqual(['closed'])
  })

  it('opens again by what comes of the few messages it is tried with', async () => {
    const pipeline = await open(40)
    await work(pipeline, none)
    await report(pipeline, 'complaint', 2)
    await watch(pipeline)
    wait(pipeline, DAY)
    await watch(pipeline)
    wait(pipeline, 60)
    for (const late of [1, 2, 3]) {
      await pipeline.addContact({ silentSince: new Date(START.getTime() - (3 * DAY + late) * 1000) })
    }
    await pipeline.runNow()
    await work(pipeline, none)
    wait(pipeline, 60)
    await report(pipeline, 'complaint', 42)
    expect(await watch(pipeline)).toEqual(['opened'])
  })

  it('gets a place of its few messages back where one did not go out', async () => {
    const pipeline = await open(40)
    await work(pipeline, none)
    await report(pipeline, 'complaint', 2)
    expect(await watch(pipeline)).toEqual(['opened'])
    for (const late of [1, 2]) {
      await pipeline.addContact({ silentSince: new Date(START.getTime() - (4 * DAY + late) * 1000) })
    }
    wait(pipeline, DAY)
    expect(await watch(pipeline)).toEqual(['half_open'])
    await pipeline.runNow()
    pipeline.channel.answer = () =>
      pipeline.channel.sent.length === 41
        ? { outcome: 'rejected', reason: 'refused', detail: '550' }
        : { outcome: 'sent' }
    expect(await work(pipeline, none)).toBe(2)
    expect(await rows(pipeline.database, sql`SELECT taken FROM send_rates`)).toEqual([{ taken: 1 }])
  })

  it('stands beside what people paused: their switch is theirs', async () => {
    const pipeline = await open(40)
    await work(pipeline, none)
    await execute(
      pipeline.database,
      sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('channel', 'email', 'paused', 'by hand', ${START})`,
    )
    await report(pipeline, 'hard_bounce', 6)
    expect(await watch(pipeline)).toEqual(['opened'])
    wait(pipeline, DAY)
    expect(await watch(pipeline)).toEqual(['half_open'])
    expect(await switches(pipeline)).toMatchObject([{ reason: 'by hand' }])
  })

  it('of a campaign’s own stop rules pauses that campaign, and counts anew once it is resumed', async () => {
    const pipeline = await open(40, { stop: { hard_bounce: '10%', unsubscribe: '10%' } })
    await work(pipeline, none)
    await report(pipeline, 'hard_bounce', 5)
    const look = () => watchCampaigns(pipeline.database, pipeline.clock.now(), pipeline.worker.book)
    expect(await look()).toMatchObject([{ scope: 'campaign', name: 'test', event: 'stopped' }])
    expect(await switches(pipeline)).toEqual([
      { scope: 'campaign', name: 'test', reason: 'stop rule: 12.5 % hard bounces (5 of 40), more than 10 %' },
    ])
    expect(await look()).toEqual([])
    await execute(pipeline.database, sql`DELETE FROM switches`)
    wait(pipeline, 60)
    expect(await look()).toEqual([])
    // Nor is what is only now said of messages from before: one that goes since is no whole of which they are a share.
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    await pipeline.runNow()
    expect(await work(pipeline, none)).toBe(1)
    await report(pipeline, 'hard_bounce', 9)
    await execute(
      pipeline.database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, ${pipeline.clock.now()}, '{email}', '{}', 'page' FROM contacts ORDER BY contact_id LIMIT 9`,
    )
    expect(await look()).toEqual([])
  })

  it.each([
    ['people', [], 'stopped'],
    ['seeds, who try the links', ['u1', 'u2', 'u3', 'u4', 'u5'], undefined],
  ])('of a campaign’s own stop rules counts what %s do', async (_, seeds, event) => {
    const pipeline = await open(40, {
      seeds,
      stop: { unsubscribe: '1%', hard_bounce: '1%', complaint: '1%' },
    })
    await work(pipeline, none)
    wait(pipeline, 60)
    const five = sql`SELECT contact_id, email_key FROM contacts ORDER BY contact_id LIMIT 5`
    const now = pipeline.clock.now()
    await execute(
      pipeline.database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, ${now}, '{email}', '{}', 'page' FROM (${five}) f`,
    )
    await execute(
      pipeline.database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT 'email', email_key, 'unsubscribe', 'page', ${now} FROM (${five}) f`,
    )
    await report(pipeline, 'hard_bounce', 5)
    wait(pipeline, 60)
    const tripped = await watchCampaigns(pipeline.database, pipeline.clock.now(), pipeline.worker.book)
    expect(tripped[0]?.event).toBe(event)
  })

  it('of a campaign’s own stop rules looks up who left lately, however many ever have', async () => {
    const pipeline = await open(5, { stop: { unsubscribe: '1%' } })
    await work(pipeline, none)
    const { database, clock, worker } = pipeline
    const longAgo = new Date(START.getTime() - 400 * DAY * 1000)
    await execute(
      database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
        SELECT 'email', sha256(no::text::bytea), 'unsubscribe', 'page', ${longAgo} FROM generate_series(1, 20000) no`,
    )
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
        SELECT 1000000 + no, ${longAgo}, '{email}', '{}', 'page' FROM generate_series(1, 20000) no`,
    )
    await execute(database, sql`ANALYZE suppressions, preferences`)
    const one = connect(database.url, { schema: database.schema, max: 1 })
    const readWhole = async () => {
      await execute(one, sql`SELECT pg_stat_force_next_flush()`)
      return await rows<{ name: string; read: number }>(
        one,
        sql`SELECT relname AS name, seq_tup_read AS read FROM pg_stat_user_tables
          WHERE relname IN ('suppressions', 'preferences') ORDER BY 1`,
      )
    }
    try {
      const before = await readWhole()
      expect(await watchCampaigns(one, clock.now(), worker.book)).toEqual([])
      expect(await readWhole()).toEqual(before)
    } finally {
      await one.close()
    }
  })
})
