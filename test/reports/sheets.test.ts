import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute } from '../../src/database/connect.ts'
import { addAnnotation } from '../../src/reports/annotations.ts'
import { campaignsNote, campaignsTable, readCampaigns } from '../../src/reports/campaigns.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { priceCell } from '../../src/reports/cost/cost-text.ts'
import { readFunnel } from '../../src/reports/funnel.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { readMonday } from '../../src/reports/monday/monday.ts'
import { readOffers } from '../../src/reports/offers.ts'
import { readReport } from '../../src/reports/overview/overview.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { sheetReports } from '../../src/reports/reports.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { csvOf, writing } from '../../src/reports/sheet.ts'
import type { SheetReport } from '../../src/reports/sheet-report.ts'
import { speechOf } from '../../src/reports/words.ts'
import { costPerRecall } from '../../src/statistics/net-benefit.ts'
import { newcombe } from '../../src/statistics/newcombe.ts'
import { vectors } from '../statistics/vectors.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../support/episodes.ts'
import { bookMany, clearReports, RULES } from '../support/report-scene.ts'

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(
    database,
    'graded',
    { coupon: ['remind', 'coupon'], trial: ['call'], letter: ['letter'] },
    { drawing: ['trial'] },
  )
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const NOW = day(60)
function question(more: Partial<CampaignQuestion> = {}): CampaignQuestion {
  return { campaign: 'graded', now: NOW, split: new Map([[1, { holdout: 0.1, control: 0 }]]), ...more }
}

const english = { locale: 'en', currency: 'CNY', color: false, width: 100 }
const chinese = { locale: 'zh-CN', currency: 'CNY', color: false, width: 100 }

/** Monday 5 January 2026 and after: weeks of the assignment. */
const week = (n: number) => day(4 + 7 * n)

/** The history, counted. */
async function fill(): Promise<void> {
  await write()
  await rollUp(database, NOW, RULES)
}

async function write(): Promise<void> {
  // Two complete weeks (20 % and 25 % against 10 %), and one that is still observed.
  for (const [n, recalled] of [
    [0, 180],
    [1, 225],
  ] as const) {
    await history.assign({ arm: 'treated', count: 900, recalled, at: week(n) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: week(n), recalledAfter: 2.5 })
  }
  await history.assign({
    arm: 'treated',
    count: 90,
    recalled: 30,
    at: week(6),
    tier: 'letter',
    segment: 'vip',
    settle: 'skipped',
  })
  await history.assign({
    arm: 'holdout',
    count: 10,
    recalled: 1,
    at: week(6),
    tier: 'letter',
    segment: 'vip',
  })
  await history.answer('backlog', 50, week(0))
  await book()
}

