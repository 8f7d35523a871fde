import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute } from '../../../src/database/connect.ts'
import { cellsOf } from '../../../src/reports/layout.ts'
import {
  type OverviewData,
  type OverviewQuestion,
  readReport,
} from '../../../src/reports/overview/overview.ts'
import { formatReport } from '../../../src/reports/overview/overview-text.ts'
import { newcombe } from '../../../src/statistics/newcombe.ts'
import { vectors } from '../../statistics/vectors.ts'
import { freshDatabase } from '../../support/database.ts'
import { clearHistory, day, type History, writeHistory } from '../../support/episodes.ts'

const LADDER = { coupon: ['remind', 'coupon'], trial: ['trial'], letter: ['letter'] }
const TEN = { holdout: 0.1, control: 0 }

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 2 })
  history = await writeHistory(database, 'graded', LADDER, { drawing: ['trial'], versions: 2 })
})
beforeEach(() => clearHistory(database))

async function read(question: Partial<OverviewQuestion> = {}): Promise<OverviewData> {
  return await readReport(database, {
    campaign: 'graded',
    now: day(60),
    split: TEN,
    goals: new Map([1, 2, 3].map((version) => [version, 'session'])),
    ...question,
  })
}

function estimate(value: { kind: string }): { value: number; low: number; high: number } {
  if (value.kind !== 'estimate') throw new Error(`expected an estimate, found ${JSON.stringify(value)}`)
  return value as { kind: string; value: number; low: number; high: number }
}

const english = { locale: 'en', currency: 'CNY', color: false, width: 120 }
const chinese = { locale: 'zh-CN', currency: 'CNY', color: false, width: 120 }

