import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { type Database, transaction } from '../database/connect.ts'
import { DUMMY_CODE } from '../offers/codes.ts'
import { concludeGrants, type Grant, reserveGrants } from '../offers/grants.ts'
import type { OfferProvider } from '../offers/provider.ts'
import type { Cleared } from './batch.ts'
import { creditGrants } from './credit.ts'
import { deferOrSkip, standIn, type Verdict } from './guards.ts'
import { lockPersons } from './lifecycle.ts'

// What the guards let through asks for what is scarce: an offer. All of a batch in one transaction, in
// the lock order of the docs (contact, touchpoint, offer), all or nothing for each touchpoint.

/** What a message may say of its grant. */
export type Promised = Pick<Grant, 'code' | 'expiresAt'>

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
}

/** What may be sent, with what was reserved for it; and the verdict on what may not. */
export interface Reserved {
  readonly toSend: readonly Cleared[]
  readonly refused: readonly { readonly cleared: Cleared; readonly verdict: Verdict }[]
}

/** Seconds after which a step looks again at an offer that another step is granting at this moment. */
const BUSY = 60

/** Reserves for a batch. What is refused holds nothing when this returns; the rest is held until {@link release}. */
export async function reserve(deps: ReserveDependencies, reservation: Reservation): Promise<Reserved> {
  const { step, now, campaign, claimId, cleared } = reservation
  const seeds = cleared.filter(({ candidate }) => candidate.seed)
  const real = cleared.filter(({ candidate }) => !candidate.seed)
  const wishing = real.filter((each) => wantsOffer(step, each))
  const offer = step.offer
  if (!offer || wishing.length === 0) {
    return { toSend: cleared.map((each) => promiseDummy(step, now, each)), refused: [] }
  }
  const place = {
    campaign: campaign.name,
    name: offer.name,
    terms: offer.terms,
    stepId: step.stepId,
    credits: offer.terms.deliver === 'account' && deps.offerProvider !== undefined,
  }
  const answers = await transaction(deps.database, async (tx) => {
    await lockPersons(
      tx,
      wishing.map(({ candidate }) => candidate.contactId),
    )
    const wanted = wishing.map(({ candidate: { contactId, touchpointId, episodeId } }) => ({
      contactId,
      touchpointId,
      episodeId,
    }))
    return await reserveGrants(tx, place, claimId, now, wanted)
  })
  const toSend = seeds.map((each) => promiseDummy(step, now, each))
  const refused: Reserved['refused'][number][] = []
  const refuse = (each: Cleared, detail: string) => {
    const instead = without(each, step)
    if (instead) toSend.push(instead)
    else refused.push({ cleared: each, verdict: { kind: 'skip', reason: 'offer_unavailable', detail } })
  }
  const granted: { cleared: Cleared; grant: Grant }[] = []
  const wished = new Set(wishing)
  for (const each of real) {
    const answer = wished.has(each) ? answers.get(each.candidate.touchpointId) : undefined
    if (answer === undefined) toSend.push(each)
    else if (answer === 'busy') {
      const latest = each.candidate.plannedFor.getTime() + campaign.definition.limits.max_delay * 1000
      const until = new Date(now.getTime() + BUSY * 1000)
      refused.push({ cleared: each, verdict: deferOrSkip(until, latest, 'offer_unavailable') })
    } else if ('refused' in answer) refuse(each, answer.refused)
    else granted.push({ cleared: each, grant: answer })
  }
  const credited = await creditGrants(deps, reservation, place, granted)
  for (const { cleared: each, grant } of credited.credited) toSend.push({ ...each, grant })
  for (const { cleared: each, detail } of credited.refused) refuse(each, detail)
  for (const { cleared: each, verdict } of credited.later) refused.push({ cleared: each, verdict })
  return { toSend, refused }
}

/** Concludes what a batch had reserved, once each of its touchpoints is settled or put back. */
export async function release(database: Database, claimId: string, now: Date, sent: Reserved): Promise<void> {
  const contactIds = [...sent.toSend, ...sent.refused.map(({ cleared }) => cleared)]
    .filter(({ candidate }) => !candidate.seed)
    .map(({ candidate }) => candidate.contactId)
  if (contactIds.length === 0) return
  await transaction(database, (tx) => concludeGrants(tx, now, { claimId, contactIds }))
}

/** The step’s own template promises its offer whatever it prints; one that stands in only where it speaks of it. */
function wantsOffer(step: CompiledStep, { instead }: Cleared): boolean {
  return step.offer !== undefined && (!instead || step.otherwise?.offered === true)
}

/** The message without its offer: the neutral template, where there is one that can be filled and promises nothing. */
function without(each: Cleared, step: CompiledStep): Cleared | undefined {
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

function promiseDummy(step: CompiledStep, now: Date, each: Cleared): Cleared {
  const grant = each.candidate.seed ? dummyGrant(step, now) : undefined
  return grant ? { ...each, grant } : each
}
