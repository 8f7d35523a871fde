import { renderPng } from '../../charts/png.ts'
import { type ChartOption, drawSvg } from '../../charts/svg.ts'

// The chart of a letter: twelve bars, the tallest told apart. No grid, no second axis: it is looked at for a second,
// on a phone. The ground is transparent and the inks stand out on white as on the dark ground of a night theme.

const SIZE = { width: 512, height: 200 }
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

/**
 * @param format writes the tallest bar's value
 * @returns a PNG of 768 by 300 pixels
 */
export function drawMonths(
  months: readonly ChartMonth[],
  locale: string,
  format: (value: number) => string,
): Buffer {
  return renderPng(drawSvg(monthOption(months, locale, format), SIZE), 1.5)
}

function monthOption(
  months: readonly ChartMonth[],
  locale: string,
  format: (value: number) => string,
): ChartOption {
  const measure = measureOf(months)
  const values = months.map((month) => month[measure])
  const tallest = values.indexOf(Math.max(...values))
  const names = new Intl.DateTimeFormat(locale, { month: 'short', timeZone: 'UTC' })
  return {
    grid: { left: 4, right: 4, top: 30, bottom: 26 },
    xAxis: {
      type: 'category',
      data: months.map(({ month }) => names.format(new Date(`${month}-01T00:00:00Z`))),
      axisLine: { lineStyle: { color: INK } },
      axisTick: { show: false },
      axisLabel: { color: INK, fontSize: 12, interval: 0 },
    },
    yAxis: { type: 'value', show: false, min: 0 },
    series: [
      {
        type: 'bar',
        barWidth: '62%',
        data: values.map((value, no) => ({
          value,
          itemStyle: { color: no === tallest ? BEST : BAR, borderRadius: [4, 4, 0, 0] },
          label: {
            show: no === tallest && value > 0,
            position: 'top',
            color: INK,
            fontSize: 13,
            formatter: () => format(value),
          },
        })),
      },
    ],
  }
}
