import { z } from 'zod'
import { UNSEEN } from './full-width.ts'

// What a schema wanted where it got something else, in its own words; and how the value found should have been written.

type Schema = z.core.$ZodType

/** `a percentage such as 10%`: what a text in a form of its own is called. Undefined for every other schema. */
export function expectedAt(schema: Schema | undefined): string | undefined {
  if (!schema) return undefined
  if (
    z
      .safeParse(schema, 0.5)
      .error?.issues.some((each) => each.code === 'invalid_type' && each.expected === 'int')
  )
    return 'a whole number'
  // The schema itself says what it expects of a text that has not its form.
  const issue = z.safeParse(schema, '').error?.issues[0]
  return issue?.code === 'invalid_format' && issue.format === 'regex' && issue.message.startsWith('expected ')
    ? issue.message.slice('expected '.length)
    : undefined
}

/**
 * The value as the schema takes it, in YAML: `10%` for 10, `30d` for 30, `5 CNY` for 5, `1` for "1". Undefined where
 * nothing near is right.
 */
export function rewritten(found: unknown, schema: Schema | undefined, currency = 'CNY'): string | undefined {
  if (!schema) return undefined
  const takes = (value: unknown) => z.safeParse(schema, value).success
  // What is wrong with it stands elsewhere: written otherwise, it is as wrong.
  if (takes(found)) return undefined
  // Where any text will do, a number only lacks its quotes, unless it may be something else altogether.
  if (takes('\u0001')) return typeof found === 'number' && isText(schema) ? `"${found}"` : undefined
  if (typeof found === 'number') {
    return forms(String(found), currency).find(takes) ?? (takes(String(found)) ? `"${found}"` : undefined)
  }
  if (typeof found !== 'string') return undefined
  // Full-width digits and signs, and spaces that do not belong, are the usual slips.
  const plain = found.normalize('NFKC').replace(new RegExp(UNSEEN, 'g'), '').trim()
  if (/^-?\d+(\.\d+)?$/.test(plain)) {
    if (takes(Number(plain))) return plain
    return forms(plain, currency).find(takes)
  }
  const [yes] = YES.exec(plain) ?? []
  if ((yes !== undefined || NO.test(plain)) && takes(yes !== undefined)) return String(yes !== undefined)
  const lists = [listedByCommas(plain), [plain], plain.split(/\s+/)]
  const list = lists.find((entries) => entries.length > 0 && takes(entries))
  if (list !== undefined) return asList(list)
  const respelt = [...respelled(plain, currency)].find((text) => text !== found && takes(text))
  // A number that is kept as a text.
  return respelt !== undefined && /^\d+(\.\d+)?$/.test(respelt) ? `"${respelt}"` : respelt
}

/** The entries of a list that was written as a text, without its brackets: `push, sms`. */
function listedByCommas(text: string): string[] {
  const entries = text.split(/[,，、;；]/).map((entry) => entry.trim())
  return entries.filter((entry) => entry !== '')
}

/** The entries as a list of YAML. */
export function asList(entries: readonly string[]): string {
  return `[${entries.join(', ')}]`
}

const YES = /^(?:true|yes|on)$/i
const NO = /^(?:false|no|off)$/i

/** Seconds have `s`, and so on; a month and a year stand for their days. */
const UNITS: readonly (readonly [words: RegExp, unit: string, times: number])[] = [
  [/^(?:s|secs?|seconds?|秒)$/i, 's', 1],
  [/^(?:m|mins?|minutes?|分钟?)$/i, 'm', 1],
  [/^(?:h|hrs?|hours?|小时)$/i, 'h', 1],
  [/^(?:d|days?|天|日)$/i, 'd', 1],
  [/^(?:w|wks?|weeks?|周|星期)$/i, 'w', 1],
  [/^(?:mo|mths?|months?|个?月)$/i, 'd', 30],
  [/^(?:y|yrs?|years?|年)$/i, 'd', 365],
]
const SYMBOLS: Readonly<Record<string, readonly string[]>> = {
  '¥': ['CNY', 'JPY'],
  元: ['CNY'],
  $: ['USD'],
  '€': ['EUR'],
  '£': ['GBP'],
}

