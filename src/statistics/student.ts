import { createRequire } from 'node:module'
import { assertShare } from './estimate.ts'

// Read at the first mean whose interval is asked for: three hundred small files stand behind these two functions, and take a
// fifth of a second of every verb that may report.
const require = createRequire(import.meta.url)
const cdf = () => require('@stdlib/stats-base-dists-t-cdf') as typeof import('@stdlib/stats-base-dists-t-cdf')
const quantile = () =>
  require('@stdlib/stats-base-dists-t-quantile') as typeof import('@stdlib/stats-base-dists-t-quantile')

/** P(T > t) of Student's distribution, computed as an upper tail. `degrees` > 0 need not be whole. */
export function studentUpperTail(t: number, degrees: number): number {
  return cdf()(-t, degrees)
}

/** The two-sided multiplier of a confidence level: 0.95 at 10 degrees → 2.228. @throws RangeError outside (0, 1) */
export function studentMultiplier(confidence: number, degrees: number): number {
  assertShare('confidence', confidence)
  return -quantile()((1 - confidence) / 2, degrees)
}
