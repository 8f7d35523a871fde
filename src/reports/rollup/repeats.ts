import { type SQL, sql } from 'drizzle-orm'
import { type Goals, goalOf } from '../goals.ts'
import { type Earned, marginWithin } from '../margins.ts'
import { type CohortDay, literal } from './cohort-day.ts'
import { bookedSince } from './draws.ts'

// Of one cohort day, products with the earlier lapses of the same persons. What one person does in several lapses hangs
// together, so the person is what is independent: the variance of a figure needs Σ(Σy)² over persons, which is no sum over
// days. Every lapse's product with the earlier ones is, kept with the day of the later; those are over when it opens.

/** As in `report_repeats`: 1, recall, cost, cost without labour, margin. Cost with and without labour are never in one figure. */
export type Letter = 'n' | 'y' | 'c' | 'u' | 'm'
const LETTERS: readonly Letter[] = ['n', 'y', 'c', 'u', 'm']

export type ProductName = Exclude<`${Letter}${Letter}`, 'cu' | 'uc'>

/** Columns of products, the first letter of the later lapse, the second of the earlier. */
export const PRODUCTS: readonly ProductName[] = LETTERS.flatMap((later) =>
  LETTERS.map((earlier) => `${later}${earlier}` as const).filter(
    (name): name is ProductName => name !== 'cu' && name !== 'uc',
  ),
)

/** Of the cohort, those of whom there may be an earlier lapse. */
export const AGAIN = sql`SELECT * FROM cohort WHERE episode_no > 1 AND arm IN ('treated', 'holdout')`

/** After the sums of people and stages, whose cohorts' ends it takes. */
export function countRepeats(cohort: CohortDay, goals: Goals, earned: Earned): SQL {
  const { campaign, day } = cohort
  return sql`
    INSERT INTO report_repeats
    SELECT ${literal(campaign)}, ${literal(day)}::date, p.earlier, p.unit, p.tier, p.arm, p.earlier_arm, max(p.final_at),
      count(*) FILTER (WHERE p.place = 1), ${sql.join(
        PRODUCTS.map(([later, earlier]) => sql.raw(`sum(p.${later}1::numeric * p.${earlier}0)`)),
        sql`, `,
      )}, p.step_id, p.earlier_step_id
    FROM (${pairsOf('episode', cohort, goals, earned)} UNION ALL ${pairsOf('stage', cohort, goals, earned)}
      UNION ALL ${pairsOf('variant', cohort, goals, earned)}) p
    GROUP BY p.earlier, p.unit, p.tier, p.step_id, p.earlier_step_id, p.arm, p.earlier_arm`
}

/** A variant is drawn on entering a tier, by each step that has any: its window and its cost are the stage's. */
type Unit = 'episode' | 'stage' | 'variant'

/** Each lapse of the day with each earlier one of its person: their figures, the later's with 1 and the earlier's with 0. */
function pairsOf(unit: Unit, { campaign, day }: CohortDay, goals: Goals, earned: Earned): SQL {
  const figures = (of: string, as: string) =>
    sql.raw(
      LETTERS.map((letter) => `${letter === 'n' ? '1' : `${of}.${letter}`} AS ${letter}${as}`).join(', '),
    )
  const alike = { episode: sql``, stage: sql` AND k.tier = l.tier`, variant: sql` AND k.step = l.step` }[unit]
  // Without variants, nobody's messages are looked up for them.
  const lapsed =
    unit === 'variant'
      ? sql` AND (contact_id, episode_id) IN (SELECT contact_id, episode_id FROM cohort_messages WHERE variant IS NOT NULL)`
      : sql``
  const end = {
    stage: sql`report_stages r WHERE r.campaign = ${literal(campaign)} AND r.day = ${literal(day)}::date
          AND r.tier = l.tier`,
    // Variants of a step and day become final together, and the earlier may have had the longer window.
    variant: sql`report_variants r WHERE r.campaign = ${literal(campaign)} AND (r.day, r.step_id) IN (
          (${literal(day)}::date, l.step_id), ((f.assigned_at AT TIME ZONE 'UTC')::date, k.step_id))`,
    episode: sql`report_people r WHERE r.campaign = ${literal(campaign)} AND r.day = ${literal(day)}::date`,
  }[unit]
  return sql`
      SELECT (f.assigned_at AT TIME ZONE 'UTC')::date AS earlier, ${literal(unit)} AS unit,
        CASE WHEN k.tier = l.tier THEN l.tier ELSE '' END AS tier, l.step_id,
        k.step_id AS earlier_step_id, l.arm, k.arm AS earlier_arm, (SELECT max(r.final_at) FROM ${end}) AS final_at,
        row_number() OVER (PARTITION BY l.contact_id, l.episode_id, l.tier, l.step_id, k.arm
          ORDER BY f.assigned_at DESC, f.contact_id, f.episode_id) AS place,
        ${figures('lv', '1')}, ${figures('kv', '0')}
      FROM (${AGAIN}${lapsed} OFFSET 0) c
      CROSS JOIN LATERAL (
        SELECT * FROM episodes e WHERE e.contact_id = c.contact_id AND e.episode_id = c.episode_id OFFSET 0
      ) e
      CROSS JOIN LATERAL ${unitsOf(unit, campaign, 'e')} l
      CROSS JOIN LATERAL ${valuesOf(unit, goals, earned, 'l')} lv
      -- The person is who it was when either was drawn. By key alone: without statistics the planner would rather read all
      -- that the campaign ever opened.
      CROSS JOIN LATERAL (
        SELECT * FROM episodes f WHERE f.contact_id = e.contact_id
        UNION ALL SELECT * FROM episodes f WHERE f.person_id = e.person_id AND f.contact_id <> e.contact_id OFFSET 0
      ) f
      CROSS JOIN LATERAL ${unitsOf(unit, campaign, 'f')} k
      CROSS JOIN LATERAL ${valuesOf(unit, goals, earned, 'k')} kv
      WHERE f.campaign = ${literal(campaign)} AND f.assigned_at < e.assigned_at AND f.arm IN ('treated', 'holdout')${alike}`
}

