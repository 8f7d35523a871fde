import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../../src/database/connect.ts'
import { readLift } from '../../../src/reports/lift/lift.ts'
import { compareWithFirst, type VariantFigures, variantFigures } from '../../../src/reports/lift/variants.ts'
import type { CampaignQuestion } from '../../../src/reports/question.ts'
import { sheetReports } from '../../../src/reports/reports.ts'
import { rollUp } from '../../../src/reports/rollup/rollup.ts'
import { csvOf } from '../../../src/reports/sheet.ts'
import { holm } from '../../../src/statistics/many.ts'
import { sampleOf, welch } from '../../../src/statistics/means.ts'
import { differenceTest } from '../../../src/statistics/miettinen-nurminen.ts'
import { newcombe } from '../../../src/statistics/newcombe.ts'
import { wilson } from '../../../src/statistics/wilson.ts'
import { freshDatabase } from '../../support/database.ts'
import { binomialDraws, seeded } from '../../support/draws.ts'
import { clearHistory, day, type History, writeHistory } from '../../support/episodes.ts'
import { clearReports, RULES } from '../../support/report-scene.ts'

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(
    database,
    'graded',
    { coupon: ['remind'], letter: ['letter'] },
    { versions: 3 },
  )
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(60)
const EVEN = [
  { name: 'plain', share: 0.5 },
  { name: 'story', share: 0.5 },
]

function question(more: Partial<CampaignQuestion> = {}): CampaignQuestion {
  const split = new Map([1, 2, 3].map((version) => [version, { holdout: 0.1, control: 0 }]))
  const uneven = [
    { name: 'plain', share: 0.2 },
    { name: 'story', share: 0.8 },
  ]
  const variants = new Map([
    [1, new Map([['remind', EVEN]])],
    [2, new Map([['remind', EVEN]])],
    [3, new Map([['remind', uneven]])],
  ])
  return { campaign: 'graded', now: NOW, split, variants, ...more }
}

type Planted = Omit<Parameters<History['assign']>[0], 'arm'> & { variant: string }

async function plant(...planted: Planted[]) {
  for (const each of planted) await history.assign({ arm: 'treated', ...each })
  const people = planted.reduce((sum, { count }) => sum + count, 0)
  await history.assign({ arm: 'holdout', count: Math.round(people / 9), recalled: Math.round(people / 90) })
  await rollUp(database, NOW, RULES)
  return await readLift(database, question())
}

const english = { locale: 'en', currency: 'CNY', color: false, width: 120 }
const chinese = { ...english, locale: 'zh-CN' }
const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

