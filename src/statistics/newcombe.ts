import { type Estimate, type NotEnough, notEnough } from './estimate.ts'
import { wilson } from './wilson.ts'

/** `recalled` of `assigned`: a group as the reports count it. */
export interface Group {
  readonly recalled: number
  readonly assigned: number
}

/**
 * The difference of two independent rates, first − second, with Newcombe's hybrid score interval (1998,
 * method 10): the Wilson bounds of each rate, squared and added, so it holds with few recalls or none.
 * @throws RangeError for impossible counts
 */
export function newcombe(treated: Group, heldOut: Group, confidence = 0.95): Estimate | NotEnough {
  const first = wilson(treated.recalled, treated.assigned, confidence)
  const second = wilson(heldOut.recalled, heldOut.assigned, confidence)
  if (first.kind === 'not_enough') return notEnough('nobody_treated')
  if (second.kind === 'not_enough') return notEnough('nobody_held_out')
  return squareAndAdd(first, second)
}

/** The difference of two rates, from the bounds of each: Newcombe's step, whatever the bounds are. */
export function squareAndAdd(first: Estimate, second: Estimate): Estimate {
  const value = first.value - second.value
  return {
    kind: 'estimate',
    value,
    low: value - Math.hypot(first.value - first.low, second.high - second.value),
    high: value + Math.hypot(first.high - first.value, second.value - second.low),
    confidence: first.confidence,
  }
}
