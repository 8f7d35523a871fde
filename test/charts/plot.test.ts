import { describe, expect, it } from 'vitest'
import type { BarChart, HeatChart, LineChart } from '../../src/charts/chart.ts'
import { plotOption } from '../../src/charts/plot.ts'
import { drawSvg } from '../../src/charts/svg.ts'

const DAY = 86_400_000

const chartOf = (from: string, count: number, apart: number, over: Partial<LineChart> = {}): LineChart => ({
  ...{ kind: 'lines', id: 'test', title: '', xTitle: '', x: 'date', unit: 'count', marks: [] },
  series: [
    {
      name: 'all',
      points: Array.from({ length: count }, (_, at) => ({
        x: new Date(Date.parse(from) + at * apart * DAY).toISOString().slice(0, 10),
        y: at * 1000,
      })),
    },
  ],
  ...over,
})

/** What stands on the picture, in the order it is drawn. */
const texts = (chart: LineChart | BarChart, width = 760, locale = 'en') =>
  [...drawSvg(plotOption(chart, locale, width), { width, height: 300 }).matchAll(/<text[^>]*>([^<]+)</g)].map(
    ([, text]) => text,
  )

const days = (chart: LineChart, width = 760, locale = 'en') =>
  texts(chart, width, locale).filter((text) => /[A-Z][a-z]{2} \d|月/.test(text ?? ''))