/** What a text may have been meant to be, in the form each kind of value has; whether one is right, its schema says. */
function* respelled(plain: string, currency: string): Generator<string> {
  const two = (digits: string) => digits.padStart(2, '0')
  const groups = (pattern: RegExp): string[] => (pattern.exec(plain) ?? []).slice(1).map((each) => each ?? '')

  const [number, word = ''] = groups(/^(\d+(?:\.\d+)?) *(\p{L}+)$/u)
  const [, unit, times = 1] = UNITS.find(([words]) => words.test(word)) ?? []
  if (number !== undefined && unit !== undefined) yield `${Number(number) * times}${unit}`
  if (number !== undefined && /^(?:percent|pct)$/i.test(word)) yield `${number}%`

  // 50,000 CNY and ¥5: the sign where it is that of the currency alone.
  const [before = '', amount, after = ''] = groups(/^([¥$€£]?) *(\d[\d,]*(?:\.\d+)?) *(\p{L}*|[$€£])$/u)
  const sum =
    amount !== undefined && /^(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?$/.test(amount)
      ? amount.replaceAll(',', '')
      : ''
  if (sum !== '' && SYMBOLS[before || after]?.includes(currency)) yield `${sum} ${currency}`
  if (sum !== '' && before === '') yield `${sum} ${after.toUpperCase()}`.trim()

  const [count, span = ''] = groups(
    /^(\d+) *(?:x|times?)? *(?:\/|an?|per|each|every)? *(day|daily|week|weekly)s?$/i,
  )
  if (count !== undefined) yield `${count} per ${/^d/i.test(span) ? 'day' : 'week'}`

  const [lower, lowerUnit, upper, upperUnit] = groups(
    /^(\d+)([smhdw]?) *(?:-|–|—|−|~|to|至|\.{1,3}) *(\d+)([smhdw])$/,
  )
  if (lower !== undefined) yield `${lower}${lowerUnit || upperUnit}..${upper}${upperUnit}`

  const [days = '', from, fromMinute, to = '', toMinute] = groups(
    /^(workdays )?(\d{1,2})(?::(\d\d))? *(?:-|–|—|−|~|to|至) *(\d{1,2})(?::(\d\d))?$/,
  )
  if (from !== undefined) yield `${days}${two(from)}:${fromMinute || '00'}-${two(to)}:${toMinute || '00'}`

  const [year, month = '', day = ''] = groups(/^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$/)
  if (year !== undefined) {
    yield `${year}-${two(month)}-${two(day)}`
    // The 13th month is the day, written before the month.
    if (Number(month) > 12) yield `${year}-${two(day)}-${two(month)}`
    // The 31st of November: the last day there is.
    else if (Number(month) > 0 && Number(day) > 28)
      yield new Date(Date.UTC(Number(year), Number(month), 0)).toISOString().slice(0, 10)
  }
  const [ofMonth, inYear = '', and] = groups(/^(\d{1,2})\.(\d{1,2})\.(\d{4})$/)
  if (ofMonth !== undefined) yield `${and}-${two(inYear)}-${two(ofMonth)}`

  const [since, until] = groups(/^(\d{4}-\d\d-\d\d) *(?:-|–|—|−|~|to|至) *(\d{4}-\d\d-\d\d)$/)
  if (since !== undefined) yield `${since}..${until}`
  if (/^\d+,\d+$/.test(plain)) yield plain.replace(',', '.')
  yield plain.replace(/^(?:weekdays?|working days?|workday|工作日) */i, 'workdays ')

  // Of a url, and of a server with its port, the server.
  const server = plain.replace(/^[a-z+]+:\/\/(?:[^\s/@]*@)?([^\s/?#]*)\S*$/i, '$1').replace(/:\d+$/, '')
  yield server.replace(/^\[(.*)\]$/, '$1')

  const [often, per = ''] = groups(/^(\d+) *(?:\/|an?|per|each|every) *(\p{L}+)$/u)
  const [, spanUnit, length = 1] = UNITS.find(([words]) => words.test(per)) ?? []
  if (often !== undefined && spanUnit !== undefined) yield `${often} per ${length}${spanUnit}`
  // A price stands without its currency.
  yield plain.replace(/ ?[A-Z]{3}$/, '')

  yield plain.replace(/\s+/g, '')
  yield plain
  yield plain.toUpperCase()
  yield plain.toLowerCase().replace(/\s+/g, '-')
}

function isText(schema: Schema): boolean {
  return schema instanceof z.ZodOptional ? isText(schema.unwrap()) : schema instanceof z.ZodString
}

/** A bare number in every form quantities have. */
function forms(number: string, currency: string): string[] {
  const share = Number(number)
  const percent = share > 0 && share < 1 ? Math.round(share * 1e8) / 1e6 : number
  return [
    `${percent}%`,
    `${number}d`,
    `${number} ${currency}`,
    `${number} per day`,
    `${number} episodes`,
    `${number}d..`,
  ]
}
