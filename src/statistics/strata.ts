import { type Estimate, type NotEnough, notEnough } from './estimate.ts'
import { differenceTest } from './miettinen-nurminen.ts'
import { type Group, newcombe, squareAndAdd } from './newcombe.ts'
import { multiplierOf, normalUpperTail } from './normal.ts'
import { wilson, wilsonAt } from './wilson.ts'

// Groups that were drawn with several shares. Pooled, more of one group are of one time and more of the other of another, and
// what differs by the season passes for an effect (Simpson). So each share is compared within itself, and counts by its
// treated: the figure is the effect on those who were treated, their rate is the raw one, and that of the held out is
// standardised to the seasons the treated came in. One stratum is two groups, to the last digit.

/** Treated and held out that were drawn with one share. */
export interface Stratum {
  readonly treated: Group
  readonly heldOut: Group
}

/** One with somebody on either side, and its part of the treated. */
export interface WeighedStratum extends Stratum {
  readonly weight: number
}

/** Those that have somebody on either side: who has nobody to be compared with is left out. */
export function weighStrata(strata: readonly Stratum[]): readonly WeighedStratum[] | NotEnough {
  const compared = strata.filter(({ treated, heldOut }) => treated.assigned > 0 && heldOut.assigned > 0)
  const all = compared.reduce((sum, { treated }) => sum + treated.assigned, 0)
  if (all > 0) return compared.map((each) => ({ ...each, weight: each.treated.assigned / all }))
  return notEnough(strata.some(({ treated }) => treated.assigned > 0) ? 'nobody_held_out' : 'nobody_treated')
}

/**
 * The rate of one arm, each stratum by its part of the treated, with the stratified Wilson interval of Yan and Su (2010): the
 * weighted sum of the strata's Wilson bounds, each at so many standard errors that together they are as wide as the sum's.
 */
export function stratifiedRate(
  strata: readonly Stratum[],
  arm: 'treated' | 'heldOut',
  confidence = 0.95,
): Estimate | NotEnough {
  const weighed = weighStrata(strata)
  if ('kind' in weighed) return notEnough('nobody')
  const groups = weighed.map((each) => ({ ...each[arm], weight: each.weight }))
  const [only] = groups
  if (only && groups.length === 1) return wilson(only.recalled, only.assigned, confidence)
  const errors = groups.map(({ recalled, assigned, weight }) => {
    const rate = recalled / assigned
    return weight * Math.sqrt((rate * (1 - rate)) / assigned)
  })
  const added = errors.reduce((sum, error) => sum + error, 0)
  // Without any spread in what was seen, bounds are added as they are: too wide rather than too narrow.
  const z = multiplierOf(confidence) * (added > 0 ? Math.hypot(...errors) / added : 1)
  const sum = (of: 'value' | 'low' | 'high') =>
    groups.reduce(
      (all, { recalled, assigned, weight }) => all + weight * wilsonAt(recalled, assigned, z)[of],
      0,
    )
  return { kind: 'estimate', value: sum('value'), low: sum('low'), high: sum('high'), confidence }
}

/**
 * The effect on the treated, each stratum within itself, with the stratified Newcombe interval: the stratified Wilson bounds of
 * both arms (Yan and Su 2010, Stratified Wilson and Newcombe confidence intervals for multiple binomial proportions), squared
 * and added as Newcombe does. Their own last step puts the variance of one common rate into each bound instead, and misses its
 * 95 % where rates differ by stratum, which is what strata are here for.
 * @throws RangeError for impossible counts
 */
export function stratifiedNewcombe(strata: readonly Stratum[], confidence = 0.95): Estimate | NotEnough {
  const weighed = weighStrata(strata)
  if ('kind' in weighed) return weighed
  const [only] = weighed
  if (only && weighed.length === 1) return newcombe(only.treated, only.heldOut, confidence)
  const first = stratifiedRate(strata, 'treated', confidence)
  const second = stratifiedRate(strata, 'heldOut', confidence)
  if (first.kind === 'not_enough') return first
  if (second.kind === 'not_enough') return second
  return squareAndAdd(first, second)
}

/** Two-sided p of "no difference": the score test of each stratum at its weight, the variance pooled within each. */
export function stratifiedTest(
  strata: readonly Stratum[],
): { readonly kind: 'tested'; readonly p: number } | NotEnough {
  const weighed = weighStrata(strata)
  if ('kind' in weighed) return weighed
  const [only] = weighed
  if (only && weighed.length === 1) return differenceTest(only.treated, only.heldOut)
  let [value, variance] = [0, 0]
  for (const { treated, heldOut, weight } of weighed) {
    const n = treated.assigned + heldOut.assigned
    value += weight * differenceOf(treated, heldOut)
    variance += (weight * weight * pooledVariance(treated, heldOut) * n) / (n - 1)
  }
  return { kind: 'tested', p: variance > 0 ? 2 * normalUpperTail(Math.abs(value) / Math.sqrt(variance)) : 1 }
}

export function differenceOf(treated: Group, heldOut: Group): number {
  return treated.recalled / treated.assigned - heldOut.recalled / heldOut.assigned
}

/** Of the difference of two rates that are one. */
export function pooledVariance(a: Group, b: Group): number {
  const rate = (a.recalled + b.recalled) / (a.assigned + b.assigned)
  return rate * (1 - rate) * (1 / a.assigned + 1 / b.assigned)
}

/**
 * As many equal recalls as would tell as much (Kish 1965): where few were held out of many, a recall stands for many, and ten
 * that are mostly of another stratum are no ten. The treated weigh the same in all.
 */
export function recallsAsWeighed(groups: readonly (Group & { readonly weight: number })[]): number {
  const [only] = groups
  if (only && groups.length === 1) return only.recalled
  let [sum, squares] = [0, 0]
  for (const { recalled, assigned, weight } of groups) {
    sum += (weight / assigned) * recalled
    squares += (weight / assigned) ** 2 * recalled
  }
  return squares > 0 ? (sum * sum) / squares : 0
}
