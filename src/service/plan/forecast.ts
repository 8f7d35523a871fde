import type { AudiencePlan } from '../../audience/plan.ts'
import type { CompiledCampaign } from '../../config/compiled.ts'
import { boundsOf } from '../../config/variants.ts'
import {
  contactsUntilVerdict,
  daysUntilDetectable,
  detectableDifference,
} from '../../statistics/detectable.ts'
import type { Shortage } from '../../statistics/estimate.ts'
import { answered, type HeldOutShare } from './expected.ts'

// What a campaign could show, and when, before it runs: of all, and between the variants of a step. Pure.

/** How a step's messages would be split among its variants. */
export interface ComparedVariants {
  readonly tier: string
  readonly step: string
  readonly variants: readonly {
    readonly name: string
    readonly share: number
    /** Of those to the people who enter now, as the step's own are counted. */
    readonly messages: number
  }[]
}

/** The smallest difference of recall rates that can be shown once so many are assigned. */
export interface Detectable {
  /** Days from now, the observation of the last of them included. */
  readonly afterDays: number
  readonly assigned: number
  /** A share: 0.02 is two percentage points. Null where nothing can be shown. */
  readonly difference: number | null
  readonly why: Shortage | null
}

/** When a difference worth having can be shown. */
export interface Showable {
  /** A share: 0.02 is two percentage points. */
  readonly difference: number
  /** Days from now, the observation included; null where it never can. */
  readonly afterDays: number | null
  /** People it takes, both groups together; null where no number would do. */
  readonly assigned: number | null
  /** `too_few`: there are not that many people, or not within ten years. */
  readonly why: Shortage | 'too_few' | null
  /**
   * The above is for one look on a day fixed beforehand; this is for the verdict, which holds however often one looks. Absent
   * where even one look never shows the difference.
   */
  readonly verdict?: { readonly afterDays: number | null; readonly assigned: number }
}

const POINTS = 0.02
const PATIENCE = 3650

/** The steps that compare variants, with how many messages each variant would get of those who enter now. */
export function splitByVariant(
  campaign: Pick<CompiledCampaign, 'tiers'>,
  { steps }: Pick<AudiencePlan, 'steps'>,
): ComparedVariants[] {
  return campaign.tiers.flatMap((tier) =>
    tier.steps.flatMap(({ id, variants }) => {
      if (!variants) return []
      const outlook = steps.find((other) => other.tier === tier.name && other.step === id)
      // Rounded at the bounds, so that the parts come to the whole.
      const ends = [...boundsOf(variants.map(({ share }) => share)), 1].map((end) =>
        Math.round((outlook?.messages ?? 0) * end),
      )
      const split = variants.map(({ name, share }, at) => {
        return { name, share, messages: (ends[at] ?? 0) - (ends[at - 1] ?? 0) }
      })
      return [{ tier: tier.name, step: id, variants: split }]
    }),
  )
}

type People = Pick<AudiencePlan, 'cells' | 'inflowPerDay' | 'eligible' | 'outside'>

/** Whom a campaign can draw on. */
export interface PeoplePool {
  /** Persons it may ever take in. */
  readonly people: number
  /** Whole days from being taken in until the same person may be again. */
  readonly again: number
  /** How often, while nobody comes back; null without `reentry.sunset`. */
  readonly times: number | null
}

/** Whom a campaign can draw on, and how often, by its window and `reentry`. */
export function poolOf({ definition }: CompiledCampaign, { eligible }: Pick<People, 'eligible'>): PeoplePool {
  const { window, grace, reentry } = definition
  const again = Math.ceil((window + grace + reentry.wait) / 86_400)
  return { people: eligible, again, times: reentry.sunset ?? null }
}

/**
 * How many will have been assigned after so many days of runs: those taken in now, those who wait for their day under
 * `intake.backlog`, and the usual inflow; never more a day than the backlog allows, and never more people than there
 * are, each as often as window, `reentry.wait` and `reentry.sunset` let them come round.
 */
export function assignedAfter(campaign: CompiledCampaign, audience: People, days: number): number {
  const { window, grace, reentry, intake } = campaign.definition
  const now = answered(audience, 'opened')
  const arriving = answered(audience, 'backlog') + days * audience.inflowPerDay
  const flow = intake.backlog ? Math.min(days * intake.backlog.count, arriving) : arriving
  const rounds = 1 + Math.floor((days * 86_400) / Math.max(1, window + grace + reentry.wait))
  const most = audience.eligible * Math.min(rounds, reentry.sunset ?? rounds) - audience.outside.open
  return Math.round(Math.min(now + flow, Math.max(now, most)))
}

/** How likely somebody is to come back anyway, kept off 0 and 1, where no difference has a size. */
function rateOf(natural: { contacts: number; recalled: number }): number {
  // Without a past the rate is unknown; a half makes the widest interval, so the answer errs on the safe side.
  const observed = natural.contacts > 0 ? natural.recalled / natural.contacts : 0.5
  return Math.min(0.99, Math.max(0.01, observed))
}

/**
 * Of those assigned, the parts that are compared: the contacted, and those whom the campaign holds out. The workspace's control
 * group is not contacted either, and is compared with neither of them.
 */
function comparedOf(
  { definition: { holdout } }: CompiledCampaign,
  shares: readonly HeldOutShare[],
): { readonly treated: number; readonly heldOut: number } {
  const treated = 1 - (shares[0]?.episode ?? 0)
  return { treated, heldOut: holdout < 1 ? (treated * holdout) / (1 - holdout) : 1 }
}

