import { type SQL, sql } from 'drizzle-orm'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { boundsOf } from '../config/variants.ts'
import { draw, drawSql } from './holdout.ts'

// Entering a tier, as SQL shared by opening and advancing: the stage with the tier's own draw, and its touchpoints.

/** The campaign's tiers as a table `tiers(tier_no, tier, holdout)`. */
export function tierTable(campaign: CompiledCampaign): SQL {
  const values = campaign.tiers.map(
    (tier) => sql`(${tier.no}::smallint, ${tier.name}::text, ${tier.holdout}::numeric)`,
  )
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS tiers(tier_no, tier, holdout)`
}

/** The campaign's steps as a table `plan(tier_no, step_id, after)`, `after` in seconds from entering the tier. */
function stepTable(campaign: CompiledCampaign): SQL {
  const values = campaign.tiers.flatMap((tier) =>
    tier.steps.map((step) => sql`(${tier.no}::smallint, ${step.stepId}::int, ${step.after}::int)`),
  )
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS plan(tier_no, step_id, after)`
}

/**
 * The tier's own draw among the still treated, by its own salt: the only way to measure that tier.
 * @param treated an SQL condition: the episode is treated and no earlier tier held it out
 */
export function stageArmSql(
  campaign: CompiledCampaign,
  keys: { treated: SQL; person: SQL; episodeNo: SQL },
): SQL {
  const draws = campaign.tiers
    .filter((tier) => tier.holdout > 0)
    .map(
      (
        tier,
      ) => sql`WHEN ${tier.no} THEN ${drawSql(campaign.salt, `tier:${tier.name}`, keys.person, keys.episodeNo)}
        < ${tier.holdout}::numeric`,
    )
  if (draws.length === 0) return sql`CASE WHEN ${keys.treated} THEN 'treated' ELSE 'holdout' END`
  return sql`CASE WHEN NOT (${keys.treated}) THEN 'holdout'
    WHEN CASE tier_no ${sql.join(draws, sql` `)} ELSE false END THEN 'holdout' ELSE 'treated' END`
}

/**
 * Which variant of its step a touchpoint is, NULL where the step has none: drawn as arms are, for a person's episode,
 * and by a salt of the step's own, so that neither the arm nor another step's draw says anything about it.
 * @param stepId an SQL expression, as are the keys
 */
export function variantSql(
  campaign: CompiledCampaign,
  keys: { stepId: SQL; person: SQL; episodeNo: SQL },
): SQL {
  const draws = campaign.tiers.flatMap((tier) =>
    tier.steps.flatMap(({ stepId, id, variants = [] }) => {
      if (variants.length === 0) return []
      const names = sql`${sql.param(variants.map(({ name }) => name))}::text[]`
      const bounds = sql`${sql.param(boundsOf(variants.map(({ share }) => share)))}::numeric[]`
      const drawn = drawSql(campaign.salt, `variant:${id}`, keys.person, keys.episodeNo)
      return [sql`WHEN ${stepId}::int THEN (${names})[width_bucket(${drawn}, ${bounds}) + 1]`]
    }),
  )
  return draws.length === 0 ? sql`NULL::text` : sql`CASE ${keys.stepId} ${sql.join(draws, sql` `)} END`
}

/** {@link variantSql} for one person's episode in JavaScript: what a preview says they would get. */
export function drawVariant(
  salt: string,
  { id, variants = [] }: Pick<CompiledStep, 'id' | 'variants'>,
  personId: number,
  episodeNo: number,
): string | undefined {
  const drawn = draw(salt, `variant:${id}`, personId, episodeNo)
  const bounds = boundsOf(variants.map(({ share }) => share))
  return variants[bounds.filter((bound) => bound <= drawn).length]?.name
}

/**
 * `entered` and `planned`, two CTEs that write the stages of a CTE `staged(contact_id, episode_id, person_id,
 * episode_no, tier_no, arm, drawn)` and, for the treated, one touchpoint a step, its variant drawn. A touchpoint's time
 * counts from entering the tier.
 */
export function enterStages(campaign: CompiledCampaign, now: Date): SQL {
  return sql`entered AS (
      INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
      SELECT contact_id, episode_id, tier_no, ${now}::timestamptz, arm, drawn FROM staged
    ), planned AS (
      INSERT INTO touchpoints (contact_id, episode_id, step_id, variant, planned_for, due_at)
      SELECT contact_id, episode_id, step_id,
        ${variantSql(campaign, { stepId: sql`step_id`, person: sql`person_id`, episodeNo: sql`episode_no` })}, at, at
      FROM staged JOIN ${stepTable(campaign)} USING (tier_no)
      CROSS JOIN LATERAL (SELECT ${now}::timestamptz + make_interval(secs => plan.after) AS at) due
      WHERE staged.arm = 'treated'
    )`
}
