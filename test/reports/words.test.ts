import { expect, it } from 'vitest'
import type { Title } from '../../src/reports/channel-words.ts'
import { aboutLines } from '../../src/reports/freshness.ts'
import { speechOf } from '../../src/reports/words.ts'

it('shows amounts below a cent with enough digits, and others to the cent', () => {
  const money = (micros: number, currency = 'CNY') => speechOf({ locale: 'en', currency }).money(micros)
  expect(money(2000)).toBe('CN¥0.002')
  expect(money(2560)).toBe('CN¥0.0026')
  expect(money(14_000)).toBe('CN¥0.014')
  expect(money(50_000)).toBe('CN¥0.05')
  expect(money(99_999)).toBe('CN¥0.10')
  expect(money(500_000)).toBe('CN¥0.50')
  expect(money(1_234_567_890)).toBe('CN¥1,234.57')
  expect(money(0)).toBe('CN¥0.00')
  // A difference of equal costs is nought, whatever sums leave in the last digit, and has no sign.
  expect([-0, -1e-7, 3e-9].map((micros) => money(micros))).toEqual(['CN¥0.00', 'CN¥0.00', 'CN¥0.00'])
  expect(money(120_000_000, 'JPY')).toBe('¥120')
})

it('rounds nothing to nought that is not: an interval from +0.3 does not hold it', () => {
  const { count, percent, plain, points, signed } = speechOf({ locale: 'en' })
  expect([0.0004, -0.0004, 0.0312, 0].map(points)).toEqual(['+0.04', '-0.04', '+3.1', '0.0'])
  expect([0.3, -0.3, -0.6, 12.4, 0].map(signed)).toEqual(['+0.3', '-0.3', '-1', '+12', '0'])
  expect([-0.3, 0.3, 1234, 0].map(count)).toEqual(['-0.3', '0.3', '1,234', '0'])
  expect([0.0004, 0.031, 0].map(percent)).toEqual(['0.04 %', '3.1 %', '0.0 %'])
  expect([0.02, 0.05, 4.25, 2, 0].map(plain)).toEqual(['0.02', '0.1', '4.3', '2', '0'])
  // What is left of sums that cancel out.
  expect([points(5e-17), signed(-5e-14), count(-5e-14)]).toEqual(['0.0', '0', '0'])
})

it('rounds nothing to the whole that is not: of five thousand, two did not arrive', () => {
  const { percent } = speechOf({ locale: 'en' })
  expect([0.9996, 0.99999, 0.999904, 0.9995, 0.9994].map(percent)).toEqual([
    '99.96 %',
    '99.999 %',
    '99.99 %',
    '99.95 %',
    '99.9 %',
  ])
  // What is left of sums that come to the whole; and what is more than the whole is no part of it.
  expect([1, 1 - 1e-12, 1.0004].map(percent)).toEqual(['100.0 %', '100.0 %', '100.0 %'])
  expect(speechOf({ locale: 'zh-CN' }).percent(0.9996)).toBe('99.96%')
})

it('calls a channel from outside as it says it is called, and others as everybody does', () => {
  const channels = new Map<string, Title>([
    ['line', { en: 'LINE message', 'zh-CN': 'LINE 消息' }],
    ['pager', 'Pager'],
  ])
  const named = (locale: string) =>
    ['line', 'pager', 'email', 'kiosk'].map(speechOf({ locale, channels }).channel)
  expect(named('en')).toEqual(['LINE message', 'Pager', 'E-mail', 'kiosk'])
  expect(named('zh-CN')).toEqual(['LINE 消息', 'Pager', '电子邮件', 'kiosk'])
})

it('says within a sentence how something is sent, and to those who run it a webhook is one', () => {
  const channels = new Map<string, Title>([['line', { en: 'LINE message', 'zh-CN': 'LINE 消息' }]])
  const { way, channel } = speechOf({ locale: 'en', channels })
  expect(['email', 'inapp', 'callback', 'line', 'kiosk'].map(way)).toEqual([
    'by e-mail',
    'in the app',
    'by telephone',
    'by LINE message',
    'by kiosk',
  ])
  const zh = speechOf({ locale: 'zh-CN', channels })
  expect(['inapp', 'line', 'webhook'].map(zh.way)).toEqual(['通过应用内消息', '通过LINE 消息', '通过Webhook'])
  expect([channel('webhook'), zh.channel('webhook')]).toEqual(['Webhook', 'Webhook'])
})

it('says beside days of UTC in which zone the moment is written that figures are of', () => {
  const range = {
    campaign: 'spring',
    now: new Date('2026-03-02T18:15:00Z'),
    from: '2026-02-01',
    to: '2026-03-01',
  }
  const freshness = { countedAt: range.now, activityAt: range.now, stale: 0 }
  const about = (locale: string) =>
    aboutLines({ range, freshness }, speechOf({ locale, timezone: 'Asia/Kathmandu' }))[0]
  expect(about('en')).toBe(
    'spring · assigned Feb 1, 2026 – Feb 28, 2026 UTC · as of Mar 3, 2026, 00:00 (Asia/Kathmandu)',
  )
  expect(about('zh-CN')).toContain('截至 2026年3月3日 00:00（Asia/Kathmandu）')
})

it('says of one day that it is counted again, and of two that they are', () => {
  const range = { campaign: 'spring', now: new Date('2026-03-02T09:00:00Z') }
  const lines = (stale: number) =>
    aboutLines(
      { range, freshness: { countedAt: range.now, activityAt: range.now, stale } },
      speechOf({ locale: 'en' }),
    )
  expect(lines(1)[1]).toMatch(/ · 1 day to be counted again$/)
  expect(lines(2)[1]).toMatch(/ · 2 days to be counted again$/)
})
