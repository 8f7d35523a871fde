import { assertShare } from './estimate.ts'
import { studentBelow, studentPoint } from './special-functions.ts'

/** P(T > t) of Student's distribution, computed as an upper tail. `degrees` > 0 need not be whole. */
export function studentUpperTail(t: number, degrees: number): number {
  return studentBelow(-t, degrees)
}

/** The two-sided multiplier of a confidence level: 0.95 at 10 degrees → 2.228. @throws RangeError outside (0, 1) */
export function studentMultiplier(confidence: number, degrees: number): number {
  assertShare('confidence', confidence)
  return -studentPoint((1 - confidence) / 2, degrees)
}
