import { assertShare } from './estimate.ts'
import { normalBelow, normalPoint } from './special-functions.ts'

/** The standard normal quantile: 0.975 → 1.96. */
export function normalQuantile(probability: number): number {
  if (probability > 0.5) return -normalQuantile(1 - probability)
  // One Newton step on the accurate tail: the quantile alone is 2e-9 off at 1e-10.
  const start = normalPoint(probability)
  const density = Math.exp(-(start * start) / 2) / Math.sqrt(2 * Math.PI)
  return density > 0 ? start - (normalBelow(start) - probability) / density : start
}

/** P(Z > z), computed as an upper tail: 1 − cdf would lose every digit beyond z ≈ 8. */
export function normalUpperTail(z: number): number {
  return normalBelow(-z)
}

/** The two-sided multiplier of a confidence level: 0.95 → 1.96. @throws RangeError outside (0, 1) */
export function multiplierOf(confidence: number): number {
  assertShare('confidence', confidence)
  return -normalQuantile((1 - confidence) / 2)
}
