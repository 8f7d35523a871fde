import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'

// What the overview counts. Everything is aggregated here; contacts never travel.

/** Which part of a campaign's history: episodes assigned in [from, to), as of `now`. */
export interface Cohort {
  readonly campaign: string
  readonly now: Date
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

/** `column` within the cohort's range and not after its `now`. */
function within(column: SQL, { now, from, to }: Omit<Cohort, 'campaign'>): SQL {
  const lower = from ? sql` AND ${column} >= ${from}` : sql``
  const upper = to ? sql` AND ${column} < ${to}` : sql``
  return sql`${column} <= ${now}${lower}${upper}`
}

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
    WHERE e.campaign = ${cohort.campaign} AND ${within(sql`e.assigned_at`, cohort)}
    GROUP BY e.version, e.entry_tier, e.segment, e.arm`,
  )
}

/** The order of tiers as the newest version that has them says; older tiers come after. */
export async function orderTiers(session: Session, campaign: string): Promise<string[]> {
  const found = await rows<{ tier: string }>(
    session,
    sql`
    SELECT tier FROM (
      SELECT DISTINCT ON (tier) tier, version, tier_no FROM steps WHERE campaign = ${campaign}
      ORDER BY tier, version DESC
    ) newest ORDER BY version DESC, tier_no`,
  )
  return found.map((row) => row.tier)
}

export interface StageCell {
  tier: string
  arm: 'treated' | 'holdout'
  assigned: number
  contaminated: number
  matured: number
  recalled: number
}

/**
 * The tiers that drew on entering: by tier × the tier's own arm, with the tier's own window from entering it, as long
 * as the campaign's. That window ends after the episode's, so the goal's events are looked up in `activity` too; the
 * recorded recall keeps counting where activity has been erased.
 */
export async function countOwnDraws(
  session: Session,
  cohort: Cohort,
  goalEvent: string,
): Promise<StageCell[]> {
  return await rows<StageCell>(
    session,
    sql`
    SELECT t.tier, s.arm, count(*) AS assigned,
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
                   WHERE a.contact_id = s.contact_id AND a.type = ${goalEvent}
                     AND a.occurred_at > s.entered_at AND a.occurred_at <= w.ends_at)
        END AS back
    ) came
    WHERE s.drawn AND e.arm = 'treated' AND e.campaign = ${cohort.campaign}
      AND s.entered_at <= ${cohort.now} AND ${within(sql`e.assigned_at`, cohort)}
    GROUP BY t.tier, s.arm`,
  )
}

export interface ProgrammeCell {
  control: boolean
  assigned: number
  contaminated: number
  matured: number
  recalled: number
}

/**
 * The programme against its control group, over all campaigns: each person's first lapse alone. Control is sticky,
 * so later lapses are not comparable: those who were recalled lapse again, and their mix differs between the groups.
 */
export async function countProgramme(
  session: Session,
  cohort: Omit<Cohort, 'campaign'>,
): Promise<ProgrammeCell[]> {
  return await rows<ProgrammeCell>(
    session,
    sql`
    SELECT f.arm = 'control' AS control, count(*) AS assigned,
      count(*) FILTER (WHERE f.contaminated) AS contaminated,
      count(*) FILTER (WHERE f.window_ends_at <= ${cohort.now}) AS matured,
      count(r.contact_id) FILTER (WHERE f.window_ends_at <= ${cohort.now}) AS recalled
    FROM (
      SELECT DISTINCT ON (e.person_id) e.contact_id, e.episode_id, e.arm, e.contaminated, e.assigned_at, e.window_ends_at
      FROM episodes e WHERE e.arm <> 'seed'
      ORDER BY e.person_id, e.assigned_at, e.episode_id
    ) f
    LEFT JOIN recalls r ON r.contact_id = f.contact_id AND r.episode_id = f.episode_id AND r.goal_no = 0
      AND r.recalled_at > f.assigned_at AND r.recalled_at <= f.window_ends_at
    WHERE ${within(sql`f.assigned_at`, cohort)}
    GROUP BY 1`,
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
    WHERE r.campaign = ${cohort.campaign} AND a.arm <> 'seed' AND ${within(sql`r.as_of`, cohort)}
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
    FROM runs r WHERE r.campaign = ${cohort.campaign} AND ${within(sql`r.as_of`, cohort)}`,
  )
  return found ?? { done: 0, running: 0, refused: 0 }
}

/**
 * `touched(contact_id, touchpoint_id, episode_id, step_id, tier_no, tier, step_no, step, state, reason, channel, deferred)`:
 * every touchpoint of the campaign once, at work or settled. A late receipt appends a second record to an
 * uncertain one; the uncertain one then no longer counts.
 */
function touchedSql(cohort: Cohort): SQL {
  return sql`touched AS (
      SELECT t.contact_id, t.touchpoint_id, t.episode_id, t.step_id, p.tier_no, p.tier, p.step_no, p.step, t.state,
        NULL::text AS reason, NULL::text AS channel, t.state = 'planned' AND t.due_at > t.planned_for AS deferred
      FROM steps p JOIN touchpoints t ON t.step_id = p.step_id
      WHERE p.campaign = ${cohort.campaign}
      UNION ALL
      SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, p.tier_no, p.tier, p.step_no, p.step, r.state,
        r.reason, r.channel, false
      FROM steps p JOIN touchpoint_records r ON r.step_id = p.step_id
      WHERE p.campaign = ${cohort.campaign}
        AND NOT (r.state = 'uncertain' AND EXISTS (
          SELECT FROM touchpoint_records later
          WHERE later.contact_id = r.contact_id AND later.touchpoint_id = r.touchpoint_id
            AND later.settled_at > r.settled_at))
    )`
}

