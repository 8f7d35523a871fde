import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cuped, stratifiedCuped } from '../../src/statistics/cuped.ts'
import { daysUntilDetectable, detectableDifference } from '../../src/statistics/detectable.ts'
import { fieller } from '../../src/statistics/fieller.ts'
import { newcombe } from '../../src/statistics/newcombe.ts'
import { chiSquareUpperTail, sampleRatio } from '../../src/statistics/sample-ratio.ts'
import { confidenceSequence, sequenceTest } from '../../src/statistics/sequence.ts'
import { wilson } from '../../src/statistics/wilson.ts'

const group = fc
  .integer({ min: 1, max: 100_000 })
  .chain((assigned) => fc.record({ assigned: fc.constant(assigned), recalled: fc.nat(assigned) }))

describe('estimates', () => {
  it('say that there is not enough data, and never 0–0', () => {
    expect(wilson(0, 0)).toEqual({ kind: 'not_enough', why: 'nobody' })
    const some = { recalled: 1, assigned: 2 }
    const none = { recalled: 0, assigned: 0 }
    expect(newcombe(none, some)).toEqual({ kind: 'not_enough', why: 'nobody_treated' })
    expect(newcombe(some, none)).toEqual({ kind: 'not_enough', why: 'nobody_held_out' })
    expect(sampleRatio([{ observed: 5, expected: 1 }])).toEqual({ kind: 'not_enough', why: 'one_group' })
  })

  it('refuse counts that cannot be', () => {
    expect(() => wilson(3, 2)).toThrow(RangeError)
    expect(() => wilson(-1, 2)).toThrow(RangeError)
    expect(() => wilson(1, 2, 1)).toThrow(RangeError)
    expect(() => sampleRatio([{ observed: -1, expected: 1 }])).toThrow(RangeError)
  })

  it('hold the rate inside, mirror when success and failure swap, and stay within [0, 1]', () => {
    fc.assert(
      fc.property(group, ({ recalled, assigned }) => {
        const rate = wilson(recalled, assigned)
        const mirrored = wilson(assigned - recalled, assigned)
        if (rate.kind !== 'estimate' || mirrored.kind !== 'estimate') throw new Error('expected estimates')
        expect(rate.low).toBeGreaterThanOrEqual(0)
        expect(rate.low).toBeLessThanOrEqual(rate.value)
        expect(rate.high).toBeGreaterThanOrEqual(rate.value)
        expect(rate.high).toBeLessThanOrEqual(1)
        expect(rate.low + mirrored.high).toBeCloseTo(1, 12)
      }),
    )
  })

  it('of a difference change sign with the order of the groups, and hold 0 for equal rates', () => {
    fc.assert(
      fc.property(group, group, (a, b) => {
        const forward = newcombe(a, b)
        const backward = newcombe(b, a)
        if (forward.kind !== 'estimate' || backward.kind !== 'estimate') throw new Error('expected estimates')
        expect(forward.low).toBeCloseTo(-backward.high, 12)
        expect(forward.low).toBeGreaterThanOrEqual(-1 - 1e-12)
        expect(forward.high).toBeLessThanOrEqual(1 + 1e-12)
        const same = newcombe(a, a)
        if (same.kind !== 'estimate') throw new Error('expected an estimate')
        expect(same.low).toBeLessThanOrEqual(0)
        expect(same.high).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})

describe('the χ² tail', () => {
  it('has its closed forms', () => {
    expect(chiSquareUpperTail(0, 1)).toBe(1)
    expect(chiSquareUpperTail(3, 2)).toBeCloseTo(Math.exp(-1.5), 14)
    expect(chiSquareUpperTail(5, 4)).toBeCloseTo(Math.exp(-2.5) * 3.5, 14)
    // Tables: χ²(0.95; 1, 3, 5).
    expect(chiSquareUpperTail(3.841458820694124, 1)).toBeCloseTo(0.05, 12)
    expect(chiSquareUpperTail(7.814727903251179, 3)).toBeCloseTo(0.05, 12)
    expect(chiSquareUpperTail(11.070497693516351, 5)).toBeCloseTo(0.05, 12)
  })

  it('keeps its digits far out', () => {
    expect(chiSquareUpperTail(400, 1)).toBeGreaterThan(0)
    expect(chiSquareUpperTail(400, 1)).toBeLessThan(1e-87)
  })
})

describe('CUPED', () => {
  const moments = (values: readonly number[], before: readonly number[]) => {
    const sum = (of: (value: number, known: number) => number) =>
      values.reduce((all, value, at) => all + of(value, before[at] ?? 0), 0)
    return {
      n: values.length,
      sum: sum((y) => y),
      sumOfSquares: sum((y) => y * y),
      covariateSum: sum((_, x) => x),
      covariateSumOfSquares: sum((_, x) => x * x),
      productSum: sum((y, x) => x * y),
    }
  }
  const values = (n: number, from: number) =>
    Array.from({ length: n }, (_, at) => ((at * 7 + from) % 23) / 10)
  const nothing = { kind: 'not_enough', why: 'one_member' }

  it('says nothing where the covariate is the outcome itself: a difference of rounding errors would be certain', () => {
    for (const n of [10, 41, 300]) {
      const [first, second] = [values(n, 1), values(37, 5)]
      const asKnown = (own: readonly number[]) =>
        moments(
          own,
          own.map((y) => 3 * y + 1),
        )
      const { raw, adjusted } = cuped(asKnown(first), asKnown(second))
      expect(raw.kind).toBe('estimate')
      expect(adjusted).toEqual(nothing)
    }
  })

  it('says nothing while everybody of an arm did the same, rather than 0–0', () => {
    const alike = (value: number) => moments([value, value, value], [1, 2, 5])
    for (const treated of [alike(0), alike(1)]) {
      expect(cuped(treated, alike(0))).toMatchObject({ raw: nothing, adjusted: nothing, explained: 0 })
    }
    // Another share held out, of whose people nobody came back yet, takes nothing from what is known of the rest.
    const spread = { treated: moments([0, 1, 1, 0], [1, 2, 5, 3]), heldOut: moments([0, 1, 0], [2, 2, 4]) }
    const both = stratifiedCuped([spread, { treated: alike(0), heldOut: alike(0) }])
    expect(both.adjusted.kind).toBe('estimate')
  })
})

describe('Fieller', () => {
  it('is the ratio where nothing varies, or both vary in step, whatever the last digit says', () => {
    for (const [a, b] of [
      [0.1, 0.003],
      [1 / 3, 0.7],
      [2e5, 0.07],
    ] as const) {
      for (const part of [0, 0.01]) {
        const spread = { varianceA: part * a * a, varianceB: part * b * b, covariance: part * a * b }
        const found = fieller({ a, b, ...spread })
        if (found.kind !== 'bounded') throw new Error('expected bounds')
        expect(found.low / (a / b)).toBeCloseTo(1, 6)
        expect(found.high / (a / b)).toBeCloseTo(1, 6)
      }
    }
  })
})

describe('the sample-ratio test', () => {
  it.each([0.5, 0.1, 0.05, 0.01, 0.005])(
    'raises an alarm for nothing three times in a thousand at most with a share of %s, from the first person on',
    (share) => {
      for (const n of [1, 2, 5, 10, 20, 50, 100, 200, 500, 900]) {
        // All that can be drawn, each as likely as it is.
        let [likely, alarmed] = [(1 - share) ** n, 0]
        for (let held = 0; held <= n; held += 1) {
          const found = sampleRatio([
            { observed: n - held, expected: 1 - share },
            { observed: held, expected: share },
          ])
          if (found.kind === 'tested' && found.alarm) alarmed += likely
          likely *= ((n - held) / (held + 1)) * (share / (1 - share))
        }
        expect(alarmed).toBeLessThan(0.0035)
      }
    },
  )

  it('is exact where a group is due few: scipy.stats.binomtest', () => {
    const p = (groups: [number, number][]) => {
      const found = sampleRatio(groups.map(([observed, expected]) => ({ observed, expected })))
      return found.kind === 'tested' ? found.p : undefined
    }
    const tail = (n: number, share: number) => 1 - (1 - share) ** n
    expect(
      p([
        [9, 99.5],
        [1, 0.5],
      ]),
    ).toBeCloseTo(2 * tail(10, 0.005), 12)
    expect(
      p([
        [0, 99],
        [1, 1],
      ]),
    ).toBeCloseTo(0.02, 12)
    expect(
      p([
        [0, 0.5],
        [3, 0.5],
      ]),
    ).toBeCloseTo(0.25, 12)
    expect(
      p([
        [12, 1],
        [0, 1],
      ]),
    ).toBeCloseTo(0.0005, 3)
    // Three groups: the one due 0.1 exactly, the other two among each other.
    expect(
      p([
        [6, 0.495],
        [6, 0.495],
        [0, 0.01],
      ]),
    ).toBe(1)
    expect(
      p([
        [100, 0.495],
        [0, 0.495],
        [0, 0.01],
      ]),
    ).toBeLessThan(1e-20)
    expect(
      p([
        [0, 1],
        [0, 1],
        [3, 1e-6],
      ]),
    ).toBeLessThan(1e-15)
  })
})

describe('days until a difference can be shown', () => {
  it('are the first whole day on which the smallest detectable difference is small enough', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 0.9, noNaN: true }),
        fc.double({ min: 0.005, max: 0.2, noNaN: true }),
        fc.integer({ min: 1, max: 5000 }),
        fc.double({ min: 0.02, max: 0.5, noNaN: true }),
        (rate, difference, perDay, holdout) => {
          const days = daysUntilDetectable({ rate, difference, perDay, holdout })
          if (typeof days !== 'number') throw new Error('expected a number')
          const smallestAfter = (n: number) =>
            detectableDifference({
              rate,
              treated: perDay * n * (1 - holdout),
              heldOut: perDay * n * holdout,
            })
          expect(smallestAfter(days)).toBeLessThanOrEqual(difference * (1 + 1e-9))
          if (days > 1) expect(smallestAfter(days - 1)).toBeGreaterThan(difference * (1 - 1e-9))
        },
      ),
    )
  })

  it('need a holdout and an inflow', () => {
    const question = { rate: 0.1, difference: 0.02, perDay: 100, holdout: 0.1 }
    expect(daysUntilDetectable({ ...question, holdout: 0 })).toEqual({
      kind: 'not_enough',
      why: 'nobody_held_out',
    })
    expect(daysUntilDetectable({ ...question, perDay: 0 })).toEqual({ kind: 'not_enough', why: 'nobody' })
    expect(daysUntilDetectable({ ...question, perDay: 0, already: 1e9 })).toBe(0)
  })
})

