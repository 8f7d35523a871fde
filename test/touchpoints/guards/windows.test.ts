import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, it } from 'vitest'
import { HOLIDAYS, openCalendar } from '../../../src/config/calendar.ts'
import type { LocalWindow } from '../../../src/config/quantities.ts'
import { nextOpening, spreadFrom, spreadOffset } from '../../../src/touchpoints/guards/windows.ts'

const DAY: LocalWindow = { from: 9 * 60, to: 21 * 60, workdays: false }
const at = (text: string) => new Date(text)

/** What a wall clock in a zone shows, asked of Intl rather than of the code's own calendar. */
function wallClock(zone: string): (moment: Date) => { minutes: number; weekend: boolean } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  return (moment) => {
    const parts = new Map(format.formatToParts(moment).map((part) => [part.type, part.value]))
    const weekday = parts.get('weekday') ?? ''
    return {
      minutes: Number(parts.get('hour')) * 60 + Number(parts.get('minute')),
      weekend: weekday === 'Sat' || weekday === 'Sun',
    }
  }
}

const clocks = new Map<string, ReturnType<typeof wallClock>>()

function isInside(window: LocalWindow, zone: string, moment: Date): boolean {
  const clock = clocks.get(zone) ?? wallClock(zone)
  clocks.set(zone, clock)
  const { minutes, weekend } = clock(moment)
  return minutes >= window.from && minutes < window.to && !(window.workdays && weekend)
}

/** Every change of the clocks from 2025 to 2027, in every zone there is. */
const changes = Intl.supportedValuesOf('timeZone').flatMap((zone) => {
  const found: { zone: string; change: number }[] = []
  let moment = Temporal.Instant.from('2025-01-01T00:00:00Z').toZonedDateTimeISO(zone)
  for (;;) {
    const next = moment.getTimeZoneTransition('next')
    if (!next || next.year > 2026) return found
    found.push({ zone, change: next.epochMilliseconds })
    moment = next
  }
})

