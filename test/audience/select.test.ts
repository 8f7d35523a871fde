import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { considerContact } from '../../src/audience/consider.ts'
import { draw } from '../../src/audience/holdout.ts'
import { planAudience } from '../../src/audience/plan.ts'
import { runCampaign } from '../../src/audience/run.ts'
import { type Answer, answersSql } from '../../src/audience/select.ts'
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

const ago = (days: number, seconds = 0) => new Date(START.getTime() - (days * DAY + seconds) * 1000)
const later = (days: number) => new Date(START.getTime() + days * DAY * 1000)

async function open(options: PipelineOptions = {}): Promise<Pipeline> {
  return await openPipeline({ ...options, database: await emptiedDatabase() })
}

/** The answer to each contact the campaign considers now. */
async function answers(pipeline: Pipeline): Promise<Map<number, Answer>> {
  const selection = { campaign: pipeline.campaign, now: pipeline.clock.now() }
  const found = await rows<{ contactId: number; answer: Answer }>(
    pipeline.database,
    sql`SELECT contact_id AS "contactId", answer FROM (${answersSql(selection, () => sql`true`)}) a`,
  )
  return new Map(found.map(({ contactId, answer }) => [contactId, answer]))
}

async function addEpisode(
  pipeline: Pipeline,
  contact: number,
  episode: {
    campaign?: string
    exclusive?: string
    no?: number
    endedAt?: Date
    /** Of one that nothing has ended yet. */
    outcomeUntil?: Date
    reason?: string
    arm?: string
  },
): Promise<void> {
  const name = episode.campaign ?? pipeline.campaign.name
  const { outcomeUntil = episode.endedAt ? ago(48) : ago(-3) } = episode
  const windowEnds = new Date(outcomeUntil.getTime() - 2 * DAY * 1000)
  await execute(
    pipeline.database,
    sql`INSERT INTO episodes (contact_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier, segment,
        lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no, ended_at, end_reason)
      SELECT contact_id, ${name}, 1, ${episode.exclusive ?? name}, person_id, ${episode.no ?? 1},
        ${episode.arm ?? 'treated'}, 'coupon', 'everyone', ${ago(90)}, ${ago(80)}, ${windowEnds}, ${outcomeUntil}, 1,
        ${episode.endedAt ?? null}, ${episode.endedAt ? (episode.reason ?? 'expired') : null}
      FROM contacts WHERE contact_id = ${contact}`,
  )
}

describe('bands', () => {
  it('are half-open at the exact second', async () => {
    const pipeline = await open()
    const tiers = new Map<number, string | null>()
    for (const [since, tier] of [
      [ago(3, -1), null],
      [ago(3), 'coupon'],
      [ago(7, -1), 'coupon'],
      [ago(7), 'trial'],
      [ago(15, -1), 'trial'],
      [ago(15), null],
    ] as const) {
      tiers.set(await pipeline.addContact({ silentSince: since }), tier)
    }
    // Neither activity nor a sign-up date: nobody knows for how long.
    tiers.set(await pipeline.addContact({}), null)
    await pipeline.runNow()
    const opened = await rows<{ contactId: number; tier: string }>(
      pipeline.database,
      sql`SELECT contact_id AS "contactId", entry_tier AS tier FROM episodes`,
    )
    const found = new Map(opened.map(({ contactId, tier }) => [contactId, tier]))
    for (const [contact, tier] of tiers) expect(found.get(contact) ?? null).toBe(tier)
  })

  it('count elapsed seconds, whatever the clocks do meanwhile', async () => {
    const pipeline = await open({ definition: { timezone: 'Europe/Berlin' } })
    // Seven days over the spring change are 168 hours, though the wall clock shows an hour more.
    pipeline.clock.set(new Date('2026-03-31T10:00:00+02:00'))
    const exactly = await pipeline.addContact({ silentSince: new Date('2026-03-24T09:00:00+01:00') })
    const wall = await pipeline.addContact({ silentSince: new Date('2026-03-24T10:00:00+01:00') })
    await pipeline.runNow()
    const tiers = await rows<{ contactId: number; tier: string }>(
      pipeline.database,
      sql`SELECT contact_id AS "contactId", entry_tier AS tier FROM episodes ORDER BY contact_id`,
    )
    expect(tiers).toEqual([
      { contactId: exactly, tier: 'trial' },
      { contactId: wall, tier: 'coupon' },
    ])
  })
})

