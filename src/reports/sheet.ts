import type { Chart, ChartPoint } from '../charts/chart.ts'
import { csvField } from '../config/csv-field.ts'
import type { Estimate, NotEnough } from '../statistics/estimate.ts'
import { type Column, fitted, painter, wrap } from './layout.ts'
import type { TextStyle } from './report.ts'
import { bracketed, type Speech, span, speechOf } from './words.ts'

// A report in words, whatever it is shown on: sentences, tables, charts, notes. Terminal, CSV, page and mail are four
// ways to write the same sheet, so that none of them can say something else than the others.

export type Tone = 'plain' | 'good' | 'bad' | 'faint'

export interface Cell {
  readonly text: string
  /** For a CSV: the bare number. Absent, the text is all there is. */
  readonly value?: number | string | null
  /** The interval of the value that is written in the text: in a CSV, columns of their own after all others. */
  readonly interval?: { readonly low: number; readonly high: number } | undefined
}

export interface SheetTable {
  /** Stable, for links and `--table`. */
  readonly id: string
  readonly title: string
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
  /** What to do where there are no rows. */
  readonly empty: string
}

export interface Figure {
  readonly name: string
  readonly text: string
  readonly tone: Tone
  /** Its interval, what it is of, or what to hold it against. */
  readonly beside?: string | undefined
}

export interface Sheet {
  readonly name: string
  readonly title: string
  /** Whom and when it is about, and how fresh it is. */
  readonly about: readonly string[]
  readonly sentences: readonly { readonly text: string; readonly tone: Tone }[]
  /** What a page shows large, before the sentences: nothing that they and the tables do not say. */
  readonly figures?: { readonly title: string; readonly figures: readonly Figure[] } | undefined
  readonly tables: readonly SheetTable[]
  readonly charts: readonly Chart[]
  readonly notes: readonly string[]
}

/** Cells, written in one language. The value beside the text is what a spreadsheet calculates with. */
export interface CellWriter {
  text(text: string): Cell
  count(value: number): Cell
  percent(value: number | undefined): Cell
  /** A difference of rates, in points. */
  points(value: number | undefined): Cell
  /** Integer micros; in the CSV in units. */
  money(micros: number | undefined): Cell
  plain(value: number | undefined): Cell
  /** A count with its sign. */
  signed(value: number): Cell
  /** A part of a whole; none where there is no whole. */
  share(part: number, whole: number): Cell
  /** By its title; in the CSV by its name. */
  channel(name: string): Cell
  /** A rate, without its interval. */
  rate(rate: Estimate | NotEnough): Cell
  readonly none: Cell
}

/** An amount with its interval, of integer micros; the CSV has both in units. */
export function amountAround(
  { value, low, high }: { readonly value: number; readonly low: number; readonly high: number },
  speech: Speech,
): Cell {
  return {
    text: speech.money(value) + bracketed(span(speech.money, { low, high }), speech),
    value: value / 1e6,
    interval: { low: low / 1e6, high: high / 1e6 },
  }
}

/** A point of a chart with its interval, or a gap. */
export function pointAt(x: number | string, estimate: Estimate | NotEnough): ChartPoint {
  if (estimate.kind !== 'estimate') return { x, y: null }
  return { x, y: estimate.value, low: estimate.low, high: estimate.high }
}

/** With the ends of its interval, which the CSV has in columns of their own. */
export function within(cell: Cell, { low, high }: { readonly low: number; readonly high: number }): Cell {
  return { ...cell, interval: { low, high } }
}

function cellsIn(speech: Speech): CellWriter {
  const none = { text: '–', value: null }
  const known = (value: number | undefined, write: (value: number) => string, unit = 1): Cell =>
    value === undefined ? none : { text: write(value), value: value / unit }
  return {
    text: (text) => ({ text }),
    count: (value) => ({ text: speech.count(value), value }),
    percent: (value) => known(value, speech.percent),
    points: (value) => known(value, speech.points),
    money: (micros) => known(micros, speech.money, 1e6),
    plain: (value) => known(value, speech.plain),
    signed: (value) => known(value, speech.signed),
    share: (part, whole) => known(whole > 0 ? part / whole : undefined, speech.percent),
    channel: (name) => ({ text: speech.channel(name), value: name }),
    rate: (rate) => known(rate.kind === 'estimate' ? rate.value : undefined, speech.percent),
    none,
  }
}

/** The sheet as text for a terminal. */
export function formatSheet(sheet: Sheet, style: TextStyle): string {
  const paint = painter(style.color)
  const tone = { plain: paint.strong, good: paint.good, bad: paint.bad, faint: paint.faint }
  return [
    paint.strong(sheet.title),
    ...sheet.about.flatMap((line) => wrap(line, style.width).map(paint.faint)),
    '',
    ...sheet.sentences.flatMap(({ text, tone: of }) => wrap(text, style.width).map(tone[of])),
    ...(sheet.sentences.length > 0 ? [''] : []),
    ...sheet.tables.flatMap((table) => [
      ...wrap(table.title, style.width).map(paint.strong),
      ...(table.rows.length === 0
        ? wrap(table.empty, style.width - 2).map((line) => `  ${paint.faint(line)}`)
        : fitted(
            table.columns,
            table.rows.map((row) => row.map((cell) => cell.text)),
            paint,
            style.width,
          )),
      '',
    ]),
    ...sheet.notes.flatMap((note) => wrap(`* ${note}`, style.width).map(paint.faint)),
  ].join('\n')
}

/**
 * Tables as CSV (RFC 4180, CRLF), a blank line between two, each under a line with its id. One table alone comes
 * without that line. Where cells have an interval, its ends follow the columns, named by `≥` and `≤`.
 */
export function csvOf(tables: readonly SheetTable[]): string {
  return tables
    .map((table) => {
      const around = table.columns.flatMap(({ title }, at) =>
        table.rows.some((row) => row[at]?.interval) ? [{ title, at }] : [],
      )
      const lines = [
        [
          ...table.columns.map(({ title }) => title),
          ...around.flatMap(({ title }) => [`${title} ≥`, `${title} ≤`]),
        ],
        ...table.rows.map((row) => [
          ...row.map(bare),
          ...around.flatMap(({ at }) => [row[at]?.interval?.low ?? '', row[at]?.interval?.high ?? '']),
        ]),
      ]
      const csv = lines.map((line) => line.map(csvField).join(',')).join('\r\n')
      return tables.length === 1 ? `${csv}\r\n` : `${csvField(table.id)}\r\n${csv}\r\n`
    })
    .join('\r\n')
}

function bare({ text, value }: Cell): string | number {
  if (value === undefined) return text
  return value === null ? '' : value
}

/** The speech and the cells of a style: what every report's words begin with. */
export function writing(style: TextStyle): { speech: Speech; cell: CellWriter; en: boolean } {
  const speech = speechOf(style)
  return { speech, cell: cellsIn(speech), en: speech.language === 'en' }
}
