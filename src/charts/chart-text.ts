import type { BarChart, Chart, LineChart } from './chart.ts'
import { shortDate, writerOf } from './plot.ts'

/** Points of a curve that are told, its first and last among them: more are not listened to. */
const TOLD = 8

/**
 * What a chart shows, for whoever sees no picture: its title, and the values of each curve or bar. Of a heat map the
 * title alone, for its cells stand in a table; nor are marks told, which stand in the notes.
 * @param locale how numbers and days are written, BCP 47
 */
export function chartText(chart: Chart, locale: string): string {
  const stop = /^zh\b/i.test(locale) ? ({ comma: '，', colon: '：', end: '。' } as const) : ENGLISH
  const part = (name: string, values: readonly string[]) => `${name}${stop.colon}${values.join(stop.comma)}`
  return [titleOf(chart), ...partsOf(chart, locale, part)].join(stop.end)
}

const ENGLISH = { comma: ', ', colon: ': ', end: '. ' } as const

type Part = (name: string, values: readonly string[]) => string

function titleOf(chart: Chart): string {
  return chart.kind === 'lines' && chart.xTitle !== '' ? `${chart.title} (${chart.xTitle})` : chart.title
}

function partsOf(chart: Chart, locale: string, part: Part): string[] {
  switch (chart.kind) {
    case 'lines':
      return lineParts(chart, locale, part)
    case 'bars':
      return barParts(chart, locale, part)
    case 'heat':
      return []
  }
}

function lineParts({ series, unit, currency }: LineChart, locale: string, part: Part): string[] {
  const write = writerOf(unit, locale, { currency })
  const date = shortDate(locale)
  const day = (x: number | string) => (typeof x === 'string' ? date(Date.parse(x)) : String(x))
  return series.flatMap(({ name, points }) => {
    const known = points.flatMap(({ x, y }) => (y === null ? [] : [`${day(x)} ${write(y)}`]))
    return known.length === 0 ? [] : [part(name, spread(known))]
  })
}

function barParts({ series, categories, unit }: BarChart, locale: string, part: Part): string[] {
  const write = writerOf(unit, locale)
  return series.map(({ name, values }) =>
    part(
      name,
      values.map((value, at) => `${categories[at]} ${write(value)}`),
    ),
  )
}

/** As many as are told, evenly. */
function spread<Each>(all: readonly Each[]): Each[] {
  if (all.length <= TOLD) return [...all]
  return Array.from(
    { length: TOLD },
    (_, at) => all[Math.round((at * (all.length - 1)) / (TOLD - 1))],
  ).filter((each) => each !== undefined)
}
