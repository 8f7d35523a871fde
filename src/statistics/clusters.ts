// Heads of one person hang together, so the person is what is independent. The variance of a mean over heads is then
// Σ over persons of (Σ of the person's residuals)²: that of single heads, and beside it the products of two heads of a
// person. Where everybody is one head there are none, and all is as it was.

/**
 * Sums over pairs of two heads of one person: n is 1, x and y their figures; the first letter is of the first head, the
 * second of the second.
 */
export interface PairProducts {
  readonly nn: number
  readonly nx: number
  readonly ny: number
  readonly xn: number
  readonly xx: number
  readonly xy: number
  readonly yn: number
  readonly yx: number
  readonly yy: number
}

/** Of two arms: pairs within each, in both orders, and pairs of a head of the first with one of the second. */
export interface RepeatedHeads {
  readonly first: PairProducts
  readonly second: PairProducts
  readonly both: PairProducts
}

export interface ArmMeans {
  readonly n: number
  readonly x: number
  readonly y: number
}

/**
 * What clustering by person adds to variances and covariance of the difference of means, first − second, of x and of y.
 * Arms may share persons: each lapse draws anew.
 */
export function clustering(
  { first, second, both }: RepeatedHeads,
  one: ArmMeans,
  other: ArmMeans,
): { readonly x: number; readonly y: number; readonly xy: number } {
  const within = residuals(first, one, one)
  const beside = residuals(second, other, other)
  const across = residuals(both, one, other)
  const add = (ofOne: number, ofOther: number, crossed: number) =>
    ofOne / one.n ** 2 + ofOther / other.n ** 2 - crossed / (one.n * other.n)
  return {
    x: add(within.xx, beside.xx, 2 * across.xx),
    y: add(within.yy, beside.yy, 2 * across.yy),
    xy: add(within.xy, beside.xy, across.xy + across.yx),
  }
}

/** What clustering by person adds to variances and covariance of the means of one arm, x and y. */
export function clusteringWithin(
  pairs: PairProducts,
  arm: ArmMeans,
): { readonly x: number; readonly y: number; readonly xy: number } {
  const { xx, yy, xy } = residuals(pairs, arm, arm)
  return { x: xx / arm.n ** 2, y: yy / arm.n ** 2, xy: xy / arm.n ** 2 }
}

/** Σ (a − ā)(b − b̄) over pairs, of each of the two figures: a is of the first head, b of the second. */
function residuals(pairs: PairProducts, first: ArmMeans, second: ArmMeans) {
  const about = (product: number, ofFirst: number, ofSecond: number, meanA: number, meanB: number) =>
    product - meanB * ofFirst - meanA * ofSecond + meanA * meanB * pairs.nn
  const { xx, xy, yx, yy, xn, yn, nx, ny } = pairs
  return {
    xx: about(xx, xn, nx, first.x, second.x),
    xy: about(xy, xn, ny, first.x, second.y),
    yx: about(yx, yn, nx, first.y, second.x),
    yy: about(yy, yn, ny, first.y, second.y),
  }
}