describe('a selection answers', () => {
  it('audience and audience_unknown', async () => {
    const pipeline = await open({ audience: condition('vip', sql`(c.attributes->>'vip')::boolean`) })
    const silentSince = ago(4)
    const yes = await pipeline.addContact({ silentSince, attributes: { vip: true } })
    const no = await pipeline.addContact({ silentSince, attributes: { vip: false } })
    const unknown = await pipeline.addContact({ silentSince })
    // Whoever is not wanted stands in nobody's way, though active later.
    const wanted = await pipeline.addContact({ silentSince: ago(5), person: no, attributes: { vip: true } })
    expect(await answers(pipeline)).toEqual(
      new Map([
        [yes, 'opened'],
        [no, 'audience'],
        [unknown, 'audience_unknown'],
        [wanted, 'opened'],
      ]),
    )
  })

  it('max_silence from that second on', async () => {
    const pipeline = await open({ definition: { intake: { max_silence: '10d' } } })
    const just = await pipeline.addContact({ silentSince: ago(10, -1) })
    const over = await pipeline.addContact({ silentSince: ago(10) })
    expect(await answers(pipeline)).toEqual(
      new Map([
        [just, 'opened'],
        [over, 'max_silence'],
      ]),
    )
  })

  it('rollout by the person’s draw', async () => {
    const pipeline = await open({ definition: { rollout: '40%' } })
    for (let n = 0; n < 60; n += 1) await pipeline.addContact({ silentSince: ago(4) })
    const found = await answers(pipeline)
    expect(found.size).toBe(60)
    for (const [person, answer] of found) {
      expect(answer).toBe(draw(pipeline.campaign.salt, 'rollout', person) < 0.4 ? 'opened' : 'rollout')
    }
  })

  it('exclusive while another campaign of the group has the person, and same_person while this one has', async () => {
    const pipeline = await open({ definition: { exclusive: 'winback' } })
    const silentSince = ago(4)
    const [free, elsewhere, other, sibling, busy, mine, left] = [
      await pipeline.addContact({ silentSince }),
      await pipeline.addContact({ silentSince }),
      await pipeline.addContact({ silentSince }),
      await pipeline.addContact({ silentSince, person: 4 }),
      await pipeline.addContact({ silentSince: ago(1), person: 4 }),
      await pipeline.addContact({ silentSince }),
      await pipeline.addContact({ silentSince }),
    ]
    await addEpisode(pipeline, elsewhere, { campaign: 'other', exclusive: 'winback' })
    await addEpisode(pipeline, other, { campaign: 'other', exclusive: 'another' })
    await addEpisode(pipeline, busy, {})
    await addEpisode(pipeline, mine, { exclusive: 'winback' })
    await addEpisode(pipeline, left, { campaign: 'other', exclusive: 'winback', endedAt: ago(10) })
    expect(await answers(pipeline)).toEqual(
      new Map([
        [free, 'opened'],
        [elsewhere, 'exclusive'],
        [other, 'opened'],
        [sibling, 'same_person'],
        [left, 'opened'],
      ]),
    )
  })

  it('exclusive no longer once the time of the other episode is over, whoever has ended it', async () => {
    const pipeline = await open({ definition: { exclusive: 'winback' } })
    const silentSince = ago(4)
    const over = await pipeline.addContact({ silentSince })
    const sibling = await pipeline.addContact({ silentSince: ago(1) })
    const same = await pipeline.addContact({ silentSince, person: sibling })
    const almost = await pipeline.addContact({ silentSince })
    const other = { campaign: 'other', exclusive: 'winback' }
    await addEpisode(pipeline, over, { ...other, outcomeUntil: START })
    await addEpisode(pipeline, sibling, { ...other, outcomeUntil: START })
    await addEpisode(pipeline, almost, { ...other, outcomeUntil: ago(0, -1) })
    // Of another group, it stands in nobody's way.
    await addEpisode(pipeline, over, { campaign: 'third', outcomeUntil: START })
    const expected = new Map([
      [over, 'opened'],
      [same, 'opened'],
      [almost, 'exclusive'],
    ])
    expect(await answers(pipeline)).toEqual(expected)
    for (const [contact, answer] of expected) {
      expect(await considerContact(pipeline.database, pipeline.campaign, contact, START)).toMatchObject({
        answer,
      })
    }
    expect(await pipeline.runNow()).toMatchObject({ answers: { opened: 2, exclusive: 1 }, ended: 0 })
    const ended = await rows(
      pipeline.database,
      sql`SELECT contact_id AS contact, campaign, ended_at AS at, end_reason AS reason FROM episodes
        WHERE ended_at IS NOT NULL ORDER BY contact_id`,
    )
    expect(ended).toEqual([
      { contact: over, campaign: 'other', at: START, reason: 'expired' },
      { contact: sibling, campaign: 'other', at: START, reason: 'expired' },
    ])
  })

  it('same_person for all but the one that was active last', async () => {
    const pipeline = await open()
    const first = await pipeline.addContact({ silentSince: ago(6), person: 1 })
    const newest = await pipeline.addContact({ silentSince: ago(4), person: 1 })
    const tie = await pipeline.addContact({ silentSince: ago(4), person: 1 })
    const away = await pipeline.addContact({ silentSince: ago(20), person: 1 })
    expect(await answers(pipeline)).toEqual(
      new Map([
        [first, 'same_person'],
        [newest, 'opened'],
        [tie, 'same_person'],
      ]),
    )
    expect(away).toBe(4)
  })

  it('reentry_wait until it is over, and sunset after so many without a recall', async () => {
    const pipeline = await open({ definition: { reentry: { wait: '30d', sunset: '2 episodes' } } })
    const silentSince = ago(4)
    const contacts: number[] = []
    for (let n = 0; n < 6; n += 1) contacts.push(await pipeline.addContact({ silentSince }))
    const [fresh = 0, waiting = 0, waited = 0, once = 0, twice = 0, recalled = 0] = contacts
    await addEpisode(pipeline, waiting, { endedAt: ago(30, -1) })
    await addEpisode(pipeline, waited, { endedAt: ago(30) })
    await addEpisode(pipeline, once, { endedAt: ago(40), reason: 'returned' })
    await addEpisode(pipeline, twice, { endedAt: ago(60) })
    await addEpisode(pipeline, twice, { no: 2, endedAt: ago(40), reason: 'returned' })
    await addEpisode(pipeline, recalled, { endedAt: ago(60), reason: 'recalled' })
    await addEpisode(pipeline, recalled, { no: 2, endedAt: ago(40) })
    // What another campaign did is another count.
    await addEpisode(pipeline, fresh, { campaign: 'other', no: 7, endedAt: ago(10) })
    await addEpisode(pipeline, twice, { campaign: 'other', no: 2, endedAt: ago(40), reason: 'recalled' })
    expect(await answers(pipeline)).toEqual(
      new Map([
        [fresh, 'opened'],
        [waiting, 'reentry_wait'],
        [waited, 'opened'],
        [once, 'opened'],
        [twice, 'sunset'],
        [recalled, 'opened'],
      ]),
    )
    await pipeline.runNow()
    const drawn = await rows(
      pipeline.database,
      sql`SELECT contact_id AS contact, episode_no AS no FROM episodes WHERE ended_at IS NULL ORDER BY 1`,
    )
    expect(drawn).toEqual([
      { contact: fresh, no: 1 },
      { contact: waited, no: 2 },
      { contact: once, no: 2 },
      { contact: recalled, no: 3 },
    ])
  })

  it('the first reason that applies', async () => {
    const pipeline = await open({
      audience: condition('x', sql`false`),
      definition: { rollout: '0%', intake: { max_silence: '3d' }, exclusive: 'winback' },
    })
    const contact = await pipeline.addContact({ silentSince: ago(4) })
    const sibling = await pipeline.addContact({ silentSince: ago(1), person: contact })
    await addEpisode(pipeline, sibling, { campaign: 'other', exclusive: 'winback' })
    expect((await answers(pipeline)).get(contact)).toBe('audience')
    await addEpisode(pipeline, sibling, {})
    expect((await answers(pipeline)).get(contact)).toBe('same_person')
  })
})

