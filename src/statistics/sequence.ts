import {
  assertCounts,
  assertShare,
  type Estimate,
  estimateAround,
  type NotEnough,
  notEnough,
} from './estimate.ts'
import type { Group } from './newcombe.ts'

// Looking every day. An ordinary 95 % interval holds for one look; who looks thirty times sees a false difference far
// more often. An asymptotic confidence sequence holds at all looks together: Howard, Ramdas, McAuliffe and Sekhon
// (2021), two-sided normal mixture; Waudby-Smith et al. (2021) for estimates with a standard error.

/** Sizes the sequence is narrowest at: both arms together. */
const SEQUENCE_TUNING = 5_000

/** Recalls each arm needs before any verdict: below, a normal approximation promises what it cannot keep. */
export const MINIMUM_RECALLS = 10

/** The gate of every verdict and price: whether any of the groups has fewer recalls than one asks for. */
export function fewRecalls(...recalls: readonly number[]): boolean {
  return Math.min(...recalls) < MINIMUM_RECALLS
}

interface Options {
  readonly confidence?: number
  /** N*: where the sequence is narrowest. */
  readonly tuning?: number
  /** How many times the standard error of independent heads it is: 1, unless persons repeat. */
  readonly spread?: number
}

/** Howard's ρ for a mixture that is best at intrinsic time `best`, by the approximation both GrowthBook and Eppo use. */
export function mixturePrior(best: number, alpha: number): number {
  assertShare('alpha', alpha)
  const level = -2 * Math.log(alpha)
  return best / (level + Math.log(1 + level))
}

/** The same solved exactly, with the lower branch of Lambert's W: best / (−W₋₁(−α²/e) − 1). */
export function exactMixturePrior(best: number, alpha: number): number {
  assertShare('alpha', alpha)
  // W = −w solves w − ln w = 1 − 2 ln α. Newton from above converges from the first step, the left side being convex.
  const target = 1 - 2 * Math.log(alpha)
  let w = target + Math.log(target) + 1
  for (let step = 0; step < 50; step += 1) {
    const next = w - (w - Math.log(w) - target) / (1 - 1 / w)
    if (Math.abs(next - w) <= 1e-15 * w) break
    w = next
  }
  return best / (w - 1)
}

/** How far a sum with intrinsic time `v` may stray, at any time, with probability 1 − alpha. */
export function mixtureBound(v: number, prior: number, alpha: number): number {
  return Math.sqrt((v + prior) * Math.log((v + prior) / (prior * alpha * alpha)))
}

/** Log of the mixture supermartingale at sum `s` and intrinsic time `v`: above ln(1/α) once in a false alarm. */
export function logMixture(s: number, v: number, prior: number): number {
  return 0.5 * Math.log(prior / (v + prior)) + (s * s) / (2 * (v + prior))
}

/** The sequence's half width in standard errors when `n` have been observed: 3.04 at N*, where one look takes 1.96. */
export function sequenceMultiplier(
  n: number,
  { confidence = 0.95, tuning = SEQUENCE_TUNING }: Options = {},
): number {
  const alpha = 1 - confidence
  return mixtureBound(n, mixturePrior(tuning, alpha), alpha) / Math.sqrt(n)
}

/**
 * The difference of two rates, first − second, with an interval that holds however often one looks. Two precautions
 * make the asymptotics honest with a small second arm: the standard error is pooled, and nothing is said before each
 * arm has {@link MINIMUM_RECALLS}. Unpooled, a 95/5 split raises false alarms in a third of A/A experiments.
 * @throws RangeError for impossible counts
 */
export function confidenceSequence(
  treated: Group,
  heldOut: Group,
  options: Options = {},
): Estimate | NotEnough {
  assertCounts(treated.recalled, treated.assigned)
  assertCounts(heldOut.recalled, heldOut.assigned)
  if (treated.assigned === 0) return notEnough('nobody_treated')
  if (heldOut.assigned === 0) return notEnough('nobody_held_out')
  if (fewRecalls(treated.recalled, heldOut.recalled)) return notEnough('few_recalls')
  const value = treated.recalled / treated.assigned - heldOut.recalled / heldOut.assigned
  const half =
    pooledError(treated, heldOut, options) * sequenceMultiplier(treated.assigned + heldOut.assigned, options)
  return estimateAround(value, half, options.confidence ?? 0.95)
}

/**
 * The p of "no difference" that holds at every look together: the α at which the sequence, tuned as it is for
 * `confidence`, would begin to exclude zero; 1 over the mixture martingale (Howard et al. 2021). At most 1 − confidence
 * exactly where {@link confidenceSequence} excludes zero, and with the same two precautions.
 * @throws RangeError for impossible counts
 */
export function sequenceTest(
  treated: Group,
  heldOut: Group,
  options: Options = {},
): { readonly kind: 'tested'; readonly p: number } | NotEnough {
  const { confidence = 0.95, tuning = SEQUENCE_TUNING } = options
  const estimate = confidenceSequence(treated, heldOut, options)
  if (estimate.kind === 'not_enough') return estimate
  const n = treated.assigned + heldOut.assigned
  const error = pooledError(treated, heldOut, options)
  // Everybody came back: there is no spread, and no difference either.
  if (error === 0) return { kind: 'tested', p: 1 }
  const sum = (estimate.value / error) * Math.sqrt(n)
  return {
    kind: 'tested',
    p: Math.min(1, Math.exp(-logMixture(sum, n, mixturePrior(tuning, 1 - confidence)))),
  }
}

/**
 * How many more recalls of the second group it takes until the sequence would exclude zero, should both rates stay as
 * they are. At least what the gate asks for. Undefined where no number would do: the rates are equal, or an arm is empty.
 */
export function recallsUntilVerdict(
  treated: Group,
  heldOut: Group,
  options: Options = {},
): number | undefined {
  const gate = Math.max(0, MINIMUM_RECALLS - heldOut.recalled)
  if (heldOut.recalled === 0 || treated.assigned === 0) return gate === 0 ? undefined : gate
  const value = Math.abs(treated.recalled / treated.assigned - heldOut.recalled / heldOut.assigned)
  if (value === 0) return gate > 0 ? gate : undefined
  const total = treated.assigned + heldOut.assigned
  const error = pooledError(treated, heldOut, options)
  const decidesAt = (growth: number) =>
    (error / Math.sqrt(growth)) * sequenceMultiplier(total * growth, options) < value
  if (decidesAt(1)) return gate
  // The growth that decides, as the fixed point of what the present multiplier asks for: it moves slowly with size.
  let growth = 1
  for (let step = 0; step < 40; step += 1) {
    const next = ((error * sequenceMultiplier(total * growth, options)) / value) ** 2
    if (!(next < 1e9)) return undefined
    const settled = Math.abs(next - growth) < 1e-9 * growth
    growth = next
    if (settled) break
  }
  return Math.max(gate, Math.ceil(heldOut.recalled * (growth - 1)))
}

function pooledError(a: Group, b: Group, { spread = 1 }: Options): number {
  const rate = (a.recalled + b.recalled) / (a.assigned + b.assigned)
  return spread * Math.sqrt(rate * (1 - rate) * (1 / a.assigned + 1 / b.assigned))
}
