import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { givesOffer, inVariant } from '../config/variants.ts'
import { type Database, provisionally, type Transaction } from '../database/connect.ts'
import { lockPersons } from '../database/person-locks.ts'
import { DUMMY_CODE } from '../offers/codes.ts'
import { concludeGrants } from '../offers/conclusion.ts'
import { type Answer, type Grant, type OfferPlace, reserveGrants } from '../offers/grants.ts'
import { expectedOf } from '../offers/offers.ts'
import type { OfferProvider } from '../offers/provider.ts'
import {
  type Budget,
  type Claimed,
  holdBudgets,
  openBudgets,
  releaseBudgets,
  type Shortage,
} from './budgets.ts'
import { reserveCaps } from './cap-places.ts'
import type { CapDecision } from './caps.ts'
import { creditGrants } from './credit.ts'
import { deferOrSkip, standIn, type Verdict } from './guards.ts'
import type { Cleared, Compose } from './message.ts'
import type { Pace } from './pace.ts'
import type { Promised } from './view.ts'
import { startOfNextDay } from './windows.ts'

// What the guards let through asks for what is scarce: a place under the person's caps, an offer, a part of the budget.
// In the lock order of the docs (contact, touchpoint, offer, budget); what is refused at a later place gives back what
// it had at an earlier one.

export interface ReserveDependencies {
  readonly database: Database
  /** Credits what is delivered to the account; absent where the workspace names none. */
  readonly offerProvider?: OfferProvider | undefined
}

export interface Reservation {
  readonly claimId: string
  readonly campaign: CompiledCampaign
  readonly step: CompiledStep
  readonly now: Date
  readonly cleared: readonly Cleared[]
  /** What a message will cost is known once it is composed. */
  readonly compose: Compose
  readonly pace: Pace
}

/** What may be sent, with what was reserved for it; and the verdict on what may not. */
export interface Reserved {
  readonly toSend: readonly Cleared[]
  readonly refused: readonly Refused[]
  /** Something is held that {@link release} has to let go. */
  readonly holds: boolean
  /** Grants are among what is held. */
  readonly promised: boolean
}

export interface Refused {
  readonly cleared: Cleared
  readonly verdict: Verdict
}

/** Seconds after which a step looks again at what another batch holds at this moment: an offer, or the rest of a budget. */
const BUSY = 60

/**
 * Reserves for a batch. Seeds get theirs without: they count nowhere. What is refused comes back with its verdict; what
 * is sent is held until {@link release}.
 */
export async function reserve(deps: ReserveDependencies, reservation: Reservation): Promise<Reserved> {
  const { step, now, campaign, cleared } = reservation
  const seeds = cleared
    .filter(({ candidate }) => candidate.seed)
    .map((each): Cleared => {
      const grant = dummyGrant(inVariant(step, each.candidate.variant), now)
      return grant ? { ...each, grant } : each
    })
  // Where there is not enough for all, what was planned first gets it.
  const real = cleared.filter(({ candidate }) => !candidate.seed).toSorted(byPlan)
  const budgets = budgetsOf(campaign, step, deps.offerProvider !== undefined)
  const counted = isCounted(campaign)
  const offering = givesOffer(step)
  if (real.length === 0 || (!counted && !offering && budgets.length === 0)) {
    return { toSend: [...seeds, ...real], refused: [], holds: false, promised: false }
  }
  const refused: Refused[] = []
  const promised: Allowed[] = []
  // Variants may promise different things; each offer is reserved for those of the batch who are to get it.
  for (const [offered, group] of byOffer(step, real)) {
    promised.push(...(await reservePersons(deps, { ...reservation, step: offered }, group, refused)))
  }
  const affordable = await reserveMoney(deps, reservation, budgets, promised, refused)
  const toSend = await creditPromised(deps, reservation, affordable, refused)
  const holds = offering || budgets.length > 0
  return {
    toSend: [...seeds, ...toSend],
    refused,
    holds,
    promised: offering,
  }
}

