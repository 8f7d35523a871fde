/**
 * What an estimator answers. "Not enough data" is an answer of its own: never an interval of 0–0, never a p of 1.
 */
export interface Estimate {
  readonly kind: 'estimate'
  readonly value: number
  readonly low: number
  readonly high: number
  /** 0.95 for a 95 % interval. */
  readonly confidence: number
}

export interface NotEnough {
  readonly kind: 'not_enough'
  readonly why: Shortage
}

/**
 * Why nothing can be said yet: nobody in the first or in the second group, fewer than two groups to compare, a single
 * member of a group (which has no spread), or fewer recalls, or buyers, in a group than a verdict asks for.
 */
export type Shortage =
  | 'nobody'
  | 'nobody_treated'
  | 'nobody_held_out'
  | 'one_group'
  | 'one_member'
  | 'few_recalls'
  | 'few_buyers'

export function notEnough(why: Shortage): NotEnough {
  return { kind: 'not_enough', why }
}

/** The estimate value ± half. */
export function estimateAround(value: number, half: number, confidence: number): Estimate {
  return { kind: 'estimate', value, low: value - half, high: value + half, confidence }
}

/** The estimate of a multiple: a difference of rates times people is people. */
export function scaleEstimate({ value, low, high, confidence }: Estimate, factor: number): Estimate {
  return { kind: 'estimate', value: value * factor, low: low * factor, high: high * factor, confidence }
}

/** @throws RangeError for counts that cannot be: a mistake of the caller, not a lack of data */
export function assertCounts(successes: number, total: number): void {
  if (!(Number.isInteger(successes) && Number.isInteger(total) && successes >= 0 && successes <= total)) {
    throw new RangeError(`${successes} of ${total} is not a count of a total`)
  }
}

/** @throws RangeError unless 0 < value < 1 */
export function assertShare(name: string, value: number): void {
  if (!(value > 0 && value < 1)) throw new RangeError(`${name} must lie between 0 and 1, found ${value}`)
}