/** What was sent cost 0.10, and 0.05 of labour. */
async function book(): Promise<void> {
  await bookMany(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, k.kind, 'email', k.amount, settled_at FROM touchpoint_records
        CROSS JOIN (VALUES ('spend', 100000), ('labour', 50000)) k(kind, amount) WHERE state = 'sent'`,
  )
}

describe('every report', () => {
  it('with nothing to show says what to do next, and with figures keeps to the width, in both languages', async () => {
    for (const filled of [false, true]) {
      if (filled) await fill()
      await addAnnotation(database, {
        campaign: null,
        from: '2026-01-09',
        to: '2026-01-10',
        label: 'New Year sale',
        by: 'ada',
        now: NOW,
      })
      for (const report of Object.values(sheetReports) as unknown as SheetReport<
        CampaignQuestion,
        unknown
      >[]) {
        const data = await report.read(database, question())
        for (const style of [english, chinese]) {
          const sheet = report.sheet(data, style)
          const text = report.format(data, style)
          expect(sheet.name).toBe(report.name)
          expect(text).toContain('New Year sale')
          expect(text).toContain(
            style === english ? (filled ? 'counted ' : 'not counted yet') : filled ? '统计于' : '尚未统计',
          )
          if (!filled)
            for (const table of sheet.tables)
              if (table.rows.length === 0) expect(text).toContain(table.empty.slice(0, 12))
          for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
          for (const table of sheet.tables) {
            for (const row of table.rows)
              expect(row.length, `${report.name} ${table.id}`).toBe(table.columns.length)
          }
          JSON.stringify(data)
          expect(csvOf(sheet.tables)).toContain(sheet.tables[0]?.columns.at(-1)?.title ?? '')
        }
      }
    }
  })

  it('as of a day that is past shows nobody who was yet to come', async () => {
    await write()
    await book()
    await rollUp(database, NOW, RULES)
    const past = question({ now: new Date(week(0).getTime() - DAY) })
    for (const report of Object.values(sheetReports) as unknown as SheetReport<CampaignQuestion, unknown>[]) {
      const figures = report
        .sheet(await report.read(database, past), english)
        .tables.flatMap(({ rows }) =>
          rows.flatMap((row) => row.flatMap(({ value }) => (typeof value === 'number' ? [value] : []))),
        )
      expect([report.name, figures.filter((figure) => figure !== 0)]).toEqual([report.name, []])
    }
    expect((await readLift(database, past)).verdict).toEqual({ kind: 'not_yet', why: 'nobody' })
  })

  it('adds up money beyond what a number holds exactly', async () => {
    await write()
    const each = 900_000_000_000_000
    await execute(database, sql`UPDATE ledger SET amount = ${each}`)
    await rollUp(database, NOW, RULES)
    const large = sql`${'10000000000000000'}::bigint`
    await execute(
      database,
      sql`INSERT INTO report_offers VALUES
        ('graded', ${NOW}, 'five', 'coupon', 'coupon', 'everyone', 9, 9, 0, ${large}, ${large}, ${large})`,
    )
    for (const report of Object.values(sheetReports) as unknown as SheetReport<CampaignQuestion, unknown>[]) {
      report.format(await report.read(database, question()), english)
    }
    const { channels } = await readMonday(database, question())
    expect(channels).toMatchObject([{ channel: 'email', sent: 3600, spend: 3600 * each }])
    const { offers } = await readOffers(database, question())
    expect(offers).toMatchObject([{ outstanding: 1e16, face: 1e16, value: 1e16 }])
  })
})

describe('the funnel', () => {
  it('adds up to the last person, and says so; and says by how much it does not', async () => {
    await fill()
    await history.assign({ arm: 'control', count: 7, at: week(1) })
    await rollUp(database, NOW, RULES)
    const data = await readFunnel(database, question())
    expect(data).toMatchObject({ considered: 2157, opened: 2107, episodes: 2107, counted: 2107, holds: true })
    expect(
      data.cells
        .filter((cell) => cell.arm === 'treated')
        .map(({ answer, reason, people }) => [answer, reason, people]),
    ).toEqual([
      ['sent', '', 1800],
      ['skipped', 'condition', 90],
    ])
    expect(sheetReports.funnel.format(data, english)).toContain('Everything adds up, to the last person.')
    await execute(database, sql`DELETE FROM run_answers WHERE arm = 'control'`)
    const off = await readFunnel(database, question())
    expect(off.holds).toBe(false)
    expect(sheetReports.funnel.format(off, english)).toContain(
      'It does not add up: the runs took in 2,100, 2,107 are',
    )
  })

  it('takes nobody for missing who was taken in since it was counted', async () => {
    await history.assign({ arm: 'treated', count: 20 })
    await rollUp(database, NOW, RULES)
    await history.assign({ arm: 'treated', count: 5, at: day(7) })
    const told = async () => {
      const data = await readFunnel(database, question())
      return [english, chinese].map((style) => sheetReports.funnel.sheet(data, style).sentences[0])
    }
    expect(await told()).toEqual([
      { text: 'Whether everything adds up can be told once 1 day is counted again.', tone: 'plain' },
      { text: '1 天待重新统计，统计后方可核对人数。', tone: 'plain' },
    ])
    await rollUp(database, NOW, RULES)
    expect((await told())[0]?.tone).toBe('good')
  })
})

describe('the lift', () => {
  it('draws both curves over the same people, the sequence by day, and cells behind the campaign’s gate', async () => {
    await fill()
    const data = await readLift(database, question())
    expect(data.verdict).toEqual({ kind: 'won_back' })
    expect(data.overall.difference).toEqual(
      newcombe({ recalled: 405, assigned: 1800 }, { recalled: 20, assigned: 200 }),
    )
    expect(data.curves.treated).toHaveLength(30)
    // Recalled after one day: in the second day's figure, and in all later ones; the held out after two and a half.
    const rates = (curve: typeof data.curves.treated) =>
      curve.map(({ rate }) => (rate.kind === 'estimate' ? Math.round(rate.value * 1000) / 1000 : null))
    expect(rates(data.curves.treated).slice(0, 3)).toEqual([0, 0.225, 0.225])
    expect(rates(data.curves.heldOut).slice(0, 4)).toEqual([0, 0, 0.1, 0.1])
    expect(data.sequence.map(({ day: at }) => at)).toEqual(['2026-01-05', '2026-01-12'])
    expect(data.cells.map(({ tier, segment, selected }) => [tier, segment, selected])).toEqual([
      ['coupon', 'everyone', true],
      ['letter', 'vip', false],
    ])
    const sheet = sheetReports.lift.sheet(data, english)
    expect(sheet.charts.map(({ id }) => id)).toEqual(['curves', 'sequence', 'heat'])
    // Of whom nothing can be told yet, it is not said that nobody was taken in.
    const early = { kind: 'not_enough', why: 'few_recalls' } as const
    const running = {
      ...data,
      overall: { ...data.overall, difference: early, sequence: early },
      steadied: { ...data.steadied, adjusted: early },
      clustered: undefined,
      relativeUplift: undefined,
    }
    expect(sheetReports.lift.format(running, english)).toContain('Too few have been observed to the end yet.')
    // What the frame around a cell means stands above it, where there is one.
    const titled = (cells: typeof data.cells) =>
      sheetReports.lift.sheet({ ...data, cells }, english).charts.find(({ id }) => id === 'heat')?.title
    expect(titled(data.cells)).toContain('framed: holds among all cells')
    expect(titled(data.cells.map((each) => ({ ...each, selected: false })))).not.toContain('framed')
    expect(sheetReports.lift.format(data, english)).toContain('Won back by us: 225 (95 % interval')
    // 405 of 1,800 against 20 of 200: every way to say it is in the CSV, with its ends.
    const csv = csvOf(sheetReports.lift.sheet(data, english).tables.filter(({ id }) => id === 'whole'))
    const [heads, once, daily] = csv.split('\r\n')
    expect(heads).toBe(',difference,95 % interval,difference ≥,difference ≤')
    const { difference, sequence } = data.overall
    if (difference.kind !== 'estimate' || sequence.kind !== 'estimate') throw new Error('estimates')
    expect(once).toMatch(/^for one look,0\.125,/)
    expect(once?.endsWith(`,${difference.low},${difference.high}`)).toBe(true)
    expect(daily?.endsWith(`,${sequence.low},${sequence.high}`)).toBe(true)
    expect(csv).toContain('of the contacted",0.225,')
    expect(csv).toContain('relative to those not contacted,1.25,')
    expect(data.relativeUplift).toBeCloseTo(1.25, 12)
    // The workspace's control group is compared with nobody here.
    await history.assign({ arm: 'control', count: 50, recalled: 45, at: week(0) })
    await rollUp(database, NOW, RULES, { rebuild: true })
    const { curves, sequence: days, overall } = await readLift(database, question())
    expect({ curves, days, overall }).toEqual({
      curves: data.curves,
      days: data.sequence,
      overall: data.overall,
    })
  })

  it('says how many more are needed, and shows no cell as a finding, where the campaign is none', async () => {
    // Each by itself looks like an effect, one to the good and one to the bad.
    const other = { tier: 'letter', segment: 'vip', at: day(0) }
    await history.assign({ arm: 'treated', count: 900, recalled: 180, at: day(0) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 5, at: day(0) })
    await history.assign({ arm: 'treated', count: 900, recalled: 45, ...other })
    await history.assign({ arm: 'holdout', count: 100, recalled: 18, ...other })
    await rollUp(database, NOW, RULES)
    const data = await readLift(database, question())
    expect(data.verdict.kind).toBe('no_difference')
    expect(data.cells).toHaveLength(2)
    for (const { adjusted, selected } of data.cells) {
      expect(adjusted).toBeLessThan(0.05)
      expect(selected).toBe(false)
    }
    expect(sheetReports.lift.format(data, english).replaceAll(/\s+/g, ' ')).toMatch(
      /If the rates stay as they are, [\d,]+ more must come back in the group not contacted/,
    )
  })

  it('clusters by person where somebody lapsed again', async () => {
    const first = await history.assign({ arm: 'treated', count: 200, recalled: 100, at: day(0) })
    const again = first.slice(0, 150).map(({ personId }) => personId)
    await history.assign({
      arm: 'treated',
      count: 100,
      recalled: 100,
      at: day(40),
      episodeNo: 2,
      persons: again.slice(0, 100),
    })
    await history.assign({
      arm: 'holdout',
      count: 50,
      recalled: 10,
      at: day(40),
      episodeNo: 2,
      persons: again.slice(100),
    })
    await history.assign({ arm: 'holdout', count: 40, recalled: 10, at: day(0) })
    const now = day(100)
    const split = new Map([[1, { holdout: 90 / 390, control: 0 }]])
    await rollUp(database, now, RULES)
    const data = await readLift(database, question({ now, split }))
    if (data.clustered?.kind !== 'estimate' || data.overall.difference.kind !== 'estimate')
      throw new Error('estimates')
    // By hand: of the first 100 contacts all recalled twice (y = 2, x = 2); 50 with y = 0, x = 1 and a held-out episode.
    const r = 200 / 300
    const s = 20 / 90
    const squares = 100 * (2 - 2 * r) ** 2 + 100 * r ** 2
    const held = 20 * (1 - s) ** 2 + 70 * s ** 2
    const both = -r * (10 * (1 - s) + 40 * -s)
    const variance = (squares * 200) / 199 / 300 ** 2 + (held * 90) / 89 / 90 ** 2 - (2 * both) / (300 * 90)
    expect(data.clustered.value).toBeCloseTo(r - s, 12)
    expect(data.clustered.high - data.clustered.value).toBeCloseTo(1.959963984540054 * Math.sqrt(variance), 9)
    const twice = 'Some lapsed more than once'
    expect(sheetReports.lift.format(data, english)).toContain(twice)
    // A message of 1 to the treated: what it costs hangs together by person alone. All 100 who were written to twice cost 2.
    await execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
          SELECT e.contact_id, nextval('touchpoint_ids'), e.episode_id, s.step_id, 'spend', 'email', 1000000, e.assigned_at
          FROM (SELECT * FROM episodes WHERE arm = 'treated' ORDER BY contact_id, assigned_at LIMIT 150) e
          CROSS JOIN LATERAL (SELECT step_id FROM steps LIMIT 1) s`,
    )
    await rollUp(database, now, RULES, { rebuild: true })
    const cost = await readCost(database, question({ now, split, recallValue: 0 }))
    // The 75 first contacts cost 2 by two lapses, all others of the 200 nothing by one or two.
    const mean = 150 / 300
    const spread = 75 * (2 - 2 * mean) ** 2 + 25 * (2 * mean) ** 2 + 100 * mean ** 2
    const half = (1.959963984540054 * Math.sqrt(spread)) / 300
    const { benefit } = cost.prices[0] ?? {}
    expect(benefit?.value).toBeCloseTo(-mean * 1e6, 3)
    // The correction for the mean is by lapses here: n/(n − 1) of what each lapse adds by itself.
    expect(Math.abs((benefit?.high ?? 0) - (benefit?.value ?? 0)) / (half * 1e6)).toBeCloseTo(1, 2)
    expect(sheetReports.cost.format(cost, english)).toContain(twice)
    // Of the second lapses alone, everybody is there once.
    const from = day(30).toISOString().slice(0, 10)
    expect((await readLift(database, question({ now, split, from }))).clustered).toBeUndefined()
    expect(await readCost(database, question({ now, split, from }))).toMatchObject({ repeated: false })
  })

  it('steps over the band-switching trap: by entry the effect is true, and a later tier’s by its own draw', async () => {
    const trap = vectors?.band_switching_trap ?? {
      correct_itt_by_entry_band: 0.09,
      control: { total: 0.36875 },
      treated: { total: 0.45875 },
    }
    const n = 8000
    await history.assign({
      arm: 'treated',
      count: n,
      recalled: Math.round(n * trap.treated.total),
      at: day(0),
    })
    await history.assign({
      arm: 'holdout',
      count: n,
      recalled: Math.round(n * trap.control.total),
      at: day(0),
    })
    // Those still silent go on to the next tier, which draws and does nothing: rates alike in both of its arms.
    await execute(
      database,
      sql`INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
          SELECT e.contact_id, e.episode_id, 2, e.assigned_at + interval '4 days', CASE WHEN row_number() OVER (ORDER BY e.episode_id) % 2 = 0 THEN 'treated' ELSE 'holdout' END, true
          FROM episodes e LEFT JOIN recalls r USING (contact_id, episode_id) WHERE e.arm = 'treated' AND r.contact_id IS NULL`,
    )
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
          SELECT contact_id, entered_at + interval '2 days', episode_id, 'session', entered_at FROM (
            SELECT s.*, ntile(100) OVER (PARTITION BY arm ORDER BY contact_id) AS part FROM stages s WHERE tier_no = 2) s
          WHERE part <= 13`,
    )
    await rollUp(database, NOW, RULES)
    const data = await readLift(database, question({ split: new Map([[1, { holdout: 0.5, control: 0 }]]) }))
    const [entry] = data.cells
    if (entry?.difference.kind !== 'estimate') throw new Error('an estimate')
    expect(entry.difference.value).toBeCloseTo(trap.correct_itt_by_entry_band, 3)
    const [own] = data.ownDraws
    if (own?.difference.kind !== 'estimate') throw new Error('an estimate')
    expect(own.tier).toBe('trial')
    expect(Math.abs(own.difference.value)).toBeLessThan(0.005)
  })
})

it('prices a tier’s own draw by all that was booked from entering it on: what later tiers and the return gave, too', async () => {
  const priced = await writeHistory(
    database,
    'priced',
    { first: ['hello'], second: ['more'], on_return: ['gift'] },
    { drawing: ['first'] },
  )
  await priced.assign({ arm: 'treated', count: 400, recalled: 200 })
  const spared = await priced.assign({ arm: 'treated', count: 100, recalled: 20, settle: false })
  await execute(
    database,
    sql`UPDATE stages SET arm = 'holdout' WHERE episode_id IN (${sql.join(
      spared.map(({ episodeId }) => sql`${episodeId}`),
      sql`, `,
    )})`,
  )
  const bookTo = async (arm: string, step: string, amount: number, after: number, backOnly = false) =>
    await execute(
      database,
      sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
          SELECT s.contact_id, nextval('touchpoint_ids'), s.episode_id, ${priced.stepIds.get(step) ?? 0}, 'liability',
            'email', ${amount}::bigint, s.entered_at + make_interval(days => ${after}::int)
          FROM stages s LEFT JOIN recalls r USING (contact_id, episode_id)
          WHERE s.arm = ${arm} AND (r.contact_id IS NOT NULL OR NOT ${backOnly})`,
    )
  await bookTo('treated', 'first/hello', 100_000, 0)
  await bookTo('treated', 'second/more', 300_000, 4)
  /** Promised a day before the tier was entered; what it came to in the end was booked after. */
  const promise = async (offer: string, expected: number, cost: number, after: number, backOnly: boolean) =>
    await execute(
      database,
      sql`WITH promised AS (
            INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
              reserved_at, granted_at, expires_at, redeemed_at)
            SELECT s.contact_id, s.episode_id, 'priced', ${offer}, 'coupon', ${priced.stepIds.get('first/hello') ?? 0},
              nextval('touchpoint_ids'), CASE WHEN ${cost}::bigint = 0 THEN 'expired' ELSE 'redeemed' END, 2000000,
              ${expected}::bigint, s.entered_at - interval '1 day', s.entered_at - interval '1 day',
              s.entered_at + interval '9 days',
              CASE WHEN ${cost}::bigint > 0 THEN s.entered_at + make_interval(days => ${after}::int) END
            FROM stages s LEFT JOIN recalls r USING (contact_id, episode_id)
            WHERE s.arm = 'treated' AND (r.contact_id IS NOT NULL OR NOT ${backOnly})
            RETURNING contact_id, touchpoint_id, episode_id, step_id, granted_at)
          INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
          SELECT contact_id, touchpoint_id, episode_id, step_id, 'liability', b.amount, granted_at + make_interval(days => b.day)
          FROM promised, (VALUES (${expected}::bigint, 0), (${cost - expected}::bigint, ${after + 1}::int)) b(amount, day)`,
    )
  // Used since, it costs all that it cost; not used, nothing, and is no gain.
  await promise('gift', 500_000, 2_000_000, 1, true)
  await promise('coupon', 400_000, 0, 3, false)
  // Those whom the tier left alone are written to by the next.
  await bookTo('holdout', 'second/more', 300_000, 4)
  // Before it was entered: nothing the draw could have changed.
  await bookTo('treated', 'first/hello', 9_000_000, -1)
  await rollUp(database, NOW, RULES)
  const asked = question({ campaign: 'priced', recallValue: 10_000_000 })
  const first = (await readCost(database, asked)).prices.find(({ name }) => name === 'first')
  // 0.10 and a gift of 2 to every second of them, for thirty more of a hundred.
  expect(first?.withLabour).toMatchObject({ answer: 'cost', value: expect.closeTo(1_100_000 / 0.3, 0) })
  expect(first?.benefit?.value).toBeCloseTo(3_000_000 - 1_100_000, 3)
})

