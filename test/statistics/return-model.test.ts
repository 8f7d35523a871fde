import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { minimise } from '../../src/statistics/nelder-mead.ts'
import { areaUnderCurve, calibrate } from '../../src/statistics/ranking.ts'
import {
  aliveProbability,
  fitReturnModel,
  logLikelihood,
  returnProbability,
} from '../../src/statistics/return-model.ts'

const model = { r: 0.2426, alpha: 4.4135, a: 0.7929, b: 2.4258 }

describe('return model', () => {
  it('knows the paper’s example: 2 repeats, the last at 30.43, observed for 38.86 weeks', () => {
    // Conditional expectation 1.226 in the paper’s spreadsheet rests on P(alive) = 0.726.
    expect(aliveProbability(model, { x: 2, tx: 30.43, t: 38.86 })).toBeCloseTo(0.726, 2)
    expect(aliveProbability(model, { x: 0, tx: 0, t: 38.86 })).toBe(1)
  })

  it('is a probability that grows with the horizon and stays finite for extreme histories', () => {
    const history = fc
      .record({
        x: fc.nat(5000),
        t: fc.double({ min: 0, max: 1e4, noNaN: true }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(({ x, t, share }) => ({ x, t, tx: x === 0 ? 0 : t * share }))
    fc.assert(
      fc.property(history, fc.double({ min: 0.01, max: 500, noNaN: true }), (given, horizon) => {
        const [soon, later] = [
          returnProbability(model, given, horizon),
          returnProbability(model, given, horizon * 2),
        ]
        expect(soon).toBeGreaterThanOrEqual(0)
        expect(later).toBeLessThanOrEqual(1)
        expect(later).toBeGreaterThanOrEqual(soon)
        expect(Number.isFinite(logLikelihood(model, [{ ...given, count: 1 }]))).toBe(true)
      }),
    )
  })
})

describe('a fit that ran to an edge', () => {
  it('says so where everybody came back once and after the same time', () => {
    // Of such people the likeliest model says that all are alike and gone for good: r and α without end, b nought.
    const alike = Array.from({ length: 40 }, (_, n) => ({ x: 1, tx: 60 / 7, t: (60 + n) / 7, count: 10 }))
    expect(fitReturnModel(alike)).toMatchObject({ edge: true })
  })

  it('is none where people differ, in weeks or in hours', () => {
    const mixed = [
      [0, 0, 600],
      [1, 2, 60],
      [1, 8, 40],
      [1, 20, 40],
      [2, 6, 30],
      [2, 15, 20],
      [2, 26, 30],
      [4, 12, 10],
      [4, 28, 30],
      [8, 18, 4],
      [8, 29, 12],
    ].map(([x = 0, tx = 0, count = 0]) => ({ x, tx, t: 30, count }))
    const hours = mixed.map(({ tx, t, ...rest }) => ({ ...rest, tx: tx * 168, t: t * 168 }))
    for (const histories of [mixed, hours]) {
      expect(fitReturnModel(histories)).toMatchObject({ edge: false, converged: true })
    }
  })
})

describe('Nelder and Mead', () => {
  it('finds the bottom of Rosenbrock’s valley', () => {
    const valley = ([x = 0, y = 0]: readonly number[]) => (1 - x) ** 2 + 100 * (y - x * x) ** 2
    const { point, converged } = minimise(valley, [-1.2, 1])
    expect(converged).toBe(true)
    expect(point[0]).toBeCloseTo(1, 4)
    expect(point[1]).toBeCloseTo(1, 4)
  })

  it('says so where it ran out of evaluations', () => {
    expect(minimise(([x = 0]) => -x, [0], { evaluations: 50 }).converged).toBe(false)
  })
})

describe('ranking', () => {
  it('counts ties half', () => {
    const of = (score: number, happened: number) => ({ score, happened, count: 1 })
    expect(areaUnderCurve([of(1, 0), of(2, 1)])).toBe(1)
    expect(areaUnderCurve([of(2, 0), of(1, 1)])).toBe(0)
    expect(areaUnderCurve([of(1, 0), of(1, 1)])).toBe(0.5)
    // Pairs: (3 > 2), (3 > 1), (1 < 2), (1 = 1).
    expect(areaUnderCurve([of(3, 1), of(1, 1), of(2, 0), of(1, 0)])).toBe(2.5 / 4)
    expect(areaUnderCurve([of(1, 1)])).toBeNaN()
  })

  it('keeps everybody, and equal scores together', () => {
    const foreseen = fc.array(
      fc.record({ score: fc.constantFrom(0, 0.1, 0.5, 0.9), happened: fc.nat(1), count: fc.constant(1) }),
      { minLength: 1 },
    )
    fc.assert(
      fc.property(foreseen, (given) => {
        const parts = calibrate(given, 3)
        expect(parts.reduce((sum, { people }) => sum + people, 0)).toBe(given.length)
        expect(parts.length).toBeLessThanOrEqual(4)
        expect(parts.map(({ foreseen }) => foreseen)).toEqual(
          parts.map(({ foreseen }) => foreseen).sort((a, b) => a - b),
        )
      }),
    )
  })
})