describe('the intake', () => {
  const opened = async (pipeline: Pipeline) =>
    (
      await rows<{ contact: number }>(
        pipeline.database,
        sql`SELECT contact_id AS contact FROM episodes ORDER BY contact_id`,
      )
    ).map((row) => row.contact)

  it('takes the newest first, ties by the higher id, and leaves the rest for another day', async () => {
    const pipeline = await open({ definition: { intake: { backlog: '3 per day', order: 'newest' } } })
    // Microseconds apart: a bound that has been through a Date cannot tell them from a tie.
    for (const since of [ago(6), ago(4), ago(4), ago(4), ago(4), ago(5)])
      await pipeline.addContact({ silentSince: since })
    await execute(
      pipeline.database,
      sql`UPDATE contact_activity SET silent_since = silent_since + interval '1 microsecond' * contact_id`,
    )
    const result = await pipeline.runNow()
    expect(result.answers).toEqual({ opened: 3, backlog: 3 })
    expect(await opened(pipeline)).toEqual([3, 4, 5])
    // The day's places are taken; the next day has new ones.
    pipeline.clock.advance(3600)
    expect((await pipeline.runNow()).answers).toEqual({ backlog: 3 })
    pipeline.clock.advance(DAY)
    expect((await pipeline.runNow()).answers).toEqual({ opened: 3 })
  })

  it('takes the oldest first where the campaign says so', async () => {
    const pipeline = await open({ definition: { intake: { backlog: '3 per day', order: 'oldest' } } })
    for (const since of [ago(4), ago(6), ago(6), ago(6), ago(5)])
      await pipeline.addContact({ silentSince: since })
    expect((await pipeline.runNow()).answers).toEqual({ opened: 3, backlog: 2 })
    expect(await opened(pipeline)).toEqual([2, 3, 4])
    await pipeline.addContact({ silentSince: ago(4) })
    pipeline.clock.advance(60)
    expect((await pipeline.runNow()).answers).toEqual({ backlog: 3 })
  })

  it('takes the contact of a person who was active last, and no more than there are places, also the oldest first', async () => {
    const pipeline = await open({ definition: { intake: { backlog: '1 per day', order: 'oldest' } } })
    const person = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.addContact({ silentSince: ago(6), person })
    const other = await pipeline.addContact({ silentSince: ago(5) })
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1, backlog: 1, same_person: 1 })
    expect(await opened(pipeline)).toEqual([other])
  })

  it('leaves out one where there is one more than there are places, and nobody where each has one', async () => {
    for (const [places, answers] of [
      [2, { opened: 2, backlog: 1 }],
      [3, { opened: 3 }],
    ] as const) {
      const pipeline = await open({ definition: { intake: { backlog: `${places} per day` } } })
      for (let n = 0; n < 3; n += 1) await pipeline.addContact({ silentSince: ago(4) })
      expect((await pipeline.runNow()).answers).toEqual(answers)
    }
  })

  it('counts what this campaign has opened today, and nothing else', async () => {
    const pipeline = await open({ definition: { intake: { backlog: '2 per day', max_silence: '5d' } } })
    const { database } = pipeline
    await execute(
      database,
      sql`WITH run AS (
          INSERT INTO runs (campaign, scheduled_for, version, as_of, state, started_at)
          VALUES ('other', ${START}, 1, ${START}, 'done', ${START}) RETURNING run_id
        )
        INSERT INTO run_answers (run_id, answer, tier, segment, arm, contacts)
        SELECT run_id, 'opened', 'coupon', 'everyone', 'treated', 9 FROM run`,
    )
    for (const days of [4, 6, 6]) await pipeline.addContact({ silentSince: ago(days) })
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1, max_silence: 2 })
    for (const days of [4, 4]) await pipeline.addContact({ silentSince: ago(days) })
    pipeline.clock.advance(60)
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1, backlog: 1, max_silence: 2 })
  })

  it('counts the day where the campaign lives', async () => {
    const pipeline = await open({
      definition: { timezone: 'Asia/Shanghai', intake: { backlog: '1 per day' } },
    })
    Object.assign(pipeline.campaign, { timezone: 'Asia/Shanghai' })
    for (let n = 0; n < 3; n += 1) await pipeline.addContact({ silentSince: ago(4) })
    pipeline.clock.set(new Date('2026-03-02T15:30:00Z'))
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1, backlog: 2 })
    // Half an hour later it is the 3rd in Shanghai, though not in Greenwich.
    pipeline.clock.set(new Date('2026-03-02T16:00:00Z'))
    expect((await pipeline.runNow()).answers).toEqual({ opened: 1, backlog: 1 })
  })

  it('is what a plan says it will be', async () => {
    const pipeline = await open({ holdout: 0.2, definition: { intake: { backlog: '2 per day' } } })
    for (let n = 0; n < 5; n += 1) await pipeline.addContact({ silentSince: ago(3 + n) })
    const kinds = { addressKinds: pipeline.worker.addressKinds, needsConsent: new Set<string>() }
    const plan = await planAudience(pipeline.database, pipeline.campaign, START, kinds)
    const planned = new Map<string, number>()
    for (const cell of plan.cells) planned.set(cell.answer, (planned.get(cell.answer) ?? 0) + cell.contacts)
    expect(Object.fromEntries(planned)).toEqual((await pipeline.runNow()).answers)
  })
})

