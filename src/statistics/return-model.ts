import { minimise } from './nelder-mead.ts'
import { logGamma } from './special-functions.ts'

// BG/NBD: Fader, Hardie and Lee, “‘Counting Your Customers’ the Easy Way”, Marketing Science 24 (2005). Somebody comes
// back at a rate of their own (gamma over people: r, α) and after each return may be gone for good (beta: a, b).
// Everything is calculated in logarithms; time may be in any unit, the same throughout.

/** One history, or many alike: x repeats, the last of them at t_x after the first, observed for T. */
export interface History {
  readonly x: number
  readonly tx: number
  readonly t: number
  readonly count: number
}

export interface ReturnModel {
  readonly r: number
  readonly alpha: number
  readonly a: number
  readonly b: number
}

export interface FittedModel extends ReturnModel {
  readonly logLikelihood: number
  readonly converged: boolean
  /** A parameter ran away: the histories are too few or too alike for the model to tell people apart. */
  readonly edge: boolean
}

/** Σ ln L over the histories, eq. (3) of the paper. What depends on x alone is worked out once for each x. */
export function logLikelihood({ r, alpha, a, b }: ReturnModel, histories: readonly History[]): number {
  const terms = new Map<number, { common: number; dropped: number }>()
  const termsOf = (x: number) => {
    const known = terms.get(x)
    if (known) return known
    const common =
      logGamma(r + x) -
      logGamma(r) +
      r * Math.log(alpha) +
      logGamma(a + b) +
      logGamma(b + x) -
      logGamma(b) -
      logGamma(a + b + x)
    const made = { common, dropped: x > 0 ? Math.log(a) - Math.log(b + x - 1) : 0 }
    terms.set(x, made)
    return made
  }
  let sum = 0
  for (const { x, tx, t, count } of histories) {
    const { common, dropped } = termsOf(x)
    const alive = -(r + x) * Math.log(alpha + t)
    const gone = x > 0 ? dropped - (r + x) * Math.log(alpha + tx) : Number.NEGATIVE_INFINITY
    sum += count * (common + addLogs(alive, gone))
  }
  return sum
}

function addLogs(one: number, other: number): number {
  const high = Math.max(one, other)
  return high + Math.log1p(Math.exp(Math.min(one, other) - high))
}

/** Of the mean log-likelihood: the parameters then agree to four digits, which is more than the data know. */
const TOLERANCE = 1e-10
/**
 * Beyond this, or below its inverse, r, α (in mean times observed), a and b are no estimates any more: the likelihood
 * is flat there, the search ends anywhere, and a probability may be 0 or 1 for everybody. Data of real shops lie within
 * a factor of twenty of 1.
 */
const EDGE = 1000

/**
 * The parameters under which the histories are likeliest. Searched for in logarithms, so that all stay positive, and
 * from α near the mean time observed: time may be in weeks or in hours.
 * @param near what an earlier fit found, to begin from: a week later little has changed, and the way is half as long
 */
export function fitReturnModel(histories: readonly History[], near?: ReturnModel | null): FittedModel {
  const people = histories.reduce((sum, { count }) => sum + count, 0)
  const time = histories.reduce((sum, { t, count }) => sum + t * count, 0) / Math.max(1, people)
  const modelOf = (point: readonly number[]): ReturnModel => {
    const [r = 0, alpha = 0, a = 0, b = 0] = point.map(Math.exp)
    return { r, alpha, a, b }
  }
  const unit = Math.max(time, 1e-6)
  const { point, value, converged } = minimise(
    (at) => -logLikelihood(modelOf(at), histories) / Math.max(1, people),
    near ? [near.r, near.alpha, near.a, near.b].map(Math.log) : [0, Math.log(unit / 4), 0, 0],
    { step: near ? 0.1 : 0.5, tolerance: TOLERANCE },
  )
  const model = modelOf(point)
  const edge = [model.r, model.alpha / unit, model.a, model.b].some(
    (parameter) => !(parameter < EDGE && parameter > 1 / EDGE),
  )
  return { ...model, logLikelihood: -value * people, converged, edge }
}

/** Probability that somebody with this history will ever come back. It ranks badly: see {@link returnProbability}. */
export function aliveProbability(
  { r, alpha, a, b }: ReturnModel,
  { x, tx, t }: Omit<History, 'count'>,
): number {
  if (x <= 0) return 1
  return 1 / (1 + Math.exp(Math.log(a / (b + x - 1)) + (r + x) * Math.log((alpha + t) / (alpha + tx))))
}

/** P(return ≤ horizon) = P(alive) · [1 − ((α+T)/(α+T+H))^(r+x)]. */
export function returnProbability(
  model: ReturnModel,
  history: Omit<History, 'count'>,
  horizon: number,
): number {
  const { r, alpha } = model
  const later = (r + history.x) * Math.log((alpha + history.t) / (alpha + history.t + horizon))
  return aliveProbability(model, history) * -Math.expm1(later)
}