it('says that a tier’s figures are of who entered with it for as long as nobody of its own draw is complete', async () => {
  const early = await writeHistory(
    database,
    'early',
    { first: ['hello'], second: ['more'] },
    { drawing: ['second'] },
  )
  for (const tier of ['first', 'second']) {
    await early.assign({ arm: 'treated', tier, count: 200, recalled: 100 })
    await early.assign({ arm: 'holdout', tier, count: 100, recalled: 20 })
  }
  await execute(
    database,
    sql`UPDATE stages SET entered_at = ${day(10)}, arm = CASE WHEN contact_id % 2 = 0 THEN 'holdout' ELSE 'treated' END
        WHERE drawn`,
  )
  const tiers = new Map([
    ['first', 0],
    ['second', 0.5],
  ])
  const told = async (now: Date) => {
    await rollUp(database, now, RULES)
    const asked = question({
      campaign: 'early',
      now,
      split: new Map([[1, { holdout: 1 / 3, control: 0, tiers }]]),
    })
    const monday = sheetReports.monday.format(await readMonday(database, asked), english)
    const cost = sheetReports.cost.format(await readCost(database, asked), chinese)
    return [monday.replaceAll(/\s+/g, ' '), cost.replaceAll(/\s+/g, ' ')]
  }
  const notes = [
    '* second: nobody’s observation by the tier’s own draw is complete yet; until then, this is of those who entered with it.',
    '* second：阶段内随机者的观察期均未满，此前按从该阶段进入的人计算。',
  ]
  const before = await told(day(35))
  const after = await told(day(45))
  for (const [at, note] of notes.entries()) {
    expect(before[at]).toContain(note)
    expect(after[at]).not.toContain(note)
  }
})

