import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { type Cohort, inCohort } from './cohort.ts'
import { type Goals, goalOf } from './goals.ts'

// People, counted: who was considered, assigned and recalled. Aggregated here; contacts never travel.

export interface EpisodeCell {
  version: number
  tier: string
  segment: string
  arm: 'treated' | 'holdout' | 'control' | 'seed'
  assigned: number
  contaminated: number
  matured: number
  recalled: number
}

/**
 * Assigned, matured and recalled by version × entry tier × entry segment × arm; a few dozen rows whatever the audience.
 *
 * A row of episodes is one draw, and is counted as drawn. Collapsing the episodes of persons that were merged later
 * into one ("recalled if either was") was tried and rejected: with 90 % treated, two merged persons are nine times
 * as likely to be one treated unit as a pair is to be one held-out unit, and a unit of two contacts is recalled more
 * often, so equal arms show a lift (0.4 points at 10 % natural recall when a tenth of the persons is merged).
 */
export async function countEpisodes(session: Session, cohort: Cohort): Promise<EpisodeCell[]> {
  return await rows<EpisodeCell>(
    session,
    sql`
    SELECT e.version, e.entry_tier AS tier, e.segment, e.arm,
      count(*) AS assigned,
      count(*) FILTER (WHERE e.contaminated) AS contaminated,
      count(*) FILTER (WHERE e.window_ends_at <= ${cohort.now}) AS matured,
      count(r.contact_id) FILTER (WHERE e.window_ends_at <= ${cohort.now}) AS recalled
    FROM episodes e
    LEFT JOIN recalls r ON r.contact_id = e.contact_id AND r.episode_id = e.episode_id AND r.goal_no = 0
      AND r.recalled_at > e.assigned_at AND r.recalled_at <= e.window_ends_at
    WHERE e.campaign = ${cohort.campaign} AND ${inCohort(sql`e.assigned_at`, cohort)}
    GROUP BY e.version, e.entry_tier, e.segment, e.arm`,
  )
}

/** The order of tiers as the newest version that has them says; older tiers come after. */
export async function orderTiers(session: Session, campaign: string): Promise<string[]> {
  const found = await rows<{ tier: string }>(
    session,
    sql`SELECT tier FROM ${ladderOf(campaign)} l GROUP BY tier ORDER BY min(place)`,
  )
  return found.map((row) => row.tier)
}

/**
 * `(tier, step, place)`: every step there ever was, tiers in the order of the newest version that has them, steps likewise. By
 * the numbers of each version, a tier that was put before others would stand among their steps.
 */
export function ladderOf(campaign: string): SQL {
  return sql`(SELECT tier, step, row_number() OVER (ORDER BY t.version DESC, t.tier_no, l.version DESC, l.step_no) AS place
      FROM (SELECT DISTINCT ON (tier, step) tier, step, version, step_no FROM steps
            WHERE campaign = ${campaign} ORDER BY tier, step, version DESC) l
      JOIN (SELECT DISTINCT ON (tier) tier, version, tier_no FROM steps
            WHERE campaign = ${campaign} ORDER BY tier, version DESC) t USING (tier))`
}

export interface StageCell {
  version: number
  tier: string
  arm: 'treated' | 'holdout'
  assigned: number
  contaminated: number
  matured: number
  recalled: number
}

/**
 * The tiers that drew on entering: by version × tier × the tier's own arm, with the tier's own window from entering it, as long
 * as the campaign's. That window ends after the episode's, so the goal's events are looked up in `activity` too; the
 * recorded recall keeps counting where activity has been erased.
 */
