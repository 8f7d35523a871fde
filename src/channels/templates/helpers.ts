import type { InlineImage } from '../channel.ts'
import { drawMonths, isMonths, measureOf } from './month-chart.ts'

// What a template may call beside `if`, `unless`, `each` and `with`. Formats follow the contact: the view's
// $locale, $timezone and $currency.

/** Helpers a template may name. */
export const HELPERS = ['if', 'unless', 'each', 'with', 'eq', 'money', 'number', 'date', 'chart'] as const

/** The options of those that are not Handlebars' own. */
export const HELPER_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  eq: [],
  money: [],
  number: ['digits'],
  date: ['style'],
  chart: ['alt'],
}

/** The helper every printed value is passed through: see {@link requireValue}. Not for templates to name. */
export const VALUE_HELPER = '$value'

/** What Handlebars hands a helper as its last argument. */
interface HelperOptions {
  readonly hash: Readonly<Record<string, unknown>>
  readonly data: {
    readonly root: Readonly<Record<string, unknown>>
    readonly locale: string
    readonly images: InlineImage[]
  }
}

export type Helper = (...args: unknown[]) => unknown

const DATE_STYLES = {
  short: { dateStyle: 'short' },
  medium: { dateStyle: 'medium' },
  long: { dateStyle: 'long' },
  full: { dateStyle: 'full' },
  day: { month: 'long', day: 'numeric' },
  month: { year: 'numeric', month: 'long' },
  year: { year: 'numeric' },
  datetime: { dateStyle: 'long', timeStyle: 'short' },
} as const satisfies Record<string, Intl.DateTimeFormatOptions>

export const DATE_STYLE_NAMES: readonly string[] = Object.keys(DATE_STYLES)

function isDateStyle(style: string): style is keyof typeof DATE_STYLES {
  return Object.hasOwn(DATE_STYLES, style)
}

function isOptions(value: unknown): value is HelperOptions {
  return typeof value === 'object' && value !== null && 'hash' in value && 'data' in value
}

function split(args: unknown[]): { values: unknown[]; options: HelperOptions } {
  const options = args.at(-1)
  if (!isOptions(options)) throw new Error('a helper was called without its options')
  return { values: args.slice(0, -1), options }
}

/** The language the text is formatted for: the contact's, or else the template's own. */
function localeOf(options: HelperOptions): string {
  const locale = options.data.root.$locale
  return typeof locale === 'string' ? locale : options.data.locale
}

function meta(options: HelperOptions, name: '$timezone' | '$currency', helper: string): string {
  const value = options.data.root[name]
  if (typeof value === 'string') return value
  throw new Error(`{{${helper}}} needs ${name}, which this view lacks`)
}

function numeric(value: unknown, helper: string): number {
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof parsed === 'number' && Number.isFinite(parsed)) return parsed
  throw new Error(
    `{{${helper}}} needs a number, found ${value === undefined ? 'no value' : JSON.stringify(value)}`,
  )
}

function instant(value: unknown): Date {
  const parsed = typeof value === 'string' ? new Date(value) : value
  if (parsed instanceof Date && !Number.isNaN(parsed.getTime())) return parsed
  throw new Error(
    `{{date}} needs an instant, found ${value === undefined ? 'no value' : JSON.stringify(value)}`,
  )
}

/** Making an Intl formatter costs a hundred times a format: each is made once. */
function remember<T>(make: (...key: string[]) => T): (...key: string[]) => T {
  const made = new Map<string, T>()
  return (...key) => {
    const name = key.join('\u0000')
    const known = made.get(name)
    if (known !== undefined) return known
    const fresh = make(...key)
    made.set(name, fresh)
    return fresh
  }
}

/**
 * A value that is about to be printed. A blank in a sentence is worse than no message.
 * @throws Error naming the variable that has no value
 */
function requireValue(value: unknown, path: unknown): unknown {
  if (value === undefined || value === null || value === '') {
    throw new Error(`no value was given for ${String(path)}`)
  }
  return value instanceof Date ? value.toISOString() : value
}

function escapeAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}

/** The helpers of one renderer, with formatters of their own. */
export function createHelpers(): Record<string, Helper> {
  const currencies = remember((locale, currency, display) => {
    const currencyDisplay = display === 'code' ? 'code' : 'narrowSymbol'
    const style = { style: 'currency', currency, currencyDisplay } as const
    const whole = new Intl.NumberFormat(locale, {
      ...style,
      minimumFractionDigits: 0,
      maximumFractionDigits: 0,
    })
    const exact = new Intl.NumberFormat(locale, style)
    return (value: number) => (Number.isInteger(value) ? whole : exact).format(value)
  })
  const numbers = remember(
    (locale, digits) => new Intl.NumberFormat(locale, { maximumFractionDigits: Number(digits) }),
  )
  const dates = remember(
    (locale, timeZone, style) =>
      new Intl.DateTimeFormat(locale, { ...DATE_STYLES[isDateStyle(style) ? style : 'long'], timeZone }),
  )

  return {
    [VALUE_HELPER]: requireValue,
    eq: (a, b) => a === b,
    money: (...args) => {
      const { values, options } = split(args)
      return currencies(localeOf(options), meta(options, '$currency', 'money'))(numeric(values[0], 'money'))
    },
    number: (...args) => {
      const { values, options } = split(args)
      const digits = options.hash.digits ?? 2
      return numbers(localeOf(options), String(numeric(digits, 'number'))).format(
        numeric(values[0], 'number'),
      )
    },
    chart: (...args) => {
      const { values, options } = split(args)
      const [months] = values
      if (!isMonths(months)) throw new Error('{{chart}} needs months, such as report.months')
      const locale = localeOf(options)
      const ofSpend = measureOf(months) === 'spend'
      const writer = (language: string, display: 'code' | 'symbol') => {
        if (ofSpend) return currencies(language, meta(options, '$currency', 'chart'), display)
        const days = numbers(language, '0')
        return (value: number) => days.format(value)
      }
      const [write, plain] = [writer(locale, 'symbol'), writer('en', 'code')]
      const alt = typeof options.hash.alt === 'string' ? options.hash.alt : ''
      return {
        toHTML: () => {
          const cid = `chart-${options.data.images.length + 1}`
          options.data.images.push({ cid, draw: () => drawMonths(months, locale, write, plain) })
          return `<img src="cid:${cid}" width="512" alt="${escapeAttribute(alt)}" style="display:block;width:100%;max-width:512px;height:auto;border:0;">`
        },
        // In the text part a picture says nothing that the words around it do not.
        toString: () => '',
      }
    },
    date: (...args) => {
      const { values, options } = split(args)
      const style = String(options.hash.style ?? values[1] ?? 'long')
      if (!isDateStyle(style)) {
        throw new Error(`{{date}} has no style \`${style}\`: use ${DATE_STYLE_NAMES.join(', ')}`)
      }
      return dates(localeOf(options), meta(options, '$timezone', 'date'), style).format(instant(values[0]))
    },
  }
}
