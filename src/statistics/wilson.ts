import { assertCounts, type Estimate, type NotEnough, notEnough } from './estimate.ts'
import { multiplierOf } from './normal.ts'

/**
 * The rate of one group with its Wilson score interval, which keeps its coverage at small counts and never
 * leaves [0, 1] (the textbook p ± z·se does neither).
 * @throws RangeError for impossible counts
 */
export function wilson(successes: number, total: number, confidence = 0.95): Estimate | NotEnough {
  assertCounts(successes, total)
  if (total === 0) return notEnough('nobody')
  return { kind: 'estimate', ...wilsonAt(successes, total, multiplierOf(confidence)), confidence }
}

/** The same of a group that has somebody, at `z` standard errors. */
export function wilsonAt(
  successes: number,
  total: number,
  z: number,
): { readonly value: number; readonly low: number; readonly high: number } {
  const value = successes / total
  const scale = 1 + (z * z) / total
  const centre = (value + (z * z) / (2 * total)) / scale
  const half = (z / scale) * Math.sqrt((value * (1 - value)) / total + (z * z) / (4 * total * total))
  return {
    value,
    // At the ends the bound is exact; the formula leaves a rounding error of either sign there.
    low: successes === 0 ? 0 : centre - half,
    high: successes === total ? 1 : centre + half,
  }
}
