import { expect, test } from 'vitest'
import { drawMonths, monthsSvg } from '../../src/channels/templates/month-chart.ts'

const year = (spend: (no: number) => number) =>
  Array.from({ length: 12 }, (_, no) => ({
    month: `2025-${String(no + 1).padStart(2, '0')}`,
    spend: spend(no),
    active_days: no,
  }))
const money = (value: number) => `<&¥${value}`

test('the chart of a letter: a bar for each month with something in it, the tallest with its figure', () => {
  const svg = monthsSvg(
    year((no) => (no === 4 ? 900 : no === 7 ? 450 : 0)),
    'zh-CN',
    money,
    String,
  )
  const bars = [...svg.matchAll(/<path d="M[\d.]+ 174V([\d.]+)[^"]*" fill="(#\w+)"/g)]
  // Twice as much is twice as tall, from the ground at 174 to the top at 30; corners of four pixels are taken off.
  expect(bars.map(([, shoulder, fill]) => [174 - Number(shoulder) + 4, fill])).toEqual([
    [144, '#c4532d'],
    [72, '#d98b6f'],
  ])
  expect([...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, words]) => words)).toEqual([
    ...[
      '1月',
      '2月',
      '3月',
      '4月',
      '&lt;&amp;¥900',
      '5月',
      '6月',
      '7月',
      '8月',
      '9月',
      '10月',
      '11月',
      '12月',
    ],
  ])
})

test('a year without spending shows the days, one without anything the months alone', async () => {
  expect(
    monthsSvg(
      year(() => 0),
      'en',
      String,
      String,
    ).match(/<path d="M[\d.]+ 174V/g),
  ).toHaveLength(11)
  const nothing = year(() => 0).map((month) => ({ ...month, active_days: 0 }))
  expect(monthsSvg(nothing, 'en', String, String)).not.toContain('174V')
  // Wide and high as the template says it is, and small enough for a mail.
  const png = await drawMonths(nothing, 'en', String, String)
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([768, 300])
  expect(png.length).toBeLessThan(12_000)
})

test('a long amount over the first or the last bar stands within the picture: its end was cut off', () => {
  const only = (no: number) =>
    monthsSvg(
      Array.from({ length: 12 }, (_, each) => ({
        month: `2026-${String(each + 1).padStart(2, '0')}`,
        spend: each === no ? 1_234_567.5 : 0,
        active_days: 0,
      })),
      'en',
      () => '¥1,234,567.50',
      String,
    )
  const placeOf = (no: number) => Number(/<text x="([\d.]+)"[^>]*>¥1,234,567\.50</.exec(only(no))?.[1])
  // Thirteen characters of eight pixels, centred: half of them on either side.
  expect(placeOf(0)).toBeGreaterThanOrEqual(50)
  expect(placeOf(11)).toBeLessThanOrEqual(512 - 50)
  expect(placeOf(5)).toBe(235)
})

test('what the font of the picture cannot write stands in figures and Latin letters, in place of being left out', () => {
  const words = (locale: string, currency: string) => {
    const format = new Intl.NumberFormat(locale, { style: 'currency', currency }).format
    const svg = monthsSvg(
      year((no) => (no === 0 ? 1234.5 : 0)),
      locale,
      format,
      (value) => `${currency} ${value}`,
    )
    return [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text)
  }
  expect(words('ru', 'RUB').slice(0, 4)).toEqual(['RUB 1234.5', '1', '2', '3'])
  expect(words('ar', 'EGP').slice(0, 2)).toEqual(['EGP 1234.5', '1'])
  // Of a language that it can write, what it lacks alone.
  expect(words('pl', 'PLN').slice(9, 13)).toEqual(['wrz', '10', 'lis', 'gru'])
  expect(words('fr', 'EUR').slice(0, 3)).toEqual(['1\u00a0234,50\u00a0€', 'janv.', 'févr.'])
})
