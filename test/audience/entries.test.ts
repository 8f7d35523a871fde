import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { considerContact } from '../../src/audience/consider.ts'
import { pastRecall } from '../../src/audience/natural.ts'
import { planAudience } from '../../src/audience/plan.ts'
import type { CompiledEntry } from '../../src/config/compiled.ts'
import { instantSql } from '../../src/config/instants.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import {
  condition,
  DAY,
  openPipeline,
  type Pipeline,
  type PipelineOptions,
  START,
} from '../support/pipeline.ts'

const at = (days: number) => new Date(START.getTime() + days * DAY * 1000)

const ends: CompiledEntry = {
  kind: 'date',
  path: 'contact.ends',
  sql: () => instantSql(sql`(c.attributes ->> 'ends')`),
}
const ordered: CompiledEntry = { kind: 'event', type: 'order', first: false, where: undefined }
const firstOrder: CompiledEntry = { ...ordered, first: true }

/** Seven days before the date, then two before it; the goal is the renewal. */
const renewal: PipelineOptions = {
  entry: ends,
  tiers: [
    {
      name: 'week',
      from: -7 * DAY,
      to: -2 * DAY,
      steps: [{ id: 'remind' }, { id: 'offer', after: 3 * DAY }],
    },
    { name: 'last', from: -2 * DAY, to: 0, steps: [{ id: 'last-call' }] },
  ],
  definition: { goals: { recall: { event: 'renewed' } }, reentry: { wait: '0s' } },
}
/** A day after the event, taking in for three days. */
const thanks: PipelineOptions = {
  entry: ordered,
  tiers: [
    { name: 'after', from: DAY, to: 4 * DAY, steps: [{ id: 'thank' }, { id: 'again', after: 2 * DAY }] },
  ],
  definition: { goals: { recall: { event: 'review' } }, window: '14d' },
}

async function open(options: PipelineOptions): Promise<Pipeline> {
  return await openPipeline({ ...options, database: await emptiedDatabase() })
}

function member(pipeline: Pipeline, endsAt: Date | string | null, silentSince = at(-1)): Promise<number> {
  const date = endsAt instanceof Date ? endsAt.toISOString() : endsAt
  return pipeline.addContact({ silentSince, attributes: date === null ? {} : { ends: date } })
}

async function answerTo(pipeline: Pipeline, contact: number): Promise<string> {
  const { database, campaign, clock } = pipeline
  return (await considerContact(database, campaign, contact, clock.now())).answer
}

async function episodes(pipeline: Pipeline) {
  return await rows<{
    contactId: number
    entry: string
    tier: string
    lapsedAt: Date
    silencedBy: string | null
  }>(
    pipeline.database,
    sql`SELECT contact_id AS "contactId", entry, entry_tier AS tier, lapsed_at AS "lapsedAt", silenced_by AS "silencedBy"
      FROM episodes ORDER BY contact_id, assigned_at`,
  )
}

/** A day after the event and a week after it, each taking in for a day. */
const twice: PipelineOptions = {
  ...thanks,
  tiers: [
    { name: 'day', from: DAY, to: 2 * DAY, steps: [{ id: 'thank' }] },
    { name: 'week', from: 7 * DAY, to: 8 * DAY, steps: [{ id: 'again' }] },
  ],
}

it('between two bands nobody is considered, and takes neither the day’s intake nor another account’s place', async () => {
  const pipeline = await open({
    ...twice,
    definition: { ...twice.definition, intake: { backlog: '2 per day', order: 'newest' } },
  })
  const { database, campaign } = pipeline
  const add = async (days: number, person?: number) => {
    const contact = await pipeline.addContact({ silentSince: at(-20), ...(person ? { person } : {}) })
    await pipeline.addActivity(contact, at(-days), 'order')
    return contact
  }
  const between = [await add(3), await add(4), await add(5)]
  const [first = 0] = between
  const weekAgo = [await add(7.2, first), await add(7.5)]
  expect(await answerTo(pipeline, first)).toBe('not_yet')
  const reach = { addressKinds: new Map([['email', 'email' as const]]), needsConsent: new Set<string>() }
  const { cells, outside, samples } = await planAudience(database, campaign, START, reach)
  expect(cells).toEqual([{ tier: 'week', segment: 'everyone', answer: 'opened', contacts: 2 }])
  expect(outside).toMatchObject({ total: 5, recent: 3, beyond: 0, had: 0 })
  expect(samples.map(({ contactId }) => contactId)).toEqual(weekAgo)
  expect((await pipeline.runNow()).answers).toEqual({ opened: 2 })
  expect((await episodes(pipeline)).map(({ contactId }) => contactId)).toEqual(weekAgo)
  // Their own week comes, and of the one who is in it already the other account waits.
  pipeline.clock.advance(4 * DAY)
  expect((await pipeline.runNow()).answers).toEqual({ same_person: 1 })
  pipeline.clock.advance(4 * DAY)
  expect(await answerTo(pipeline, first)).toBe('missed')
})

