import { describe, expect, it } from 'vitest'
import { type RoiMoments, roiOf, roiRatio } from '../../src/statistics/roi.ts'
import { seeded } from '../support/draws.ts'

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