describe('Monday', () => {
  it('sets the last complete week against the one before, and the running one at its age', async () => {
    await write()
    await history.assign({ arm: 'treated', count: 900, recalled: 90, at: week(5), recalledAfter: 3 })
    await history.assign({ arm: 'holdout', count: 100, recalled: 5, at: week(5), recalledAfter: 20 })
    // Later than what can be known by then.
    await execute(database, sql`DELETE FROM recalls WHERE recalled_at > ${day(49)}`)
    const now = new Date(day(49).getTime() + DAY / 2)
    await rollUp(database, now, RULES)
    const data = await readMonday(database, question({ now, acquisition: 220e6, recallValue: 40e6 }))
    expect(data.lastFinal?.day).toBe('2026-01-12')
    expect(data.weekBefore?.day).toBe('2026-01-05')
    expect(data.running).toMatchObject({ age: 3, week: { day: '2026-02-09' } })
    expect(data.running?.week.effect.treated).toMatchObject({ matured: 900, recalled: 0 })
    expect(data.running?.finalAtThatAge?.treated.recalled).toBe(225)
    const text = sheetReports.monday.format(data, english).replaceAll(/\s+/g, ' ')
    expect(text).toContain('Of those taken in during the week of Jan 12, 2026, 135 came back because of us')
    expect(text).toContain('against 90 the week before')
    expect(text).toContain('Brings in: a recall counts CN¥40.00, as the campaign says')
    expect(text).toContain('The week of Feb 9, 2026 is 3 days old; too few came back so far to tell.')
    const young = { ...data, running: data.running && { ...data.running, age: 1 }, touchesAHead: 1 }
    const early = sheetReports.monday.format(young, english).replaceAll(/\s+/g, ' ')
    expect(early).toContain('The week of Feb 9, 2026 is 1 day old;')
    expect(early).toContain('Messages per person contacted: 1.')
    // The ends of each interval stand in the CSV as numbers, and contain the figure.
    for (const [id, row] of [
      ['weeks', 'complete, Jan 12, 2026'],
      ['stayed', 'active in the week to day 7'],
    ]) {
      const csv = csvOf(sheetReports.monday.sheet(data, english).tables.filter((table) => table.id === id))
      expect(csv.split('\r\n')[0]).toMatch(/(won back|points) ≥,(won back|points) ≤$/)
      const cells = (csv.split('\r\n').find((line) => line.includes(row ?? '')) ?? '').split(',')
      const [low, high] = cells.slice(-2).map(Number)
      const value = Number(cells.at(-4))
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
    // Nothing has come in lately: who came back since is not known.
    const silent = { ...data, freshness: { ...data.freshness, activityAt: day(30) } }
    expect(sheetReports.monday.format(silent, english)).toContain('No activity has come in for 19 days')
    expect(sheetReports.monday.format(silent, chinese)).toContain('已有 19 天没有新的活跃数据')
    const fresh = { ...data, freshness: { ...data.freshness, activityAt: day(47) } }
    expect(sheetReports.monday.format(fresh, english)).not.toContain('No activity has come in')
    // A week begins on its Monday wherever it is read.
    const west = { ...english, timezone: 'America/New_York' }
    expect(sheetReports.monday.format(data, west).replaceAll(/\s+/g, ' ')).toContain(
      'Of those taken in during the week of Jan 12, 2026',
    )
    expect(text).toContain('a new customer costs CN¥220.00')
    expect(sheetReports.monday.format(data, chinese)).toContain('多召回 135 人')
  })

  it('leads with everybody who is complete where the last week alone cannot tell', async () => {
    await history.assign({ arm: 'treated', count: 1800, recalled: 720, at: week(0) })
    await history.assign({ arm: 'holdout', count: 200, recalled: 30, at: week(0) })
    await history.assign({ arm: 'treated', count: 18, recalled: 9, at: week(1) })
    await history.assign({ arm: 'holdout', count: 2, recalled: 1, at: week(1) })
    await rollUp(database, NOW, RULES)
    const data = await readMonday(database, question())
    const [first, second] = sheetReports.monday.sheet(data, english).sentences
    expect(first).toMatchObject({ text: expect.stringMatching(/^Won back by us: 4\d\d \(/), tone: 'good' })
    expect(second?.text).toContain('The week of Jan 12, 2026 alone cannot tell')
    // Large on a page: what the sentences and tables say, no more.
    const { figures } = sheetReports.monday.sheet(data, english).figures ?? {}
    expect(figures?.[0]).toMatchObject({ name: 'won back by us', tone: 'good' })
    expect(figures?.[0]?.text).toMatch(/^\+4\d\d$/)
    expect(figures?.slice(1, 3).map(({ text, beside }) => [text, beside])).toEqual([
      ['40.1 %', 'of 1,818'],
      ['15.3 %', 'of 202'],
    ])
    const inChinese = sheetReports.monday.sheet(data, chinese).sentences
    expect(inChinese[0]?.text).toMatch(/^多召回的人数：4\d\d（/)
    expect(inChinese[1]?.text).toContain('仅看 2026年1月12日当周尚无法判断')
  })

  it('claims nothing of one week that the campaign as a whole does not show', async () => {
    await history.assign({ arm: 'treated', count: 900, recalled: 90, at: week(0) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 12, at: week(0) })
    await history.assign({ arm: 'treated', count: 900, recalled: 225, at: week(1) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: week(1) })
    await rollUp(database, NOW, RULES)
    const data = await readMonday(database, question())
    const { recalls } = data.lastFinal?.effect ?? {}
    expect(recalls).toMatchObject({ kind: 'estimate', value: 135 })
    expect(recalls?.kind === 'estimate' && recalls.low).toBeGreaterThan(0)
    expect(data.verdict.kind).toBe('no_difference')
    const [first, second] = sheetReports.monday.sheet(data, english).sentences
    expect(first).toMatchObject({ text: expect.stringMatching(/^No effect shown: 17\.5 %/), tone: 'plain' })
    // The interval of one look lies above nought, and it may be chance all the same.
    expect(first?.text).toMatch(
      /interval is for one look .* for daily looks it is -\d\.\d … \+\d+\.\d points/,
    )
    expect(second).toMatchObject({
      text: expect.stringMatching(
        /Of the week of Jan 12, 2026 alone, .*\+135 .* one looks like that by chance/,
      ),
      tone: 'plain',
    })
    const inChinese = sheetReports.monday.sheet(data, chinese).sentences
    expect(inChinese[0]?.text).toMatch(/^未见效果：.*每天查看的区间为/)
    expect(inChinese[1]?.text).toContain('仅看 2026年1月12日当周，相差 +135 人')
  })

  it('shows the harm done and who stayed, over all assigned', async () => {
    await write()
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source)
          SELECT contact_id, assigned_at + interval '1 day', ARRAY['*'], '{}', 'preferences page' FROM episodes
          WHERE arm = 'treated' AND assigned_at = ${week(0)} ORDER BY contact_id LIMIT 18`,
    )
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
          SELECT contact_id, assigned_at + interval '25 days', 1, 'order', 9000000, CASE WHEN contact_id % 2 = 0 THEN '{"coupon":"X"}'::jsonb END, assigned_at
          FROM episodes WHERE assigned_at = ${week(0)}`,
    )
    await rollUp(database, NOW, RULES)
    const data = await readMonday(database, question())
    const of = (name: string) => [...data.annoyed, ...data.stayed].find((each) => each.name === name)
    expect(of('optedOut')).toMatchObject({ treated: { count: 18, of: 1890 }, heldOut: { count: 0, of: 210 } })
    expect(of('active30')).toMatchObject({
      treated: { count: 900, of: 1800 },
      heldOut: { count: 100, of: 200 },
    })
    expect(of('orders30')?.treated.count).toBe(900)
    expect(of('fullPrice30')?.treated.count).toBe(450)
    expect(of('active90')).toMatchObject({ treated: { of: 0 } })
    expect(data.touchesAHead).toBeCloseTo((1800 * 2) / 1890, 9)
  })

  it('concludes nothing where the groups are off', async () => {
    await history.assign({ arm: 'treated', count: 500, recalled: 200, at: week(0) })
    await history.assign({ arm: 'holdout', count: 500, recalled: 20, at: week(0) })
    await rollUp(database, NOW, RULES)
    for (const name of ['monday', 'lift', 'cost'] as const) {
      const report: SheetReport<CampaignQuestion, unknown> = sheetReports[name] as never
      const text = report.format(await report.read(database, question()), english)
      expect(text, name).toMatch(/[Nn]o conclusion|NO CONCLUSION/)
      expect(text, name).not.toContain('+36.0')
    }
  })
})

