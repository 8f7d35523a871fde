import { sql } from 'drizzle-orm'
import type { ChartMark } from '../charts/chart.ts'
import { LONGEST_TYPED } from '../config/typed-text.ts'
import { execute, rows, type Session } from '../database/connect.ts'
import type { Range } from './people-cells.ts'
import type { Speech } from './words.ts'

// What happened that day, for whoever reads a curve months later.

export interface Annotation {
  readonly id: number
  /** Null: about every campaign. */
  readonly campaign: string | null
  readonly from: string
  readonly to: string
  readonly label: string
}

/** Characters of a label: it stands on every curve, and under every report that has one. */
export const LONGEST_LABEL = LONGEST_TYPED.line

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

/** What was noted about the campaign, or about all, that touches the range. */
export async function readAnnotations(session: Session, range: Range): Promise<Annotation[]> {
  return await rows<Annotation>(
    session,
    sql`
    SELECT annotation_id AS id, campaign, starts_on::text AS from, ends_on::text AS to, label FROM annotations
    WHERE (campaign IS NULL OR campaign = ${range.campaign})
      AND (${range.from ?? null}::date IS NULL OR ends_on >= ${range.from ?? null}::date)
      AND (${range.to ?? null}::date IS NULL OR starts_on < ${range.to ?? null}::date)
    ORDER BY starts_on, annotation_id`,
  )
}

/** Annotations as marks on a chart. */
export function marksOf(annotations: readonly Annotation[]): ChartMark[] {
  return annotations.map(({ from, to, label }) => ({ from, to, label }))
}

/** Annotations as lines under a report. */
export function annotationNotes(annotations: readonly Annotation[], speech: Speech): string[] {
  const { day } = speech
  const colon = speech.language === 'en' ? ': ' : '：'
  return annotations.map(
    ({ from, to, label }) => `${from === to ? day(from) : `${day(from)} – ${day(to)}`}${colon}${label}`,
  )
}
