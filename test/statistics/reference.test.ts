import { describe, expect, it } from 'vitest'
import { detectableDifference, requiredTreated } from '../../src/statistics/detectable.ts'
import { newcombe } from '../../src/statistics/newcombe.ts'
import { normalQuantile, normalUpperTail } from '../../src/statistics/normal.ts'
import { chiSquareUpperTail, sampleRatio } from '../../src/statistics/sample-ratio.ts'
import { wilson } from '../../src/statistics/wilson.ts'
import { expectWithin, vectors } from './vectors.ts'

describe.skipIf(!vectors)('against the reference figures', () => {
  const reference = vectors
  if (!reference) return

  it.each(reference.special_functions.normq)('the normal quantile of $in', (known) => {
    expectWithin(normalQuantile(known.in[0]), known.out)
  })

  it.each(reference.special_functions.normcdf)('the normal tail at $in', (known) => {
    expectWithin(normalUpperTail(-known.in[0]), known.out)
  })

  it.each(reference.special_functions.chi2sf)('the χ² tail at $in', (known) => {
    expectWithin(chiSquareUpperTail(known.in[0], known.in[1]), known.out)
  })

  it.each(reference.wilson.cases)('Wilson for $x of $n', ({ x, n, ci }) => {
    const estimate = wilson(x, n)
    if (estimate.kind !== 'estimate') throw new Error('expected an estimate')
    expectWithin(estimate.value, x / n)
    expectWithin(estimate.low, ci[0])
    expectWithin(estimate.high, ci[1])
  })

  it.each(reference.risk_difference.cases)('Newcombe for $x1/$n1 − $x2/$n2', (known) => {
    const estimate = newcombe(
      { recalled: known.x1, assigned: known.n1 },
      { recalled: known.x2, assigned: known.n2 },
    )
    if (estimate.kind !== 'estimate') throw new Error('expected an estimate')
    expectWithin(estimate.low, known.newcombe10[0])
    expectWithin(estimate.high, known.newcombe10[1])
  })

  it.each(reference.power.cases)('size to tell $p1 from $p2 at 1:$k', (known) => {
    const size = requiredTreated({
      treatedRate: known.p1,
      heldOutRate: known.p2,
      ratio: known.k,
      power: known.power,
    })
    expectWithin(size.pooled, known.n1_pooled)
    expectWithin(size.unpooled, known.n1_unpooled)
  })

  it.each(reference.power.mde_cases)('smallest difference at $p with $nT and $nC', (known) => {
    const smallest = detectableDifference({ rate: known.p, treated: known.nT, heldOut: known.nC })
    if (typeof smallest !== 'number') throw new Error('expected a number')
    expectWithin(smallest, known.mde)
  })

  // The source prints nine decimals, and answers p = 1 where there is nothing to test.
  it.each(reference.srm.cases)('sample ratio of $users at $weights', ({ users, weights, p }) => {
    const result = sampleRatio(users.map((observed, i) => ({ observed, expected: weights[i] ?? 0 })))
    if (result.kind === 'not_enough') expect(p).toBe(1)
    else expect(Math.abs(result.p - p)).toBeLessThan(1e-9)
  })

  it.each(reference.srm.derived_extra)('sample ratio of $users at $weights', ({ users, weights, p }) => {
    const result = sampleRatio(users.map((observed, i) => ({ observed, expected: weights[i] ?? 0 })))
    if (result.kind !== 'tested') throw new Error('expected a test')
    expectWithin(result.p, p)
    expect(result.alarm).toBe(p < 0.001)
  })
})
