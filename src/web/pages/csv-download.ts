import type { Context } from 'hono'

/** A CSV that people download: a spreadsheet takes its letters for those of the machine's old code page unless it begins with this. */
const MARK = '\uFEFF'

/** Hands a CSV over as a file; programs ask the API, whose CSV begins with its first letter. */
export function downloadCsv(c: Context, name: string, csv: string): Response {
  c.header('Content-Disposition', `attachment; filename="${name}.csv"`)
  return c.body(`${MARK}${csv}`, 200, { 'Content-Type': 'text/csv; charset=utf-8' })
}
