import { type SQL, sql } from 'drizzle-orm'
import { ON_RETURN } from '../../config/campaign.ts'
import { rows, type Session } from '../../database/connect.ts'
import { type Cohort, inCohort } from '../cohort.ts'
import { ladderOf } from '../people-sql.ts'

// Messages, counted: what became of each, whether each that should be there is, and what they cost. The ladder puts in order
// what has been counted: of all messages joined with it PostgreSQL expects a dozen, and looks each one's episode up.

/**
 * `touched(contact_id, touchpoint_id, episode_id, step_id, tier, step, state, reason, channel, deferred)`:
 * every touchpoint of the campaign once, at work or settled.
 */
function touchedSql(cohort: Cohort): SQL {
  return sql`touched AS (
      SELECT t.contact_id, t.touchpoint_id, t.episode_id, t.step_id, p.tier, p.step, t.state,
        NULL::text AS reason, NULL::text AS channel, t.state = 'planned' AND t.due_at > t.planned_for AS deferred
      FROM steps p JOIN touchpoints t ON t.step_id = p.step_id
      WHERE p.campaign = ${cohort.campaign}
      UNION ALL
      SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, p.tier, p.step, r.state,
        r.reason, r.channel, false
      FROM steps p JOIN touchpoint_records r ON r.step_id = p.step_id
      WHERE p.campaign = ${cohort.campaign}
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
    SELECT c.* FROM (
      SELECT t.tier, t.step, t.state, t.reason, t.deferred, count(*) AS touchpoints
      FROM touched t
      LEFT JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id
      WHERE e.contact_id IS NULL OR (e.arm <> 'seed' AND ${inCohort(sql`e.assigned_at`, cohort)})
      GROUP BY t.tier, t.step, t.state, t.reason, t.deferred
    ) c JOIN ${ladderOf(cohort.campaign)} l USING (tier, step)
    ORDER BY l.place, c.touchpoints DESC, c.state, c.reason`,
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
 * Matches each treated stage × step, and each return × step it releases, with its touchpoints, one by one: sums that agree may hide one lost and one
 * that should not be. Stages and touchpoints are taken as they stand today, also where `now` lies in the past: a
 * touchpoint's earlier states are not kept. What has no treated stage (or no episode) is unexpected; an external id of each kind is given.
 */
export async function checkLadder(session: Session, cohort: Cohort): Promise<LadderCheck> {
  const [found] = await rows<LadderCheck>(
    session,
    sql`
    WITH ${touchedSql(cohort)}, staged AS (
      SELECT s.contact_id, s.episode_id, s.tier_no, e.version
      FROM stages s JOIN episodes e ON e.contact_id = s.contact_id AND e.episode_id = s.episode_id
      WHERE s.arm = 'treated' AND e.arm <> 'seed' AND e.campaign = ${cohort.campaign}
        AND ${inCohort(sql`e.assigned_at`, cohort)}
    ), expected AS (
      SELECT s.contact_id, s.episode_id, p.step_id
      FROM staged s JOIN steps p ON p.campaign = ${cohort.campaign} AND p.version = s.version AND p.tier_no = s.tier_no
      UNION ALL
      SELECT e.contact_id, e.episode_id, p.step_id
      FROM episodes e JOIN steps p ON p.campaign = e.campaign AND p.version = e.version AND p.tier = ${ON_RETURN}::text
      WHERE e.released_at IS NOT NULL AND e.arm <> 'seed' AND e.campaign = ${cohort.campaign}
        AND ${inCohort(sql`e.assigned_at`, cohort)}
    ), found AS (
      SELECT t.contact_id, t.episode_id, t.step_id, count(*) AS times
      FROM touched t
      LEFT JOIN episodes e ON e.contact_id = t.contact_id AND e.episode_id = t.episode_id
      WHERE e.contact_id IS NULL OR (e.arm <> 'seed' AND ${inCohort(sql`e.assigned_at`, cohort)})
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
  version: number
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

/** The ledger by step × channel × kind × version × arm. */
export async function sumCosts(session: Session, cohort: Cohort): Promise<CostCell[]> {
  return await rows<CostCell>(
    session,
    sql`
    SELECT c.* FROM (
      SELECT p.tier, p.step, l.channel, l.kind, e.version, e.arm, sum(l.amount)::float8 AS amount,
        coalesce(sum(l.amount) FILTER (WHERE e.window_ends_at <= ${cohort.now}), 0)::float8 AS matured
      FROM steps p
      JOIN ledger l ON l.step_id = p.step_id
      JOIN episodes e ON e.contact_id = l.contact_id AND e.episode_id = l.episode_id
      WHERE p.campaign = ${cohort.campaign} AND l.booked_at <= ${cohort.now} AND ${inCohort(sql`e.assigned_at`, cohort)}
      GROUP BY p.tier, p.step, l.channel, l.kind, e.version, e.arm
    ) c JOIN ${ladderOf(cohort.campaign)} o USING (tier, step)
    ORDER BY o.place, c.channel, c.kind, c.arm, c.version`,
  )
}
