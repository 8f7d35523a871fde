import { sql } from 'drizzle-orm'
import { rows, type Session } from '../../../database/connect.ts'

/** A campaign that runs, or ran until it was stopped. */
export interface ListedCampaign {
  readonly campaign: string
  readonly version: number
  readonly appliedAt: Date
  /** Hash of the inputs of its version. */
  readonly inputs: string
  /** Episodes that are open. */
  readonly people: number
  /** There are older ones that were not looked at. */
  readonly more: boolean
  /** `paused` or `stopped`; null where nothing holds it back. */
  readonly state: string | null
}

/** A campaign's newest episodes, of which the open ones are counted: a list must not wait for millions. */
const LOOKED_AT = 100_000

/** Every campaign that was ever applied, by name; its seeds are none of its people. */
export async function listCampaigns(session: Session, most = LOOKED_AT): Promise<ListedCampaign[]> {
  return await rows<ListedCampaign>(
    session,
    sql`
    SELECT k.campaign, v.version, v.applied_at AS "appliedAt", v.inputs, s.state, p.people, p.more
    FROM campaigns k JOIN campaign_versions v ON v.campaign = k.campaign AND v.version = k.current_version
    LEFT JOIN switches s ON s.scope = 'campaign' AND s.name = k.campaign
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE ended_at IS NULL AND arm <> 'seed') AS people, count(*) = ${most} AS more
      FROM (SELECT ended_at, arm FROM episodes e WHERE e.campaign = k.campaign
        ORDER BY assigned_at DESC LIMIT ${most}) newest
    ) p
    ORDER BY k.campaign`,
  )
}