describe('a tier’s own draw', () => {
  const tiers = [
    { name: 'coupon', from: 3 * DAY, to: 7 * DAY, holdout: 0.4, steps: [{ id: 'coupon' }] },
    { name: 'trial', from: 7 * DAY, to: 15 * DAY, holdout: 0.5, steps: [{ id: 'trial' }] },
    { name: 'letter', from: 15 * DAY, to: null, steps: [{ id: 'letter' }] },
  ]

  it('is among the still treated, and holds until the episode ends', async () => {
    const pipeline = await open({ tiers, holdout: 0.3, control: 0.1 })
    for (let n = 0; n < 80; n += 1) await pipeline.addContact({ silentSince: ago(6.5) })
    await pipeline.runNow()
    for (const days of [1, 9]) {
      pipeline.clock.set(later(days))
      await pipeline.runNow()
    }
    const found = await rows<{
      person: number
      arm: string
      stages: string[]
      drawn: boolean[]
      touches: number[]
    }>(
      pipeline.database,
      sql`SELECT e.person_id AS person, e.arm,
          array_agg(s.arm ORDER BY s.tier_no) AS stages, array_agg(s.drawn ORDER BY s.tier_no) AS drawn,
          (SELECT coalesce(array_agg(DISTINCT p.tier_no ORDER BY p.tier_no), '{}') FROM (
            SELECT contact_id, step_id FROM touchpoints UNION ALL SELECT contact_id, step_id FROM touchpoint_records
          ) t JOIN steps p USING (step_id) WHERE t.contact_id = e.contact_id) AS touches
        FROM episodes e JOIN stages s USING (contact_id, episode_id)
        GROUP BY e.contact_id, e.episode_id`,
    )
    expect(found).toHaveLength(80)
    const { salt } = pipeline.campaign
    for (const { person, arm, stages, drawn, touches } of found) {
      const expectedArm =
        draw('salt', 'control', person) < 0.1
          ? 'control'
          : draw(salt, 'arm', person, 1) < 0.3
            ? 'holdout'
            : 'treated'
      expect(arm).toBe(expectedArm)
      const coupon = arm === 'treated' && draw(salt, 'tier:coupon', person, 1) >= 0.4
      const trial = coupon && draw(salt, 'tier:trial', person, 1) >= 0.5
      const said = (treated: boolean) => (treated ? 'treated' : 'holdout')
      expect(stages).toEqual([said(coupon), said(trial), said(trial)])
      expect(drawn).toEqual([arm === 'treated', coupon, false])
      expect(touches).toEqual([...(coupon ? [1] : []), ...(trial ? [2, 3] : [])])
    }
    expect(new Set(found.map((row) => row.stages.join()))).toHaveLength(3)
    // I2: what the run says it opened is what there is, arm by arm.
    const byArm = (of: ReturnType<typeof sql>) =>
      rows(pipeline.database, sql`SELECT arm, sum(n)::int AS n FROM (${of}) c GROUP BY arm ORDER BY arm`)
    expect(await byArm(sql`SELECT arm, contacts AS n FROM run_answers WHERE answer = 'opened'`)).toEqual(
      await byArm(sql`SELECT arm, 1 AS n FROM episodes`),
    )
  })
})