/** This run, and one and three months of the usual inflow. */
const MILESTONES = [0, 30, 90]
/** Half a year by fortnights: what a curve is drawn from. */
export const CURVE = Array.from({ length: 14 }, (_, at) => at * 14)

/** After so many days of the usual inflow, counted from this run; each then waits for its window. */
export function detectableEffects(
  campaign: CompiledCampaign,
  audience: People,
  natural: { contacts: number; recalled: number },
  shares: readonly HeldOutShare[],
  after: readonly number[] = MILESTONES,
): Detectable[] {
  const { treated, heldOut } = comparedOf(campaign, shares)
  const window = Math.ceil(campaign.definition.window / 86_400)
  return after.map((days) => {
    const assigned = assignedAfter(campaign, audience, days)
    const common = { afterDays: days + window, assigned }
    if (heldOut === 0) return { ...common, difference: null, why: 'nobody_held_out' }
    // Too few for the draw to leave both groups somebody: it is people that lack, not a holdout.
    if (assigned * Math.min(heldOut, treated) < 0.5) {
      return { ...common, difference: null, why: 'nobody' }
    }
    return {
      ...common,
      ...smallest({
        rate: rateOf(natural),
        treated: Math.round(assigned * treated),
        heldOut: Math.round(assigned * heldOut),
      }),
    }
  })
}

/** The smallest difference; none where it is further than a rate can move from what it is. */
function smallest(
  question: Parameters<typeof detectableDifference>[0],
): Pick<Detectable, 'difference' | 'why'> {
  const found = detectableDifference(question)
  if (typeof found !== 'number') return { difference: null, why: found.why }
  if (found > Math.max(question.rate, 1 - question.rate)) return { difference: null, why: 'nobody' }
  return { difference: found, why: null }
}

/** Of one step that compares variants, what its comparisons could show and when. */
export interface DetectableBetween {
  readonly tier: string
  readonly step: string
  readonly detectable: readonly Detectable[]
}

/**
 * The smallest difference between the first variant of a step and the one with the smallest share, as strict as Holm's
 * first comparison has to be. At best: as with {@link expectedCost}, nobody comes back before the tier is entered, where
 * a variant is drawn. `assigned` counts those who draw one, held-out people aside.
 */
export function detectableBetween(
  campaign: CompiledCampaign,
  audience: People,
  natural: { contacts: number; recalled: number },
  shares: readonly HeldOutShare[],
): DetectableBetween[] {
  const window = Math.ceil(campaign.definition.window / 86_400)
  const opened = answered(audience, 'opened')
  return campaign.tiers.flatMap((tier) => {
    // From whichever tier they enter at, by the draws of each up to this one: who is held out once stays so.
    const drawing = campaign.tiers.reduce((sum, entry) => {
      const passed = campaign.tiers.filter(({ no }) => entry.no <= no && no <= tier.no)
      if (passed.length === 0) return sum
      const treated = 1 - (shares.find((share) => share.tier === entry.name)?.episode ?? 0)
      const left = passed.reduce((share, { holdout }) => share * (1 - holdout), treated)
      return sum + answered(audience, 'opened', entry.name) * left
    }, 0)
    const part = opened > 0 ? drawing / opened : 0
    return tier.steps.flatMap(({ id, variants = [] }): DetectableBetween[] => {
      const [first, ...others] = variants
      if (!first || others.length === 0) return []
      const least = Math.min(...others.map(({ share }) => share))
      const detectable = MILESTONES.map((days): Detectable => {
        const assigned = Math.round(assignedAfter(campaign, audience, days) * part)
        const common = { afterDays: days + window, assigned }
        if (assigned * Math.min(first.share, least) < 0.5)
          return { ...common, difference: null, why: 'nobody' }
        return {
          ...common,
          ...smallest({
            rate: rateOf(natural),
            treated: Math.round(assigned * least),
            heldOut: Math.round(assigned * first.share),
            confidence: 1 - 0.05 / others.length,
          }),
        }
      })
      return [{ tier: tier.name, step: id, detectable }]
    })
  })
}

/** When two percentage points can be shown, the last window included. */
export function whenShowable(
  campaign: CompiledCampaign,
  audience: People,
  natural: { contacts: number; recalled: number },
  shares: readonly HeldOutShare[],
): Showable {
  const { treated, heldOut } = comparedOf(campaign, shares)
  const compared = treated + heldOut
  const question = { rate: rateOf(natural), difference: POINTS, holdout: heldOut / compared }
  // At one a day, days are people: the flow itself is not even (a backlog empties, people run out).
  const found = daysUntilDetectable({ ...question, perDay: 1 })
  const never = { difference: POINTS, afterDays: null }
  if (typeof found !== 'number') return { ...never, assigned: null, why: found.why }
  const needed = Math.ceil(found / compared)
  const observed = (people: number) => {
    for (let days = 0; days <= PATIENCE; days += 1)
      if (assignedAfter(campaign, audience, days) >= people)
        return days + Math.ceil(campaign.definition.window / 86_400)
    return null
  }
  const afterDays = observed(needed)
  if (afterDays !== null) {
    const daily = contactsUntilVerdict(question)
    const toTell = typeof daily === 'number' ? Math.ceil(daily / compared) : undefined
    return {
      ...{ difference: POINTS, afterDays, assigned: needed, why: null },
      ...(toTell === undefined ? {} : { verdict: { afterDays: observed(toTell), assigned: toTell } }),
    }
  }
  return {
    ...never,
    assigned: needed,
    why: assignedAfter(campaign, audience, PATIENCE) === 0 ? 'nobody' : 'too_few',
  }
}
