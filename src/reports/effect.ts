import { type Estimate, type NotEnough, scaleEstimate } from '../statistics/estimate.ts'
import { type SampleRatio, sampleRatio } from '../statistics/sample-ratio.ts'
import { fewRecalls, recallsUntilVerdict, stratifiedSequence } from '../statistics/sequence.ts'
import { type Stratum, stratifiedNewcombe, stratifiedRate } from '../statistics/strata.ts'
import { wilson } from '../statistics/wilson.ts'

// From counts to what may be claimed. Pure: the counts come from SQL, the inference from src/statistics.

/** People of one group. Every rate is over all assigned whose window has elapsed: sent to or not, reached or not. */
export interface Counts {
  readonly assigned: number
  /** Among them, persons that were merged with one of another arm. They stay in the arm they drew. */
  readonly contaminated: number
  /** Whose full window has elapsed. */
  readonly matured: number
  /** Of the matured. */
  readonly recalled: number
}

export interface ArmFigures extends Counts {
  /** Whose window has not elapsed: in no rate yet. */
  readonly pending: number
  /**
   * Recalled of matured, with its Wilson interval. Of the held out, where several shares were: standardised to the seasons
   * that the treated came in.
   */
  readonly rate: Estimate | NotEnough
}

/** Two groups that were drawn with one share. */
export interface Drawn {
  readonly treated: Counts
  readonly heldOut: Counts
}

/** One group against another that was drawn with it; where several shares were, each within itself (statistics/strata.ts). */
export interface Effect {
  readonly treated: ArmFigures
  readonly heldOut: ArmFigures
  /** Treated that are matured and have nobody to be compared with, for nobody was held out with them: in no figure. */
  readonly uncompared: number
  /** Recall rate of the treated minus that of the held out, with its Newcombe interval. */
  readonly difference: Estimate | NotEnough
  /** The same difference with an interval that holds however often one looks: what verdicts rest on. */
  readonly sequence: Estimate | NotEnough
  /** About how many more recalls of the held out a verdict takes, if rates stay as they are; undefined: no number would do. */
  readonly recallsNeeded: number | undefined
  /** The difference times the matured treated: recalls that would not have been. */
  readonly recalls: Estimate | NotEnough
}

const NOBODY: Counts = { assigned: 0, contaminated: 0, matured: 0, recalled: 0 }

export function addCounts(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (sum, each) => ({
      assigned: sum.assigned + each.assigned,
      contaminated: sum.contaminated + each.contaminated,
      matured: sum.matured + each.matured,
      recalled: sum.recalled + each.recalled,
    }),
    NOBODY,
  )
}

export function figuresOf(counts: Counts): ArmFigures {
  return {
    ...counts,
    pending: counts.assigned - counts.matured,
    rate: wilson(counts.recalled, counts.matured),
  }
}

/**
 * Where the share held out was changed on the way, each share within itself, by its treated. Matured and recalled are of those
 * alone who are compared.
 * @param drawn oldest first
 */
export function effectOfStrata(drawn: readonly Drawn[]): Effect {
  const both = drawn.filter(isCompared)
  const compared = both.length > 0 ? both : drawn
  const strata = compared.map(groupsOf)
  const arm = (which: keyof Drawn): ArmFigures => {
    const all = addCounts(drawn.map((each) => each[which]))
    const { matured, recalled } = addCounts(compared.map((each) => each[which]))
    return { ...figuresOf({ ...all, matured, recalled }), pending: all.assigned - all.matured }
  }
  const treated = arm('treated')
  const heldOut = arm('heldOut')
  const difference = stratifiedNewcombe(strata)
  return {
    treated,
    heldOut: both.length > 1 ? { ...heldOut, rate: stratifiedRate(strata, 'heldOut') } : heldOut,
    uncompared: addCounts(drawn.map((each) => each.treated)).matured - treated.matured,
    difference,
    sequence: stratifiedSequence(strata),
    recallsNeeded: recallsUntilVerdict(strata),
    recalls: difference.kind === 'estimate' ? scaleEstimate(difference, treated.matured) : difference,
  }
}