describe('the overview', () => {
  it('says of an empty campaign that there is nothing to say', async () => {
    const data = await read()
    expect(data.verdict).toEqual({ kind: 'not_yet', why: 'nobody' })
    expect(data.overall.treated.rate).toEqual({ kind: 'not_enough', why: 'nobody' })
    expect(data.overall.difference).toEqual({ kind: 'not_enough', why: 'nobody_treated' })
    expect(data.split.test).toEqual({ kind: 'not_enough', why: 'nobody' })
    expect(data.reconciliation).toMatchObject({ considered: 0, opened: 0, holds: true, off: [] })
    expect(data.cost.perRecall).toBeUndefined()
    expect(formatReport(data, english)).toContain('Not yet: nobody has been assigned.')
    expect(formatReport(data, chinese)).toContain('暂无结论')
  })

  it('counts by arm and entry tier over matured episodes, with everyone assigned below the line', async () => {
    // 900 treated: 270 recalled; 100 held out: 10 recalled. 30 % against 10 %: 180 recalls that would not have been.
    await history.assign({ arm: 'treated', count: 600, recalled: 210 })
    await history.assign({
      arm: 'treated',
      count: 300,
      recalled: 60,
      tier: 'letter',
      segment: 'vip',
      settle: 'skipped',
    })
    await history.assign({ arm: 'holdout', count: 70, recalled: 8 })
    await history.assign({ arm: 'holdout', count: 30, recalled: 2, tier: 'letter', segment: 'vip' })
    // Assigned ten days before: in no rate, whatever they did.
    await history.assign({ arm: 'treated', count: 90, recalled: 50, at: day(50) })
    await history.assign({ arm: 'holdout', count: 10, recalled: 9, at: day(50) })
    await history.assign({ arm: 'seed', count: 3, recalled: 3 })
    await history.answer('audience', 400)
    await history.answer('backlog', 25, day(50))

    const data = await read()
    expect(data.overall.treated).toMatchObject({ assigned: 990, matured: 900, pending: 90, recalled: 270 })
    expect(data.overall.heldOut).toMatchObject({ assigned: 110, matured: 100, pending: 10, recalled: 10 })
    expect(data.overall.difference).toEqual(
      newcombe({ recalled: 270, assigned: 900 }, { recalled: 10, assigned: 100 }),
    )
    expect(estimate(data.overall.recalls).value).toBeCloseTo(180, 9)
    expect(estimate(data.natural).value).toBeCloseTo(0.1, 12)
    expect(data.relativeUplift).toBeCloseTo(2, 12)
    expect(data.verdict).toEqual({ kind: 'won_back' })
    expect(
      data.byTier.map(({ name, treated, heldOut }) => [name, treated.matured, heldOut.recalled]),
    ).toEqual([
      ['coupon', 600, 8],
      ['letter', 300, 2],
    ])
    expect(data.bySegment.map(({ name, heldOut }) => [name, heldOut.matured])).toEqual([
      ['vip', 30],
      ['everyone', 70],
    ])
    expect(data.seeds.episodes).toBe(3)
    expect(data.reconciliation).toMatchObject({
      considered: 1100 + 425,
      opened: 1100,
      leftOut: [
        { answer: 'audience', contacts: 400 },
        { answer: 'backlog', contacts: 25 },
      ],
      runs: { done: 2, running: 0, refused: 0 },
      ladder: { stages: 990, expected: 690 * 2 + 300, found: 690 * 2 + 300 },
      holds: true,
    })
    expect(data.touchpoints).toContainEqual({
      tier: 'letter',
      step: 'letter',
      state: 'skipped',
      reason: 'condition',
      deferred: false,
      touchpoints: 300,
    })

    const text = formatReport(data, english)
    expect(text).toContain('Won back by us: 180 (95 % interval')
    expect(text).toContain('of 900 contacted; 10.0 % would have come back anyway.')
    expect(text).toContain('Everything adds up, to the last person.')
    expect(text).toMatch(/├─+●─+┤/)
    const chineseText = formatReport(data, chinese)
    expect(chineseText).toContain('多召回的人数：180（95% 区间')
    expect(chineseText).toContain('10.0% 的人不触达也会回来')
    for (const line of [...text.split('\n'), ...chineseText.split('\n')])
      expect(line.length).toBeLessThanOrEqual(120)
  })

  it('counts a recall only inside (assigned, window end]', async () => {
    await history.assign({ arm: 'treated', count: 5, recalled: 5, recalledAfter: 0 })
    await history.assign({ arm: 'treated', count: 7, recalled: 7, recalledAfter: 30 })
    await history.assign({ arm: 'treated', count: 11, recalled: 11, recalledAfter: 30.001 })
    expect((await read()).overall.treated).toMatchObject({ matured: 23, recalled: 7 })
  })

  it('narrows to episodes assigned in [from, to)', async () => {
    await history.assign({ arm: 'treated', count: 2, at: day(0) })
    await history.assign({ arm: 'treated', count: 3, at: day(1) })
    await history.assign({ arm: 'treated', count: 5, at: day(2) })
    const data = await read({ from: day(1), to: day(2) })
    expect(data.overall.treated.assigned).toBe(3)
    expect(data.reconciliation).toMatchObject({ opened: 3, ladder: { expected: 6 }, holds: true })
  })

  it('names the last day it is about, as every other report does, and a time of day where it is asked with one', async () => {
    const about = (from: string, to: string, timezone: string) =>
      read({ from: new Date(from), to: new Date(to) }).then((data) =>
        formatReport(data, { ...english, timezone }),
      )
    expect(await about('2026-01-01T00:00Z', '2026-02-01T00:00Z', 'UTC')).toContain(
      'assigned Jan 1, 2026 – Jan 31, 2026 ·',
    )
    // The clocks went ahead at midnight: 4 November began at one.
    expect(await about('2018-11-03T03:00Z', '2018-11-04T03:00Z', 'America/Sao_Paulo')).toContain(
      'assigned Nov 3, 2018 – Nov 3, 2018 ·',
    )
    expect(await about('2026-01-05T09:00Z', '2026-01-05T18:00Z', 'Asia/Kathmandu')).toContain(
      'assigned Jan 5, 2026, 14:45 – Jan 5, 2026, 23:45 ·',
    )
  })

  it('gives no verdict on few recalls, however far apart the rates', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 400 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 9 })
    const data = await read()
    expect(estimate(data.overall.difference).low).toBeGreaterThan(0)
    expect(data.verdict).toEqual({ kind: 'not_yet', why: 'few_recalls' })
    expect(formatReport(data, english)).toContain('9 not contacted came back; at least 10')
  })

  it('finds nothing where nothing is: equal rates', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 180 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 20 })
    const data = await read()
    const difference = estimate(data.overall.difference)
    expect(difference.low).toBeLessThan(0)
    expect(difference.high).toBeGreaterThan(0)
    expect(data.verdict).toEqual({ kind: 'no_difference' })
    expect(data.cost.perIncremental).toBeUndefined()
    expect(formatReport(data, english)).toContain('No effect shown: 20.0 % of 900')
  })

  it('says when contact does harm', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 90 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 30 })
    const data = await read()
    expect(data.verdict).toEqual({ kind: 'harm' })
    expect(formatReport(data, english)).toContain('Fewer came back because of the contact: -180')
  })

  it('counts every lapse of a person that was recalled and lapsed again', async () => {
    const first = await history.assign({ arm: 'treated', count: 10, recalled: 10, at: day(-35) })
    const persons = first.map((each) => each.personId)
    await history.assign({
      arm: 'holdout',
      count: 4,
      recalled: 1,
      persons: persons.slice(0, 4),
      episodeNo: 2,
    })
    await history.assign({ arm: 'treated', count: 6, recalled: 2, persons: persons.slice(4), episodeNo: 2 })
    const data = await read()
    expect(data.overall.treated).toMatchObject({ assigned: 16, recalled: 12 })
    expect(data.overall.heldOut).toMatchObject({ assigned: 4, recalled: 1 })
  })

  it('keeps merged persons in the arms they drew, and says that they are mixed', async () => {
    const [one] = await history.assign({ arm: 'treated', count: 1, recalled: 1, contaminated: true })
    const [other] = await history.assign({ arm: 'holdout', count: 1, contaminated: true })
    await execute(
      database,
      sql`UPDATE episodes SET person_id = ${one?.personId} WHERE contact_id = ${other?.contactId}`,
    )
    const data = await read()
    expect(data.overall.treated).toMatchObject({ assigned: 1, contaminated: 1, recalled: 1 })
    expect(data.overall.heldOut).toMatchObject({ assigned: 1, contaminated: 1, recalled: 0 })
    expect(formatReport(data, english)).toContain('2 are mixed')
    expect(formatReport(data, chinese)).toContain('2 人属于混组')
  })

  it('shows no lift where persons are merged under equal rates', async () => {
    // 1,000 pairs that turn out to be one person, each contact recalled at 20 %, drawn at 90/10 one by one.
    // Counting a pair as one unit "recalled if either was" would give 36 % of the treated pairs.
    const treated = await history.assign({ arm: 'treated', count: 1800, recalled: 360 })
    const heldOut = await history.assign({ arm: 'holdout', count: 200, recalled: 40 })
    const contacts = [...treated, ...heldOut].map((each) => each.contactId)
    await execute(
      database,
      sql`UPDATE episodes e SET person_id = ids[((array_position(ids, contact_id) - 1) % 1000) + 1]
          FROM (SELECT ${sql.param(contacts)}::bigint[] AS ids) all_ids`,
    )
    const data = await read()
    expect(estimate(data.overall.difference).value).toBeCloseTo(0, 12)
    expect(data.split.alarm).toBe(false)
  })
})

