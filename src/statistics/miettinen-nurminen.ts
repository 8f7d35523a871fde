import { assertCounts, type NotEnough, notEnough } from './estimate.ts'
import type { Group } from './newcombe.ts'
import { normalUpperTail } from './normal.ts'

/**
 * Two-sided p of "no difference" of two independent rates, by the score test of Miettinen and Nurminen (1985): the
 * pooled z test, its variance multiplied by N/(N − 1).
 * @throws RangeError for impossible counts
 */
export function differenceTest(
  { assigned: n1, recalled: x1 }: Group,
  { assigned: n2, recalled: x2 }: Group,
): { kind: 'tested'; p: number } | NotEnough {
  assertCounts(x1, n1)
  assertCounts(x2, n2)
  if (n1 === 0) return notEnough('nobody_treated')
  if (n2 === 0) return notEnough('nobody_held_out')
  const total = n1 + n2
  const rate = (x1 + x2) / total
  const variance = rate * (1 - rate) * (1 / n1 + 1 / n2) * (total / (total - 1))
  // Nobody came back, or everybody: there is no spread, and no difference either.
  if (variance === 0) return { kind: 'tested', p: 1 }
  return { kind: 'tested', p: 2 * normalUpperTail(Math.abs(x1 / n1 - x2 / n2) / Math.sqrt(variance)) }
}
