import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute } from '../../src/database/connect.ts'
import { readReport } from '../../src/reports/overview/overview.ts'
import { formatReport } from '../../src/reports/overview/overview-text.ts'
import { type ProgrammeData, readProgramme } from '../../src/reports/programme.ts'
import { programmeSheet } from '../../src/reports/programme-text.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { csvOf } from '../../src/reports/sheet.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'

let database: Database
let history: History
let other: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['remind'] }, { versions: 2 })
  other = await writeHistory(database, 'other', { coupon: ['remind'] })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(100)
const CONTROL = { holdout: 0.1, control: 0.1 }
const split = new Map([
  [1, CONTROL],
  [2, CONTROL],
])
const QUESTIONS = ['graded', 'other'].map((campaign) => ({ campaign, split }))

async function read(questions = QUESTIONS): Promise<ProgrammeData> {
  await rollUp(database, NOW, RULES)
  return await readProgramme(database, questions, { now: NOW, share: 0.1 })
}

const english = { locale: 'en', currency: 'CNY', color: false, width: 120 }
const chinese = { ...english, locale: 'zh-CN' }
const persons = (of: readonly { personId: number }[]) => of.map(({ personId }) => personId)

describe('all campaigns together', () => {
  it('are compared with the control group by the first lapse of each person, as the overview counts them', async () => {
    const first = await history.assign({ arm: 'treated', count: 810, recalled: 405 })
    await history.assign({ arm: 'holdout', count: 90, recalled: 18 })
    const control = await history.assign({ arm: 'control', count: 100, recalled: 20 })
    // Later lapses, in another campaign and in the same.
    await other.assign({
      arm: 'treated',
      count: 400,
      recalled: 400,
      at: day(10),
      persons: persons(first).slice(0, 400),
    })
    await other.assign({ arm: 'control', count: 100, at: day(10), persons: persons(control) })
    await history.assign({
      arm: 'treated',
      count: 300,
      at: day(45),
      episodeNo: 2,
      persons: persons(first).slice(0, 300),
    })
    // Open.
    await other.assign({ arm: 'treated', count: 9, at: day(90) })
    await other.assign({ arm: 'control', count: 1, at: day(90) })
    const data = await read()
    expect(data.effect).toMatchObject({
      treated: { assigned: 909, matured: 900, recalled: 423, pending: 9 },
      heldOut: { assigned: 101, matured: 100, recalled: 20, pending: 1 },
    })
    expect(data.verdict).toEqual({ kind: 'won_back' })
    const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
    expect(data.effect).toEqual(overview.programme)
    // As of a day that is past, nobody who was yet to come.
    const early = await readProgramme(database, QUESTIONS, { now: day(50), share: 0.1 })
    expect(early.effect?.treated.assigned).toBe(900)

    const sheet = programmeSheet(data, english)
    expect(sheet.sentences).toEqual([
      {
        text: 'All campaigns together won back 243 (95 % interval +158 to +310) of 900 people taken in, each counted once; 20.0 % would have come back anyway.',
        tone: 'good',
      },
    ])
    expect(programmeSheet(data, chinese).sentences[0]?.text).toBe(
      '全部活动合计多召回 243 人（95% 区间 +158 至 +310），共纳入 900 人，每人只计一次；20.0% 的人不触达也会回来。',
    )
    expect(csvOf(sheet.tables).split('\r\n').slice(0, 4)).toEqual([
      expect.stringMatching(/^,people,complete,"came back, of the complete",rate; points,95 % interval,/),
      expect.stringMatching(/^taken in,909,900,423,0\.47,43\.8 % … 50\.3 %,/),
      expect.stringMatching(/^never contacted \(control\),101,100,20,0\.2,/),
      expect.stringMatching(/^won back by us,,,24[23][.0-9]*,0\.2[67]/),
    ])
  })

  it('say how fresh their figures are, as the report of a campaign does, and that there are none where nobody has counted', async () => {
    await history.assign({ arm: 'treated', count: 9 })
    await other.assign({ arm: 'treated', count: 9, at: day(90) })
    const about = async (style = english) =>
      programmeSheet(await readProgramme(database, QUESTIONS, { now: NOW, share: 0.1 }), style).about
    expect(await about()).toEqual([
      'as of Apr 11, 2026, 00:00 (UTC)',
      'not counted yet · no activity known · 2 days to be counted again',
    ])
    await rollUp(database, day(95), RULES)
    await execute(
      database,
      sql`INSERT INTO report_dirty (campaign, day) VALUES ('graded', '2026-01-01'), ('other', '2026-04-01')`,
    )
    await execute(
      database,
      sql`INSERT INTO feed_days (day, events, newest_at) VALUES ('2026-04-05', 1, ${day(94)})`,
    )
    expect(await about()).toEqual([
      'as of Apr 11, 2026, 00:00 (UTC)',
      'counted Apr 6, 2026, 00:00 · newest activity Apr 5, 2026, 00:00 · 2 days to be counted again',
      'No activity has come in for 6 days: who came back since is not known, in either group.',
    ])
    expect((await about(chinese))[1]).toContain('统计于 2026年4月6日 00:00')
  })

  it('leave out who was taken in while nobody was kept out: the season they came in would pass for an effect', async () => {
    // In spring half come back anyway, in summer one in ten; the contact does nothing.
    await history.assign({ arm: 'treated', version: 1, count: 1000, recalled: 500 })
    await history.assign({ arm: 'treated', version: 2, count: 900, recalled: 90, at: day(50) })
    await history.assign({ arm: 'control', version: 2, count: 100, recalled: 10, at: day(50) })
    const data = await read()
    expect(data.effect).toMatchObject({
      treated: { matured: 900, recalled: 90 },
      heldOut: { matured: 100, recalled: 10 },
      difference: { value: 0 },
    })
    expect(data.verdict).toEqual({ kind: 'no_difference' })
    const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
    expect(overview.programme).toEqual(data.effect)
  })

  it('compare each share of the control group within itself, where it was changed: no season passes for an effect', async () => {
    for (const [version, control] of [
      [1, 0.05],
      [2, 0.2],
    ] as const)
      await execute(
        database,
        sql`INSERT INTO campaign_versions (campaign, version, source, file, inputs, templates, workspace, applied_at, applied_by)
            VALUES ('graded', ${version}, '', '', '', '', ${JSON.stringify({ control })}::jsonb, ${day(0)}, 'somebody')`,
      )
    try {
      // Half come back in spring, and one in ten in summer; the campaigns do nothing.
      await history.assign({ arm: 'treated', version: 1, count: 950, recalled: 475 })
      await history.assign({ arm: 'control', version: 1, count: 50, recalled: 25 })
      await history.assign({ arm: 'treated', version: 2, count: 800, recalled: 80, at: day(50) })
      await history.assign({ arm: 'control', version: 2, count: 200, recalled: 20, at: day(50) })
      const shares = new Map([
        [1, { holdout: 0.1, control: 0.05 }],
        [2, { holdout: 0.1, control: 0.2 }],
      ])
      const data = await read([{ campaign: 'graded', split: shares }])
      expect(data.effect).toMatchObject({
        treated: { matured: 1750, recalled: 555 },
        heldOut: { matured: 250, recalled: 45, rate: { value: expect.closeTo(555 / 1750, 12) } },
        difference: { value: expect.closeTo(0, 12) },
      })
      expect(data.verdict).toEqual({ kind: 'no_difference' })
      expect(data.shares).toEqual([0.05, 0.2])
      const asked = { campaign: 'graded', now: NOW, split: shares, goals: new Map() }
      expect((await readReport(database, asked)).programme).toEqual(data.effect)
      for (const [style, words] of [
        [english, 'The share of the control group was changed on the way (5.0 %, 20.0 %)'],
        [chinese, '全局对照组比例中途变更过（5.0%、20.0%）'],
      ] as const)
        expect(programmeSheet(data, style).notes.join(' ')).toContain(words)
    } finally {
      await execute(database, sql`DELETE FROM campaign_versions`)
    }
  })

  it('say what is missing: a control group, one that lapsed, its observation, ten who came back', async () => {
    await history.assign({ arm: 'treated', count: 90, recalled: 30 })
    const told = (data: ProgrammeData) =>
      [english, chinese].map((style) => programmeSheet(data, style).sentences[0]?.text)
    const nobody = await read()
    expect(nobody.effect).toBeUndefined()
    expect(told({ ...nobody, share: 0 })).toEqual([
      expect.stringContaining('Set `control: 5%` in winback.yaml'),
      expect.stringContaining('设置 `control: 5%`'),
    ])
    expect(told(nobody)).toEqual([
      expect.stringContaining('of the control group (10.0 % of people), nobody has lapsed'),
      expect.stringContaining('其中还没有人流失'),
    ])
    // The overview says the same of itself: a share that is set is not asked for.
    const overview = async (control: number, style: typeof english) => {
      const asked = {
        campaign: 'graded',
        now: NOW,
        split: new Map([[1, { holdout: 0.1, control }]]),
        goals: new Map(),
      }
      return formatReport(await readReport(database, asked), style).replaceAll(/\s+/g, ' ')
    }
    expect(await overview(0, english)).toContain('Set `control: 5%` in winback.yaml')
    for (const [style, words] of [
      [english, 'is not told yet: of the control group (10.0 % of people), nobody has lapsed'],
      [chinese, '自活动按全局对照组（占 10.0%）应用以来，其中还没有人流失'],
    ] as const) {
      expect(await overview(0.1, style)).toContain(words)
      expect(await overview(0.1, style)).not.toContain('control: 5%')
    }
    expect(programmeSheet(nobody, english).tables.map(({ rows, empty }) => [rows.length, empty])).toEqual([
      [0, 'There is nobody to compare with.'],
    ])
    await history.assign({ arm: 'control', count: 8, at: day(95) })
    expect(told(await read())).toEqual([
      'Not yet: observation is complete for 90 taken in and 0 of the control group; 8 are still open.',
      '暂无结论：观察期已满的有活动纳入 90 人、全局对照组 0 人；8 人仍在观察中。',
    ])
    await history.assign({ arm: 'control', count: 4, recalled: 4 })
    expect(told(await read())).toEqual([
      'Not yet: 30 of those taken in and 4 of the control group came back; at least 10 in each are needed.',
      '暂无结论：活动纳入者回来 30 人，全局对照组回来 4 人；每组至少需要 10 人。',
    ])
  })

  it('conclude nothing where the control group has not the size it was drawn with', async () => {
    await history.assign({ arm: 'treated', count: 500, recalled: 300 })
    await history.assign({ arm: 'control', count: 500, recalled: 100 })
    const data = await read()
    expect(data.verdict).toEqual({ kind: 'groups_off' })
    const [sentence] = programmeSheet(data, english).sentences
    expect(sentence).toMatchObject({ tone: 'bad', text: expect.stringContaining('NO CONCLUSION') })
    expect(csvOf(programmeSheet(data, english).tables)).toMatch(/won back by us,,,,,no conclusion/)
    expect(programmeSheet(data, chinese).sentences[0]?.text).toContain('分组异常，结论不可用')
  })
})
