import { sql } from 'drizzle-orm'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute } from '../../../src/database/connect.ts'
import { readLift } from '../../../src/reports/lift/lift.ts'
import { compareWithFirst, variantFigures } from '../../../src/reports/lift/variants.ts'
import type { PairCell } from '../../../src/reports/repeats.ts'
import { sheetReports } from '../../../src/reports/reports.ts'
import { PRODUCTS, type ProductName } from '../../../src/reports/rollup/repeats.ts'
import { rollUp } from '../../../src/reports/rollup/rollup.ts'
import { freshDatabase } from '../../support/database.ts'
import { seeded } from '../../support/draws.ts'
import { clearHistory, day, type History, writeHistory } from '../../support/episodes.ts'
import { clearReports, RULES } from '../../support/report-scene.ts'

// Who lapses again draws a variant again, and what one is moved by moves one again: the person is what is independent.

interface Lapse {
  readonly person: number
  readonly variant: string
  readonly y: number
  /** Micros. */
  readonly c: number
}

const NAMES = ['plain', 'story'] as const

/** Judged as readLift judges its sums. @param clustered or each lapse by itself */
function judge(lapses: readonly Lapse[], clustered: boolean, recallValue?: number) {
  const again = clustered ? pairsOf(lapses) : []
  const figures = NAMES.map((name) => {
    const own = lapses.filter(({ variant }) => variant === name)
    const sum = (of: (lapse: Lapse) => number) => own.reduce((all, lapse) => all + of(lapse), 0)
    const [n, recalled] = [own.length, sum(({ y }) => y)]
    return variantFigures(
      { name, share: 0.5, sent: n },
      { assigned: n, contaminated: 0, matured: n, recalled },
      {
        ...{ n, recalls: recalled, cost: sum(({ c }) => c) },
        ...{ costSquares: sum(({ c }) => c * c), products: sum(({ c, y }) => c * y) },
      },
      again,
    )
  })
  return { figures, comparisons: compareWithFirst(figures, again, recallValue) }
}

/** Of the later lapse and of the earlier one: 0 itself, 1 whether they came back, 2 what it cost. */
const FACTORS = [
  ['nn', 0, 0],
  ['ny', 0, 1],
  ['nc', 0, 2],
  ['yn', 1, 0],
  ['yy', 1, 1],
  ['yc', 1, 2],
  ['cn', 2, 0],
  ['cy', 2, 1],
  ['cc', 2, 2],
] as const

/** Products of each lapse with the earlier ones of its person, by what both drew. */
function pairsOf(lapses: readonly Lapse[]): PairCell[] {
  const cells = new Map<string, Record<ProductName, number> & { arm: string; earlierArm: string }>()
  const before = new Map<number, Lapse[]>()
  for (const later of lapses) {
    const own = before.get(later.person) ?? []
    for (const earlier of own) {
      const key = `${later.variant} ${earlier.variant}`
      let cell = cells.get(key)
      if (!cell) {
        const none = Object.fromEntries(PRODUCTS.map((name) => [name, 0])) as Record<ProductName, number>
        cell = { ...none, arm: later.variant, earlierArm: earlier.variant }
        cells.set(key, cell)
      }
      const [l, e] = [
        [1, later.y, later.c],
        [1, earlier.y, earlier.c],
      ] as const
      for (const [name, i, j] of FACTORS) cell[name] += l[i] * e[j]
    }
    own.push(later)
    before.set(later.person, own)
  }
  return [...cells.values()]
}

describe('where a person draws a variant again', () => {
  /**
   * A quarter always comes back by the story and redeems its coupon, and a quarter never does by it, who would by the plain
   * letter: on the whole the story brings back as many, and costs more.
   */
  function drawLapses(random: () => number, persons: number): Lapse[] {
    return Array.from({ length: persons }, (_, person) => {
      const kind = random()
      const chance = { plain: kind < 0.25 ? 0.1 : kind < 0.5 ? 0.9 : 0.3, story: 0.3 }
      chance.story = kind < 0.25 ? 0.9 : kind < 0.5 ? 0.1 : 0.3
      return Array.from({ length: 1 + Math.floor(random() * 6) }, (): Lapse => {
        const variant = random() < 0.5 ? 'plain' : 'story'
        const y = random() < chance[variant] ? 1 : 0
        return { person, variant, y, c: 1 + (variant === 'story' && kind < 0.25 ? 4 : 0) }
      })
    }).flat()
  }

  const rate = 0.25 * (0.1 + 0.9) + 0.5 * 0.3
  const truth = {
    rate,
    difference: 0,
    perPerson: 2,
    perRecall: 2 / rate,
    morePerPerson: 1,
    morePerRecall: 1 / rate,
    benefit: -1,
  }

  it('intervals hold the truth as often as they say, which they do not with each lapse by itself', () => {
    const random = seeded('variants again')
    const nobody = Object.fromEntries(Object.keys(truth).map((name) => [name, 0])) as typeof truth
    const [held, alone] = [{ ...nobody }, { ...nobody }]
    const runs = 500
    for (let run = 0; run < runs; run += 1) {
      const lapses = drawLapses(random, 250)
      for (const [count, clustered] of [
        [held, true],
        [alone, false],
      ] as const) {
        const { figures, comparisons } = judge(lapses, clustered, 10)
        const [compared] = comparisons
        if (!compared) throw new Error('a comparison')
        const found = {
          rate: figures[1]?.rate,
          difference: compared.difference,
          perPerson: figures[1]?.cost.perPerson,
          perRecall: figures[1]?.cost.perRecall,
          morePerPerson: compared.cost.perPerson,
          morePerRecall: compared.cost.perRecall,
          benefit: compared.cost.benefit,
        }
        for (const name of Object.keys(truth) as (keyof typeof truth)[]) {
          const interval = found[name]
          if (interval?.kind !== 'estimate') throw new Error(name)
          if (interval.low <= truth[name] && truth[name] <= interval.high) count[name] += 1
        }
      }
    }
    for (const [name, count] of Object.entries(held))
      expect(Math.abs(count / runs - 0.95), `${name}: ${count}`).toBeLessThan(
        4 * Math.sqrt((0.95 * 0.05) / runs),
      )
    for (const name of ['rate', 'difference', 'perPerson', 'morePerPerson', 'benefit'] as const)
      expect(alone[name] / runs, `${name}, each lapse by itself`).toBeLessThan(0.9)
  })

  it('are called different by chance no oftener than they say', () => {
    const random = seeded('variants again, by chance')
    const runs = 400
    const called = { together: 0, alone: 0 }
    for (let run = 0; run < runs; run += 1) {
      const lapses = drawLapses(random, 250)
      const p = (clustered: boolean) => judge(lapses, clustered).comparisons[0]?.adjusted ?? 1
      if (p(true) < 0.05) called.together += 1
      if (p(false) < 0.05) called.alone += 1
    }
    const error = 4 * Math.sqrt((0.95 * 0.05) / runs)
    expect(called.together / runs).toBeLessThan(0.05 + error)
    expect(called.alone / runs).toBeGreaterThan(0.05 + error)
  })
})

