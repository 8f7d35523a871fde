import { Temporal } from 'temporal-polyfill'

/** What the clocks of a zone show at a moment. */
export function localTime(zone: string, at: Date): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone)
}

/** The local day of a zone at a moment, `2026-03-02`. */
export function localDay(zone: string, at: Date): string {
  return localTime(zone, at).toPlainDate().toString()
}

/** When the next local day of a zone begins. */
export function startOfNextDay(zone: string, at: Date): Date {
  return new Date(localTime(zone, at).startOfDay().add({ days: 1 }).startOfDay().epochMilliseconds)
}
