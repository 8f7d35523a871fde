import { clustering, type RepeatedHeads } from './clusters.ts'
import { multiplierOf } from './normal.ts'

/** Two estimates, their variances and their covariance: the ratio a / b is asked for. */
export interface RatioOfEstimates {
  readonly a: number
  readonly b: number
  readonly varianceA: number
  readonly varianceB: number
  readonly covariance: number
}

/** What is summed up of one arm with two figures a head, x and y. */
export interface PairMoments {
  readonly n: number
  readonly x: number
  readonly y: number
  readonly xx: number
  readonly yy: number
  readonly xy: number
}

/**
 * Difference of means a head, first − second: of x (a) and of y (b), with their variances and covariance.
 * @param repeated pairs of heads that are one person's; none by default
 */
export function differenceOfPairs(
  first: PairMoments,
  second: PairMoments,
  repeated?: RepeatedHeads,
): RatioOfEstimates {
  const of = ({ n, x, y, xx, yy, xy }: PairMoments) => ({
    a: x / n,
    b: y / n,
    varianceA: Math.max(0, xx - (x * x) / n) / (n - 1) / n,
    varianceB: Math.max(0, yy - (y * y) / n) / (n - 1) / n,
    covariance: (xy - (x * y) / n) / (n - 1) / n,
  })
  const one = of(first)
  const other = of(second)
  const means = ({ a, b }: { a: number; b: number }, { n }: PairMoments) => ({ n, x: a, y: b })
  const more = repeated
    ? clustering(repeated, means(one, first), means(other, second))
    : { x: 0, y: 0, xy: 0 }
  return {
    a: one.a - other.a,
    b: one.b - other.b,
    varianceA: Math.max(0, one.varianceA + other.varianceA + more.x),
    varianceB: Math.max(0, one.varianceB + other.varianceB + more.y),
    covariance: one.covariance + other.covariance + more.xy,
  }
}

/**
 * Fieller's three answers. `g` = z²·var(b)/b²: from 1 on, b cannot be told from nothing.
 * - `bounded`: an interval
 * - `exclusive`: everything but what lies between `low` and `high`
 * - `everything`: any ratio at all fits
 */
export type Fieller =
  | {
      readonly kind: 'bounded' | 'exclusive'
      readonly low: number
      readonly high: number
      readonly g: number
    }
  | { readonly kind: 'everything'; readonly g: number }

/**
 * Fieller's interval (1954) of a ratio: the roots of (b² − z²v_b)R² − 2(ab − z²c)R + (a² − z²v_a) = 0. It keeps its
 * coverage where the delta method's ratio ± se does not: when b may be near zero.
 * @throws RangeError for a negative variance or a confidence outside (0, 1)
 */
export function fieller(
  { a, b, varianceA, varianceB, covariance }: RatioOfEstimates,
  confidence = 0.95,
): Fieller {
  if (!(varianceA >= 0 && varianceB >= 0)) throw new RangeError('a variance cannot be negative')
  const z = multiplierOf(confidence)
  const g = b === 0 ? Number.POSITIVE_INFINITY : (z * z * varianceB) / (b * b)
  const square = b * b - z * z * varianceB
  const half = a * b - z * z * covariance
  const constant = a * a - z * z * varianceA
  const discriminant = half * half - square * constant
  if (square === 0 || discriminant < 0) return { kind: 'everything', g }
  // The larger root in size first: the other from their product, so that no digits cancel.
  const far = half + (half < 0 ? -1 : 1) * Math.sqrt(discriminant)
  const roots = far === 0 ? [0, 0] : [far / square, constant / far]
  const [low = 0, high = 0] = roots.sort((one, other) => one - other)
  return { kind: square > 0 ? 'bounded' : 'exclusive', low, high, g }
}
