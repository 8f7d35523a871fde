import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { planAudience } from '../../src/audience/plan.ts'
import {
  type ConsentRecord,
  consentHistory,
  consentStates,
  recordConsents,
} from '../../src/contacts/consent.ts'
import type { Hooks } from '../../src/contacts/hooks.ts'
import {
  ANYTHING,
  type Preferences,
  readChoice,
  recordChoice,
  recordOptOut,
} from '../../src/contacts/preferences.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../../src/database/connect.ts'
import { recordRefusals } from '../../src/outcomes/silence.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { claim, markSending } from '../../src/touchpoints/lifecycle.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { eventually } from '../support/eventually.ts'
import { assertPatiently } from '../support/patience.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../support/pipeline.ts'
import { untilWaiting } from '../support/waiting.ts'

const hooks: Hooks = { onRefused: recordRefusals }
const ago = (days: number) => new Date(START.getTime() - days * DAY * 1000)

const record = (contactId: number, also: Partial<ConsentRecord> = {}): ConsentRecord => ({
  contactId,
  channel: 'email',
  decision: 'given',
  decidedAt: ago(30),
  wording: 'v1',
  source: 'checkout',
  proof: 'form 7',
  ...also,
})

/** One contact of a tier with a reminder now and a coupon a day later. */
async function scene(options: PipelineOptions & { needsConsent?: readonly string[] } = {}) {
  const pipeline = await openPipeline({ ...options, database: await emptiedDatabase() })
  const worker = { ...pipeline.worker, needsConsent: new Set(options.needsConsent ?? []) }
  Object.assign(pipeline.worker, worker)
  const now = () => pipeline.clock.now()
  return {
    pipeline,
    consent: (...records: ConsentRecord[]) =>
      transaction(pipeline.database, (tx) => recordConsents(tx, records, { now: now(), hooks })),
    choose: (contactId: number, chosen: Partial<Preferences>) =>
      transaction(pipeline.database, (tx) =>
        recordChoice(tx, contactId, { ...ANYTHING, ...chosen, source: 'test' }, { now: now(), hooks }),
      ),
  }
}

/** What waits until it is opened. */
function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

/** Two steps that fall due together: two batches. */
const TOGETHER = [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'one' }, { id: 'two' }] }]

/**
 * Works off what is due with batches that have all judged before any of them marks, and then all mark at once: they wait
 * for the touchpoints they want to mark, or for each other.
 * @param meanwhile what happens when they have judged
 */
async function collide({ database, clock, worker }: Pipeline, meanwhile = async () => {}): Promise<void> {
  const batches: Batch[] = []
  await dispatchDue(database, { now: clock.now(), jobs: 1000 }, async (batch) => {
    batches.push(batch)
  })
  const held = gate()
  let judged = 0
  const templates = async () => {
    judged += 1
    await held.opened
    return { find: () => undefined }
  }
  const working = Promise.all(batches.map((batch) => processBatch({ ...worker, templates }, batch)))
  await eventually(
    'all judged',
    () => judged,
    (number) => number === batches.length,
  )
  await meanwhile()
  await transaction(database, async (tx) => {
    await execute(tx, sql`SELECT FROM touchpoints FOR UPDATE`)
    held.open()
    // All are about to mark.
    await untilWaiting(database, batches.length)
  })
  await working
}

/** What became of each touchpoint, with the detail. */
async function told({ database }: Pipeline): Promise<string[]> {
  const found = await rows<{ said: string }>(
    database,
    sql`SELECT concat_ws(' ', step, state, reason, detail) AS said FROM touchpoint_records JOIN steps USING (step_id)
        ORDER BY contact_id, step`,
  )
  return found.map((row) => row.said)
}

