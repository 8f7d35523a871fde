import { later } from '../../clock.ts'
import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import { provisionally, type Transaction } from '../../database/connect.ts'
import { lockPersons } from '../../database/person-locks.ts'
import { DUMMY_CODE } from '../../offers/codes.ts'
import { type GrantAnswer, reserveGrants, type StepOffer } from '../../offers/grants.ts'
import { deferOrSkip, latestOf, standIn, type Verdict } from '../guards/guards.ts'
import type { Cleared } from '../message.ts'
import type { Promised } from '../view.ts'
import { reserveCaps } from './cap-places.ts'
import type { CapDecision } from './caps.ts'
import {
  type Allowed,
  BUSY,
  type Parted,
  type Refused,
  type Reservation,
  type ReserveDependencies,
} from './reservation.ts'

// What depends on the person and is decided under the lock on them: a place under their caps, and what the message promises.

/** Whether a campaign’s messages are counted: by person, or by episode. */
export function isCounted({ definition, effort }: CompiledCampaign): boolean {
  return definition.limits.per_person.length > 0 || effort !== undefined
}

/**
 * Reserves places and offers for those of a batch who are to get one offer, or none.
 * @returns allowed is what may go, as far as the persons are concerned
 */
export async function reservePersons(
  deps: ReserveDependencies,
  reservation: Reservation,
  real: readonly Cleared[],
): Promise<Parted<Allowed>> {
  const { campaign, step } = reservation
  const counted = isCounted(campaign)
  if (!counted && !step.offer)
    return { allowed: real.map((cleared) => ({ cleared, fresh: false })), refused: [] }
  const place = offerOf(campaign, step, deps.offerProvider !== undefined)
  const decided = await provisionally(deps.database, async (tx) => {
    await lockPersons(
      tx,
      real.map(({ candidate }) => candidate.contactId),
    )
    const caps = counted ? await capDecisions(tx, reservation, real) : undefined
    const admitted = caps ? real.filter((each) => caps.get(each.candidate.touchpointId) === 'admit') : real
    const answers = place
      ? await offerAnswers(tx, reservation, place, admitted)
      : new Map<number, GrantAnswer>()
    return { caps, answers, admitted }
  })
  const capped = real.flatMap((cleared): Refused[] => {
    const decision = decided.caps?.get(cleared.candidate.touchpointId)
    return decision === undefined || decision === 'admit' ? [] : [{ cleared, verdict: decision.verdict }]
  })
  const { allowed, refused } = promise(deps, reservation, place, decided)
  return { allowed, refused: [...capped, ...refused] }
}

/**
 * The offer of a step, as its messages promise it: on the terms of the step's version, of the stock that the campaign says.
 * @param credited there is a provider that credits what is delivered to accounts
 */
export function offerOf(
  { name: campaign, definition }: CompiledCampaign,
  { offer, stepId }: CompiledStep,
  credited: boolean,
): StepOffer | undefined {
  if (!offer) return undefined
  const { name, terms } = offer
  const { stock } = definition.offers[name] ?? terms
  return { campaign, name, terms, stock, stepId, credits: terms.deliver === 'account' && credited }
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
  place: StepOffer,
  admitted: readonly Cleared[],
): Promise<Map<number, GrantAnswer>> {
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
  place: StepOffer | undefined,
  decided: { answers: ReadonlyMap<number, GrantAnswer>; admitted: readonly Cleared[] },
): Parted<Allowed> {
  const allowed: Allowed[] = []
  const refused: Refused[] = []
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
  return { allowed, refused }
}

/** There is no offer, and the message cannot go without. */
export function unavailable(detail: string): Verdict {
  return { kind: 'skip', reason: 'offer_unavailable', detail }
}

/** Another step is granting the offer of the episode at this moment. */
export function offerHeld({ candidate }: Cleared, now: Date, maxDelay: number): Verdict {
  return deferOrSkip(later(now, BUSY), latestOf(candidate, maxDelay), 'offer_held')
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
    expiresAt: later(now, terms.valid),
  }
}
