import type { StepOutlook } from '../../audience/outlook.ts'
import type { AudiencePlan } from '../../audience/plan.ts'
import type { CompiledCampaign, CompiledStep, CompiledTier } from '../../config/compiled.ts'
import { expectedOf, type Offer } from '../../offers/offers.ts'

// What those who would be taken in now may cost, and what they may be promised, before anything runs. Pure.

/** The share of people held out of each tier, over all draws. */
export interface HeldOutShare {
  readonly tier: string
  /** Not contacted from the start. */
  readonly episode: number
  readonly withTierDraws: number
}

/**
 * Spend and liability of those taken in now, were nobody to come back: everyone walks the rest of the ladder, and
 * every step reaches the share of people it reaches today. An upper bound, in micros. Beside it what returns release, were
 * everybody who is contacted to come back at once: who comes back is spared the ladder, so the two are never due together.
 */
export function expectedCost(
  campaign: CompiledCampaign,
  audience: Pick<AudiencePlan, 'cells' | 'steps'>,
  shares: readonly HeldOutShare[],
  price: (channel: string, step: CompiledStep) => number,
): { spend: number; liability: number; released: number } {
  let spend = 0
  let liability = 0
  let released = 0
  for (const { step, messages, granted } of expectedMessages(campaign, audience, shares)) {
    spend += messages * dearestOf(step, price)
    for (const { people, terms } of granted) liability += people * expectedOf(terms)
  }
  const each = releasedByReturn(campaign, price)
  for (const entry of campaign.tiers)
    released += treatedOf(entry, audience, shares) * (1 - entry.holdout) * each
  return { spend: Math.round(spend), liability: Math.round(liability), released: Math.round(released) }
}

/**
 * How many of each offer those taken in now would be granted, were nobody to come back: an upper bound, as
 * {@link expectedCost} is. What a return releases is not among them.
 */
export function expectedGrants(
  campaign: CompiledCampaign,
  audience: Pick<AudiencePlan, 'cells' | 'steps'>,
  shares: readonly HeldOutShare[],
): Map<string, number> {
  const grants = new Map<string, number>()
  for (const { granted } of expectedMessages(campaign, audience, shares)) {
    for (const { name, people } of granted) grants.set(name, (grants.get(name) ?? 0) + people)
  }
  return new Map([...grants].map(([name, count]) => [name, Math.round(count)]))
}

/** What a step sends to those who entered by one tier. */
interface ExpectedMessages {
  readonly step: CompiledStep
  readonly messages: number
  /** What is granted with it to whom no step before granted it. */
  readonly granted: readonly Granted[]
}

/** The ladder as everyone taken in now walks it to its end. */
function* expectedMessages(
  campaign: CompiledCampaign,
  audience: Pick<AudiencePlan, 'cells' | 'steps'>,
  shares: readonly HeldOutShare[],
): Generator<ExpectedMessages> {
  for (const entry of campaign.tiers) {
    let treated = treatedOf(entry, audience, shares)
    const offered = new Map<string, Offered>()
    for (const tier of campaign.tiers.filter((later) => later.no >= entry.no)) {
      treated *= 1 - tier.holdout
      for (const step of tier.steps) {
        const outlook = audience.steps.find((other) => other.tier === tier.name && other.step === step.id)
        const reach = reachOf(outlook)
        const granted = newlyGranted(step, reach, offered).map(({ share, ...grant }) => ({
          ...grant,
          people: treated * share,
        }))
        yield { step, messages: treated * reach.written, granted }
      }
    }
  }
}

/** Who enters by a tier and is not held out from the start. */
function treatedOf(
  { name }: CompiledTier,
  audience: Pick<AudiencePlan, 'cells'>,
  shares: readonly HeldOutShare[],
): number {
  const heldOut = shares.find((share) => share.tier === name)?.episode ?? 0
  return answered(audience, 'opened', name) * (1 - heldOut)
}

interface Granted {
  readonly name: string
  readonly terms: Offer
  readonly people: number
}

/** Shares of a tier's people: whom a step writes to, and whom it could if its condition held for everybody. */
interface StepReach {
  readonly written: number
  readonly open: number
}

/** Everybody, where nobody stands before the step now. */
function reachOf(outlook: StepOutlook | undefined): StepReach {
  if (!outlook || outlook.contacts === 0) return { written: 1, open: 1 }
  const { contacts, messages, condition, unknown } = outlook
  return { written: messages / contacts, open: (messages + condition + unknown) / contacts }
}

/** How an offer was spoken of so far, in shares of a tier's people. */
interface Offered {
  readonly granted: number
  /** By all its messages, as if no two of them went to the same person. */
  readonly written: number
  /** Whom they could reach, by the channels they go by. */
  readonly open: ReadonlyMap<string, number>
}

/**
 * The offers of a step, each with the share of people it is granted to there: once for each episode, whichever steps and
 * variants speak of it. Steps may write to others, as by conditions that part them, or to the same: of those a channel
 * cannot reach, none is promised it by being written to twice.
 */
function newlyGranted(
  step: CompiledStep,
  reach: StepReach,
  offered: Map<string, Offered>,
): { readonly name: string; readonly terms: Offer; readonly share: number }[] {
  const channels = step.channels.join()
  return (step.variants ?? [{ share: 1, step }]).flatMap(({ share, step: { offer } }) => {
    if (!offer) return []
    const before = offered.get(offer.name) ?? { granted: 0, written: 0, open: new Map<string, number>() }
    const written = before.written + share * reach.written
    const open = new Map(before.open).set(channels, Math.max(before.open.get(channels) ?? 0, reach.open))
    const reachable = [...open.values()].reduce((sum, one) => sum + one, 0)
    const granted = Math.min(1, written, reachable)
    offered.set(offer.name, { granted, written, open })
    return [{ name: offer.name, terms: offer.terms, share: granted - before.granted }]
  })
}

/** One message of a step, on its dearest channel. */
function dearestOf(step: CompiledStep, price: (channel: string, step: CompiledStep) => number): number {
  return Math.max(0, ...step.channels.map((channel) => price(channel, step)))
}

/** What the steps of `on_return` cost for one who comes back: sending, and each offer once. Micros. */
function releasedByReturn(
  { onReturn }: CompiledCampaign,
  price: (channel: string, step: CompiledStep) => number,
): number {
  const offers = new Map(onReturn.flatMap(({ offer }) => (offer ? [[offer.name, offer.terms]] : [])))
  const sending = onReturn.reduce((sum, step) => sum + dearestOf(step, price), 0)
  return [...offers.values()].reduce((sum, terms) => sum + expectedOf(terms), sending)
}

/** How many got an answer, of a tier or of all. */
export function answered(audience: Pick<AudiencePlan, 'cells'>, answer: string, tier?: string): number {
  return audience.cells
    .filter((cell) => cell.answer === answer && (tier ?? cell.tier) === cell.tier)
    .reduce((sum, cell) => sum + cell.contacts, 0)
}