describe('the p that holds at every look', () => {
  const rate = fc.integer({ min: 20, max: 300 }).map((thousandths) => thousandths / 1000)
  const groups = fc
    .record({
      n: fc.integer({ min: 500, max: 50_000 }),
      m: fc.integer({ min: 500, max: 50_000 }),
      p: rate,
      q: rate,
    })
    .map(
      ({ n, m, p, q }) =>
        [
          { assigned: n, recalled: Math.round(n * p) },
          { assigned: m, recalled: Math.round(m * q) },
        ] as const,
    )

  it('is below 5 % exactly where the interval for daily looks excludes zero, and never flatters', () => {
    let excluded = 0
    fc.assert(
      fc.property(groups, ([first, second]) => {
        const test = sequenceTest(first, second)
        const interval = confidenceSequence(first, second)
        if (test.kind !== 'tested' || interval.kind !== 'estimate') throw new Error('expected estimates')
        const excludes = interval.low > 0 || interval.high < 0
        excluded += excludes ? 1 : 0
        expect(test.p < 0.05).toBe(excludes)
        expect(sequenceTest(second, first)).toEqual(test)
      }),
    )
    expect(excluded).toBeGreaterThan(10)
  })

  it('has an interval that keeps to what a difference of rates can be, however few', () => {
    const all = { assigned: 10, recalled: 10 }
    expect(confidenceSequence(all, { assigned: 30, recalled: 14 })).toMatchObject({ low: -1, high: 1 })
  })

  it('says nothing before each group has enough, nor of a difference where there is no spread', () => {
    const some = { recalled: 9, assigned: 100 }
    expect(sequenceTest(some, { recalled: 50, assigned: 100 })).toEqual({
      kind: 'not_enough',
      why: 'few_recalls',
    })
    const all = { recalled: 100, assigned: 100 }
    expect(sequenceTest(all, all)).toEqual({ kind: 'tested', p: 1 })
  })
})
