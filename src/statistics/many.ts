import { assertShare } from './estimate.ts'

// Many questions at once: of twenty cells without any effect, one is "significant" by chance.

/** Holm's adjusted p-values (1979), in the order given: the chance of one false finding among all stays below α. */
export function holm(p: readonly number[]): number[] {
  let running = 0
  return inOrder(p, 1, (value, rank) => {
    running = Math.max(running, Math.min(1, value * (p.length - rank)))
    return running
  })
}

/** Adjusted p-values of Benjamini and Hochberg (1995), in the order given: below q, at most q of the findings are false. */
export function benjaminiHochberg(p: readonly number[]): number[] {
  let running = 1
  return inOrder(p, -1, (value, rank) => {
    running = Math.min(running, (value * p.length) / (p.length - rank))
    return running
  })
}

/** Adjusts ascending (1) or descending (−1) by rank, and puts the results back in the order of `p`. */
function inOrder(
  p: readonly number[],
  direction: 1 | -1,
  adjust: (value: number, rank: number) => number,
): number[] {
  const adjusted = p.map(() => 1)
  const order = p.map((value, at) => ({ value, at })).sort((a, b) => direction * (a.value - b.value))
  for (const [rank, { value, at }] of order.entries()) adjusted[at] = adjust(value, rank)
  return adjusted
}

/**
 * The confidence that intervals of selected cells must have so that, of the intervals shown, at most a share `q` misses
 * its true value (Benjamini and Yekutieli 2005): 1 − q·selected/cells. Without a selection, 1 − q.
 */
export function selectedConfidence(q: number, selected: number, cells: number): number {
  assertShare('q', q)
  return selected === 0 ? 1 - q : 1 - (q * selected) / cells
}