describe('the split', () => {
  it('that is off comes above every figure and forbids a verdict', async () => {
    await history.assign({ arm: 'treated', count: 950, recalled: 300 })
    await history.assign({ arm: 'holdout', count: 50, recalled: 12 })
    const data = await read()
    expect(data.split.alarm).toBe(true)
    expect(data.verdict).toEqual({ kind: 'groups_off' })
    const text = formatReport(data, english)
    expect(text).toContain(
      'GROUPS ARE OFF, NO CONCLUSION: contacted 950 where 900 were due; not contacted 50',
    )
    expect(text.indexOf('GROUPS ARE OFF')).toBeLessThan(text.indexOf('came back'))
    // The difference is not even shown: it would be quoted.
    expect(text).not.toContain('+7.6')
    expect(formatReport(data, chinese)).toContain('分组异常，结论不可用')
  })

  it('is judged version by version: a changed holdout is not a broken one', async () => {
    await history.assign({ arm: 'treated', count: 900 })
    await history.assign({ arm: 'holdout', count: 100 })
    await history.assign({ arm: 'treated', count: 500, version: 2 })
    await history.assign({ arm: 'holdout', count: 500, version: 2 })
    expect((await read()).split.alarm).toBe(true)
    const split = new Map([
      [1, TEN],
      [2, { holdout: 0.5, control: 0 }],
    ])
    expect((await read({ split })).split.alarm).toBe(false)
    split.delete(2)
    const partly = await read({ split })
    expect(partly.split).toMatchObject({ alarm: false, unknownVersions: [2] })
    expect(formatReport(partly, english)).toContain('The split of version 2 is not known')
  })

  it('is of those whom each lapse draws anew: the control group sticks, and its people lapse more often or more seldom', async () => {
    const CONTROL = { holdout: 0.1, control: 0.05 }
    await history.assign({ arm: 'treated', count: 855 })
    await history.assign({ arm: 'holdout', count: 95 })
    const control = await history.assign({ arm: 'control', count: 50 })
    expect((await read({ split: CONTROL })).split).toMatchObject({
      alarm: false,
      arms: [
        { arm: 'treated', observed: 855, expected: 855 },
        { arm: 'holdout', observed: 95, expected: 95 },
      ],
    })
    // A version without a control group cannot have put anybody there.
    const strayed = await read()
    expect(strayed.split).toMatchObject({ strayed: 50, alarm: true })
    expect(strayed.programmeOff).toBe(true)
    expect(formatReport(strayed, english).replaceAll(/\s+/g, ' ')).toContain(
      'never contacted (control) 50 where 0 were due.',
    )
    // Those who are won back do not lapse again for a while; those whom nobody writes to are taken in time and again.
    const persons = control.map(({ personId }) => personId)
    for (const episodeNo of [2, 3, 4])
      await history.assign({ arm: 'control', count: 50, at: day(40 * episodeNo), episodeNo, persons })
    const later = await read({ split: CONTROL, now: day(200) })
    expect(later.split).toMatchObject({ alarm: false, strayed: 0 })
    expect(later).toMatchObject({ programmeOff: false, programme: { heldOut: { assigned: 50 } } })
    // Held out more than were due is held out more than were due, whoever lapses how often.
    await history.assign({ arm: 'holdout', count: 60 })
    expect((await read({ split: CONTROL, now: day(200) })).split.alarm).toBe(true)
  })
})

