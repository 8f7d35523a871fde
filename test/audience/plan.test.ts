import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { considerContact } from '../../src/audience/consider.ts'
import { foreseeRun } from '../../src/audience/hindrances.ts'
import { heldOutShares, planAudience } from '../../src/audience/plan.ts'
import { runCampaign } from '../../src/audience/run.ts'
import { execute } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { condition, DAY, openPipeline, START } from '../support/pipeline.ts'

const ago = (days: number) => new Date(START.getTime() - days * DAY * 1000)

it('counts who may ever be taken in, and a week’s inflow of them, as persons', async () => {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    audience: condition('vip', sql`(c.attributes->>'vip') = 'yes'`),
    definition: { reentry: { sunset: '1 episodes' } },
  })
  const vip = { attributes: { vip: 'yes' } }
  const one = await pipeline.addContact({ ...vip, silentSince: ago(4), email: null })
  await pipeline.addContact({ ...vip, silentSince: ago(5), person: one })
  await pipeline.addContact({ ...vip, silentSince: ago(5) })
  await pipeline.addContact({ ...vip, silentSince: ago(1) })
  await pipeline.addContact({ ...vip, silentSince: ago(12) })
  // Outside for good: another audience, silent for too long, never seen.
  await pipeline.addContact({ attributes: { vip: 'no' }, silentSince: ago(4) })
  await pipeline.addContact({ ...vip, silentSince: ago(20) })
  await pipeline.addContact(vip)
  const seen: number[] = []
  const plan = () =>
    planAudience(
      pipeline.database,
      pipeline.campaign,
      START,
      { addressKinds: new Map([['email', 'email']]), needsConsent: new Set() },
      (done, total) => seen.push(done / total),
    )
  const found = await plan()
  expect(found.eligible).toBe(4)
  expect(found.inflowPerDay).toBeCloseTo(2 / 7, 12)
  // Those with an address are shown first; three steps, the audience and the inflow are what a bar goes through.
  expect(found.samples[0]?.contactId).not.toBe(one)
  expect(seen).toEqual([0, 1 / 5, 2 / 5, 3 / 5, 4 / 5])

  await runCampaign(pipeline.run, pipeline.campaign, START)
  await execute(pipeline.database, sql`UPDATE episodes SET ended_at = ${START}, end_reason = 'expired'`)
  // Sunset: nobody that was in it once comes in again.
  expect((await plan()).eligible).toBe(1)
})

it('counts seeds nowhere: neither among all, nor among those who are not taken in', async () => {
  const seeds = ['u1', 'u2', 'u3', 'u4', 'u5']
  const pipeline = await openPipeline({ database: await emptiedDatabase(), definition: { seeds } })
  // In the band, too recently active, too long ago, never seen; and one that was taken in before it was made a seed.
  const people = [{ silentSince: ago(4) }, { silentSince: ago(1) }, { silentSince: ago(30) }, {}]
  for (const each of people) await pipeline.addContact(each)
  const taken = await pipeline.addContact({ silentSince: ago(4) })
  for (const each of people) await pipeline.addContact(each)
  const plan = () =>
    planAudience(pipeline.database, pipeline.campaign, START, {
      addressKinds: new Map(),
      needsConsent: new Set(),
    })
  await runCampaign(pipeline.run, pipeline.campaign, ago(0.001))
  await execute(pipeline.database, sql`UPDATE episodes SET arm = 'treated' WHERE contact_id = ${taken}`)
  const { outside } = await plan()
  expect(outside).toEqual({ total: 4, recent: 1, beyond: 1, undated: 1, bySignUp: 0, open: 1, had: 0 })
})

