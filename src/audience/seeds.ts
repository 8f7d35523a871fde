import { type SQL, sql } from 'drizzle-orm'
import { later } from '../clock.ts'
import { ON_RETURN } from '../config/campaign.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { execute, type Transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { endEpisodes } from './endings.ts'
import { enterStages } from './stages.ts'

/**
 * Ends the seeds' episodes of other versions, with what they had planned: this version's own follow. Before a run
 * takes anybody in, for a colleague who is no seed any more is a contact like the others.
 */
export async function endSeeds(tx: Transaction, campaign: CompiledCampaign, now: Date): Promise<void> {
  const old = sql`e.campaign = ${campaign.name} AND e.arm = 'seed' AND e.ended_at IS NULL
    AND e.version <> ${campaign.version}`
  await endEpisodes(tx, old, { reason: 'superseded', endReason: sql`'withdrawn'`, now })
}

/**
 * Gives the campaign's seeds (colleagues who get every message and are never counted) an episode of the version, at its
 * first run: all tiers entered at once, so that each step reaches them within its own delay, and at once what the return
 * releases. Their arm is `seed`, which no report reads, and their group is their own, so that they keep nobody out.
 */
export async function openSeeds(tx: Transaction, campaign: CompiledCampaign, now: Date): Promise<void> {
  const { seeds, window, grace } = campaign.definition
  const first = campaign.tiers[0]
  if (seeds.length === 0 || !first) return
  // No stripe is held here: an erasure comes before this, and then there is nobody, or after it, and takes the episode along.
  await keepContacts(tx, isSeed(seeds))
  const windowEnds = later(now, window)
  const outcomeUntil = later(windowEnds, grace)
  await execute(
    tx,
    sql`
    WITH drawn AS MATERIALIZED (
      SELECT nextval('episode_ids') AS episode_id, c.contact_id, c.person_id FROM contacts c
      WHERE ${isSeed(seeds)}
        -- One open episode a campaign, whoever opened it: a contact that is made a seed meanwhile has to wait.
        AND NOT EXISTS (SELECT FROM episodes e WHERE e.campaign = ${campaign.name} AND e.contact_id = c.contact_id
          AND (e.ended_at IS NULL OR (e.arm = 'seed' AND e.version = ${campaign.version})))
    ), opened AS (
      INSERT INTO episodes (contact_id, episode_id, campaign, version, exclusive, person_id, episode_no, arm,
        entry, entry_tier, segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
      SELECT contact_id, episode_id, ${campaign.name}, ${campaign.version}, ${`seed:${campaign.name}`}, person_id, 1,
        'seed', ${campaign.entry.kind}, ${first.name}, 'everyone', ${now}, ${now}, ${windowEnds}, ${outcomeUntil}, ${campaign.tiers.length}
      FROM drawn
    ), staged AS MATERIALIZED (
      SELECT contact_id, episode_id, person_id, 1 AS episode_no, tier_no::smallint AS tier_no, 'treated' AS arm, false AS drawn
      FROM drawn CROSS JOIN generate_series(1, ${campaign.tiers.length}) AS tier_no
    ), ${enterStages(campaign, now)}, welcomed AS (
      INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
      SELECT contact_id, episode_id, step_id, at, at FROM drawn
      JOIN steps ON campaign = ${campaign.name} AND version = ${campaign.version} AND tier = ${ON_RETURN}::text
      CROSS JOIN LATERAL (SELECT ${now}::timestamptz AS at) due
    )
    SELECT FROM drawn`,
  )
}

/** True of a contact `c` that is a seed: found by the index on names, for contacts have none on the id they go by. */
function isSeed(seeds: readonly string[]): SQL {
  const ids = sql`${sql.param([...seeds])}::text[]`
  return sql`c.contact_id IN (SELECT x.contact_id FROM external_ids x WHERE x.external_id = ANY (${ids}))
    AND c.external_id = ANY (${ids})`
}
