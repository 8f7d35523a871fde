import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute } from '../../src/database/connect.ts'
import { readCampaigns } from '../../src/reports/campaigns.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { checkSplit } from '../../src/reports/effect.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { readMonday } from '../../src/reports/monday/monday.ts'
import { readReport } from '../../src/reports/overview/overview.ts'
import { formatReport } from '../../src/reports/overview/overview-text.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { sheetReports } from '../../src/reports/reports.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { csvOf } from '../../src/reports/sheet.ts'
import { alarmSentence } from '../../src/reports/verdict-text.ts'
import { speechOf } from '../../src/reports/words.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'

// Figures that a marketer in a hurry would read as more than they say.

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['remind'] }, { versions: 2 })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(100)
const question = (more: Partial<CampaignQuestion> = {}): CampaignQuestion => ({
  ...{ campaign: 'graded', now: NOW, split: new Map([[1, { holdout: 0.1, control: 0 }]]) },
  ...more,
})
const english = { locale: 'en', currency: 'CNY', color: false, width: 100 }
const chinese = { ...english, locale: 'zh-CN' }
const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

describe('the first sentence of Monday', () => {
  const lead = async (treated: number, heldOut: number) => {
    await history.assign({ arm: 'treated', count: 900, recalled: treated, at: day(4) })
    await history.assign({ arm: 'holdout', count: 100, recalled: heldOut, at: day(4) })
    await rollUp(database, NOW, RULES)
    const data = await readMonday(database, question())
    return [english, chinese].map((style) => sheetReports.monday.sheet(data, style).sentences[0])
  }

  it('calls nobody won back where the interval of the week holds nought', async () => {
    expect(await lead(198, 20)).toEqual([
      {
        text: expect.stringMatching(
          /^Of those taken in during the week of Jan 5, 2026, no effect is shown: the difference of \+18 \(95 % interval -\d+ to \+\d+\) may be chance\.$/,
        ),
        tone: 'plain',
      },
      { text: expect.stringContaining('当周纳入者中未见效果：相差 +18 人'), tone: 'plain' },
    ])
  })

  it('says of fewer that they are fewer', async () => {
    expect(await lead(90, 40)).toEqual([
      {
        text: expect.stringMatching(
          /fewer came back because of the contact: -270 \(95 % interval -\d+ to -\d+\)\.$/,
        ),
        tone: 'bad',
      },
      { text: expect.stringContaining('触达后回来的人反而更少：-270 人'), tone: 'bad' },
    ])
  })

  it('names the interval of who was won back', async () => {
    const [said] = await lead(360, 10)
    expect(said).toMatchObject({
      tone: 'good',
      text: expect.stringContaining('270 came back because of us (95 % interval +'),
    })
  })
})

