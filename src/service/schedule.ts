import { CronExpressionParser } from 'cron-parser'

// When a campaign's schedule ticks, in its own zone. Pure: the clock's time goes in. A tick is the name of a run, so
// two machines whose clocks differ still speak of the same one.

/** The newest tick at or before a moment. `schedule`: cron, five fields; `timezone`: IANA. */
export function lastTick(schedule: string, timezone: string, now: Date): Date {
  // prev() is strictly before its date; a tick at this very millisecond counts.
  const after = new Date(now.getTime() + 1)
  return CronExpressionParser.parse(schedule, { tz: timezone, currentDate: after }).prev().toDate()
}

/** The first tick after a moment. */
export function nextTick(schedule: string, timezone: string, now: Date): Date {
  return CronExpressionParser.parse(schedule, { tz: timezone, currentDate: now }).next().toDate()
}