describe('seeds', () => {
  let pipeline: Pipeline
  beforeEach(async () => {
    pipeline = await open({ holdout: 1, definition: { seeds: ['u1', 'u9'] } })
  })
  const versioned = (version: number, seeds: string[]) => ({
    ...pipeline.campaign,
    version,
    definition: { ...pipeline.campaign.definition, seeds },
  })

  it('get every tier’s messages, once a version, and are never counted', async () => {
    await pipeline.addContact({ silentSince: ago(4) })
    const result = await pipeline.runNow()
    expect(result).toMatchObject({ considered: 0, answers: {} })
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(2)
    pipeline.clock.advance(DAY)
    expect(await pipeline.runNow()).toMatchObject({ considered: 0, advanced: 0 })
    await pipeline.addActivity(1, pipeline.clock.now())
    await pipeline.work()
    expect((await pipeline.records()).map((row) => `${row.step} ${row.state}`)).toEqual([
      'coupon sent',
      'remind sent',
      'trial sent',
    ])
  })

  it('of an older version stop when the new one begins', async () => {
    await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    pipeline.clock.advance(DAY)
    const second = versioned(2, ['u1'])
    const run = { ...pipeline.run, book: { ...pipeline.run.book, campaign: async () => second } }
    await runCampaign(run, second, pipeline.clock.now())
    const open = await rows(
      pipeline.database,
      sql`SELECT version, ended_at IS NULL AS open, end_reason AS reason FROM episodes ORDER BY version`,
    )
    expect(open).toEqual([
      { version: 1, open: false, reason: 'withdrawn' },
      { version: 2, open: true, reason: null },
    ])
    expect((await pipeline.records()).map((row) => `${row.state} ${row.reason}`)).toEqual(
      Array.from({ length: 3 }, () => 'cancelled superseded'),
    )
  })

  it('may stop being seeds, and contacts may become some, without a run failing', async () => {
    const seed = await pipeline.addContact({ silentSince: ago(4) })
    const common = await pipeline.addContact({ silentSince: ago(4) })
    await pipeline.runNow()
    pipeline.clock.advance(DAY)
    const second = versioned(2, ['u2'])
    const run = { ...pipeline.run, book: { ...pipeline.run.book, campaign: async () => second } }
    expect(await runCampaign(run, second, pipeline.clock.now())).toMatchObject({
      state: 'done',
      answers: { opened: 1 },
    })
    const open = await rows(
      pipeline.database,
      sql`SELECT contact_id AS contact, arm, episode_no AS no FROM episodes WHERE ended_at IS NULL ORDER BY 1`,
    )
    // What they got as a seed is no lapse of theirs.
    expect(open).toEqual([
      { contact: seed, arm: 'holdout', no: 1 },
      { contact: common, arm: 'holdout', no: 1 },
    ])
  })
})
