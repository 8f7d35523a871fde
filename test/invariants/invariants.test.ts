import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue, nextDue } from '../../src/touchpoints/dispatch.ts'
import { createSlots } from '../../src/touchpoints/sending/slots.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { eventually } from '../support/eventually.ts'
import { assertPatiently } from '../support/patience.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'
import { openShop } from '../support/shop.ts'
import { brokenPromises, heedReturns } from './promises.ts'

// The numbered promises, each on a real database under random circumstances. The model-based test checks most of them
// after each of its steps, too; here each one is driven where it is most likely to break.

const PATIENCE = { milliseconds: 25_000 }
vi.setConfig({ testTimeout: 90_000 })

const ago = (seconds: number) => new Date(START.getTime() - seconds * 1000)
const expire = (database: Database) =>
  execute(database, sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL`)

/** A worker of its own: places and all. */
function another(pipeline: Pipeline) {
  const { channel, worker } = pipeline
  return { ...worker, slots: new Map([[channel.name, createSlots(channel.concurrency)]]) }
}

async function sending(database: Database, ids: readonly number[]): Promise<number> {
  const [row] = await rows<{ count: number }>(
    database,
    sql`SELECT count(*) AS count FROM touchpoints
      WHERE state = 'sending' AND touchpoint_id = ANY (${sql.param(ids)}::bigint[])`,
  )
  return row?.count ?? 0
}

const VARIANTS = [
  { name: 'plain', share: 0.5 },
  { name: 'story', share: 0.5 },
]
const LADDER = (holdouts: readonly number[]) => [
  {
    name: 'coupon',
    from: 3 * DAY,
    to: 7 * DAY,
    holdout: holdouts[0] ?? 0,
    steps: [
      { id: 'remind', variants: VARIANTS },
      { id: 'coupon', after: DAY },
    ],
  },
  { name: 'trial', from: 7 * DAY, to: 15 * DAY, holdout: holdouts[1] ?? 0, steps: [{ id: 'trial' }] },
  {
    name: 'letter',
    from: 15 * DAY,
    to: null,
    holdout: holdouts[2] ?? 0,
    steps: [{ id: 'letter', variants: VARIANTS }],
  },
]
const ONE_TIER = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }, { id: 'more' }] }]

const share = fc.constantFrom(0, 0.2, 0.5, 1)

describe('I2 reconciled, I3 held out means untouched, I11 same arm', () => {
  it('whatever the shares, the silences and the rhythm of the runs', async () => {
    await assertPatiently(
      fc.asyncProperty(
        fc.record({
          control: share,
          holdout: share,
          holdouts: fc.array(share, { minLength: 3, maxLength: 3 }),
          rollout: fc.constantFrom('100%', '60%'),
          backlog: fc.option(fc.constantFrom('3 per day', '8 per day'), { nil: undefined }),
        }),
        fc.array(fc.integer({ min: 0, max: 25 * 24 }), { minLength: 10, maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 9 * 24 }), { minLength: 2, maxLength: 5 }),
        fc.infiniteStream(fc.nat()),
        async (shares, silences, pauses, luck) => {
          const { control, holdout, holdouts, rollout, backlog } = shares
          const pipeline = await openPipeline({
            database: await emptiedDatabase(),
            tiers: LADDER(holdouts),
            control,
            holdout,
            definition: { rollout, ...(backlog ? { intake: { backlog } } : {}) },
          })
          for (const hours of silences) await pipeline.addContact({ silentSince: ago(hours * 3600) })
          const arms = new Map<string, string>()
          for (const hours of pauses) {
            const result = await pipeline.runNow()
            expect(result.considered).toBe(
              Object.values(result.answers).reduce((sum, count) => sum + count, 0),
            )
            await pipeline.work()
            const back = (luck.next().value ?? 0) % silences.length
            await pipeline.addActivity(back + 1, pipeline.clock.now())
            expect(await brokenPromises(pipeline.database, pipeline.clock.now())).toEqual([])
            for (const { key, arm } of await drawnArms(pipeline.database)) {
              expect(`${key} ${arms.get(key) ?? arm}`).toBe(`${key} ${arm}`)
              arms.set(key, arm)
            }
            pipeline.clock.advance(hours * 3600)
          }
        },
      ),
      { numRuns: 6, ...PATIENCE },
    )
  })
})

function drawnArms(database: Database): Promise<{ key: string; arm: string }[]> {
  return rows(
    database,
    sql`SELECT 'episode ' || episode_id AS key, arm FROM episodes
      UNION ALL SELECT 'stage ' || episode_id || ' ' || tier_no, arm FROM stages
      UNION ALL SELECT 'touchpoint ' || touchpoint_id, variant FROM (
        SELECT touchpoint_id, variant FROM touchpoints UNION ALL SELECT touchpoint_id, variant FROM touchpoint_records) t
      WHERE variant IS NOT NULL`,
  )
}

describe('I1 once, I10 disposable queue', () => {
  it('whatever dies, hangs, runs twice or is flushed', async () => {
    const fate = fc.constantFrom('done', 'done', 'done', 'hangs', 'doubtful', 'refused')
    await assertPatiently(
      fc.asyncProperty(
        fc.boolean(),
        fc.integer({ min: 1, max: 5 }),
        fc.array(
          fc.record({
            flushed: fc.boolean(),
            times: fc.integer({ min: 1, max: 3 }),
            fates: fc.array(fate, { minLength: 1, maxLength: 12 }),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        async (idempotent, concurrency, rounds) => {
          const channel = testChannel('email', { idempotent, concurrency })
          const pipeline = await openPipeline({ database: await emptiedDatabase(), tiers: ONE_TIER, channel })
          for (let n = 0; n < 15; n += 1) await pipeline.addContact({ silentSince: ago(4 * DAY) })
          await pipeline.runNow()
          const { database, clock } = pipeline
          const knows = idempotent ? [channel.name] : []
          const handed = new Map<string, number>()
          const sweepAll = async () => {
            await expire(database)
            await Promise.all([sweep(database, clock.now(), knows), sweep(database, clock.now(), knows)])
          }
          for (const { flushed, times, fates } of rounds) {
            let turn = 0
            const hung = new Set<number>()
            channel.answer = ({ key, touchpointId }) => {
              const next = fates[turn % fates.length]
              turn += 1
              // A provider that recognises a repeat does not refuse what it has taken.
              if (next === 'refused' && hung.size === 0 && !handed.has(key))
                return { outcome: 'rejected', reason: 'refused', detail: '550' }
              handed.set(key, (handed.get(key) ?? 0) + 1)
              // Once one hangs, all do: the process is frozen.
              if (next === 'hangs' || hung.size > 0) {
                hung.add(touchpointId)
                return new Promise(() => {})
              }
              return next === 'doubtful' ? { outcome: 'uncertain', detail: 'dropped' } : { outcome: 'sent' }
            }
            await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
              if (flushed) return
              let ended = false
              const runs = Array.from({ length: times }, () => processBatch(another(pipeline), batch))
              void Promise.all(runs).then(() => {
                ended = true
              })
              await eventually(
                'the batch ends, or all of it that is under way hangs',
                async () => {
                  if (ended) return true
                  const mine = batch.keys.map((key) => key.touchpointId)
                  const stuck = mine.filter((id) => hung.has(id)).length
                  return stuck > 0 && (await sending(database, mine)) === stuck
                },
                (quiet) => quiet,
              )
            })
            await sweepAll()
          }
          channel.answer = ({ key }) => {
            handed.set(key, (handed.get(key) ?? 0) + 1)
            return { outcome: 'sent' }
          }
          // Where repeats are recognised, doubt is settled by asking again, after a while.
          clock.advance(3600)
          // A row that a statement of a frozen process still holds is passed over, and comes with the next look.
          await eventually(
            'everything ends',
            async () => {
              await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
                await processBatch(another(pipeline), batch)
              })
              return await pipeline.open()
            },
            (open) => open.length === 0,
          )
          expect(await pipeline.records()).toHaveLength(30)
          const ids = await rows<{ key: string }>(
            database,
            sql`SELECT 'tp-' || ${pipeline.worker.installation.name}::text || '-' || touchpoint_id AS key FROM touchpoint_records WHERE state IN ('sent', 'uncertain')`,
          )
          expect(new Set(handed.keys())).toEqual(new Set(ids.map((row) => row.key)))
          if (!idempotent) expect(Math.max(1, ...handed.values())).toBe(1)
        },
      ),
      { numRuns: 8, ...PATIENCE },
    )
  })
})

describe('I4 returned means silent', () => {
  it('when returns are recorded while workers mark and send', async () => {
    const database = await emptiedDatabase()
    await heedReturns(database)
    let raced = 0
    await assertPatiently(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.integer({ min: 1, max: 24 }), { minLength: 4, maxLength: 16 }),
        async (concurrency, backs) => {
          const channel = testChannel('email', { concurrency })
          const pipeline = await openPipeline({ database: await emptiedDatabase(), tiers: ONE_TIER, channel })
          for (let n = 0; n < 24; n += 1) await pipeline.addContact({ silentSince: ago(4 * DAY) })
          await pipeline.runNow()
          channel.answer = async () => {
            await new Promise((resolve) => setImmediate(resolve))
            return { outcome: 'sent' }
          }
          const returns = async () => {
            for (const contact of backs) await pipeline.addActivity(contact, pipeline.clock.now())
          }
          const work = dispatchDue(database, { now: START, jobs: 100 }, async (batch) => {
            await Promise.all([1, 2].map(() => processBatch(another(pipeline), batch)))
          })
          await Promise.all([work, returns()])
          const records = await pipeline.records()
          expect(records).toHaveLength(48)
          for (const { contactId, state, reason } of records) {
            if (state !== 'sent') {
              expect(`${contactId} ${state} ${reason}`).toBe(`${contactId} cancelled returned`)
              expect(backs).toContain(contactId)
              raced += 1
            }
          }
          const sent = records.filter((row) => row.state === 'sent')
          expect(channel.sent).toHaveLength(sent.length)
        },
      ),
      { numRuns: 8, ...PATIENCE },
    )
    // Where every return came too late for everything, nothing was shown.
    expect(raced).toBeGreaterThan(0)
    await execute(database, sql`DROP TRIGGER heed_returns ON touchpoints`)
  })
})

describe('I6 windows', () => {
  const zones = [
    'Europe/Berlin',
    'America/New_York',
    'Asia/Shanghai',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
  ]
  const minuteIn = (zone: string, moment: Date) => {
    const format = { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
    const [hour = 0, minute = 0] = new Intl.DateTimeFormat('en-GB', format)
      .format(moment)
      .split(':')
      .map(Number)
    return hour * 60 + minute
  }
  const text = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`

  it('hold to the minute for each contact’s own clock, across its changes, however slow the sending is', async () => {
    await assertPatiently(
      fc.asyncProperty(
        fc.constantFrom(
          '2026-03-28T20:00:00Z',
          '2026-03-07T22:00:00Z',
          '2026-10-24T20:00:00Z',
          '2026-11-01T00:00:00Z',
        ),
        fc.integer({ min: 0, max: 30 * 60 }),
        fc.integer({ min: 0, max: 22 * 60 }),
        fc.integer({ min: 5, max: 12 * 60 }),
        fc.constantFrom('0s', '30m', '4h'),
        fc.integer({ min: 0, max: 900 }),
        async (base, minutes, from, length, spread, slowness) => {
          const window = { from, to: Math.min(24 * 60, from + length) }
          const channel = testChannel('email', { concurrency: 3 })
          const pipeline = await openPipeline({
            database: await emptiedDatabase(),
            tiers: ONE_TIER,
            channel,
            definition: {
              limits: {
                send_window: { default: `${text(window.from)}-${text(window.to)}` },
                spread,
                max_delay: '3d',
              },
            },
          })
          const start = new Date(new Date(base).getTime() + minutes * 60_000)
          pipeline.clock.set(start)
          const zoneOf = new Map<string, string>()
          for (const [n, timezone] of zones.entries()) {
            await pipeline.addContact({ silentSince: new Date(start.getTime() - 4 * DAY * 1000), timezone })
            zoneOf.set(`u${n + 1}@example.com`, timezone)
          }
          const wrong: string[] = []
          channel.answer = ({ address }) => {
            pipeline.clock.advance(slowness)
            return address === '' ? { outcome: 'retry', detail: '' } : { outcome: 'sent' }
          }
          const { send } = channel
          Object.assign(channel, {
            send: (message: Parameters<typeof send>[0]) => {
              const now = pipeline.clock.now()
              const minute = minuteIn(zoneOf.get(message.address) ?? 'UTC', now)
              if (minute < window.from || minute >= window.to)
                wrong.push(`${message.address} ${now.toISOString()}`)
              return new Promise((resolve) => setImmediate(resolve)).then(() => send(message))
            },
          })
          await pipeline.runNow()
          for (let jumps = 0; jumps < 60; jumps += 1) {
            await pipeline.work()
            const due = await nextDue(pipeline.database)
            if (due === null) break
            if (due > pipeline.clock.now()) pipeline.clock.set(due)
          }
          expect(wrong).toEqual([])
          expect(await pipeline.open()).toEqual([])
          const records = await pipeline.records()
          expect(records).toHaveLength(zones.length * 2)
          // Three days hold at least two openings: only endless slowness may use them up.
          if (slowness === 0)
            expect(records.filter((row) => row.state === 'sent')).toHaveLength(records.length)
        },
      ),
      { numRuns: 10, ...PATIENCE },
    )
  })
})

