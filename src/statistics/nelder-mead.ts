/** Where a search ended. */
export interface Minimum {
  readonly point: readonly number[]
  readonly value: number
  readonly evaluations: number
  /** The simplex shrank to the tolerance; false where the evaluations ran out first. */
  readonly converged: boolean
}

interface Vertex {
  readonly point: readonly number[]
  readonly value: number
}

/**
 * Minimises a function without derivatives: Nelder and Mead (1965) with the usual coefficients (reflect 1, expand 2,
 * contract ½, shrink ½). Begun anew from where it ended, since a simplex may collapse before it has arrived; it ends
 * where a fresh simplex finds nothing better. Values that are not finite count as infinitely bad.
 * @param tolerance largest difference of values within the simplex, relative to the value
 */
export function minimise(
  evaluate: (point: readonly number[]) => number,
  start: readonly number[],
  { step = 0.5, tolerance = 1e-12, evaluations: limit = 4000 } = {},
): Minimum {
  let evaluations = 0
  const at = (point: readonly number[]): Vertex => {
    evaluations += 1
    const value = evaluate(point)
    return { point, value: Number.isFinite(value) ? value : Number.POSITIVE_INFINITY }
  }
  let best = at(start)
  for (;;) {
    const before = best.value
    let simplex = [
      best,
      ...start.map((_, axis) => at(best.point.map((x, place) => (place === axis ? x + step : x)))),
    ]
    while (evaluations < limit && spread(simplex) > tolerance * (Math.abs(best.value) + tolerance)) {
      simplex = move(simplex, at)
      best = simplex[0] ?? best
    }
    if (evaluations >= limit) return { ...best, evaluations, converged: false }
    if (before - best.value <= tolerance * (Math.abs(best.value) + tolerance)) {
      return { ...best, evaluations, converged: true }
    }
  }
}

function spread(simplex: readonly Vertex[]): number {
  const values = simplex.map(({ value }) => value)
  return Math.max(...values) - Math.min(...values)
}

/** One move of the worst vertex; best first in the result. */
function move(unsorted: readonly Vertex[], at: (point: readonly number[]) => Vertex): Vertex[] {
  const simplex = [...unsorted].sort((a, b) => a.value - b.value)
  const [best, worst, second] = [simplex[0], simplex.at(-1), simplex.at(-2)]
  if (!best || !worst || !second) return simplex
  const others = simplex.slice(0, -1)
  const centre = best.point.map(
    (_, axis) => others.reduce((sum, { point }) => sum + (point[axis] ?? 0), 0) / others.length,
  )
  const along = (factor: number) => at(centre.map((x, axis) => x + factor * (x - (worst.point[axis] ?? 0))))
  const instead = (vertex: Vertex) => [...others, vertex].sort((a, b) => a.value - b.value)
  const reflected = along(1)
  if (reflected.value < best.value) {
    const expanded = along(2)
    return instead(expanded.value < reflected.value ? expanded : reflected)
  }
  if (reflected.value < second.value) return instead(reflected)
  const contracted = along(reflected.value < worst.value ? 0.5 : -0.5)
  if (contracted.value < Math.min(reflected.value, worst.value)) return instead(contracted)
  const shrunk = others.slice(1).concat(worst)
  return [
    best,
    ...shrunk.map(({ point }) => at(point.map((x, axis) => ((best.point[axis] ?? 0) + x) / 2))),
  ].sort((a, b) => a.value - b.value)
}