describe.skipIf(!vectors)('the band-switching trap', () => {
  it('is stepped over: by entry band the effect is the true one', async () => {
    if (!vectors) return
    const trap = vectors.band_switching_trap
    const n = 10_000
    // Everybody enters in the first band; those who do not return there reach the second, where nothing works.
    // Looking at the second band alone shows -5 points, because the treated who are left are the hard ones.
    for (const [arm, rates] of [
      ['treated', trap.treated],
      ['holdout', trap.control],
    ] as const) {
      await history.assign({ arm, count: n, recalled: Math.round(n * rates.total), settle: false })
    }
    // The tests before have emptied the tables, which may have been analysed as such: no workspace's ever are.
    await execute(database, sql`ANALYZE episodes, stages, recalls, touchpoints`)
    const data = await read()
    const [entry, ...others] = data.byTier
    expect(others).toEqual([])
    expect(entry && estimate(entry.difference).value).toBeCloseTo(trap.correct_itt_by_entry_band, 3)
    const second = (rates: typeof trap.control) => rates.return_7_15 / rates.still_lapsed
    expect(second(trap.treated) - second(trap.control)).toBeCloseTo(trap.wrong_current_band_lift_7_15, 12)
  })
})

describe('a tier’s own draw', () => {
  it('has its own arms and its own window, from entering the tier', async () => {
    const treated = await history.assign({ arm: 'treated', count: 8, tier: 'coupon' })
    const enter = async (contacts: typeof treated, arm: string) => {
      for (const { contactId, episodeId } of contacts) {
        await execute(
          database,
          sql`INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
              VALUES (${contactId}, ${episodeId}, 2, ${day(5)}, ${arm}, true)`,
        )
      }
    }
    await enter(treated.slice(0, 6), 'treated')
    await enter(treated.slice(6), 'holdout')
    const active = async (at: Date, type: string, of: (typeof treated)[number] | undefined) => {
      await execute(
        database,
        sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
            VALUES (${of?.contactId}, ${at}, 1, ${type}, ${at})`,
      )
    }
    // Window: (day 5, day 35]. The episode's own ends on day 30, and goes unanswered here.
    await active(day(34), 'session', treated[0])
    await active(day(35), 'session', treated[1])
    await active(new Date(day(35).getTime() + 1000), 'session', treated[2])
    await active(day(5), 'session', treated[3])
    await active(day(20), 'order', treated[4])
    await active(day(20), 'session', treated[6])
    // Erased since: the activity is gone, the recorded recall stays.
    const erased = treated[5]
    await execute(
      database,
      sql`INSERT INTO recalls (contact_id, episode_id, goal_no, recalled_at)
          VALUES (${erased?.contactId}, ${erased?.episodeId}, 0, ${day(7)})`,
    )

    const [draw, ...others] = (await read()).ownDraws
    expect(others).toEqual([])
    expect(draw).toMatchObject({
      tier: 'trial',
      treated: { assigned: 6, matured: 6, recalled: 3 },
      heldOut: { assigned: 2, matured: 2, recalled: 1 },
    })
    const early = (await read({ now: day(34.5) })).ownDraws[0]
    expect(early).toMatchObject({ treated: { assigned: 6, matured: 0, pending: 6, recalled: 0 } })
    expect(early?.difference.kind).toBe('not_enough')
  })
})

describe('the programme', () => {
  it('compares each person’s first lapse with the control group, over all campaigns', async () => {
    const other = await writeHistory(database, 'other', LADDER)
    const first = await history.assign({ arm: 'treated', count: 80, recalled: 40 })
    await history.assign({ arm: 'holdout', count: 10, recalled: 2 })
    const control = await history.assign({ arm: 'control', count: 10, recalled: 1 })
    const persons = (of: typeof first) => of.map((each) => each.personId)
    // Later lapses do not count here: those who were recalled lapse again, and control is sticky.
    await other.assign({ arm: 'treated', count: 80, recalled: 80, at: day(10), persons: persons(first) })
    await other.assign({ arm: 'control', count: 10, recalled: 0, at: day(10), persons: persons(control) })
    const data = await read()
    expect(data.programme).toMatchObject({
      treated: { assigned: 90, matured: 90, recalled: 42 },
      heldOut: { assigned: 10, matured: 10, recalled: 1 },
    })
    expect(data.overall.control).toMatchObject({ assigned: 10, recalled: 1 })
    expect(formatReport(data, english)).toContain('never contacted (control)')
  })

  it('is not there without a control group', async () => {
    await history.assign({ arm: 'treated', count: 5 })
    expect((await read()).programme).toBeUndefined()
  })

  it('concludes nothing where the control group has not the size it was drawn with', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 180 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10 })
    await history.assign({ arm: 'control', count: 200, recalled: 20 })
    const data = await read({ split: { holdout: 0.1, control: 0.05 } })
    expect(data).toMatchObject({ split: { alarm: false }, programmeOff: true })
    const [, programme = ''] = formatReport(data, english).split('the whole programme')
    expect(programme.split('\n')[1]).toContain('no conclusion')
    expect(formatReport(data, chinese).split('整个召回计划')[1]?.split('\n')[1]).toContain('结论不可用')
  })
})

describe('cost', () => {
  const book = async (
    of: readonly { contactId: number; episodeId: number }[],
    kind: string,
    amount: number,
    step = 'coupon/coupon',
  ) => {
    await execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
          SELECT contact_id, touchpoint_id, episode_id, step_id, ${kind}, channel, ${amount}, ${day(1)}
          FROM touchpoint_records
          WHERE episode_id = ANY (${sql.param(of.map((each) => each.episodeId))}::bigint[]) AND step_id = ${history.stepIds.get(step)}`,
    )
  }

  it('is divided by what came of it, where something did', async () => {
    const treated = await history.assign({ arm: 'treated', count: 900, recalled: 180 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10 })
    const young = await history.assign({ arm: 'treated', count: 1, at: day(50) })
    const seed = await history.assign({ arm: 'seed', count: 1 })
    await book(treated.slice(0, 100), 'spend', 900_000)
    await book(treated.slice(0, 10), 'liability', 4_500_000)
    await book(treated.slice(0, 10), 'labour', 4_500_000)
    await book(young, 'spend', 1_000_000)
    await book(seed, 'spend', 7_000_000)

    const { cost, seeds } = await read({ acquisition: 220_000_000 })
    expect(cost.byKind).toEqual({ spend: 91_000_000, liability: 45_000_000, labour: 45_000_000 })
    expect(cost.total).toBe(181_000_000)
    expect(seeds.cost).toBe(7_000_000)
    expect(cost.lines).toContainEqual({
      tier: 'coupon',
      step: 'coupon',
      channel: 'email',
      kind: 'spend',
      amount: 91_000_000,
    })
    // 180 yuan on 900 matured treated, of whom 180 came back: 1 each; 90 of them by us: 2 each, 1.50 without labour.
    expect(cost.perRecall).toBeCloseTo(1_000_000, 6)
    expect(cost.perIncremental).toBeCloseTo(2_000_000, 3)
    expect(cost.perIncrementalWithoutLabour).toBeCloseTo(1_500_000, 3)
    const text = formatReport(await read({ acquisition: 220_000_000 }), english)
    expect(text).toMatch(/for each won back by us {2,}CN¥2\.00/)
    expect(text).toContain('CN¥220.00')
    expect(formatReport(await read(), { ...chinese, color: true })).toContain('¥2.00')
  })

  it('has no price where fewer than ten came back in a group, as it has no verdict', async () => {
    const treated = await history.assign({ arm: 'treated', count: 900, recalled: 400 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 9 })
    await book(treated, 'spend', 1_000_000)
    const data = await read()
    expect(data.verdict).toEqual({ kind: 'not_yet', why: 'few_recalls' })
    expect(data.cost).toMatchObject({ perIncremental: undefined, perIncrementalWithoutLabour: undefined })
  })

  it('has no price for what may be nothing', async () => {
    const treated = await history.assign({ arm: 'treated', count: 90, recalled: 12 })
    await history.assign({ arm: 'holdout', count: 10, recalled: 1 })
    await book(treated, 'spend', 1_000_000)
    const data = await read()
    expect(data.cost.perRecall).toBe(7_500_000)
    expect(data.cost.perIncremental).toBeUndefined()
    expect(formatReport(data, english)).toMatch(/for each won back by us {2,}not enough data yet/)
  })
})

it.each([english, chinese].flatMap((style) => [40, 60].map((width) => ({ ...style, width }))))(
  'keeps to $width columns: no plots, and no line runs over ($locale)',
  async (style) => {
    const treated = await history.assign({ arm: 'treated', count: 900, recalled: 180, segment: 'vip' })
    await history.assign({ arm: 'treated', count: 9, tier: 'letter', settle: 'skipped' })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10 })
    await history.assign({ arm: 'control', count: 40, recalled: 4 })
    await history.answer('audience_unknown', 400)
    await execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'email', 2000, ${day(1)}
        FROM touchpoint_records WHERE contact_id = ${treated[0]?.contactId ?? 0}`,
    )
    const text = formatReport(await read(), { ...style, timezone: 'Asia/Shanghai' })
    expect(text).not.toContain('●')
    for (const line of text.split('\n')) expect(cellsOf(line), line).toBeLessThanOrEqual(style.width)
    // Less than a cent, and not nothing.
    expect(text).toContain('¥0.004')
    const [blank, divided] =
      style.locale === 'en' ? [' ', 'divided by the 180 of them who came back'] : ['', '除以其中召回的180人']
    expect(text.replaceAll(/\s+/g, blank)).toContain(divided)
  },
)
