import { type Estimate, estimateAround, type NotEnough, notEnough } from './estimate.ts'
import { studentMultiplier, studentUpperTail } from './student.ts'

/** What SQL sums up of one arm's values: count, Σ and Σ². */
export interface Moments {
  readonly n: number
  readonly sum: number
  readonly sumOfSquares: number
}

/** An arm as an estimator sees it. `variance` is of one value, not of the mean. */
export interface Sample {
  readonly n: number
  readonly mean: number
  readonly variance: number
}

/** The sample of some values, its variance with n − 1; undefined below two values, which have no spread. */
export function sampleOf({ n, sum, sumOfSquares }: Moments): Sample | undefined {
  if (n < 2) return undefined
  // Rounding may leave a constant's variance a hair below zero.
  return { n, mean: sum / n, variance: Math.max(0, (sumOfSquares - (sum * sum) / n) / (n - 1)) }
}

/** The sample of a yes-or-no outcome, its variance p(1 − p) without n − 1. */
export function sampleOfCount(successes: number, n: number): Sample | undefined {
  if (n < 1) return undefined
  const mean = successes / n
  return { n, mean, variance: mean * (1 - mean) }
}

export interface MeansTest extends Estimate {
  /** Two-sided, of "no difference". */
  readonly p: number
  readonly standardError: number
  /** Welch–Satterthwaite. */
  readonly degrees: number
}

/**
 * The mean of one arm with Student's interval.
 * @param variance of the mean, where heads are not independent; by default as if they were
 */
export function meanOf(
  sample: Sample | undefined,
  confidence = 0.95,
  variance = sample ? sample.variance / sample.n : 0,
): Estimate | NotEnough {
  if (!sample || sample.n < 2) return notEnough('one_member')
  const half = Math.sqrt(variance) * studentMultiplier(confidence, sample.n - 1)
  return estimateAround(sample.mean, half, confidence)
}

/**
 * The difference of means, first − second, by Welch's test (1947): arms may differ in size and in spread.
 * @param variance of the difference, where heads are not independent; by default as if they were
 */
export function welch(
  treated: Sample | undefined,
  heldOut: Sample | undefined,
  confidence = 0.95,
  variance = treated && heldOut ? treated.variance / treated.n + heldOut.variance / heldOut.n : 0,
): MeansTest | NotEnough {
  if (!(treated && heldOut)) return notEnough('one_member')
  return testOf(treated.mean - heldOut.mean, variance, degreesOf(treated, heldOut), confidence)
}

/**
 * (first − second) / second by the delta method: variance v₁/(n₁m₂²) + v₂m₁²/(n₂m₂⁴), with the degrees of freedom of
 * the difference itself. Not enough data where the second mean is 0 or less.
 */
export function relativeWelch(
  treated: Sample | undefined,
  heldOut: Sample | undefined,
  confidence = 0.95,
): MeansTest | NotEnough {
  // Of less than nothing, more would be told as less.
  if (!(treated && heldOut) || heldOut.mean <= 0) return notEnough('one_member')
  const base = heldOut.mean
  const variance =
    treated.variance / (treated.n * base ** 2) +
    (heldOut.variance * treated.mean ** 2) / (heldOut.n * base ** 4)
  return testOf((treated.mean - base) / base, variance, degreesOf(treated, heldOut), confidence)
}

/**
 * A weighted sum of independent differences, with the degrees of freedom of their sum (Welch–Satterthwaite).
 * @param error of the sum, where heads are not independent; by default as if they were
 */
export function weighedMeans(
  parts: readonly { readonly weight: number; readonly test: MeansTest | NotEnough }[],
  confidence = 0.95,
  error?: number,
): MeansTest | NotEnough {
  let [value, variance, spread] = [0, 0, 0]
  for (const { weight, test } of parts) {
    if (test.kind === 'not_enough') return test
    const own = (weight * test.standardError) ** 2
    value += weight * test.value
    variance += own
    spread += own ** 2 / test.degrees
  }
  const degrees = spread > 0 ? variance ** 2 / spread : parts.length
  return testOf(value, error === undefined ? variance : error ** 2, degrees, confidence)
}

function degreesOf(a: Sample, b: Sample): number {
  const ofA = a.variance / a.n
  const ofB = b.variance / b.n
  const spread = ofA ** 2 / (a.n - 1) + ofB ** 2 / (b.n - 1)
  return spread > 0 ? (ofA + ofB) ** 2 / spread : a.n + b.n - 2
}

function testOf(value: number, variance: number, degrees: number, confidence: number): MeansTest | NotEnough {
  if (!(degrees > 0)) return notEnough('one_member')
  const standardError = Math.sqrt(variance)
  const half = standardError * studentMultiplier(confidence, degrees)
  const p =
    standardError > 0 ? 2 * studentUpperTail(Math.abs(value) / standardError, degrees) : value === 0 ? 1 : 0
  return { ...estimateAround(value, half, confidence), p, standardError, degrees }
}