/** Whether a campaign’s messages are counted: by person, or by episode. */
function isCounted({ definition, effort }: CompiledCampaign): boolean {
  return definition.limits.per_person.length > 0 || effort !== undefined
}

function byPlan({ candidate: a }: Cleared, { candidate: b }: Cleared): number {
  return a.plannedFor.getTime() - b.plannedFor.getTime() || a.touchpointId - b.touchpointId
}

/** A batch by what it promises: a step as one of its variants has it, with those who are to get that offer or none. */
function byOffer(step: CompiledStep, real: readonly Cleared[]): [CompiledStep, Cleared[]][] {
  const groups = new Map<string | undefined, [CompiledStep, Cleared[]]>()
  for (const each of real) {
    const own = inVariant(step, each.candidate.variant)
    const group = groups.get(own.offer?.name) ?? [own, []]
    groups.set(own.offer?.name, group)
    group[1].push(each)
  }
  return [...groups.values()]
}

/** A message that may go, as far as it was asked; `fresh` where what it promises is booked nowhere yet. */
interface Allowed {
  readonly cleared: Cleared
  readonly fresh: boolean
  /** A provider is to be asked first. */
  readonly crediting?: Crediting
}

interface Crediting {
  readonly place: OfferPlace
  readonly grant: Grant
  /** What goes where the provider refuses. */
  readonly instead: Cleared | undefined
}

/** Caps and offers: what depends on the person and is decided under the lock on them. */
async function reservePersons(
  deps: ReserveDependencies,
  reservation: Reservation,
  real: readonly Cleared[],
  refused: Refused[],
): Promise<Allowed[]> {
  const { campaign, step } = reservation
  const counted = isCounted(campaign)
  if (!counted && !step.offer) return real.map((cleared) => ({ cleared, fresh: false }))
  const place = step.offer && {
    campaign: campaign.name,
    name: step.offer.name,
    terms: step.offer.terms,
    stepId: step.stepId,
    credits: step.offer.terms.deliver === 'account' && deps.offerProvider !== undefined,
  }
  const decided = await provisionally(deps.database, async (tx) => {
    await lockPersons(
      tx,
      real.map(({ candidate }) => candidate.contactId),
    )
    const caps = counted ? await capDecisions(tx, reservation, real) : undefined
    const admitted = caps ? real.filter((each) => caps.get(each.candidate.touchpointId) === 'admit') : real
    const answers = place ? await offerAnswers(tx, reservation, place, admitted) : new Map<number, Answer>()
    return { caps, answers, admitted }
  })
  for (const cleared of real) {
    const decision = decided.caps?.get(cleared.candidate.touchpointId)
    if (decision !== undefined && decision !== 'admit') refused.push({ cleared, verdict: decision.verdict })
  }
  return promise(deps, reservation, place, decided, refused)
}

async function capDecisions(
  tx: Transaction,
  { campaign, claimId, now }: Reservation,
  real: readonly Cleared[],
): Promise<Map<number, CapDecision>> {
  const { limits, priority, topic } = campaign.definition
  const asked = { caps: limits.per_person, topic, priority, maxDelay: limits.max_delay, now }
  return await reserveCaps(tx, claimId, asked, real)
}

async function offerAnswers(
  tx: Transaction,
  { step, claimId, now }: Reservation,
  place: OfferPlace,
  admitted: readonly Cleared[],
): Promise<Map<number, Answer>> {
  const wishing = admitted.filter((each) => wantsOffer(step, each))
  if (wishing.length === 0) return new Map()
  const wanted = wishing.map(({ candidate: { contactId, touchpointId, episodeId } }) => ({
    contactId,
    touchpointId,
    episodeId,
  }))
  return await reserveGrants(tx, place, claimId, now, wanted)
}