describe('a local window', () => {
  it('is half-open, to the second', () => {
    const open = (time: string) => nextOpening(DAY, 'UTC', at(time))
    expect(open('2026-03-02T08:59:59Z')).toEqual(at('2026-03-02T09:00:00Z'))
    expect(open('2026-03-02T09:00:00Z')).toBeUndefined()
    expect(open('2026-03-02T20:59:59Z')).toBeUndefined()
    expect(open('2026-03-02T21:00:00Z')).toEqual(at('2026-03-03T09:00:00Z'))
  })

  it('needs the time a send may take', () => {
    expect(nextOpening(DAY, 'UTC', at('2026-03-02T20:58:59Z'), 60)).toBeUndefined()
    expect(nextOpening(DAY, 'UTC', at('2026-03-02T20:59:00Z'), 60)).toEqual(at('2026-03-03T09:00:00Z'))
  })

  it('waits for Monday on workdays', () => {
    const office: LocalWindow = { from: 600, to: 1140, workdays: true }
    expect(nextOpening(office, 'Asia/Shanghai', at('2026-03-06T11:00:00Z'))).toEqual(
      at('2026-03-09T02:00:00Z'),
    )
  })

  it('that lies in the gap of a change is passed over for the day', () => {
    const early: LocalWindow = { from: 2 * 60, to: 3 * 60, workdays: false }
    // Berlin goes from 02:00 to 03:00 on 2026-03-29.
    expect(nextOpening(early, 'Europe/Berlin', at('2026-03-28T12:00:00Z'))).toEqual(
      at('2026-03-30T00:00:00Z'),
    )
  })

  it('keeps its wall-clock hours across a change', () => {
    const opening = (time: string) => nextOpening(DAY, 'America/New_York', at(time))
    expect(opening('2026-03-07T23:30:00-05:00')).toEqual(at('2026-03-08T13:00:00Z'))
    expect(opening('2026-03-06T23:30:00-05:00')).toEqual(at('2026-03-07T14:00:00Z'))
  })

  it('never lets anything out at another hour, in any zone, around every change of its clocks', () => {
    expect(changes.length).toBeGreaterThan(300)
    fc.assert(
      fc.property(
        fc.constantFrom(...changes),
        fc.integer({ min: -40 * 3600, max: 40 * 3600 }),
        fc.integer({ min: 0, max: 1438 }),
        fc.integer({ min: 1, max: 1440 }),
        fc.boolean(),
        fc.integer({ min: 0, max: 90 }),
        ({ zone, change }, seconds, from, length, workdays, margin) => {
          const window = { from, to: Math.min(1440, from + length), workdays }
          const now = new Date(change + seconds * 1000)
          const opening = nextOpening(window, zone, now, margin)
          if (opening === undefined) {
            expect(isInside(window, zone, now)).toBe(true)
            expect(isInside(window, zone, new Date(now.getTime() + margin * 1000))).toBe(true)
          } else {
            expect(opening.getTime()).toBeGreaterThan(now.getTime())
            expect(isInside(window, zone, opening)).toBe(true)
            // A window of a minute may fall wholly into a gap; a weekend adds two days.
            expect(opening.getTime() - now.getTime()).toBeLessThan(5 * 86_400_000)
          }
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('a local window and a calendar', () => {
  const CHINA = { holidays: 'CN', blackout: [] } as const
  const days = (list: readonly string[], year: number) =>
    list.flatMap((span) => {
      const [from = '', to = from] = span.split('..')
      const found: string[] = []
      for (let day = Temporal.PlainDate.from(`${year}-${from}`); ; day = day.add({ days: 1 })) {
        found.push(day.toString())
        if (day.toString() === `${year}-${to}`) return found
      }
    })
  const free = new Set(HOLIDAYS.CN.years.flatMap((year) => days(HOLIDAYS.CN.off[year], year)))
  const worked = new Set(HOLIDAYS.CN.years.flatMap((year) => days(HOLIDAYS.CN.worked[year], year)))

  it('let nothing out on a closed day, and hold nothing back on an open one, wherever and however spread', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...changes),
        fc.integer({ min: -400, max: 400 }),
        fc.record({
          from: fc.integer({ min: 0, max: 1200 }),
          length: fc.integer({ min: 10, max: 1440 }),
          workdays: fc.boolean(),
        }),
        fc.record({ after: fc.nat(20), length: fc.nat(15), china: fc.boolean() }),
        fc.record({
          spread: fc.nat(86_400),
          message: fc.nat(),
          margin: fc.nat(90),
          patience: fc.nat(30 * 86_400),
        }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        ({ zone, change }, hours, { length, ...hoursOpen }, blackout, place, part) => {
          const window = { ...hoursOpen, to: Math.min(1440, hoursOpen.from + length) }
          const now = new Date(change + hours * 3_600_000)
          const dateOf = (moment: Date) =>
            Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(zone).toPlainDate()
          const from = dateOf(now).add({ days: blackout.after })
          const span = { from: from.toString(), to: from.add({ days: blackout.length }).toString() }
          const calendar = openCalendar({ ...(blackout.china ? CHINA : {}), blackout: [span] })
          const isGood = (moment: Date) => {
            const date = dateOf(moment).toString()
            if (date >= span.from && date <= span.to) return false
            const known = blackout.china && window.workdays
            if (known && free.has(date)) return false
            return isInside(known && worked.has(date) ? { ...window, workdays: false } : window, zone, moment)
          }
          const { margin } = place
          const opening = nextOpening(window, zone, now, margin, calendar)
          const holds = (moment: Date) => isGood(moment) && isGood(new Date(moment.getTime() + margin * 1000))
          expect(opening === undefined).toBe(holds(now))
          if (opening === undefined) return
          expect(isGood(opening)).toBe(true)
          // Where clocks change, an opening may be passed over; everywhere else the first is taken.
          const between = new Date(now.getTime() + part * (opening.getTime() - now.getTime()))
          const isNear = Math.abs(between.getTime() - change) < 36 * 3_600_000
          if (between < opening && !isNear) expect(holds(between)).toBe(false)
          const latest = opening.getTime() + place.patience * 1000
          const until = spreadFrom(opening, place.message, window, { ...place, zone, latest, calendar })
          expect(isGood(until)).toBe(true)
          expect(until.getTime()).toBeGreaterThanOrEqual(opening.getTime())
          expect(until.getTime()).toBeLessThanOrEqual(latest)
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('a spread', () => {
  it('is the same each time, whole minutes, and inside the window', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 40 }),
        fc.nat({ max: 86_400 }),
        fc.integer({ min: 0, max: 1439 }),
        (id, spread, from) => {
          const window = { from, to: 1440, workdays: false }
          const offset = spreadOffset(id, spread, window)
          expect(spreadOffset(id, spread, window)).toBe(offset)
          expect(offset % 60).toBe(0)
          expect(offset).toBeGreaterThanOrEqual(0)
          expect(offset).toBeLessThan(Math.max(60, Math.min(spread, (1440 - from) * 60)))
        },
      ),
    )
  })

  it('uses every minute evenly, also for ids in steps of two or four', () => {
    for (const stride of [1, 2, 4, 100]) {
      const minutes = new Map<number, number>()
      for (let id = 0; id < 12_000; id += 1) {
        const minute = spreadOffset(id * stride, 7200, DAY) / 60
        minutes.set(minute, (minutes.get(minute) ?? 0) + 1)
      }
      expect(minutes.size).toBe(120)
      expect(Math.max(...minutes.values())).toBeLessThan(140)
    }
  })

  it('as long as the window does not put anything off for ever', () => {
    const narrow: LocalWindow = { from: 540, to: 600, workdays: false }
    const opening = at('2026-03-02T09:00:00Z')
    const place = { spread: 3600, margin: 60, zone: 'UTC', latest: Number.POSITIVE_INFINITY }
    for (let id = 0; id < 500; id += 1) {
      const until = spreadFrom(opening, id, narrow, place)
      expect(nextOpening(narrow, 'UTC', until, 60)).toBeUndefined()
    }
  })

  it('goes at the opening where its own place would be too late, or past a jump of the clocks', () => {
    const opening = at('2026-03-02T09:00:00Z')
    const latest = opening.getTime() + 60_000
    for (let id = 0; id < 50; id += 1) {
      const until = spreadFrom(opening, id, DAY, { spread: 7200, margin: 1, zone: 'UTC', latest })
      expect(until.getTime()).toBeLessThanOrEqual(latest)
    }
    // 00:30 to 04:00 lasts two and a half hours on the night Berlin jumps.
    const night: LocalWindow = { from: 30, to: 240, workdays: false }
    const start = at('2026-03-28T23:30:00Z')
    for (let id = 0; id < 300; id += 1) {
      const until = spreadFrom(start, id, night, {
        spread: 12_600,
        margin: 0,
        zone: 'Europe/Berlin',
        latest: Number.POSITIVE_INFINITY,
      })
      expect(isInside(night, 'Europe/Berlin', until)).toBe(true)
    }
  })
})
