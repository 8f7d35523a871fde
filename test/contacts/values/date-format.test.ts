import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatOf, wallTimeReader } from '../../../src/contacts/values/date-format.ts'

describe('wallTimeReader', () => {
  it('reads each minute as a program in America wrote it', () => {
    const minute = fc.date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    fc.assert(
      fc.property(minute, fc.constantFrom('short', 'long'), (at, month) => {
        const written = new Intl.DateTimeFormat('en-US', {
          ...{
            year: 'numeric',
            month,
            day: 'numeric',
            hour: 'numeric',
            minute: '2-digit',
            second: '2-digit',
          },
          timeZone: 'UTC',
        }).formatToParts(at)
        const text = written
          .map(({ type, value }) => (type === 'literal' ? value.replace(' at ', ', ') : value))
          .join('')
        expect(wallTimeReader('mon dd, yyyy, hh:mi:ss am')(text)).toEqual({
          year: at.getUTCFullYear(),
          month: at.getUTCMonth() + 1,
          day: at.getUTCDate(),
          hour: at.getUTCHours(),
          minute: at.getUTCMinutes(),
          second: at.getUTCSeconds(),
          millisecond: 0,
        })
      }),
    )
  })

  it.each([
    ['12:00 AM', 0],
    ['12:59 a.m.', 0],
    ['0:30 AM', 0],
    ['11:59 am', 11],
    ['12:00 PM', 12],
    ['1:00pm', undefined],
    ['11:59\u202fPM', 23],
    ['13:00 PM', undefined],
  ])('knows the hour of %s', (time, hour) => {
    expect(wallTimeReader('mm/dd/yyyy hh:mi am')(`1/5/2026 ${time}`)?.hour).toBe(hour)
  })

  it.each(['jjjj', 'yyyy-mm', 'yyyymmddmm', 'yyyy mm mon dd', 'yyyy-mm-dd am', 'dd.mm.yy'])(
    'refuses %s',
    (format) => {
      expect(() => wallTimeReader(format)).toThrow(`"${format}" is not a date format`)
    },
  )
})

describe('formatOf', () => {
  it.each([
    ['1767600000', 'epoch'],
    ['1767600000000', 'epoch-ms'],
    ['20260105', 'yyyymmdd'],
    ['2026/5/9', 'yyyy/mm/dd'],
    ['2026/5/9 8:30', '"yyyy/mm/dd hh:mi"'],
    ['2026年5月8日', 'yyyy年mm月dd日'],
    ['2026-01-05 10:00 PM', '"yyyy-mm-dd hh:mi am"'],
    ['13/1/2026', 'dd/mm/yyyy'],
    ['1/13/2026', 'mm/dd/yyyy'],
    ['1/5/2026', '(such as dd/mm/yyyy or mm/dd/yyyy)'],
    ['1/5/2026 3:04 PM', '(such as "dd/mm/yyyy hh:mi am" or "mm/dd/yyyy hh:mi am")'],
    ['Jan 5, 2026', '"mon dd, yyyy"'],
    ['5 January 2026 10:00', '"dd mon yyyy hh:mi"'],
    ['Sept. 3, 2026 12:00:05 a.m.', '"mon dd, yyyy hh:mi:ss am"'],
    ['1/13/26', '(such as dd.mm.yyyy)'],
    ['99/99/2026', '(such as dd.mm.yyyy)'],
    ['Mai 5, 2026', '(such as dd.mm.yyyy)'],
    ['soon', '(such as dd.mm.yyyy)'],
  ])('of %s', (text, format) => expect(formatOf(text)).toBe(format))
})