export async function countOwnDraws(session: Session, cohort: Cohort, goals: Goals): Promise<StageCell[]> {
  return await rows<StageCell>(
    session,
    sql`
    SELECT e.version, t.tier, s.arm, count(*) AS assigned,
      count(*) FILTER (WHERE e.contaminated) AS contaminated,
      count(*) FILTER (WHERE w.ends_at <= ${cohort.now}) AS matured,
      count(*) FILTER (WHERE came.back) AS recalled
    FROM stages s
    JOIN episodes e ON e.contact_id = s.contact_id AND e.episode_id = s.episode_id
    JOIN (SELECT DISTINCT version, tier_no, tier FROM steps WHERE campaign = ${cohort.campaign}) t
      ON t.version = e.version AND t.tier_no = s.tier_no
    CROSS JOIN LATERAL (SELECT s.entered_at + (e.window_ends_at - e.assigned_at) AS ends_at) w
    CROSS JOIN LATERAL (
      SELECT CASE WHEN w.ends_at <= ${cohort.now} THEN
        EXISTS (SELECT FROM recalls r
                WHERE r.contact_id = s.contact_id AND r.episode_id = s.episode_id AND r.goal_no = 0
                  AND r.recalled_at > s.entered_at AND r.recalled_at <= w.ends_at)
        OR EXISTS (SELECT FROM activity a
                   WHERE a.contact_id = s.contact_id AND a.type = ${goalOf(goals, sql`e.version`)}
                     AND a.occurred_at > s.entered_at AND a.occurred_at <= w.ends_at)
        END AS back
    ) came
    WHERE s.drawn AND e.arm = 'treated' AND e.campaign = ${cohort.campaign}
      AND s.entered_at <= ${cohort.now} AND ${inCohort(sql`e.assigned_at`, cohort)}
    GROUP BY e.version, t.tier, s.arm ORDER BY e.version`,
  )
}

/** First lapses of persons that one version of a campaign took in. */
export interface ProgrammeCell {
  campaign: string
  version: number
  /** Of the workspace's control group when the version was applied; null where that is not known. */
  share: number | null
  control: boolean
  assigned: number
  contaminated: number
  matured: number
  recalled: number
}

/** The share of the control group a version was applied with, from `campaign_versions v`. */
export const CONTROL_SHARE = sql`max((v.workspace ->> 'control')::float8)`

/** Each person's first lapse in any campaign, oldest first; see programme.ts. */
export async function countProgramme(
  session: Session,
  cohort: Omit<Cohort, 'campaign'>,
): Promise<ProgrammeCell[]> {
  return await rows<ProgrammeCell>(
    session,
    sql`
    SELECT f.campaign, f.version, f.arm = 'control' AS control, ${CONTROL_SHARE} AS share, count(*) AS assigned,
      count(*) FILTER (WHERE f.contaminated) AS contaminated,
      count(*) FILTER (WHERE f.window_ends_at <= ${cohort.now}) AS matured,
      count(r.contact_id) FILTER (WHERE f.window_ends_at <= ${cohort.now}) AS recalled
    FROM (
      SELECT DISTINCT ON (e.person_id) e.contact_id, e.episode_id, e.campaign, e.version, e.arm, e.contaminated,
        e.assigned_at, e.window_ends_at
      FROM episodes e WHERE e.arm <> 'seed'
      ORDER BY e.person_id, e.assigned_at, e.episode_id
    ) f
    LEFT JOIN recalls r ON r.contact_id = f.contact_id AND r.episode_id = f.episode_id AND r.goal_no = 0
      AND r.recalled_at > f.assigned_at AND r.recalled_at <= f.window_ends_at
    LEFT JOIN campaign_versions v ON v.campaign = f.campaign AND v.version = f.version
    WHERE ${inCohort(sql`f.assigned_at`, cohort)}
    GROUP BY 1, 2, 3 ORDER BY min(f.assigned_at)`,
  )
}

export interface AnswerCell {
  answer: string
  tier: string
  segment: string
  arm: string
  contacts: number
}

/** Every answer of the campaign's runs. Seeds are no part of any count. */
export async function countAnswers(session: Session, cohort: Cohort): Promise<AnswerCell[]> {
  return await rows<AnswerCell>(
    session,
    sql`
    SELECT a.answer, a.tier, a.segment, a.arm, sum(a.contacts)::bigint AS contacts
    FROM run_answers a JOIN runs r ON r.run_id = a.run_id
    WHERE r.campaign = ${cohort.campaign} AND a.arm <> 'seed' AND ${inCohort(sql`r.as_of`, cohort)}
    GROUP BY a.answer, a.tier, a.segment, a.arm
    ORDER BY contacts DESC, a.answer, a.tier, a.segment, a.arm`,
  )
}

/** How many runs are done, still running, or refused to start. */
export async function countRuns(
  session: Session,
  cohort: Cohort,
): Promise<{ done: number; running: number; refused: number }> {
  const [found] = await rows<{ done: number; running: number; refused: number }>(
    session,
    sql`
    SELECT count(*) FILTER (WHERE state = 'done') AS done, count(*) FILTER (WHERE state = 'running') AS running,
      count(*) FILTER (WHERE state = 'refused') AS refused
    FROM runs r WHERE r.campaign = ${cohort.campaign} AND ${inCohort(sql`r.as_of`, cohort)}`,
  )
  return found ?? { done: 0, running: 0, refused: 0 }
}
