import { sql } from 'drizzle-orm'
import type { CompiledCampaign } from '../config/compiled.ts'
import { rows, type Session } from '../database/connect.ts'
import { answersSql } from './select.ts'

/** What a run at a moment would make of one contact: a selection's answer, or why it would not consider them at all. */
export interface Consideration {
  readonly campaign: string
  readonly answer: string | 'seed' | 'open' | 'undated' | 'too_recent' | 'beyond'
  readonly tier: string | null
  readonly segment: string | null
  readonly silentSince: Date | null
}

/**
 * Asks the selection about one contact: the very query a run uses, narrowed to one. Runs keep counts and not names, so
 * this is how a person who was left out learns why. The day's intake is left aside: it depends on everybody else.
 */
export async function considerContact(
  session: Session,
  campaign: CompiledCampaign,
  contactId: number,
  now: Date,
): Promise<Consideration> {
  const which = sql`a.contact_id = ${contactId} AND c.contact_id = ${contactId}`
  const [considered] = await rows<{ answer: string; tierNo: number; segment: string; silentSince: Date }>(
    session,
    sql`SELECT answer, tier_no AS "tierNo", segment, silent_since AS "silentSince"
      FROM (${answersSql({ campaign, now }, which)}) one`,
  )
  const name = campaign.name
  if (considered) {
    const tier = campaign.tiers.find(({ no }) => no === considered.tierNo)?.name ?? null
    return { campaign: name, tier, ...considered }
  }
  const [state] = await rows<{ silentSince: Date | null; open: boolean; seed: boolean }>(
    session,
    sql`SELECT a.silent_since AS "silentSince", c.external_id = ANY (${sql.param(campaign.definition.seeds)}::text[]) AS seed,
      EXISTS (SELECT FROM episodes e WHERE e.contact_id = a.contact_id AND e.campaign = ${name}
        AND e.ended_at IS NULL) AS open
      FROM contact_activity a JOIN contacts c USING (contact_id) WHERE a.contact_id = ${contactId}`,
  )
  const silentSince = state?.silentSince ?? null
  const first = campaign.tiers[0]?.from ?? 0
  const recent = silentSince !== null && now.getTime() - silentSince.getTime() < first * 1000
  const answer = state?.seed
    ? 'seed'
    : state?.open
      ? 'open'
      : silentSince === null
        ? 'undated'
        : recent
          ? 'too_recent'
          : 'beyond'
  return { campaign: name, answer, tier: null, segment: null, silentSince }
}
