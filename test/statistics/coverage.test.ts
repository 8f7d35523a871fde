import { describe, expect, it } from 'vitest'
import { cuped, type PairedMoments } from '../../src/statistics/cuped.ts'
import { contactsUntilVerdict, daysUntilDetectable } from '../../src/statistics/detectable.ts'
import type { Estimate, NotEnough } from '../../src/statistics/estimate.ts'
import { fieller } from '../../src/statistics/fieller.ts'
import { benjaminiHochberg, holm, selectedConfidence } from '../../src/statistics/many.ts'
import { type Moments, sampleOf, welch } from '../../src/statistics/means.ts'
import { differenceTest, miettinenNurminen } from '../../src/statistics/miettinen-nurminen.ts'
import { costPerRecall, incrementalOf, netBenefit } from '../../src/statistics/net-benefit.ts'
import { newcombe } from '../../src/statistics/newcombe.ts'
import { type RatioMoments, ratioDifference } from '../../src/statistics/ratio.ts'
import { confidenceSequence } from '../../src/statistics/sequence.ts'
import { wilson } from '../../src/statistics/wilson.ts'
import { binomialDraws, normalDraws, seeded } from '../support/draws.ts'

// A 95 % interval must hold the truth in 95 of 100 experiments: drawn here, seeded, and held to that within the error
// of the simulation itself.

/** The share of experiments whose interval holds the truth must be 95 %, within four standard errors of the simulation. */
function expectCoverage(experiments: number, holds: (experiment: number) => boolean): void {
  let held = 0
  for (let experiment = 0; experiment < experiments; experiment += 1) if (holds(experiment)) held += 1
  const error = Math.sqrt((0.95 * 0.05) / experiments)
  expect(Math.abs(held / experiments - 0.95), `${held} of ${experiments}`).toBeLessThan(4 * error)
}

function inside(found: Estimate | NotEnough, truth: number): boolean {
  return found.kind === 'estimate' && found.low <= truth && truth <= found.high
}

describe('intervals hold the truth as often as they say', () => {
  it('Wilson', () => {
    const draw = binomialDraws(800, 0.12, seeded('wilson'))
    expectCoverage(4000, () => inside(wilson(draw(), 800), 0.12))
  })

  it('Newcombe and Miettinen–Nurminen, at nine to one', () => {
    const random = seeded('difference')
    const many = binomialDraws(1800, 0.15, random)
    const few = binomialDraws(200, 0.1, random)
    const groups = () =>
      [
        { recalled: many(), assigned: 1800 },
        { recalled: few(), assigned: 200 },
      ] as const
    expectCoverage(4000, () => inside(newcombe(...groups()), 0.05))
    expectCoverage(600, () => inside(miettinenNurminen(...groups()), 0.05))
  })

  it('Welch, with arms of unequal size and spread', () => {
    const normal = normalDraws(seeded('welch'))
    const arm = (n: number, mean: number, spread: number): Moments =>
      momentsOf(Array.from({ length: n }, () => mean + spread * normal()))
    expectCoverage(1500, () => inside(welch(sampleOf(arm(90, 5, 1)), sampleOf(arm(15, 4, 4))), 1))
  })

  it('CUPED, narrower than the raw figure and as honest', () => {
    const normal = normalDraws(seeded('cuped'))
    const arm = (n: number, effect: number): PairedMoments =>
      pairedMomentsOf(
        Array.from({ length: n }, () => {
          const habit = normal()
          return { x: habit, y: effect + 2 * habit + normal() }
        }),
      )
    let explained = 0
    expectCoverage(1000, () => {
      const found = cuped(arm(150, 0.3), arm(50, 0))
      explained += found.explained / 1000
      return inside(found.adjusted, 0.3)
    })
    expect(explained).toBeGreaterThan(0.7)
  })

  it('CUPED with a useless covariate', () => {
    const normal = normalDraws(seeded('useless'))
    const arm = (n: number): PairedMoments =>
      pairedMomentsOf(Array.from({ length: n }, () => ({ x: normal(), y: normal() })))
    expectCoverage(1000, () => inside(cuped(arm(150), arm(50)).adjusted, 0))
  })

  it('a rate over episodes, clustered by person, where the person decides', () => {
    const random = seeded('ratio')
    // Some always come back and some never, each with one to four lapses; every lapse draws its arm.
    const experiment = () => {
      const arms = [emptyRatio(), emptyRatio()] as const
      const both = { yy: 0, xx: 0, yx: 0, xy: 0 }
      for (let person = 0; person < 400; person += 1) {
        const faithful = random() < 0.3
        const lapses = 1 + Math.floor(random() * 4)
        const of = [emptyRatio(), emptyRatio()] as const
        for (let lapse = 0; lapse < lapses; lapse += 1) {
          const drawn = of[random() < 0.7 ? 0 : 1]
          drawn.x += 1
          drawn.y += random() < (faithful ? 0.8 : 0.05) ? 1 : 0
        }
        for (const [at, own] of of.entries()) if (own.x > 0) addRatio(arms[at] ?? arms[0], own)
        both.yy += of[0].y * of[1].y
        both.xx += of[0].x * of[1].x
        both.yx += of[0].y * of[1].x
        both.xy += of[0].x * of[1].y
      }
      return ratioDifference(arms[0], arms[1], both)
    }
    expectCoverage(1500, () => inside(experiment(), 0))
  })

  it('Fieller, where the effect is weak: both kinds of answer together', () => {
    const normal = normalDraws(seeded('fieller'))
    const truth = 100 / 0.5
    expectCoverage(4000, () => {
      const found = fieller({
        a: 100 + 20 * normal(),
        b: 0.5 + 0.2 * normal(),
        varianceA: 400,
        varianceB: 0.04,
        covariance: 0,
      })
      if (found.kind === 'everything') return true
      const between = found.low <= truth && truth <= found.high
      return found.kind === 'bounded' ? between : !between || truth === found.low || truth === found.high
    })
  })

  it('net benefit, with the covariance of cost and recalls', () => {
    const random = seeded('benefit')
    // A recall costs 5 more: what was offered is redeemed.
    const arm = (n: number, rate: number, cost: number) => {
      const sums = { n, cost: 0, recalls: 0, costSquares: 0, products: 0 }
      for (let head = 0; head < n; head += 1) {
        const back = random() < rate ? 1 : 0
        const spent = cost + 5 * back
        sums.cost += spent
        sums.recalls += back
        sums.costSquares += spent * spent
        sums.products += spent * back
      }
      return sums
    }
    expectCoverage(1000, () => {
      const incremental = incrementalOf(arm(600, 0.3, 1), arm(300, 0.2, 0))
      if ('kind' in incremental) return false
      return inside(netBenefit(incremental, 40), 40 * 0.1 - (1 + 5 * 0.1))
    })
  })
})

