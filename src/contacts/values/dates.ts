import { Temporal } from 'temporal-polyfill'
import { FIRST_INSTANT, isWritable, LAST_INSTANT } from '../../config/instants.ts'
import { isZone } from '../../config/zones.ts'
import { WinbackError } from '../../errors.ts'
import type { ImportMapping } from '../files/mapping.ts'
import { formatOf, type WallTime, wallTimeReader } from './date-format.ts'

/** Reads a date the way the file writes it: the instant in epoch milliseconds, of the years 1 to 9999, or why it is none. */
export type DateReader = (value: unknown) => number | string

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|z|UTC|[+-]\d{2}(?::?\d{2})?)?)?$/
/** Days since 1900, of 1954 to 2064: what a date is to a spreadsheet. */
const DAYS = /^[2-5]\d{4}([.,]\d+)?$/

/**
 * ISO 8601 (`2026-01-05`, `2026-01-05 08:30`, with or without a zone), or `format` (date-format.ts), or `epoch` (seconds), or
 * `epoch-ms`. A date without a zone is local time in `timezone`; one without a time is the start of that day. Numbers in NDJSON
 * are epoch seconds, or milliseconds where that large. Where ISO 8601 stands `alone`, as over HTTP and in a sync, no other
 * format is spoken of.
 * @throws WinbackError `import.options` for a zone or format that does not exist
 */
export function dateReader(
  options: { timezone?: string | undefined; format?: string | undefined; alone?: true } = {},
): DateReader {
  const zone = options.timezone ?? 'UTC'
  const offset = offsetReader(zone)
  if (options.format === 'epoch') return (value) => epoch(value, 1000)
  if (options.format === 'epoch-ms' || options.format === 'epoch_ms') return (value) => epoch(value, 1)
  if (options.format !== undefined) {
    const read = wallTimeReader(options.format)
    return (value) => {
      const text = String(value)
      const time = read(text)
      if (time === undefined) return `"${text}" is not a date written ${options.format}; see --date-format`
      const local = localTime(time)
      return local === undefined ? `"${text}" is not a date that exists` : within(local - offset(local))
    }
  }
  return (value) => {
    if (typeof value === 'number') return epoch(value, Math.abs(value) < 1e11 ? 1000 : 1)
    if (typeof value !== 'string') return `${JSON.stringify(value)} is not a date`
    const found = ISO.exec(value) ?? ISO.exec(value.trim())
    if (!found && DAYS.test(value.trim())) {
      return `"${value}" is a spreadsheet's count of days; show the column as dates there, and save it again`
    }
    if (!found)
      return options.alone
        ? `"${value}" is not a date; expected ISO 8601 such as 2026-01-05T08:30:00Z`
        : `"${value}" is not a date; expected ISO 8601 such as 2026-01-05T08:30:00Z, or say how it is written with --date-format ${formatOf(value)}`
    const [, year, month, day, hour, minute, second, fraction, mark] = found
    const local = localTime({
      year: Number(year),
      month: Number(month),
      day: Number(day),
      hour: Number(hour ?? 0),
      minute: Number(minute ?? 0),
      second: Number(second ?? 0),
      millisecond: fraction === undefined ? 0 : Math.floor(Number(`0.${fraction}`) * 1000),
    })
    if (local === undefined) return `"${value}" is not a date that exists`
    return within(local - (mark === undefined ? offset(local) : zoneOffset(mark)))
  }
}

/** {@link dateReader} of an import: dates are written as its mapping says. */
export function mappedDateReader(mapping: Pick<ImportMapping, 'timezone' | 'date_format'> = {}): DateReader {
  return dateReader({ timezone: mapping.timezone, format: mapping.date_format })
}

/** How the moments of a file's rows are read. */
export interface MomentReading {
  readonly date: DateReader
  /** Epoch milliseconds: nothing has happened after it. Asked row by row, for what is read may be written meanwhile. */
  latest(): number
}

/** The moment a row has in its field `name`, in epoch milliseconds, or why it has none that has passed. */
export function pastMoment(name: string, value: unknown, { date, latest }: MomentReading): number | string {
  const at = date(value)
  if (typeof at === 'string') return `${name}: ${at}`
  return at > latest() ? `${name}: ${new Date(at).toISOString()} lies in the future` : at
}

/** The first and last days that can be written go on, elsewhere, into years that cannot: `9999-12-31` is for ever there, too. */
function within(at: number): number {
  return Math.max(FIRST_INSTANT.getTime(), Math.min(LAST_INSTANT.getTime(), at))
}

/** Milliseconds to subtract from a local time, taken as if it were UTC, to have the instant. */
function offsetReader(zone: string): (local: number) => number {
  if (zone === 'UTC') return () => 0
  if (!isZone(zone)) {
    throw new WinbackError('import.options', `there is no time zone "${zone}"`, {
      remedy: 'Use an IANA name such as Asia/Shanghai.',
    })
  }
  const quarter = 900_000
  const known = new Map<number, number>()
  return (local) => {
    const slot = Math.floor(local / quarter)
    const before = known.get(slot)
    if (before !== undefined) return before
    const instant = Temporal.Instant.fromEpochMilliseconds(slot * quarter)
      .toZonedDateTimeISO('UTC')
      .toPlainDateTime()
      .toZonedDateTime(zone).epochMilliseconds
    const offset = slot * quarter - instant
    if (known.size > 100_000) known.clear()
    known.set(slot, offset)
    return offset
  }
}

/** Epoch milliseconds of a local time, taken as if it were UTC; undefined where no calendar has it. */
function localTime({ year, month, day, hour, minute, second, millisecond }: WallTime): number | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1) return undefined
  if (hour > 24 || minute > 59 || second > 59) return undefined
  if (day > 28 && day > new Date(midnight(year, month, 0)).getUTCDate()) return undefined
  if (hour === 24 && minute + second + millisecond > 0) return undefined
  return midnight(year, month - 1, day) + ((hour * 60 + minute) * 60 + second) * 1000 + millisecond
}

/** `Date.UTC`, which takes the years to 99 for those of the twentieth century. */
function midnight(year: number, month: number, day: number): number {
  return year > 99 ? Date.UTC(year, month, day) : new Date(0).setUTCFullYear(year, month, day)
}

function zoneOffset(mark: string): number {
  if (!/^[+-]/.test(mark)) return 0
  const digits = mark.slice(1).replace(':', '')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)
  return (mark.startsWith('-') ? -minutes : minutes) * 60_000
}

function epoch(value: unknown, unit: number): number | string {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) {
    return `${JSON.stringify(value)} is not a number of ${unit === 1 ? 'milliseconds' : 'seconds'}`
  }
  const at = Math.floor(number * unit)
  return isWritable(new Date(at)) ? at : `${JSON.stringify(value)} is further away than any date`
}
