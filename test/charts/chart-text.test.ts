import { expect, it } from 'vitest'
import type { BarChart, LineChart } from '../../src/charts/chart.ts'
import { chartText } from '../../src/charts/chart-text.ts'

const CURVES: LineChart = {
  ...{ kind: 'lines', id: 'curves', title: 'Came back', xTitle: '', x: 'date', unit: 'percent', marks: [] },
  series: [
    {
      name: 'contacted',
      points: [
        { x: '2025-09-01', y: 0.445, low: 0.4, high: 0.5 },
        { x: '2025-09-08', y: null },
        { x: '2025-09-15', y: 0.9 },
      ],
    },
    { name: 'not contacted', points: [{ x: '2025-09-01', y: null }] },
  ],
}

it('tells the values of each curve that has some, as its axes write them', () => {
  expect(chartText(CURVES, 'en')).toBe('Came back. contacted: Sep 1 44.5%, Sep 15 90%')
  expect(chartText({ ...CURVES, title: '召回率' }, 'zh-CN')).toBe(
    '召回率。contacted：9月1日 44.5%，9月15日 90%',
  )
})

it('tells eight points of a long curve, its ends among them, and what its axis counts', () => {
  const points = Array.from({ length: 61 }, (_, x) => ({ x, y: x * 1000 }))
  const spent: LineChart = {
    ...{ ...CURVES, title: 'Sending', xTitle: 'days', x: 'number', unit: 'money', currency: 'JPY' },
    series: [{ name: 'spent', points }],
  }
  const told = chartText(spent, 'en')
  expect(told).toMatch(/^Sending \(days\)\. spent: 0 ¥0, 9 ¥9,000, .*, 60 ¥60,000$/)
  expect(told.split(' ¥')).toHaveLength(9)
})

it('tells each bar by its category', () => {
  const steps: BarChart = {
    ...{ kind: 'bars', id: 'steps', title: 'Step by step', unit: 'count', categories: ['sent', 'clicked'] },
    series: [{ name: 'people', values: [1200, 7] }],
  }
  expect(chartText(steps, 'en')).toBe('Step by step. people: sent 1,200, clicked 7')
})
