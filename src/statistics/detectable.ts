import { assertShare, type NotEnough, notEnough } from './estimate.ts'
import { multiplierOf, normalQuantile } from './normal.ts'
import { MINIMUM_RECALLS, sequenceMultiplier } from './sequence.ts'

interface Strictness {
  /** 0.95 by default, two-sided. */
  readonly confidence?: number
  /** Chance to show a difference that is there; 0.8 by default. */
  readonly power?: number
}

function reach({ confidence = 0.95, power = 0.8 }: Strictness): number {
  assertShare('power', power)
  return multiplierOf(confidence) + normalQuantile(power)
}

/**
 * The smallest true difference of recall rates that this many contacts can be expected to show:
 * (z₁₋α/₂ + z_power)·√(p(1−p)(1/n_T + 1/n_C)), p being the natural recall rate.
 * @throws RangeError for a rate, confidence or power outside (0, 1)
 */
export function detectableDifference(
  question: { readonly rate: number; readonly treated: number; readonly heldOut: number } & Strictness,
): number | NotEnough {
  const { rate, treated, heldOut } = question
  assertShare('rate', rate)
  if (treated <= 0) return notEnough('nobody_treated')
  if (heldOut <= 0) return notEnough('nobody_held_out')
  return reach(question) * Math.sqrt(rate * (1 - rate) * (1 / treated + 1 / heldOut))
}

/**
 * Days of intake, in whole days, until {@link detectableDifference} is at most `difference`: its formula solved
 * for the number of contacts. The last of them still needs its window before it counts; the caller adds that.
 * @param question.perDay contacts assigned a day, both arms together
 * @param question.holdout share of them held out, in (0, 1)
 * @param question.already contacts assigned before, both arms together
 * @throws RangeError for a rate, difference, share, confidence or power outside (0, 1)
 */
export function daysUntilDetectable(
  question: {
    readonly rate: number
    readonly difference: number
    readonly perDay: number
    readonly holdout: number
    readonly already?: number
  } & Strictness,
): number | NotEnough {
  const { rate, difference, perDay, holdout, already = 0 } = question
  assertShare('rate', rate)
  assertShare('difference', difference)
  if (holdout <= 0) return notEnough('nobody_held_out')
  if (holdout >= 1) return notEnough('nobody_treated')
  const needed = (reach(question) / difference) ** 2 * rate * (1 - rate) * (1 / (1 - holdout) + 1 / holdout)
  if (needed <= already) return 0
  if (perDay <= 0) return notEnough('nobody')
  return Math.ceil((needed - already) / perDay)
}

/**
 * Contacts assigned, both arms together, from which on the verdict is as likely as `power` to say that the difference is there:
 * R's power.prop.test (see {@link requiredTreated}, pooled) with the multiplier of the interval for daily looks, and as many as
 * it takes for ten to come back in each arm. About twice as many as one look on a day fixed beforehand asks for.
 * @param question.holdout share of them held out, in (0, 1)
 * @throws RangeError for a rate, difference, confidence or power outside (0, 1)
 */
export function contactsUntilVerdict(
  question: { readonly rate: number; readonly difference: number; readonly holdout: number } & Strictness,
): number | NotEnough {
  const { rate, difference, holdout, confidence = 0.95, power = 0.8 } = question
  assertShare('rate', rate)
  assertShare('difference', difference)
  assertShare('power', power)
  if (holdout <= 0) return notEnough('nobody_held_out')
  if (holdout >= 1) return notEnough('nobody_treated')
  const treatedRate = Math.min(1, rate + difference)
  const pooledRate = holdout * rate + (1 - holdout) * treatedRate
  const pooled = (pooledRate * (1 - pooledRate)) / (holdout * (1 - holdout))
  const own = (treatedRate * (1 - treatedRate)) / (1 - holdout) + (rate * (1 - rate)) / holdout
  const shows = (n: number) =>
    sequenceMultiplier(n, { confidence }) * Math.sqrt(pooled / n) +
      normalQuantile(power) * Math.sqrt(own / n) <=
    difference
  // The multiplier over √n only falls: doubled until it is enough, then halved to the last contact.
  let high = Math.ceil(MINIMUM_RECALLS / (rate * Math.min(holdout, 1 - holdout)))
  if (shows(high)) return high
  let low = high
  while (!shows(high)) [low, high] = [high, 2 * high]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (shows(middle)) high = middle
    else low = middle
  }
  return high
}

/**
 * How many treated it takes to show the difference between two given rates when each has its own variance.
 * `pooled` is the size for a test that pools the variance under "no difference" (R's power.prop.test),
 * `unpooled` for one that does not. Not rounded.
 * @param question.ratio held out for each treated
 * @throws RangeError for rates, confidence or power outside (0, 1), or equal rates
 */
export function requiredTreated(
  question: {
    readonly treatedRate: number
    readonly heldOutRate: number
    readonly ratio: number
  } & Strictness,
): { pooled: number; unpooled: number } {
  const { treatedRate: p1, heldOutRate: p2, ratio, confidence = 0.95, power = 0.8 } = question
  assertShare('treatedRate', p1)
  assertShare('heldOutRate', p2)
  if (p1 === p2 || !(ratio > 0)) {
    throw new RangeError(`no size shows ${p1} from ${p2} with ${ratio} held out for each treated`)
  }
  const pooledRate = (p1 + ratio * p2) / (1 + ratio)
  const own = p1 * (1 - p1) + (p2 * (1 - p2)) / ratio
  const atNull = multiplierOf(confidence) * Math.sqrt(pooledRate * (1 - pooledRate) * (1 + 1 / ratio))
  const atDifference = normalQuantile(power) * Math.sqrt(own)
  const squared = (p1 - p2) ** 2
  return {
    pooled: (atNull + atDifference) ** 2 / squared,
    unpooled: (reach({ confidence, power }) ** 2 * own) / squared,
  }
}
