import { describe, expect, it } from 'vitest'
import type { PairProducts } from '../../src/statistics/clusters.ts'
import { type CostMoments, incrementalOf, netBenefit } from '../../src/statistics/net-benefit.ts'
import { type RoiMoments, roiRatio } from '../../src/statistics/roi.ts'
import { seeded } from '../support/draws.ts'
import { roiOf } from '../support/roi.ts'

// A ROI is a ratio of two differences: held to drawn campaigns with a planted margin and cost, and to a bootstrap.

interface Head {
  readonly margin: number
  readonly cost: number
}

/**
 * Few buy, for very different amounts, and who buys with a coupon costs it: margin and cost hang together.
 * @param share who buy
 * @param priced whether a head costs a message and a coupon
 */
function drawHeads(random: () => number, n: number, share: number, priced: boolean): Head[] {
  return Array.from({ length: n }, () => {
    const buys = random() < share
    // Exponential, mean 30.
    const margin = buys ? -30 * Math.log(1 - random()) : 0
    const coupon = priced && buys && random() < 0.5 ? 5 : 0
    return { margin, cost: (priced ? 1 : 0) + coupon }
  })
}

function momentsOf(heads: readonly Head[]): RoiMoments {
  const sum = (of: (head: Head) => number) => heads.reduce((all, head) => all + of(head), 0)
  return {
    n: heads.length,
    buyers: sum(({ margin }) => (margin === 0 ? 0 : 1)),
    margin: sum(({ margin }) => margin),
    cost: sum(({ cost }) => cost),
    marginSquares: sum(({ margin }) => margin ** 2),
    costSquares: sum(({ cost }) => cost ** 2),
    products: sum(({ margin, cost }) => margin * cost),
  }
}

// Per head: 30·(0.18 − 0.1) = 2.4 of margin, for 1 + 5·0.5·0.18 = 1.45 of cost.
const TRUTH = { margin: 2.4, left: 2.4 - 1.45, ratio: 2.4 / 1.45 - 1 }