describe('I9 whole', () => {
  const SOURCE = oneTierCampaign('whole', [
    '{ id: named, channel: email, template: named }',
    '{ id: priced, channel: email, template: priced }',
    '{ id: softly, channel: email, template: priced, otherwise: hello }',
  ])
  it('no message leaves with a missing or a stale fact', async () => {
    const name = fc.constantFrom(undefined, null, '', 'Li', '{{x}}', '0')
    const price = fc.constantFrom(undefined, null, 0, 12.5, -1)
    await assertPatiently(
      fc.asyncProperty(
        fc.array(fc.record({ name, price }), { minLength: 3, maxLength: 8 }),
        fc.integer({ min: 0, max: 48 * 60 }),
        async (people, age) => {
          const email = testChannel('email')
          const clock = manualClock(START)
          const database = await emptiedDatabase()
          const shop = await openShop({ database, clock, channels: [email] })
          await shop.apply(SOURCE)
          await shop.importContacts(
            people.map(({ name, price }, n) => ({
              external_id: `w${n}`,
              email: `w${n}@whole.test`,
              signed_up_at: ago(5 * DAY).toISOString(),
              ...(name === undefined ? {} : { first_name: name }),
              ...(price === undefined ? {} : { price }),
            })),
          )
          clock.advance(age * 60)
          await shop.run('whole')
          await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
            await processBatch(shop.runtime.worker, batch)
          })
          const fresh = age <= 24 * 60
          for (const { address, content } of email.sent) {
            const person = people[Number(/^w(\d+)@/.exec(address)?.[1])]
            const said = /\[(.*)\]/.exec(content)?.[1]
            if (said === undefined) {
              expect(content).toContain('Hello again')
              expect(fresh && typeof person?.price === 'number').toBe(false)
            } else if (content.includes('Hello')) {
              expect(person?.name).toBe(
                said.replace(/&#(x?[0-9A-F]+);/gi, (_, code: string) =>
                  String.fromCharCode(Number(`0${code}`)),
                ),
              )
              expect(said).not.toBe('')
            } else {
              expect(fresh).toBe(true)
              expect(Number(said)).toBe(person?.price)
            }
          }
          const found = await rows<{ step: string; state: string; reason: string | null; name: string }>(
            database,
            sql`SELECT s.step, r.state, r.reason, c.external_id AS name FROM touchpoint_records r
              JOIN steps s USING (step_id) JOIN contacts c USING (contact_id)`,
          )
          for (const record of found) {
            const person = people[Number(record.name.slice(1))]
            const priced = typeof person?.price === 'number'
            const expected =
              record.step === 'softly'
                ? 'sent null'
                : record.step === 'named'
                  ? person?.name
                    ? 'sent null'
                    : 'skipped missing_data'
                  : !priced
                    ? 'skipped missing_data'
                    : fresh
                      ? 'sent null'
                      : 'skipped stale_data'
            expect(`${record.step} ${record.name} ${record.state} ${record.reason}`).toBe(
              `${record.step} ${record.name} ${expected}`,
            )
          }
        },
      ),
      { numRuns: 8, ...PATIENCE },
    )
  })
})
