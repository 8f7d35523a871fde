import { WinbackError } from '../../errors.ts'

// How a file writes its dates, where that is not ISO 8601: by a format of words such as `dd.mm.yyyy hh:mi am`.

/** A date and time of day as a calendar and a clock on the wall show them. */
export interface WallTime {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly millisecond: number
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const MONTH =
  '(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\\.?'

/** The words of a format, the part of a date that each is, and how it is written; digits where nothing is said. */
const WORDS: Readonly<Record<string, { readonly part: string; readonly written?: string }>> = {
  yyyy: { part: 'year' },
  mm: { part: 'month' },
  mon: { part: 'month', written: MONTH },
  dd: { part: 'day' },
  hh: { part: 'hour' },
  mi: { part: 'minute' },
  ss: { part: 'second' },
  am: { part: 'half', written: '[ap]\\.?m\\.?' },
}

/** Other databases' spellings of our words. */
const SPELLINGS: Readonly<Record<string, string>> = { hh24: 'hh', hh12: 'hh', pm: 'am', month: 'mon' }

/**
 * Reads dates of one format: `yyyy`, `mm` or `mon` (`Jan`, `January`), `dd`, `hh`, `mi`, `ss` and `am` (or PM: the hour is one
 * of twelve then), once each, with what stands between them. Where something does, a number may come without its zero.
 * @returns undefined for a text that is not written so
 * @throws WinbackError `import.options` for a format that is none
 */
export function wallTimeReader(format: string): (text: string) => WallTime | undefined {
  const pattern = patternOf(format)
  return (text) => {
    const found = pattern.exec(text.trim())?.groups
    if (!found) return undefined
    const hour = hourOf(Number(found.hour ?? 0), found.half)
    if (hour === undefined) return undefined
    return {
      year: Number(found.year),
      month: monthOf(found.month ?? ''),
      day: Number(found.day),
      hour,
      minute: Number(found.minute ?? 0),
      second: Number(found.second ?? 0),
      millisecond: 0,
    }
  }
}

/** Of twelve hours that begin with 12, where the half of the day is said. */
function hourOf(hour: number, half: string | undefined): number | undefined {
  if (half === undefined) return hour
  if (hour > 12) return undefined
  return (hour % 12) + (/^p/i.test(half) ? 12 : 0)
}

function monthOf(text: string): number {
  return /^\d/.test(text) ? Number(text) : MONTHS.indexOf(text.slice(0, 3).toLowerCase()) + 1
}

function patternOf(format: string): RegExp {
  const seen: string[] = []
  const text = format.toLowerCase()
  const body = text.replace(
    /yyyy|month|mon|mm|dd|hh(?:24|12)?|mi|ss|[ap]m|[^a-z]|[a-z]+/g,
    (token, at: number) => {
      const word = WORDS[SPELLINGS[token] ?? token]
      if (word !== undefined) {
        seen.push(word.part)
        // The zero in front may be missing where something else tells where the number ends.
        const apart = !/[a-z]$/.test(text.slice(0, at)) && !/^[a-z]/.test(text.slice(at + token.length))
        return `(?<${word.part}>${word.written ?? `\\d{${word.part === 'year' ? '4' : apart ? '1,2' : '2'}}`})`
      }
      if (token === 't' || token === 'z') return token
      if (/^[a-z]/.test(token)) throw formatError(format)
      return token === ' ' ? '\\s' : token.replace(/[.*+?^${}()|[\]\\/]/, '\\$&')
    },
  )
  const whole = ['year', 'month', 'day', ...(seen.includes('half') ? ['hour'] : [])]
  if (new Set(seen).size !== seen.length || !whole.every((part) => seen.includes(part)))
    throw formatError(format)
  return new RegExp(`^${body}$`, 'i')
}

function formatError(format: string): WinbackError {
  return new WinbackError('import.options', `"${format}" is not a date format`, {
    remedy:
      'Write yyyy, mm (or mon: Jan), dd, hh, mi, ss and am (or PM) once each, such as yyyymmdd, dd.mm.yyyy hh:mi or ' +
      '"mon dd, yyyy hh:mi am"; or epoch, epoch-ms.',
  })
}

/**
 * The format that a date which is not ISO 8601 looks to be in, as somebody would write it behind `--date-format`. Where day and
 * month may be the other way round, both: that is not ours to tell.
 */
export function formatOf(written: string): string {
  const text = written.trim()
  if (/^\d{9,10}(\.\d+)?$/.test(text)) return 'epoch'
  if (/^\d{12,13}$/.test(text)) return 'epoch-ms'
  if (/^\d{8}$/.test(text)) return 'yyyymmdd'
  const shape = text
    .toLowerCase()
    .replace(/\s/g, ' ')
    .replace(new RegExp(`(?<![a-z])${MONTH}(?![a-z])`), 'mon')
    .replace(/\d{1,2}:\d{2}(:\d{2})?/, (_, seconds) => (seconds ? 'hh:mi:ss' : 'hh:mi'))
    .replace(/(?<![a-z])[ap]\.?m\b\.?/, 'am')
    .replace(/(?<!\d)\d{4}(?!\d)/, 'yyyy')
  const dayFirst = ['dd', 'mm']
  const orders = shape.includes('mon')
    ? [['dd']]
    : /^\D*yyyy/.test(shape)
      ? [['mm', 'dd']]
      : [dayFirst, ['mm', 'dd']]
  const formats = orders.map((order) => inOrder(shape, order)).filter((format) => reads(format, text))
  const [only = '(such as dd.mm.yyyy)', other] = formats.map((format) =>
    /\s/.test(format) ? `"${format}"` : format,
  )
  return other === undefined ? only : `(such as ${only} or ${other})`
}

/** Its numbers that are not yet words, named in their order. */
function inOrder(shape: string, order: readonly string[]): string {
  let at = 0
  return shape.replace(/\d{1,2}/g, (digits) => order[at++] ?? digits)
}

function reads(format: string, text: string): boolean {
  try {
    const time = wallTimeReader(format)(text)
    return time !== undefined && time.month <= 12
  } catch {
    return false
  }
}
