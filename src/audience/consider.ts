import { sql } from 'drizzle-orm'
import type { CompiledCampaign } from '../config/compiled.ts'
import { rows, type Session } from '../database/connect.ts'
import { entryOf } from './entries/entries.ts'
import { ANY_MOMENT, type Which } from './entries/entry.ts'
import { type Answer, answersSql, episodeForSql } from './select.ts'

/** What a run at a moment would make of one contact: a selection's answer, or why it would not consider them at all. */
export interface Consideration {
  readonly campaign: string
  readonly answer: Answer | Unconsidered
  readonly tier: string | null
  readonly segment: string | null
  /** What the campaign's tiers count from: the last activity, the date, or the event. */
  readonly since: Date | null
}

/**
 * Asks the selection about one contact: the very query a run uses, narrowed to one person. Runs keep counts and not names, so
 * this is how a person who was left out learns why. The day's intake is left aside: it depends on everybody else.
 */
export async function considerContact(
  session: Session,
  campaign: CompiledCampaign,
  contactId: number,
  now: Date,
): Promise<Consideration> {
  const which: Which = (column) => sql`${column} = ${contactId}`
  const person: Which = (column) => sql`${column} = ANY (ARRAY(SELECT same.contact_id FROM contacts one
    JOIN contacts same USING (person_id) WHERE one.contact_id = ${contactId}))`
  const [considered] = await rows<{ answer: Answer; tierNo: number; segment: string; since: Date }>(
    session,
    sql`SELECT answer, tier_no AS "tierNo", segment, since
      FROM (${answersSql({ campaign, now }, person)}) answered WHERE contact_id = ${contactId}`,
  )
  const name = campaign.name
  if (considered) {
    const tier = campaign.tiers.find(({ no }) => no === considered.tierNo)?.name ?? null
    return { campaign: name, tier, ...considered }
  }
  const entry = entryOf(campaign)
  const [state] = await rows<State>(
    session,
    sql`SELECT ${entry.since} AS since,
      c.external_id = ANY (${sql.param(campaign.definition.seeds)}::text[]) AS seed,
      EXISTS (SELECT FROM episodes e WHERE e.contact_id = a.contact_id AND e.campaign = ${name}
        AND e.arm <> 'seed' AND e.ended_at IS NULL AND e.outcome_until > ${now}::timestamptz) AS open,
      ${episodeForSql(campaign, entry.since)} AS entered
      FROM contact_activity a JOIN contacts c ON c.contact_id = a.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = a.contact_id
      ${entry.join(ANY_MOMENT, now, which)} WHERE ${which(sql`a.contact_id`)}`,
  )
  return {
    campaign: name,
    answer: unconsidered(campaign, state, now),
    tier: null,
    segment: null,
    since: state?.since ?? null,
  }
}

/** Somebody whom no band takes in. */
interface State {
  readonly since: Date | null
  readonly open: boolean
  readonly entered: boolean
  readonly seed: boolean
}

/** Why somebody is in no band: no moment at all, not yet in the next, or too late for the last. */
const OUTSIDE = {
  silence: ['undated', 'too_recent', 'beyond'],
  date: ['no_date', 'not_yet', 'missed'],
  event: ['no_event', 'not_yet', 'missed'],
} as const

/** Why a run would not consider somebody at all. */
type Unconsidered = 'seed' | 'open' | 'entered' | (typeof OUTSIDE)[keyof typeof OUTSIDE][number]

function unconsidered(campaign: CompiledCampaign, state: State | undefined, now: Date): Unconsidered {
  // Who was taken in before being made a seed is in it to the end, and counted.
  if (state?.open) return 'open'
  if (state?.seed) return 'seed'
  const [none, soon, late] = OUTSIDE[campaign.entry.kind]
  if (!state?.since) return none
  const elapsed = (now.getTime() - state.since.getTime()) / 1000
  const first = campaign.tiers[0]?.from ?? 0
  if (elapsed >= first && entryOf(campaign).once && state.entered) return 'entered'
  return campaign.tiers.some(({ from }) => elapsed < from) ? soon : late
}
