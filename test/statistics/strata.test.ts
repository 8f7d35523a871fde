import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Estimate, NotEnough } from '../../src/statistics/estimate.ts'
import { differenceTest } from '../../src/statistics/miettinen-nurminen.ts'
import { incrementalOf, incrementalOfStrata, netBenefit } from '../../src/statistics/net-benefit.ts'
import { type Group, newcombe } from '../../src/statistics/newcombe.ts'
import { roiOfStrata } from '../../src/statistics/roi.ts'
import { confidenceSequence, recallsUntilVerdict, stratifiedSequence } from '../../src/statistics/sequence.ts'
import {
  type Stratum,
  stratifiedNewcombe,
  stratifiedRate,
  stratifiedTest,
} from '../../src/statistics/strata.ts'
import { wilson } from '../../src/statistics/wilson.ts'
import { binomialDraws, seeded } from '../support/draws.ts'
import { roiOf } from '../support/roi.ts'

// What is claimed of groups that were drawn with several shares, in seasons in which more or fewer come back.

/** A time in which so many come a day, of whom a share is held out, and come back at a rate. */
interface Season {
  readonly perDay: number
  readonly holdout: number
  readonly natural: number
  readonly treated?: number
}

function pooled(strata: readonly Stratum[]): [Group, Group] {
  const add = (arm: 'treated' | 'heldOut') => ({
    recalled: strata.reduce((sum, each) => sum + each[arm].recalled, 0),
    assigned: strata.reduce((sum, each) => sum + each[arm].assigned, 0),
  })
  return [add('treated'), add('heldOut')]
}

/** Draws what comes of one day of a season. */
function drawsOf({ perDay, holdout, natural, treated = natural }: Season, random: () => number) {
  const heldOut = Math.round(perDay * holdout)
  const draws = [
    binomialDraws(perDay - heldOut, treated, random),
    binomialDraws(heldOut, natural, random),
  ] as const
  return (): Stratum => ({
    treated: { recalled: draws[0](), assigned: perDay - heldOut },
    heldOut: { recalled: draws[1](), assigned: heldOut },
  })
}

const inside = (found: Estimate | NotEnough, truth: number) =>
  found.kind === 'estimate' && found.low <= truth && truth <= found.high

describe('one stratum', () => {
  const group = fc
    .record({ assigned: fc.integer({ min: 0, max: 5000 }), part: fc.integer({ min: 0, max: 100 }) })
    .map(({ assigned, part }) => ({ assigned, recalled: Math.round((assigned * part) / 100) }))

  it('is two groups as ever, to the last digit, also beside one that has nobody to be compared with', () => {
    fc.assert(
      fc.property(group, group, group, (treated, heldOut, lonely) => {
        const alone = [{ treated, heldOut }]
        const beside = [{ treated: lonely, heldOut: { recalled: 0, assigned: 0 } }, ...alone]
        for (const strata of treated.assigned > 0 && heldOut.assigned > 0 ? [alone, beside] : [alone]) {
          expect(stratifiedNewcombe(strata, 0.9)).toEqual(newcombe(treated, heldOut, 0.9))
          expect(stratifiedSequence(strata)).toEqual(confidenceSequence(treated, heldOut))
          expect(stratifiedTest(strata)).toEqual(differenceTest(treated, heldOut))
          if (treated.assigned > 0 && heldOut.assigned > 0)
            expect(stratifiedRate(strata, 'heldOut')).toEqual(wilson(heldOut.recalled, heldOut.assigned))
        }
      }),
    )
  })
})

describe('several strata', () => {
  const changed: Stratum[] = [
    { treated: { recalled: 285, assigned: 950 }, heldOut: { recalled: 15, assigned: 50 } },
    { treated: { recalled: 50, assigned: 500 }, heldOut: { recalled: 50, assigned: 500 } },
  ]

  it('are each compared within itself: no effect of the season', () => {
    const found = stratifiedNewcombe(changed)
    expect(found).toMatchObject({ value: 0 })
    expect(inside(found, 0)).toBe(true)
    expect(newcombe(...pooled(changed))).toMatchObject({ value: 335 / 1450 - 65 / 550 })
    // Standardised to the seasons the treated came in.
    expect(stratifiedRate(changed, 'heldOut')).toMatchObject({ value: (950 * 0.3 + 500 * 0.1) / 1450 })
    expect(stratifiedTest(changed)).toEqual({ kind: 'tested', p: 1 })
    expect(stratifiedSequence(changed)).toMatchObject({ value: 0 })
  })

  it('count by their treated, so that differences times people add up', () => {
    const strata: Stratum[] = [
      { treated: { recalled: 360, assigned: 900 }, heldOut: { recalled: 30, assigned: 100 } },
      { treated: { recalled: 60, assigned: 300 }, heldOut: { recalled: 45, assigned: 300 } },
    ]
    const found = stratifiedNewcombe(strata)
    if (found.kind !== 'estimate') throw new Error(found.why)
    expect(found.value * 1200).toBeCloseTo(900 * 0.1 + 300 * 0.05, 9)
    expect(recallsUntilVerdict(strata)).toBeGreaterThan(0)
  })

  it('say nothing while the recalls of the held out are all of another stratum than most of the treated', () => {
    const strata: Stratum[] = [
      { treated: { recalled: 30, assigned: 100 }, heldOut: { recalled: 30, assigned: 100 } },
      { treated: { recalled: 200, assigned: 10_000 }, heldOut: { recalled: 3, assigned: 50 } },
    ]
    expect(stratifiedSequence(strata)).toEqual({ kind: 'not_enough', why: 'few_recalls' })
    expect(recallsUntilVerdict(strata)).toBeGreaterThan(30)
    // Nobody of either stratum came back: wide, not certain.
    const none = changed.map(({ treated, heldOut }) => ({
      treated: { ...treated, recalled: 0 },
      heldOut: { ...heldOut, recalled: 0 },
    }))
    const found = stratifiedNewcombe(none)
    expect(found.kind === 'estimate' && found.low < -0.01 && found.high > 0.001).toBe(true)
  })
})

