import { Temporal } from 'temporal-polyfill'
import { parseCron } from '../config/cron.ts'
import { localTime } from '../config/local-time.ts'

// When a campaign's schedule ticks, in its own zone. Pure: the clock's time goes in. A tick is the name of a run, so
// two machines whose clocks differ still speak of the same one.
//
// A schedule names times of a clock on the wall, each of which ticks once. Where the clock jumps ahead, the times it
// leaves out tick together, right after the jump; where it is set back, a time that comes twice ticks the first time.
// So later wall times never tick earlier, and to ask for a tick is to ask how far the wall clock has come. The walking
// is done by cron-parser on wall times alone, as though they were UTC: near a jump of a real zone its `prev` skips
// ticks, repeats them or throws.

/** The newest tick at or before a moment. `schedule`: cron, five fields; `timezone`: IANA. */
export function lastTick(schedule: string, timezone: string, now: Date): Date {
  // prev() is strictly before its date; a tick at this very millisecond counts.
  const after = new Date(wallReached(timezone, now) + 1)
  return momentOf(timezone, parseCron(schedule, after).prev().getTime())
}

/** The first tick after a moment. */
export function nextTick(schedule: string, timezone: string, now: Date): Date {
  const reached = new Date(wallReached(timezone, now))
  return momentOf(timezone, parseCron(schedule, reached).next().getTime())
}

/** The latest time the wall clock has shown by a moment, as though it were UTC: also after it was set back. */
function wallReached(timezone: string, now: Date): number {
  const shown = localTime(timezone, now)
  const wall = shown.toPlainDateTime()
  if (wall.toZonedDateTime(timezone).epochMilliseconds === now.getTime()) return asUtc(wall)
  // Shown a second time: the clock has been further, up to where it was set back.
  return asUtc(jumpBefore(shown).subtract({ milliseconds: 1 }).toPlainDateTime())
}

/** When a wall time ticks. */
function momentOf(timezone: string, asThoughUtc: number): Date {
  const wall = Temporal.Instant.fromEpochMilliseconds(asThoughUtc).toZonedDateTimeISO('UTC').toPlainDateTime()
  const moment = wall.toZonedDateTime(timezone)
  const exists = moment.toPlainDateTime().equals(wall)
  return new Date((exists ? moment : jumpBefore(moment)).epochMilliseconds)
}

/** The newest change of the zone's offset at or before a moment that is known to follow one. */
function jumpBefore(moment: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  const jump = moment.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  if (!jump) throw new Error(`${moment.timeZoneId} has no change of its clock before ${moment.toString()}`)
  return jump
}

function asUtc(wall: Temporal.PlainDateTime): number {
  return wall.toZonedDateTime('UTC').epochMilliseconds
}
