import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { ladderOf } from './people-sql.ts'

// What became of a campaign's messages, by the step of the ladder they are of.

/** Messages of a step so far, under every version that has a step of this name in a tier of this name. Without seeds. */
export interface Rung {
  readonly tier: string
  readonly step: string
  readonly planned: number
  readonly sent: number
  /** Failed, or nobody knows whether they arrived. */
  readonly failed: number
  /** Skipped or cancelled. */
  readonly unsent: number
  /** Why those did not go, the most frequent reason first. */
  readonly reasons: readonly { readonly reason: string; readonly messages: number }[]
  /** Still to come. */
  readonly waiting: number
}

/** In the order of the ladder, as counted last: from the sums of reports, which do not grow with messages. */
export async function readLadder(session: Session, campaign: string): Promise<Rung[]> {
  return await rows<Rung>(
    session,
    sql`
    WITH counted AS (
      SELECT p.tier, p.step, m.reason, sum(m.messages)::bigint AS messages,
        CASE WHEN m.state IN ('skipped', 'cancelled') THEN 'unsent' WHEN m.state = 'uncertain' THEN 'failed' ELSE m.state END AS fate
      FROM report_messages m JOIN steps p USING (step_id) WHERE m.campaign = ${campaign}
      GROUP BY p.tier, p.step, m.reason, fate
    )
    SELECT tier, step, sum(messages)::bigint AS planned,
      coalesce(sum(messages) FILTER (WHERE fate = 'sent'), 0)::bigint AS sent,
      coalesce(sum(messages) FILTER (WHERE fate = 'failed'), 0)::bigint AS failed,
      coalesce(sum(messages) FILTER (WHERE fate = 'unsent'), 0)::bigint AS unsent,
      coalesce(jsonb_agg(jsonb_build_object('reason', reason, 'messages', messages) ORDER BY messages DESC, reason)
        FILTER (WHERE fate = 'unsent'), '[]') AS reasons,
      coalesce(sum(messages) FILTER (WHERE fate = 'waiting'), 0)::bigint AS waiting
    FROM counted JOIN ${ladderOf(campaign)} l USING (tier, step) GROUP BY l.place, tier, step ORDER BY l.place`,
  )
}
