import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { roiCell, roiText } from '../../src/reports/cost/roi-text.ts'
import { earnedBy } from '../../src/reports/margins.ts'
import { readMonday } from '../../src/reports/monday/monday.ts'
import { readPeople, roiMoments } from '../../src/reports/people-cells.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { sheetReports } from '../../src/reports/reports.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { csvOf } from '../../src/reports/sheet.ts'
import { speechOf } from '../../src/reports/words.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../support/episodes.ts'
import { assertPatiently } from '../support/patience.ts'
import { bookMany, clearReports, RULES } from '../support/report-scene.ts'

// What people brought in for what they cost: from orders and the ledger to the sentence.

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(
    database,
    'graded',
    { coupon: ['remind', 'coupon'], trial: ['call'] },
    { drawing: ['trial'] },
  )
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(60)
const question = (more: Partial<CampaignQuestion> = {}): CampaignQuestion => ({
  campaign: 'graded',
  now: NOW,
  split: new Map([[1, { holdout: 0.1, control: 0 }]]),
  ...more,
})
const english = { locale: 'en', currency: 'CNY', color: false, width: 100 }
const chinese = { locale: 'zh-CN', currency: 'CNY', color: false, width: 100 }
const flat = (text: string) => text.replaceAll(/\s+/g, ' ')

interface Act {
  readonly type: string
  /** Days after the assignment. */
  readonly after: number
  readonly value: number | null
}

async function act(contactId: number, at: Date, acts: readonly Act[]): Promise<void> {
  for (const [no, { type, after, value }] of acts.entries()) {
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
          VALUES (${contactId}, ${new Date(at.getTime() + after * DAY)}, ${no}, ${type}, ${value}, ${NOW})`,
    )
  }
}

async function book(episode: { contactId: number; episodeId: number }, kind: string, amount: number) {
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        VALUES (${episode.contactId}, nextval('touchpoint_ids'), ${episode.episodeId},
          ${history.stepIds.get('trial/call') ?? 0}, ${kind}, 'email', ${amount}, ${NOW})`,
  )
}

describe('what a goal earns', () => {
  it('is its margin, and of an order less what is paid back; each event once', () => {
    expect(earnedBy({ back: { event: 'session' } }, 'order')).toEqual({})
    expect(earnedBy({ back: { event: 'order', margin: 0 } }, 'order')).toEqual({})
    expect(
      earnedBy({ bought: { event: 'order', margin: 0.3 }, again: { event: 'order', margin: 0.5 } }, 'order'),
    ).toEqual({ order: 0.3, order_refunded: -0.3 })
    expect(earnedBy({ club: { event: 'subscription_started', margin: 0.8 } }, 'order')).toEqual({
      subscription_started: 0.8,
    })
  })
})

