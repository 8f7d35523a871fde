import { sql } from 'drizzle-orm'
import { type Database, rows } from '../database/connect.ts'
import { HOLDINGS, rowsOf } from './holdings.ts'

/** Everything held about one contact: rows by table, as they stand. */
export type Held = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>

/** Reads everything held about a contact, by the list that erasure goes by. Tables without any row are left out. */
export async function exportContact(database: Database, contactId: number): Promise<Held> {
  const held: Record<string, readonly Record<string, unknown>[]> = {}
  for (const holding of HOLDINGS) {
    if (holding.rehearsal) continue
    const found = await rows<{ row: Record<string, unknown> }>(
      database,
      sql`SELECT to_jsonb(held) AS row FROM ${sql.identifier(holding.table)} AS held WHERE ${rowsOf(holding, contactId)}`,
    )
    if (found.length > 0) held[holding.table] = found.map(({ row }) => row)
  }
  return held
}

/** The same as CSV of `table,row,field,value`: one value a line, whatever the tables have for columns. RFC 4180. */
export function exportCsv(held: Held): string {
  const lines = Object.entries(held).flatMap(([table, found]) =>
    found.flatMap((row, no) =>
      Object.entries(row).map(([field, value]) => [table, String(no + 1), field, textOf(value)]),
    ),
  )
  return [['table', 'row', 'field', 'value'], ...lines]
    .map((line) => `${line.map(quote).join(',')}\r\n`)
    .join('')
}

function textOf(value: unknown): string {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Quoted where it must be; a cell that a spreadsheet would take for a formula gets an apostrophe. */
function quote(cell: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) && !/^[+-]?\d+(\.\d+)?$/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
