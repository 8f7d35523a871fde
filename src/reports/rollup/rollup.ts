import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../../clock.ts'
import { lockKey } from '../../database/advisory-locks.ts'
import { type Database, execute, rows, type Session, transaction } from '../../database/connect.ts'
import type { Earned } from '../margins.ts'
import type { CohortDay } from './cohort-day.ts'
import { type CountingRules, countDay } from './cohort-sql.ts'

// Keeps the report tables true. A cohort day is counted again while its episodes are open, on the days a later figure
// falls due (7, 30, 90), when activity came in late for the days it looks at, and when a receipt marked it.

/** Days after the assignment on which something new can be told, one day on so that the whole cohort is past it. */
const DUE = [8, 31, 91]

export interface RolledUp {
  readonly days: number
  /** Another process is at it: nothing was done. */
  readonly busy: boolean
}

/**
 * Counts every cohort day again that may have changed since it was counted. Safe at any time and in any number; each
 * day is one transaction, so an interruption loses nothing.
 * @param options.only one campaign
 * @param options.rebuild every day, whether anything says so or not
 * @param options.onProgress told of days that are done, and of the share of the one under way
 */
export async function rollUp(
  database: Database,
  now: Date,
  rules: CountingRules,
  options: {
    only?: string | undefined
    rebuild?: boolean | undefined
    onProgress?: ((done: number, of: number) => void) | undefined
  } = {},
): Promise<RolledUp> {
  const days = await findStale(database, now, rules, options)
  for (const [at, day] of days.entries()) {
    const onProgress = (share: number) => options.onProgress?.(at + share, days.length)
    if (!(await rollUpDay(database, now, day, rules, onProgress))) return { days: at, busy: true }
  }
  return { days: days.length, busy: false }
}

/**
 * Cohort days that must be counted: new ones by a walk through the index on (campaign, assigned_at) that jumps from
 * day to day (DISTINCT would read every episode), then those that the conditions above name.
 */
async function findStale(
  session: Session,
  now: Date,
  rules: CountingRules,
  { only, rebuild = false }: { only?: string | undefined; rebuild?: boolean | undefined },
): Promise<CohortDay[]> {
  const campaign = only === undefined ? sql`true` : sql`campaign = ${only}`
  const earned = await earnedNow(session, rules, campaign)
  return await rows<CohortDay>(
    session,
    sql`
    WITH RECURSIVE cohort AS (
      SELECT c.campaign, (SELECT min(e.assigned_at) FROM episodes e WHERE e.campaign = c.campaign) AS at
      FROM (SELECT DISTINCT campaign FROM campaigns UNION SELECT DISTINCT campaign FROM steps) c WHERE ${campaign}
      UNION ALL
      SELECT d.campaign, (
        SELECT min(e.assigned_at) FROM episodes e WHERE e.campaign = d.campaign
          AND e.assigned_at >= (((d.at AT TIME ZONE 'UTC')::date + 1)::timestamp AT TIME ZONE 'UTC'))
      FROM cohort d WHERE d.at IS NOT NULL
    ), days AS (
      SELECT campaign, (at AT TIME ZONE 'UTC')::date AS day FROM cohort WHERE at IS NOT NULL
      UNION SELECT campaign, day FROM report_days WHERE ${campaign}
    )
    SELECT d.campaign, d.day::text AS day FROM days d LEFT JOIN report_days r USING (campaign, day)
    WHERE ${rebuild} OR r.day IS NULL OR r.open
      OR EXISTS (SELECT FROM report_dirty x WHERE x.campaign = d.campaign AND x.day = d.day)
      OR EXISTS (SELECT FROM unnest(${sql.param(DUE)}::int[]) AS due(after)
                 WHERE d.day + due.after > (r.rolled_at AT TIME ZONE 'UTC')::date
                   AND d.day + due.after <= (${now}::timestamptz AT TIME ZONE 'UTC')::date)
      OR r.earned <> coalesce(${earned}::jsonb -> d.campaign, r.earned)
      OR r.events <> ${eventsOf(sql`d.campaign`, sql`d.day`, sql`r.rolled_at`)}
    ORDER BY d.campaign, d.day`,
  )
}

/**
 * What the goals of each campaign that was counted earn now, as JSON by campaign: a margin may be declared at any time.
 * Without the campaigns whose goals cannot be read.
 */
async function earnedNow(session: Session, rules: CountingRules, which: SQL): Promise<string> {
  const counted = await rows<{ campaign: string }>(
    session,
    sql`SELECT DISTINCT campaign FROM report_days WHERE ${which}`,
  )
  const entries = counted.map(async ({ campaign }) => [campaign, await rules.earnedOf(campaign)] as const)
  return JSON.stringify(Object.fromEntries(await Promise.all(entries)))
}

