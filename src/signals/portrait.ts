import { sql } from 'drizzle-orm'
import type { Fact } from '../config/fact.ts'
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
        FROM contacts c JOIN contact_activity a ON a.contact_id = c.contact_id
        LEFT JOIN (${historySql(rulesOf(workspace), sql`x.contact_id = ${contactId}`, now)}) s ON s.contact_id = c.contact_id
        WHERE c.contact_id = ${contactId}`,
  )
  return found?.portrait ?? {}
}
