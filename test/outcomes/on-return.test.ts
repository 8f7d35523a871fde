import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openInapp } from '../../src/channels/inapp/inapp.ts'
import { inappSettings } from '../../src/channels/inapp/settings.ts'
import { manualClock } from '../../src/clock.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { openCalls } from '../../src/outcomes/calls.ts'
import { keepMessages } from '../../src/outcomes/inbox.ts'
import { checkLadder } from '../../src/reports/overview/messages-sql.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'
import { openShop } from '../support/shop.ts'

const before = (days: number) => new Date(START.getTime() - days * DAY * 1000)
const greeting = {
  name: 'welcome',
  render: () => ({ front: { subject: 'Welcome back' }, html: '', text: 'Hi' }),
}

/** The scripted pipeline with the app's real channel beside it. */
async function open(options: { holdout?: number; tierHoldout?: number } = {}): Promise<Pipeline> {
  const steps = [{ id: 'remind' }, { id: 'later', after: DAY }]
  const pipeline = await openPipeline({
    holdout: options.holdout ?? 0,
    tiers: [{ name: 'coupon', from: 3 * DAY, to: 30 * DAY, holdout: options.tierHoldout ?? 0, steps }],
    onReturn: [{ id: 'welcome', channels: ['inapp'], facts: [] }],
    others: [testChannel('inapp')],
  })
  const { worker } = pipeline
  const inapp = openInapp(inappSettings.parse({}))
  Object.assign(worker, {
    channels: new Map([...worker.channels, ['inapp', inapp]]),
    templates: async () => ({ find: () => greeting }),
    keep: (async (tx, now, { step }, kept) => {
      await keepMessages(
        tx,
        now,
        kept.flatMap(({ keep, ...key }) =>
          keep.kind === 'inapp' ? [{ ...key, stepId: step.stepId, message: keep }] : [],
        ),
      )
    }) satisfies NonNullable<typeof worker.keep>,
  })
  return pipeline
}

const inbox = ({ database }: Pipeline) =>
  rows<{ contactId: number }>(database, sql`SELECT contact_id AS "contactId" FROM inapp_messages ORDER BY 1`)

it('greets once whoever was written to and came back, and says nothing else to them', async () => {
  const pipeline = await open()
  const one = await pipeline.addContact({ silentSince: before(5) })
  await pipeline.runNow()
  await pipeline.work()
  expect(await inbox(pipeline)).toEqual([])
  pipeline.clock.set(new Date(START.getTime() + 3_600_000))
  await pipeline.addActivity(one, pipeline.clock.now())
  expect(await pipeline.open()).toMatchObject([{ step: 'welcome', state: 'planned' }])
  // More activity neither cancels the greeting nor brings another.
  pipeline.clock.advance(1)
  await pipeline.addActivity(one, pipeline.clock.now(), 'order')
  await pipeline.work()
  pipeline.clock.advance(1)
  await pipeline.addActivity(one, pipeline.clock.now())
  await pipeline.work()
  expect(await inbox(pipeline)).toEqual([{ contactId: one }])
  expect((await pipeline.records()).map(({ step, state }) => `${step} ${state}`)).toEqual([
    'later cancelled',
    'remind sent',
    'welcome sent',
  ])
})

it('releases nothing by activity that is older than the assignment: it silences, and is no return', async () => {
  const pipeline = await open()
  const one = await pipeline.addContact({ silentSince: before(5) })
  await pipeline.runNow()
  await pipeline.addActivity(one, before(1))
  expect(await pipeline.open()).toEqual([])
})

it('releases nothing where somebody was silenced first, turned out to be in another arm, too, and then came back', async () => {
  const pipeline = await open()
  const [mixed, plain] = [
    await pipeline.addContact({ silentSince: before(5) }),
    await pipeline.addContact({ silentSince: before(5) }),
  ]
  await pipeline.runNow()
  for (const contact of [mixed, plain]) await pipeline.addActivity(contact, before(1))
  // As a merge of persons leaves it: what silenced the episode before stays.
  await execute(pipeline.database, sql`UPDATE episodes SET contaminated = true WHERE contact_id = ${mixed}`)
  for (const contact of [mixed, plain]) {
    await pipeline.addActivity(contact, new Date(START.getTime() + 1000))
  }
  expect(await pipeline.open()).toMatchObject([{ contactId: plain, step: 'welcome' }])
})