describe('cost', () => {
  it('prices one more with Fieller, with labour and without, and says at least so much where it cannot', async () => {
    await fill()
    const data = await readCost(
      database,
      question({
        recallValue: 40e6,
        acquisition: 220e6,
        budget: { liability: { amount: 1e9, per: 'campaign' } },
      }),
    )
    const [whole] = data.prices
    if (!whole || !('answer' in whole.withLabour) || whole.withLabour.answer !== 'cost')
      throw new Error('a price')
    if (!('answer' in whole.withoutLabour) || whole.withoutLabour.answer !== 'cost')
      throw new Error('a price')
    // Two messages a head at 0.10 and 0.05, for 12.5 points more.
    expect(whole.withLabour.value).toBeCloseTo(300000 / 0.125, 3)
    expect(whole.withoutLabour.value).toBeCloseTo(200000 / 0.125, 3)
    expect(whole.benefit?.value).toBeCloseTo(40e6 * 0.125 - 300000, 3)
    const text = sheetReports.cost.format(data, english)
    expect(text).toMatch(/One won back by us costs: CN¥2\.40 \(CN¥[\d.]+ … CN¥[\d.]+\)/)
    expect(text).toContain('* a new customer, to compare: CN¥220.00')
    // What it brings in rests on what the campaign says, and no page shows the one without the other.
    expect(text).toContain('* Brings in: a recall counts CN¥40.00, as the campaign says (`value.recall`)')
    expect(sheetReports.cost.format(data, chinese)).toContain('* 净收益：每次召回按活动设定的 ¥40.00')
    expect(sheetReports.cost.format(data, chinese)).toContain('* 获取一位新客（对比）：¥220.00')
    await clearHistory(database)
    await clearReports(database)
    await history.assign({ arm: 'treated', count: 900, recalled: 108, at: day(0) })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: day(0) })
    await book()
    await rollUp(database, NOW, RULES)
    const weak = await readCost(database, question())
    expect(weak.prices[0]?.withLabour).toMatchObject({ answer: 'not_estimable' })
    // Two points more may be none: Fieller's answer lies outside of an interval around nought, so there is a floor alone.
    const flat = (text: string) => text.replaceAll(/\s+/g, ' ')
    expect(flat(sheetReports.cost.format(weak, english))).toMatch(
      /One won back by us costs: at least CN¥[\d.]+, no upper limit yet\./,
    )
    const monday = await readMonday(database, question())
    expect(flat(sheetReports.monday.format(monday, english))).toMatch(
      /Which tier earns more .* at least CN¥[\d.]+, no upper limit yet/,
    )
    expect(flat(sheetReports.monday.format(monday, chinese))).toMatch(/至少 ¥[\d.]+，尚无上限/)
  })

  it('has no price where nobody, or hardly anybody, of the two held out came back: that they never do is not known', async () => {
    await history.assign({ arm: 'treated', count: 98, recalled: 49, at: day(0) })
    await history.assign({ arm: 'holdout', count: 2, at: day(0) })
    await book()
    await rollUp(database, NOW, RULES)
    const split = new Map([[1, { holdout: 0.02, control: 0 }]])
    const data = await readCost(database, question({ split, recallValue: 40e6 }))
    expect(data.prices[0]).toMatchObject({
      withLabour: { kind: 'not_enough', why: 'few_recalls' },
      withoutLabour: { kind: 'not_enough', why: 'few_recalls' },
      benefit: undefined,
    })
    expect(sheetReports.cost.format(data, english)).toContain(
      'One won back by us costs: not enough data yet (10 who came back are needed in each group).',
    )
  })
})