/** Whether either side has somebody who is matured. */
export function isCompared({ treated, heldOut }: Drawn): boolean {
  return treated.matured > 0 && heldOut.matured > 0
}

/** The matured of either side. */
export function groupsOf({ treated, heldOut }: Drawn): Stratum {
  return {
    treated: { recalled: treated.recalled, assigned: treated.matured },
    heldOut: { recalled: heldOut.recalled, assigned: heldOut.matured },
  }
}

/** Difference over natural rate; undefined where nobody comes back anyway, or nothing is known. */
export function upliftOf({ difference, heldOut }: Effect): number | undefined {
  if (difference.kind !== 'estimate' || heldOut.recalled === 0) return undefined
  return heldOut.rate.kind === 'estimate' ? difference.value / heldOut.rate.value : undefined
}

/** Shares a campaign version draws with: `holdout` of those who are not in the workspace's `control`. Each in [0, 1]. */
export interface Split {
  readonly holdout: number
  readonly control: number
  /** What tiers hold out of the treated, drawn on entering them. */
  readonly tiers?: ReadonlyMap<string, number> | undefined
}

/** The same for every version, or by version. */
export type Splits = Split | ReadonlyMap<number, Split>

/** Undefined where it is not known what the version drew with. */
export function splitOf(split: Splits, version: number): Split | undefined {
  return 'holdout' in split ? split : split.get(version)
}

export type Arm = 'treated' | 'holdout' | 'control'
export const ARMS = ['treated', 'holdout', 'control'] as const

/** Whether the arms have the sizes they were drawn with. */
export interface SplitCheck {
  /** Treated and held out; the control group only where somebody is in it whose version has none. */
  readonly arms: readonly { readonly arm: Arm; readonly observed: number; readonly expected: number }[]
  /** Episodes in an arm that their version gives no share at all. */
  readonly strayed: number
  /** Shares held out by the versions that took anybody in, smallest first: several, where it was changed on the way. */
  readonly holdouts: readonly number[]
  /** Tiers whose own draw held out several shares, each smallest first. */
  readonly tierHoldouts: readonly { readonly tier: string; readonly holdouts: readonly number[] }[]
  /** Versions whose split is not known: left out of the test. */
  readonly unknownVersions: readonly number[]
  readonly test: SampleRatio | NotEnough
  /** True: nothing may be concluded. */
  readonly alarm: boolean
}

/**
 * The sample-ratio test over all drawn episodes, matured or not: the treated against the held out, which each lapse draws anew.
 * Each version counts with its own shares: a holdout that was changed on the way is no broken split. The control group is no
 * part of it. It sticks to a person, so that its lapses come in heaps, and more seldom or more often than those of others: of
 * right draws of 5 %, with ten lapses a person, a test of all lapses alarms in one of four. Its size is judged by first lapses
 * (programme.ts).
 */
