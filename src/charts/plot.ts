import type { BarChart, Chart, ChartUnit, HeatChart, LineChart } from './chart.ts'
import type { ChartOption } from './svg.ts'

// From what a chart shows to how ECharts draws it. Colours are told apart by those who see no red and green, and on
// paper; the group that was left alone is always the grey one.

const PALETTE = ['#0b6e75', '#8a8f98', '#cc7722', '#5b4b9a', '#b3446c', '#4c8c4a']
const INK = '#1f2933'
const FAINT = '#6b7280'

/**
 * The chart as an ECharts option. One without a title leaves no room for it: where it stands, text of the page says it.
 * @param locale how numbers are written, BCP 47
 * @param width pixels it is drawn in: a long legend goes over several lines
 */
export function plotOption(chart: Chart, locale: string, width: number): ChartOption {
  const frame = {
    title: {
      text: chart.title,
      left: 8,
      top: 6,
      textStyle: { fontSize: 15, color: INK, fontWeight: 500 as const },
    },
    color: PALETTE,
    backgroundColor: '#ffffff',
  }
  if (chart.kind === 'heat') return { ...frame, ...heatOption(chart, locale, width) }
  if (chart.kind === 'bars') return { ...frame, ...barOption(chart, locale, width) }
  return { ...frame, ...lineOption(chart, locale, width) }
}

/** From here on, a number is longer than the room beside an axis; an amount has its currency before it. */
const LONG = { count: 1_000_000, money: 10_000 }

/**
 * How a chart's values are written.
 * @param most what is furthest from zero: where that is long, all of the axis are short, `30M` and `3000万`
 */
export function writerOf(
  unit: ChartUnit,
  locale: string,
  { currency, most = 0 }: { currency?: string | undefined; most?: number } = {},
): (value: number) => string {
  if (unit === 'money' && currency !== undefined) {
    const money = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency,
      minimumFractionDigits: 0,
      maximumFractionDigits: 2,
      ...(most < LONG.money ? {} : { notation: 'compact' as const }),
    })
    return (value) => money.format(value)
  }
  const whole = new Intl.NumberFormat(locale, {
    maximumFractionDigits: 1,
    ...(most < LONG.count ? {} : { notation: 'compact' as const }),
  })
  const signed = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, signDisplay: 'exceptZero' })
  if (unit === 'percent') return (value) => `${whole.format(value * 100)}%`
  if (unit === 'points') return (value) => signed.format(value * 100)
  return (value) => whole.format(value)
}

/** The smallest step of an axis: with a finer one, {@link writerOf} would write two of its values alike. */
const FINEST: Readonly<Record<ChartUnit, number>> = { percent: 0.001, points: 0.001, count: 1, money: 0.01 }

/** What is furthest from zero. */
function mostOf(values: readonly (number | null | undefined)[]): number {
  return values.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0)
}

const GRID = { left: 56, right: 24, bottom: 28 }
/** Pixels under the axis where it has a title. */
const NAMED = 44
/** Below this, the width of a phone. */
const NARROW = 480
/** Pixels of a title above what it is over. */
const TITLE = 30

/** Pixels of one line of a legend, of the sign before a name, and of a letter: those of Chinese are twice as wide. */
const LEGEND = { line: 24, sign: 48, letter: 6.5 }

/** Where the legend is, and where the picture itself begins. */
function topsOf(chart: Chart, width: number): { legend: number; grid: number } {
  const from = chart.title === '' ? 4 : 4 + TITLE
  const names = chart.kind === 'heat' || chart.series.length < 2 ? [] : chart.series.map(({ name }) => name)
  const wide = names.reduce(
    (sum, name) =>
      sum + LEGEND.sign + LEGEND.letter * [...name].reduce((all, c) => all + (c > '\u2e7f' ? 2 : 1), 0),
    0,
  )
  const lines = Math.ceil(wide / (width - 16))
  return { legend: from, grid: from + 10 + lines * LEGEND.line }
}

