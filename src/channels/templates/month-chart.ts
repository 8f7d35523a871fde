import { renderPng } from '../../charts/png.ts'
import { CHART_FONT, FIGURES } from '../../charts/svg.ts'

// The chart of a letter: twelve bars, the tallest told apart. No grid, no second axis: it is looked at for a second,
// on a phone. The ground is transparent and the inks stand out on white as on the dark ground of a night theme.
//
// Drawn here and not by ECharts, which the pages' charts are drawn by: every letter has a chart of its own, and laying
// out twelve bars by a library that can lay out anything took twice as long as all the rest of the letter.

const SIZE = { width: 512, height: 200 }
/** Where the bars stand: room for the tallest one's figure above, for the months below. */
const PLOT = { left: 4, right: 508, top: 30, bottom: 174 }
/** Share of a month's width that its bar takes, and the radius of a bar's upper corners. */
const BAR_WIDTH = 0.62
const CORNER = 4
/** Size of the tallest bar's figure, and the share of it that a digit takes at most. */
const FIGURE = 13
const WIDEST = 0.6
const BAR = '#d98b6f'
const BEST = '#c4532d'
const INK = '#8a8178'

/** A month as the report gives it: `2026-03`, spend in currency units. */
export interface ChartMonth {
  readonly month: string
  readonly spend: number
  readonly active_days: number
}

/** Whether a value is what `report.months` holds: helpers take what a template hands them. */
export function isMonths(value: unknown): value is readonly ChartMonth[] {
  return (
    Array.isArray(value) &&
    value.every((item: unknown) => {
      if (typeof item !== 'object' || item === null) return false
      const { month, spend, active_days: days } = item as Partial<ChartMonth>
      return typeof month === 'string' && typeof spend === 'number' && typeof days === 'number'
    })
  )
}

/** What the bars stand for: money, unless none was spent. */
export function measureOf(months: readonly ChartMonth[]): 'spend' | 'active_days' {
  return months.some(({ spend }) => spend > 0) ? 'spend' : 'active_days'
}

/** Writes a value. */
type Format = (value: number) => string

/**
 * @param format writes the tallest bar's value as the reader's language does, and `plain` in figures and Latin letters
 * @returns a PNG of 768 by 300 pixels
 */
export async function drawMonths(
  months: readonly ChartMonth[],
  locale: string,
  format: Format,
  plain: Format,
): Promise<Buffer> {
  return await renderPng(monthsSvg(months, locale, format, plain), 1.5)
}

/** The chart as an SVG document. Pure. */
export function monthsSvg(
  months: readonly ChartMonth[],
  locale: string,
  format: Format,
  plain: Format,
): string {
  const measure = measureOf(months)
  const values = months.map((month) => month[measure])
  const most = Math.max(...values)
  const tallest = values.indexOf(most)
  const { left, right, top, bottom } = PLOT
  const step = (right - left) / months.length
  const name = monthNamer(locale)
  const text = (words: string, x: number, y: number, size: number) =>
    `<text x="${place(x)}" y="${place(y)}" font-size="${size}">${escapeText(words)}</text>`
  // Above the first or last bar there is no room for a long amount to both sides: its end would be cut off.
  const figureOf = (words: string, middle: number, y: number) => {
    const half = ([...words].length * FIGURE * WIDEST) / 2
    return text(words, Math.max(left + half, Math.min(right - half, middle)), y, FIGURE)
  }
  const parts = months.map(({ month }, no) => {
    const value = values[no] ?? 0
    const middle = left + step * (no + 0.5)
    const label = text(writable(name(month)) ?? `${Number(month.slice(-2))}`, middle, bottom + 20, 12)
    if (value <= 0) return label
    const height = ((bottom - top) * value) / most
    const bar = `<path d="${barPath(middle, step * BAR_WIDTH, height)}" fill="${no === tallest ? BEST : BAR}"/>`
    const words = () => writable(format(value)) ?? plain(value)
    const figure = no === tallest ? figureOf(words(), middle, bottom - height - 6) : ''
    return `${bar}${figure}${label}`
  })
  const { width, height } = SIZE
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><g fill="${INK}" font-family="${CHART_FONT}" text-anchor="middle">${parts.join('')}</g><path d="M${left} ${bottom}H${right}" stroke="${INK}"/></svg>`
}

/** A bar on the ground line, its upper corners round. */
function barPath(middle: number, width: number, height: number): string {
  const [from, to] = [place(middle - width / 2), place(middle + width / 2)]
  const corner = Math.min(CORNER, height)
  const shoulder = place(PLOT.bottom - height + corner)
  const arc = (x: number, y: number) => `a${place(corner)} ${place(corner)} 0 0 1 ${place(x)} ${place(y)}`
  return `M${from} ${PLOT.bottom}V${shoulder}${arc(corner, -corner)}H${place(to - corner)}${arc(corner, corner)}V${PLOT.bottom}Z`
}

/** Hundredths of a pixel: finer makes no difference, and the text longer. */
function place(value: number): number {
  return Math.round(value * 100) / 100
}

/** Words as the font that ships writes them; undefined where it lacks a letter of theirs, and would leave it out. */
function writable(words: string): string | undefined {
  // French parts thousands by a narrow blank, which it lacks.
  const text = words.replaceAll('\u202f', '\u00a0')
  return FIGURES.test(text) ? text : undefined
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** Making a format takes longer than drawing the chart. */
function monthNamer(locale: string): (month: string) => string {
  const format = formats.get(locale) ?? new Intl.DateTimeFormat(locale, { month: 'short', timeZone: 'UTC' })
  formats.set(locale, format)
  return (month) => format.format(new Date(`${month}-01T00:00:00Z`))
}