describe('many questions at once', () => {
  it('find nothing where nothing is, and bound the share of false findings where something is', () => {
    const random = seeded('many')
    const null20 = binomialDraws(400, 0.1, random)
    const effect = binomialDraws(400, 0.22, random)
    const p = (first: number, second: number) => {
      const test = differenceTest({ recalled: first, assigned: 400 }, { recalled: second, assigned: 400 })
      return test.kind === 'tested' ? test.p : 1
    }
    let anyFalse = 0
    let falseShare = 0
    for (let experiment = 0; experiment < 400; experiment += 1) {
      const nulls = Array.from({ length: 15 }, () => p(null20(), null20()))
      if (holm(nulls).some((value) => value < 0.05)) anyFalse += 1
      const mixed = [...nulls, ...Array.from({ length: 5 }, () => p(effect(), null20()))]
      const found = benjaminiHochberg(mixed).map((value) => value < 0.05)
      const count = found.filter(Boolean).length
      if (count > 0) falseShare += found.slice(0, 15).filter(Boolean).length / count
    }
    expect(anyFalse / 400).toBeLessThan(0.09)
    expect(falseShare / 400).toBeLessThan(0.05)
  })

  it('show wider intervals the fewer are selected', () => {
    expect(selectedConfidence(0.05, 0, 20)).toBe(0.95)
    expect(selectedConfidence(0.05, 20, 20)).toBeCloseTo(0.95, 12)
    expect(selectedConfidence(0.05, 1, 20)).toBeCloseTo(0.9975, 12)
  })
})

