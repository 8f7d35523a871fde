import { sql } from 'drizzle-orm'
import { execute, rows, type Session } from '../database/connect.ts'
import type { Annotation } from './freshness.ts'

// What happened that day, for whoever reads a curve months later.

/** Notes something that lasted from a day to a day, both included, ISO. A null campaign means all of them. */
export async function addAnnotation(
  session: Session,
  annotation: Omit<Annotation, 'id'> & { readonly by: string; readonly now: Date },
): Promise<Annotation> {
  const { campaign, from, to, label, by, now } = annotation
  const [added] = await rows<{ id: number }>(
    session,
    sql`INSERT INTO annotations (campaign, starts_on, ends_on, label, made_by, made_at)
        VALUES (${campaign}, ${from}, ${to}, ${label}, ${by}, ${now}) RETURNING annotation_id AS id`,
  )
  if (!added) throw new Error('an INSERT returned no row')
  return { id: added.id, campaign, from, to, label }
}

/** @returns whether there was one */
export async function removeAnnotation(session: Session, id: number): Promise<boolean> {
  return (await execute(session, sql`DELETE FROM annotations WHERE annotation_id = ${id}`)) > 0
}

export async function listAnnotations(session: Session): Promise<Annotation[]> {
  return await rows<Annotation>(
    session,
    sql`SELECT annotation_id AS id, campaign, starts_on::text AS from, ends_on::text AS to, label
        FROM annotations ORDER BY starts_on, annotation_id`,
  )
}