describe('what a cost brings back', () => {
  it('holds the planted truth in 95 of 100 campaigns: margin, what is left, and the ratio', () => {
    const random = seeded('return on cost')
    const held = { margin: 0, left: 0, ratio: 0 }
    const campaigns = 1200
    for (let at = 0; at < campaigns; at += 1) {
      const found = roiOf(
        momentsOf(drawHeads(random, 1500, 0.18, true)),
        momentsOf(drawHeads(random, 500, 0.1, false)),
      )
      if (!('ratio' in found) || found.margin.kind !== 'estimate' || found.ratio.answer !== 'ratio')
        throw new Error('a figure')
      for (const name of ['margin', 'left', 'ratio'] as const) {
        const { low, high } = name === 'ratio' ? found.ratio : name === 'left' ? found.left : found.margin
        if (low <= TRUTH[name] && TRUTH[name] <= high) held[name] += 1
      }
    }
    for (const [name, count] of Object.entries(held))
      expect(Math.abs(count / campaigns - 0.95), `${name}: ${count}`).toBeLessThan(
        4 * Math.sqrt((0.95 * 0.05) / campaigns),
      )
  })

  it('agrees with a bootstrap of the same heads', () => {
    const random = seeded('bootstrap')
    const treated = drawHeads(random, 3000, 0.18, true)
    const heldOut = drawHeads(random, 1000, 0.1, false)
    const found = roiOf(momentsOf(treated), momentsOf(heldOut))
    if (!('ratio' in found) || found.ratio.answer !== 'ratio') throw new Error('a ratio')
    const mean = (heads: readonly Head[]) => {
      const sums = { margin: 0, cost: 0 }
      for (let drawn = 0; drawn < heads.length; drawn += 1) {
        const head = heads[Math.floor(random() * heads.length)]
        sums.margin += head?.margin ?? 0
        sums.cost += head?.cost ?? 0
      }
      return { margin: sums.margin / heads.length, cost: sums.cost / heads.length }
    }
    const ratios = Array.from({ length: 2000 }, () => {
      const [one, other] = [mean(treated), mean(heldOut)]
      return (one.margin - other.margin) / (one.cost - other.cost) - 1
    }).sort((a, b) => a - b)
    const { low, high } = found.ratio
    const width = high - low
    expect(Math.abs(low - (ratios[50] ?? 0))).toBeLessThan(0.06 * width)
    expect(Math.abs(high - (ratios[1949] ?? 0))).toBeLessThan(0.06 * width)
  })

  it('has no ratio where the cost cannot be told from nothing, or is none', () => {
    const difference = { a: 2, b: 0.1, varianceA: 0.01, varianceB: 0.01, covariance: 0 }
    expect(roiRatio(difference)).toEqual({ answer: 'not_estimable' })
    expect(roiRatio({ ...difference, b: 0 })).toEqual({ answer: 'no_cost' })
    expect(roiRatio({ ...difference, b: -1 })).toEqual({ answer: 'no_cost' })
    // A fixed cost: the interval is the margin's, divided.
    const fixed = roiRatio({ a: 3, b: 2, varianceA: 0.25, varianceB: 0, covariance: 0 })
    if (fixed.answer !== 'ratio') throw new Error('a figure')
    expect(fixed.value).toBeCloseTo(0.5, 12)
    expect(fixed.low).toBeCloseTo((3 - 1.959963984540054 * 0.5) / 2 - 1, 9)
    expect(fixed.high).toBeCloseTo((3 + 1.959963984540054 * 0.5) / 2 - 1, 9)
  })

  it('asks for ten who bought in each arm', () => {
    const arm = (buyers: number): RoiMoments => ({
      ...{ n: 1000, buyers, margin: buyers, marginSquares: buyers },
      ...{ cost: 0, costSquares: 0, products: 0 },
    })
    expect(roiOf(arm(100), arm(9))).toEqual({ kind: 'not_enough', why: 'few_buyers' })
    expect(roiOf(arm(9), arm(100))).toEqual({ kind: 'not_enough', why: 'few_buyers' })
    expect(roiOf(arm(10), arm(10))).toMatchObject({ ratio: { answer: 'no_cost' } })
    expect(roiOf({ ...arm(10), n: 1 }, arm(10))).toEqual({ kind: 'not_enough', why: 'one_member' })
  })
})

