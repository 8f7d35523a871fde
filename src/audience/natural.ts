import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import type { CompiledCampaign } from '../config/compiled.ts'
import { rows, type Session } from '../database/connect.ts'
import { entryOf } from './entries/entries.ts'
import { everybody } from './entries/entry.ts'
import { momentsOf, withinSql } from './select.ts'

/** How many contacts to look at: enough for a rate within a percentage point. */
const SAMPLE = 20_000

/** Contacts that were in the campaign's bands one window ago, and how many of them had the primary goal since. */
export interface PastRecall {
  readonly contacts: number
  readonly recalled: number
}

/**
 * What would have happened to the same bands one window ago: the expectation a plan's smallest effect is computed
 * with. Whatever was done to those people meanwhile is in it, so it is a guess; the holdout is the measurement.
 * Looks at a sample of contacts, whose activity it reads through the primary key.
 */
export async function pastRecall(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
  activityTypes: readonly string[],
): Promise<PastRecall> {
  const goal = Object.values(campaign.definition.goals)[0]?.event
  if (goal === undefined) return { contacts: 0, recalled: 0 }
  const then = earlier(now, campaign.definition.window)
  const moments = momentsOf(campaign, then)
  if (campaign.entry.kind !== 'silence') {
    // A date or an event stays what it was, so the campaign's own entry is asked for that day.
    const entry = entryOf(campaign)
    const sampled = sql`CROSS JOIN (SELECT greatest(1, count(*) / ${SAMPLE}::int) AS every FROM contact_activity) size`
    const [found] = await rows<PastRecall>(
      session,
      sql`
      SELECT count(*) AS contacts, count(*) FILTER (WHERE EXISTS (
        SELECT FROM activity h WHERE h.contact_id = a.contact_id AND h.type = ${goal}
          AND h.occurred_at > ${then} AND h.occurred_at <= ${now})) AS recalled
      FROM contact_activity a JOIN contacts c ON c.contact_id = a.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = a.contact_id
      ${entry.join(moments, then, everybody)} ${sampled}
      WHERE a.contact_id % size.every = 0 AND ${withinSql(entry.since, moments)}`,
    )
    return found ?? { contacts: 0, recalled: 0 }
  }
  const [found] = await rows<PastRecall>(
    session,
    sql`
    WITH size AS (SELECT greatest(1, count(*) / ${SAMPLE}::int) AS every FROM contact_activity)
    SELECT count(*) AS contacts, count(*) FILTER (WHERE recalled) AS recalled FROM (
      SELECT max(h.occurred_at) FILTER (WHERE h.occurred_at <= ${then} AND h.type = ANY (${sql.param(activityTypes)}::text[]))
          AS silent_since,
        bool_or(h.occurred_at > ${then} AND h.type = ${goal}) AS recalled
      FROM contact_activity a CROSS JOIN size
      JOIN activity h ON h.contact_id = a.contact_id AND h.occurred_at <= ${now}
      WHERE a.contact_id % size.every = 0
      GROUP BY a.contact_id
    ) past
    WHERE ${withinSql(sql`silent_since`, moments)}`,
  )
  return found ?? { contacts: 0, recalled: 0 }
}
