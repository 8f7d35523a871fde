import { sql } from 'drizzle-orm'
import { factCatalogue } from '../config/facts.ts'
import type { Workspace } from '../config/workspace.ts'
import { rows, type Session } from '../database/connect.ts'

/** How current signals are, and what they come to over everybody. */
export interface SignalStanding {
  /** Everybody, also who has no history yet: what the classes below add up to. */
  readonly contacts: number
  /** Marked by ingest and not recomputed yet. */
  readonly waiting: number
  /** Contacts by churn, by its reason and by risk grade. */
  readonly churn: Readonly<Record<string, number>>
  readonly reasons: Readonly<Record<string, number>>
  readonly risk: Readonly<Record<string, number>>
}

/** Counts everybody as of a moment, by the very facts that conditions use. One pass. */
export async function readSignalStanding(
  session: Session,
  workspace: Workspace,
  now: Date,
): Promise<SignalStanding> {
  const facts = factCatalogue(workspace)
  const value = (path: string) => {
    const fact = facts.get(path)
    if (!fact) throw new Error(`there is no fact ${path}`)
    return fact.sql(now)
  }
  const counted = await rows<{ churn: string; reason: string; risk: string; contacts: number }>(
    session,
    sql`SELECT coalesce(churn, 'unknown') AS churn, coalesce(reason, 'unknown') AS reason, coalesce(risk, 'none') AS risk,
          count(*) AS contacts
        FROM (SELECT ${value('churn')} AS churn, ${value('churn_reason')} AS reason, ${value('risk.grade')} AS risk
          FROM contacts c JOIN contact_activity a ON a.contact_id = c.contact_id
          LEFT JOIN contact_signals s ON s.contact_id = c.contact_id) everyone
        GROUP BY 1, 2, 3`,
  )
  const [marks] = await rows<{ waiting: number }>(session, sql`SELECT count(*) AS waiting FROM signal_marks`)
  const by = (key: 'churn' | 'reason' | 'risk') => {
    const sums: Record<string, number> = {}
    for (const row of counted) sums[row[key]] = (sums[row[key]] ?? 0) + row.contacts
    return Object.fromEntries(Object.entries(sums).toSorted(([, one], [, other]) => other - one))
  }
  const contacts = counted.reduce((sum, row) => sum + row.contacts, 0)
  return {
    contacts,
    waiting: marks?.waiting ?? 0,
    churn: by('churn'),
    reasons: by('reason'),
    risk: by('risk'),
  }
}
