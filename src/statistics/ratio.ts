import { type Estimate, estimateAround, type NotEnough, notEnough } from './estimate.ts'
import { multiplierOf } from './normal.ts'

// A rate over episodes where one person may have several. Episodes of a person resemble each other, so the unit that
// is independent is the person: recalls and episodes are summed by person, and the rate is a ratio of two sums.

/** Sums over persons of one arm: y the numerator (recalls), x the denominator (episodes). */
export interface RatioMoments {
  readonly persons: number
  readonly y: number
  readonly x: number
  readonly yy: number
  readonly xx: number
  readonly xy: number
}

/** Products of the two arms' sums over persons who are in both: each lapse draws anew. 0 where arms stick to a person. */
export interface CrossMoments {
  readonly yy: number
  readonly xx: number
  /** Σ y(treated)·x(held out). */
  readonly yx: number
  /** Σ x(treated)·y(held out). */
  readonly xy: number
}

/** Sum of squared residuals y − r·x, over the squared denominator: the delta method with persons as clusters. */
function varianceOf(arm: RatioMoments): number {
  const rate = arm.y / arm.x
  const squares = Math.max(0, arm.yy - 2 * rate * arm.xy + rate * rate * arm.xx)
  return (squares * arm.persons) / (arm.persons - 1) / (arm.x * arm.x)
}

/** Σy / Σx with its clustered interval (delta method, persons as clusters). */
export function ratio(arm: RatioMoments, confidence = 0.95): Estimate | NotEnough {
  if (arm.x <= 0) return notEnough('nobody')
  if (arm.persons < 2) return notEnough('one_member')
  return estimateAround(arm.y / arm.x, multiplierOf(confidence) * Math.sqrt(varianceOf(arm)), confidence)
}

/**
 * The difference of two ratios, first − second, clustered by person. With one episode a person it is the textbook
 * interval of two rates. `both` are the products over persons with episodes in either arm: without their covariance the
 * interval is too wide or too narrow, as the case may be.
 */
export function ratioDifference(
  treated: RatioMoments,
  heldOut: RatioMoments,
  both: CrossMoments = { yy: 0, xx: 0, yx: 0, xy: 0 },
  confidence = 0.95,
): (Estimate & { readonly standardError: number }) | NotEnough {
  if (treated.x <= 0) return notEnough('nobody_treated')
  if (heldOut.x <= 0) return notEnough('nobody_held_out')
  if (Math.min(treated.persons, heldOut.persons) < 2) return notEnough('one_member')
  const first = treated.y / treated.x
  const second = heldOut.y / heldOut.x
  const covariance =
    (both.yy - second * both.yx - first * both.xy + first * second * both.xx) / (treated.x * heldOut.x)
  const variance = Math.max(0, varianceOf(treated) + varianceOf(heldOut) - 2 * covariance)
  const standardError = Math.sqrt(variance)
  return {
    ...estimateAround(first - second, multiplierOf(confidence) * standardError, confidence),
    standardError,
  }
}