it('opens a call as what silenced its episode a moment before leaves it', async () => {
  const pipeline = await open()
  const { database } = pipeline
  const contactId = await pipeline.addContact({ silentSince: before(5) })
  await pipeline.runNow()
  await pipeline.work()
  await pipeline.addActivity(contactId, new Date(START.getTime() + 1000))
  const [key] = await rows<{ contactId: number; touchpointId: number; episodeId: number; stepId: number }>(
    database,
    sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId", episode_id AS "episodeId", step_id AS "stepId"
      FROM touchpoint_records WHERE state = 'sent'`,
  )
  if (!key) throw new Error('nothing was sent')
  const opened = async (kind: 'recall' | 'welcome') => {
    const step = { stepId: key.stepId, campaign: 'test', kind, owner: null, priority: 0, sla: 60 }
    const task = { kind: 'call', script: 's', taker: 'agent' } as const
    await transaction(database, (tx) => openCalls(tx, START, step, [{ ...key, task }]))
    return await rows(database, sql`DELETE FROM calls RETURNING state, closed_by AS by`)
  }
  expect(await opened('recall')).toEqual([{ state: 'closed', by: 'returned' }])
  expect(await opened('welcome')).toEqual([{ state: 'open', by: null }])
  await execute(database, sql`UPDATE episodes SET contaminated = true`)
  expect(await opened('welcome')).toEqual([{ state: 'closed', by: 'contaminated' }])
})

it('greets nobody whose campaign was stopped before they came back', async () => {
  const pipeline = await open()
  const one = await pipeline.addContact({ silentSince: before(5) })
  await pipeline.runNow()
  await execute(pipeline.database, sql`UPDATE episodes SET silenced_at = ${START}, silenced_by = 'stopped'`)
  await pipeline.addActivity(one, new Date(START.getTime() + 1000))
  expect((await pipeline.open()).map(({ step }) => step)).not.toContain('welcome')
})

it('I3: whoever is held out, by the campaign or by a tier, is never greeted; I2: every return of the rest is, once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        holdout: fc.constantFrom(0.3, 0.6),
        tierHoldout: fc.constantFrom(0, 0.5),
        seed: fc.integer(),
      }),
      fc.array(fc.record({ back: fc.boolean(), again: fc.boolean() }), { minLength: 6, maxLength: 12 }),
      async (shares, people) => {
        const pipeline = await open(shares)
        const { database, clock } = pipeline
        const ids: number[] = []
        for (const _ of people) ids.push(await pipeline.addContact({ silentSince: before(5) }))
        await pipeline.runNow()
        await pipeline.work()
        clock.set(new Date(START.getTime() + 3_600_000))
        for (const [no, { back, again }] of people.entries()) {
          for (let times = (back ? 1 : 0) + (back && again ? 1 : 0); times > 0; times -= 1) {
            clock.advance(1)
            await pipeline.addActivity(ids[no] ?? 0, clock.now())
          }
        }
        await pipeline.work()
        const spared = await rows<{ contactId: number }>(
          database,
          sql`SELECT DISTINCT s.contact_id AS "contactId" FROM stages s WHERE s.arm = 'holdout'`,
        )
        const held = new Set(spared.map(({ contactId }) => contactId))
        const greeted = ids.filter((id, no) => people[no]?.back && !held.has(id))
        expect((await inbox(pipeline)).map(({ contactId }) => contactId)).toEqual(greeted)
        const ladder = await checkLadder(database, { campaign: 'test', now: clock.now() })
        expect(ladder).toMatchObject({ missing: 0, unexpected: 0, repeated: 0 })
      },
    ),
    { numRuns: 6 },
  )
})

it('silences whose version no longer compiles, turns nobody else away, and greets once it can be read again', async () => {
  const campaign = (name: string, more: string) => `
version: 1
campaign: ${name}
title: Test
schedule: "0 9 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 30d
holdout: 0%
tiers: [{ name: only, inactive: 3d..30d, steps: [{ id: later, after: 20d, channel: email, template: hello }] }]
${more}`
  const welcome = 'on_return: [{ id: welcome, channel: email, template: hello }]\n'
  const [database, clock] = [await freshDatabase(), manualClock(START)]
  const open = () => openShop({ database, clock, channels: [testChannel('email')] })
  const shop = await open()
  await shop.apply(campaign('newer', welcome))
  await shop.apply(campaign('plain', ''))
  const people = ['ada', 'bo'].map((id) => ({ external_id: id, email: `${id}@people.test` }))
  await shop.importContacts(people)
  const act = (at: Date) =>
    people.map(({ external_id }) => ({ external_id, type: 'session', occurred_at: at.toISOString() }))
  await shop.importActivity(act(before(5)))
  for (const name of ['newer', 'plain']) await shop.run(name)
  const says = (from: string, to: string) =>
    execute(
      database,
      sql`UPDATE campaign_versions SET source = replace(source, ${from}, ${to}) WHERE campaign = 'newer'`,
    )
  const standing = () =>
    rows(
      database,
      sql`SELECT e.campaign, count(*) FILTER (WHERE e.silenced_by = 'returned') AS silenced, count(r.contact_id) AS recalled,
          (SELECT count(*) FROM touchpoints t JOIN steps s USING (step_id) WHERE s.campaign = e.campaign) AS open
        FROM episodes e LEFT JOIN recalls r USING (contact_id, episode_id) GROUP BY 1 ORDER BY 1`,
    )
  await says('\ngoals:', '\nshiny: true\ngoals:')
  clock.advance(3600)
  const older = await open()
  await expect(older.runtime.book.campaign('newer', 1)).rejects.toThrow()
  expect(await older.importActivity(act(clock.now()))).toEqual(expect.objectContaining({ inserted: 2 }))
  expect(await standing()).toEqual([
    { campaign: 'newer', silenced: 2, recalled: 2, open: 0 },
    { campaign: 'plain', silenced: 2, recalled: 2, open: 0 },
  ])
  await says('\nshiny: true', '')
  clock.advance(3600)
  await (await open()).importActivity(act(clock.now()))
  expect(await standing()).toMatchObject([{ campaign: 'newer', open: 2 }, { open: 0 }])
})
