import { z } from 'zod'

// The quantities operations write in YAML, as zod types: text in, one plain number out. Each keeps its JSON
// Schema pattern, so that an editor checks it while it is typed.

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const
const DURATION = /^(\d+(?:\.\d+)?)(s|m|h|d|w)$/

/** Exact elapsed seconds of `90m`, `7d`, `3w`; undefined for anything else. A day is 86,400 s. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (!match) return undefined
  const seconds = Number(match[1]) * UNIT_SECONDS[match[2] as keyof typeof UNIT_SECONDS]
  return Number.isInteger(seconds) ? seconds : undefined
}

/** The shortest way to write a number of seconds: 604800 → `7d` (weeks are written as days). */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (seconds !== 0 && seconds % UNIT_SECONDS[unit] === 0) return `${seconds / UNIT_SECONDS[unit]}${unit}`
  }
  return `${seconds}s`
}

/** Seconds of a century: a span beyond it reaches before or after any date there is. */
const LONGEST = 36_525 * 86_400
const TOO_LONG = 'expected at most 36525d, which is a hundred years'

/** Seconds. */
export const duration = z
  .string()
  .regex(DURATION, 'expected a duration such as 90m, 24h, 7d or 3w')
  .transform((text, context) => {
    const seconds = parseDuration(text)
    if (seconds === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'expected a whole number of seconds, such as 90m, 24h, 7d or 3w',
      })
      return z.NEVER
    }
    if (seconds > LONGEST) {
      context.addIssue({ code: 'custom', message: `${TOO_LONG}, found ${text}` })
      return z.NEVER
    }
    return seconds
  })

/** A fraction from 0 to 1, written `10%`. */
export const percentage = z
  .string()
  .regex(/^\d+(\.\d+)?%$/, 'expected a percentage such as 10%')
  .transform((text, context) => {
    const value = Number(text.slice(0, -1))
    if (value > 100) {
      context.addIssue({ code: 'custom', message: `expected at most 100%, found ${text}` })
      return z.NEVER
    }
    // Rounded so that 0.1 is the same number whether written 10% or 10.0%.
    return Math.round(value * 1e6) / 1e8
  })

/** An amount with its ISO 4217 currency. Integer micros: `5 CNY` is 5,000,000. */
export interface Amount {
  micros: number
  currency: string
}

/** `5 CNY`, `0.05 USD`, `200000 CNY`: as an amount is written in a campaign. */
export function formatAmount({ micros, currency }: Amount): string {
  return `${(micros / 1e6).toFixed(6).replace(/\.?0+$/, '')} ${currency}`
}

/** Undefined: more than is counted exactly. */
function readAmount(text: string): Amount | undefined {
  const [value, currency] = text.split(' ') as [string, string]
  const micros = Math.round(Number(value) * 1e6)
  return Number.isSafeInteger(micros) ? { micros, currency } : undefined
}

function refuseAmount(text: string, context: z.RefinementCtx): never {
  const most = Math.floor(Number.MAX_SAFE_INTEGER / 1e6)
  context.addIssue({
    code: 'custom',
    message: `expected at most ${most}, which is what is counted exactly, found ${text}`,
  })
  return z.NEVER
}

const AMOUNT = /^(\d+(?:\.\d{1,6})?) ([A-Z]{3})$/

export const amount = z
  .string()
  .regex(AMOUNT, 'expected an amount with its currency, such as 5 CNY or 0.05 USD')
  .transform((text, context): Amount => readAmount(text) ?? refuseAmount(text, context))

/** `50000 CNY` in all, or `3000 CNY per day`: of the campaign's local day. */
export interface Allowance {
  amount: Amount
  per: 'day' | null
}

export const budget = z
  .string()
  .regex(
    /^\d+(?:\.\d{1,6})? [A-Z]{3}( per day)?$/,
    'expected an amount such as 50000 CNY or 3000 CNY per day',
  )
  .transform((text, context): Allowance => {
    const amount = readAmount(text) ?? refuseAmount(text, context)
    return { amount, per: text.endsWith(' per day') ? 'day' : null }
  })

