import type { RepeatedHeads } from './clusters.ts'
import { type Estimate, estimateAround, type NotEnough, notEnough } from './estimate.ts'
import {
  differenceOfStrata,
  fieller,
  nobodyHeldOut,
  type RatioOfEstimates,
  type Sides,
  weighSides,
} from './fieller.ts'
import { type MeansTest, sampleOf, weighedMeans, welch } from './means.ts'
import { multiplierOf } from './normal.ts'
import { recallsAsWeighed } from './strata.ts'

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
 * @param strata by the shares they were drawn with: each within itself, by its part of the treated
 * @param repeated pairs of heads that are one person's, x their margin and y their cost
 */
export function roiOfStrata(
  strata: readonly Sides<RoiMoments>[],
  repeated?: RepeatedHeads,
  confidence = 0.95,
): Roi | NotEnough {
  if (nobodyHeldOut(strata)) return notEnough('nobody_held_out')
  const compared = weighSides(strata)
  if (compared.some(({ treated, heldOut }) => treated.n < 2 || heldOut.n < 2)) return notEnough('one_member')
  const buyers = recallsAsWeighed(
    compared.map(({ heldOut, weight }) => ({ recalled: heldOut.buyers, assigned: heldOut.n, weight })),
  )
  const bought = compared.reduce((sum, { treated }) => sum + treated.buyers, 0)
  if (Math.min(bought, buyers) < MINIMUM_BUYERS) return notEnough('few_buyers')
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
  const difference = differenceOfStrata(
    compared.map(({ treated, heldOut }) => ({ treated: pair(treated), heldOut: pair(heldOut) })),
    repeated,
  )
  const { a, b, varianceA, varianceB, covariance } = difference
  const error = Math.sqrt(Math.max(0, varianceA + varianceB - 2 * covariance))
  const margins = compared.map(({ treated, heldOut, weight }) => ({
    weight,
    test: welch(
      sample(treated),
      sample(heldOut),
      confidence,
      compared.length === 1 && repeated ? varianceA : undefined,
    ),
  }))
  const [only] = margins
  return {
    margin:
      only && margins.length === 1
        ? only.test
        : weighedMeans(margins, confidence, repeated ? Math.sqrt(varianceA) : undefined),
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