describe('entry by a date', () => {
  let pipeline: Pipeline
  beforeEach(async () => {
    pipeline = await open(renewal)
  })

  it('takes in between the time before it and the date, at the exact second', async () => {
    const exactly = await member(pipeline, at(7))
    const early = await member(pipeline, new Date(at(7).getTime() + 1000))
    const close = await member(pipeline, at(1))
    const over = await member(pipeline, at(0))
    const none = await member(pipeline, null)
    const unreadable = await member(pipeline, 'soon')

    const all = [exactly, early, close, over, none, unreadable]
    expect(await Promise.all(all.map((contact) => answerTo(pipeline, contact)))).toEqual([
      'opened',
      'not_yet',
      'opened',
      'missed',
      'no_date',
      'no_date',
    ])
    const result = await pipeline.runNow()
    expect(result).toMatchObject({ considered: 2, answers: { opened: 2 } })
    expect(await episodes(pipeline)).toEqual([
      { contactId: exactly, entry: 'date', tier: 'week', lapsedAt: at(7), silencedBy: null },
      { contactId: close, entry: 'date', tier: 'last', lapsedAt: at(1), silencedBy: null },
    ])
  })

  it('opens once a date: never again for the same one, and again for the next', async () => {
    const contact = await member(pipeline, at(7))
    await pipeline.runNow()
    // The window and its grace are over before the date of this one is: it must not come again.
    await execute(
      pipeline.database,
      sql`UPDATE episodes SET ended_at = ${at(1)}, end_reason = 'expired', outcome_until = ${at(1)}`,
    )
    pipeline.clock.set(at(2))
    expect(await answerTo(pipeline, contact)).toBe('entered')
    expect((await pipeline.runNow()).considered).toBe(0)
    await execute(
      pipeline.database,
      sql`UPDATE contacts SET attributes = jsonb_build_object('ends', ${at(8).toISOString()}::text)`,
    )
    pipeline.clock.set(at(2.5))
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1 })
    // The database holds it too, whoever writes.
    await expect(
      execute(pipeline.database, sql`UPDATE episodes SET lapsed_at = ${at(8)}`),
    ).rejects.toMatchObject({ constraint: 'episodes_entry_once' })
    // Of another campaign, it says nothing about this one.
    await execute(
      pipeline.database,
      sql`UPDATE episodes SET campaign = 'other', ended_at = ${at(2)}, end_reason = 'expired', outcome_until = ${at(2)}`,
    )
    expect(await answerTo(pipeline, contact)).toBe('opened')
  })

  it('moves from tier to tier as the date comes nearer', async () => {
    await member(pipeline, at(7))
    await pipeline.runNow()
    await pipeline.work()
    pipeline.clock.set(at(5))
    expect((await pipeline.runNow()).advanced).toBe(1)
    await pipeline.work()
    expect((await pipeline.records()).map(({ step, state }) => `${step} ${state}`)).toEqual([
      'last-call sent',
      'offer cancelled',
      'remind sent',
    ])
  })

  it('goes on through activity, and stops at the goal', async () => {
    const contact = await member(pipeline, at(7))
    await pipeline.runNow()
    await pipeline.addActivity(contact, at(0.5))
    pipeline.clock.set(at(1))
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    await pipeline.addActivity(contact, at(1), 'renewed')
    pipeline.clock.set(at(4))
    await pipeline.work()
    expect(await pipeline.records()).toEqual([
      { contactId: contact, step: 'offer', state: 'cancelled', reason: 'returned' },
      { contactId: contact, step: 'remind', state: 'sent', reason: null },
    ])
    const [recall] = await rows<{ at: Date }>(pipeline.database, sql`SELECT recalled_at AS at FROM recalls`)
    expect(recall?.at).toEqual(at(1))
  })

  it('stops at any activity where the campaign says so', async () => {
    const lively = await open({
      ...renewal,
      definition: { ...renewal.definition, silenced_by: 'activity' },
    })
    const contact = await member(lively, at(7))
    await lively.runNow()
    await lively.addActivity(contact, at(0.5))
    expect((await lively.records()).map(({ reason }) => reason)).toEqual(['returned', 'returned'])
  })

  it('sends nothing about a date that has moved meanwhile', async () => {
    const contact = await member(pipeline, at(7))
    await pipeline.runNow()
    await execute(
      pipeline.database,
      sql`UPDATE contacts SET attributes = jsonb_build_object('ends', ${at(372).toISOString()}::text)`,
    )
    await pipeline.work()
    expect(pipeline.channel.sent).toEqual([])
    expect(await pipeline.records()).toEqual([
      { contactId: contact, step: 'remind', state: 'cancelled', reason: 'moved' },
    ])
  })

  it('holds out and draws as any campaign does, for ever', async () => {
    const half = await open({ ...renewal, holdout: 0.5 })
    for (let contact = 0; contact < 60; contact += 1) await member(half, at(7))
    await half.runNow()
    const arms = () =>
      rows<{ arm: string; contact: number }>(
        half.database,
        sql`SELECT contact_id AS contact, arm FROM episodes ORDER BY contact_id`,
      )
    const drawn = await arms()
    expect(new Set(drawn.map(({ arm }) => arm))).toEqual(new Set(['treated', 'holdout']))
    half.clock.set(at(5.5))
    await half.runNow()
    expect(await arms()).toEqual(drawn)
    const touched = await rows(
      half.database,
      sql`SELECT FROM episodes e JOIN touchpoints t USING (contact_id, episode_id) WHERE e.arm <> 'treated'`,
    )
    expect(touched).toEqual([])
  })

  it('is planned by the same query that runs', async () => {
    await member(pipeline, at(7))
    await member(pipeline, at(9))
    await member(pipeline, at(-3))
    await member(pipeline, null)
    const plan = await planAudience(pipeline.database, pipeline.campaign, pipeline.clock.now(), {
      addressKinds: new Map([['email', 'email']]),
      needsConsent: new Set(),
    })
    expect(plan.outside).toEqual({ total: 4, recent: 1, beyond: 1, undated: 1, bySignUp: 0, open: 0, had: 0 })
    expect(plan.cells).toEqual([{ tier: 'week', segment: 'everyone', answer: 'opened', contacts: 1 }])
    expect(plan.steps[0]).toMatchObject({ step: 'remind', contacts: 1, messages: 1 })
    // Whose date comes later is eligible too; whose date is over is not.
    expect(plan.eligible).toBe(2)
    // A date has one episode: who had it is not considered again, and is counted as such.
    await pipeline.runNow()
    await execute(pipeline.database, sql`UPDATE episodes SET ended_at = ${at(1)}, end_reason = 'expired'`)
    const after = await planAudience(pipeline.database, pipeline.campaign, pipeline.clock.now(), {
      addressKinds: new Map([['email', 'email']]),
      needsConsent: new Set(),
    })
    expect(after.cells).toEqual([])
    expect(after.outside).toEqual({ ...plan.outside, had: 1 })
  })
})

