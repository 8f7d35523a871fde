import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, it } from 'vitest'
import { lastTick, nextTick } from '../../src/service/schedule.ts'

const DAY = 86_400_000
const FROM = Date.UTC(2026, 0, 1)
const TO = Date.UTC(2027, 0, 1)

/** Every zone whose clock is set within the year, with the moments it is. */
const ZONES = Intl.supportedValuesOf('timeZone').flatMap((zone) => {
  const jumps: number[] = []
  const start = Temporal.Instant.fromEpochMilliseconds(FROM).toZonedDateTimeISO(zone)
  let offsets = start.offset
  let at = start.getTimeZoneTransition('next')
  while (at && at.epochMilliseconds < TO) {
    jumps.push(at.epochMilliseconds)
    offsets += ` ${at.offset}`
    at = at.getTimeZoneTransition('next')
  }
  return jumps.length === 0 ? [] : [{ zone, jumps, clock: `${offsets} ${jumps.join(' ')}` }]
})

/** One of those that show the same times all year, as Berlin and Paris do: 30 of 130. */
const CLOCKS = [...new Map(ZONES.map((each) => [each.clock, each])).values()]

const last = (schedule: string, zone: string, at: string) =>
  lastTick(schedule, zone, new Date(at)).toISOString()
const next = (schedule: string, zone: string, at: string) =>
  nextTick(schedule, zone, new Date(at)).toISOString()

describe('a tick where the clock is set', () => {
  it.each([
    ['30 2 * * *', 'America/New_York', '2026-03-08T16:00:00Z', '2026-03-08T07:00:00.000Z'],
    ['30 2 * * 0', 'Europe/Berlin', '2026-04-01T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['0 0 * * *', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00:00.000Z'],
    ['0 0 * * 5', 'Africa/Cairo', '2026-04-28T12:00:00Z', '2026-04-23T22:00:00.000Z'],
    ['0 0 * * 0', 'America/Havana', '2026-03-11T12:00:00Z', '2026-03-08T05:00:00.000Z'],
    ['0 0 * * 0', 'America/Santiago', '2026-09-11T12:00:00Z', '2026-09-06T04:00:00.000Z'],
    // A whole day left out.
    ['0 9 * * *', 'Pacific/Apia', '2011-12-30T10:30:00Z', '2011-12-30T10:00:00.000Z'],
  ])('%s in %s: a time left out ticks right after the jump', (schedule, zone, asked, tick) => {
    expect(last(schedule, zone, asked)).toBe(tick)
    expect(next(schedule, zone, new Date(Date.parse(tick) - 1).toISOString())).toBe(tick)
  })

  it.each([
    ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    ['30 1 * * *', 'America/New_York', '2026-11-01T05:30:00.000Z'],
  ])('%s in %s: a time shown twice ticks the first time', (schedule, zone, tick) => {
    for (const minutes of [0, 29, 30, 60, 61, 240]) {
      const at = new Date(Date.parse(tick) + minutes * 60_000).toISOString()
      expect(last(schedule, zone, at)).toBe(tick)
      expect(Date.parse(next(schedule, zone, at)) - Date.parse(tick)).toBe(DAY + 3_600_000)
    }
  })

  it('comes once for each date of a daily schedule, in every zone whose clock is set', () => {
    for (const { zone, jumps } of CLOCKS) {
      for (const jump of jumps) {
        const shown = Temporal.Instant.fromEpochMilliseconds(jump).toZonedDateTimeISO(zone)
        // The times around the jump, and midnight.
        for (const hour of new Set([0, 1, 2, 3, 23, shown.hour, (shown.hour + 23) % 24])) {
          const schedule = `30 ${hour} * * *`
          const first = shown.toPlainDate().subtract({ days: 4 })
          let at = new Date(first.toZonedDateTime(zone).epochMilliseconds - 1)
          for (let days = 0; days < 8; days++) {
            const tick = nextTick(schedule, zone, at)
            const wall = first.add({ days }).toPlainDateTime({ hour, minute: 30 })
            const meant = wall.toZonedDateTime(zone)
            const expected = meant.toPlainDateTime().equals(wall) ? meant.epochMilliseconds : jump
            expect(`${zone} ${schedule} ${tick.toISOString()}`).toBe(
              `${zone} ${schedule} ${new Date(expected).toISOString()}`,
            )
            expect(lastTick(schedule, zone, tick)).toEqual(tick)
            at = tick
          }
        }
      }
    }
  }, 60_000)

  it('is the same asked from either side, in every zone around its jumps, whatever the schedule', () => {
    const minute = fc.integer({ min: 0, max: 59 })
    const hour = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 23 }))
    const schedule = fc.oneof(
      fc.tuple(minute, hour).map(([m, h]) => `${m} ${h} * * *`),
      fc.tuple(minute, hour, fc.integer({ min: 0, max: 7 })).map(([m, h, d]) => `${m} ${h} * * ${d}`),
      fc.tuple(minute, hour, fc.integer({ min: 1, max: 31 })).map(([m, h, d]) => `${m} ${h} ${d} * *`),
      fc
        .tuple(minute, hour, fc.integer({ min: 1, max: 23 }))
        .map(([m, h, later]) => `${m} ${h},${(h + later) % 24} * * *`),
      fc.constantFrom('*/15 * * * *', '* * * * *', '0 * * * *', '0 */6 * * *', '0 9 * * 1-5', '0 0 29 2 *'),
    )
    const moment = fc
      .constantFrom(...ZONES)
      .chain(({ zone, jumps }) =>
        fc
          .tuple(
            fc.constantFrom(...jumps),
            fc.integer({ min: -3 * 3600, max: 3 * 3600 }),
            fc.integer({ min: -8, max: 8 }),
          )
          .map(([jump, seconds, days]) => ({ zone, at: new Date(jump + seconds * 1000 + days * DAY) })),
      )
    fc.assert(
      fc.property(schedule, moment, (text, { zone, at }) => {
        const before = lastTick(text, zone, at)
        const after = nextTick(text, zone, at)
        expect(before <= at && at < after).toBe(true)
        expect(lastTick(text, zone, after)).toEqual(after)
        expect(lastTick(text, zone, new Date(after.getTime() - 1))).toEqual(before)
        expect(nextTick(text, zone, new Date(before.getTime() - 1))).toEqual(before)
        expect(nextTick(text, zone, before)).toEqual(after)
      }),
      { numRuns: 500 },
    )
  }, 60_000)

  it('of a day that never comes is refused at once', () => {
    for (const ask of [lastTick, nextTick])
      expect(() => ask('0 0 31 2 *', 'Europe/Berlin', new Date(FROM))).toThrow(/day of month/)
  })
})