export interface TouchpointCell {
  tier: string
  step: string
  state: string
  reason: string | null
  deferred: boolean
  touchpoints: number
}

/** Touchpoints by step × state × reason, in the order of the ladder. Without seeds. */
export async function countTouchpoints(session: Session, cohort: Cohort): Promise<TouchpointCell[]> {
  return await rows<TouchpointCell>(
    session,
    sql`
    WITH ${touchedSql(cohort)}
    SELECT t.tier, t.step, t.state, t.reason, t.deferred, count(*) AS touchpoints
    FROM touched t
    LEFT JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id
    WHERE e.contact_id IS NULL OR (e.arm <> 'seed' AND ${within(sql`e.assigned_at`, cohort)})
    GROUP BY t.tier, t.step, t.state, t.reason, t.deferred
    ORDER BY min(t.tier_no), min(t.step_no), t.step, touchpoints DESC, t.state, t.reason`,
  )
}

export interface LadderCheck {
  /** Treated stages. */
  stages: number
  /** Stages × the steps of their tier. */
  expected: number
  found: number
  missing: number
  unexpected: number
  repeated: number
  missingContact: string | null
  unexpectedContact: string | null
  repeatedContact: string | null
}

/**
 * Matches each treated stage × step with its touchpoints, one by one: sums that agree may hide one lost and one
 * that should not be. What has no treated stage (or no episode) is unexpected; an external id of each kind is given.
 */
export async function checkLadder(session: Session, cohort: Cohort): Promise<LadderCheck> {
  const [found] = await rows<LadderCheck>(
    session,
    sql`
    WITH ${touchedSql(cohort)}, staged AS (
      SELECT s.contact_id, s.episode_id, s.tier_no, e.version
      FROM stages s JOIN episodes e ON e.contact_id = s.contact_id AND e.episode_id = s.episode_id
      WHERE s.arm = 'treated' AND e.arm <> 'seed' AND e.campaign = ${cohort.campaign}
        AND s.entered_at <= ${cohort.now} AND ${within(sql`e.assigned_at`, cohort)}
    ), expected AS (
      SELECT s.contact_id, s.episode_id, p.step_id
      FROM staged s JOIN steps p ON p.campaign = ${cohort.campaign} AND p.version = s.version AND p.tier_no = s.tier_no
    ), found AS (
      SELECT t.contact_id, t.episode_id, t.step_id, count(*) AS times
      FROM touched t
      LEFT JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id
      WHERE e.contact_id IS NULL OR (e.arm <> 'seed' AND ${within(sql`e.assigned_at`, cohort)})
      GROUP BY t.contact_id, t.episode_id, t.step_id
    ), matched AS (
      SELECT count(x.step_id) AS expected,
        coalesce(sum(f.times), 0)::bigint AS found,
        count(*) FILTER (WHERE f.step_id IS NULL) AS missing,
        coalesce(sum(f.times) FILTER (WHERE x.step_id IS NULL), 0)::bigint AS unexpected,
        coalesce(sum(f.times - 1) FILTER (WHERE x.step_id IS NOT NULL), 0)::bigint AS repeated,
        min(x.contact_id) FILTER (WHERE f.step_id IS NULL) AS missing_contact,
        min(f.contact_id) FILTER (WHERE x.step_id IS NULL) AS unexpected_contact,
        min(f.contact_id) FILTER (WHERE x.step_id IS NOT NULL AND f.times > 1) AS repeated_contact
      FROM expected x
      FULL JOIN found f
        ON f.contact_id = x.contact_id AND f.episode_id = x.episode_id AND f.step_id = x.step_id
    )
    SELECT (SELECT count(*) FROM staged) AS stages, m.expected, m.found, m.missing, m.unexpected, m.repeated,
      (SELECT external_id FROM contacts WHERE contact_id = m.missing_contact) AS "missingContact",
      (SELECT external_id FROM contacts WHERE contact_id = m.unexpected_contact) AS "unexpectedContact",
      (SELECT external_id FROM contacts WHERE contact_id = m.repeated_contact) AS "repeatedContact"
    FROM matched m`,
  )
  if (!found) throw new Error('an aggregate without GROUP BY returned no row')
  return found
}

export interface CostCell {
  tier: string
  step: string
  channel: string | null
  kind: 'spend' | 'liability' | 'labour'
  arm: 'treated' | 'holdout' | 'control' | 'seed'
  /** Integer micros. */
  amount: number
  /** Part of it that belongs to episodes whose window has elapsed. */
  matured: number
}

/** The ledger by step × channel × kind × arm. */
export async function sumCosts(session: Session, cohort: Cohort): Promise<CostCell[]> {
  return await rows<CostCell>(
    session,
    sql`
    WITH ${touchedSql(cohort)}
    SELECT p.tier, p.step, t.channel, l.kind, e.arm, sum(l.amount)::bigint AS amount,
      coalesce(sum(l.amount) FILTER (WHERE e.window_ends_at <= ${cohort.now}), 0)::bigint AS matured
    FROM steps p
    JOIN ledger l ON l.step_id = p.step_id
    JOIN episodes e ON e.contact_id = l.contact_id AND e.episode_id = l.episode_id
    LEFT JOIN touched t ON t.contact_id = l.contact_id AND t.touchpoint_id = l.touchpoint_id
    WHERE p.campaign = ${cohort.campaign} AND l.booked_at <= ${cohort.now} AND ${within(sql`e.assigned_at`, cohort)}
    GROUP BY p.tier, p.step, t.channel, l.kind, e.arm
    ORDER BY min(p.tier_no), min(p.step_no), p.step, t.channel, l.kind, e.arm`,
  )
}
