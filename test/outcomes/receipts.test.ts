import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Answer,
  type Channel,
  type DeliveryEvent,
  type Doubt,
  EVENT_KINDS,
  type Receipts,
} from '../../src/channels/channel.ts'
import { bareReference, readReference, referenceOf } from '../../src/channels/reference.ts'
import { manualClock } from '../../src/clock.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { bookEarlyCosts } from '../../src/outcomes/costs.ts'
import { askProviders, createInquiries, settleByEvents } from '../../src/outcomes/doubts.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import type { ReportingChannel } from '../../src/outcomes/reporting.ts'
import { readTimeline } from '../../src/reports/timeline/timeline.ts'
import { formatTimeline } from '../../src/reports/timeline/timeline-text.ts'
import type { Runtime } from '../../src/service/runtime.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { settle } from '../../src/touchpoints/lifecycle.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { composeWeb } from '../../src/web/server.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { eventually } from '../support/eventually.ts'
import { DAY, expireLeases, openPipeline, type Pipeline, START } from '../support/pipeline.ts'
import { plansOf } from '../support/plans.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'
import { countWaiting } from '../support/waiting.ts'

async function workDue({ database, clock, worker }: Runtime): Promise<void> {
  await dispatchDue(database, { now: clock.now(), jobs: 1000 }, async (batch) => {
    await processBatch(worker, batch)
  })
}

const EMAIL: ReportingChannel = {
  name: 'email',
  kind: 'email',
  channelsOf: { email: ['email'], phone: [] },
  phoneKeys: () => [],
}

describe('soft bounces', () => {
  const soft = (contactId: number, touchpointId: number, kind: DeliveryEvent['kind'] = 'soft_bounce') => ({
    ...{ contactId, touchpointId, kind, eventId: `${kind} ${touchpointId}`, at: START },
  })
  it('five in a row are as good as a hard one; one that got through begins the count again', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    await ensurePartitions(pipeline.database, 'touchpoint_records', [START])
    await execute(
      pipeline.database,
      sql`INSERT INTO send_counts (campaign, channel, sent_at, sent) VALUES ('test', 'email', ${START}, 100)`,
    )
    const worn = await pipeline.addContact()
    const alive = await pipeline.addContact()
    for (const contact of [worn, alive]) {
      for (let no = 1; no <= 5; no += 1) {
        await execute(
          pipeline.database,
          sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
              planned_for, settled_at)
            SELECT ${contact}, ${contact * 10 + no}, 1, min(step_id), 'sent', 'email', 1, ${START},
              ${new Date(START.getTime() + no * 1000)} FROM steps`,
        )
      }
    }
    // Neither what got through long ago nor what was refused since, and went nowhere, breaks the row.
    await execute(
      pipeline.database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, channel, attempt,
          planned_for, settled_at)
        SELECT ${worn}, ${worn * 10} + no, 1, min(step_id), state, reason, 'email', 1, ${START},
          ${START}::timestamptz + make_interval(secs => no)
        FROM steps, (VALUES (0, 'sent', NULL), (9, 'failed', 'refused')) AS r(no, state, reason) GROUP BY no, state, reason`,
    )
    const record = (...events: DeliveryEvent[]) => recordReceipts(pipeline.database, START, EMAIL, events)
    await record(soft(worn, worn * 10, 'delivered'))
    await record(soft(alive, alive * 10 + 3, 'delivered'))
    for (const contact of [worn, alive]) {
      for (let no = 1; no <= 4; no += 1) {
        expect(await record(soft(contact, contact * 10 + no))).toMatchObject({ suppressed: 0 })
      }
    }
    expect(await record(soft(alive, alive * 10 + 5))).toMatchObject({ suppressed: 0 })
    expect(await record(soft(worn, worn * 10 + 5))).toMatchObject({ suppressed: 1 })
  })
})

