import { createRequire } from 'node:module'

// What @stdlib calculates for us. Each function is read when it is first asked for: hundreds of small files stand behind
// them, which take a fifth of a second of every verb that may report.
const require = createRequire(import.meta.url)

const gammaln = once(
  () => require('@stdlib/math-base-special-gammaln') as typeof import('@stdlib/math-base-special-gammaln'),
)
const cdf = once(
  () =>
    require('@stdlib/stats-base-dists-normal-cdf') as typeof import('@stdlib/stats-base-dists-normal-cdf'),
)
const quantile = once(
  () =>
    require('@stdlib/stats-base-dists-normal-quantile') as typeof import('@stdlib/stats-base-dists-normal-quantile'),
)
const tCdf = once(
  () => require('@stdlib/stats-base-dists-t-cdf') as typeof import('@stdlib/stats-base-dists-t-cdf'),
)
const tQuantile = once(
  () =>
    require('@stdlib/stats-base-dists-t-quantile') as typeof import('@stdlib/stats-base-dists-t-quantile'),
)

/** ln Γ(x). */
export function logGamma(x: number): number {
  return gammaln()(x)
}

/** P(Z ≤ z) of the standard normal distribution. */
export function normalBelow(z: number): number {
  return cdf()(z, 0, 1)
}

/** The z that {@link normalBelow} gives the probability of: 2e-9 off at 1e-10. */
export function normalPoint(probability: number): number {
  return quantile()(probability, 0, 1)
}

/** P(T ≤ t) of Student's distribution. */
export function studentBelow(t: number, degrees: number): number {
  return tCdf()(t, degrees)
}

/** The t that {@link studentBelow} gives the probability of. */
export function studentPoint(probability: number, degrees: number): number {
  return tQuantile()(probability, degrees)
}

function once<Value>(read: () => Value): () => Value {
  let kept: Value | undefined
  return () => {
    kept ??= read()
    return kept
  }
}