describe('a share held out that was changed on the way', () => {
  const split = new Map([
    [1, { holdout: 0.1, control: 0 }],
    [2, { holdout: 0.5, control: 0 }],
  ])

  /** Half come back in spring, of whom few are held out, and a tenth in summer, of whom half are. The contact does nothing. */
  async function twoSeasons(): Promise<void> {
    await history.assign({ arm: 'treated', version: 1, count: 900, recalled: 450 })
    await history.assign({ arm: 'holdout', version: 1, count: 100, recalled: 50 })
    await history.assign({ arm: 'treated', version: 2, count: 500, recalled: 50, at: day(50) })
    await history.assign({ arm: 'holdout', version: 2, count: 500, recalled: 50, at: day(50) })
    await rollUp(database, NOW, RULES)
  }

  it('lets no season pass for an effect, in any report, and is told', async () => {
    await twoSeasons()
    const natural = (900 * 0.5 + 500 * 0.1) / 1400
    const effect = {
      treated: { matured: 1400, recalled: 500, rate: { value: 500 / 1400 } },
      heldOut: { matured: 600, recalled: 100, rate: { value: expect.closeTo(natural, 12) } },
      difference: { value: expect.closeTo(0, 12) },
      recalls: { value: expect.closeTo(0, 9) },
      uncompared: 0,
    }
    const data = await readLift(database, question({ split }))
    const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
    const monday = await readMonday(database, question({ split }))
    const [line] = await readCampaigns(database, [{ campaign: 'graded', split }], NOW)
    for (const report of [
      data,
      overview,
      monday,
      { overall: line?.effect, verdict: line?.verdict },
      { overall: data.cells[0], verdict: data.verdict },
      { overall: overview.byTier[0], verdict: overview.verdict },
    ]) {
      expect(report.overall).toMatchObject(effect)
      expect(report.verdict).toEqual({ kind: 'no_difference' })
    }
    expect(data.relativeUplift).toBeCloseTo(0, 12)
    expect(data.sequence.at(-1)?.estimate).toEqual(data.overall.sequence)
    expect(data.curves.heldOut.at(-1)?.rate).toMatchObject({ value: expect.closeTo(natural, 12) })
    expect(data.curves.treated.at(-1)?.rate).toMatchObject({ value: expect.closeTo(500 / 1400, 12) })
    expect(data.steadied.raw).toMatchObject({ value: expect.closeTo(0, 12) })
    expect(csvOf(sheetReports.lift.sheet(data, english).tables)).toContain('for one look,0,')
    for (const [style, words] of [
      [
        english,
        'changed on the way (10.0 %, 50.0 %): groups with different shares are compared each within itself',
      ],
      [chinese, '对照组比例中途变更过（10.0%、50.0%）：不同比例的分组各自在内部比较'],
    ] as const) {
      expect(flat(sheetReports.lift.format(data, style))).toContain(words)
      expect(flat(sheetReports.monday.format(monday, style))).toContain(words)
      expect(flat(formatReport(overview, style))).toContain(words)
    }
    const later = await readLift(database, question({ split, from: day(40).toISOString().slice(0, 10) }))
    expect(flat(sheetReports.lift.format(later, english))).not.toContain('changed on the way')
  })

  it('keeps an effect that is there, as recalls that add up', async () => {
    await history.assign({ arm: 'treated', version: 1, count: 900, recalled: 630 })
    await history.assign({ arm: 'holdout', version: 1, count: 100, recalled: 50 })
    await history.assign({ arm: 'treated', version: 2, count: 500, recalled: 100, at: day(50) })
    await history.assign({ arm: 'holdout', version: 2, count: 500, recalled: 50, at: day(50) })
    await rollUp(database, NOW, RULES)
    const { overall, verdict } = await readLift(database, question({ split }))
    expect(overall.recalls).toMatchObject({ value: expect.closeTo(180 + 50, 9) })
    expect(verdict).toEqual({ kind: 'won_back' })
    // A message costs 0.10, and everybody who comes back redeems 1.
    for (const [kind, amount, which] of [
      ['spend', 100_000, sql`e.arm = 'treated'`],
      ['liability', 1_000_000, sql`EXISTS (SELECT FROM recalls r WHERE r.episode_id = e.episode_id)`],
    ] as const)
      await execute(
        database,
        sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
            SELECT e.contact_id, nextval('touchpoint_ids'), e.episode_id, s.step_id, ${kind}, 'email', ${amount}, e.assigned_at
            FROM episodes e CROSS JOIN LATERAL (SELECT step_id FROM steps LIMIT 1) s WHERE ${which}`,
      )
    await rollUp(database, NOW, RULES, { rebuild: true })
    const price = 1e6 + 100_000 / (230 / 1400)
    const cost = await readCost(database, question({ split, recallValue: 3e6 }))
    expect(flat(sheetReports.cost.format(cost, english))).toContain('are compared each within itself')
    for (const { withLabour, benefit } of cost.prices) {
      expect(withLabour).toMatchObject({ answer: 'cost', value: expect.closeTo(price, 3) })
      expect(benefit).toMatchObject({ value: expect.closeTo((3e6 - price) * (230 / 1400), 3) })
    }
    const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
    expect(overview.cost.perIncremental).toBeCloseTo(price, 3)
    expect(overview.cost.perRecall).toBeCloseTo((140e6 + 730e6) / 730, 3)
  })

  it('compares a running week at its age day by day, where it was changed within the week', async () => {
    const at = (days: number, more: { arm: 'treated' | 'holdout'; version: number }) => ({
      ...more,
      at: day(days),
      recalledAfter: 2,
    })
    // 2026-01-05 is a Monday.
    await history.assign({ ...at(4, { arm: 'treated', version: 1 }), count: 900, recalled: 450 })
    await history.assign({ ...at(4, { arm: 'holdout', version: 1 }), count: 100, recalled: 50 })
    await history.assign({ ...at(6, { arm: 'treated', version: 2 }), count: 500, recalled: 50 })
    await history.assign({ ...at(6, { arm: 'holdout', version: 2 }), count: 500, recalled: 50 })
    const now = day(20)
    await rollUp(database, now, RULES)
    const { running } = await readMonday(database, question({ split, now }))
    expect(running?.week.effect).toMatchObject({
      treated: { recalled: 500, matured: 1400 },
      difference: { value: expect.closeTo(0, 12) },
    })
  })

  it('reaches what came after, too, and the figure by person where somebody lapsed in both seasons', async () => {
    const first = await history.assign({ arm: 'treated', version: 1, count: 900, recalled: 450 })
    const others = await history.assign({ arm: 'holdout', version: 1, count: 100, recalled: 50 })
    const again = (of: typeof first, count: number) => ({
      ...{ version: 2, count, recalled: count / 10, at: day(50), episodeNo: 2 },
      persons: of.slice(0, count).map(({ personId }) => personId),
    })
    await history.assign({ arm: 'treated', ...again(first, 400) })
    await history.assign({ arm: 'holdout', ...again([...first.slice(400), ...others], 400) })
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
          SELECT e.contact_id, e.assigned_at + interval '5 days', e.episode_id, 'session', e.assigned_at
          FROM episodes e JOIN recalls r USING (contact_id, episode_id)`,
    )
    await rollUp(database, NOW, RULES)
    const natural = (900 * 0.5 + 400 * 0.1) / 1300
    const { stayed } = await readMonday(database, question({ split }))
    expect(stayed.find(({ name }) => name === 'active7')).toMatchObject({
      treated: { count: 490, of: 1300, rate: expect.closeTo(natural, 12) },
      heldOut: { count: 90, of: 500, rate: expect.closeTo(natural, 12) },
      difference: { value: expect.closeTo(0, 12) },
    })
    const { clustered, overall } = await readLift(database, question({ split }))
    if (clustered?.kind !== 'estimate' || overall.difference.kind !== 'estimate')
      throw new Error('an estimate')
    expect(clustered.value).toBe(overall.difference.value)
    expect(clustered.high).toBeGreaterThanOrEqual(overall.difference.high)
  })

  it('of a tier’s own draw is compared each within itself, too, and what the tier costs', async () => {
    const draw = async (
      version: number,
      at: Date,
      groups: { treated: number; holdout: number; rate: number },
    ) => {
      for (const arm of ['treated', 'holdout'] as const) {
        const count = groups[arm]
        const drawn = await history.assign({
          arm: 'treated',
          version,
          count,
          recalled: count * groups.rate,
          at,
        })
        const ids = sql.param(drawn.map(({ episodeId }) => episodeId))
        await execute(
          database,
          sql`UPDATE stages SET drawn = true, arm = ${arm} WHERE episode_id = ANY(${ids}::bigint[])`,
        )
      }
    }
    await draw(1, day(0), { treated: 900, holdout: 100, rate: 0.5 })
    await draw(2, day(50), { treated: 500, holdout: 500, rate: 0.1 })
    await rollUp(database, NOW, RULES)
    const drawn = new Map(
      [0.1, 0.5].map((share, at) => [
        at + 1,
        { holdout: 0, control: 0, tiers: new Map([['coupon', share]]) },
      ]),
    )
    const effect = {
      treated: { matured: 1400, recalled: 500 },
      heldOut: { matured: 600, recalled: 100, rate: { value: expect.closeTo(500 / 1400, 12) } },
      difference: { value: expect.closeTo(0, 12) },
    }
    const { ownDraws } = await readLift(database, question({ split: drawn }))
    expect(ownDraws).toMatchObject([{ tier: 'coupon', adjusted: 1, ...effect }])
    const asked = {
      campaign: 'graded',
      now: NOW,
      split: drawn,
      goals: new Map([1, 2].map((of) => [of, 'session'])),
    }
    expect((await readReport(database, asked)).ownDraws).toMatchObject([{ tier: 'coupon', ...effect }])
    const cost = await readCost(database, question({ split: drawn, recallValue: 1e6 }))
    expect(cost.prices.at(-1)).toMatchObject({ name: 'coupon', benefit: { value: expect.closeTo(0, 3) } })
    const lift = await readLift(database, question({ split: drawn }))
    for (const [style, words] of [
      [english, 'The share that coupon holds out by its own draw was changed on the way (10.0 %, 50.0 %)'],
      [chinese, '阶段 coupon 自身的对照比例中途变更过（10.0%、50.0%）'],
    ] as const) {
      expect(flat(sheetReports.lift.format(lift, style))).toContain(words)
      expect(flat(sheetReports.cost.format(cost, style))).toContain(words)
    }
    // Where a tier held out nobody before, one share alone is compared.
    const first = new Map(
      [0.1, 0].map((share, at) => [at + 1, { holdout: 0, control: 0, tiers: new Map([['coupon', share]]) }]),
    )
    const { split } = await readLift(database, question({ split: first }))
    expect(split.tierHoldouts).toEqual([])
  })

  it('concludes nothing from a tier’s own draw whose groups have not the sizes they were drawn with', async () => {
    const drew = new Map([[1, { holdout: 0, control: 0, tiers: new Map([['coupon', 0.1]]) }]])
    const asked = { campaign: 'graded', now: NOW, split: drew, goals: new Map() }
    for (const [heldOut, off] of [
      [100, false],
      [250, true],
    ] as const) {
      await clearHistory(database)
      await clearReports(database)
      const people = await history.assign({ arm: 'treated', count: 900 + heldOut, recalled: 300 })
      const ids = people.slice(900).map(({ episodeId }) => episodeId)
      await execute(
        database,
        sql`UPDATE stages SET drawn = true, arm = CASE WHEN episode_id = ANY(${sql.param(ids)}::bigint[]) THEN 'holdout' ELSE 'treated' END`,
      )
      await rollUp(database, NOW, RULES)
      const lift = await readLift(database, question({ split: drew }))
      const overview = await readReport(database, asked)
      const cost = await readCost(database, question({ split: drew, recallValue: 1e6 }))
      const monday = await readMonday(database, question({ split: drew, recallValue: 1e6 }))
      expect(lift).toMatchObject({ split: { alarm: false }, ownDraws: [{ tier: 'coupon', off }] })
      expect(overview.ownDraws).toMatchObject([{ tier: 'coupon', off }])
      expect(cost.prices.map((price) => price.off)).toEqual([false, off])
      for (const [style, none] of [
        [english, 'no conclusion'],
        [chinese, '结论不可用'],
      ] as const)
        for (const row of [
          sheetReports.lift.sheet(lift, style).tables.find(({ id }) => id === 'own_draws')?.rows[0],
          sheetReports.cost.sheet(cost, style).tables.find(({ id }) => id === 'prices')?.rows[1],
          sheetReports.monday.sheet(monday, style).tables.find(({ id }) => id === 'earning')?.rows[1],
        ])
          expect(row?.some(({ text }) => text === none)).toBe(off)
      const [, told = ''] = formatReport(overview, english).split('by its own draw')
      expect(told.split('\n')[1]?.includes('no conclusion')).toBe(off)
    }
  })

  it('says of whom nobody was held out beside that they are compared with nobody', async () => {
    const none = new Map([
      [1, { holdout: 0.5, control: 0 }],
      [2, { holdout: 0, control: 0 }],
    ])
    await history.assign({ arm: 'treated', version: 1, count: 500, recalled: 150 })
    await history.assign({ arm: 'holdout', version: 1, count: 500, recalled: 50 })
    await history.assign({ arm: 'treated', version: 2, count: 1000, recalled: 900, at: day(50) })
    await rollUp(database, NOW, RULES)
    const data = await readLift(database, question({ split: none }))
    expect(data.overall).toMatchObject({
      treated: { assigned: 1500, matured: 500, recalled: 150, pending: 0 },
      uncompared: 1000,
      recalls: { value: expect.closeTo(100, 9) },
    })
    for (const [style, words] of [
      [english, '1,000 contacted whose observation is complete have nobody to be compared with'],
      [chinese, '1,000 名观察期已满的触达者没有可供比较的对照组'],
    ] as const)
      expect(flat(sheetReports.lift.format(data, style))).toContain(words)
  })
})

