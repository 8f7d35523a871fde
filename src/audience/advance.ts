import { type SQL, sql } from 'drizzle-orm'
import type { CompiledCampaign } from '../config/compiled.ts'
import { bigints } from '../database/arrays.ts'
import { type Chunk, inChunk } from '../database/chunks.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { closeCalls } from '../outcomes/calls.ts'
import { cancel } from '../touchpoints/interruptions.ts'
import { endEpisodes } from './endings.ts'
import { tierSql } from './select.ts'
import { enterStages, stageArmSql, tierTable } from './stages.ts'

// What time does to open episodes: the next tier, and the end. Both by the clock alone, alike for every arm.

/**
 * Moves the open episodes of one campaign version, in one chunk of contacts, into the tier their silence, or the time
 * around their date or event, has reached. Entering a tier cancels what is left of the tier before, as `superseded`, calls
 * that were not made included; the treated get the new tier's touchpoints, unless this tier or an earlier one held them out.
 * @param campaign the version the episodes are pinned to
 * @returns how many episodes entered a tier
 */
export async function advanceChunk(
  tx: Transaction,
  campaign: CompiledCampaign,
  chunk: Chunk,
  now: Date,
): Promise<number> {
  const reached = sql`(SELECT ${tierSql(campaign, now, sql`e.lapsed_at`)})`
  // Lock first, decide in the next statement: an episode that a return has just silenced must not advance.
  const moving = await rows<{ contactId: number; episodeId: number; tierNo: number }>(
    tx,
    sql`
    SELECT e.contact_id AS "contactId", e.episode_id AS "episodeId", ${reached} AS "tierNo" FROM episodes e
    WHERE e.campaign = ${campaign.name} AND e.version = ${campaign.version} AND e.arm <> 'seed'
      AND ${inChunk(chunk, sql`e.contact_id`)}
      AND e.ended_at IS NULL AND e.silenced_at IS NULL AND e.tier_no < ${reached}
    ORDER BY e.contact_id, e.episode_id FOR UPDATE OF e`,
  )
  if (moving.length === 0) return 0
  const keys = sql`unnest(${bigints(moving.map((row) => row.contactId))},
    ${bigints(moving.map((row) => row.episodeId))},
    ${sql.param(moving.map((row) => row.tierNo))}::smallint[]) AS moving(contact_id, episode_id, next_tier)`
  await cancel(tx, {
    which: sql`(t.contact_id, t.episode_id) IN (SELECT contact_id, episode_id FROM ${keys})`,
    reason: 'superseded',
    now,
  })
  // A call of the tier before is one of its steps, still to be made.
  await closeCalls(tx, now, {
    which: sql`(c.contact_id, c.episode_id) IN (SELECT contact_id, episode_id FROM ${keys})`,
    by: 'superseded',
    kinds: ['recall'],
  })
  await execute(
    tx,
    sql`
    WITH moved AS (
      UPDATE episodes e SET tier_no = moving.next_tier FROM ${keys}
      WHERE e.contact_id = moving.contact_id AND e.episode_id = moving.episode_id
      RETURNING e.contact_id, e.episode_id, e.person_id, e.episode_no, e.tier_no, e.arm AS episode_arm
    ), treated AS MATERIALIZED (
      SELECT moved.*, tiers.holdout, moved.episode_arm = 'treated' AND NOT EXISTS (
        SELECT FROM stages s WHERE s.contact_id = moved.contact_id AND s.episode_id = moved.episode_id
          AND s.arm = 'holdout') AS treated
      FROM moved JOIN ${tierTable(campaign)} USING (tier_no)
    ), staged AS MATERIALIZED (
      SELECT contact_id, episode_id, person_id, episode_no, tier_no,
        ${stageArmSql(campaign, { treated: sql`treated`, person: sql`person_id`, episodeNo: sql`episode_no` })} AS arm,
        treated AND holdout > 0 AS drawn
      FROM treated
    ), ${enterStages(campaign, now)}
    SELECT FROM staged`,
  )
  return moving.length
}

/**
 * Ends the episodes whose window and grace are over: `recalled`, `returned`, `expired`, or `withdrawn` where a stop
 * cut them short. What is left of their touchpoints goes with them. Only now may the contact open another one, so
 * that the windows of one contact never overlap.
 * @param whose an SQL condition over `e` (episodes): a campaign's, or a group's
 * @returns how many ended
 */
export async function closeChunk(tx: Transaction, whose: SQL, chunk: Chunk, now: Date): Promise<number> {
  const over = sql`${whose} AND ${inChunk(chunk, sql`e.contact_id`)}
    AND e.ended_at IS NULL AND e.outcome_until <= ${now}`
  const endReason = sql`CASE
    WHEN EXISTS (SELECT FROM recalls r WHERE r.contact_id = e.contact_id AND r.episode_id = e.episode_id
      AND r.goal_no = 0) THEN 'recalled'
    WHEN e.returned_at IS NOT NULL THEN 'returned'
    WHEN e.silenced_by = 'stopped' THEN 'withdrawn'
    ELSE 'expired' END`
  return await endEpisodes(tx, over, { reason: 'expired', endReason, now })
}

/** The versions of a campaign that still have open episodes to advance. */
export async function openVersions(session: Session, campaign: string): Promise<number[]> {
  const found = await rows<{ version: number }>(
    session,
    sql`SELECT DISTINCT version FROM episodes
      WHERE campaign = ${campaign} AND ended_at IS NULL AND arm <> 'seed' ORDER BY version`,
  )
  return found.map((row) => row.version)
}