describe('what a recall costs has three answers', () => {
  const certain = { a: 2, b: 0.05, varianceA: 0.01, varianceB: 1e-6, covariance: 0 }

  it('a figure with bounds', () => {
    const found = costPerRecall(certain)
    expect(found).toMatchObject({ answer: 'cost', value: 40 })
    if (found.answer === 'cost') expect(found.low < 40 && 40 < found.high).toBe(true)
  })

  it('not estimable, but at least so much', () => {
    const found = costPerRecall({ ...certain, varianceB: 0.03 ** 2 })
    if (found.answer !== 'not_estimable') throw new Error(found.answer)
    expect(found.fieller.g).toBeGreaterThan(1)
    expect(found.atLeast).toBeGreaterThan(15)
    expect(found.atLeast).toBeLessThan(40)
    // Nothing is known even of the cost: no bound either.
    const vague = costPerRecall({ ...certain, varianceA: 100, varianceB: 0.03 ** 2 })
    expect(vague).toMatchObject({ answer: 'not_estimable', atLeast: undefined })
  })

  it('no gain, and so nothing to divide by', () => {
    expect(costPerRecall({ ...certain, b: 0 })).toEqual({ answer: 'no_gain' })
    expect(costPerRecall({ ...certain, b: -0.01 })).toEqual({ answer: 'no_gain' })
    // What it brings in can always be said.
    expect(netBenefit({ ...certain, b: -0.01 }, 40).value).toBeCloseTo(-2.4, 12)
  })

  it('with a certain cost, is the cost over the interval of the effect', () => {
    const b = 0.05
    const found = fieller({ a: 2, b, varianceA: 0, varianceB: 1e-4, covariance: 0 })
    const half = 1.959963984540054 * 0.01
    expect(found).toMatchObject({ kind: 'bounded' })
    if (found.kind === 'bounded') {
      expect(found.low).toBeCloseTo(2 / (b + half), 9)
      expect(found.high).toBeCloseTo(2 / (b - half), 9)
    }
  })
})

function momentsOf(values: readonly number[]): Moments {
  return {
    n: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    sumOfSquares: values.reduce((sum, value) => sum + value * value, 0),
  }
}

function pairedMomentsOf(values: readonly { x: number; y: number }[]): PairedMoments {
  const x = momentsOf(values.map((value) => value.x))
  return {
    ...momentsOf(values.map((value) => value.y)),
    covariateSum: x.sum,
    covariateSumOfSquares: x.sumOfSquares,
    productSum: values.reduce((sum, value) => sum + value.x * value.y, 0),
  }
}

type Sums = { -readonly [Key in keyof RatioMoments]: number }

function emptyRatio(): Sums {
  return { persons: 0, y: 0, x: 0, yy: 0, xx: 0, xy: 0 }
}

function addRatio(sums: Sums, { y, x }: { y: number; x: number }): void {
  sums.persons += 1
  sums.y += y
  sums.x += x
  sums.yy += y * y
  sums.xx += x * x
  sums.xy += x * y
}

describe('what a plan promises', () => {
  // Rates as planned, 2 points apart: how often the verdict says so on the day itself, in 100.
  const shown = (contacts: number, holdout: number) => {
    const [treated, heldOut] = [1 - holdout, holdout].map(
      (share) => 10 * Math.round((contacts * share) / 10),
    ) as [number, number]
    const random = seeded(`verdict ${contacts}`)
    // In tenths: of forty thousand at once, the smallest probability is no number any more.
    const recallsOf = (assigned: number, rate: number) => {
      const draw = binomialDraws(assigned / 10, rate, random)
      return () => Array.from({ length: 10 }, draw).reduce((sum, each) => sum + each, 0)
    }
    const [many, few] = [recallsOf(treated, 0.12), recallsOf(heldOut, 0.1)]
    const draws = 1500
    let said = 0
    for (let draw = 0; draw < draws; draw += 1) {
      const found = confidenceSequence(
        { recalled: many(), assigned: treated },
        { recalled: few(), assigned: heldOut },
      )
      if (found.kind === 'estimate' && found.low > 0) said += 1
    }
    return (100 * said) / draws
  }

  it.each([0.5, 0.1])(
    'of the verdict, it says so as often as planned at %s held out; one look asks for half',
    (holdout) => {
      const question = { rate: 0.1, difference: 0.02, holdout }
      const verdict = contactsUntilVerdict(question)
      const look = daysUntilDetectable({ ...question, perDay: 1 })
      if (typeof verdict !== 'number' || typeof look !== 'number') throw new Error('expected numbers')
      expect(shown(verdict, holdout)).toBeGreaterThan(75)
      expect(shown(verdict, holdout)).toBeLessThan(85)
      expect(shown(look, holdout)).toBeLessThan(50)
    },
  )

  it('asks for as many as it takes for ten to come back in either group', () => {
    const rare = contactsUntilVerdict({ rate: 0.01, difference: 0.5, holdout: 0.05 })
    expect(rare).toBe(20_000)
    expect(contactsUntilVerdict({ rate: 0.01, difference: 0.5, holdout: 0 })).toEqual({
      kind: 'not_enough',
      why: 'nobody_held_out',
    })
  })
})