describe('the sums', () => {
  const amounts = fc.integer({ min: 1, max: 9_000_000_000 })
  const person = fc.record({
    arm: fc.constantFrom('treated' as const, 'holdout' as const),
    tier: fc.constantFrom('coupon', 'trial'),
    on: fc.integer({ min: 0, max: 2 }),
    acts: fc.array(
      fc.record({
        type: fc.constantFrom('order', 'order', 'order_refunded', 'session'),
        // Both ends of the window, and either side of them.
        after: fc.constantFrom(-1, 0, 0.00001, 3, 29.5, 30, 30.00001, 31),
        value: fc.option(amounts, { nil: null }),
      }),
      { maxLength: 4 },
    ),
    costs: fc.array(fc.record({ kind: fc.constantFrom('spend', 'liability', 'labour'), amount: amounts }), {
      maxLength: 3,
    }),
  })

  it('stay at the end of what a column holds, where an import took the amounts from another column', async () => {
    const [head] = await history.assign({
      arm: 'treated',
      tier: 'trial',
      count: 1100,
      at: day(0),
      settle: false,
    })
    const most = 2 ** 53 - 1
    // Beyond it at a single head, and at the day's heads together.
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
          SELECT contact_id, ${day(2)}, no, 'order', ${most}, ${NOW}
          FROM episodes CROSS JOIN LATERAL generate_series(1, CASE WHEN contact_id = ${head?.contactId} THEN 3500 ELSE 4 END) no`,
    )
    await execute(
      database,
      sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
            reserved_at, granted_at, expires_at, redeemed_at, redeemed_value)
          SELECT contact_id, episode_id, campaign, 'five', 'coupon', 1, 1, 'redeemed', 1, 1, ${day(0)}, ${day(0)}, ${day(7)},
            ${day(2)}, ${most} FROM episodes`,
    )
    await rollUp(database, NOW, RULES)
    const sums = sql`SELECT (SELECT margin FROM report_people)::text AS people,
      (SELECT margin FROM report_stages)::text AS stages, (SELECT value FROM report_offers)::text AS bought`
    const end = String(2n ** 63n - 1n)
    expect(await rows(database, sums)).toEqual([{ people: end, stages: end, bought: end }])
  })

  it('are those of a plain computation over every head, with the window’s ends as they are', async () => {
    await assertPatiently(
      fc.asyncProperty(fc.array(person, { minLength: 2, maxLength: 8 }), async (people) => {
        await clearHistory(database)
        await clearReports(database)
        const expected = new Map<string, Record<string, number>>()
        const add = (key: string, figures: Record<string, number>) => {
          const sums = expected.get(key) ?? {}
          for (const [name, value] of Object.entries(figures)) sums[name] = (sums[name] ?? 0) + value
          expected.set(key, sums)
        }
        for (const { arm, tier, on, acts, costs } of people) {
          const [made] = await history.assign({ arm, tier, count: 1, at: day(on), settle: false })
          if (!made) throw new Error('an episode')
          await act(made.contactId, day(on), acts)
          for (const { kind, amount } of costs) await book(made, kind, amount)
          const earned = acts
            .filter(({ after }) => after > 0 && after <= 30)
            .reduce((sum, { type, value }) => {
              const tenths = type === 'order' ? 3n : type === 'order_refunded' ? -3n : 0n
              return sum + tenths * BigInt(value ?? 0)
            }, 0n)
          // Half away from zero, as PostgreSQL rounds.
          const margin = Number(earned < 0n ? -((-earned + 5n) / 10n) : (earned + 5n) / 10n)
          const cost = (labour: boolean) =>
            costs
              .filter(({ kind }) => labour || kind !== 'labour')
              .reduce((sum, { amount }) => sum + amount, 0)
          for (const labour of [true, false]) {
            const figures = {
              n: 1,
              buyers: margin === 0 ? 0 : 1,
              margin,
              cost: cost(labour),
              marginSquares: margin ** 2,
              costSquares: cost(labour) ** 2,
              products: margin * cost(labour),
            }
            add(`${arm} ${labour}`, figures)
            if (arm === 'treated' && tier === 'trial') add(`stage ${labour}`, figures)
          }
        }
        await rollUp(database, NOW, RULES)
        const cells = await readPeople(database, { campaign: 'graded', now: NOW }, ['tier', 'version'])
        for (const arm of ['treated', 'holdout'] as const) {
          for (const labour of [true, false]) {
            const wanted = expected.get(`${arm} ${labour}`)
            if (wanted) expectClose(roiMoments(cells, arm, labour), wanted)
          }
        }
        const [stage] = await rows<Record<string, number>>(
          database,
          sql`SELECT sum(buyers)::bigint AS buyers, sum(margin)::float8 AS margin,
                sum(margin_squares)::float8 AS "marginSquares", sum(margin_costs)::float8 AS products,
                sum(margin_unpaid)::float8 AS unpaid FROM report_stages HAVING count(*) > 0`,
        )
        const { n: _n, cost: _cost, costSquares: _squares, ...wanted } = expected.get('stage true') ?? {}
        if (stage) expectClose(stage, { ...wanted, unpaid: expected.get('stage false')?.products ?? 0 })
        else expect(expected.has('stage true')).toBe(false)
      }),
      { numRuns: 12, milliseconds: 15_000 },
    )
  })

  it('take away what was paid back, written as a loss or as an amount', async () => {
    const [plain, signed] = await history.assign({ arm: 'treated', count: 2, settle: false })
    const order: Act = { type: 'order', after: 1, value: 100_000_000 }
    await act(plain?.contactId ?? 0, day(0), [order, { type: 'order_refunded', after: 2, value: 40_000_000 }])
    await act(signed?.contactId ?? 0, day(0), [
      order,
      { type: 'order_refunded', after: 2, value: -40_000_000 },
    ])
    await rollUp(database, NOW, RULES)
    expect(await rows(database, sql`SELECT margin FROM report_people`)).toEqual([{ margin: 36_000_000 }])
  })

  function expectClose(found: object, wanted: Record<string, number>) {
    for (const [name, value] of Object.entries(wanted)) {
      const got = (found as Record<string, number>)[name] ?? Number.NaN
      // Of both signs and up to 1e20: the last digits of what cancels out are not kept.
      const slack = /Squares|products|unpaid/.test(name) ? 1e6 : 0
      expect(Math.abs(got - value), `${name}: ${got}, not ${value}`).toBeLessThanOrEqual(
        1e-9 * Math.abs(value) + slack,
      )
    }
  }

  it('are counted again when a margin is declared or changed, and when an order of a long window comes late', async () => {
    const [made] = await history.assign({ arm: 'treated', count: 1, at: day(0), settle: false })
    if (!made) throw new Error('an episode')
    await execute(database, sql`UPDATE episodes SET window_ends_at = ${day(120)}`)
    await act(made.contactId, day(0), [{ type: 'order', after: 5, value: 10e6 }])
    const margin = async (earned: Record<string, number> | undefined) => {
      const { days } = await rollUp(database, day(160), { ...RULES, earnedOf: async () => earned })
      const [found] = await rows<{ margin: number }>(
        database,
        sql`SELECT margin FROM report_people ORDER BY day LIMIT 1`,
      )
      return [days, found?.margin]
    }
    expect(await margin({})).toEqual([1, 0])
    expect(await margin({})).toEqual([0, 0])
    expect(await margin({ order: 0.3 })).toEqual([1, 3e6])
    expect(await margin({ order: 0.3 })).toEqual([0, 3e6])
    expect(await margin({ order: 0.25 })).toEqual([1, 2.5e6])
    await act(made.contactId, day(0), [])
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
          VALUES (${made.contactId}, ${day(110)}, 99, 'order', 4000000, ${day(160)})`,
    )
    await execute(
      database,
      sql`INSERT INTO feed_days (day, events, newest_at) VALUES (${day(110).toISOString().slice(0, 10)}::date, 1, ${day(110)})`,
    )
    expect(await margin({ order: 0.25 })).toEqual([1, 3.5e6])
    // Goals that can no longer be read: what was known last goes on, for days that are counted again and for new ones.
    expect(await margin(undefined)).toEqual([0, 3.5e6])
    await execute(database, sql`INSERT INTO report_dirty SELECT campaign, day FROM report_days`)
    await history.assign({ arm: 'treated', count: 1, at: day(150), settle: false })
    expect(await margin(undefined)).toEqual([2, 3.5e6])
    expect(await rows(database, sql`SELECT DISTINCT earned FROM report_days`)).toEqual([
      { earned: { order: 0.25 } },
    ])
  })
})

/** 900 against 100; orders of 100, of which 30 are earned. */
async function fill(buyers: { treated: number; holdout: number }, cost = 1e6): Promise<void> {
  for (const [arm, count] of [
    ['treated', 900],
    ['holdout', 100],
  ] as const) {
    const made = await history.assign({ arm, count, recalled: buyers[arm], at: day(5), settle: false })
    for (const { contactId } of made.slice(0, buyers[arm]))
      await act(contactId, day(5), [{ type: 'order', after: 2, value: 100e6 }])
  }
  await bookMany(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, nextval('touchpoint_ids'), episode_id, ${history.stepIds.get('coupon/remind') ?? 0}, k.kind,
          'email', k.amount, assigned_at
        FROM episodes CROSS JOIN (VALUES ('spend', ${cost}::bigint), ('labour', ${cost / 2}::bigint)) k(kind, amount)
        WHERE arm = 'treated'`,
  )
  await rollUp(database, NOW, RULES)
}

describe('the report', () => {
  it('says the extra margin, what is left of it and the ROI, with labour and without, in both languages', async () => {
    await fill({ treated: 270, holdout: 20 })
    const data = await readCost(database, question())
    const roi = data.prices[0]?.roi
    if (!(roi && 'ratio' in roi.withLabour && 'ratio' in roi.withoutLabour)) throw new Error('a ratio')
    // 30 % of 100 for 10 points more buyers, at 1.50 a head with labour and 1.00 without.
    expect(roi.withLabour.margin).toMatchObject({ kind: 'estimate', value: 3e6 })
    expect(roi.withLabour.left.value).toBeCloseTo(1.5e6, 3)
    expect(roi.withLabour.ratio).toMatchObject({ answer: 'ratio', g: 0 })
    expect(roiCell(roi.withLabour, false, speechOf(english)).value).toBeCloseTo(1, 9)
    expect(roiCell(roi.withoutLabour, false, speechOf(english)).value).toBeCloseTo(2, 9)
    const text = flat(sheetReports.cost.format(data, english))
    expect(text).toMatch(
      /ROI: \+100 % \(-\d+ % … \+\d+ %\)\. Whether it earns more than it costs cannot be told yet\./,
    )
    // Whoever looks every day is told that these intervals are not made for it.
    expect(text).toContain('The intervals hold for one look each, on a day fixed beforehand.')
    expect(flat(sheetReports.cost.format(data, { ...english, locale: 'zh-CN' }))).toContain(
      '区间只对事先定好的一次查看有效',
    )
    expect(text).toContain('order 30.0 %')
    expect(text).not.toContain('order_refunded')
    const zh = flat(sheetReports.cost.format(data, chinese))
    expect(zh).toMatch(/ROI（投资回报率）：\+100%（.*）。尚不能判断收益是否高于成本。/)
    expect(zh).toContain('多赚的毛利')
    const csv = csvOf(sheetReports.cost.sheet(data, english).tables)
    expect(csv).toMatch(/roi\r\n.*ROI with labour.*\r\nall,3,1\.5,/)
    // What is written in brackets is in columns of its own.
    const table = csvOf(sheetReports.cost.sheet(data, english).tables.filter(({ id }) => id === 'roi'))
    const [heads = [], all = []] = table
      .split('\r\n')
      .map((line) => line.match(/("[^"]*"|[^,]*)(,|$)/g) ?? [])
    const found = (title: string) =>
      Number.parseFloat(all[heads.findIndex((head) => head.startsWith(title))] ?? '')
    const { ratio } = roi.withLabour
    if (ratio.answer !== 'ratio') throw new Error('a ratio')
    expect(found('ROI with labour ≥')).toBeCloseTo(ratio.low, 9)
    expect(found('ROI with labour ≤')).toBeCloseTo(ratio.high, 9)
    expect(found('left of it after all cost ≥')).toBeCloseTo(roi.withLabour.left.low / 1e6, 9)
    expect(flat(sheetReports.monday.format(await readMonday(database, question()), english))).toContain(
      '+100 %',
    )
  })

  it('gives no ratio where the cost is not told from nothing, and none without buyers', async () => {
    await fill({ treated: 270, holdout: 9 })
    const few = await readCost(database, question())
    expect(few.prices[0]?.roi?.withLabour).toEqual({ kind: 'not_enough', why: 'few_buyers' })
    expect(flat(sheetReports.cost.format(few, english))).toContain('ROI: not enough data yet.')
    await clearHistory(database)
    await clearReports(database)
    await fill({ treated: 270, holdout: 20 }, 0)
    const free = await readCost(database, question())
    expect(flat(sheetReports.cost.format(free, english))).toContain('ROI: no extra cost to divide by.')
    expect(flat(sheetReports.cost.format(free, chinese))).toContain('没有额外成本')
  })

  it('writes a ROI beyond ten times the cost as a multiple, and keeps the number in the CSV', async () => {
    await fill({ treated: 270, holdout: 20 }, 60_000)
    const data = await readCost(database, question())
    const [en, zh] = [english, chinese].map((style) => flat(sheetReports.cost.format(data, style)))
    // 3.00 more margin at 0.09 a head with labour, and at 0.06 without.
    expect(en).toMatch(/ROI: \+32 times \(\+\d[^)]* … \+\d+ times\)\./)
    expect(zh).toMatch(/ROI（投资回报率）：\+32 倍（.* … \+\d+ 倍）。/)
    expect(csvOf(sheetReports.cost.sheet(data, english).tables)).toMatch(/\r\nall,3,2\.91,32\.3/)
    const speech = speechOf(english)
    expect([9.99, 10, -10, 12.07, -23.5].map((roi) => roiText(roi, speech))).toEqual([
      '+999 %',
      '+1,000 %',
      '-1,000 %',
      '+12 times',
      '-24 times',
    ])
    const wide = { kind: 'estimate', value: 0.16, low: -23.5, high: 23.7, confidence: 0.95 } as const
    const margin = { ...wide, p: 0.9, standardError: 1, degrees: 10 }
    const ratio = { ...wide, answer: 'ratio', g: 0.1 } as const
    expect(roiCell({ margin, left: wide, ratio }, false, speech).text).toBe('+16 % (-2,350 % … +2,370 %)')
  })

  it('says whether it pays where that can be told', async () => {
    for (const [cost, said, zh] of [
      [200_000, 'It earns more than it costs.', '收益高于成本。'],
      [20e6, 'It costs more than it earns.', '成本高于收益。'],
    ] as const) {
      await clearHistory(database)
      await clearReports(database)
      await fill({ treated: 270, holdout: 20 }, cost)
      const data = await readCost(database, question())
      expect(flat(sheetReports.cost.format(data, english))).toContain(said)
      expect(flat(sheetReports.cost.format(data, chinese))).toContain(zh)
    }
  })

  it('gives no figure while the groups are off', async () => {
    await fill({ treated: 270, holdout: 20 })
    const off = await readCost(database, question({ split: new Map([[1, { holdout: 0.5, control: 0 }]]) }))
    expect(off.alarm).toBe(true)
    const text = flat(sheetReports.cost.format(off, english))
    expect(text).toContain('ROI: no conclusion.')
    expect(text).not.toMatch(/\+100 %|earns/)
    const table = sheetReports.cost.sheet(off, english).tables.find(({ id }) => id === 'roi')
    expect(table?.rows[0]?.slice(1).map(({ value }) => value)).toEqual([null, null, null, null])
  })

  it('says how to declare a margin where no goal has one', async () => {
    // Of nobody it is not known whether one has.
    const unasked = flat(sheetReports.cost.format(await readCost(database, question()), english))
    expect(unasked).not.toContain('Set a margin')
    await fill({ treated: 270, holdout: 20 })
    await rollUp(database, NOW, { ...RULES, earnedOf: async () => ({}) })
    const data = await readCost(database, question())
    expect(data.earned).toBeUndefined()
    const sheet = sheetReports.cost.sheet(data, english)
    expect(sheet.tables.map(({ id }) => id)).not.toContain('roi')
    const text = flat(sheetReports.cost.format(data, english))
    expect(sheet.sentences.map(({ text: said }) => said).join()).not.toContain('ROI')
    expect(text).toContain('Set a margin on a goal to see the ROI')
    expect(flat(sheetReports.cost.format(data, chinese))).toContain('为目标设置毛利率即可看到 ROI')
    expect(flat(sheetReports.monday.format(await readMonday(database, question()), english))).not.toContain(
      'ROI',
    )
  })
})