it('draws what was spent and promised, summed up by day, against the budget of the whole campaign', async () => {
  await write()
  await execute(database, sql`UPDATE ledger SET kind = 'liability' WHERE kind = 'labour'`)
  await rollUp(database, NOW, RULES)
  const budget = {
    spend: { amount: 5e6, per: 'day' },
    liability: { amount: 900e6, per: 'campaign' },
  } as const
  const data = await readCost(database, question({ budget }))
  const burnt = (style: typeof english) =>
    sheetReports.cost.sheet(data, style).charts.map((chart) => {
      if (chart.kind !== 'lines') throw new Error(chart.kind)
      const { id, title, unit, series } = chart
      return {
        id,
        title,
        unit,
        series: series.map(({ name, points }) => ({ name, ys: points.map(({ y }) => y) })),
      }
    })
  // 900 of each of two weeks got two messages, at 0.10 and 0.05; nothing of the third was sent.
  expect(burnt(english)).toEqual([
    {
      id: 'burn_spend',
      title: 'Sending, added up day by day',
      unit: 'money',
      series: [{ name: 'sending', ys: [180, 360] }],
    },
    {
      id: 'burn_liability',
      title: 'Offers (expected), added up day by day',
      unit: 'money',
      series: [
        { name: 'offers (expected)', ys: [90, 180] },
        { name: 'budget', ys: [900, 900] },
      ],
    },
  ])
  expect(burnt(chinese).map(({ title, series }) => [title, series.at(-1)?.name])).toEqual([
    ['发送费用（累计）', '发送费用'],
    ['优惠（预计核销）（累计）', '预算'],
  ])
})

it('says what the whole campaign has left of its budget, also where some days alone are asked about', async () => {
  await write()
  await execute(database, sql`UPDATE ledger SET kind = 'liability' WHERE kind = 'labour'`)
  await rollUp(database, NOW, RULES)
  const budget = { liability: { amount: 900e6, per: 'campaign' } } as const
  const asked = async (of: Parameters<typeof question>[0]) => {
    const data = await readCost(database, question({ budget, ...of }))
    const sheet = sheetReports.cost.sheet(data, english)
    const [, promised] = sheet.tables.find(({ id }) => id === 'kinds')?.rows ?? []
    const lines = sheet.charts.flatMap((chart) => (chart.kind === 'lines' ? chart.series : []))
    return { cells: promised?.slice(1).map(({ value }) => value), drawn: lines.map(({ name }) => name) }
  }
  const firstWeek = { from: day(0).toISOString().slice(0, 10), to: day(7).toISOString().slice(0, 10) }
  expect(await asked({})).toEqual({
    cells: [180, 900, 720],
    drawn: ['sending', 'offers (expected)', 'budget'],
  })
  // A week's cost against the budget of all weeks would be no line to read.
  expect(await asked(firstWeek)).toEqual({ cells: [90, 900, 720], drawn: ['sending', 'offers (expected)'] })
  // Once messages are held against it, the budget counts by itself, and what seeds got is in it.
  await execute(database, sql`INSERT INTO budgets VALUES ('graded', 'liability')`)
  await execute(
    database,
    sql`INSERT INTO budget_days VALUES ('graded', 'liability', '2026-01-01', 200000000)`,
  )
  await execute(
    database,
    sql`INSERT INTO budget_entries VALUES ('graded', 'liability', '2026-01-02T00:00:00Z', 50000000)`,
  )
  expect((await asked(firstWeek)).cells).toEqual([90, 900, 650])
  await execute(database, sql`TRUNCATE budgets, budget_days, budget_entries`)
})

it('has no price beside a difference that may be nothing, whichever report is asked', async () => {
  // 9 % against 5 %: an interval of a normal spread lies above nought, and Newcombe’s, that is told everywhere, does not.
  await history.assign({ arm: 'treated', count: 1800, recalled: 162 })
  await history.assign({ arm: 'holdout', count: 200, recalled: 10 })
  await book()
  await rollUp(database, NOW, RULES)
  const split = new Map([[1, { holdout: 0.1, control: 0 }]])
  const overview = await readReport(database, { campaign: 'graded', now: NOW, split, goals: new Map() })
  const data = await readCost(database, question())
  expect(overview.overall.difference).toMatchObject({ low: expect.closeTo(-0.0015, 4) })
  expect(overview.cost.perIncremental).toBeUndefined()
  for (const { withLabour, withoutLabour } of data.prices)
    for (const price of [withLabour, withoutLabour])
      expect(price).toMatchObject({ answer: 'not_estimable', fieller: { kind: 'bounded' } })
  expect(sheetReports.cost.format(data, english)).toContain(
    'One won back by us costs: any amount fits yet, though hardly less than',
  )
  expect(sheetReports.cost.format(data, chinese)).toContain(
    '每多召回一人的成本：目前难以确定，但不太可能低于',
  )
  const monday = await readMonday(database, question())
  expect(sheetReports.monday.sheet(monday, english).figures?.figures.map(({ name }) => name)).not.toContain(
    'one won back costs',
  )
  // Where nothing was spent, that is so whatever the difference.
  await execute(database, sql`DELETE FROM ledger`)
  await rollUp(database, NOW, RULES, { rebuild: true })
  expect(sheetReports.cost.format(await readCost(database, question()), english)).toContain(
    'nothing was spent',
  )
})

