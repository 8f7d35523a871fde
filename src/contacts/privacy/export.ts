import { sql } from 'drizzle-orm'
import { csvField } from '../../config/csv-field.ts'
import { type Database, rows } from '../../database/connect.ts'
import { HOLDINGS, rowsOf } from './holdings.ts'

/** Everything held about one contact: rows by table, as they stand; amounts as decimals, beside their currency. */
export type Held = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>

/**
 * Reads everything held about a contact, by the list that erasure goes by. Tables without any row are left out.
 * @param currency the workspace's one: in it amounts are written
 */
export async function exportContact(
  database: Database,
  contactId: number,
  { currency }: { readonly currency: string },
): Promise<Held> {
  const write = amountWriter(currency)
  const held: Record<string, readonly Record<string, unknown>[]> = {}
  for (const holding of HOLDINGS) {
    if (holding.rehearsal) continue
    // As text, for a number in JSON would be rounded: to one that nobody holds.
    const wide = (holding.wide ?? []).map(
      (column) => sql` || jsonb_build_object(${column}::text, held.${sql.identifier(column)}::text)`,
    )
    const found = await rows<{ row: Record<string, unknown> }>(
      database,
      sql`SELECT to_jsonb(held)${sql.join(wide)} AS row FROM ${sql.identifier(holding.table)} AS held WHERE ${rowsOf(holding, contactId)}`,
    )
    if (found.length > 0) held[holding.table] = found.map(({ row }) => inUnits(row, holding.money ?? []))
  }
  return held

  /** Nobody who asks what is held about them knows what a micro is. */
  function inUnits(row: Record<string, unknown>, money: readonly string[]): Record<string, unknown> {
    const amounts = money.flatMap((column) => {
      const micros = row[column]
      return typeof micros === 'number' ? [[column, write(micros)] as const] : []
    })
    return amounts.length === 0 ? row : { ...row, ...Object.fromEntries(amounts), currency }
  }
}

/** Writes integer micros exactly: 39330000 → `39.33`, 45000 → `0.045`; as text, for no reader to round. */
function amountWriter(currency: string): (micros: number) => string {
  const digits =
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().minimumFractionDigits ?? 2
  return (micros) => {
    const whole = Math.floor(Math.abs(micros) / 1e6)
    const fraction = String(Math.abs(micros) % 1e6).padStart(6, '0')
    const decimals = fraction.replace(/0+$/, '').padEnd(digits, '0')
    return `${micros < 0 ? '-' : ''}${whole}${decimals === '' ? '' : `.${decimals}`}`
  }
}

/** The same as CSV of `table,row,field,value`: one value a line, whatever the tables have for columns. RFC 4180. */
export function exportCsv(held: Held): string {
  const lines = Object.entries(held).flatMap(([table, found]) =>
    found.flatMap((row, no) =>
      Object.entries(row).map(([field, value]) => [table, String(no + 1), field, textOf(value)]),
    ),
  )
  return [['table', 'row', 'field', 'value'], ...lines]
    .map((line) => `${line.map(fieldOf).join(',')}\r\n`)
    .join('')
}

function textOf(value: unknown): string {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A telephone number or an amount stays the number it is; all else is guarded against spreadsheets. */
function fieldOf(cell: string): string {
  return /^[+-]?\d+(\.\d+)?$/.test(cell) ? cell : csvField(cell)
}
