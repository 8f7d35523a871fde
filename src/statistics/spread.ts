import {
  type ArmMeans,
  clustering,
  clusteringWithin,
  type PairProducts,
  type RepeatedHeads,
} from './clusters.ts'
import type { Estimate } from './estimate.ts'

// Intervals and tests of rates are made for heads that know nothing of each other. Where persons repeat, their standard error
// is larger by a factor, the root of the design effect (Kish 1965), by which interval and test are widened.

/** y is the recall, 0 or 1, of each of n heads. */
type RateMeans = Pick<ArmMeans, 'n' | 'y'>

/** By what the standard error of one arm's rate is larger with persons as clusters; never below 1. */
export function rateSpread(arm: RateMeans, pairs: PairProducts | undefined): number {
  return pairs ? spreadOf(varianceOf(arm), clusteringWithin(pairs, { ...arm, x: 0 }).y) : 1
}

/** The same of the difference of two rates: what a person has in both arms may take from it what they have twice in one. */
export function differenceSpread(
  first: RateMeans,
  second: RateMeans,
  repeated: RepeatedHeads | undefined,
): number {
  if (!repeated) return 1
  const more = clustering(repeated, { ...first, x: 0 }, { ...second, x: 0 })
  return spreadOf(varianceOf(first) + varianceOf(second), more.y)
}

function varianceOf({ n, y }: RateMeans): number {
  return (y * (1 - y)) / n
}

/** Below 1 by chance alone, where few persons repeat: nobody is surer for having fewer persons. */
function spreadOf(alone: number, more: number): number {
  return alone > 0 ? Math.sqrt(Math.max(1, 1 + more / alone)) : 1
}

/** The estimate with both arms of its interval `spread` times as long, but not beyond what a rate or a difference can be. */
export function widened<Of extends Estimate>(estimate: Of, spread: number, least: -1 | 0): Of {
  const { value, low, high } = estimate
  return {
    ...estimate,
    low: Math.max(least, value - (value - low) * spread),
    high: Math.min(1, value + (high - value) * spread),
  }
}