it('has words for every answer of Fieller, in both languages, and none while the groups are off', () => {
  const told = (price: Parameters<typeof priceCell>[0], off = false) =>
    [english, chinese].map((style) => priceCell(price, off, speechOf(style)).text)
  const cost = {
    answer: 'cost',
    kind: 'estimate',
    value: 24e5,
    low: 2e6,
    high: 3e6,
    confidence: 0.95,
    g: 0.1,
  } as const
  expect(told(cost)).toEqual(['CN¥2.40 (CN¥2.00 … CN¥3.00)', '¥2.40（¥2.00 … ¥3.00）'])
  // Extra cost and extra recalls a head, as they may turn out; nothing is known to be won in any of them.
  const found = (varianceA: number, covariance: number) =>
    costPerRecall({
      a: 2e6,
      b: 0.05,
      varianceA: varianceA * 1e12,
      varianceB: 0.03 ** 2,
      covariance: covariance * 1e6,
    })
  const floor = found(0.01, 0)
  expect(floor).toMatchObject({ fieller: { kind: 'exclusive' } })
  expect(told(floor)).toEqual(['at least CN¥19.99, no upper limit yet', '至少 ¥19.99，尚无上限'])
  const ends = found(2, 0.042)
  expect(ends).toMatchObject({ fieller: { kind: 'exclusive' } })
  expect(told(ends)).toEqual([
    'CN¥47.99 or less, or CN¥80.16 or more: which of the two cannot be told yet',
    '不高于 ¥47.99 或不低于 ¥80.16，尚无法判断是哪一种',
  ])
  const anything = found(100, 0)
  expect(anything).toMatchObject({ fieller: { kind: 'everything' }, atLeast: undefined })
  expect(told(anything)).toEqual(['any amount fits yet', '目前任何金额都有可能'])
  const hardly = found(1.2, 0.026)
  expect(hardly).toMatchObject({ fieller: { kind: 'everything' } })
  expect(told(hardly)).toEqual([
    'any amount fits yet, though hardly less than CN¥12.88',
    '目前难以确定，但不太可能低于 ¥12.88',
  ])
  const free = costPerRecall({ a: 0, b: 0.05, varianceA: 0, varianceB: 0.03 ** 2, covariance: 0 })
  expect(told(free)).toEqual(['nothing was spent', '没有花费'])
  expect(told({ kind: 'not_enough', why: 'one_member' })).toEqual([
    'not enough data yet',
    '数据不足，暂算不出',
  ])
  expect(told({ answer: 'no_gain' })).toEqual(['no gain to divide by', '没有增量'])
  expect(told(cost, true)).toEqual(['no conclusion', '结论不可用'])
})

describe('CSV', () => {
  it('holds amounts to the micro, and nothing that a multiplication left', () => {
    const { cell } = writing(english)
    const micros = [7_152_000, 3_736_000, 335_860_000, -399_336_000, 1]
    const rows = micros.map((amount) => [cell.money(amount)])
    const columns = [{ title: 'amount', align: 'right' as const }]
    expect(csvOf([{ id: 't', title: 'T', columns, rows, empty: '' }])).toBe(
      'amount\r\n7.152\r\n3.736\r\n335.86\r\n-399.336\r\n0.000001\r\n',
    )
  })

  it('holds numbers as numbers, and nothing a spreadsheet takes for a formula', () => {
    const columns = ['a', 'b'].map((title) => ({ title, align: 'left' as const }))
    const rows = [
      [{ text: '=HYPERLINK("http://x")' }, { text: '8.1 %', value: 0.081 }],
      [{ text: '\t@SUM(A1)' }, { text: '–', value: null }],
      [{ text: '＝1+1' }, { text: '-3', value: -3 }],
      [{ text: 'plain, with comma' }, { text: ' +5.2' }],
    ]
    expect(csvOf([{ id: 't', title: 'T', columns, rows, empty: '' }])).toBe(
      'a,b\r\n"\'=HYPERLINK(""http://x"")",0.081\r\n\'\t@SUM(A1),\r\n\'＝1+1,-3\r\n"plain, with comma",\' +5.2\r\n',
    )
  })
})

