import type { RepeatedHeads } from './clusters.ts'
import { type Estimate, estimateAround, type NotEnough, notEnough } from './estimate.ts'
import {
  differenceOfStrata,
  type Fieller,
  fieller,
  nobodyHeldOut,
  type RatioOfEstimates,
  type Sides,
  weighSides,
} from './fieller.ts'
import { multiplierOf, normalQuantile } from './normal.ts'
import { fewRecalls } from './sequence.ts'
import { recallsAsWeighed } from './strata.ts'

/** Extra cost a head (a) and extra recalls a head (b) of the treated over the held out, with what is known of both. */
export type Incremental = RatioOfEstimates

/**
 * What one more recall costs.
 * - `cost`: a figure with Fieller's bounded interval
 * - `not_estimable`: the effect cannot be told from nothing; `atLeast` is what it costs at the least (one-sided), where
 *   even that can be said
 * - `no_gain`: the effect is nought or less, and there is nothing to divide by
 */
export type CostPerRecall =
  | (Estimate & { readonly answer: 'cost'; readonly g: number })
  | { readonly answer: 'not_estimable'; readonly fieller: Fieller; readonly atLeast: number | undefined }
  | { readonly answer: 'no_gain' }

/**
 * Cost per incremental recall, by Fieller with the covariance of cost and effect. In the unit of `a`.
 * @param shown whether the interval that is told of the effect lies above nought: Fieller's own, of a normal spread, may do so
 *   where Newcombe's does not, and a price beside an effect that may be nothing contradicts it
 */
export function costPerRecall(
  incremental: Incremental,
  { confidence = 0.95, shown = true }: { readonly confidence?: number; readonly shown?: boolean } = {},
): CostPerRecall {
  const { a, b } = incremental
  if (b <= 0) return { answer: 'no_gain' }
  const interval = fieller(incremental, confidence)
  if (interval.kind === 'bounded' && shown) {
    const { low, high, g } = interval
    return { answer: 'cost', kind: 'estimate', value: a / b, low, high, confidence, g }
  }
  return { answer: 'not_estimable', fieller: interval, atLeast: leastCost(incremental, confidence) }
}

/**
 * The one-sided bound: the smallest positive R at which "a − R·b ≤ 0" is not rejected at 1 − confidence. Undefined
 * where even R = 0 is not rejected, so that it may cost nothing.
 */
function leastCost(incremental: Incremental, confidence: number): number | undefined {
  const z = normalQuantile(confidence)
  const rejected = (price: number) => {
    const { benefit, error } = benefitAt(incremental, price)
    return -benefit > z * error
  }
  if (!rejected(0)) return undefined
  let low = 0
  let high = incremental.a / incremental.b
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (rejected(middle)) low = middle
    else high = middle
  }
  return low
}

/**
 * λ·ΔE − ΔC: what a head treated brings in, at the operator's value of a recall. Always estimable, also where the cost
 * per recall is not.
 * @param price λ, what a recall is worth, in the unit of `a`
 */
export function netBenefit(incremental: Incremental, price: number, confidence = 0.95): Estimate {
  const { benefit, error } = benefitAt(incremental, price)
  return estimateAround(benefit, multiplierOf(confidence) * error, confidence)
}

function benefitAt(
  { a, b, varianceA, varianceB, covariance }: Incremental,
  price: number,
): { benefit: number; error: number } {
  const variance = price * price * varianceB + varianceA - 2 * price * covariance
  return { benefit: price * b - a, error: Math.sqrt(Math.max(0, variance)) }
}

/** What SQL sums up of one arm to judge its cost: heads, cost c and recalls e a head. */
export interface CostMoments {
  readonly n: number
  readonly cost: number
  readonly recalls: number
  readonly costSquares: number
  /** Σ cost·recalls. */
  readonly products: number
  /** Σ recalls², where a head counts for anything but 0 or 1. */
  readonly recallSquares?: number
  /** Heads with any, where a head counts for anything but 0 or 1. */
  readonly returned?: number
}

/**
 * Extra cost and extra recalls a head, first − second, with variances and covariance of the two differences: what every
 * price and net benefit is made of. As for a verdict, ten recalls in each group: a rate of nobody has no spread, and would
 * pass for certain.
 * @param repeated pairs of heads that are one person's, x their cost and y their recalls
 */
export function incrementalOf(
  treated: CostMoments,
  heldOut: CostMoments,
  repeated?: RepeatedHeads,
): Incremental | NotEnough {
  return incrementalOfStrata([{ treated, heldOut }], repeated)
}

/** The same where they were drawn with several shares: each stratum within itself, by its part of the treated. */
export function incrementalOfStrata(
  strata: readonly Sides<CostMoments>[],
  repeated?: RepeatedHeads,
): Incremental | NotEnough {
  if (nobodyHeldOut(strata)) return notEnough('nobody_held_out')
  const compared = weighSides(strata)
  const back = ({ returned, recalls }: CostMoments) => returned ?? recalls
  const backAnyway = recallsAsWeighed(
    compared.map(({ heldOut, weight }) => ({ recalled: back(heldOut), assigned: heldOut.n, weight })),
  )
  if (
    fewRecalls(
      compared.reduce((sum, { treated }) => sum + back(treated), 0),
      backAnyway,
    )
  )
    return notEnough('few_recalls')
  const pair = ({ n, cost, recalls, costSquares, products, recallSquares = recalls }: CostMoments) => ({
    n,
    x: cost,
    y: recalls,
    xx: costSquares,
    yy: recallSquares,
    xy: products,
  })
  return differenceOfStrata(
    compared.map(({ treated, heldOut }) => ({ treated: pair(treated), heldOut: pair(heldOut) })),
    repeated,
  )
}