it('names a message so that its receipt finds it, and reads no other name', () => {
  const id = fc.nat({ max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(id, id, fc.boolean(), (contactId, touchpointId, bare) => {
      const message = { contactId, touchpointId, ...(bare ? {} : { installation: '0123abcd' }) }
      expect(readReference(referenceOf(message))).toEqual(message)
      expect(readReference(bareReference(message))).toEqual({ contactId, touchpointId })
      expect(bareReference(message).length).toBeLessThanOrEqual(26)
    }),
  )
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = readReference(text)
      if (read) expect(referenceOf(read).length).toBeLessThanOrEqual(35)
    }),
  )
  for (const text of [
    '',
    'tp-1',
    'wb-1',
    'wb-1-',
    'wb--1',
    'wb-1-1-1',
    'wb-12345678-1-1-1',
    'wb-zzzzzzzzzzz-1',
    ' wb-1-1',
  ]) {
    expect(readReference(text)).toBeUndefined()
  }
})

describe('receipts', () => {
  let scene: Pipeline
  let contactId: number
  let touchpointId: number

  beforeEach(async () => {
    scene = await openPipeline({
      database: await emptiedDatabase(),
      channel: testChannel('email', { price: 50_000 }),
    })
    contactId = await scene.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    await scene.runNow()
  })

  const send = async (outcome: 'sent' | 'uncertain' = 'sent') => {
    scene.channel.answer = () =>
      outcome === 'sent' ? { outcome, providerId: 'p-1' } : { outcome, detail: 'no answer' }
    await scene.work()
    touchpointId = scene.channel.sent[0]?.touchpointId ?? 0
  }
  const event = (kind: DeliveryEvent['kind'], more: Partial<DeliveryEvent> = {}): DeliveryEvent => {
    return { contactId, touchpointId, kind, eventId: kind, at: scene.clock.now(), ...more }
  }
  const record = (...events: DeliveryEvent[]) =>
    recordReceipts(scene.database, scene.clock.now(), EMAIL, events)
  const spent = async () => {
    const [row] = await rows<{ spent: string }>(
      scene.database,
      sql`SELECT coalesce(sum(amount), 0)::bigint AS spent FROM ledger WHERE kind = 'spend'`,
    )
    return row?.spent
  }

  it('are recorded once, however often they are repeated', async () => {
    await send()
    expect(await record(event('delivered'), event('delivered'), event('clicked'))).toMatchObject({
      added: 2,
      ignored: 1,
    })
    expect(await record(event('delivered'), event('clicked'))).toMatchObject({ added: 0, ignored: 2 })
    const both = await Promise.all([record(event('opened')), record(event('opened'))])
    expect(both.reduce((sum, { added }) => sum + added, 0)).toBe(1)
  })

  it('happened when they say, but not after they came', async () => {
    await send()
    const [now, sooner] = [scene.clock.now(), new Date(START.getTime() - 1000)]
    await record(
      event('opened', { at: new Date(now.getTime() + 3_600_000) }),
      event('delivered', { at: sooner }),
    )
    const said = await rows(
      scene.database,
      sql`SELECT kind, occurred_at AS at FROM delivery_events ORDER BY kind`,
    )
    expect(said).toEqual([
      { kind: 'delivered', at: sooner },
      { kind: 'opened', at: now },
    ])
    // Of times that cannot be written the call would fail, and come again for ever.
    const odd = [new Date('0000-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59-23:59'), new Date('soon')]
    const told = odd.map((at, no) => event('clicked', { at, eventId: String(no) }))
    expect(await record(...told)).toMatchObject({ added: 3 })
    const kept = sql`SELECT occurred_at AS at FROM delivery_events WHERE kind = 'clicked' ORDER BY event_id`
    expect(await rows(scene.database, kept)).toEqual([{ at: new Date(0) }, { at: now }, { at: new Date(0) }])
  })

  it('about messages that were never given to the channel change nothing', async () => {
    await send()
    expect(await record(event('complaint', { touchpointId: 987_654 }))).toMatchObject({
      added: 0,
      ignored: 1,
    })
    const other = { ...EMAIL, name: 'sms' }
    const now = scene.clock.now()
    expect(await recordReceipts(scene.database, now, other, [event('complaint')])).toMatchObject({ added: 0 })
    expect(await rows(scene.database, sql`SELECT FROM suppressions`)).toEqual([])
  })

  it('settle an uncertain send, and leave its price booked once', async () => {
    await send('uncertain')
    expect(await scene.records()).toMatchObject([{ state: 'uncertain' }])
    expect(await record(event('delivered', { providerId: 'late' }))).toMatchObject({ settled: 1 })
    expect(await scene.records()).toMatchObject([{ state: 'sent' }])
    expect(await spent()).toBe(50_000)
  })

  it('settle an uncertain send, whatever stands in the id the provider gives it', async () => {
    await send('uncertain')
    const providerId = `q\u0000\ud800${'1'.repeat(600)}`
    expect(await record(event('delivered', { providerId }))).toMatchObject({ settled: 1 })
    const [found] = await rows<{ id: string }>(
      scene.database,
      sql`SELECT provider_id AS id FROM touchpoint_records`,
    )
    expect(found?.id).toMatch(/^q\ufffd1{497}$/)
  })

  it('that come before the doubt is recorded settle it as well', async () => {
    const book = () => bookEarlyCosts(scene.database, scene.clock.now())
    scene.channel.answer = async (message) => {
      touchpointId = message.touchpointId
      await record(event('delivered', { cost: 150_000 }))
      return { outcome: 'uncertain', detail: 'no answer' }
    }
    await scene.work()
    expect(await scene.records()).toMatchObject([{ state: 'uncertain' }])
    // Its cost waits for the doubt to end.
    expect(await book()).toBe(0)
    expect(await settleByEvents(scene.database, scene.clock.now())).toBe(1)
    expect(await book()).toBe(1)
    expect(await spent()).toBe(150_000)
    expect(await scene.records()).toMatchObject([{ state: 'sent' }])
    expect(await settleByEvents(scene.database, scene.clock.now())).toBe(0)
  })

  it('are looked for of what is in doubt alone, whatever was ever sent', async () => {
    const { database, clock } = scene
    const sentOne = (state: string, first: number, last: number) => sql`
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, attempt, planned_for, settled_at)
      SELECT 1000 + n, 1000 + n, 1, 1 + n % 40, ${state}, 1, ${clock.now()}, ${clock.now()}
      FROM generate_series(${first}::int, ${last}::int) n`
    await ensurePartitions(database, 'touchpoint_records', [clock.now()])
    await execute(database, sentOne('sent', 1, 20_000))
    await execute(database, sentOne('uncertain', 20_001, 20_010))
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, 'd', 'delivered', settled_at, settled_at FROM touchpoint_records WHERE state = 'sent'`,
    )
    await execute(database, sql`ANALYZE touchpoint_records, delivery_events`)
    const plans = await transaction(database, (of) => plansOf(of, (tx) => settleByEvents(tx, clock.now())))
    expect(plans).toMatch(/using touchpoint_records_2026_03_contact_id_touchpoint_id_idx/)
    expect(plans).not.toMatch(/Seq Scan on touchpoint_records_2026_03|_step_id_/)
  })

  it('book what the message cost in fact, once', async () => {
    await send()
    await record(event('delivered', { cost: 150_000 }))
    await record(event('delivered', { cost: 150_000 }), event('opened', { cost: 150_000 }))
    expect(await spent()).toBe(150_000)
  })

  it('book the dearest of what they say, in whatever order they come, be it less than was thought', async () => {
    await send()
    // What the offer in it may come to is another account.
    await execute(
      scene.database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'liability', 70000, booked_at FROM ledger`,
    )
    await record(event('opened', { cost: 30_000 }))
    expect(await spent()).toBe(30_000)
    await record(event('delivered', { cost: 150_000 }))
    await record(event('sent', { cost: 100_000 }))
    expect(await spent()).toBe(150_000)
  })

  it('are what the story says the message cost, as the ledger does', async () => {
    await send()
    const told = async (now: Date) => {
      const { entries } = await readTimeline(scene.database, { externalId: 'u1', now })
      return entries.flatMap((entry) => (entry.kind === 'settled' ? [entry.cost] : []))
    }
    const before = scene.clock.now()
    expect(await told(before)).toEqual([50_000])
    scene.clock.advance(60)
    await record(event('delivered', { cost: 150_000 }))
    expect(await told(scene.clock.now())).toEqual([150_000])
    expect(await told(before)).toEqual([50_000])
  })

  it('book what a message cost that had failed: the provider charges for it all the same', async () => {
    const book = () => bookEarlyCosts(scene.database, scene.clock.now())
    scene.channel.answer = async (message) => {
      touchpointId = message.touchpointId
      await record(event('sent', { cost: 30_000 }))
      return { outcome: 'rejected', reason: 'refused', detail: '550' }
    }
    await scene.work()
    expect([await book(), await book()]).toEqual([1, 0])
    expect(await spent()).toBe(30_000)
    await record(event('soft_bounce', { cost: 150_000 }))
    await record(event('soft_bounce', { cost: 150_000 }), event('opened'))
    expect(await spent()).toBe(150_000)
    // What has failed stays so.
    expect(await scene.records()).toMatchObject([{ state: 'failed' }])
  })

  it('that say what it cost before it is settled are booked once it is', async () => {
    const book = () => bookEarlyCosts(scene.database, scene.clock.now())
    scene.channel.answer = async (message) => {
      touchpointId = message.touchpointId
      await record(event('delivered', { cost: 150_000 }))
      expect(await book()).toBe(0)
      return { outcome: 'sent', providerId: 'p-1' }
    }
    await scene.work()
    expect(await spent()).toBe(50_000)
    expect([await book(), await book()]).toEqual([1, 0])
    expect(await spent()).toBe(150_000)
  })

  it('that say what it cost at the moment it is settled book that once', async () => {
    const { database, clock } = scene
    // Both have looked for the record before there is one, and read the ledger when there is.
    await execute(
      database,
      sql`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$`,
    )
    const costs = [150_000, 151_000]
    let done = 0
    const bothHeld = () =>
      eventually(
        'both wait, or are through',
        async () => done + (await countWaiting(database)),
        (number) => number >= 2,
      )
    let both: Promise<unknown> = Promise.resolve()
    scene.channel.answer = async (message) => {
      touchpointId = message.touchpointId
      await transaction(database, async (gate) => {
        await execute(gate, sql`SELECT pg_advisory_xact_lock(4711)`)
        await transaction(database, async (tx) => {
          await execute(tx, sql`LOCK TABLE ledger IN EXCLUSIVE MODE`)
          both = Promise.all(
            costs.map(async (cost) => {
              await record(event('delivered', { eventId: `at ${cost}`, cost }))
              done += 1
            }),
          )
          await bothHeld()
          const [mine] = await rows<{ claimId: string }>(
            tx,
            sql`SELECT claim_id AS "claimId" FROM touchpoints WHERE state = 'sending'`,
          )
          const fact = { reason: null, detail: null, channel: 'email', template: null, providerId: 'p-1' }
          await settle(tx, mine?.claimId ?? '', clock.now(), [
            { contactId, touchpointId, state: 'sent', cost: 50_000, ...fact },
          ])
          await execute(
            tx,
            sql`CREATE TRIGGER hold AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION hold()`,
          )
        })
        await bothHeld()
      })
      await both
      return { outcome: 'sent', providerId: 'p-1' }
    }
    await scene.work()
    await bookEarlyCosts(database, clock.now())
    expect(await spent()).toBe(151_000)
  })

  it('of a hard bounce or a complaint silence the address, and skip what waits for it', async () => {
    await send()
    expect(await scene.open()).toMatchObject([{ step: 'coupon', state: 'planned' }])
    expect(await record(event('soft_bounce'))).toMatchObject({ suppressed: 0 })
    expect(await record(event('hard_bounce', { detail: '550 no such user' }))).toMatchObject({
      suppressed: 1,
    })
    expect(await record(event('complaint'))).toMatchObject({ suppressed: 0 })
    expect(await scene.open()).toEqual([])
    expect(await scene.records()).toContainEqual(
      expect.objectContaining({ step: 'coupon', state: 'skipped', reason: 'suppressed' }),
    )
    const [suppression] = await rows(scene.database, sql`SELECT kind, reason, source FROM suppressions`)
    expect(suppression).toEqual({
      ...{ kind: 'email', reason: 'hard_bounce' },
      // A bounce may be taken back where it is mended, a complaint may not.
      source: 'receipt of email; receipt of email (complaint)',
    })
  })

  it('come to the same in any order, with any repeats', async () => {
    await send('uncertain')
    const all = EVENT_KINDS.map((kind, no) =>
      event(kind, { at: new Date(START.getTime() + no * 1000), detail: `\u0000${kind}\ud800` }),
    )
    scene.clock.advance(60)
    const told = async () => {
      const timeline = await readTimeline(scene.database, { externalId: 'u1', now: scene.clock.now() })
      return timeline.entries.filter(({ kind }) => kind === 'receipt' || kind === 'settled')
    }
    const orders = fc.shuffledSubarray([...all, ...all, ...all], { minLength: 3 * all.length })
    let story: Awaited<ReturnType<typeof told>> | undefined
    await fc.assert(
      fc.asyncProperty(orders, async (order) => {
        await execute(scene.database, sql`DELETE FROM delivery_events`)
        await execute(scene.database, sql`DELETE FROM suppressions`)
        await execute(
          scene.database,
          sql`UPDATE touchpoint_records SET state = 'uncertain' WHERE state = 'sent'`,
        )
        for (const one of order) await record(one)
        const now = await told()
        expect(now.filter(({ kind }) => kind === 'receipt')).toMatchObject(
          all.map(({ kind, at }) => ({ event: kind, at })),
        )
        expect(now).toContainEqual(
          expect.objectContaining({ kind: 'settled', step: 'remind', state: 'sent' }),
        )
        story ??= now
        expect(now).toEqual(story)
        expect(await spent()).toBe(50_000)
        expect(await rows(scene.database, sql`SELECT FROM suppressions`)).toHaveLength(1)
      }),
      { numRuns: 5 },
    )
  })

  it('are told by explain', async () => {
    await send()
    await record(event('delivered'), event('clicked', { detail: 'https://shop.example' }))
    const timeline = await readTimeline(scene.database, { externalId: 'u1', now: scene.clock.now() })
    const style = { locale: 'en', currency: 'CNY', timezone: 'UTC', color: false, width: 400 }
    const text = formatTimeline(timeline, style)
    expect(text).toContain('remind by e-mail: delivered.')
    expect(text).toContain('remind by e-mail: tapped or clicked (https://shop.example).')
    expect(formatTimeline(timeline, { ...style, locale: 'zh-CN' })).toContain('remind（电子邮件）：已送达。')
  })

  it('are asked for where none came: the provider has it, never got it, or cannot say', async () => {
    await send('uncertain')
    const inquiries = createInquiries()
    let asked = 0
    let answer: Answer = { outcome: 'unknown' }
    const channel = {
      ...scene.channel,
      query: async () => {
        asked += 1
        return answer
      },
    }
    const channels = new Map<string, Channel>([['email', channel as Channel]])
    const ask = () =>
      askProviders(scene.database, scene.clock.now(), {
        channels,
        reporting: () => EMAIL,
        inquiries,
        installation: scene.worker.installation,
      })
    expect(await ask()).toEqual({ sent: 0, failed: 0 })
    expect(asked).toBe(0)
    scene.clock.set(new Date(START.getTime() + 61_000))
    expect(await ask()).toEqual({ sent: 0, failed: 0 })
    expect(await ask()).toEqual({ sent: 0, failed: 0 })
    expect(asked).toBe(1)
    scene.clock.set(new Date(START.getTime() + 301_000))
    answer = { outcome: 'sent', events: [event('delivered', { providerId: 'q-1', cost: 100_000 })] }
    expect(await ask()).toEqual({ sent: 1, failed: 0 })
    expect(await scene.records()).toMatchObject([{ state: 'sent' }])
    expect(await spent()).toBe(100_000)
  })

  it('are asked for by when the message may have been sent: its worker was killed, and found hours later', async () => {
    const { database, clock, channel, worker } = scene
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise(() => {})
      }
      void scene.work().catch(() => {})
    })
    await expireLeases(database)
    const found = new Date(START.getTime() + 14 * 3_600_000)
    expect(await sweep(database, found, [])).toMatchObject({ uncertain: 1 })
    const doubts: Pick<Doubt<unknown>, 'plannedFor' | 'since'>[] = []
    const query: Channel['query'] = async ({ plannedFor, since }) => {
      doubts.push({ plannedFor, since })
      return { outcome: 'unknown' }
    }
    clock.set(new Date(found.getTime() + 61_000))
    await askProviders(database, clock.now(), {
      channels: new Map<string, Channel>([['email', { ...channel, query } as Channel]]),
      reporting: () => EMAIL,
      inquiries: createInquiries(),
      installation: worker.installation,
    })
    expect(doubts).toEqual([{ plannedFor: START, since: found }])
  })

  it('are asked for no longer than a round may take: other work waits for its end', async () => {
    await scene.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    scene.clock.set(new Date(START.getTime() + 60_000))
    await scene.runNow()
    await send('uncertain')
    const asked: number[] = []
    const query: Channel['query'] = async (doubt) => {
      asked.push(doubt.touchpointId)
      return { outcome: 'unknown' }
    }
    const channels = new Map<string, Channel>([['email', { ...scene.channel, query } as Channel]])
    scene.clock.set(new Date(START.getTime() + 121_000))
    const inquiries = createInquiries()
    const ask = () =>
      askProviders(scene.database, scene.clock.now(), {
        channels,
        reporting: () => EMAIL,
        inquiries,
        installation: scene.worker.installation,
        round: 0,
      })
    await ask()
    expect(asked).toHaveLength(1)
    // The rest is asked in the next.
    await ask()
    expect(new Set(asked).size).toBe(2)
  })

  it('are asked for of a new doubt, however many older ones nobody can tell of', async () => {
    await send('uncertain')
    const settled = scene.clock.now()
    const waiting = 1100
    await ensurePartitions(scene.database, 'touchpoint_records', [
      new Date(settled.getTime() - 2 * DAY * 1000),
    ])
    await execute(
      scene.database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
            planned_for, settled_at)
          SELECT contact_id, touchpoint_id + n, episode_id, step_id, state, channel, attempt, planned_for,
            settled_at - interval '1 day 2 hours'
          FROM touchpoint_records CROSS JOIN generate_series(1, ${waiting}) n`,
    )
    const asked: number[] = []
    const query: Channel['query'] = async (doubt) => {
      asked.push(doubt.touchpointId)
      return { outcome: 'unknown' }
    }
    const channels = new Map<string, Channel>([['email', { ...scene.channel, query } as Channel]])
    const inquiries = createInquiries()
    const ask = (now: Date) =>
      askProviders(scene.database, now, {
        channels,
        reporting: () => EMAIL,
        inquiries,
        installation: scene.worker.installation,
      })
    // As often as there are pauses, fifty at a time.
    for (let round = 0; round < (waiting * 6) / 50; round += 1) await ask(settled)
    expect(asked).not.toContain(touchpointId)
    expect(inquiries.asked.size).toBe(waiting)
    await ask(new Date(settled.getTime() + 61_000))
    expect(asked.at(-1)).toBe(touchpointId)
    // What is asked about no more is forgotten.
    await ask(new Date(settled.getTime() + 3 * DAY * 1000))
    expect(inquiries.asked.size).toBe(0)
  })

  it('that say the provider never got it take back what was booked, and nothing is sent again', async () => {
    await send('uncertain')
    const channel = { ...scene.channel, query: async () => ({ outcome: 'absent' as const }) }
    scene.clock.set(new Date(START.getTime() + 61_000))
    const channels = new Map<string, Channel>([['email', channel as Channel]])
    const now = scene.clock.now()
    const cleared = await askProviders(scene.database, now, {
      channels,
      reporting: () => EMAIL,
      inquiries: createInquiries(),
      installation: scene.worker.installation,
    })
    expect(cleared).toEqual({ sent: 0, failed: 1 })
    expect(await scene.records()).toMatchObject([{ state: 'failed', reason: 'refused' }])
    expect(await spent()).toBe(0)
    await scene.work()
    expect(scene.channel.sent).toHaveLength(1)
  })
})

describe('the door for providers', () => {
  const CAMPAIGN = `
version: 1
campaign: game
title: Game
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { spread: 0s }
tiers:
  - name: coupon
    inactive: 3d..7d
    steps:
      - { id: remind, channel: email, template: hello }
      - { id: more, after: 1d, channel: email, template: hello, when: remind.clicked && remind.delivered }
      - { id: less, after: 1d, channel: email, template: hello, unless: remind.clicked }
`
  const at = new Date('2026-03-10T09:00:00Z')
  async function openDoor() {
    const channel = testChannel('email')
    const shop = await openShop({
      database: await emptiedDatabase(),
      clock: manualClock(at),
      channels: [channel],
      workspace: `${WORKSPACE}web: { url: "https://wb.shop.example/" }\n`,
    })
    await shop.importContacts([
      { external_id: 'a', email: 'a@x.example' },
      { external_id: 'b', email: 'b@x.example' },
    ])
    const silent = '2026-03-06T00:00:00Z'
    await shop.importActivity([
      { external_id: 'a', type: 'session', occurred_at: silent },
      { external_id: 'b', type: 'session', occurred_at: silent },
    ])
    return { channel, shop, app: composeWeb({ runtime: shop.runtime }) }
  }

  it('answers a provider that asks for a word of its own before it reports', async () => {
    const { app, channel } = await openDoor()
    const ask = (query: string) => app.request(`/v1/receipts/email/ours?${query}`)
    expect((await ask('say=123')).status).toBe(404)
    Object.assign(channel, {
      greet: ({ url, provider }: Parameters<NonNullable<typeof channel.greet>>[0]) => {
        const query = new URL(url).searchParams
        return query.get('token') === `of ${provider}`
          ? { outcome: 'accepted', answer: query.get('say') ?? '' }
          : { outcome: 'refused', status: 401, reason: 'the token is not ours' }
      },
    })
    const said = await ask('token=of+ours&say=<b>1')
    expect([said.status, await said.text()]).toEqual([200, '<b>1'])
    // What anybody may have written into the address is a text, whatever a browser would make of it.
    expect(said.headers.get('Content-Type')).toMatch(/^text\/plain/)
    expect(said.headers.get('X-Content-Type-Options')).toBe('nosniff')
    const refused = await ask('token=mine&say=1')
    expect([refused.status, await refused.json()]).toMatchObject([401, { reason: 'the token is not ours' }])
    expect((await app.request('/v1/receipts/pigeon?token=1')).status).toBe(404)
  })

  it('refuses what is no provider’s, with a reason, and what nobody takes', async () => {
    const { app, channel, shop } = await openDoor()
    expect((await app.request('/v1/receipts/pigeon', { method: 'POST' })).status).toBe(404)
    expect((await app.request('/v1/receipts/email', { method: 'POST' })).status).toBe(404)
    Object.assign(channel, {
      receipts: () => ({ outcome: 'refused', status: 401, reason: 'the signature is not yours' }),
    })
    const answer = await app.request('/v1/receipts/email/ses', { method: 'POST', body: '{}' })
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({
      error: 'unauthorised',
      reason: 'the signature is not yours',
    })
    expect(await rows(shop.database, sql`SELECT FROM delivery_events`)).toEqual([])
    await shop.runtime.close()
  })

  it('hands over the very bytes, answers as the provider wants, and confirms an opt-out once', async () => {
    const { app, channel, shop } = await openDoor()
    const confirmed: string[] = []
    Object.assign(channel, {
      confirm: async (reply: { from: string }) => {
        confirmed.push(reply.from)
        return { outcome: 'sent' }
      },
      receipts: ({
        body,
        url,
        provider,
        headers,
        now,
      }: Parameters<NonNullable<typeof channel.receipts>>[0]) => {
        const text = Buffer.from(body).toString()
        const receipts: Receipts = {
          outcome: 'accepted',
          events: [],
          replies: [{ from: 'a@x.example', text, optOut: text === 'STOP', eventId: text, at: now }],
          answer: { type: 'text/plain', body: `${provider} ${url} ${headers['x-sign']}` },
        }
        return receipts
      },
    })
    const post = (body: string) =>
      app.request('/v1/receipts/email/ours?a=1', { method: 'POST', body, headers: { 'X-Sign': 's' } })
    const answer = await post('thanks')
    // As it was told to call, and has signed it, whatever stands between.
    expect(await answer.text()).toBe('ours https://wb.shop.example/v1/receipts/email/ours?a=1 s')
    expect(confirmed).toEqual([])
    for (const body of ['STOP', 'STOP']) await post(body)
    expect(confirmed).toEqual(['a@x.example'])
    expect(await rows(shop.database, sql`SELECT text, opt_out FROM replies ORDER BY text`)).toEqual([
      { text: 'STOP', opt_out: true },
      { text: 'thanks', opt_out: false },
    ])
    // One that says why and nothing more is a reason given, once.
    for (const body of ['Too expensive', 'Too expensive']) await post(body)
    expect(await rows(shop.database, sql`SELECT source, reason, recorded_by FROM reasons_given`)).toEqual([
      { source: 'reply', reason: 'price', recorded_by: 'email' },
    ])
    const timeline = await readTimeline(shop.database, { externalId: 'a', now: at })
    expect(timeline.entries).toContainEqual(
      expect.objectContaining({ kind: 'reply', text: 'STOP', optOut: true }),
    )
    await shop.runtime.close()
  })

  it('steers later steps by what was tapped', async () => {
    const { channel, shop } = await openDoor()
    await shop.apply(CAMPAIGN)
    await shop.run('game')
    await workDue(shop.runtime)
    const tapped = channel.sent[0]
    if (!tapped) throw new Error('nothing was sent')
    const { contactId, touchpointId } = tapped
    const clicked = { contactId, touchpointId, kind: 'clicked' as const, eventId: 'c', at }
    await recordReceipts(shop.database, at, shop.runtime.reporting('email'), [clicked])
    shop.clock.set(new Date('2026-03-11T10:00:00Z'))
    await workDue(shop.runtime)
    const sent = await rows(
      shop.database,
      sql`SELECT contact_id = ${contactId} AS tapped, step, state FROM touchpoint_records JOIN steps USING (step_id)
        WHERE step <> 'remind' ORDER BY tapped, step`,
    )
    expect(sent).toEqual([
      { tapped: false, step: 'less', state: 'sent' },
      { tapped: false, step: 'more', state: 'skipped' },
      { tapped: true, step: 'less', state: 'skipped' },
      { tapped: true, step: 'more', state: 'sent' },
    ])
    await shop.runtime.close()
  })
})
