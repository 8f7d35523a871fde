import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { entryOf } from './entries/entries.ts'
import { ANY_MOMENT, everybody } from './entries/entry.ts'
import { drawSql } from './holdout.ts'
import { intakeBound } from './intake.ts'
import { foreseeStep, type Reachable, readKnown, type StepOutlook } from './outlook.ts'
import { answersSql, episodeForSql, momentsOf, tierSql, withinSql } from './select.ts'

// What a run would do now, without doing it: the same selection, counted.

/** Contacts of one tier and segment with one answer. */
export interface AudienceCell {
  readonly tier: string
  readonly segment: string
  readonly answer: string
  readonly contacts: number
}

/** Contacts no band holds, and why; each for one reason. */
export interface OutsideBands {
  readonly total: number
  /** Silent for less than the first band; or their date or event is not far enough yet, for the first or for the next. */
  readonly recent: number
  /** Silent for longer than the last band; or their date or event is too long ago. */
  readonly beyond: number
  /** Neither activity nor a sign-up date; or no such date, no such event. */
  readonly undated: number
  /** In a band by the sign-up date alone: they have no activity at all. */
  readonly bySignUp: number
  /** Already in an open episode of this campaign. */
  readonly open: number
  /** In a band by a date or an event that has had its episode: of plans that were kept before it was counted, absent. */
  readonly had?: number
}

/** How many of a tier's band are lost, and how many only quiet: by the fact `churn_reason`. */
export interface ChurnCell {
  readonly tier: string
  readonly reason: string
  readonly contacts: number
}

/** What a run at a moment would find and do. */
export interface AudiencePlan {
  readonly cells: readonly AudienceCell[]
  readonly churn: readonly ChurnCell[]
  readonly outside: OutsideBands
  readonly steps: readonly StepOutlook[]
  /** Contacts that would be opened, up to three a tier, those with an address first: for samples. */
  readonly samples: readonly { readonly tierNo: number; readonly contactId: number }[]
  /** Persons a day, of the eligible, that reach the first band: the flow once the first run is over. */
  readonly inflowPerDay: number
  /** Persons the campaign may ever take in: whom the audience and the rollout allow, silent for too long or sunset aside. */
  readonly eligible: number
}

/**
 * Counts what a run would do at a moment. Reads only; the answers are kept in a temporary table, so that a long
 * condition is evaluated once and not once a step.
 */
export async function planAudience(
  database: Database,
  campaign: CompiledCampaign,
  now: Date,
  reach: Reachable,
  onProgress: (done: number, total: number, what: string) => void = () => {},
): Promise<AudiencePlan> {
  const ladder = campaign.tiers.flatMap((tier) => tier.steps)
  // The audience, each step, and what flows in.
  const total = ladder.length + 2
  onProgress(0, total, '')
  const intake = await intakeBound(database, { campaign, now })
  return await transaction(database, async (tx) => {
    await execute(
      tx,
      sql`CREATE TEMP TABLE plan_answers ON COMMIT DROP AS ${answersSql({ campaign, now, intake }, everybody)}`,
    )
    // For countEligible: conditions are taken for all but always false, and few answers would be looked through for each contact.
    await execute(tx, sql`CREATE INDEX ON plan_answers (contact_id) WHERE answer = 'sunset'`)
    await execute(tx, sql`ANALYZE plan_answers`)
    const cells = await rows<{ tierNo: number } & Omit<AudienceCell, 'tier'>>(
      tx,
      sql`SELECT tier_no AS "tierNo", segment, answer, count(*) AS contacts FROM plan_answers
        GROUP BY tier_no, segment, answer ORDER BY tier_no, segment, answer`,
    )
    const churn = await countChurn(tx, campaign, now)
    const known = await readKnown(tx)
    const steps: StepOutlook[] = []
    for (const [index, step] of ladder.entries()) {
      onProgress(1 + index, total, step.id)
      steps.push(await foreseeStep(tx, campaign, step, now, { ...reach, ...known }))
    }
    onProgress(total - 1, total, '')
    const samples = await rows<{ tierNo: number; contactId: number }>(
      tx,
      sql`SELECT tier_no AS "tierNo", contact_id AS "contactId" FROM (
          SELECT tier_no, contact_id, row_number() OVER (PARTITION BY tier_no
            ORDER BY (c.email IS NOT NULL OR c.phone IS NOT NULL) DESC, since DESC, contact_id) AS n
          FROM plan_answers JOIN contacts c USING (contact_id) WHERE answer = 'opened') ranked
        WHERE n <= 3 ORDER BY tier_no, n`,
    )
    return {
      cells: byName(campaign, cells),
      churn,
      outside: await countOutside(tx, campaign, now),
      steps,
      samples,
      ...(await countEligible(tx, campaign, now)),
    }
  })
}

/** Of everybody considered, whatever the answer: the band as it is. */
async function countChurn(tx: Transaction, campaign: CompiledCampaign, now: Date): Promise<ChurnCell[]> {
  const { churnReason, entry } = campaign
  if (!churnReason || entry.kind !== 'silence') return []
  const counted = await rows<{ tierNo: number } & Omit<ChurnCell, 'tier'>>(
    tx,
    sql`SELECT p.tier_no AS "tierNo", reason, count(*) AS contacts
      FROM plan_answers p
      JOIN contacts c ON c.contact_id = p.contact_id
      JOIN contact_activity a ON a.contact_id = p.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = p.contact_id
      CROSS JOIN LATERAL (SELECT coalesce(${churnReason(now)}, 'silent') AS reason) churn
      GROUP BY p.tier_no, reason ORDER BY p.tier_no, count(*) DESC, reason`,
  )
  return byName(campaign, counted)
}