describe('delivery', () => {
  it('counts by channel and domain, each rate over what its column says', async () => {
    await history.assign({ arm: 'treated', count: 100, at: day(0) })
    await execute(
      database,
      sql`UPDATE contacts SET email = 'c' || contact_id || CASE WHEN contact_id % 4 = 0 THEN '@B.test' ELSE '@a.test' END`,
    )
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, k.kind, k.kind, settled_at + make_interval(secs => k.seconds), settled_at
          FROM touchpoint_records r JOIN steps s USING (step_id)
          CROSS JOIN (VALUES ('delivered', 30), ('clicked', 90)) k(kind, seconds)
          WHERE s.step = 'remind' AND (k.kind = 'delivered' OR r.contact_id % 4 = 0)`,
    )
    await rollUp(database, NOW, RULES)
    const data = await sheetReports.delivery.read(database, question())
    const parts = { sent: 200, delivered: 100, clicked: 25, timed: 100, latency: 3000, late: 0, failed: 0 }
    expect(data.channels).toEqual([expect.objectContaining({ channel: 'email', domain: '', ...parts })])
    expect(data.domains.map(({ domain, sent, clicked }) => [domain, sent, clicked])).toEqual([
      ['a.test', 150, 0],
      ['b.test', 50, 25],
    ])
    expect(data.days).toEqual([{ day: '2026-01-01', channel: 'email', sent: 200, delivered: 100 }])
    const text = sheetReports.delivery.format(data, { ...english, width: 160 })
    expect(text).toMatch(/E-mail\s+200\s+50\.0 %\s+0\.0 %\s+0\.0 %\s+25\.0 %/)
    expect(text).not.toContain('no provider has reported')
    // In a CSV a channel is what programs call it, in any language.
    expect(csvOf(sheetReports.delivery.sheet(data, chinese).tables)).toMatch(/\r\nemail,200,/)
    // Days on which nothing went are nought, and no line over them.
    const on = (at: string, sent: number) => ({ day: at, channel: 'email', sent, delivered: 0 })
    const days = [on('2026-01-01', 5), on('2026-01-02', 6), on('2026-01-04', 7), on('2026-01-31', 8)]
    const [chart] = sheetReports.delivery.sheet({ ...data, days }, english).charts
    expect(chart).toMatchObject({
      series: [
        {
          points: [
            { x: '2026-01-01', y: 5 },
            { x: '2026-01-02', y: 6 },
            { x: '2026-01-03', y: 0 },
            { x: '2026-01-04', y: 7 },
            { x: '2026-01-05', y: 0 },
            { x: '2026-01-30', y: 0 },
            { x: '2026-01-31', y: 8 },
          ],
        },
      ],
    })
    // Nothing reported is not nothing delivered.
    const silent = { channel: 'push', domain: '', sent: 9, failed: 1, uncertain: 0, delivered: 0, clicked: 0 }
    const beside = { ...silent, opened: 0, bounced: 0, complained: 0, latency: 0, late: 0, timed: 0 }
    const both = { ...data, channels: [...data.channels, beside] }
    const told = sheetReports.delivery.format(both, { ...english, width: 160 })
    expect(told).toMatch(/Push notification\s+9\s+–\s+–\s+–\s+–\s+1\s+0\s+–\s+–/)
    expect(told).toContain('may well have arrived')
    // Plain SMTP reports no arrivals: that somebody clicked is not that all the others did not get theirs.
    const mail = { ...beside, channel: 'email', sent: 200, bounced: 2, delivered: 12, opened: 8, clicked: 10 }
    const clicked = (style: typeof english, complained = 0) =>
      sheetReports.delivery.format({ ...data, channels: [{ ...mail, complained }] }, { ...style, width: 160 })
    expect(clicked(english)).toMatch(/E-mail\s+200\s+–\s+1\.0 %\s+–\s+–\s+1\s+0\s+–\s+–/)
    // That no complaint was told of is not that nobody complained.
    expect(clicked(english)).toContain('* E-mail: clicked 5.0 % of what was sent.')
    expect(clicked(chinese)).toContain('电子邮件：点击占发送 5.0%。')
    expect(clicked(english, 1)).toContain('clicked 5.0 % of what was sent, complained 0.5 %.')
    expect(clicked(chinese, 1)).toContain('点击占发送 5.0%，投诉占发送 0.5%。')
  })

  it('says what a provider refused, in its words, the most frequent first', async () => {
    const detail = "400 21211: The 'To' number … is not valid"
    await execute(
      database,
      sql`INSERT INTO report_errors (campaign, day, sent_on, channel, reason, detail, messages)
          SELECT 'graded', day, day, 'sms', 'bad_address', detail, messages
          FROM (VALUES ('2026-01-01'::date, ${detail}, 1), ('2026-01-02', ${detail}, 2),
            ('2026-01-02', 'mailbox … unknown (550 5.1.1)', 2)) AS said(day, detail, messages)`,
    )
    const data = await sheetReports.delivery.read(database, question())
    const { errors } = data
    expect(errors.map(({ detail, messages }) => `${messages} ${detail}`)).toEqual([
      "3 400 21211: The 'To' number … is not valid",
      '2 mailbox … unknown (550 5.1.1)',
    ])
    const told = (style: typeof english) =>
      sheetReports.delivery.format({ ...data, errors }, { ...style, width: 160 })
    expect(told(english)).toMatch(
      /What providers said of what failed\n.*\n\s+Text message\s+3\s+the provider says the address does not exist\s+400 21211: The 'To' number … is not valid/,
    )
    expect(told(chinese)).toMatch(/服务商对失败的说明\n.*\n\s+短信\s+3\s+\S+\s+400 21211/)
  })

  it('says which breakers are open, which are tried, since when and why', async () => {
    await execute(
      database,
      sql`INSERT INTO breakers (channel, state, since, reason) VALUES ('email', 'open', ${day(1)}, '6 % hard bounces (6 of 100), more than 5 %'),
          ('sms', 'half_open', ${day(2)}, '5 % failures')`,
    )
    const data = await sheetReports.delivery.read(database, question())
    await execute(database, sql`DELETE FROM breakers`)
    const told = (style: typeof english) => sheetReports.delivery.format(data, { ...style, width: 160 })
    expect(told(english)).toMatch(
      /Switched off or away at this moment, and breakers\n.*\n.*\n\s+breaker E-mail: open: nothing is sent\s+Jan 2, 2026, \S+\s+6 % hard bounces/,
    )
    expect(told(english)).toMatch(
      /breaker Text message: half open: tried with a few messages\s+Jan 3, 2026.*5 % failures/,
    )
    expect(told(chinese)).toMatch(
      /熔断器 电子邮件：已断开，不发送\s+2026.*硬退率 6%（100 条中 6 条），超过 5%/,
    )
  })
})

/** One has a title, the other goes by its name. */
const TITLES = new Map([['graded', 'Graded recall']])

describe('all campaigns beside each other', () => {
  it('says of each what its own Monday says, the busiest first', async () => {
    await fill()
    const monday = await readMonday(database, question())
    const lines = await readCampaigns(database, [question({ campaign: 'adrift' }), question()], NOW)
    expect(lines.map(({ campaign }) => campaign)).toEqual(['graded', 'adrift'])
    expect(lines[0]).toMatchObject({ effect: monday.overall, verdict: monday.verdict })
    const words = (style: typeof english) =>
      campaignsTable(lines, TITLES, style).rows.map((row) => row.map(({ text }) => text))
    expect(words(english)[0]?.slice(0, 4)).toEqual([
      'Graded recall',
      '+225',
      expect.stringMatching(/^\+\d+ … \+\d+$/),
      'it works',
    ])
    expect(words(english)[1]).toEqual(['adrift', '–', '–', 'not yet', '0'])
    expect(words(chinese)[1]).toEqual(['adrift', '–', '–', '暂无结论', '0'])
  })

  it('says that one verdict of many may be wrong, where several were given and one is an effect', async () => {
    await fill()
    const [graded, adrift] = await readCampaigns(
      database,
      [question({ campaign: 'adrift' }), question()],
      NOW,
    )
    if (!graded || !adrift) throw new Error('both campaigns have a line')
    expect(graded.verdict.kind).toBe('won_back')
    const noted = (...lines: (typeof graded)[]) => campaignsNote(lines, speechOf(english))
    const plain = { ...graded, verdict: { kind: 'no_difference' } as const }
    expect(noted(graded, plain)).toContain('of twenty that change nothing')
    // One verdict is no choice among many, and where none is an effect nothing is claimed.
    expect([noted(graded, adrift), noted(plain, plain)]).toEqual([undefined, undefined])
    expect(campaignsNote([graded, plain], speechOf(chinese))).toMatch(/二十个/)
  })

  it('claims nothing where the groups are off', async () => {
    await fill()
    const split = new Map([[1, { holdout: 0.5, control: 0 }]])
    const [line, ...rest] = await readCampaigns(database, [question({ split })], NOW)
    expect(rest).toEqual([])
    const row = campaignsTable(line ? [line] : [], TITLES, english).rows[0]?.map(({ text }) => text)
    expect(row?.slice(1, 4)).toEqual(['–', '–', 'groups are off'])
  })
})

it('draws no axes while nothing is complete', async () => {
  await history.assign({ arm: 'treated', count: 90, at: day(58) })
  await history.assign({ arm: 'holdout', count: 10, at: day(58) })
  await rollUp(database, NOW, RULES)
  const shown = async () =>
    sheetReports.lift.sheet(await readLift(database, question()), english).charts.map(({ id }) => id)
  expect(await shown()).not.toContain('heat')
  await fill()
  expect(await shown()).toContain('heat')
})
