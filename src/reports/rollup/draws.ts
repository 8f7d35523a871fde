import { type SQL, sql } from 'drizzle-orm'
import { heldTotal } from '../../database/storable.ts'
import { type Goals, goalOf } from '../goals.ts'
import { type Earned, marginWithin } from '../margins.ts'
import { type CohortDay, literal } from './cohort-day.ts'

// Of one cohort day, what was drawn after the assignment: tiers' own arms and variants of steps. Over the temporary tables
// of cohort-sql.ts, each by the window that began with its draw.

/**
 * What the episode of `of` has cost since `from`: by steps of the tier, by those of later tiers and by those that the return
 * released, for the recalls are of all of these as well. Of offers that an earlier tier granted, what was used since, whole: that
 * one was not used is no gain of whoever comes after, and would make a cost below nought. By contact: a planner that takes a
 * ledger just filled for empty would rather read all that was booked, for each episode.
 */
export function bookedSince(of: SQL, from: SQL): SQL {
  return sql`(SELECT * FROM ledger b WHERE b.contact_id = ${of}.contact_id AND b.episode_id = ${of}.episode_id
        AND coalesce((SELECT max(greatest(g.granted_at, g.redeemed_at)) FROM grants g WHERE b.kind = 'liability'
          AND g.contact_id = b.contact_id AND g.touchpoint_id = b.touchpoint_id), b.booked_at) >= ${from} OFFSET 0)`
}

const BOOKED = bookedSince(sql`s`, sql`s.entered_at`)

/** Stages of the cohort whose tier drew. */
export const DREW = sql`SELECT FROM cohort c
    CROSS JOIN LATERAL (
      SELECT FROM stages s WHERE s.contact_id = c.contact_id AND s.episode_id = c.episode_id AND s.drawn OFFSET 0
    ) s
    WHERE c.arm = 'treated'`

/** Messages of the cohort whose step drew a variant. */
export const VARIED = sql`SELECT FROM cohort_messages WHERE variant IS NOT NULL`

/**
 * A tier's own window ends after the episode's, so the goal's events are looked up in `activity` too; the recorded recall
 * keeps counting where activity has been erased. The arms of a tier become final together: whoever of a day enters last is more
 * likely one of the larger arm, and those held out of many days would be compared with the treated of fewer.
 */
export function countStages({ campaign, day }: CohortDay, goals: Goals, earned: Earned): SQL {
  const total = sql`(coalesce(k.spend, 0) + coalesce(k.liability, 0) + coalesce(k.labour, 0))`
  const unpaid = sql`(coalesce(k.spend, 0) + coalesce(k.liability, 0))`
  const sum = (value: SQL) => sql`${heldTotal(sql`coalesce(sum(${value}), 0)`)}::bigint`
  const of = (kind: string) =>
    sql`coalesce(sum(l.amount) FILTER (WHERE l.kind = ${literal(kind)}), 0)::bigint`
  return sql`
    INSERT INTO report_stages
    SELECT ${literal(campaign)}, ${literal(day)}::date, t.tier, s.arm,
      max(max(w.ends_at)) OVER (PARTITION BY t.tier), count(*),
      count(*) FILTER (WHERE c.contaminated), sum(came.back),
      ${sum(sql`k.spend`)}, ${sum(sql`k.liability`)}, ${sum(sql`k.labour`)},
      coalesce(sum(${total}::numeric ^ 2), 0), ${sum(sql`${total} * came.back`)},
      coalesce(sum(${unpaid}::numeric ^ 2), 0), ${sum(sql`${unpaid} * came.back`)},
      ${sum(sql`e.margin`)}, coalesce(sum(e.margin::numeric ^ 2), 0), coalesce(sum(e.margin::numeric * ${total}), 0),
      coalesce(sum(e.margin::numeric * ${unpaid}), 0), count(*) FILTER (WHERE e.margin <> 0)
    FROM cohort c
    CROSS JOIN LATERAL (
      SELECT * FROM stages s WHERE s.contact_id = c.contact_id AND s.episode_id = c.episode_id AND s.drawn OFFSET 0
    ) s
    JOIN (SELECT DISTINCT version, tier_no, tier FROM steps WHERE campaign = ${literal(campaign)}) t
      ON t.version = c.version AND t.tier_no = s.tier_no
    ${cameBack(goals)}
    LEFT JOIN LATERAL (
      SELECT ${of('spend')} AS spend, ${of('liability')} AS liability, ${of('labour')} AS labour
      FROM ${BOOKED} l
    ) k ON true
    CROSS JOIN LATERAL ${marginWithin(earned, { contact: sql`s.contact_id`, from: sql`s.entered_at`, to: sql`w.ends_at` })} e
    WHERE c.arm = 'treated'
    GROUP BY t.tier, s.arm`
}

/**
 * By the variant each drew on entering the tier, over all who did: whether it could be sent may be the variant's doing.
 * A touchpoint without one beside others that have one is counted as `''`: it has to be seen, not left out.
 */
export function countVariants({ campaign, day }: CohortDay, goals: Goals): SQL {
  return sql`
    INSERT INTO report_variants
    SELECT ${literal(campaign)}, ${literal(day)}::date, m.step_id, coalesce(m.variant, ''), max(w.ends_at), count(*),
      count(*) FILTER (WHERE c.contaminated), count(*) FILTER (WHERE m.state = 'sent'), sum(came.back),
      sum(k.cost), sum(k.cost::numeric ^ 2), sum(k.cost * came.back)
    FROM (
      SELECT * FROM cohort_messages
      WHERE step_id IN (SELECT step_id FROM cohort_messages WHERE variant IS NOT NULL) OFFSET 0
    ) m JOIN cohort c USING (contact_id, episode_id) JOIN steps p USING (step_id)
    CROSS JOIN LATERAL (
      SELECT * FROM stages s
      WHERE s.contact_id = m.contact_id AND s.episode_id = m.episode_id AND s.tier_no = p.tier_no OFFSET 0
    ) s
    ${cameBack(goals)}
    -- As the tier's own price is counted: who comes back by the one variant is spared the steps that follow.
    CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0)::bigint AS cost FROM ${BOOKED} l) k
    GROUP BY m.step_id, coalesce(m.variant, '')`
}

/** Joins `w.ends_at` and `came.back`, 1 or 0, of the window that a stage `s` of the cohort `c` begins. */
function cameBack(goals: Goals): SQL {
  return sql`CROSS JOIN LATERAL (SELECT s.entered_at + (c.window_ends_at - c.assigned_at) AS ends_at) w
    CROSS JOIN LATERAL (
      SELECT (EXISTS (SELECT FROM recalls r
                WHERE r.contact_id = s.contact_id AND r.episode_id = s.episode_id AND r.goal_no = 0
                  AND r.recalled_at > s.entered_at AND r.recalled_at <= w.ends_at)
        OR EXISTS (SELECT FROM activity a
                   WHERE a.contact_id = s.contact_id AND a.type = ${goalOf(goals, sql`c.version`)}
                     AND a.occurred_at > s.entered_at AND a.occurred_at <= w.ends_at))::int AS back
    ) came`
}
