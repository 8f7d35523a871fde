import { type NotEnough, notEnough } from './estimate.ts'
import { normalUpperTail } from './normal.ts'

/** Below this the split is broken beyond chance, and nothing may be concluded from the groups. */
const SAMPLE_RATIO_ALARM = 0.001

export interface SampleRatio {
  readonly kind: 'tested'
  readonly statistic: number
  readonly degrees: number
  readonly p: number
  /** True below {@link SAMPLE_RATIO_ALARM}. */
  readonly alarm: boolean
}

/** Cochran's rule (1954): below it, what χ² says of a group is no p. One of ten in a group of 0.5 % is 2e-5 to it, and 5 % in truth. */
const LEAST_DUE = 5

/**
 * Pearson's χ² test that groups have the sizes they were drawn with. `expected` are weights of any scale (shares,
 * or expected counts); a group of weight 0 is left out, so whatever landed in it must be looked at elsewhere.
 * A group that is due fewer than five is held against all others by the exact binomial test, those that are due more against
 * each other by χ²; p is then the smallest of these, times their number (Bonferroni).
 * @throws RangeError for negative sizes or weights
 */
export function sampleRatio(
  groups: readonly { readonly observed: number; readonly expected: number }[],
): SampleRatio | NotEnough {
  if (groups.some(({ observed, expected }) => !(observed >= 0 && expected >= 0))) {
    throw new RangeError('sizes and weights of groups cannot be negative')
  }
  if (groups.every(({ observed }) => observed === 0)) return notEnough('nobody')
  const drawn = groups.filter(({ expected }) => expected > 0)
  if (drawn.length < 2) return notEnough('one_group')
  const total = drawn.reduce((sum, { observed }) => sum + observed, 0)
  if (total === 0) return notEnough('nobody')
  const weight = drawn.reduce((sum, { expected }) => sum + expected, 0)
  const statistic = pearson(drawn)
  const degrees = drawn.length - 1
  const small = drawn
    .filter(({ expected }) => (total * expected) / weight < LEAST_DUE)
    .sort((a, b) => a.expected - b.expected)
  // Of two groups, the one says all of the other.
  const alone = drawn.length === 2 ? small.slice(0, 1) : small
  const others = drawn.filter((group) => !small.includes(group))
  const tests = alone.map(({ observed, expected }) => binomialTest(observed, total, expected / weight))
  if (others.length > 1) tests.push(chiSquareUpperTail(pearson(others), others.length - 1))
  const p = Math.min(1, tests.length * Math.min(...tests))
  return { kind: 'tested', statistic, degrees, p, alarm: p < SAMPLE_RATIO_ALARM }
}

function pearson(groups: readonly { readonly observed: number; readonly expected: number }[]): number {
  const total = groups.reduce((sum, { observed }) => sum + observed, 0)
  const weight = groups.reduce((sum, { expected }) => sum + expected, 0)
  // Where all are due nothing, nothing is off among them.
  if (total === 0) return 0
  return groups.reduce((sum, { observed, expected }) => {
    const due = (total * expected) / weight
    return sum + (observed - due) ** 2 / due
  }, 0)
}

/** Two-sided: twice the smaller of P(X ≤ k) and P(X ≥ k). For few expected: no term of either sum is lost to underflow. */
function binomialTest(k: number, n: number, share: number): number {
  let term = Math.exp(n * Math.log1p(-share))
  let [atMost, atLeast] = [0, 0]
  for (let x = 0; x <= n && term > 0; x += 1) {
    if (x <= k) atMost += term
    if (x >= k) atLeast += term
    if (x > k && term < 1e-17 * atLeast) break
    term *= ((n - x) / (x + 1)) * (share / (1 - share))
  }
  return Math.min(1, 2 * Math.min(atMost, atLeast))
}

/**
 * P(χ² > x) for a whole number of degrees of freedom. For whole numbers the incomplete gamma function is a finite
 * sum of positive terms, exact to rounding and without an iteration that could stop too early.
 */
export function chiSquareUpperTail(x: number, degrees: number): number {
  if (!(Number.isInteger(degrees) && degrees >= 1)) {
    throw new RangeError(`${degrees} degrees of freedom is not a whole number above 0`)
  }
  if (x <= 0) return 1
  const odd = degrees % 2 === 1
  const root = Math.sqrt(x)
  let tail = odd ? 2 * normalUpperTail(root) : 0
  // Odd: 2φ(√x)·x^(r−1/2)/(1·3·…·(2r−1)); even: e^(−x/2)·(x/2)^j/j!. Each term follows from the one before.
  let term = odd ? Math.sqrt(2 / Math.PI) * Math.exp(-x / 2) * root : Math.exp(-x / 2)
  for (let step = odd ? 3 : 2; step <= degrees; step += 2) {
    tail += term
    term *= x / step
  }
  return Math.min(1, tail)
}
