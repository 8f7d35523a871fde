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
function differenceOfPairs(
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

/** Two arms that were drawn with one share. */
export interface Sides<Of> {
  readonly treated: Of
  readonly heldOut: Of
}

/** Some are treated, and nobody at all is there to compare them with: more of them would tell nothing. */
export function nobodyHeldOut(strata: readonly Sides<{ readonly n: number }>[]): boolean {
  return strata.some(({ treated }) => treated.n > 0) && strata.every(({ heldOut }) => heldOut.n === 0)
}

/** Those with a spread on either side, each with its part of the treated. The first, if none has. */
export function weighSides<Of extends { readonly n: number }>(
  strata: readonly Sides<Of>[],
): readonly (Sides<Of> & { readonly weight: number })[] {
  const spread = strata.filter(({ treated, heldOut }) => treated.n > 1 && heldOut.n > 1)
  const compared = spread.length > 0 ? spread : strata.slice(0, 1)
  if (compared.length === 1) return compared.map((each) => ({ ...each, weight: 1 }))
  const all = compared.reduce((sum, { treated }) => sum + treated.n, 0)
  return compared.map((each) => ({ ...each, weight: each.treated.n / all }))
}

/**
 * The same where the arms were drawn with several shares: each stratum within itself, by its part of the treated (strata.ts).
 * @param repeated pairs of heads that are one person's, of all strata together: variances grow by the factor by which theirs do
 */
export function differenceOfStrata(
  strata: readonly Sides<PairMoments>[],
  repeated?: RepeatedHeads,
): RatioOfEstimates {
  const weighed = weighSides(strata)
  const [only] = weighed
  if (only && weighed.length === 1) return differenceOfPairs(only.treated, only.heldOut, repeated)
  const parts = weighed.map((each) => ({
    weight: each.weight,
    ...differenceOfPairs(each.treated, each.heldOut),
  }))
  const grown = growthOf(weighed, repeated)
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  return {
    a: sum(({ weight, a }) => weight * a),
    b: sum(({ weight, b }) => weight * b),
    varianceA: grown.a * sum(({ weight, varianceA }) => weight ** 2 * varianceA),
    varianceB: grown.b * sum(({ weight, varianceB }) => weight ** 2 * varianceB),
    covariance: Math.sqrt(grown.a * grown.b) * sum(({ weight, covariance }) => weight ** 2 * covariance),
  }
}

/** By what clustering by person makes either variance larger, over all strata together; never below 1. */
function growthOf(
  strata: readonly Sides<PairMoments>[],
  repeated: RepeatedHeads | undefined,
): { readonly a: number; readonly b: number } {
  if (!repeated) return { a: 1, b: 1 }
  const first = addPairs(strata.map(({ treated }) => treated))
  const second = addPairs(strata.map(({ heldOut }) => heldOut))
  const alone = differenceOfPairs(first, second)
  const clustered = differenceOfPairs(first, second, repeated)
  const growth = (one: number, other: number) => (one > 0 ? Math.max(1, other / one) : 1)
  return {
    a: growth(alone.varianceA, clustered.varianceA),
    b: growth(alone.varianceB, clustered.varianceB),
  }
}

function addPairs(arms: readonly PairMoments[]): PairMoments {
  const sum = (of: keyof PairMoments) => arms.reduce((all, arm) => all + arm[of], 0)
  return { n: sum('n'), x: sum('x'), y: sum('y'), xx: sum('xx'), yy: sum('yy'), xy: sum('xy') }
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
  const exact = half * half - square * constant
  // Two roots that are one (no variance at all, or a and b in step): rounding leaves a difference of either sign.
  const discriminant = Math.abs(exact) <= 4 * Number.EPSILON * half * half ? 0 : exact
  if (square === 0 || discriminant < 0) return { kind: 'everything', g }
  // The larger root in size first: the other from their product, so that no digits cancel.
  const far = half + (half < 0 ? -1 : 1) * Math.sqrt(discriminant)
  const roots = far === 0 ? [0, 0] : [far / square, constant / far]
  const [low = 0, high = 0] = roots.sort((one, other) => one - other)
  return { kind: square > 0 ? 'bounded' : 'exclusive', low, high, g }
}
