import { numberExpected, numberReader } from './numbers.ts'

// Amounts as files have them: `1234.50`, and as a shop's export shows them: `¥1,299.00`, `12,50 €`, `RMB 12`. What stands
// beside the number says what it is in; nothing is converted, so that has to be the workspace's currency.

/** Integer micros, null where there is none; what it is in, where that is another currency; or why it is no amount. */
export type ReadAmount = { readonly micros: number | null } | { readonly foreign: string } | string

export interface AmountWriting {
  /** ISO 4217: the workspace's. */
  readonly currency: string
  /** As `numberExpected` takes it. */
  readonly decimal?: '.' | ',' | undefined
}

/** How a currency is written beside a number, where Intl does not know it. */
const ALSO: Readonly<Record<string, readonly string[]>> = {
  CNY: ['RMB', '元', '圆', '人民币'],
  JPY: ['円', '元'],
  TWD: ['元'],
  HKD: ['元'],
  CHF: ['FR', 'SFR'],
}
/** Locales whose signs differ: `CN¥` and `¥`, `US$` and `$`, `￥` and `円`. */
const LOCALES = ['en', 'zh-CN', 'zh-TW', 'ja', 'ko', 'de', 'fr', 'pl', 'sv', 'pt-BR', 'en-AU', 'en-CA']

/** No digit and nothing that stands within a number. */
const MARK = String.raw`([^\d\s.,+\-'’]{1,4}\.?)?`
const MARKED = new RegExp(String.raw`^([+-]?)\s*${MARK}\s*([+-]?)\s*([\d.,'’\s]*\d)\s*${MARK}$`, 'u')

/** How values of `value` are read; each of them names it where it is no amount. */
export function amountReader({ currency, decimal }: AmountWriting): (value: unknown) => ReadAmount {
  const own = marksOf(currency)
  const thousandths = fractionDigitsOf(currency) > 2
  return (value) => {
    const plain = microsOf(value, decimal)
    if (typeof plain !== 'string') return { micros: plain }
    const [, sign = '', before, inner = '', digits = '', after] =
      MARKED.exec(typeof value === 'string' ? value.normalize('NFKC').trim() : '') ?? []
    const marks = [before, after].flatMap((mark) => (mark === undefined ? [] : [bare(mark)]))
    const number = grouped(digits, decimal ?? '.', marks.length > 0 && !thousandths)
    if (number === undefined || (sign && inner) || !marks.every((mark) => own.has(mark) || isCurrency(mark)))
      return plain
    const foreign = marks.find((mark) => !own.has(mark))
    if (foreign !== undefined) return { foreign }
    const micros = Math.round(number * 1e6) * (`${sign}${inner}`.includes('-') ? -1 : 1)
    return Number.isSafeInteger(micros) ? { micros } : plain
  }
}

/** Currency units to integer micros; why not, where it is no amount. @param decimal as {@link numberExpected} takes it */
export function microsOf(value: unknown, decimal?: '.' | ','): number | null | string {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value.trim() === '') return null
  const micros = Math.round((numberReader(decimal)(value) ?? Number.NaN) * 1e6)
  if (Number.isSafeInteger(micros)) return micros
  return `value: ${JSON.stringify(value)} is not an amount; ${numberExpected(value, decimal)}`
}

/**
 * The number of digits that may stand in groups of three. One group without cents, `1,299`, is a number with a comma before
 * the cents as well, unless a currency stands beside it of which there are no thousandths.
 * @param known such a currency stands beside it
 */
function grouped(digits: string, decimal: '.' | ',', known: boolean): number | undefined {
  const group = decimal === '.' ? ',' : '.'
  const parted = new RegExp(
    String.raw`^(?:\d+|\d{1,3}(?:([${group}\s'’])\d{3})(?:\1\d{3})*)(?:[${decimal}]\d+)?$`,
  )
  const found = parted.exec(digits)
  if (!found) return undefined
  const [whole, separator] = found
  const sure = known || separator !== group || whole.includes(decimal) || whole.split(group).length > 2
  if (!sure) return undefined
  return Number(digits.replaceAll(new RegExp(String.raw`[${group}\s'’]`, 'g'), '').replace(decimal, '.'))
}

/** Digits after the point: two of most currencies, none of the yen, three of dinars. */
function fractionDigitsOf(currency: string): number {
  return (
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  )
}

/** Every sign and code that the currency is written by. */
function marksOf(currency: string): ReadonlySet<string> {
  const signs = LOCALES.flatMap((locale) =>
    (['symbol', 'narrowSymbol'] as const).map((currencyDisplay) => {
      const format = new Intl.NumberFormat(locale, { style: 'currency', currency, currencyDisplay })
      return format.formatToParts(1).find(({ type }) => type === 'currency')?.value ?? currency
    }),
  )
  return new Set([currency, ...signs, ...(ALSO[currency] ?? [])].map(bare))
}

const CODES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'))

/** Whether a currency is written so, be it which it may: another sign is a slip, and no amount. */
function isCurrency(mark: string): boolean {
  return CODES.has(mark) || /\p{Sc}/u.test(mark) || Object.values(ALSO).some((marks) => marks.includes(mark))
}

function bare(mark: string): string {
  return mark.normalize('NFKC').replace(/\.$/, '').toUpperCase()
}
