import { expect, it } from 'vitest'
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
  expect(money(120_000_000, 'JPY')).toBe('¥120')
})
