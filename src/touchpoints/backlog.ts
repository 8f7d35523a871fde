import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { isOpen } from './lifecycle.ts'

// Whether sending keeps up: what is due and has not gone, and how long the oldest of it waits.

/** Touchpoints of a step that are counted: whoever watches looks every few seconds, also at a backlog of millions. */
const COUNTED = 100_000

/** What is due of a campaign, in all its versions. */
export interface Backlog {
  readonly campaign: string
  /** Planned and due. */
  readonly due: number
  /** Queued, claimed or being sent. */
  readonly underWay: number
  /** When the oldest was due that no pause holds back: it waits for its turn, for rates, or for a provider that is away. */
  readonly oldest: Date | null
}

/**
 * What is due at a moment and has not ended, of each campaign that was ever applied. Reads the due part of the work table through its
 * index, and no more of it than it counts: what is planned for later may be as much as it likes.
 * @param most touchpoints of a step that are counted, the oldest first
 */
export async function readBacklog(session: Session, now: Date, most = COUNTED): Promise<Backlog[]> {
  return await rows<Backlog>(
    session,
    sql`
    SELECT s.campaign, coalesce(sum(b.due), 0)::bigint AS due, coalesce(sum(b.under_way), 0)::bigint AS "underWay",
      min(b.oldest) FILTER (WHERE ${isOpen(sql`s`)}) AS oldest
    FROM steps s CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE state = 'planned') AS due, count(*) FILTER (WHERE state <> 'planned') AS under_way,
        min(due_at) FILTER (WHERE state = 'planned') AS oldest
      FROM (SELECT state, due_at FROM touchpoints t
        WHERE t.step_id = s.step_id AND t.due_at <= ${now} ORDER BY t.due_at LIMIT ${most}) counted
    ) b
    GROUP BY s.campaign ORDER BY s.campaign`,
  )
}