it('counts everybody once: who is in the campaign is not too recently active as well', async () => {
  const pipeline = await openPipeline({ database: await emptiedDatabase() })
  const [back, gone] = [
    await pipeline.addContact({ silentSince: ago(4) }),
    await pipeline.addContact({ silentSince: ago(4) }),
  ]
  await runCampaign(pipeline.run, pipeline.campaign, ago(0.001))
  await pipeline.addContact({ silentSince: ago(4) })
  await pipeline.addContact({ silentSince: ago(1) })
  const since = (contact: number, days: number) =>
    execute(
      pipeline.database,
      sql`UPDATE contact_activity SET silent_since = ${ago(days)} WHERE contact_id = ${contact}`,
    )
  await since(back, 1)
  await since(gone, 90)
  const plan = await planAudience(pipeline.database, pipeline.campaign, START, {
    addressKinds: new Map(),
    needsConsent: new Set(),
  })
  expect(plan.outside).toEqual({
    total: 4,
    recent: 1,
    beyond: 0,
    undated: 0,
    bySignUp: 0,
    open: 2,
    had: 0,
  })
  expect(plan.cells.map(({ contacts }) => contacts)).toEqual([1])
})

it('foresees whose last episode is over by then: a run ends it before it considers anybody', async () => {
  for (const [reentry, answers] of [
    [{ sunset: '1 episodes' }, { sunset: 1, opened: 1 }],
    [{ wait: '1h' }, { reentry_wait: 2 }],
    [{}, { opened: 2 }],
  ] as const) {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
      definition: { reentry },
    })
    const { database, campaign, run } = pipeline
    const people = [
      await pipeline.addContact({ silentSince: ago(4) }),
      await pipeline.addContact({ silentSince: ago(5) }),
    ]
    await runCampaign(run, campaign, START)
    await pipeline.addActivity(people[1] ?? 0, ago(-1))
    // Window and grace have passed; nothing has run since.
    const later = ago(-32)
    const reach = { addressKinds: new Map(), needsConsent: new Set<string>() }
    const foreseen = await planAudience(database, campaign, later, reach)
    const counted = Object.fromEntries(foreseen.cells.map(({ answer, contacts }) => [answer, contacts]))
    expect(counted).toEqual(answers)
    expect(foreseen.outside.open).toBe(0)
    const told = await Promise.all(people.map((one) => considerContact(database, campaign, one, later)))
    expect(told.map(({ answer }) => answer).toSorted()).toEqual(
      Object.entries(answers)
        .flatMap(([answer, contacts]) => Array(contacts).fill(answer))
        .toSorted(),
    )
    pipeline.clock.set(later)
    expect((await runCampaign(run, campaign, later)).answers).toEqual(answers)
  }
})

it('foresees what refuses a run or holds it back, as the run itself does', async () => {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: { feed: { max_lag: '6h' }, starts: '2026-03-02', ends: '2026-03-10' },
  })
  const { database, campaign } = pipeline
  const foresee = (at = START) => foreseeRun(database, campaign, at)
  expect(await foresee()).toMatchObject({ state: 'refused', feed: { fault: 'never', newestAt: null } })
  await execute(database, sql`INSERT INTO feed_days VALUES ('2026-03-01', 7, '2026-03-01T12:00Z')`)
  expect(await foresee()).toMatchObject({ state: 'refused', feed: { fault: 'late' } })
  expect(await foresee(ago(1))).toMatchObject({ state: 'not_yet', by: 'dates', why: '2026-03-02' })
  expect(await foresee(ago(-20))).toMatchObject({ state: 'over', by: 'dates', why: '2026-03-10' })
  await execute(database, sql`INSERT INTO feed_days VALUES ('2026-03-02', 7, '2026-03-02T00:30Z')`)
  expect(await foresee()).toEqual({ state: 'runs' })
  await execute(
    database,
    sql`INSERT INTO switches VALUES ('campaign', 'test', 'paused', 'wrong price', ${START})`,
  )
  expect(await foresee()).toMatchObject({ state: 'paused', by: 'campaign', why: 'wrong price' })
  expect((await runCampaign(pipeline.run, campaign, START)).state).toBe('paused')

  // What is stopped for good is told before what is only paused, whichever of the two was first.
  await execute(database, sql`INSERT INTO switches VALUES ('workspace', '*', 'paused', 'enough', ${ago(1)})`)
  await execute(
    database,
    sql`UPDATE switches SET state = 'stopped', reason = 'over' WHERE scope = 'campaign'`,
  )
  const stopped = { state: 'stopped', by: 'campaign', why: 'over', note: 'the campaign is stopped: over' }
  expect(await foresee()).toEqual(stopped)
  expect((await runCampaign(pipeline.run, campaign, START)).state).toBe('stopped')
  await execute(database, sql`DELETE FROM switches WHERE scope = 'campaign'`)
  // Of another campaign, and of a channel, it says nothing.
  await execute(
    database,
    sql`INSERT INTO switches VALUES ('campaign', 'another', 'stopped', 'x', ${START}), ('channel', 'email', 'paused', 'x', ${START})`,
  )
  const paused = { state: 'paused', by: 'workspace', why: 'enough', note: 'the workspace is paused: enough' }
  expect(await foresee()).toEqual(paused)
  expect((await runCampaign(pipeline.run, campaign, START)).state).toBe('paused')
  await execute(database, sql`DELETE FROM switches WHERE scope = 'workspace'`)
  expect(await foresee()).toEqual({ state: 'runs' })
})