/** Puts the grants into the messages. */
function promise(
  deps: ReserveDependencies,
  { step, now, campaign }: Reservation,
  place: OfferPlace | undefined,
  decided: { answers: ReadonlyMap<number, Answer>; admitted: readonly Cleared[] },
  refused: Refused[],
): Allowed[] {
  const allowed: Allowed[] = []
  for (const cleared of decided.admitted) {
    const { touchpointId } = cleared.candidate
    const answer = decided.answers.get(touchpointId)
    if (!place || answer === undefined) allowed.push({ cleared, fresh: false })
    else if (answer === 'busy') {
      refused.push({ cleared, verdict: offerHeld(cleared, now, campaign.definition.limits.max_delay) })
    } else if ('refused' in answer) {
      const instead = without(cleared, step)
      if (instead) allowed.push({ cleared: instead, fresh: false })
      else refused.push({ cleared, verdict: unavailable(answer.refused) })
    } else {
      const { fresh, credit } = answer
      const asks = credit === 'asking' || (credit === null && fresh && place.credits)
      allowed.push({
        cleared: { ...cleared, grant: answer },
        fresh,
        ...(asks && deps.offerProvider
          ? { crediting: { place, grant: answer, instead: without(cleared, step) } }
          : {}),
      })
    }
  }
  return allowed
}

function unavailable(detail: string): Verdict {
  return { kind: 'skip', reason: 'offer_unavailable', detail }
}

/**
 * Has the provider credit what the budget has room for. Asked for before, it would be in the account and in no budget.
 * @returns the messages that may go
 */
async function creditPromised(
  { database, offerProvider: provider }: ReserveDependencies,
  reservation: Reservation,
  affordable: readonly Allowed[],
  refused: Refused[],
): Promise<Cleared[]> {
  const toSend: Cleared[] = []
  const byPlace = new Map<OfferPlace, { cleared: Cleared; grant: Grant }[]>()
  const substitutes = new Map<Cleared, Cleared | undefined>()
  for (const { cleared, crediting } of affordable) {
    if (!crediting) {
      toSend.push(cleared)
      continue
    }
    const { place, grant, instead } = crediting
    substitutes.set(cleared, instead)
    const group = byPlace.get(place) ?? []
    byPlace.set(place, group)
    group.push({ cleared, grant })
  }
  if (!provider) return toSend
  for (const [place, group] of byPlace) {
    const answered = await creditGrants({ database, provider }, reservation, place, group)
    toSend.push(...answered.credited.map(({ cleared }) => cleared))
    for (const { cleared, detail } of answered.refused) {
      const instead = substitutes.get(cleared)
      if (instead) toSend.push(instead)
      else refused.push({ cleared, verdict: unavailable(detail) })
    }
    refused.push(...answered.later)
  }
  return toSend
}

/** Spend and liability, last of all: a batch holds what it may cost at most, in one look at each budget. */
async function reserveMoney(
  deps: ReserveDependencies,
  { campaign, step, claimId, now, compose, pace }: Reservation,
  budgets: readonly Budget[],
  allowed: readonly Allowed[],
  refused: Refused[],
): Promise<readonly Allowed[]> {
  if (budgets.length === 0 || allowed.length === 0) return allowed
  const spends = budgets.some(({ kind }) => kind === 'spend')
  const claimed: Claimed[] = []
  // What a provider was asked for before is in the account, for all we know, and was counted until now: it comes first.
  const isAsked = ({ crediting }: Allowed) => crediting?.grant.credit === 'asking'
  const inOrder = [...allowed.filter(isAsked), ...allowed.filter((each) => !isAsked(each))]
  for (const { cleared, fresh, crediting } of inOrder) {
    const { contactId, touchpointId } = cleared.candidate
    // Which of two goes is known once the provider has answered: the dearer is held.
    const composed = spends
      ? [cleared, crediting?.instead].flatMap((each) => (each ? [compose(each)] : []))
      : []
    // What may be out is held for by the batch that tried it.
    const spend = cleared.candidate.doubted
      ? 0
      : Math.max(0, ...composed.map((each) => ('state' in each ? 0 : each.cost)))
    const { offer } = inVariant(step, cleared.candidate.variant)
    claimed.push({ contactId, touchpointId, spend, liability: fresh && offer ? expectedOf(offer.terms) : 0 })
    await pace()
  }
  const hold = () => provisionally(deps.database, (tx) => holdBudgets(tx, claimId, budgets, now, claimed))
  let short = await hold()
  if (!short) {
    await openBudgets(deps.database, budgets)
    short = (await hold()) ?? new Map()
  }
  const { max_delay: maxDelay } = campaign.definition.limits
  return allowed.filter(({ cleared }) => {
    const shortage = short.get(cleared.candidate.touchpointId)
    if (!shortage) return true
    refused.push({ cleared, verdict: outOfBudget(shortage, cleared, now, maxDelay) })
    return false
  })
}