describe('where nobody was held out', () => {
  const said = async (holdout: number) => {
    const asked = question({
      split: new Map([[1, { holdout, control: 0 }]]),
      recallValue: 40_000_000,
    })
    await rollUp(database, NOW, RULES)
    const monday = await readMonday(database, asked)
    const lift = sheetReports.lift.sheet(await readLift(database, asked), english)
    const whole = lift.tables.find(({ id }) => id === 'whole')
    return {
      sentences: [english, chinese].map((style) =>
        sheetReports.monday.sheet(monday, style).sentences.map(({ text }) => text),
      ),
      whole: whole?.rows.length === 0 ? whole.empty : '',
      cost: sheetReports.cost.sheet(await readCost(database, asked), english).sentences[0]?.text,
    }
  }

  it('asks for no more returns, which would tell nothing', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 360, at: day(4) })
    await history.assign({ arm: 'treated', count: 50, recalled: 20, at: day(82) })
    expect(await said(0)).toEqual({
      sentences: [
        [expect.stringMatching(/^Not yet: nobody is left uncontacted to compare with,.* Set `holdout`\.$/)],
        [expect.stringMatching(/^暂无结论：没有未触达的人可供比较，.*请设置 `holdout`。$/)],
      ],
      whole: 'There is nobody to compare with.',
      cost: 'One won back by us costs: nobody to compare with.',
    })
  })

  it('asks for no share that is set, of whose draw nobody happened to be', async () => {
    await history.assign({ arm: 'treated', count: 5, recalled: 2, at: day(4) })
    const { sentences } = await said(0.1)
    expect(sentences).toEqual([
      [
        'Not yet: of 5 taken in so far, nobody was drawn to be left uncontacted (10.0 % are), so there is nobody to compare with yet.',
      ],
      ['暂无结论：目前纳入的 5 人中还没有人被抽为对照组（比例 10.0%），暂无可供比较的人。'],
    ])
  })

  it('says of a week of which nobody was that it cannot tell for that', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 360, at: day(4) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: day(4) })
    await history.assign({ arm: 'treated', version: 2, count: 300, recalled: 120, at: day(11) })
    await history.assign({ arm: 'treated', version: 2, count: 50, recalled: 20, at: day(82) })
    await rollUp(database, NOW, RULES)
    const split = new Map([
      [1, { holdout: 0.1, control: 0 }],
      [2, { holdout: 0, control: 0 }],
    ])
    const monday = await readMonday(database, question({ split }))
    const sentences = (style: typeof english) =>
      sheetReports.monday.sheet(monday, style).sentences.map(({ text }) => text)
    const [, week, running] = sentences(english)
    expect(week).toMatch(
      /The week of Jan 12, 2026 alone cannot tell: nobody taken in then was left uncontacted\.$/,
    )
    expect(running).toMatch(/^The week of .* days old; nobody taken in then was left uncontacted\.$/)
    expect(sentences(chinese)[1]).toMatch(/当周尚无法判断：当周纳入者中没有对照组。$/)
  })
})