/** Cells with their tier's name in place of its number. */
function byName<Cell extends { readonly tierNo: number }>(
  { tiers }: CompiledCampaign,
  cells: readonly Cell[],
): (Omit<Cell, 'tierNo'> & { readonly tier: string })[] {
  const names = new Map(tiers.map(({ no, name }) => [no, name]))
  return cells.map(({ tierNo, ...cell }) => ({ tier: names.get(tierNo) ?? '', ...cell }))
}

async function countOutside(tx: Transaction, campaign: CompiledCampaign, now: Date): Promise<OutsideBands> {
  const { since, join, once } = entryOf(campaign)
  const { after, upTo } = momentsOf(campaign, now)
  const between = once
    ? sql`${withinSql(since, { after, upTo })} AND ${tierSql(campaign, now, since)} IS NULL AND NOT ${episodeForSql(campaign, since)}`
    : sql`false`
  const beyond = after === null ? sql`false` : sql`${since} <= ${after}::timestamptz`
  const had = once
    ? sql`${withinSql(since, { after, upTo })} AND ${episodeForSql(campaign, since)}`
    : sql`false`
  const bySignUp =
    campaign.entry.kind === 'silence'
      ? sql`a.last_active_at IS NULL AND ${tierSql(campaign, now, since)} IS NOT NULL`
      : sql`false`
  // Who is made a seed while an episode is open stays in it, and is counted as little as the others.
  const seeds = sql`SELECT contact_id FROM contacts WHERE external_id = ANY (${sql.param(campaign.definition.seeds)}::text[])`
  const [counts] = await rows<OutsideBands>(
    tx,
    sql`
    SELECT count(*) AS total,
      count(*) FILTER (WHERE e.contact_id IS NULL AND (${since} > ${upTo}::timestamptz OR (${between}))) AS recent,
      count(*) FILTER (WHERE e.contact_id IS NULL AND ${beyond}) AS beyond,
      count(*) FILTER (WHERE e.contact_id IS NULL AND ${since} IS NULL) AS undated,
      count(*) FILTER (WHERE e.contact_id IS NULL AND ${bySignUp}) AS "bySignUp",
      count(*) FILTER (WHERE e.contact_id IS NULL AND ${had}) AS had,
      count(e.contact_id) AS open
    FROM contact_activity a JOIN contacts c ON c.contact_id = a.contact_id
    LEFT JOIN contact_signals s ON s.contact_id = a.contact_id
    ${join(ANY_MOMENT, now, everybody)}
    LEFT JOIN (SELECT contact_id FROM episodes WHERE campaign = ${campaign.name} AND ended_at IS NULL
        AND outcome_until > ${now}::timestamptz AND arm <> 'seed') e
      ON e.contact_id = c.contact_id
    WHERE c.contact_id NOT IN (${seeds})`,
  )
  return counts ?? { total: 0, recent: 0, beyond: 0, undated: 0, bySignUp: 0, open: 0, had: 0 }
}

/**
 * Persons the campaign may take in, now or when they lapse, and how many of them a day crossed into the first band
 * within the last seven. Persons and not contacts: one is taken in at a time.
 */
async function countEligible(
  tx: Transaction,
  campaign: CompiledCampaign,
  now: Date,
): Promise<{ eligible: number; inflowPerDay: number }> {
  const { definition } = campaign
  const from = campaign.tiers[0]?.from ?? 0
  const longest = Math.min(
    campaign.tiers.at(-1)?.to ?? Number.POSITIVE_INFINITY,
    definition.intake.max_silence ?? Number.POSITIVE_INFINITY,
  )
  const { since, join } = entryOf(campaign)
  const eligible = withinSql(since, {
    after: Number.isFinite(longest) ? earlier(now, longest) : null,
    upTo: null,
  })
  const rollout =
    definition.rollout >= 1
      ? sql`true`
      : sql`${drawSql(campaign.salt, 'rollout', sql`c.person_id`)} < ${definition.rollout}::numeric`
  const [counts] = await rows<{ eligible: number; week: number }>(
    tx,
    sql`
    SELECT count(DISTINCT c.person_id) AS eligible,
      count(DISTINCT c.person_id) FILTER (WHERE ${withinSql(since, { after: earlier(now, from + 7 * 86_400), upTo: earlier(now, from) })}) AS week
    FROM contact_activity a JOIN contacts c ON c.contact_id = a.contact_id
    LEFT JOIN contact_signals s ON s.contact_id = a.contact_id
    ${join(ANY_MOMENT, now, everybody)}
    CROSS JOIN LATERAL (SELECT ${campaign.audience ? campaign.audience.sql(now) : sql`true`} AS audience) v
    WHERE ${eligible} AND v.audience IS TRUE AND ${rollout}
      AND NOT (c.external_id = ANY (${sql.param(definition.seeds)}::text[]))
      AND NOT EXISTS (SELECT FROM plan_answers p WHERE p.contact_id = c.contact_id AND p.answer = 'sunset')`,
  )
  return { eligible: counts?.eligible ?? 0, inflowPerDay: (counts?.week ?? 0) / 7 }
}

/**
 * The real share that is held out over all draws of a contact entering at each tier: control, then the campaign's
 * holdout, then each tier's own draw among the still treated. Pure.
 */
export function heldOutShares(
  campaign: CompiledCampaign,
): { tier: string; episode: number; withTierDraws: number }[] {
  const treated = (1 - campaign.control) * (1 - campaign.definition.holdout)
  return campaign.tiers.map((tier) => ({
    tier: tier.name,
    episode: 1 - treated,
    withTierDraws: 1 - treated * (1 - tier.holdout),
  }))
}