/** Another step is granting the offer of the episode at this moment. */
export function offerHeld({ candidate }: Cleared, now: Date, maxDelay: number): Verdict {
  const latest = candidate.plannedFor.getTime() + maxDelay * 1000
  return deferOrSkip(new Date(now.getTime() + BUSY * 1000), latest, 'offer_held')
}

/** What others hold may come back at any moment; a day's budget is there again tomorrow; a campaign's is not. */
export function outOfBudget(
  { budget, held }: Shortage,
  { candidate }: Cleared,
  now: Date,
  maxDelay: number,
): Verdict {
  const skip: Verdict = { kind: 'skip', reason: 'budget_exhausted', detail: budget.kind }
  if (budget.per === null && !held) return skip
  const latest = candidate.plannedFor.getTime() + maxDelay * 1000
  const again = held ? new Date(now.getTime() + BUSY * 1000) : startOfNextDay(budget.zone, now)
  const verdict = deferOrSkip(again, latest, held ? 'budget_held' : 'budget_exhausted')
  return verdict.kind === 'skip' ? skip : verdict
}

/**
 * The budgets a step's messages ask.
 * @param credited a provider may have been asked to credit offers of the campaign: also by an earlier version of it, where this
 *   one credits none
 */
export function budgetsOf(
  { name, definition, timezone }: CompiledCampaign,
  step: CompiledStep,
  credited: boolean,
): Budget[] {
  const { spend, liability } = definition.limits.budget
  const common = { campaign: name, zone: timezone }
  return [
    ...(spend ? [{ ...common, kind: 'spend' as const, most: spend.amount.micros, per: spend.per }] : []),
    ...(liability && givesOffer(step)
      ? [{ ...common, kind: 'liability' as const, most: liability.micros, per: null, credited }]
      : []),
  ]
}

/**
 * Concludes what a batch had reserved, once each of its touchpoints is settled or put back.
 * @param doubts some of it may be out, and is tried again
 */
export async function release(
  database: Database,
  claimId: string,
  now: Date,
  reserved: Reserved,
  doubts: boolean,
): Promise<void> {
  if (!reserved.holds) return
  const contactIds = [...reserved.toSend, ...reserved.refused.map(({ cleared }) => cleared)]
    .filter(({ candidate }) => !candidate.seed)
    .map(({ candidate }) => candidate.contactId)
  await provisionally(database, async (tx) => {
    if (reserved.promised) await concludeGrants(tx, now, { claimId, contactIds })
    // After the last booking: in between, the hold stands for what is not booked yet.
    await releaseBudgets(tx, claimId, doubts)
  })
}

/** The step’s own template promises its offer whatever it prints; one that stands in only where it speaks of it. */
export function wantsOffer(step: CompiledStep, { instead }: Cleared): boolean {
  return step.offer !== undefined && (!instead || step.otherwise?.offered === true)
}

/** The message without its offer: the neutral template, where there is one that can be filled and promises nothing. */
export function without(each: Cleared, step: CompiledStep): Cleared | undefined {
  const template = standIn(each.candidate, step)
  if (!template || template.offered || each.instead) return undefined
  return { ...each, template: template.name, instead: true }
}

/** What previews, test mails and seeds are shown in place of a grant. */
export function dummyGrant(step: CompiledStep, now: Date): Promised | undefined {
  const terms = step.offer?.terms
  if (!terms) return undefined
  return {
    code: terms.deliver === 'code' ? DUMMY_CODE : null,
    expiresAt: new Date(now.getTime() + terms.valid * 1000),
  }
}