describe('variants in the lift', () => {
  it('compares all who drew one, sent to or not, and says which brings back more', async () => {
    const data = await plant(
      { variant: 'plain', count: 800, recalled: 80 },
      { variant: 'plain', count: 200, recalled: 20, settle: 'skipped' },
      { variant: 'story', count: 700, recalled: 126 },
      { variant: 'story', count: 300, recalled: 54, settle: 'skipped' },
    )
    const [step] = data.variants
    expect(step).toMatchObject({
      tier: 'coupon',
      step: 'remind',
      versions: [1],
      split: { alarm: false, strayed: 0 },
    })
    expect(
      step?.variants.map(({ name, assigned, sent, matured, recalled }) => ({
        name,
        assigned,
        sent,
        matured,
        recalled,
      })),
    ).toEqual([
      { name: 'plain', assigned: 1000, sent: 800, matured: 1000, recalled: 100 },
      { name: 'story', assigned: 1000, sent: 700, matured: 1000, recalled: 180 },
    ])
    expect(step?.variants[1]?.rate).toEqual(wilson(180, 1000))
    const [comparison] = step?.comparisons ?? []
    const groups = [
      { recalled: 180, assigned: 1000 },
      { recalled: 100, assigned: 1000 },
    ] as const
    expect(comparison?.difference).toEqual(newcombe(...groups))
    const test = differenceTest(...groups)
    expect(comparison?.adjusted).toBe(test.kind === 'tested' ? test.p : undefined)
    expect(comparison?.verdict).toBe('better')
    // Every touchpoint of the step is one of its variants'.
    const [messages] = await rows<{ planned: number }>(
      database,
      sql`SELECT sum(messages)::int AS planned FROM report_messages m JOIN steps s USING (step_id) WHERE s.step = 'remind'`,
    )
    expect(step?.variants.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(messages?.planned)

    expect(flat(sheetReports.lift.format(data, english))).toContain(
      'remind: story brings back more than plain (+8.0 points, +5.0 … +11.0).',
    )
    expect(flat(sheetReports.lift.format(data, chinese))).toContain(
      'remind：story 比 plain 召回更多（+8.0 个百分点，+5.0 … +11.0）。',
    )
    const tables = sheetReports.lift.sheet(data, english).tables
    const csv = (id: string) =>
      csvOf(tables.filter((table) => table.id === id))
        .split('\r\n')
        .slice(1, -1)
    expect(csv('variants')).toEqual([
      expect.stringMatching(
        /^remind · plain,0\.5,1000,800,1000,100,0\.1,8\.3 % … 12\.0 %,0\.0829\d*,0\.1201\d*$/,
      ),
      expect.stringMatching(
        /^remind · story,0\.5,1000,700,1000,180,0\.18,15\.7 % … 20\.5 %,0\.1574\d*,0\.2050\d*$/,
      ),
    ])
    expect(csv('comparisons')).toEqual([
      expect.stringMatching(
        /^remind · story against plain,0\.0[78]\d*,'\+5.0 … \+11.0,[\d.]*e-7,brings back more,0\.0[45]\d*,0\.1[01]\d*$/,
      ),
    ])
  })

  /** Books an amount to everybody who was sent a variant, or to those of them who came back. Units. */
  const book = (variant: string, kind: string, amount: number, backOnly = false) =>
    execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, ${kind}, 'email', ${amount * 1e6}::bigint, settled_at
        FROM touchpoint_records r WHERE variant = ${variant} AND state = 'sent'
          AND (NOT ${backOnly} OR EXISTS (SELECT FROM recalls b WHERE b.contact_id = r.contact_id))`,
    )

  it('weighs what each variant cost: a person, each who came back, and against what a recall is worth', async () => {
    await history.assign({ arm: 'treated', variant: 'plain', count: 900, recalled: 100 })
    await history.assign({ arm: 'treated', variant: 'plain', count: 100, settle: 'skipped' })
    await history.assign({ arm: 'treated', variant: 'story', count: 1000, recalled: 180 })
    await history.assign({ arm: 'holdout', count: 222, recalled: 22 })
    await book('plain', 'spend', 0.1)
    await book('story', 'spend', 0.1)
    await book('story', 'liability', 4, true)
    await book('story', 'labour', 1, true)
    // What the return released is of no step of the tier, and comes of the variant all the same.
    await execute(
      database,
      sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
      VALUES ('graded', 1, 9, 'on_return', 1, 'welcome', ARRAY['email']) ON CONFLICT DO NOTHING`,
    )
    await execute(
      database,
      sql`UPDATE ledger SET step_id = (SELECT max(step_id) FROM steps) WHERE kind = 'liability'`,
    )
    // Still open: in no figure yet.
    await history.assign({ arm: 'treated', variant: 'story', count: 10, at: day(50) })
    await history.assign({ arm: 'treated', variant: 'plain', count: 10, at: day(50) })
    await execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 99000000, settled_at
        FROM touchpoint_records WHERE settled_at = ${day(50)}`,
    )
    await rollUp(database, NOW, RULES)
    const data = await readLift(database, question({ recallValue: 100_000_000 }))
    const [step] = data.variants
    const heads = (parts: readonly [number, number, number][]) =>
      parts.flatMap(([count, cost, back]) =>
        Array.from({ length: count }, () => ({ cost: cost * 1e6, back })),
      )
    const plain = heads([
      [100, 0.1, 1],
      [800, 0.1, 0],
      [100, 0, 0],
    ])
    const story = heads([
      [180, 5.1, 1],
      [820, 0.1, 0],
    ])
    const sum = (of: typeof plain, by: (head: (typeof plain)[number]) => number) =>
      of.reduce((all, head) => all + by(head), 0)
    const moments = (of: typeof plain) => ({
      n: of.length,
      recalls: sum(of, ({ back }) => back),
      cost: sum(of, ({ cost }) => cost),
      costSquares: sum(of, ({ cost }) => cost * cost),
      products: sum(of, ({ cost, back }) => cost * back),
    })
    expect(step?.variants.map(({ cost }) => cost.moments)).toEqual([moments(plain), moments(story)])
    const cost = step?.comparisons[0]?.cost
    const sample = (of: typeof plain) =>
      sampleOf({
        n: of.length,
        sum: sum(of, (head) => head.cost),
        sumOfSquares: sum(of, (head) => head.cost ** 2),
      })
    const mean = welch(sample(story), sample(plain))
    expect(cost?.perPerson).toMatchObject(
      mean.kind === 'estimate' ? { value: 910_000, low: mean.low, high: mean.high } : {},
    )
    // The variance of a ratio of sums, from its residuals.
    const residual = (of: typeof plain) => {
      const { n, cost: c, recalls } = moments(of)
      return (sum(of, (head) => (head.cost - (c / recalls) * head.back) ** 2) * n) / (n - 1) / recalls ** 2
    }
    const half = 1.959963984540054 * Math.sqrt(residual(story) + residual(plain))
    const perRecall = cost?.perRecall.kind === 'estimate' ? cost.perRecall : undefined
    expect(perRecall?.value).toBeCloseTo((1_000 / 180 - 90 / 100) * 1e6, 3)
    expect((perRecall?.high ?? 0) - (perRecall?.value ?? 0)).toBeCloseTo(half, 0)
    // 8 points of a recall's 100, less 0.91.
    expect(cost?.benefit).toMatchObject({ kind: 'estimate', value: expect.closeTo(7_090_000, 0) })

    const inEnglish = flat(sheetReports.lift.format(data, english))
    expect(inEnglish).toContain(
      'Cost: plain CN¥0.09 a person, for each who came back CN¥0.90; story CN¥1.00 a person, for each who came back CN¥5.56.',
    )
    expect(inEnglish).toMatch(
      /With a recall worth CN¥100.00, what they bring in less what they cost: story \+CN¥7.09 a head against plain \(\+CN¥4\.\d\d … \+CN¥\d+\.\d\d\)\./,
    )
    expect(flat(sheetReports.lift.format(data, chinese))).toContain(
      '成本：plain 人均 ¥0.09，每召回一人 ¥0.90；story 人均 ¥1.00，每召回一人 ¥5.56。',
    )
    const tables = sheetReports.lift.sheet(data, english).tables
    const csv = (id: string) => csvOf(tables.filter((table) => table.id === id)).split('\r\n')
    expect(csv('variant_costs').slice(0, 2)).toEqual([
      ',booked,a person,95 % interval,each who came back,95 % interval,a person ≥,a person ≤,each who came back ≥,each who came back ≤',
      expect.stringMatching(
        /^remind · plain,90,0\.09,CN¥0\.0\d+ … CN¥0\.0\d+,0\.9,CN¥0\.\d+ … CN¥\d\.\d+,0\.088\d*,0\.091\d*,0\.73\d*,1\.06\d*$/,
      ),
    ])
    expect(csv('cost_comparisons')[1]).toMatch(
      /^remind · story against plain,0\.91,'\+CN¥0\.79 … \+CN¥1\.03,4\.655556,'\+CN¥\d\.\d\d … \+CN¥\d\.\d\d,7\.09,'\+CN¥4\.16 … \+CN¥10\.02,0\.7\d*,1\.0\d*,\d\.\d+,\d\.\d+,4\.1\d*,10\.0\d*$/,
    )
  })

  it('says that too few came back to price one, and nothing of costs where none were booked', async () => {
    const none = await plant(
      { variant: 'plain', count: 100, recalled: 9 },
      { variant: 'story', count: 100, recalled: 30 },
    )
    expect(sheetReports.lift.format(none, english)).not.toContain('Cost:')
    await book('plain', 'spend', 0.1)
    await book('story', 'spend', 0.2)
    await rollUp(database, NOW, RULES, { rebuild: true })
    const few = await readLift(database, question({ recallValue: 100_000_000 }))
    expect(few.variants[0]?.comparisons[0]?.cost).toMatchObject({
      perPerson: { kind: 'estimate', value: 100_000 },
      perRecall: { kind: 'not_enough', why: 'few_recalls' },
      benefit: { kind: 'not_enough', why: 'few_recalls' },
    })
    const text = flat(sheetReports.lift.format(few, english))
    expect(text).toContain(
      'Cost: plain CN¥0.10 a person, for each who came back not enough data yet (10 who came back are needed in each group); story CN¥0.20 a person, for each who came back CN¥0.67.',
    )
    expect(text).toContain('alike for everyone')
    expect(text).not.toContain('what they bring in')
    expect(sheetReports.lift.sheet(few, chinese).sentences[1]?.text).toContain(
      '成本：plain 人均 ¥0.10，每召回一人 数据不足，暂算不出（每组至少需要 10 人回来）；story 人均 ¥0.20，每召回一人 ¥0.67。',
    )
  })

  it('says how many more are needed where the difference may be chance, and when nothing can be told at all', async () => {
    const data = await plant(
      { variant: 'plain', count: 1000, recalled: 100 },
      { variant: 'story', count: 1000, recalled: 115 },
    )
    expect(data.variants[0]?.comparisons[0]?.verdict).toBe('no_difference')
    expect(flat(sheetReports.lift.format(data, english))).toMatch(
      /remind: Not yet: plain 10.0 %, story 11.5 % came back, and the difference may be chance. If the rates stay as they are, about [\d,]+ more must come back with plain before it can be told\./,
    )
    expect(sheetReports.lift.sheet(data, chinese).sentences[1]?.text).toMatch(
      /^remind：暂无结论：召回率 plain 10.0%，story 11.5%，.*plain 还需约 [\d,]+ 人回来才能下结论。/,
    )

    await clearHistory(database)
    await clearReports(database)
    const few = await plant(
      { variant: 'plain', count: 100, recalled: 4 },
      { variant: 'story', count: 100, recalled: 19 },
    )
    expect(few.variants[0]?.comparisons[0]).toMatchObject({ verdict: 'not_yet', adjustedDaily: undefined })
    expect(flat(sheetReports.lift.format(few, english))).toContain(
      'remind: Not yet: came back plain 4, story 19; at least 10 in each are needed.',
    )

    await clearHistory(database)
    await clearReports(database)
    const early = await plant(
      { variant: 'plain', count: 100, recalled: 40, at: day(50) },
      { variant: 'story', count: 100, recalled: 19, at: day(50) },
    )
    expect(early.variants[0]?.comparisons[0]).toMatchObject({
      verdict: 'not_yet',
      adjusted: undefined,
      difference: { kind: 'not_enough' },
    })
    expect(flat(sheetReports.lift.format(early, english))).toContain(
      'remind: Not yet: observation is complete for plain 0, story 0. 200 are still open.',
    )
  })

  it('concludes nothing where the variants, or the campaign’s own groups, are off', async () => {
    const off = await plant(
      { variant: 'plain', count: 800, recalled: 80 },
      { variant: 'story', count: 200, recalled: 60 },
    )
    expect(off.variants[0]?.split.alarm).toBe(true)
    const text = flat(sheetReports.lift.format(off, english))
    expect(text).toMatch(
      /remind: the variants are off, no conclusion: plain 800 where 500 were due; story 200 where 500 were due \(p = /,
    )
    expect(text).not.toContain('brings back more')

    await clearHistory(database)
    await clearReports(database)
    await history.assign({ arm: 'holdout', count: 900 })
    const unbalanced = await plant(
      { variant: 'plain', count: 500, recalled: 50 },
      { variant: 'story', count: 500, recalled: 150 },
    )
    expect(unbalanced.split.alarm).toBe(true)
    expect(sheetReports.lift.format(unbalanced, english)).not.toContain('brings back more')
  })

  it('concludes nothing where a message of the step is of no variant', async () => {
    await history.assign({ arm: 'treated', count: 1 })
    const data = await plant(
      { variant: 'plain', count: 500, recalled: 50 },
      { variant: 'story', count: 500, recalled: 150 },
    )
    expect(data.variants[0]?.split).toMatchObject({ strayed: 1, alarm: true, test: { alarm: false } })
    expect(flat(sheetReports.lift.format(data, english))).toContain('1 of a variant that has no share')
  })

  it('counts versions together that drew alike, and others apart', async () => {
    const data = await plant(
      { variant: 'plain', count: 100, recalled: 20, version: 1 },
      { variant: 'story', count: 100, recalled: 20, version: 1 },
      { variant: 'plain', count: 50, recalled: 10, version: 2 },
      { variant: 'story', count: 50, recalled: 10, version: 2 },
      { variant: 'plain', count: 40, recalled: 10, version: 3 },
      { variant: 'story', count: 160, recalled: 40, version: 3 },
    )
    expect(
      data.variants.map(({ versions, variants }) => [versions, variants.map(({ assigned }) => assigned)]),
    ).toEqual([
      [[3], [40, 160]],
      [
        [1, 2],
        [150, 150],
      ],
    ])
    expect(data.variants.every(({ split }) => !split.alarm)).toBe(true)
    expect(sheetReports.lift.format(data, english)).toContain('remind (versions 1, 2) · plain')
  })

  it('counts the window from entering the tier, to its end after the episode’s, without being told to rebuild', async () => {
    const made = await history.assign({ arm: 'treated', count: 2, variant: 'plain' })
    await history.assign({ arm: 'treated', count: 2, variant: 'story' })
    // They drew on entering the tier on day 20; one comes back on day 45, when the episode is long over.
    await execute(database, sql`UPDATE stages SET entered_at = ${day(20)}`)
    await rollUp(database, day(40), RULES)
    const back = made[0]?.contactId ?? 0
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
          VALUES (${back}, ${day(45)}, 1, 'session', ${day(45)})`,
    )
    for (const on of [46, 49]) {
      await rollUp(database, day(on), RULES)
      const { variants } = await readLift(database, question({ now: day(on) }))
      expect(variants[0]?.variants[0]).toMatchObject({ matured: 0, pending: 2 })
    }
    await rollUp(database, day(52), RULES)
    const { variants } = await readLift(database, question({ now: day(52) }))
    expect(variants[0]?.variants[0]).toMatchObject({ matured: 2, recalled: 1 })
    expect(await rollUp(database, day(53), RULES)).toEqual({ days: 0, busy: false })
  })
})