function lineOption(chart: LineChart, locale: string, width: number): ChartOption {
  const most = mostOf(
    chart.series.flatMap(({ points }) => points.flatMap(({ y, low, high }) => [y, low, high])),
  )
  const write = writerOf(chart.unit, locale, { currency: chart.currency, most })
  const place = (x: number | string) => (typeof x === 'string' ? Date.parse(x) : x)
  const tops = topsOf(chart, width)
  const days = chart.x === 'date' ? namedDays(chart, width) : []
  return {
    // The bands are series of their own and none of the legend's business.
    legend: {
      show: chart.series.length > 1,
      top: tops.legend,
      left: 8,
      data: chart.series.map(({ name }) => name),
      itemGap: 16,
      textStyle: { color: INK },
    },
    grid: { ...GRID, top: tops.grid, ...(chart.xTitle === '' ? {} : { bottom: NAMED }) },
    xAxis: {
      type: chart.x === 'date' ? 'time' : 'value',
      name: chart.xTitle,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { color: FAINT },
      axisLabel:
        chart.x === 'date'
          ? { color: FAINT, formatter: shortDate(locale), hideOverlap: true, customValues: days }
          : { color: FAINT },
      ...(chart.x === 'date' ? { axisTick: { customValues: days } } : {}),
      splitLine: { show: false },
      ...(chart.x === 'number' ? { minInterval: 1 } : {}),
    },
    yAxis: {
      type: 'value',
      minInterval: FINEST[chart.unit],
      axisLabel: { color: FAINT, formatter: (value: number) => write(value) },
      splitLine: { lineStyle: { color: '#e5e7eb' } },
    },
    series: chart.series.flatMap((series, at) => {
      const colour = PALETTE[at % PALETTE.length] ?? INK
      const banded = series.points.filter((point) => point.low !== undefined && point.high !== undefined)
      const hidden = { type: 'line' as const, symbol: 'none', lineStyle: { opacity: 0 }, silent: true }
      return [
        // A band is the low bound, drawn as nothing, with the distance to the high bound stacked upon it. Stacking
        // by sign would tear a band that crosses zero.
        ...(banded.length > 0
          ? [
              {
                ...hidden,
                name: `${series.name} low`,
                stack: `band ${at}`,
                stackStrategy: 'all' as const,
                data: banded.map(({ x, low = 0 }) => [place(x), low]),
              },
              {
                ...hidden,
                name: `${series.name} high`,
                stack: `band ${at}`,
                stackStrategy: 'all' as const,
                areaStyle: { color: colour, opacity: 0.16 },
                data: banded.map(({ x, low = 0, high = 0 }) => [place(x), high - low]),
              },
            ]
          : []),
        {
          type: 'line' as const,
          name: series.name,
          symbol: series.points.length === 1 ? 'circle' : 'none',
          lineStyle: { width: 2.5, color: colour },
          itemStyle: { color: colour },
          data: series.points.map(({ x, y }) => [place(x), y]),
          ...(at === 0 && chart.marks.length > 0 ? { markArea: markArea(chart, width) } : {}),
        },
      ]
    }),
  }
}

const DAY = 86_400_000
/** Days between two that an axis names. */
const APART = [1, 2, 7, 14, 28, 91, 182, 364]
/** Pixels that a day needs, and those of the picture that no day stands in. */
const NAME = { width: 64, margin: 90 }

/** The days an axis names: evenly from the first, as many as fit; where the points are weeks, weeks. */
function namedDays({ series }: LineChart, width: number): number[] {
  const all = series.flatMap(({ points }) => points.map(({ x }) => Date.parse(String(x))))
  const days = [...new Set(all)].sort((a, b) => a - b)
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined) return []
  const weekly = days.length > 1 && days.every((day) => (day - first) % (7 * DAY) === 0)
  const fit = Math.max(2, Math.floor((width - NAME.margin) / NAME.width))
  const apart =
    APART.filter((each) => !weekly || each % 7 === 0).find((each) => (last - first) / (each * DAY) < fit) ??
    Math.ceil((last - first) / (364 * DAY * fit)) * 364
  return Array.from(
    { length: Math.floor((last - first) / (apart * DAY)) + 1 },
    (_, at) => first + at * apart * DAY,
  )
}

