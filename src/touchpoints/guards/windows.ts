import { Temporal } from 'temporal-polyfill'
import { later } from '../../clock.ts'
import { type Calendar, PLAIN_CALENDAR } from '../../config/calendar.ts'
import { localTime } from '../../config/local-time.ts'
import type { LocalWindow } from '../../config/quantities.ts'

// Local send windows: an hour of the day where the contact is, whatever its zone does with its clocks.

/**
 * When a message may go: now (`undefined`), or the moment the window next opens.
 * @param margin seconds that must be left of the window: the time a send may take
 * @param calendar which days are workdays, and on which nothing is sent
 */
export function nextOpening(
  window: LocalWindow,
  zone: string,
  now: Date,
  margin = 0,
  calendar: Calendar = PLAIN_CALENDAR,
): Date | undefined {
  const open = (at: number) => isOpenAt(window, zone, at, calendar)
  if (open(now.getTime()) && open(now.getTime() + margin * 1000)) return undefined
  const local = localTime(zone, now)
  const minutes = local.hour * 60 + local.minute
  let day = local.toPlainDate()
  // Today's opening is past once we are at or after it: open without the margin counts as past, too.
  if (minutes >= window.from) day = day.add({ days: 1 })
  // A year of closed days is no window at all: it is looked at again then.
  for (let days = 0; days < 400; days += 1) {
    if (isDayOpen(window, day.toString(), day.dayOfWeek, calendar)) {
      const opening = day.toZonedDateTime({
        timeZone: zone,
        plainTime: { hour: Math.floor(window.from / 60), minute: window.from % 60 },
      })
      // Where clocks jump over the opening, the moment after the jump may already be past the window's end.
      if (isOpen(window, opening) && opening.epochMilliseconds > now.getTime()) {
        return new Date(opening.epochMilliseconds)
      }
    }
    day = day.add({ days: 1 })
  }
  return new Date(day.toZonedDateTime(zone).epochMilliseconds)
}

/** Whether the window is shut for the whole of the local day, whatever the hour. */
export function isDayClosed(
  window: LocalWindow,
  zone: string,
  now: Date,
  calendar: Calendar = PLAIN_CALENDAR,
): boolean {
  const at = now.getTime()
  return !isDayOpenAt(window, Math.floor((at + stretchAt(zone, at).offset) / DAY), calendar)
}

function isDayOpen(window: LocalWindow, date: string, weekday: number, calendar: Calendar): boolean {
  if (calendar.isBlackout(date)) return false
  return !window.workdays || calendar.isWorkday(date, weekday)
}

/** A stretch of time within which a zone's clocks do not jump: epoch milliseconds [from, until), and its offset. */
interface Stretch {
  readonly from: number
  readonly until: number
  readonly offset: number
}
/**
 * The latest stretch of each zone, for the life of the process: a batch with a few hundred zones would look up nearly
 * all of them anew. Whoever asks cannot tell: what is known answers only where it holds the very zone and moment that
 * are asked about.
 */
const stretches = new Map<string, Stretch>()

/** The stretch a moment of a zone lies in. */
function stretchAt(zone: string, at: number): Stretch {
  const known = stretches.get(zone)
  if (known && at >= known.from && at < known.until) return known
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone)
  const until = local.getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY
  const stretch = { from: at, until, offset: local.offsetNanoseconds / 1e6 }
  stretches.set(zone, stretch)
  return stretch
}

const MINUTE = 60_000
const DAY = 86_400_000

/** {@link isOpen} at an epoch millisecond, by arithmetic alone. */
function isOpenAt(window: LocalWindow, zone: string, at: number, calendar: Calendar): boolean {
  const local = at + stretchAt(zone, at).offset
  const day = Math.floor(local / DAY)
  if (!isDayOpenAt(window, day, calendar)) return false
  const minutes = Math.floor((local - day * DAY) / MINUTE)
  return minutes >= window.from && minutes < window.to
}

/** {@link isDayOpen} of a day by its number since 1970. */
function isDayOpenAt(window: LocalWindow, day: number, calendar: Calendar): boolean {
  // Day 0 was a Thursday; 1 is Monday.
  const dayOfWeek = ((((day + 3) % 7) + 7) % 7) + 1
  if (!calendar.special) return !window.workdays || dayOfWeek <= 5
  return isDayOpen(window, new Date(day * DAY).toISOString().slice(0, 10), dayOfWeek, calendar)
}

function isOpen(window: LocalWindow, local: Temporal.ZonedDateTime): boolean {
  const minutes = local.hour * 60 + local.minute
  return minutes >= window.from && minutes < window.to
}

/**
 * The same answer for a whole batch: one computation a zone, since all its messages look at one clock.
 */
export function openingByZone(
  window: LocalWindow | undefined,
  now: Date,
  margin: number,
  calendar: Calendar = PLAIN_CALENDAR,
): (zone: string) => Date | undefined {
  if (!window) return () => undefined
  const known = new Map<string, Date | undefined>()
  return (zone) => {
    if (!known.has(zone)) known.set(zone, nextOpening(window, zone, now, margin, calendar))
    return known.get(zone)
  }
}

/**
 * Where in the spread after an opening a touchpoint goes, in seconds: the same each time it is asked, whole minutes,
 * and never past the window's end.
 * @param message tells it apart from the others of its opening
 */
export function spreadOffset(message: number, spread: number, window: LocalWindow): number {
  const slots = Math.floor(Math.min(spread, (window.to - window.from) * 60) / 60)
  if (slots <= 1) return 0
  // Knuth's multiplicative hash, by its high bits: ids of one step often differ by a constant, and the low bits of
  // the product then take only some of the minutes.
  const hash = Math.imul(message % 4_294_967_296, 2_654_435_761) >>> 0
  return Math.floor((hash / 4_294_967_296) * slots) * 60
}

/**
 * The moment after `opening` at which a touchpoint goes. Where its place in the spread would be too near the window's
 * end (the clocks jump, or the spread is as long as the window) or past `latest`, it goes at the opening itself: it
 * would be put off day after day.
 * @param place.latest epoch milliseconds after which it is not sent
 */
export function spreadFrom(
  opening: Date,
  message: number,
  window: LocalWindow,
  place: { spread: number; margin: number; zone: string; latest: number; calendar?: Calendar | undefined },
): Date {
  const offset = spreadOffset(message, place.spread, window)
  const until = later(opening, offset)
  if (offset === 0 || until.getTime() > place.latest) return opening
  return nextOpening(window, place.zone, until, place.margin + SLACK, place.calendar) === undefined
    ? until
    : opening
}

/** Seconds that a touchpoint may wait for a worker after its moment has come. */
const SLACK = 300