describe('several variants against the first', () => {
  const figures = (name: string, matured: number, recalled: number): VariantFigures =>
    variantFigures(
      { name, share: 1 / 3, sent: matured },
      { assigned: matured, contaminated: 0, matured, recalled },
      { n: matured, recalls: recalled, cost: 0, costSquares: 0, products: 0 },
    )

  it('have their p corrected by Holm', () => {
    const first = figures('plain', 1000, 100)
    const found = compareWithFirst([first, figures('a', 1000, 128), figures('b', 1000, 160)])
    const raw = [128, 160].map((recalled) => {
      const test = differenceTest({ recalled, assigned: 1000 }, { recalled: 100, assigned: 1000 })
      return test.kind === 'tested' ? test.p : 1
    })
    expect(found.map(({ adjusted }) => adjusted)).toEqual(holm(raw))
    expect(found.map(({ verdict }) => verdict)).toEqual(['no_difference', 'better'])
    expect(found.every(({ adjusted = 0, adjustedDaily = 0 }) => adjustedDaily >= adjusted)).toBe(true)
  })

  it('find nothing where there is nothing, looked at every day, and what was planted', () => {
    const follow = (rates: readonly number[], seed: string, experiments: number) => {
      const random = seeded(seed)
      const draws = rates.map((rate) => binomialDraws(150, rate, random))
      return Array.from({ length: experiments }, () => {
        const recalled = rates.map(() => 0)
        for (let on = 1; on <= 30; on += 1) {
          for (const [at, draw] of draws.entries()) recalled[at] = (recalled[at] ?? 0) + draw()
          const found = compareWithFirst(recalled.map((count, at) => figures(`v${at}`, on * 150, count)))
          const told = found.filter(({ verdict }) => verdict === 'better' || verdict === 'worse')
          if (told.length > 0) return told.map(({ variant, verdict }) => `${variant} ${verdict}`)
        }
        return []
      })
    }
    const nothing = follow([0.05, 0.05, 0.05], 'variants', 600)
    expect(nothing.filter((told) => told.length > 0).length / 600).toBeLessThanOrEqual(0.05)
    const planted = follow([0.05, 0.05, 0.09], 'planted', 100)
    expect(planted.filter((told) => told.includes('v2 better')).length).toBeGreaterThan(95)
    expect(planted.flat().every((told) => told === 'v2 better')).toBe(true)
  })
})