/** Letters of a mark that are drawn: more would lie over its neighbours, and a page of them takes minutes to paint. */
const MARK = 40

/** As much of a mark as there is room for. */
function shortened(label: string, most: number): string {
  const letters = [...label.slice(0, 2 * most + 2)]
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : label
}

/** Pixels of a mark's words: a line of them, a letter, one of Chinese, and what is left free between two. */
const WORDS = { size: 11, line: 14, letter: 6.5, wide: 11.5, gap: 6 } as const
/** The same of names beside an axis, which are a pixel larger; the gap is that to the axis. */
const AXIS = { wide: 12.5, gap: 14 } as const
/** Lines of marks at the most: with more, the curve would lie under words. */
const LINES = 5

const widthOf = (words: string, wide: number = WORDS.wide) =>
  [...words].reduce((sum, letter) => sum + (letter > '\u2e7f' ? wide : WORDS.letter), 0)

/** Of a name beside an axis. */
const roomOf = (name: string) => widthOf(name, AXIS.wide)

/** Annotations as shaded days, their words at the top: within the picture, and in another line where others stand already. */
function markArea({ marks, series }: LineChart, width: number) {
  const days = series.flatMap(({ points }) => points.map(({ x }) => Date.parse(String(x))))
  const [first, last] = [Math.min(...days), Math.max(...days)]
  const [left, right] = [GRID.left, width - GRID.right]
  const xOf = (at: number) =>
    left + ((right - left) * (Math.min(last, Math.max(first, at)) - first)) / Math.max(1, last - first)
  const taken: { from: number; to: number; line: number }[] = []
  return {
    silent: true,
    itemStyle: { color: '#cc7722', opacity: 0.14 },
    label: { show: true, position: 'insideTop' as const, color: FAINT, fontSize: WORDS.size },
    data: marks.map(({ from, to, label }) => {
      const ends = Date.parse(to) + DAY
      const fits = widthOf(label.slice(0, 2 * MARK)) <= right - left
      const name = shortened(label, fits ? MARK : Math.min(MARK, Math.floor((right - left) / WORDS.wide)))
      const half = widthOf(name) / 2
      const middle = (xOf(Date.parse(from)) + xOf(ends)) / 2
      const x = Math.max(left + half, Math.min(right - half, middle))
      const isFree = (line: number) =>
        taken.every((each) => each.line !== line || each.to < x - half || x + half < each.from)
      const free = Array.from({ length: LINES }, (_, line) => line).find(isFree) ?? LINES - 1
      taken.push({ from: x - half - WORDS.gap, to: x + half + WORDS.gap, line: free })
      const offset = [x - middle, free * WORDS.line]
      const start = { name, xAxis: Date.parse(from), label: { offset } }
      return [start, { xAxis: ends }] as [typeof start, { xAxis: number }]
    }),
  }
}

/** Writes an instant's day in UTC: `Sep 8`. */
export function shortDate(locale: string): (at: number) => string {
  const format = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', timeZone: 'UTC' })
  return (at) => format.format(new Date(at))
}

/** What names may take of a picture’s width. */
const SHARE = 0.45

/** What stands beside the rows of a picture, whole, or as much of it as there is room for. */
function beside(names: readonly string[], width: number): { left: number; names: string[] } {
  const cut = names.map((each) => cutTo(each, SHARE * width - AXIS.gap))
  return { left: Math.ceil(Math.max(0, ...cut.map(roomOf)) + AXIS.gap), names: cut }
}

function cutTo(name: string, room: number): string {
  if (roomOf(name) <= room) return name
  const letters = [...name]
  while (letters.length > 0 && roomOf(`${letters.join('')}…`) > room) letters.pop()
  return `${letters.join('')}…`
}