describe('entry by an event', () => {
  let pipeline: Pipeline
  beforeEach(async () => {
    pipeline = await open(thanks)
  })

  async function buyer(...days: number[]): Promise<number> {
    const contact = await pipeline.addContact({ silentSince: at(-30) })
    for (const day of days) await pipeline.addActivity(contact, at(day), 'order')
    return contact
  }

  it('takes in once its time has passed, and only for as long as the tier says', async () => {
    const contacts = [await buyer(-1), await buyer(-0.5), await buyer(-3.9), await buyer(-4), await buyer()]
    expect(await Promise.all(contacts.map((contact) => answerTo(pipeline, contact)))).toEqual([
      'opened',
      'not_yet',
      'opened',
      'missed',
      'no_event',
    ])
    expect((await pipeline.runNow()).answers).toEqual({ opened: 2 })
    expect((await episodes(pipeline)).map(({ entry, lapsedAt }) => [entry, lapsedAt])).toEqual([
      ['event', at(-1)],
      ['event', at(-3.9)],
    ])
  })

  it('opens once an occurrence, and again for the next', async () => {
    const contact = await buyer(-1)
    await pipeline.runNow()
    await execute(
      pipeline.database,
      sql`UPDATE episodes SET ended_at = ${at(1)}, end_reason = 'expired', outcome_until = ${at(1)}`,
    )
    pipeline.clock.set(at(1))
    expect(await answerTo(pipeline, contact)).toBe('entered')
    expect((await pipeline.runNow()).considered).toBe(0)
    await pipeline.addActivity(contact, at(1), 'order')
    pipeline.clock.set(at(2))
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1 })
  })

  it('knows the first from the rest', async () => {
    pipeline = await open({ ...thanks, entry: firstOrder })
    const old = await buyer(-100, -1)
    const fresh = await buyer(-2, -1)
    expect(await answerTo(pipeline, old)).toBe('missed')
    expect(await answerTo(pipeline, fresh)).toBe('opened')
    await pipeline.runNow()
    expect((await episodes(pipeline)).map(({ lapsedAt }) => lapsedAt)).toEqual([at(-2)])
  })

  it('asks the event its condition', async () => {
    const worth = condition('event.value > 100', sql`v.value * 0.000001 > 100`)
    pipeline = await open({ ...thanks, entry: { ...ordered, where: worth } })
    const cheap = await buyer(-1)
    const dear = await buyer(-1)
    await execute(pipeline.database, sql`UPDATE activity SET value = 200000000 WHERE contact_id = ${dear}`)
    expect([await answerTo(pipeline, cheap), await answerTo(pipeline, dear)]).toEqual(['no_event', 'opened'])
  })

  it('leaves out who did what it wants before it took them in', async () => {
    const contact = await buyer(-1)
    await pipeline.addActivity(contact, at(-0.5), 'review')
    // What a rehearsal has written down for later has not been done yet.
    const foretold = await buyer(-1)
    await pipeline.addActivity(foretold, at(0.5), 'review')
    expect((await pipeline.runNow()).answers).toEqual({ already_returned: 1, opened: 1 })
  })

  it('leaves out who was active since, which the event itself is not', async () => {
    pipeline = await open({ ...thanks, definition: { ...thanks.definition, silenced_by: 'activity' } })
    const contacts = [await buyer(-1), await buyer(-1)]
    await pipeline.addActivity(contacts[0] ?? 0, at(-0.5))
    expect((await pipeline.runNow()).answers).toEqual({ already_returned: 1, opened: 1 })
  })

  it('hears of a goal that was reached before it was assigned and arrives late', async () => {
    const contact = await buyer(-1)
    await pipeline.runNow()
    await pipeline.addActivity(contact, at(-0.5), 'review')
    expect((await pipeline.records()).map(({ reason }) => reason)).toEqual(['returned', 'returned'])
  })

  it('guesses from what became of the same people one window ago', async () => {
    const recalled = await buyer(-16)
    await pipeline.addActivity(recalled, at(-5), 'review')
    await buyer(-16)
    await buyer(-30)
    const past = await pastRecall(pipeline.database, pipeline.campaign, START, ['session', 'order'])
    expect(past).toEqual({ contacts: 2, recalled: 1 })
  })
})

it('silence: guesses from who was silent for as long one window ago, by what was known then', async () => {
  const pipeline = await open({})
  const acts: [number, ...number[]][] = [[-35, -10], [-35], [-31], [-35, 1]]
  for (const days of acts) {
    const contact = await pipeline.addContact({ silentSince: at(days[0]) })
    for (const day of days) await pipeline.addActivity(contact, at(day))
  }
  const past = await pastRecall(pipeline.database, pipeline.campaign, START, ['session', 'order'])
  expect(past).toEqual({ contacts: 3, recalled: 1 })
})
