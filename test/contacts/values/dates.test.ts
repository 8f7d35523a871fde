import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dateReader } from '../../../src/contacts/values/dates.ts'

const iso = (value: number | string) => (typeof value === 'number' ? new Date(value).toISOString() : value)

describe('dateReader', () => {
  it('reads ISO 8601 as Date does', () => {
    const read = dateReader()
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }), (at) => {
        expect(read(at.toISOString())).toBe(at.getTime())
        expect(read(at.toISOString().replace('T', ' ').replace('Z', '+00'))).toBe(at.getTime())
      }),
    )
  })

  it.each([
    ['2026-01-05', '2026-01-05T00:00:00.000Z'],
    ['2026-01-05 08:30', '2026-01-05T08:30:00.000Z'],
    ['2026-01-05T08:30:00.123456+08:00', '2026-01-05T00:30:00.123Z'],
    ['2026-01-05T08:30:00-0330', '2026-01-05T12:00:00.000Z'],
    [1767600000, '2026-01-05T08:00:00.000Z'],
    [1767600000000, '2026-01-05T08:00:00.000Z'],
  ])('%s', (written, expected) => expect(iso(dateReader()(written))).toBe(expected))

  it.each(['2026-02-29', '2026-13-01', '05/01/2026', '2026-01-05T25:00:00', 'soon', {}])(
    'refuses %s',
    (written) => expect(dateReader()(written)).toEqual(expect.stringContaining('not a date')),
  )

  it('keeps to the years 1 to 9999, as they are written: for ever is so in every zone', () => {
    expect(iso(dateReader()('0001-01-01'))).toBe('0001-01-01T00:00:00.000Z')
    expect(iso(dateReader()('0004-02-29 00:00:01'))).toBe('0004-02-29T00:00:01.000Z')
    expect(iso(dateReader({ timezone: 'Asia/Shanghai' })('0001-01-01'))).toBe('0001-01-01T00:00:00.000Z')
    const west = dateReader({ timezone: 'America/New_York' })
    expect(iso(west('9999-12-31 23:59:59'))).toBe('9999-12-31T23:59:59.999Z')
    expect(iso(west('9999-12-31T23:59:59-05:00'))).toBe('9999-12-31T23:59:59.999Z')
    expect(dateReader()('0000-01-01')).toBe('"0000-01-01" is not a date that exists')
    // Milliseconds, read as seconds.
    expect(dateReader({ format: 'epoch' })('1767600000000')).toBe(
      '"1767600000000" is further away than any date',
    )
  })

  it('reads a date without a zone in the given one, across DST', () => {
    const read = dateReader({ timezone: 'America/New_York' })
    expect(iso(read('2026-01-05 00:00'))).toBe('2026-01-05T05:00:00.000Z')
    expect(iso(read('2026-07-05 00:00'))).toBe('2026-07-05T04:00:00.000Z')
    expect(iso(read('2026-07-05T00:00:00Z'))).toBe('2026-07-05T00:00:00.000Z')
    expect(iso(dateReader({ timezone: 'Asia/Shanghai' })('2026-01-05'))).toBe('2026-01-04T16:00:00.000Z')
  })

  it('reads a format of its own', () => {
    expect(iso(dateReader({ format: 'yyyymmdd' })('19970101'))).toBe('1997-01-01T00:00:00.000Z')
    expect(iso(dateReader({ format: 'dd.mm.yyyy hh:mi' })('05.01.2026 08:30'))).toBe(
      '2026-01-05T08:30:00.000Z',
    )
    expect(iso(dateReader({ format: 'epoch' })('1767600000'))).toBe('2026-01-05T08:00:00.000Z')
    // As a spreadsheet writes them, without the zeros in front; not where nothing tells where a number ends.
    expect(dateReader({ alone: true })('5.3.2026')).toMatch(/ISO 8601 such as [\w:-]+Z$/)
    expect(dateReader()('46115.5')).toMatch(/is a spreadsheet's count of days; show the column as dates/)
    const sheet = dateReader({ format: 'yyyy/mm/dd hh:mi' })
    expect(iso(sheet('2026/5/9 8:30'))).toBe('2026-05-09T08:30:00.000Z')
    expect(iso(sheet('2026/05/09 08:30'))).toBe('2026-05-09T08:30:00.000Z')
    expect(iso(dateReader({ format: 'yyyy年mm月dd日' })('2026年5月8日'))).toBe('2026-05-08T00:00:00.000Z')
    expect(dateReader({ format: 'yyyymmdd' })('1997111')).toEqual(expect.stringContaining('not a date'))
    expect(dateReader({ format: 'yyyymmdd' })('19970230')).toEqual(expect.stringContaining('exists'))
    expect(() => dateReader({ format: 'jjjj' })).toThrow('not a date format')
    expect(() => dateReader({ timezone: 'Mars/Base' })).toThrow('no time zone')
  })
})