describe('where a person lapses again', () => {
  interface Lapse extends Head {
    readonly treated: boolean
    readonly recalled: number
  }

  /**
   * A fifth is moved in every lapse of theirs by a message, and redeems its coupon every time. Each lapse draws its arm. A
   * head contacted brings 0.2·15 of margin and 0.2·0.7 of a recall more, for 1 + 0.2·5.
   */
  function drawPerson(random: () => number): Lapse[] {
    const moved = random() < 0.2
    return Array.from({ length: 1 + Math.floor(random() * 5) }, () => {
      const treated = random() < 0.7
      const margin = random() + (moved && treated ? 15 : 0)
      const recalled = random() < (moved && treated ? 0.8 : 0.1) ? 1 : 0
      return { treated, recalled, margin, cost: treated ? 1 + (moved ? 5 : 0) : 0 }
    })
  }

  type Figure = 'margin' | 'cost' | 'recalled'

  /** Products of two lapses of a person: all with all, less each with itself. */
  function pairsOf(persons: readonly (readonly Lapse[])[], x: Figure, y: Figure) {
    const arms = [true, false].map((arm) =>
      persons.map((all) => all.filter(({ treated }) => treated === arm)),
    )
    const [first = [], second = []] = arms.map((lapses) =>
      lapses.map((own) => ({
        own,
        ...{ n: own.length, x: sumOf(own, (lapse) => lapse[x]), y: sumOf(own, (lapse) => lapse[y]) },
      })),
    )
    const products = (one: typeof first, other: typeof first): PairProducts => {
      const of = (a: 'n' | 'x' | 'y', b: 'n' | 'x' | 'y') => {
        const value = (lapse: Lapse, of: typeof a) => (of === 'n' ? 1 : lapse[of === 'x' ? x : y])
        return one.reduce((all, person, at) => {
          const self = one === other ? sumOf(person.own, (lapse) => value(lapse, a) * value(lapse, b)) : 0
          return all + person[a] * (other[at]?.[b] ?? 0) - self
        }, 0)
      }
      return {
        ...{ nn: of('n', 'n'), nx: of('n', 'x'), ny: of('n', 'y'), xn: of('x', 'n'), xx: of('x', 'x') },
        ...{ xy: of('x', 'y'), yn: of('y', 'n'), yx: of('y', 'x'), yy: of('y', 'y') },
      }
    }
    return { first: products(first, first), second: products(second, second), both: products(first, second) }
  }

  it('intervals hold the truth as often as they say, which they do not with each lapse by itself', () => {
    const random = seeded('lapses of a person')
    const held = { benefit: 0, margin: 0, left: 0, ratio: 0 }
    const alone = { benefit: 0, margin: 0, left: 0, ratio: 0 }
    const truth = { benefit: 20 * 0.14 - 2, margin: 3, left: 1, ratio: 0.5 }
    const runs = 500
    for (let run = 0; run < runs; run += 1) {
      const persons = Array.from({ length: 300 }, () => drawPerson(random))
      const arms = [true, false].map((arm) => persons.flat().filter(({ treated }) => treated === arm))
      const [treated = [], heldOut = []] = arms
      for (const [count, clustered] of [
        [held, true],
        [alone, false],
      ] as const) {
        const repeated = (x: Figure, y: Figure) => (clustered ? pairsOf(persons, x, y) : undefined)
        const roi = roiOf(momentsOf(treated), momentsOf(heldOut), repeated('margin', 'cost'))
        const costs = incrementalOf(costsOf(treated), costsOf(heldOut), repeated('cost', 'recalled'))
        if (!('ratio' in roi) || 'kind' in costs) throw new Error('figures')
        const found = { benefit: netBenefit(costs, 20), ...roi }
        for (const name of ['benefit', 'margin', 'left', 'ratio'] as const) {
          const interval = found[name]
          if ('low' in interval && interval.low <= truth[name] && truth[name] <= interval.high)
            count[name] += 1
        }
      }
    }
    for (const [name, count] of Object.entries(held))
      expect(Math.abs(count / runs - 0.95), `${name}: ${count}`).toBeLessThan(
        4 * Math.sqrt((0.95 * 0.05) / runs),
      )
    // A recall is chance for the most part, and money is the person's: there it shows.
    for (const name of ['margin', 'left'] as const)
      expect(alone[name] / runs, `${name}, each lapse by itself`).toBeLessThan(0.85)
  })

  it('and are as they were where nobody does', () => {
    const random = seeded('one lapse each')
    const heads = drawHeads(random, 600, 0.3, true)
    const others = drawHeads(random, 200, 0.3, false)
    const none = { nn: 0, nx: 0, ny: 0, xn: 0, xx: 0, xy: 0, yn: 0, yx: 0, yy: 0 }
    expect(roiOf(momentsOf(heads), momentsOf(others), { first: none, second: none, both: none })).toEqual(
      roiOf(momentsOf(heads), momentsOf(others)),
    )
  })

  function costsOf(lapses: readonly Lapse[]): CostMoments {
    return {
      n: lapses.length,
      cost: sumOf(lapses, ({ cost }) => cost),
      recalls: sumOf(lapses, ({ recalled }) => recalled),
      costSquares: sumOf(lapses, ({ cost }) => cost ** 2),
      products: sumOf(lapses, ({ cost, recalled }) => cost * recalled),
    }
  }

  function sumOf(lapses: readonly Lapse[], of: (lapse: Lapse) => number): number {
    return lapses.reduce((all, lapse) => all + of(lapse), 0)
  }
})
