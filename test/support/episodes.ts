import { sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'

// Histories written straight into the tables, with known answers: for tests of what only reads them.

export const DAY = 86_400_000

/** Days after 2026-01-01T00:00Z. */
export function day(days: number): Date {
  return new Date(Date.UTC(2026, 0, 1) + days * DAY)
}

export interface Assignment {
  readonly count: number
  readonly arm: 'treated' | 'holdout' | 'control' | 'seed'
  readonly tier?: string
  readonly segment?: string
  readonly version?: number
  readonly at?: Date
  /** How many of them are recalled, and when after the assignment (days). */
  readonly recalled?: number
  readonly recalledAfter?: number
  readonly contaminated?: boolean
  readonly episodeNo?: number
  /** Persons to open the episodes for; new ones by default. */
  readonly persons?: readonly number[]
  /** State of each touchpoint's record; 'sent' by default, none where false. */
  readonly settle?: 'sent' | 'skipped' | false
  /** Of each touchpoint. */
  readonly variant?: string
}

export interface History {
  readonly campaign: string
  /** step id by `tier/step`, of version 1. */
  readonly stepIds: ReadonlyMap<string, number>
  /** Contacts, episodes, stages, settled touchpoints, recalls, and the run that answered for them. */
  assign(assignment: Assignment): Promise<{ contactId: number; episodeId: number; personId: number }[]>
  /** Counts one more answer of the run at `at`. */
  answer(answer: string, contacts: number, at?: Date): Promise<void>
}

/** Forgets every contact, episode, touchpoint and run; the ladders stay declared. */
export async function clearHistory(database: Database): Promise<void> {
  // DELETE: TRUNCATE makes a new file of every partition and index, which takes longer than a few rows do.
  for (const table of [
    ...['contacts', 'external_ids', 'activity', 'episodes', 'stages', 'recalls', 'touchpoints'],
    ...['touchpoint_records', 'ledger', 'run_answers', 'runs'],
  ]) {
    await execute(database, sql`DELETE FROM ${sql.identifier(table)}`)
  }
}

/** Declares a campaign's ladder (tier → steps, for each version) and returns how to write its history. Window 30 days. */
export async function writeHistory(
  database: Database,
  campaign: string,
  ladder: Readonly<Record<string, readonly string[]>>,
  options: { versions?: number; drawing?: readonly string[] } = {},
): Promise<History> {
  await ensurePartitions(database, 'touchpoint_records', { from: day(-40), to: day(200) })
  await ensurePartitions(database, 'activity', { from: day(-120), to: day(200) })
  const stepIds = new Map<string, number>()
  const tiers = Object.keys(ladder)
  for (let version = 1; version <= (options.versions ?? 1); version += 1) {
    for (const [tierAt, tier] of tiers.entries()) {
      for (const [stepAt, step] of (ladder[tier] ?? []).entries()) {
        const [made] = await rows<{ id: number }>(
          database,
          sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
              VALUES (${campaign}, ${version}, ${tierAt + 1}, ${tier}, ${stepAt + 1}, ${step}, ARRAY['email'])
              RETURNING step_id AS id`,
        )
        if (made && version === 1) stepIds.set(`${tier}/${step}`, made.id)
      }
    }
  }
  const answer = async (
    name: string,
    contacts: number,
    at: Date,
    arm = '',
    tier = '',
    segment = '',
    version = 1,
  ) => {
    await execute(
      database,
      sql`WITH run AS (
            INSERT INTO runs (campaign, scheduled_for, version, as_of, state, started_at, finished_at)
            VALUES (${campaign}, ${at}, ${version}, ${at}, 'done', ${at}, ${at})
            ON CONFLICT (campaign, scheduled_for) DO UPDATE SET state = 'done' RETURNING run_id
          )
          INSERT INTO run_answers AS r (run_id, answer, tier, segment, arm, contacts)
          SELECT run_id, ${name}, ${tier}, ${segment}, ${arm}, ${contacts} FROM run
          ON CONFLICT (run_id, answer, tier, segment, arm) DO UPDATE SET contacts = r.contacts + excluded.contacts`,
    )
  }
  return {
    campaign,
    stepIds,
    answer: (name, contacts, at = day(0)) => answer(name, contacts, at),
    async assign(assignment) {
      const {
        count,
        arm,
        tier = tiers[0] ?? '',
        segment = 'everyone',
        version = 1,
        at = day(0),
        recalled = 0,
        recalledAfter = 1,
        contaminated = false,
        episodeNo = 1,
        persons,
        settle = 'sent',
        variant,
      } = assignment
      if (count === 0) return []
      const stageArm = arm === 'treated' || arm === 'seed' ? 'treated' : 'holdout'
      const tierNo = tiers.indexOf(tier) + 1
      const drawn = (options.drawing ?? []).includes(tier) && arm === 'treated'
      const made = await rows<{ contactId: number; episodeId: number; personId: number }>(
        database,
        sql`
        WITH fresh AS (
          INSERT INTO contacts (person_id, external_id, imported_at)
          SELECT 0, 'c' || gen_random_uuid(), ${at} FROM generate_series(1, ${persons ? 0 : count})
          RETURNING contact_id
        ), who AS (
          SELECT contact_id, contact_id AS person_id FROM fresh
          UNION ALL
          SELECT p, p FROM unnest(${sql.param([...(persons ?? [])])}::bigint[]) AS p
        ), opened AS (
          INSERT INTO episodes (contact_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier, segment,
            lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no, contaminated, ended_at, end_reason)
          SELECT contact_id, ${campaign}, ${version}, ${campaign}, person_id, ${episodeNo}, ${arm}, ${tier}, ${segment},
            ${new Date(at.getTime() - 10 * DAY)}, ${at}, ${new Date(at.getTime() + 30 * DAY)}, ${new Date(at.getTime() + 32 * DAY)}, ${tierNo},
            ${contaminated}, ${new Date(at.getTime() + 32 * DAY)}, 'expired'
          FROM who RETURNING contact_id, episode_id, person_id
        ), staged AS (
          INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
          SELECT contact_id, episode_id, ${tierNo}, ${at}, ${stageArm}, ${drawn} FROM opened
        ), touched AS (
          INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, variant, state, reason, channel, attempt,
            planned_for, settled_at)
          SELECT contact_id, nextval('touchpoint_ids'), episode_id, p.step_id, ${variant ?? null}::text, ${settle === false ? 'sent' : settle},
            ${settle === 'skipped' ? 'condition' : null}::text, 'email', 1, ${at}, ${at}
          FROM opened JOIN steps p ON p.campaign = ${campaign} AND p.version = ${version} AND p.tier_no = ${tierNo}
          WHERE ${stageArm === 'treated' && settle !== false}
        ), back AS (
          INSERT INTO recalls (contact_id, episode_id, goal_no, recalled_at)
          SELECT contact_id, episode_id, 0, ${new Date(at.getTime() + recalledAfter * DAY)}
          FROM opened ORDER BY contact_id LIMIT ${recalled}
        )
        SELECT contact_id AS "contactId", episode_id AS "episodeId", person_id AS "personId" FROM opened
        ORDER BY contact_id`,
      )
      await execute(database, sql`UPDATE contacts SET person_id = contact_id WHERE person_id = 0`)
      if (arm !== 'seed') await answer('opened', count, at, arm, tier, segment, version)
      return made
    },
  }
}
