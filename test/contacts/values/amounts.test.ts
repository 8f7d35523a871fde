import { sql } from 'drizzle-orm'
import { expect, it, test } from 'vitest'
import { importActivity } from '../../../src/contacts/import.ts'
import { amountReader, type ReadAmount } from '../../../src/contacts/values/amounts.ts'
import { rows } from '../../../src/database/connect.ts'
import { emptiedDatabase } from '../../support/emptied.ts'
import { file, options } from '../files.ts'

const read = (currency: string, value: unknown, decimal: '.' | ',' = '.'): number | null | ReadAmount => {
  const amount = amountReader({ currency, decimal })(value)
  return typeof amount === 'object' && 'micros' in amount ? amount.micros && amount.micros / 1e6 : amount
}

test.each([
  ['CNY', '¥1,299.00', 1299],
  ['CNY', '￥1,299', 1299],
  ['CNY', 'RMB 12', 12],
  ['CNY', 'CN¥ 12.5', 12.5],
  ['CNY', '12元', 12],
  ['CNY', '-¥12', -12],
  ['CNY', '¥-12.50', -12.5],
  ['CNY', '1,299.00', 1299],
  ['CNY', '1,299,000', 1_299_000],
  ['CNY', '1 299.50', 1299.5],
  ['USD', '$12.50', 12.5],
  ['USD', 'US$12.50', 12.5],
  ['USD', '12.50 USD', 12.5],
  ['USD', 'usd12.50', 12.5],
  ['HKD', 'HK$8', 8],
  ['JPY', '¥1,200', 1200],
  ['JPY', '1200円', 1200],
  ['GBP', '£ 3', 3],
  ['SEK', '12 kr', 12],
  ['CHF', 'Fr. 12', 12],
  ['PLN', '12.50 zł', 12.5],
])('in %s, %j is %d', (currency, text, value) => {
  expect(read(currency, text)).toBe(value)
})

test.each([
  ['EUR', '1.299,00 €', 1299],
  ['EUR', '€12,50', 12.5],
  ['EUR', '1\u202f299,00\u00a0€', 1299],
  ['EUR', '12,50 EUR', 12.5],
  ['CHF', "CHF 1'299,50", 1299.5],
])('with a comma before the cents, in %s, %j is %d', (currency, text, value) => {
  expect(read(currency, text, ',')).toBe(value)
})

test.each([
  ['CNY', '$12.50', '$'],
  ['USD', '¥12', '¥'],
  ['CNY', '12.50 EUR', 'EUR'],
  ['USD', 'RMB 12', 'RMB'],
  ['EUR', '$12 EUR', '$'],
])('in %s, %j is of another currency', (currency, text, foreign) => {
  expect(read(currency, text)).toEqual({ foreign })
})

test.each([
  'much',
  '12 pcs',
  '¥',
  '1,29',
  '1,299',
  '12.50.1',
  '1,2345.00',
  '¥1,29',
  '12..5',
  '1,299 000',
  'no. 12',
  '--5',
])('%j is no amount', (text) => {
  expect(read('CNY', text)).toContain('is not an amount')
})

test.each<[string, '.' | ',']>([
  ['1,250 TND', '.'],
  ['1.250 TND', ','],
])(
  '%j is no amount in a currency that has thousandths: which of two it is, nobody knows',
  (text, decimal) => {
    expect(read('TND', text, decimal)).toContain('is not an amount')
  },
)

test.each<[string, '.' | ',', number]>([
  ['1,250 TND', ',', 1.25],
  ['TND 1.250', '.', 1.25],
  ['1,250.500 TND', '.', 1250.5],
  ['1,250,000 TND', '.', 1_250_000],
  ['1 250 TND', '.', 1250],
])('in a currency that has thousandths, %j by %j is %d', (text, decimal, value) => {
  expect(read('TND', text, decimal)).toBe(value)
})

it('advises a comma before the cents only where it parts no thousands', () => {
  const advised = (text: string) =>
    String(amountReader({ currency: 'USD' })(text)).endsWith('or say --decimal ,')
  expect(['1299,5', '1.299,50', '0,299', '12,50'].filter((text) => !advised(text))).toEqual([])
  expect(['1,299', '-12,000', '129,900'].filter(advised)).toEqual([])
})

it('keeps an event without the value that another currency’s sign stands beside', async () => {
  const database = await emptiedDatabase()
  const path = file(
    'o.csv',
    'external_id,type,occurred_at,value,currency\nu1,order,2026-01-01,"¥1,299.00",\nu1,order,2026-01-02,$5,\nu1,order,2026-01-03,¥5,USD\nu1,order,2026-01-04,much,\n',
  )
  const mapping = { fields: { 'properties.currency': 'currency' } }
  expect(await importActivity(database, path, options({ mapping }))).toMatchObject({
    ...{ inserted: 3, rejected: 1, warnings: 2 },
    warningReasons: [
      { reason: 'kept without value: … is not the workspace’s currency, CNY', rows: 2, line: 3 },
    ],
  })
  expect(await rows(database, sql`SELECT value FROM activity ORDER BY occurred_at`)).toEqual([
    { value: 1_299_000_000 },
    { value: null },
    { value: null },
  ])
})
