import { assertCounts, type Estimate, type NotEnough, notEnough } from './estimate.ts'
import type { Group } from './newcombe.ts'
import { multiplierOf, normalUpperTail } from './normal.ts'

interface Options {
  readonly confidence?: number
  /** Multiply the variance by N/(N − 1), as Miettinen and Nurminen do; without it the interval is Mee's. On by default. */
  readonly corrected?: boolean
}

/**
 * The difference of two independent rates, first − second, with the score interval of Miettinen and Nurminen (1985):
 * all differences that a score test does not reject, so that interval and test never contradict each other.
 * @throws RangeError for impossible counts
 */
export function miettinenNurminen(
  treated: Group,
  heldOut: Group,
  { confidence = 0.95, corrected = true }: Options = {},
): Estimate | NotEnough {
  const shortage = shortageOf(treated, heldOut)
  if (shortage) return shortage
  const z = multiplierOf(confidence)
  const value = treated.recalled / treated.assigned - heldOut.recalled / heldOut.assigned
  const rejected = (difference: number) => Math.abs(scoreAt(difference, treated, heldOut, corrected)) > z
  return {
    kind: 'estimate',
    value,
    low: boundaryOf(rejected, value, -1),
    high: boundaryOf(rejected, value, 1),
    confidence,
  }
}

/**
 * Two-sided p of "no difference" by the same score test: the pooled z test with N/(N − 1).
 * @param spread how many times the standard error of independent heads it is
 */
export function differenceTest(
  treated: Group,
  heldOut: Group,
  spread = 1,
): { kind: 'tested'; p: number } | NotEnough {
  const shortage = shortageOf(treated, heldOut)
  if (shortage) return shortage
  return { kind: 'tested', p: 2 * normalUpperTail(Math.abs(scoreAt(0, treated, heldOut, true)) / spread) }
}

function shortageOf(treated: Group, heldOut: Group): NotEnough | undefined {
  assertCounts(treated.recalled, treated.assigned)
  assertCounts(heldOut.recalled, heldOut.assigned)
  if (treated.assigned === 0) return notEnough('nobody_treated')
  return heldOut.assigned === 0 ? notEnough('nobody_held_out') : undefined
}

/** Bisection to the last bit: the score is monotone on each side of the estimate. */
function boundaryOf(rejected: (difference: number) => boolean, value: number, end: -1 | 1): number {
  if (value === end || !rejected(end)) return end
  let inside = value
  let outside: number = end
  for (;;) {
    const middle = (inside + outside) / 2
    if (middle === inside || middle === outside) return middle
    if (rejected(middle)) outside = middle
    else inside = middle
  }
}

/** The score statistic z of "first − second = difference"; infinite where that could not have been observed. */
function scoreAt(difference: number, treated: Group, heldOut: Group, corrected: boolean): number {
  const { assigned: n1, recalled: x1 } = treated
  const { assigned: n2, recalled: x2 } = heldOut
  const gap = x1 / n1 - x2 / n2 - difference
  if (gap === 0) return 0
  const p2 = likeliestHeldOut(difference, treated, heldOut)
  const p1 = Math.min(1, Math.max(0, p2 + difference))
  const total = n1 + n2
  const variance = ((p1 * (1 - p1)) / n1 + (p2 * (1 - p2)) / n2) * (corrected ? total / (total - 1) : 1)
  return variance > 0 ? gap / Math.sqrt(variance) : Math.sign(gap) * Number.POSITIVE_INFINITY
}

/**
 * The second rate's maximum-likelihood value where the first is larger by `difference`. The likelihood is concave, so
 * its slope has one root. Bisection finds it; the closed form of the cubic loses half its digits where roots meet.
 */
function likeliestHeldOut(difference: number, treated: Group, heldOut: Group): number {
  const { assigned: n1, recalled: x1 } = treated
  const { assigned: n2, recalled: x2 } = heldOut
  const part = (successes: number, total: number, p: number) =>
    (successes > 0 ? successes / p : 0) - (total > successes ? (total - successes) / (1 - p) : 0)
  let low = Math.max(0, -difference)
  let high = Math.min(1, 1 - difference)
  for (;;) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) return middle
    if (part(x1, n1, middle + difference) + part(x2, n2, middle) > 0) low = middle
    else high = middle
  }
}
