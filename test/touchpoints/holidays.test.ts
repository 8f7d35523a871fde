import { describe, expect, it } from 'vitest'
import { openCalendar } from '../../src/config/calendar.ts'
import { dateSpan, localWindow } from '../../src/config/quantities.ts'
import { nextOpening } from '../../src/touchpoints/guards/windows.ts'

const office = localWindow.parse('workdays 10:00-19:00')
const daily = localWindow.parse('09:00-21:00')
const SHANGHAI = 'Asia/Shanghai'
const at = (text: string) => new Date(`${text}+08:00`)
const china = openCalendar({ holidays: 'CN', blackout: [] })

describe('holidays', () => {
  it('close workdays, and open the weekends that are worked in their place', () => {
    const opening = (text: string) => nextOpening(office, SHANGHAI, at(text), 0, china)
    // The Spring Festival of 2026: from Saturday the 14th, worked, to Tuesday the 24th.
    expect(opening('2026-02-14T11:00')).toBeUndefined()
    expect(opening('2026-02-14T19:00')).toEqual(at('2026-02-24T10:00'))
    expect(opening('2026-02-20T12:00')).toEqual(at('2026-02-24T10:00'))
    expect(opening('2026-02-28T12:00')).toBeUndefined()
    expect(opening('2026-03-01T12:00')).toEqual(at('2026-03-02T10:00'))
    expect(opening('2026-10-07T12:00')).toEqual(at('2026-10-08T10:00'))
    expect(opening('2026-10-10T12:00')).toBeUndefined()
    // Without the calendar a Friday is a Friday.
    expect(nextOpening(office, SHANGHAI, at('2026-02-20T12:00'))).toBeUndefined()
  })

  it('say nothing of windows that are not for workdays, and of years nobody has published', () => {
    expect(nextOpening(daily, SHANGHAI, at('2026-02-17T12:00'), 0, china)).toBeUndefined()
    expect(nextOpening(office, SHANGHAI, at('2031-02-03T12:00'), 0, china)).toBeUndefined()
  })
})

describe('blackout dates', () => {
  it('close every window, where the recipient is', () => {
    const blackout = [dateSpan.parse('2027-02-05..2027-02-07')]
    const calendar = openCalendar({ blackout })
    expect(nextOpening(daily, SHANGHAI, at('2027-02-04T20:59'), 0, calendar)).toBeUndefined()
    expect(nextOpening(daily, SHANGHAI, at('2027-02-05T09:00'), 0, calendar)).toEqual(at('2027-02-08T09:00'))
    const there = new Date('2027-02-05T03:00:00Z')
    expect(nextOpening(daily, SHANGHAI, there, 0, calendar)).toEqual(at('2027-02-08T09:00'))
    // In New York it is still the fourth, ten in the evening.
    expect(nextOpening(daily, 'America/New_York', there, 0, calendar)).toEqual(
      new Date('2027-02-08T14:00:00Z'),
    )
    const all = { from: 0, to: 1440, workdays: false }
    expect(nextOpening(all, 'America/New_York', there, 0, calendar)).toBeUndefined()
  })

  it('are dates that exist', () => {
    expect(dateSpan.safeParse('2027-02-30').success).toBe(false)
    expect(dateSpan.safeParse('2027-02-07..2027-02-05').success).toBe(false)
    expect(dateSpan.parse('2026-12-31')).toEqual({ from: '2026-12-31', to: '2026-12-31' })
  })
})