describe('the lift', () => {
  let database: Database
  let history: History
  beforeAll(async () => {
    database = await freshDatabase({ max: 3 })
    history = await writeHistory(database, 'graded', { coupon: ['remind', 'coupon'] }, { versions: 3 })
  })
  beforeEach(async () => {
    await clearHistory(database)
    await clearReports(database)
  })

  const shares = (...of: number[]) => NAMES.map((name, at) => ({ name, share: of[at] ?? 0 }))
  const question = {
    campaign: 'graded',
    now: day(200),
    split: new Map([1, 2, 3].map((version) => [version, { holdout: 0, control: 0 }])),
    recallValue: 40,
    variants: new Map([
      [1, new Map([['remind', shares(0.5, 0.5)]])],
      [2, new Map([['remind', shares(0.5, 0.5)]])],
      [3, new Map([['remind', shares(0.4, 0.6)]])],
    ]),
  }

  it('takes the lapses of a person together that drew a variant of one step with the same shares, and says so', async () => {
    const random = seeded('variants of a person')
    const kept: (Lapse & { version: number })[] = []
    let persons: number[] = []
    // Twice by the first version, once by each of those after it.
    for (const [round, version] of [1, 1, 2, 3].entries()) {
      const drawn: number[] = []
      for (let at = 0; at < 60; at += 1) {
        const [variant, y] = [random() < 0.5 ? 'plain' : 'story', random() < 0.5 ? 1 : 0]
        const again = persons[at]
        const [made] = await history.assign({
          ...{ arm: 'treated', count: 1, at: day(40 * round), version, variant, recalled: y },
          ...{ episodeNo: round + 1, ...(again === undefined ? {} : { persons: [again] }) },
        })
        if (!made) throw new Error('an episode')
        drawn.push(made.contactId)
        const c = Math.floor(random() * 9)
        // By the step that has no variants: whatever is booked in the tier counts.
        await execute(
          database,
          sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
              SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, 'spend', 'email', ${c}, r.settled_at
              FROM touchpoint_records r JOIN steps p USING (step_id)
              WHERE r.contact_id = ${made.contactId} AND r.episode_id = ${made.episodeId} AND p.step = 'coupon'`,
        )
        kept.push({ person: made.contactId, variant, y, c, version })
      }
      persons = drawn
    }
    // Of the other step the variants have no shares: it is compared with nothing.
    await rollUp(database, question.now, RULES)
    const { variants } = await readLift(database, question)
    expect(variants.map(({ versions }) => versions)).toEqual([[3], [1, 2]])
    for (const step of variants) {
      const own = kept.filter(({ version }) => step.versions.includes(version))
      const { figures, comparisons } = judge(own, true, 40)
      expect(step.variants.map(({ rate, cost }) => ({ rate, cost }))).toEqual(
        figures.map(({ rate, cost }) => ({ rate, cost })),
      )
      expect(step.comparisons).toEqual(comparisons)
      expect(step.repeated).toBe(step.versions.length > 1)
      expect(judge(own, false, 40).comparisons).not.toEqual(
        step.versions.length > 1 ? comparisons : undefined,
      )
    }
    const style = { locale: 'en', currency: 'CNY', color: false, width: 120 }
    const sheet = (locale: string, found: typeof variants) =>
      sheetReports.lift
        .sheet({ ...data, variants: found }, { ...style, locale })
        .notes.filter((note) => /more than once: the intervals and p|按人聚类计算/.test(note))
    const data = await readLift(database, question)
    expect([sheet('en', variants).length, sheet('zh-CN', variants).length]).toEqual([1, 1])
    expect(sheet('en', variants.slice(0, 1))).toEqual([])
    // Asked for the second version alone, nobody is there twice.
    const later = await readLift(database, { ...question, from: day(75).toISOString().slice(0, 10) })
    expect(later.variants.map(({ repeated }) => repeated)).toEqual([false, false])
    // Not while the later of the two is open.
    const early = await readLift(database, {
      ...question,
      now: day(65),
      to: day(60).toISOString().slice(0, 10),
    })
    expect(early.variants.map(({ repeated }) => repeated)).toEqual([false])
  })
})