describe('a curve over days', () => {
  it('names weeks where its points are weeks', () => {
    expect(days(chartOf('2025-09-01', 4, 7))).toEqual(['Sep 1', 'Sep 8', 'Sep 15', 'Sep 22'])
  })

  it('names days that are as far apart from each other, as many as fit', () => {
    expect(days(chartOf('2025-09-01', 3, 1))).toEqual(['Sep 1', 'Sep 2', 'Sep 3'])
    const wide = days(chartOf('2025-09-01', 60, 1))
    expect(wide).toEqual([
      'Sep 1',
      'Sep 8',
      'Sep 15',
      'Sep 22',
      'Sep 29',
      'Oct 6',
      'Oct 13',
      'Oct 20',
      'Oct 27',
    ])
    expect(days(chartOf('2025-09-01', 60, 1), 340, 'zh-CN')).toEqual(['9月1日', '9月29日', '10月27日'])
    // Of ten years, too.
    expect(days(chartOf('2016-01-01', 3650, 1)).length).toBeLessThan(12)
  })

  it('has lines that stand out from the white they are drawn on, three to one', () => {
    const [points] = chartOf('2025-09-01', 4, 7).series.map((each) => each.points)
    const series = Array.from({ length: 6 }, (_, at) => ({ name: `line ${at}`, points: points ?? [] }))
    const chart = chartOf('2025-09-01', 4, 7, { series })
    const svg = drawSvg(plotOption(chart, 'en', 760), { width: 760, height: 300 })
    const drawn = [...svg.matchAll(/<path[^>]*fill="none"[^>]* stroke="#([0-9a-f]{6})" stroke-width="2\.5/g)]
    const colours = [...new Set(drawn.map(([, colour = '']) => colour))]
    expect(colours).toHaveLength(6)
    // By WCAG 2.2's relative luminance.
    const luminance = (colour: string) =>
      [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => {
        const part = Number.parseInt(colour.slice(2 * at, 2 * at + 2), 16) / 255
        return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
      }, 0)
    expect(colours.filter((colour) => 1.05 / (luminance(colour) + 0.05) < 3)).toEqual([])
  })

  it('draws as much of a mark as there is room for, however long it is', () => {
    const marks = ['sale', '大'.repeat(100_000), '🎉'.repeat(41)].map((label, at) => ({
      from: `2025-09-0${at + 1}`,
      to: `2025-09-0${at + 1}`,
      label,
    }))
    const drawn = texts(chartOf('2025-09-01', 9, 1, { marks })).filter((text) =>
      /sale|大|🎉/u.test(text ?? ''),
    )
    expect(drawn).toEqual(['sale', `${'大'.repeat(39)}…`, `${'🎉'.repeat(39)}…`])
  })

  it('keeps the words of marks apart from each other, and within the picture', () => {
    const marks = ['Lantern festival', 'A sale of somebody else', 'rain', 'The last word'].map(
      (label, at) => ({
        from: `2025-09-${['01', '02', '05', '09'][at]}`,
        to: `2025-09-${['01', '02', '05', '09'][at]}`,
        label,
      }),
    )
    for (const width of [760, 340]) {
      const svg = drawSvg(plotOption(chartOf('2025-09-01', 9, 1, { marks }), 'en', width), {
        width,
        height: 300,
      })
      const boxes = marks.map(({ label }) => {
        const [, x, y] =
          new RegExp(`<text[^>]*translate\\(([\\d.]+) ([\\d.]+)\\)"[^>]*>${label}<`).exec(svg) ?? []
        const half = label.length * 3
        return { left: Number(x) - half, right: Number(x) + half, y: Number(y) }
      })
      expect(boxes.filter(({ left, right, y }) => !(left >= 0 && right <= width && y > 0))).toEqual([])
      const over = boxes.filter((one, at) =>
        boxes.some(
          (other, place) =>
            place > at && other.y === one.y && other.left < one.right && one.left < other.right,
        ),
      )
      expect(over).toEqual([])
    }
  })

  it('writes amounts of money with their currency', () => {
    const chart = chartOf('2025-09-01', 3, 1, { unit: 'money', currency: 'CNY' })
    expect(texts(chart)).toContain('CN¥2,000')
    expect(texts(chart, 760, 'zh-CN')).toContain('¥2,000')
  })

  it('writes figures that are longer than the room beside the axis short', () => {
    const most = (y: number, over: Partial<LineChart> = {}) =>
      chartOf('2025-09-01', 1, 1, {
        series: [{ name: 'all', points: [{ x: '2025-09-01', y }] }],
        ...over,
      })
    expect(texts(most(800_000))).toContain('800,000')
    expect(texts(most(30_000_000))).toContain('30M')
    expect(texts(most(-2_000_000_000), 760, 'zh-CN')).toContain('-20亿')
    const money = { unit: 'money', currency: 'CNY' } as const
    expect(texts(most(8000, money))).toContain('CN¥8,000')
    expect(texts(most(30_000, money))).toContain('CN¥30K')
    expect(texts(most(30_000_000_000, money), 340, 'zh-CN')).toContain('¥300亿')
  })
})

it('has figures under its bars that do not run into one another, on a phone either', () => {
  const chart: BarChart = {
    ...{ kind: 'bars', id: 'test', title: '', unit: 'count', categories: ['contacted'] },
    series: [{ name: 'all', values: [4174] }],
  }
  const figures = (width: number) => texts(chart, width).filter((text) => /^[\d,]+$/.test(text ?? ''))
  expect(figures(760)).toEqual(['0', '1,000', '2,000', '3,000', '4,000', '5,000'])
  expect(figures(340)).toEqual(['0', '2,000', '4,000', '6,000'])
  const many = { ...chart, series: [{ name: 'all', values: [1_500_000_000] }] }
  expect(texts(many, 340).filter((text) => /^[\d,.]+B?$/.test(text ?? ''))).toEqual(['0', '1B', '2B'])
})

/** The names beside an axis, and how far left of the picture’s edge the widest of them begins. */
function besideOf(chart: BarChart | HeatChart, width: number) {
  const svg = drawSvg(plotOption(chart, 'en', width), { width, height: 300 })
  const names = [
    ...svg.matchAll(/<text[^>]*text-anchor="end"[^>]*translate\(([\d.]+) [\d.]+\)"[^>]*>([^<]+)</g),
  ]
    .map(([, x, name = '']) => ({ name, begins: Number(x) - [...name].length * 6.2 }))
    .filter(({ name }) => /[a-z]/.test(name))
  return { names: names.map(({ name }) => name), cut: names.filter(({ begins }) => begins < 0) }
}

describe('the names beside an axis', () => {
  const words = ['contacted', 'known to have arrived', 'came back']
  const bars = (categories: readonly string[]): BarChart => ({
    ...{ kind: 'bars', id: 'test', title: '', unit: 'count', categories },
    series: [{ name: 'all', values: categories.map(() => 4174) }],
  })
  const heat = (rows: readonly string[], columns: readonly string[]): HeatChart => ({
    ...{ kind: 'heat', id: 'test', title: '', unit: 'points', rows, columns },
    cells: rows.flatMap((_, row) =>
      columns.map((__, column) => ({ row, column, value: 0.1, label: '+10.0', strong: false })),
    ),
  })

  it('are whole, on a desk and on a phone', () => {
    for (const width of [880, 340]) {
      expect(besideOf(bars(words), width)).toEqual({ names: words, cut: [] })
      expect(besideOf(heat(words, ['everyone']), width)).toEqual({ names: words, cut: [] })
    }
  })

  it('are as much of a longer one as there is room for', () => {
    const long = 'a-tier-with-a-name-of-sixty-three-letters-which-is-the-longest-x'
    for (const width of [880, 340]) {
      for (const { names, cut } of [
        besideOf(bars([long]), width),
        besideOf(heat([long], ['everyone']), width),
      ]) {
        expect(cut).toEqual([])
        expect(names[0]?.slice(0, 8)).toBe('a-tier-w')
      }
    }
    expect(besideOf(bars([long]), 340).names[0]?.endsWith('…')).toBe(true)
  })

  it('are there for every column of a table, however many and long', () => {
    const columns = [
      'the_best_customers_of_all_times',
      'new_ones',
      'students',
      'the_old_ones',
      'staff',
      'rest',
    ]
    for (const width of [880, 340]) {
      const option = plotOption(heat(['only'], columns), 'en', width)
      const drawn = [...drawSvg(option, { width, height: 300 }).matchAll(/<text[^>]*>([^<]+)</g)].map(
        ([, text = '']) => text.slice(0, 8),
      )
      expect(columns.filter((each) => !drawn.includes(each.slice(0, 8)))).toEqual([])
    }
  })
})

it('names as many columns of a table as stand beside each other: of forty on a phone none could be read', () => {
  const named = (count: number, width: number) => {
    const columns = Array.from({ length: count }, (_, at) => `segment_${at}`)
    const chart: HeatChart = {
      ...{ kind: 'heat', id: 'test', title: '', unit: 'points', rows: ['only'], columns },
      cells: columns.map((_, column) => ({ row: 0, column, value: 0.1, label: '+10.0', strong: false })),
    }
    const svg = drawSvg(plotOption(chart, 'en', width), { width, height: 300 })
    return [...svg.matchAll(/<text[^>]*>segment_\d+</g)].length
  }
  expect([named(9, 340), named(20, 880)]).toEqual([9, 20])
  for (const [count, width] of [
    [40, 340],
    [100, 880],
  ] as const) {
    expect(named(count, width)).toBeGreaterThan(5)
    expect(named(count, width) * 18).toBeLessThan(width)
  }
})

it('writes no two values of an axis alike, however small they are', () => {
  const few = (unit: LineChart['unit'], y: number) =>
    texts(
      chartOf('2025-09-01', 1, 1, {
        unit,
        currency: 'CNY',
        series: [{ name: 'all', points: [{ x: '2025-09-01', y }] }],
      }),
    )
  for (const [unit, y] of [
    ['percent', 0.0011],
    ['points', -0.0011],
    ['count', 2],
    ['money', 0.02],
  ] as const) {
    const drawn = few(unit, y)
    expect([unit, drawn]).toEqual([unit, [...new Set(drawn)]])
  }
  expect(few('count', 2)).toEqual(expect.arrayContaining(['0', '1', '2']))
  expect(few('count', 2).filter((text) => text?.includes('.'))).toEqual([])
})