describe('the interval of several strata', () => {
  it.each([
    {
      name: 'few held out in the good season',
      seasons: [
        { perDay: 1000, holdout: 0.05, natural: 0.3, treated: 0.35 },
        { perDay: 1000, holdout: 0.5, natural: 0.1, treated: 0.15 },
      ],
    },
    {
      name: 'few held out in the bad season',
      seasons: [
        { perDay: 1000, holdout: 0.5, natural: 0.3, treated: 0.35 },
        { perDay: 1000, holdout: 0.05, natural: 0.1, treated: 0.12 },
      ],
    },
    {
      name: 'three shares, no effect',
      seasons: [
        { perDay: 800, holdout: 0.1, natural: 0.3 },
        { perDay: 800, holdout: 0.2, natural: 0.2 },
        { perDay: 800, holdout: 0.5, natural: 0.1 },
      ],
    },
  ])('holds the truth as often as it says: $name', ({ name, seasons }) => {
    const random = seeded(name)
    const draws = seasons.map((season) => drawsOf(season, random))
    const weights = seasons.map(({ perDay, holdout }) => perDay * (1 - holdout))
    const all = weights.reduce((sum, weight) => sum + weight, 0)
    const truth = seasons.reduce(
      (sum, { natural, treated = natural }: Season, at) =>
        sum + ((weights[at] ?? 0) / all) * (treated - natural),
      0,
    )
    let [held, heldPooled, experiments] = [0, 0, 4000]
    for (let experiment = 0; experiment < experiments; experiment += 1) {
      const strata = draws.map((draw) => draw())
      if (inside(stratifiedNewcombe(strata), truth)) held += 1
      if (inside(newcombe(...pooled(strata)), truth)) heldPooled += 1
    }
    const error = Math.sqrt((0.95 * 0.05) / experiments)
    expect(Math.abs(held / experiments - 0.95), `${held} of ${experiments}`).toBeLessThan(4 * error)
    expect(heldPooled / experiments).toBeLessThan(0.5)
  })
})

