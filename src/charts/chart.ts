// What a chart shows, apart from how it is drawn: a page draws it in the browser, a mail as a picture, a test reads it.

/** How a value is written on an axis. Money is in units, not micros. */
export type ChartUnit = 'percent' | 'points' | 'count' | 'money'

export interface ChartPoint {
  /** A number (day since the assignment), or an ISO date. */
  readonly x: number | string
  /** Null where nothing can be said: the line is broken there. */
  readonly y: number | null
  /** The band around it. */
  readonly low?: number | undefined
  readonly high?: number | undefined
}

/** Curves over a number or over time, with bands, and marks for what happened then. */
export interface LineChart {
  readonly kind: 'lines'
  readonly id: string
  readonly title: string
  readonly xTitle: string
  readonly x: 'number' | 'date'
  readonly unit: ChartUnit
  /** Of an amount of money, ISO 4217. */
  readonly currency?: string | undefined
  readonly series: readonly { readonly name: string; readonly points: readonly ChartPoint[] }[]
  readonly marks: readonly ChartMark[]
}

/** From a day to a day of the x axis, both of them ISO dates. */
export interface ChartMark {
  readonly from: string
  readonly to: string
  readonly label: string
}

/** A table of values by colour. */
export interface HeatChart {
  readonly kind: 'heat'
  readonly id: string
  readonly title: string
  readonly unit: ChartUnit
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly cells: readonly {
    readonly row: number
    readonly column: number
    readonly value: number | null
    /** As it is written in the cell. */
    readonly label: string
    /** Stands out: what remains after correcting for the number of cells. */
    readonly strong: boolean
  }[]
}

/** One bar a category, one colour a series, stacked. */
export interface BarChart {
  readonly kind: 'bars'
  readonly id: string
  readonly title: string
  readonly unit: ChartUnit
  readonly categories: readonly string[]
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[]
}

export type Chart = LineChart | HeatChart | BarChart

/** Whether there is anything to see: axes without a value look like an answer of nothing. */
export function hasValues(chart: Chart): boolean {
  switch (chart.kind) {
    case 'lines':
      return chart.series.some(({ points }) => points.some(({ y }) => y !== null))
    case 'heat':
      return chart.cells.some(({ value }) => value !== null)
    case 'bars':
      return chart.series.some(({ values }) => values.length > 0)
  }
}