/**
 * The episode `of`, those of its stages whose tier drew, or its messages that drew a variant: each with what it drew and its
 * window.
 */
function unitsOf(unit: Unit, campaign: string, of: string): SQL {
  const e = sql.raw(of)
  if (unit === 'episode')
    return sql`(SELECT ${e}.contact_id, ${e}.episode_id, ${e}.version, ${e}.entry_tier AS tier, 0 AS tier_no, 0 AS step_id,
            ${e}.arm, ${e}.assigned_at AS began_at, ${e}.window_ends_at AS ends_at)`
  const ends = sql`s.entered_at + (${e}.window_ends_at - ${e}.assigned_at) AS ends_at`
  const stages = sql`(SELECT * FROM stages s WHERE s.contact_id = ${e}.contact_id AND s.episode_id = ${e}.episode_id OFFSET 0) s`
  if (unit === 'stage')
    return sql`(SELECT s.contact_id, s.episode_id, ${e}.version, t.tier, s.tier_no, 0 AS step_id, s.arm, s.entered_at AS began_at,
            ${ends}
          FROM ${stages}
          CROSS JOIN LATERAL (SELECT p.tier FROM steps p WHERE p.campaign = ${literal(campaign)}
            AND p.version = ${e}.version AND p.tier_no = s.tier_no LIMIT 1) t
          WHERE s.drawn AND ${e}.arm = 'treated' OFFSET 0)`
  const drew = sql`x.contact_id = ${e}.contact_id AND x.episode_id = ${e}.episode_id AND x.variant IS NOT NULL`
  return sql`(SELECT s.contact_id, s.episode_id, ${e}.version, p.tier, s.tier_no, p.step_id, p.step, m.variant AS arm,
            s.entered_at AS began_at, ${ends}
          FROM (
            SELECT x.step_id, x.variant FROM touchpoint_records x WHERE ${drew} AND x.settled_at >= ${e}.assigned_at
            UNION ALL SELECT x.step_id, x.variant FROM touchpoints x WHERE ${drew} OFFSET 0
          ) m
          JOIN steps p ON p.step_id = m.step_id
          JOIN ${stages} ON s.tier_no = p.tier_no)`
}

/** What came of the unit `of` and what it cost, as people and stages are counted. */
function valuesOf(unit: Unit, goals: Goals, earned: Earned, of: string): SQL {
  const u = sql.raw(of)
  const later =
    unit !== 'episode'
      ? sql` OR EXISTS (SELECT FROM activity a WHERE a.contact_id = ${u}.contact_id AND a.type = ${goalOf(goals, sql`${u}.version`)}
            AND a.occurred_at > ${u}.began_at AND a.occurred_at <= ${u}.ends_at)`
      : sql``
  const own =
    unit === 'episode'
      ? sql`(SELECT * FROM ledger b WHERE b.contact_id = ${u}.contact_id AND b.episode_id = ${u}.episode_id OFFSET 0)`
      : bookedSince(u, sql`${u}.began_at`)
  const place = { contact: sql`${u}.contact_id`, from: sql`${u}.began_at`, to: sql`${u}.ends_at` }
  return sql`(
        SELECT (EXISTS (SELECT FROM recalls r
            WHERE r.contact_id = ${u}.contact_id AND r.episode_id = ${u}.episode_id AND r.goal_no = 0
              AND r.recalled_at > ${u}.began_at AND r.recalled_at <= ${u}.ends_at)${later})::int AS y,
          booked.c, booked.u, earned.margin AS m
        FROM (
          SELECT coalesce(sum(b.amount), 0)::bigint AS c,
            coalesce(sum(b.amount) FILTER (WHERE b.kind <> 'labour'), 0)::bigint AS u
          FROM ${own} b
        ) booked
        CROSS JOIN LATERAL ${marginWithin(earned, place)} earned
      )`
}