describe('money of several strata', () => {
  /** Everybody who comes back buys for 40, of which 10 are earned, and redeems 5; a treated costs 1. */
  const sumsOf = ({ recalled, assigned }: Group, each: number) => ({
    n: assigned,
    cost: each * assigned + 5 * recalled,
    recalls: recalled,
    costSquares: each * each * (assigned - recalled) + (each + 5) ** 2 * recalled,
    products: (each + 5) * recalled,
    buyers: recalled,
    margin: 10 * recalled,
    marginSquares: 100 * recalled,
  })
  const sidesOf = ({ treated, heldOut }: Stratum) => ({
    treated: sumsOf(treated, 1),
    heldOut: sumsOf(heldOut, 0),
  })
  const earning = ({ treated, heldOut }: ReturnType<typeof sidesOf>) => ({
    treated: { ...treated, products: 10 * treated.products },
    heldOut: { ...heldOut, products: 10 * heldOut.products },
  })

  it('is compared each within itself: net benefit and what is left hold the truth as often as they say', () => {
    const random = seeded('money')
    const seasons = [
      { perDay: 1000, holdout: 0.05, natural: 0.3, treated: 0.36 },
      { perDay: 1000, holdout: 0.5, natural: 0.1, treated: 0.15 },
    ]
    const draws = seasons.map((season) => drawsOf(season, random))
    const effect = (950 * 0.06 + 500 * 0.05) / 1450
    const experiments = 3000
    const held = { benefit: 0, margin: 0, left: 0, pooled: 0 }
    for (let experiment = 0; experiment < experiments; experiment += 1) {
      const strata = draws.map((draw) => draw())
      const incremental = incrementalOfStrata(strata.map(sidesOf))
      const roi = roiOfStrata(strata.map((each) => earning(sidesOf(each))))
      const [treated, heldOut] = pooled(strata)
      const together = sidesOf({ treated, heldOut })
      const pooledIncremental = incrementalOfStrata([together])
      if ('kind' in incremental || 'kind' in roi || 'kind' in pooledIncremental)
        throw new Error('an estimate')
      if (inside(netBenefit(incremental, 40), 35 * effect - 1)) held.benefit += 1
      if (inside(roi.margin, 10 * effect)) held.margin += 1
      if (inside(roi.left, 5 * effect - 1)) held.left += 1
      if (inside(netBenefit(pooledIncremental, 40), 35 * effect - 1)) held.pooled += 1
    }
    const error = Math.sqrt((0.95 * 0.05) / experiments)
    for (const figure of ['benefit', 'margin', 'left'] as const)
      expect(Math.abs(held[figure] / experiments - 0.95), figure).toBeLessThan(4 * error)
    expect(held.pooled / experiments).toBeLessThan(0.5)
  })

  it('of one stratum beside one that has nobody to be compared with is as ever, also where persons repeat', () => {
    const one = sidesOf({
      treated: { recalled: 100, assigned: 500 },
      heldOut: { recalled: 20, assigned: 200 },
    })
    const lonely = sidesOf({
      treated: { recalled: 90, assigned: 100 },
      heldOut: { recalled: 0, assigned: 0 },
    })
    const pairs = { nn: 20, nx: 9, ny: 9, xn: 9, xx: 9, xy: 9, yn: 9, yx: 9, yy: 9 }
    const repeated = { first: pairs, second: pairs, both: pairs }
    for (const again of [undefined, repeated]) {
      expect(incrementalOfStrata([lonely, one], again)).toEqual(
        incrementalOf(one.treated, one.heldOut, again),
      )
      expect(roiOfStrata([lonely, one].map(earning), again)).toEqual(
        roiOf(earning(one).treated, earning(one).heldOut, again),
      )
    }
    // Two halves of one are as sure as it is, nearly, and repeats make them less so by as much.
    const half = sidesOf({
      treated: { recalled: 50, assigned: 250 },
      heldOut: { recalled: 10, assigned: 100 },
    })
    const errors = [undefined, repeated].map((again) => {
      const [whole, halves] = [incrementalOfStrata([one], again), incrementalOfStrata([half, half], again)]
      if ('kind' in whole || 'kind' in halves) throw new Error('an estimate')
      expect(halves.a).toBeCloseTo(whole.a, 12)
      expect(halves.varianceA / whole.varianceA).toBeCloseTo(1, 1)
      expect(halves.varianceB / whole.varianceB).toBeCloseTo(1, 1)
      return halves.varianceB
    })
    expect(errors[1]).toBeGreaterThan(errors[0] ?? 0)
  })
})

describe('the sequence of several strata, looked at every day of both seasons', () => {
  const DAYS = 40
  const EXPERIMENTS = 1000
  const alarms = (
    name: string,
    seasons: readonly Season[],
    claims: (strata: readonly Stratum[]) => boolean,
  ) => {
    const random = seeded(name)
    const draws = seasons.map((season) => drawsOf(season, random))
    let alarmed = 0
    for (let experiment = 0; experiment < EXPERIMENTS; experiment += 1) {
      const strata: Stratum[] = []
      let claimed = false
      for (const draw of draws) {
        const before = [...strata]
        let own: Stratum | undefined
        for (let day = 0; day < DAYS; day += 1) {
          const today = draw()
          const [treated, heldOut] = pooled(own ? [own, today] : [today])
          own = { treated, heldOut }
          claimed ||= claims([...before, own])
        }
        if (own) strata.push(own)
      }
      if (claimed) alarmed += 1
    }
    return alarmed / EXPERIMENTS
  }
  const excludesZero = (found: Estimate | NotEnough) =>
    found.kind === 'estimate' && (found.low > 0 || found.high < 0)

  it.each([
    {
      name: '5 % held out, then 50 %',
      seasons: [
        { perDay: 400, holdout: 0.05, natural: 0.3 },
        { perDay: 400, holdout: 0.5, natural: 0.1 },
      ],
    },
    {
      name: '50 % held out, then 1 %',
      seasons: [
        { perDay: 400, holdout: 0.5, natural: 0.1 },
        { perDay: 400, holdout: 0.01, natural: 0.3 },
      ],
    },
    {
      name: '50 % held out of few, then 1 % of many of whom hardly any come back',
      seasons: [
        { perDay: 100, holdout: 0.5, natural: 0.3 },
        { perDay: 1000, holdout: 0.01, natural: 0.01 },
      ],
    },
  ])('claims nothing where there is nothing, and pooled groups do: $name', ({ name, seasons }) => {
    expect(alarms(name, seasons, (strata) => excludesZero(stratifiedSequence(strata)))).toBeLessThanOrEqual(
      0.05,
    )
    expect(
      alarms(name, seasons, (strata) => excludesZero(confidenceSequence(...pooled(strata)))),
    ).toBeGreaterThan(0.9)
  })

  it('finds an effect that was planted', () => {
    const seasons = [
      { perDay: 400, holdout: 0.1, natural: 0.3, treated: 0.36 },
      { perDay: 400, holdout: 0.5, natural: 0.1, treated: 0.14 },
    ]
    const found = alarms('planted', seasons, (strata) => {
      const sequence = stratifiedSequence(strata)
      return sequence.kind === 'estimate' && sequence.low > 0
    })
    expect(found).toBeGreaterThan(0.9)
  })
})