it('counts a list of channels by the first on which each can be reached, and nobody on one that is not set up', async () => {
  const channels = ['push', 'sms', 'email']
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    tiers: [{ name: 'coupon', from: 3 * DAY, to: 7 * DAY, steps: [{ id: 'remind', channels }] }],
  })
  const { database } = pipeline
  const phone = (no: number) => `+86138001380${no}`
  const people = [
    {},
    {},
    { phone: phone(10) },
    { phone: phone(11), email: null },
    { email: null },
    { phone: phone(12) },
  ]
  const ids: number[] = []
  for (const person of people) ids.push(await pipeline.addContact({ silentSince: ago(5), ...person }))
  await execute(
    database,
    sql`INSERT INTO devices (contact_id, device_key, provider, token, registered_at)
        VALUES (${ids[0]}, '\\x01', 'jpush', 't', ${START})`,
  )
  await pipeline.suppress('phone', phone(12))
  const outlook = async (closed: string[]) => {
    const addressKinds = new Map([
      ['push', 'device'],
      ['sms', 'phone'],
      ['email', 'email'],
    ] as const)
    const reach = { addressKinds, needsConsent: new Set<string>(), closed: new Set(closed) }
    const { steps } = await planAudience(database, pipeline.campaign, START, reach)
    return steps[0]
  }
  expect(await outlook([])).toMatchObject({
    ...{ contacts: 6, messages: 5, noAddress: 1 },
    byChannel: [
      { channel: 'push', messages: 1 },
      { channel: 'sms', messages: 2 },
      { channel: 'email', messages: 2 },
    ],
  })
  expect((await outlook(['push', 'email']))?.closed).toEqual(['push', 'email'])
  expect((await outlook(['push', 'email']))?.byChannel.map(({ messages }) => messages)).toEqual([0, 2, 0])
  expect(await outlook(channels)).toMatchObject({ contacts: 6, messages: 0, noAddress: 6 })
})

it('says which share is held out over all draws: control, then the campaign’s, then the tier’s among the rest', async () => {
  const { campaign } = await openPipeline({ control: 0.1, definition: { holdout: '20%' } })
  const tiers = campaign.tiers.map((tier) => ({ ...tier, holdout: 0.5 }))
  const [shares] = heldOutShares({ ...campaign, tiers })
  expect(shares?.episode).toBeCloseTo(1 - 0.9 * 0.8, 12)
  expect(shares?.withTierDraws).toBeCloseTo(1 - 0.9 * 0.8 * 0.5, 12)
})
