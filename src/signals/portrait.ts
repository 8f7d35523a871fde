import { type SQL, sql } from 'drizzle-orm'
import { type Fact, instant } from '../config/fact.ts'
import { factCatalogue } from '../config/facts.ts'
import type { Workspace } from '../config/workspace.ts'
import { rows, type Session } from '../database/connect.ts'
import { objectSql } from '../database/jsonb.ts'
import { historySql, rulesOf } from './history.ts'

/** Signals of one contact by fact path, as JSON has them; what is not known is absent. */
export type Portrait = Readonly<Record<string, unknown>>

/**
 * One contact's signals, calculated from their events up to a moment and not from what is stored: so they are never
 * behind, and a look into the past knows nothing that came later.
 */
export async function readPortrait(
  session: Session,
  workspace: Workspace,
  contactId: number,
  now: Date,
): Promise<Portrait> {
  const facts = [...factCatalogue(workspace).values()].filter(({ known }) => known !== undefined)
  const silence = factCatalogue(workspace).get('activity.silence')
  const asked: Fact[] = silence ? [...facts, silence] : facts
  const values = asked.map((fact) => ({ name: fact.path, value: fact.sql(now) }))
  const [found] = await rows<{ portrait: Portrait }>(
    session,
    sql`SELECT jsonb_strip_nulls(${objectSql(values)}) AS portrait
        FROM contacts c JOIN (${activityAt(workspace, contactId, now)}) a ON a.contact_id = c.contact_id
        LEFT JOIN (${historySql(rulesOf(workspace), sql`x.contact_id = ${contactId}`, now)}) s ON s.contact_id = c.contact_id
        WHERE c.contact_id = ${contactId}`,
  )
  return found?.portrait ?? {}
}

/** The contact's row of contact_activity; where they did something since, what it was at that moment, by the events. */
function activityAt({ activity, orders }: Workspace, contactId: number, now: Date): SQL {
  const moment = instant(now)
  const counts = sql`e.type = ANY (${sql.param([...activity])}::text[])`
  const ordered = sql`e.type = ${orders.event}`
  const newest = sql`greatest(k.silent_since, k.last_order_at)`
  return sql`SELECT k.contact_id, k.silent_since, k.last_active_at, k.orders_count, k.orders_total, k.last_order_at
      FROM contact_activity k WHERE k.contact_id = ${contactId} AND coalesce(${newest} <= ${moment}, true)
    UNION ALL
    SELECT c.contact_id, coalesce(max(e.occurred_at) FILTER (WHERE ${counts}),
        CASE WHEN c.signed_up_at <= ${moment} THEN c.signed_up_at END),
      max(e.occurred_at) FILTER (WHERE ${counts}), count(*) FILTER (WHERE ${ordered}),
      coalesce(sum(e.value) FILTER (WHERE ${ordered}), 0), max(e.occurred_at) FILTER (WHERE ${ordered})
    FROM contacts c JOIN contact_activity k ON k.contact_id = c.contact_id
    LEFT JOIN activity e ON e.contact_id = c.contact_id AND e.occurred_at <= ${moment}
    WHERE c.contact_id = ${contactId} AND ${newest} > ${moment} GROUP BY c.contact_id, c.signed_up_at`
}