describe('consent', () => {
  it('is needed only where the workspace says so, and then never assumed', async () => {
    const free = await scene()
    await free.pipeline.addContact({ silentSince: ago(4) })
    await free.pipeline.runNow()
    await free.pipeline.work()
    expect(free.pipeline.channel.sent).toHaveLength(1)

    const { pipeline, consent } = await scene({ needsConsent: ['email'] })
    const [willing, silent] = [
      await pipeline.addContact({ silentSince: ago(4) }),
      await pipeline.addContact({ silentSince: ago(4) }),
    ]
    await consent(record(willing))
    await pipeline.runNow()
    await pipeline.work()
    expect(pipeline.channel.sent.map((message) => message.address)).toEqual(['u1@example.com'])
    expect(await told(pipeline)).toEqual(['remind sent', 'remind skipped no_consent email: never given'])
    expect(silent).toBeGreaterThan(willing)
  })

  it('withdrawn, takes what was planned, queued and claimed with it in the same transaction, of every account', async () => {
    const { pipeline, consent } = await scene({ needsConsent: ['email'] })
    const { database, clock } = pipeline
    const contactId = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(4) })
    await consent(record(contactId), record(other))
    await pipeline.runNow()
    // As after a merge that no hook heard of.
    await execute(database, sql`UPDATE contacts SET person_id = ${contactId}`)
    const keys: { contactId: number; touchpointId: number }[] = []
    await dispatchDue(database, { now: clock.now(), jobs: 10 }, async (batch) => {
      keys.push(...batch.keys)
    })
    const claimId = '00000000-0000-4000-8000-000000000001'
    expect(await claim(database, claimId, keys)).toHaveLength(2)
    await consent(record(contactId, { decision: 'withdrawn', decidedAt: clock.now(), wording: null }))
    const slice = { keys: keys.map((key) => ({ ...key, channel: 'email' })), campaign: 'test' }
    expect(await markSending(database, claimId, { ...slice, now: clock.now(), needsConsent: [] })).toEqual([])
    const skipped = ['coupon skipped no_consent', 'remind skipped no_consent']
    expect(await told(pipeline)).toEqual([...skipped, ...skipped])
    expect(await pipeline.open()).toEqual([])
  })

  it('is looked at once more when sending is marked, however it came to lack', async () => {
    const { pipeline } = await scene({ needsConsent: ['email'] })
    const { database, clock } = pipeline
    const contactId = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    const keys: { contactId: number; touchpointId: number }[] = []
    await dispatchDue(database, { now: clock.now(), jobs: 10 }, async (batch) => {
      keys.push(...batch.keys)
    })
    const claimId = '00000000-0000-4000-8000-000000000001'
    await claim(database, claimId, keys)
    const slice = {
      keys: keys.map((key) => ({ ...key, channel: 'email' })),
      campaign: 'test',
      now: clock.now(),
    }
    expect(await markSending(database, claimId, { ...slice, needsConsent: ['email'] })).toEqual([])
    // A withdrawal that no hook heard of, as after a merge of two persons.
    await execute(
      database,
      sql`INSERT INTO consents VALUES (${contactId}, 'email', 'withdrawn', ${ago(1)}, NULL, 'test', NULL, ${START})`,
    )
    expect(await markSending(database, claimId, { ...slice, needsConsent: [] })).toEqual([])
    await execute(database, sql`DELETE FROM consents`)
    // A frequency the batch did not know of: nobody has locked the person to count.
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, source)
          VALUES (${contactId}, ${ago(1)}, '{}', '{}', 1, 7, 'test')`,
    )
    expect(await markSending(database, claimId, { ...slice, needsConsent: [] })).toEqual([])
    const counted = { ...slice, needsConsent: [], counted: true }
    expect(await markSending(database, claimId, counted)).toHaveLength(1)
  })

  it('withdrawn with one account, holds for the others of the person; given, for that account alone', async () => {
    const { pipeline, consent } = await scene({ needsConsent: ['email'] })
    const one = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(5), person: one })
    await consent(record(one))
    expect(await consentStates(pipeline.database, other, START)).toEqual([])
    await consent(
      record(one, { decision: 'withdrawn', decidedAt: ago(20) }),
      record(other, { decidedAt: ago(25) }),
    )
    expect(await consentStates(pipeline.database, other, START)).toEqual([
      { channel: 'email', state: 'withdrawn' },
    ])
    await consent(record(other, { decidedAt: ago(10) }))
    expect(await consentStates(pipeline.database, other, START)).toEqual([
      { channel: 'email', state: 'given' },
    ])
    expect(await consentHistory(pipeline.database, other)).toHaveLength(2)
  })

  it('reaches the next channel of a step where the first is refused', async () => {
    const sms = testChannel('sms')
    const steps = [{ id: 'remind', channels: ['sms', 'email'] }]
    const { pipeline, consent } = await scene({
      needsConsent: ['sms'],
      others: [sms],
      tiers: [{ name: 'coupon', from: 3 * DAY, to: 7 * DAY, steps }],
    })
    const contactId = await pipeline.addContact({ silentSince: ago(4), phone: '+8613800138000' })
    await consent(record(contactId, { channel: 'sms' }))
    await pipeline.runNow()
    await consent(record(contactId, { channel: 'sms', decision: 'withdrawn', decidedAt: ago(1) }))
    await pipeline.work()
    expect([sms.sent.length, pipeline.channel.sent.length]).toEqual([0, 1])
  })

  it('is counted by plan', async () => {
    const { pipeline, consent, choose } = await scene({ definition: { topic: 'offers' } })
    const ids = [4, 4, 4, 4].map((days) => pipeline.addContact({ silentSince: ago(days) }))
    const [a = 0, b = 0, c = 0] = await Promise.all(ids)
    await consent(record(a), record(b), record(c))
    await choose(b, { topicsOff: ['offers'] })
    await choose(c, { channelsOff: ['sms'] })
    const reach = { addressKinds: pipeline.worker.addressKinds, needsConsent: new Set(['email']) }
    const { steps } = await planAudience(pipeline.database, pipeline.campaign, START, reach)
    expect(steps[0]).toMatchObject({ contacts: 4, noConsent: 1, optedOut: 1, messages: 2 })
  })
})

describe('the record', () => {
  let database: Database
  beforeAll(async () => {
    database = await freshDatabase()
  })

  it('ends at the same state in whatever order it comes, and however often (property)', async () => {
    const decision = fc.record({
      channel: fc.constantFrom('email', 'sms'),
      decision: fc.constantFrom('given' as const, 'withdrawn' as const),
      day: fc.nat(5),
    })
    await assertPatiently(
      fc.asyncProperty(
        fc.array(decision, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        async (decisions, seed) => {
          const made = await rows<{ id: number }>(
            database,
            sql`INSERT INTO contacts (person_id, external_id, imported_at)
              SELECT 1000000 + floor(random() * 1e12)::bigint, gen_random_uuid()::text, ${START}
              FROM generate_series(1, 2) RETURNING contact_id AS id`,
          )
          const [one = 0, two = 0] = made.map((row) => row.id)
          const records = (contactId: number) =>
            decisions.map(({ channel, decision, day }) =>
              record(contactId, { channel, decision, decidedAt: ago(9 - day) }),
            )
          const shuffled = [...records(two), ...records(two)].toSorted(
            (a, b) => ((a.decidedAt.getTime() + seed) % 97) - ((b.decidedAt.getTime() + seed) % 97),
          )
          await transaction(database, (tx) => recordConsents(tx, records(one), { now: START, hooks: {} }))
          for (const each of shuffled) {
            await transaction(database, (tx) => recordConsents(tx, [each], { now: START, hooks: {} }))
          }
          // The plain rule: the latest decision, and of two at the same moment the withdrawal.
          const expected = ['email', 'sms'].flatMap((channel) => {
            const own = records(one).filter((each) => each.channel === channel)
            const last = own.toSorted(
              (a, b) =>
                b.decidedAt.getTime() - a.decidedAt.getTime() || (a.decision === 'withdrawn' ? -1 : 1),
            )[0]
            return last ? [{ channel, state: last.decision }] : []
          })
          expect(await consentStates(database, one, START)).toEqual(expected)
          expect(await consentStates(database, two, START)).toEqual(expected)
        },
      ),
      { numRuns: 40, milliseconds: 15_000 },
    )
  })
})

describe('a choice', () => {
  it.each<[string, Partial<Preferences>, string]>([
    ['channel', { channelsOff: ['email'] }, 'remind skipped opted_out'],
    ['everything', { channelsOff: ['*'] }, 'remind skipped opted_out'],
    ['topic', { topicsOff: ['offers'] }, 'remind skipped opted_out topic offers'],
    [
      'pause',
      { pausedUntil: new Date('2026-04-01T00:00:00Z') },
      'remind skipped opted_out until 2026-04-01T00:00:00.000Z',
    ],
  ])('of %s holds before the next send', async (_name, chosen, expected) => {
    const { pipeline, choose } = await scene({ definition: { topic: 'offers' } })
    const contactId = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    await choose(contactId, chosen)
    await pipeline.work()
    expect(pipeline.channel.sent).toEqual([])
    expect(await told(pipeline)).toContain(expected)
  })

  it('of another topic, another channel or a pause that is over leaves the message alone', async () => {
    const { pipeline, choose } = await scene({ definition: { topic: 'offers' } })
    const contactId = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    await choose(contactId, { channelsOff: ['sms'], topicsOff: ['news'], pausedUntil: ago(1) })
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })

  /** Two accounts of one person with an open episode each, as after a merge that no hook heard of. */
  async function twoAccounts(steps: { id: string; after?: number }[]) {
    const tiers = [{ name: 'only', from: 3 * DAY, to: null, steps }]
    const { pipeline, choose } = await scene({ tiers })
    const one = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    await execute(pipeline.database, sql`UPDATE contacts SET person_id = ${one}`)
    expect(await pipeline.open()).toHaveLength(2 * steps.length)
    return { pipeline, one, choose: (chosen: Partial<Preferences>) => choose(other, chosen) }
  }

  it('of no channel ends at once what is planned, with whichever account', async () => {
    const { pipeline, choose } = await twoAccounts([{ id: 'one' }, { id: 'two', after: DAY }])
    await choose({ channelsOff: ['email'] })
    expect(await pipeline.open()).toEqual([])
  })

  it('of once a week counts the person’s messages over all accounts, and within one batch', async () => {
    const { pipeline, choose } = await twoAccounts([{ id: 'one' }, { id: 'two', after: DAY }])
    await choose({ frequency: { atMost: 1, withinDays: 7 } })
    const least = 'skipped opted_out at most 1 in 7 days'
    await pipeline.work()
    expect(await told(pipeline)).toEqual(['one sent', `one ${least}`])
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(await told(pipeline)).toEqual(['one sent', `two ${least}`, `one ${least}`, `two ${least}`])
  })

  it('of once a week counts what another system sent before', async () => {
    const { pipeline, choose } = await scene()
    for (const days of [6, 8]) {
      const contactId = await pipeline.addContact({ silentSince: ago(4) })
      await choose(contactId, { frequency: { atMost: 1, withinDays: 7 } })
      await execute(
        pipeline.database,
        sql`INSERT INTO outside_sends (contact_id, sent_at, channel, imported_at)
            VALUES (${contactId}, ${ago(days)}, 'sms', ${START})`,
      )
    }
    await pipeline.runNow()
    await pipeline.work()
    expect(await told(pipeline)).toEqual(['remind skipped opted_out at most 1 in 7 days', 'remind sent'])
  })

  it('counts what went meanwhile with every message of a batch, one after the other', async () => {
    const { pipeline, one, choose } = await twoAccounts([{ id: 'one' }])
    await choose({ frequency: { atMost: 2, withinDays: 7 } })
    await collide(pipeline, async () => {
      await execute(
        pipeline.database,
        sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
            planned_for, settled_at)
          SELECT contact_id, touchpoint_id + 1000, episode_id, step_id, 'sent', 'email', 1, ${START}, ${START}
          FROM touchpoints WHERE contact_id = ${one}`,
      )
    })
    expect(pipeline.channel.sent).toHaveLength(1)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(await pipeline.open()).toEqual([])
  })

  it.each([
    ['', false],
    [' on a channel without effect outside', true],
  ])('of once a week holds with two batches that mark at the same moment%s', async (_name, inert) => {
    const { pipeline, choose } = await scene({
      tiers: TOGETHER,
      channel: Object.assign(testChannel(), { inert }),
    })
    const choosing = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.addContact({ silentSince: ago(4) })
    await choose(choosing, { frequency: { atMost: 1, withinDays: 7 } })
    await pipeline.runNow()
    await collide(pipeline)
    // What was not marked is judged anew.
    await pipeline.work()
    const ended = (await pipeline.records()).map(
      ({ contactId, state, reason }) => `${contactId === choosing ? 'choosing' : 'other'} ${state} ${reason}`,
    )
    expect(ended.toSorted()).toEqual([
      'choosing sent null',
      'choosing skipped opted_out',
      'other sent null',
      'other sent null',
    ])
  })

  it('is the latest of the person, and an opt-out keeps the rest of it', async () => {
    const { pipeline, choose } = await scene()
    const contactId = await pipeline.addContact({ silentSince: ago(4) })
    const { database, clock } = pipeline
    await choose(contactId, { topicsOff: ['news'], frequency: { atMost: 1, withinDays: 30 } })
    clock.advance(1)
    const optOut = () =>
      transaction(database, (tx) =>
        recordOptOut(
          tx,
          contactId,
          { channel: 'email', source: 'link', reason: 'too_many' },
          { now: clock.now(), hooks },
        ),
      )
    expect([await optOut(), await optOut()]).toEqual(['recorded', 'known'])
    expect(await readChoice(database, contactId, clock.now())).toMatchObject({
      channelsOff: ['email'],
      topicsOff: ['news'],
      frequency: { atMost: 1, withinDays: 30 },
      reason: 'too_many',
    })
    // Whoever looks back knows nothing of it yet.
    expect(await readChoice(database, contactId, START)).toMatchObject({ channelsOff: [], reason: null })
  })

  it('made with two accounts at once, keeps both: the second reads what the first left', async () => {
    const { pipeline } = await scene()
    const { database, clock } = pipeline
    const one = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(4), person: one })
    const held = gate()
    const recorded = gate()
    const now = clock.now()
    const refuse = (tx: Transaction, contactId: number, channel: string, at: Date) =>
      recordOptOut(tx, contactId, { channel, source: 'test' }, { now: at, hooks })
    const email = transaction(database, async (tx) => {
      await refuse(tx, one, 'email', now)
      recorded.open()
      await held.opened
    })
    await recorded.opened
    // It looked at the clock before the one it has to wait for.
    const sms = transaction(database, (tx) => refuse(tx, other, 'sms', new Date(now.getTime() - 5)))
    await untilWaiting(database)
    held.open()
    await Promise.all([email, sms])
    clock.advance(1)
    const choice = await readChoice(database, one, clock.now())
    expect(choice?.channelsOff.toSorted()).toEqual(['email', 'sms'])
  })

  it('outlives the account it was made with, and gives way to what another account said later', async () => {
    const { pipeline, choose, consent } = await scene()
    const { database, clock } = pipeline
    const one = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(4), person: one })
    const later = await pipeline.addContact({ silentSince: ago(4) })
    const latest = await pipeline.addContact({ silentSince: ago(4), person: later })
    for (const [refusing, staying, given] of [
      [one, other, ago(20)],
      [later, latest, ago(2)],
    ] as const) {
      await consent(
        record(staying, { decidedAt: given }),
        record(refusing, { decision: 'withdrawn', decidedAt: ago(10), proof: 'a letter' }),
      )
      await choose(refusing, { channelsOff: ['*'], topicsOff: ['news'] })
    }
    // What was given, was given by that account alone.
    await consent(record(one, { channel: 'sms' }))
    clock.advance(1)
    await choose(latest, { channelsOff: ['sms'] })
    const holds = async (contactId: number) => [
      (await readChoice(database, contactId, clock.now()))?.channelsOff,
      (await consentStates(database, contactId, clock.now())).map(({ state }) => state),
    ]
    for (const contactId of [one, later])
      await transaction(database, (tx) =>
        eraseContact(tx, contactId, { now: clock.now(), hooks, phoneKeys: () => [] }),
      )
    expect(await holds(other)).toEqual([['*'], ['withdrawn']])
    expect(await holds(latest)).toEqual([['sms'], ['given']])
    // Their own words stay theirs.
    expect(await readChoice(database, latest, clock.now())).toMatchObject({ source: 'test' })
    expect(await readChoice(database, other, clock.now())).toMatchObject({
      topicsOff: ['news'],
      chosenAt: START,
      source: 'erasure of another account',
      reason: null,
    })
    expect(await consentHistory(database, other)).toContainEqual(
      expect.objectContaining({ decision: 'withdrawn', decidedAt: ago(10), proof: null }),
    )
  })

  it('outlives the account also where it was made while the erasure was at work', async () => {
    const { pipeline, choose } = await scene()
    const { database, clock } = pipeline
    const one = await pipeline.addContact({ silentSince: ago(4) })
    const other = await pipeline.addContact({ silentSince: ago(4), person: one })
    const began = clock.now()
    clock.advance(30)
    await choose(one, { channelsOff: ['*'] })
    await transaction(database, (tx) => eraseContact(tx, one, { now: began, hooks, phoneKeys: () => [] }))
    expect(await readChoice(database, other, clock.now())).toMatchObject({ channelsOff: ['*'] })
  })
})
