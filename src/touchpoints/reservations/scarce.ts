import { sql } from 'drizzle-orm'
import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import { rows, type Session } from '../../database/connect.ts'
import { foreseeGrant } from '../../offers/grants.ts'
import { expectedOf } from '../../offers/offers.ts'
import type { Verdict } from '../guards/guards.ts'
import type { Cleared, Composed } from '../message.ts'
import { foreseeShortage } from './budgets.ts'
import { foreseeCaps } from './cap-places.ts'
import { type Calling, foreseeCallSlot } from './capacity.ts'
import { budgetsOf, outOfBudget } from './costs.ts'
import { offerHeld, offerOf, wantsOffer, without } from './promises.ts'

// What a reservation would come to at this moment, for one message, reserving nothing and locking nobody: for previews.
// In the order in which a worker asks. What is foreseen may be gone when the message is due.

/** The verdict of capacity, caps, offer and budgets; undefined where nothing speaks against the message. */
export interface ForeseenVerdict {
  readonly verdict: Verdict
  /** The offer is what is missing, and the step's neutral template would go without it. */
  readonly neutral: boolean
}

/** @param composed the message, for its price; undefined where it cannot be made */
export async function foreseeReservation(
  session: Session,
  place: Calling,
  cleared: Cleared,
  composed: Composed | undefined,
): Promise<ForeseenVerdict | undefined> {
  const { campaign, step, now } = place
  const { limits, priority, topic } = campaign.definition
  const maxDelay = limits.max_delay
  const standing = await standingOf(session, place, cleared.candidate.contactId)
  const candidate = { ...cleared.candidate, ...standing }
  const wish = { ...cleared, candidate }
  const full = await foreseeCallSlot(session, place, wish)
  if (full) return { verdict: full, neutral: false }
  const caps = limits.per_person
  const decision =
    caps.length === 0 ? undefined : await foreseeCaps(session, { caps, topic, priority, maxDelay, now }, wish)
  if (decision !== undefined && decision !== 'admit') return { verdict: decision.verdict, neutral: false }
  let liability = 0
  const offer = offerOf(campaign, step, false)
  if (offer && wantsOffer(step, wish)) {
    const answer = await foreseeGrant(session, offer, now, candidate)
    if (answer === 'busy') return { verdict: offerHeld(wish, now, maxDelay), neutral: false }
    if (answer !== 'fresh' && answer !== 'held') {
      const verdict = { kind: 'skip', reason: 'offer_unavailable', detail: answer.refused } as const
      return { verdict, neutral: without(wish, step) !== undefined }
    }
    liability = answer === 'fresh' ? expectedOf(offer.terms) : 0
  }
  const { contactId, touchpointId } = candidate
  const spend = composed && !('state' in composed) ? composed.cost : 0
  const claim = { contactId, touchpointId, spend, liability }
  const short = await foreseeShortage(session, budgetsOf(campaign, step, true), now, claim)
  return short && { verdict: outOfBudget(short, wish, now, maxDelay), neutral: false }
}

/** The touchpoint and the episode there are of it, so that it does not count against itself. */
async function standingOf(
  session: Session,
  { campaign, step, now }: { campaign: CompiledCampaign; step: CompiledStep; now: Date },
  contactId: number,
): Promise<{ touchpointId: number; episodeId: number; plannedFor: Date }> {
  const [found] = await rows<{ touchpointId: number | null; episodeId: number; plannedFor: Date | null }>(
    session,
    sql`
    SELECT e.episode_id AS "episodeId", t.touchpoint_id AS "touchpointId", t.planned_for AS "plannedFor"
    FROM episodes e LEFT JOIN LATERAL (
      SELECT t.touchpoint_id, t.planned_for FROM touchpoints t JOIN steps s USING (step_id)
      WHERE t.contact_id = e.contact_id AND t.episode_id = e.episode_id AND s.step = ${step.id} LIMIT 1) t ON true
    WHERE e.contact_id = ${contactId} AND e.campaign = ${campaign.name} AND e.ended_at IS NULL LIMIT 1`,
  )
  const planned = found?.plannedFor
  return {
    touchpointId: found?.touchpointId ?? 0,
    episodeId: found?.episodeId ?? 0,
    // Looked at as if it were due now: what was planned for later is not too late, and not ahead of others.
    plannedFor: planned && planned < now ? planned : now,
  }
}
