import { type SQL, sql } from 'drizzle-orm'
import type { CompiledCampaign } from '../config/compiled.ts'
import { drawSql } from './holdout.ts'

// Entering a tier, as SQL shared by opening and advancing: the stage with the tier's own draw, and its touchpoints.

/** The campaign's tiers as a table `tiers(tier_no, tier, holdout)`. */
export function tierTable(campaign: CompiledCampaign): SQL {
  const values = campaign.tiers.map(
    (tier) => sql`(${tier.no}::smallint, ${tier.name}::text, ${tier.holdout}::numeric)`,
  )
  return sql`(VALUES ${sql.join(values, sql`, `)}) AS tiers(tier_no, tier, holdout)`
}

/** The campaign's steps as a table `steps(tier_no, step_id, after)`, `after` in seconds from entering the tier. */
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
 * `entered` and `planned`, two CTEs that write the stages of a CTE `staged(contact_id, episode_id, tier_no, arm,
 * drawn)` and, for the treated, one touchpoint a step. A touchpoint's time counts from entering the tier.
 */
export function enterStages(campaign: CompiledCampaign, now: Date): SQL {
  return sql`entered AS (
      INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
      SELECT contact_id, episode_id, tier_no, ${now}::timestamptz, arm, drawn FROM staged
    ), planned AS (
      INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
      SELECT contact_id, episode_id, step_id, at, at
      FROM staged JOIN ${stepTable(campaign)} USING (tier_no)
      CROSS JOIN LATERAL (SELECT ${now}::timestamptz + make_interval(secs => plan.after) AS at) due
      WHERE staged.arm = 'treated'
    )`
}