it('puts no difference of rates beyond what a difference can be, of however few', async () => {
  await history.assign({ arm: 'treated', count: 4, recalled: 3, at: day(4) })
  await history.assign({ arm: 'holdout', count: 3, at: day(4) })
  await rollUp(database, NOW, RULES)
  const { steadied } = await readLift(database, question())
  expect(steadied).toMatchObject({
    raw: { value: 0.75, low: expect.closeTo(-0.05, 2), high: 1 },
    adjusted: { value: 0.75, high: 1 },
  })
})

it('calls nothing a p of nought: groups may be further off than a number can tell', () => {
  const drawn = (treated: number, holdout: number) =>
    checkSplit(
      [
        { version: 1, arm: 'treated', assigned: treated },
        { version: 1, arm: 'holdout', assigned: holdout },
      ],
      { holdout: 0.1, control: 0 },
    )
  const said = (treated: number, holdout: number) =>
    [english, chinese].map((style) =>
      alarmSentence({ split: drawn(treated, holdout) }, speechOf(style))?.replace(/.*[(（]/, ''),
    )
  expect(said(60_000, 40_000)).toEqual(['p < 1e-300).', 'p < 1e-300）。'])
  expect(said(800, 200)).toEqual([
    expect.stringMatching(/^p = \d\.\de-\d+\)\.$/),
    expect.stringMatching(/^p = \d\.\de-\d+）。$/),
  ])
})

it('is no price of nought where nothing was booked', async () => {
  await history.assign({ arm: 'treated', count: 900, recalled: 360, at: day(4) })
  await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: day(4) })
  await rollUp(database, NOW, RULES)
  const cost = await readCost(database, question())
  expect(sheetReports.cost.format(cost, english)).toContain('One won back by us costs: nothing was spent.')
  const { figures } = sheetReports.monday.sheet(await readMonday(database, question()), english)
  expect(figures?.figures.map(({ name }) => name)).not.toContain('one won back costs')
})
