import {
  assertCounts,
  assertShare,
  type Estimate,
  estimateAround,
  type NotEnough,
  notEnough,
} from './estimate.ts'
import type { Group } from './newcombe.ts'
import { widened } from './spread.ts'
import {
  differenceOf,
  pooledVariance,
  recallsAsWeighed,
  type Stratum,
  type WeighedStratum,
  weighStrata,
} from './strata.ts'

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
  return stratifiedSequence([{ treated, heldOut }], options)
}

/**
 * The same of the effect on the treated where they were drawn with several shares: the standard error is pooled within each
 * stratum, Σ w²·V. Times the treated, the figure is a sum to which each head adds its own, and its variance the time the
 * mixture runs by: the first stratum's heads are its measure, and a later one counts as many as it adds variance. By the number
 * of heads alone, a share held out that became smaller raises too many false alarms.
 * @param strata oldest first
 * @throws RangeError for impossible counts
 */
export function stratifiedSequence(strata: readonly Stratum[], options: Options = {}): Estimate | NotEnough {
  for (const { treated, heldOut } of strata) {
    assertCounts(treated.recalled, treated.assigned)
    assertCounts(heldOut.recalled, heldOut.assigned)
  }
  const weighed = weighStrata(strata)
  if ('kind' in weighed) return weighed
  const { value, error, time, recalls } = lookAt(weighed, options)
  if (fewRecalls(...recalls)) return notEnough('few_recalls')
  const found = estimateAround(value, error * sequenceMultiplier(time, options), options.confidence ?? 0.95)
  return widened(found, 1, -1)
}

/** What one look sees. */
interface Look {
  readonly value: number
  readonly error: number
  /** Heads of the first stratum that would have as much variance. */
  readonly time: number
  /** Of either arm, what the gate counts. */
  readonly recalls: readonly [number, number]
}

function lookAt(strata: readonly WeighedStratum[], { spread = 1 }: Options): Look {
  const parts = strata.map(({ treated, heldOut, weight }) => ({
    heads: treated.assigned + heldOut.assigned,
    value: weight * differenceOf(treated, heldOut),
    variance: weight * weight * pooledVariance(treated, heldOut),
  }))
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  // Of a stratum nobody came back in, no measure can be taken.
  const measure = parts.find(({ variance }) => variance > 0)
  return {
    value: sum(({ value }) => value),
    error: spread * Math.sqrt(sum(({ variance }) => variance)),
    time: measure
      ? measure.heads * sum(({ variance }) => variance / measure.variance)
      : sum(({ heads }) => heads),
    recalls: [
      strata.reduce((all, { treated }) => all + treated.recalled, 0),
      recallsAsWeighed(strata.map(({ heldOut, weight }) => ({ ...heldOut, weight }))),
    ],
  }
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
  const { error } = lookAt([{ treated, heldOut, weight: 1 }], options)
  // Everybody came back: there is no spread, and no difference either.
  if (error === 0) return { kind: 'tested', p: 1 }
  const sum = (estimate.value / error) * Math.sqrt(n)
  return {
    kind: 'tested',
    p: Math.min(1, Math.exp(-logMixture(sum, n, mixturePrior(tuning, 1 - confidence)))),
  }
}

/**
 * How many more recalls of the second group it takes until the sequence would exclude zero, should rates stay as
 * they are, and all strata grow alike. At least what the gate asks for. Undefined where no number would do: the rates are
 * equal, or an arm is empty.
 * @param strata oldest first
 */
export function recallsUntilVerdict(strata: readonly Stratum[], options: Options = {}): number | undefined {
  const recalled = strata.reduce((sum, { heldOut }) => sum + heldOut.recalled, 0)
  const weighed = weighStrata(strata)
  if (recalled === 0 || 'kind' in weighed) {
    const missing = Math.max(0, MINIMUM_RECALLS - recalled)
    return missing === 0 ? undefined : missing
  }
  const look = lookAt(weighed, options)
  const counted = look.recalls[1]
  const gate = Math.ceil((Math.max(0, MINIMUM_RECALLS - counted) * recalled) / counted)
  const value = Math.abs(look.value)
  if (value === 0) return gate > 0 ? gate : undefined
  const halfAt = (growth: number) => look.error * sequenceMultiplier(look.time * growth, options)
  if (halfAt(1) < value) return gate
  // The growth that decides, as the fixed point of what the present multiplier asks for: it moves slowly with size.
  let growth = 1
  for (let step = 0; step < 40; step += 1) {
    const next = (halfAt(growth) / value) ** 2
    if (!(next < 1e9)) return undefined
    const settled = Math.abs(next - growth) < 1e-9 * growth
    growth = next
    if (settled) break
  }
  return Math.max(gate, Math.ceil(recalled * (growth - 1)))
}