/** Pixels of a column’s name that is too long to lie flat, from one such to the next, and under the columns where none is. */
const SLANTED = { room: 120, apart: 18, degrees: 40, bottom: 74 } as const
/** A cell narrower than this writes its value smaller. */
const TIGHT = 46

function heatOption(chart: HeatChart, locale: string, width: number): ChartOption {
  const write = writerOf(chart.unit, locale)
  const { left, names } = beside(chart.rows, width)
  const cell = (width - left - GRID.right) / Math.max(1, chart.columns.length)
  const flat = chart.columns.every((name) => roomOf(name) <= cell - 4)
  const columns = flat ? [...chart.columns] : chart.columns.map((name) => cutTo(name, SLANTED.room))
  const below = flat ? 0 : Math.max(0, ...columns.map(roomOf)) * Math.sin((SLANTED.degrees * Math.PI) / 180)
  const values = chart.cells.flatMap(({ value }) => (value === null ? [] : [Math.abs(value)]))
  const edge = Math.max(0.001, ...values)
  return {
    grid: {
      left,
      right: GRID.right,
      top: topsOf(chart, width).grid,
      bottom: SLANTED.bottom + Math.ceil(below),
    },
    xAxis: {
      type: 'category',
      data: columns,
      // Closer than that, names would lie over each other: every so many is named, and the table below has them all.
      axisLabel: {
        color: INK,
        interval: cell < SLANTED.apart ? 'auto' : 0,
        ...(flat ? {} : { rotate: SLANTED.degrees }),
      },
      axisTick: { show: false },
    },
    yAxis: {
      type: 'category',
      data: names,
      inverse: true,
      axisLabel: { color: INK, interval: 0 },
      axisTick: { show: false },
    },
    visualMap: {
      min: -edge,
      max: edge,
      orient: 'horizontal',
      left: 'center',
      bottom: 6,
      itemWidth: 12,
      text: [write(edge), write(-edge)],
      textStyle: { color: FAINT },
      inRange: { color: ['#b3446c', '#f5f5f4', '#0b6e75'] },
    },
    series: [
      {
        type: 'heatmap',
        // What would lie over its neighbour stands in the table below alone.
        labelLayout: { hideOverlap: true },
        data: chart.cells.map(({ row, column, value, label, strong }) => ({
          value: [column, row, value ?? '-'],
          label: {
            show: true,
            formatter: label,
            fontSize: cell < TIGHT ? 10 : 12,
            fontWeight: strong ? ('bold' as const) : ('normal' as const),
            color: value !== null && Math.abs(value) > 0.6 * edge ? '#ffffff' : INK,
          },
          itemStyle: strong
            ? { borderColor: INK, borderWidth: 2 }
            : { borderColor: '#ffffff', borderWidth: 1 },
        })),
      },
    ],
  }
}

function barOption(chart: BarChart, locale: string, width: number): ChartOption {
  const most = mostOf(
    chart.categories.map((_, at) => chart.series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0)),
  )
  const write = writerOf(chart.unit, locale, { most })
  const tops = topsOf(chart, width)
  const { left, names } = beside(chart.categories, width)
  return {
    legend: { show: chart.series.length > 1, top: tops.legend, left: 8, textStyle: { color: INK } },
    grid: { ...GRID, left, top: tops.grid },
    xAxis: {
      type: 'value',
      // On a phone five figures run into one another.
      splitNumber: width < NARROW ? 2 : 5,
      minInterval: FINEST[chart.unit],
      axisLabel: { color: FAINT, formatter: (value: number) => write(value), hideOverlap: true },
      splitLine: { lineStyle: { color: '#e5e7eb' } },
    },
    yAxis: { type: 'category', data: names, inverse: true, axisLabel: { color: INK, interval: 0 } },
    series: chart.series.map(({ name, values }) => ({
      type: 'bar' as const,
      name,
      stack: 'all',
      barMaxWidth: 26,
      data: [...values],
    })),
  }
}