/** `3d..7d`, `15d..` — half-open [from, to) in seconds of elapsed time; `to` is null without an upper end. */
export interface Band {
  from: number
  to: number | null
}

export const band = z
  .string()
  .regex(
    /^\d+(s|m|h|d|w)\.\.(\d+(s|m|h|d|w))?$/,
    'expected a band such as 3d..7d, or 15d.. without an upper end',
  )
  .transform((text, context): Band => {
    const [lower = '', upper = ''] = text.split('..')
    const from = parseDuration(lower) ?? 0
    const to = upper === '' ? null : (parseDuration(upper) ?? 0)
    if (Math.max(from, to ?? 0) > LONGEST) {
      context.addIssue({ code: 'custom', message: `${TOO_LONG}, found ${text}` })
      return z.NEVER
    }
    if (to !== null && to <= from) {
      context.addIssue({
        code: 'custom',
        message: `expected the lower end before the upper end, found ${text}`,
      })
      return z.NEVER
    }
    return { from, to }
  })

/** `20000 per day`, `4 per week`, `2 per 365d`: a count within a local calendar day, week, or a span in seconds. */
export interface Rate {
  count: number
  per: 'day' | 'week' | number
}

/** `4 per week`, `2 per 365d`. */
export function formatRate({ count, per }: Rate): string {
  return `${count} per ${typeof per === 'number' ? formatDuration(per) : per}`
}

export const rate = z
  .string()
  .regex(
    /^\d+ per (day|week|\d+(s|m|h|d|w))$/,
    'expected a rate such as 200 per day, 4 per week or 2 per 365d',
  )
  .transform((text, context): Rate => {
    const [count = '0', span = 'day'] = text.split(' per ')
    const per = span === 'day' || span === 'week' ? span : (parseDuration(span) ?? 0)
    if (typeof per === 'number' && per > LONGEST) {
      context.addIssue({ code: 'custom', message: `${TOO_LONG}, found ${text}` })
      return z.NEVER
    }
    return { count: Number(count), per }
  })

/** `2026-12-31`, `2027-02-05..2027-02-12`: local dates, both ends included. */
export const dateSpan = z
  .string()
  .regex(
    /^\d{4}-\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?$/,
    'expected a date such as 2026-12-31, or two with .. between them',
  )
  .transform((text, context) => {
    const [from = '', to = from] = text.split('..')
    const real = [from, to].every((date) => {
      const at = Date.parse(`${date}T00:00:00Z`)
      return !Number.isNaN(at) && new Date(at).toISOString().startsWith(date)
    })
    if (!real || to < from) {
      context.addIssue({
        code: 'custom',
        message: `expected dates that exist, the first before the last, found ${text}`,
      })
      return z.NEVER
    }
    return { from, to }
  })

/** `20000 per day`: a count within a local calendar day. */
export const dailyCount = z
  .string()
  .regex(/^\d+ per day$/, 'expected a daily number such as 20000 per day')
  .transform((text) => ({ count: Number.parseInt(text, 10) }))

/** `09:00-21:00`, `workdays 10:00-19:00`: minutes of the local day, [from, to). Never over midnight. */
export interface LocalWindow {
  from: number
  to: number
  workdays: boolean
}

export const localWindow = z
  .string()
  .regex(
    /^(workdays )?([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$/,
    'expected a window such as 09:00-21:00 or workdays 10:00-19:00',
  )
  .transform((text, context): LocalWindow => {
    const workdays = text.startsWith('workdays ')
    const [start = '', end = ''] = text.replace('workdays ', '').split('-')
    const minutes = (clock: string) => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3, 5))
    const window = { from: minutes(start), to: minutes(end), workdays }
    if (window.to <= window.from) {
      context.addIssue({
        code: 'custom',
        message: `expected the start before the end, found ${text} (a window cannot cross midnight)`,
      })
      return z.NEVER
    }
    return window
  })
