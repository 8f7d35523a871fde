import type { RepeatedHeads } from './clusters.ts'
import { type Estimate, estimateAround, type NotEnough, notEnough } from './estimate.ts'
import { differenceOfPairs, fieller, type RatioOfEstimates } from './fieller.ts'
import { type MeansTest, sampleOf, welch } from './means.ts'
import { multiplierOf } from './normal.ts'

/** What SQL sums up of one arm to judge what its cost brought in: heads, margin m and cost c a head. */
export interface RoiMoments {
  readonly n: number
  /** Heads with any margin at all. */
  readonly buyers: number
  readonly margin: number
  readonly cost: number
  readonly marginSquares: number
  readonly costSquares: number
  /** Σ margin·cost. */
  readonly products: number
}

/**
 * What one unit of cost brings back above itself: ΔM/ΔC − 1.
 * - `ratio`: a figure with Fieller's bounded interval
 * - `not_estimable`: the extra cost cannot be told from nothing
 * - `no_cost`: the treated cost no more than the held out, and there is nothing to divide by
 */
export type RoiRatio =
  | (Estimate & { readonly answer: 'ratio'; readonly g: number })
  | { readonly answer: 'not_estimable' }
  | { readonly answer: 'no_cost' }

/** Extra margin for extra cost, as far as it can be told. */
export interface Roi {
  /** Extra margin a head, by Welch; where persons repeat, with their clustered error. */
  readonly margin: MeansTest | NotEnough
  /** Extra margin less extra cost, a head: estimable also where the ratio is not. */
  readonly left: Estimate
  readonly ratio: RoiRatio
}

/** A mean of few purchases among many nothings has no normal spread: both arms need so many who bought. */
export const MINIMUM_BUYERS = 10

/**
 * What the cost of the treated brought in, over the held out. In the unit of the moments; the ratio has none.
 * @param repeated pairs of heads that are one person's, x their margin and y their cost
 */
export function roiOf(
  treated: RoiMoments,
  heldOut: RoiMoments,
  repeated?: RepeatedHeads,
  confidence = 0.95,
): Roi | NotEnough {
  if (treated.n < 2 || heldOut.n < 2) return notEnough('one_member')
  if (Math.min(treated.buyers, heldOut.buyers) < MINIMUM_BUYERS) return notEnough('few_buyers')
  const sample = ({ n, margin, marginSquares }: RoiMoments) =>
    sampleOf({ n, sum: margin, sumOfSquares: marginSquares })
  const pair = ({ n, margin, cost, marginSquares, costSquares, products }: RoiMoments) => ({
    n,
    x: margin,
    y: cost,
    xx: marginSquares,
    yy: costSquares,
    xy: products,
  })
  const difference = differenceOfPairs(pair(treated), pair(heldOut), repeated)
  const { a, b, varianceA, varianceB, covariance } = difference
  const error = Math.sqrt(Math.max(0, varianceA + varianceB - 2 * covariance))
  return {
    margin: welch(sample(treated), sample(heldOut), confidence, repeated && varianceA),
    left: estimateAround(a - b, multiplierOf(confidence) * error, confidence),
    ratio: roiRatio(difference, confidence),
  }
}

/** Extra margin a head (a) for extra cost a head (b), by Fieller with their covariance. */
export function roiRatio(difference: RatioOfEstimates, confidence = 0.95): RoiRatio {
  const { a, b } = difference
  if (b <= 0) return { answer: 'no_cost' }
  const interval = fieller(difference, confidence)
  if (interval.kind !== 'bounded') return { answer: 'not_estimable' }
  const { low, high, g } = interval
  return { answer: 'ratio', kind: 'estimate', value: a / b - 1, low: low - 1, high: high - 1, confidence, g }
}
