import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cellsOf, fitted, painter, table, whiskers, wrap } from '../../src/reports/layout.ts'
import { speechOf } from '../../src/reports/words.ts'

const plain = painter(false)

describe('text in columns', () => {
  it('lines up Chinese, which takes two cells a character', () => {
    const lines = table(
      [
        { title: '分组', align: 'left' },
        { title: 'n', align: 'right' },
      ],
      [['触达组', '7'], ['a heading that is wider than all'], ['all', '1,000']],
      plain,
    )
    expect(lines).toEqual([
      '  分组        n',
      '  触达组      7',
      '  a heading that is wider than all',
      '  all     1,000',
    ])
    expect(cellsOf('触达组 a')).toBe(8)
  })

  it('keeps a table to the width: by wrapping its text, else by a paragraph a row', () => {
    const columns = [
      { title: '', align: 'left' },
      { title: 'n', align: 'right' },
      { title: '', align: 'left' },
    ] as const
    const rows = [
      ['coupon', '7', 'no valid address on any of the channels'],
      ['trial', '1,000', ''],
    ]
    expect(fitted(columns, rows, plain, 60)).toEqual(table(columns, rows, plain))
    expect(fitted(columns, rows, plain, 40)).toEqual([
      '              n',
      '  coupon      7  no valid address on any',
      '                 of the channels',
      '  trial   1,000',
    ])
    expect(fitted(columns, rows, plain, 30)).toEqual([
      '  coupon · n 7 · no valid',
      '    address on any of the',
      '    channels',
      '  trial · n 1,000',
    ])
  })

  it('puts values behind their titles where all are text: they could not be told apart', () => {
    const columns = ['', 'with labour', 'without labour'].map((title) => ({ title, align: 'left' }) as const)
    expect(fitted(columns, [['letter', 'not yet', 'not yet']], plain, 20)).toEqual([
      '  letter · with',
      '    labour not yet ·',
      '    without labour',
      '    not yet',
    ])
  })

  it('draws an interval where it lies, and zero where it is crossed', () => {
    const axis = { low: -10, high: 10, width: 21 }
    expect(whiskers(axis, { low: -4, value: 2, high: 8 })).toBe('      ├───┼─●─────┤')
    expect(whiskers(axis, { low: 3, value: 5, high: 6 })).toBe('          ┊  ├─●┤')
    expect(whiskers({ ...axis, low: 0 }, { low: 0, value: 0, high: 0 })).toBe('●')
  })

  it('ends no line with a mark that opens, and begins none with one that closes', () => {
    expect(wrap('每一时刻只知道（属性）的事', 16)).toEqual(['每一时刻只知道', '（属性）的事'])
    expect(wrap('只有这个差值算“增量”，其余不算', 15)).toEqual(['只有这个差值算', '“增量”，其余不', '算'])
    expect(wrap('见《活动》（附件）', 13)).toEqual(['见《活动》', '（附件）'])
  })

  it('takes a line break within a text, as in somebody’s note, for a space', () => {
    expect(wrap('why: “too\r\n  dear”, they said', 40)).toEqual(['why: “too dear”, they said'])
  })

  it('keeps an amount on one line with its currency, where that is letters', () => {
    const amounts = ['en', 'zh-CN'].map((locale) => speechOf({ locale, currency: 'KWD' }).money(-124_000))
    expect(amounts).toEqual(['-KWD\u00a00.124', '-KWD\u00a00.124'])
    expect(wrap(`brings in ${amounts[0]}`, 16)).toEqual(['brings in', amounts[0]])
    expect(wrap(`净收益 ${amounts[1]}`, 13)).toEqual(['净收益', amounts[1]])
    expect(wrap('for 1\u202f000 people', 8)).toEqual(['for', '1\u202f000', 'people'])
  })

  it('wraps without losing a letter, and keeps to the width', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z触达]{1,12}$/), { maxLength: 30 }),
        fc.integer({ min: 24, max: 60 }),
        (words, width) => {
          const text = words.join(' ')
          const lines = wrap(text, width)
          expect(lines.join('').replaceAll(' ', '')).toBe(words.join(''))
          for (const line of lines) expect(cellsOf(line)).toBeLessThanOrEqual(width)
        },
      ),
    )
  })
})
