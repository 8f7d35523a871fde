import { Temporal } from 'temporal-polyfill'
import { isWritable } from '../config/instants.ts'
import { WinbackError } from '../errors.ts'

/**
 * A moment as people type it: `2026-01-05` (its midnight), `2026-01-05T09:00` (both in `timezone`), or with an
 * offset of its own, `2026-01-05T09:00:00Z`.
 * @throws WinbackError `usage.moment`
 */
export function parseMoment(option: string, text: string, timezone: string): Date {
  try {
    const milliseconds = /(Z|[+-]\d\d:?\d\d)$/i.test(text.slice(10))
      ? Temporal.Instant.from(text).epochMilliseconds
      : Temporal.PlainDateTime.from(text.replace(' ', 'T')).toZonedDateTime(timezone).epochMilliseconds
    const moment = new Date(milliseconds)
    if (!isWritable(moment)) throw new RangeError('it is not of the years 1 to 9999')
    return moment
  } catch (cause) {
    throw new WinbackError('usage.moment', `${option} wants a date or a time, found "${text}"`, {
      remedy: `Write 2026-01-05, or 2026-01-05T09:00 (both in ${timezone}), or 2026-01-05T09:00:00Z.`,
      cause,
    })
  }
}