export function checkSplit(
  drawn: readonly { readonly version: number; readonly arm: Arm; readonly assigned: number }[],
  split: Splits,
): SplitCheck {
  const expected = { treated: 0, holdout: 0, control: 0 }
  const observed = { treated: 0, holdout: 0, control: 0 }
  const unknown = new Set<number>()
  const holdouts = new Set<number>()
  const drawing = new Map<string, Set<number>>()
  let strayed = 0
  for (const { version, arm, assigned } of drawn) {
    const of = splitOf(split, version)
    if (!of) {
      unknown.add(version)
      continue
    }
    if (assigned > 0) {
      holdouts.add(of.holdout)
      // Where a tier holds out nobody, it draws nothing that could be compared.
      for (const [tier, held] of of.tiers ?? [])
        if (held > 0) drawing.set(tier, (drawing.get(tier) ?? new Set()).add(held))
    }
    const share = { treated: 1 - of.holdout, holdout: of.holdout, control: of.control }
    if (share[arm] === 0) strayed += assigned
    if (arm === 'control' && of.control > 0) continue
    observed[arm] += assigned
    if (arm === 'control') continue
    expected.treated += share.treated * assigned
    expected.holdout += share.holdout * assigned
  }
  // Of the control group, those alone who can be none of it.
  const arms = ARMS.filter((arm) => arm !== 'control' || observed.control > 0).map((arm) => ({
    arm,
    observed: observed[arm],
    expected: expected[arm],
  }))
  const test = sampleRatio(arms)
  return {
    arms,
    strayed,
    holdouts: [...holdouts].sort((a, b) => a - b),
    tierHoldouts: [...drawing].flatMap(([tier, held]) =>
      held.size > 1 ? [{ tier, holdouts: [...held].sort((a, b) => a - b) }] : [],
    ),
    unknownVersions: [...unknown].sort((a, b) => a - b),
    test,
    alarm: strayed > 0 || (test.kind === 'tested' && test.alarm),
  }
}

/** What the report dares to say. */
export type Verdict =
  /** The groups do not have the sizes they were drawn with: no conclusion from them. */
  | { readonly kind: 'groups_off' }
  | { readonly kind: 'not_yet'; readonly why: 'nobody' | 'pending' | 'no_holdout' | 'few_recalls' }
  /** The interval for daily looks holds zero: an effect of that size could be chance. */
  | { readonly kind: 'no_difference' }
  /** It lies above zero. */
  | { readonly kind: 'won_back' }
  /** It lies below zero: fewer came back because of the contact. */
  | { readonly kind: 'harm' }

/**
 * A verdict that may be looked at every day: in at most one campaign of twenty without any effect it ever claims one.
 * @param alarm the sample-ratio alarm: it comes before everything else
 */
export function verdictOf(effect: Effect, alarm: boolean): Verdict {
  const { treated, heldOut, difference, sequence } = effect
  if (alarm) return { kind: 'groups_off' }
  if (treated.assigned + heldOut.assigned === 0) return { kind: 'not_yet', why: 'nobody' }
  if (heldOut.assigned === 0) return { kind: 'not_yet', why: 'no_holdout' }
  if (difference.kind === 'not_enough') return { kind: 'not_yet', why: 'pending' }
  if (sequence.kind === 'not_enough') return { kind: 'not_yet', why: 'few_recalls' }
  if (sequence.low > 0) return { kind: 'won_back' }
  return sequence.high < 0 ? { kind: 'harm' } : { kind: 'no_difference' }
}

/** Money of the matured who are compared, by arm. Integer micros. */
export interface CostOfArms {
  readonly treated: number
  readonly heldOut: number
}

/**
 * Micros for each recall of the treated: not what a recall costs, for most would have come back anyway.
 * Undefined while there is none.
 */
export function spentPerRecall(cost: CostOfArms, effect: Effect): number | undefined {
  return effect.treated.recalled > 0 ? cost.treated / effect.treated.recalled : undefined
}

/**
 * Micros for each recall that would not have been: extra cost per assigned over extra recall rate. Undefined
 * unless ten came back in each group and the whole interval of the difference lies above zero: a ratio over a difference
 * that may be nothing is any number at all.
 * @param drawn money beside the people it went to, by share held out
 */
export function costPerIncremental(
  drawn: readonly (Drawn & { readonly cost: CostOfArms })[],
  { treated, heldOut, difference }: Effect,
): number | undefined {
  if (difference.kind !== 'estimate' || difference.low <= 0) return undefined
  if (fewRecalls(treated.recalled, heldOut.recalled)) return undefined
  const compared = drawn.filter(isCompared)
  const extra = compared.reduce(
    (sum, { treated: own, heldOut: others, cost }) =>
      sum + (own.matured / treated.matured) * (cost.treated / own.matured - cost.heldOut / others.matured),
    0,
  )
  return extra / difference.value
}