/** What a campaign's days were counted with last, for as long as its goals cannot be read. */
async function earnedLast(session: Session, campaign: string): Promise<Earned> {
  const [last] = await rows<{ earned: Earned }>(
    session,
    sql`SELECT earned FROM report_days WHERE campaign = ${campaign} ORDER BY rolled_at DESC, day DESC LIMIT 1`,
  )
  return last?.earned ?? {}
}

/**
 * Activity of the days a cohort looks at, of days that were over when it was counted: it changes by what comes late alone.
 * A window may be longer than the ninety days, and a tier's own ends later still; of those who lapsed again, it looks at the
 * earlier lapse, too.
 */
function eventsOf(campaign: SQL, day: SQL, rolledAt: SQL) {
  const last = (table: string) =>
    sql`(SELECT (max(t.final_at) AT TIME ZONE 'UTC')::date FROM ${sql.identifier(table)} t
         WHERE t.campaign = ${campaign} AND t.day = ${day})`
  return sql`(SELECT coalesce(sum(f.events), 0)::bigint FROM feed_days f
      WHERE f.day >= least(${day} - 90, (SELECT min(p.earlier) FROM report_repeats p
          WHERE p.campaign = ${campaign} AND p.day = ${day}))
        AND f.day <= greatest(${day} + 91, ${last('report_people')}, ${last('report_stages')}, ${last('report_variants')})
        AND f.day < (${rolledAt} AT TIME ZONE 'UTC')::date)`
}

/** @returns false where another process rolls up at this moment */
async function rollUpDay(
  database: Database,
  now: Date,
  cohort: CohortDay,
  rules: CountingRules,
  onProgress: (share: number) => void,
): Promise<boolean> {
  return await transaction(database, async (tx) => {
    // One moment for marks and figures: a mark that is taken away belongs to a change that is counted.
    await execute(tx, sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`)
    // Of this schema: a replay is counted while the real figures are, and says nothing of its own otherwise.
    const [lock] = await rows<{ mine: boolean }>(
      tx,
      sql`SELECT pg_try_advisory_xact_lock(${lockKey('rollUp')}) AS mine`,
    )
    if (!lock?.mine) return false
    const { campaign, day } = cohort
    await execute(tx, sql`DELETE FROM report_dirty WHERE campaign = ${campaign} AND day = ${day}`)
    // Asked for once: what it says it was counted with is what it was counted with.
    const earned = (await rules.earnedOf(campaign)) ?? (await earnedLast(tx, campaign))
    await countDay(tx, cohort, rules, earned, onProgress)
    await execute(
      tx,
      sql`
      INSERT INTO report_days (campaign, day, rolled_at, open, events, earned)
      SELECT ${campaign}, ${day}::date, ${now}, EXISTS (
          SELECT FROM episodes e WHERE e.campaign = ${campaign} AND e.assigned_at >= ${day}::date AND e.assigned_at < ${day}::date + 1
            -- A receipt may be under way that saw the episode open: it is over once it has been for a day.
            AND (e.ended_at IS NULL OR e.ended_at > ${earlier(now, 86_400)}))
          -- Episodes of whoever was erased ended at once, and their window is not over: complete is what was counted after it.
          OR EXISTS (SELECT FROM report_people p WHERE p.campaign = ${campaign} AND p.day = ${day}::date
            AND p.final_at > ${now}::timestamptz)
          -- The windows of tiers' own draws and of variants begin later than the episode's, and end later.
          OR EXISTS (SELECT FROM report_stages s WHERE s.campaign = ${campaign} AND s.day = ${day}::date
            AND s.final_at > ${earlier(now, 86_400)})
          OR EXISTS (SELECT FROM report_variants v WHERE v.campaign = ${campaign} AND v.day = ${day}::date
            AND v.final_at > ${earlier(now, 86_400)})
          OR EXISTS (SELECT FROM report_messages m WHERE m.campaign = ${campaign} AND m.day = ${day}::date
            AND m.state = 'waiting'),
        ${eventsOf(sql`${campaign}::text`, sql`${day}::date`, sql`${now}::timestamptz`)},
        ${JSON.stringify(earned)}::jsonb
      ON CONFLICT (campaign, day) DO UPDATE
        SET rolled_at = excluded.rolled_at, open = excluded.open, events = excluded.events, earned = excluded.earned`,
    )
    return true
  })
}
