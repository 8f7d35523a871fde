import { type NotEnough, notEnough } from './estimate.ts'
import { type MeansTest, type Moments, type Sample, sampleOf, weighedMeans, welch } from './means.ts'

/** What SQL sums up of one arm: the outcome y, a covariate x known before the assignment, and their product. */
export interface PairedMoments extends Moments {
  readonly covariateSum: number
  readonly covariateSumOfSquares: number
  readonly productSum: number
}

export interface Adjusted {
  /** The difference of means as it is. */
  readonly raw: MeansTest | NotEnough
  /** The same with what the covariate foretells taken out: the same estimand, with a narrower interval. */
  readonly adjusted: MeansTest | NotEnough
  /** The slope taken out; 0 where the covariate foretells nothing. */
  readonly theta: number
  /** Part of the variance that went, in [0, 1]. */
  readonly explained: number
}

/**
 * CUPED (Deng, Xu, Kohavi and Walker 2013): y − θ(x − x̄), with θ pooled within the arms, so that an effect on y cannot
 * leak into it. The covariate must be older than the assignment; a useless one leaves θ near 0 and the figure alone.
 */
export function cuped(treated: PairedMoments, heldOut: PairedMoments, confidence = 0.95): Adjusted {
  return whereSpread(adjust(treated, heldOut, confidence))
}

function adjust(treated: PairedMoments, heldOut: PairedMoments, confidence: number): Adjusted {
  const theta = thetaOf([treated, heldOut])
  const centre = (treated.covariateSum + heldOut.covariateSum) / Math.max(1, treated.n + heldOut.n)
  const sampleAdjusted = (arm: PairedMoments): Sample | undefined => {
    const sample = sampleOf(arm)
    if (!sample) return undefined
    const { xx, xy } = within(arm)
    const variance = sample.variance + (theta * theta * xx - 2 * theta * xy) / (arm.n - 1)
    return {
      n: arm.n,
      mean: sample.mean - theta * (arm.covariateSum / arm.n - centre),
      variance: Math.max(0, variance),
    }
  }
  const raw = welch(sampleOf(treated), sampleOf(heldOut), confidence)
  const adjusted = welch(sampleAdjusted(treated), sampleAdjusted(heldOut), confidence)
  return { raw, adjusted, theta, explained: explainedOf(raw, adjusted) }
}

/**
 * Without any spread there is nothing to judge by: where all of each arm did the same, or where the covariate is the outcome
 * itself. The interval would have no width, and what rounding leaves of the difference a p of 0.
 */
function whereSpread(found: Adjusted): Adjusted {
  const { raw, adjusted } = found
  if (raw.kind === 'not_enough' || adjusted.kind === 'not_enough') return found
  const nothing = notEnough('one_member')
  if (raw.standardError === 0) return { raw: nothing, adjusted: nothing, theta: 0, explained: 0 }
  return adjusted.standardError > 1e-6 * raw.standardError
    ? found
    : { ...found, adjusted: nothing, explained: 0 }
}

function explainedOf(raw: MeansTest | NotEnough, adjusted: MeansTest | NotEnough): number {
  return raw.kind === 'estimate' && adjusted.kind === 'estimate' && raw.standardError > 0
    ? Math.max(0, 1 - (adjusted.standardError / raw.standardError) ** 2)
    : 0
}

/**
 * The same where the arms were drawn with several shares: each stratum within itself, with its own θ, by its part of the treated.
 * θ and the variance that went are those of the sum.
 */
export function stratifiedCuped(
  strata: readonly { readonly treated: PairedMoments; readonly heldOut: PairedMoments }[],
  confidence = 0.95,
): Adjusted {
  const compared = strata.filter(({ treated, heldOut }) => treated.n > 1 && heldOut.n > 1)
  const [first = strata[0]] = compared
  if (compared.length < 2) return cuped(first?.treated ?? NOBODY, first?.heldOut ?? NOBODY, confidence)
  const all = compared.reduce((sum, { treated }) => sum + treated.n, 0)
  const found = compared.map(({ treated, heldOut }) => ({
    weight: treated.n / all,
    ...adjust(treated, heldOut, confidence),
  }))
  const raw = weighedMeans(
    found.map(({ weight, raw: test }) => ({ weight, test })),
    confidence,
  )
  const adjusted = weighedMeans(
    found.map(({ weight, adjusted: test }) => ({ weight, test })),
    confidence,
  )
  const theta = found.reduce((sum, each) => sum + each.weight * each.theta, 0)
  return whereSpread({ raw, adjusted, theta, explained: explainedOf(raw, adjusted) })
}

const NOBODY: PairedMoments = {
  n: 0,
  sum: 0,
  sumOfSquares: 0,
  covariateSum: 0,
  covariateSumOfSquares: 0,
  productSum: 0,
}

/** The slope of y on x within arms, over any number of them; 0 where x does not vary. */
function thetaOf(arms: readonly PairedMoments[]): number {
  let xx = 0
  let xy = 0
  for (const arm of arms) {
    if (arm.n < 2) continue
    const sums = within(arm)
    xx += sums.xx
    xy += sums.xy
  }
  return xx > 0 ? xy / xx : 0
}

/** Σ(x − x̄)² and Σ(x − x̄)(y − ȳ); what rounding leaves of a constant x counts as nothing. */
function within(arm: PairedMoments): { xx: number; xy: number } {
  const square = (arm.covariateSum * arm.covariateSum) / arm.n
  const xx = arm.covariateSumOfSquares - square
  if (xx <= 1e-12 * square) return { xx: 0, xy: 0 }
  return { xx, xy: arm.productSum - (arm.covariateSum * arm.sum) / arm.n }
}
