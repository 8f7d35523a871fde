import type { Report, TextStyle } from './report.ts'
import { formatSheet, type Sheet } from './sheet.ts'

/** A report whose text is its sheet: data in words, from which terminal, CSV, page and mail are written. */
export interface SheetReport<Question, Data> extends Report<Question, Data> {
  sheet(data: Data, style: TextStyle): Sheet
}

export function sheetReport<Question, Data>(
  report: Omit<SheetReport<Question, Data>, 'format'>,
): SheetReport<Question, Data> {
  return { ...report, format: (data, style) => formatSheet(report.sheet(data, style), style) }
}
