import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type FileRow, openRows } from '../../../src/contacts/files/rows.ts'
import { file } from '../files.ts'

const all = async (path: string, options: Parameters<typeof openRows>[1] = {}) => {
  const found: FileRow[] = []
  for await (const batch of openRows(path, options).batches()) found.push(...batch)
  return found
}
const values = async (content: string | Buffer, name = 'f.csv', options = {}) =>
  (await all(file(name, content), options)).map((row) => row.problem ?? row.values)

describe('openRows', () => {
  it('reads what csv-parse reads', async () => {
    const cell = fc.oneof(
      fc.string({ maxLength: 6, unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'é', '\r\n', '字') }),
      fc.string({ maxLength: 4 }),
    )
    const table = fc.array(fc.array(cell, { minLength: 2, maxLength: 3 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(table, fc.boolean(), async (rows, quoteAll) => {
        const quote = (text: string) =>
          quoteAll || /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
        const clean = rows.map((row) => row.map((text) => text.replaceAll('\0', '').replaceAll('\r', '')))
        const text = clean.map((row) => row.map(quote).join(',')).join('\n')
        const expected = parse(text, { relax_column_count: true }) as string[][]
        expect(await values(text)).toEqual(expected)
      }),
      { numRuns: 150 },
    )
  })

  it('reads any bytes without losing count of the lines', async () => {
    const line = fc.constantFrom('a,b', '"a\nb",c', '"open,x', 'x"y,z', '"a"b,c', '', 'ü,字', '"",""')
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), async (lines) => {
        const text = lines.join('\n')
        const found = await all(file('f.csv', text))
        const split = text.split('\n')
        for (const row of found) expect(split[row.line - 1]).toBe(row.raw.split('\n')[0])
        expect(found.map((row) => row.raw).join('\n')).toBe(text.replace(/\n$/, ''))
      }),
      { numRuns: 150 },
    )
  })

  it('names the line of what is no row, and reads the rest', async () => {
    const bytes = Buffer.concat([
      Buffer.from('a,1\r\n"b,2\nc,3\nd"x,4\n'),
      Buffer.from([0x65, 0xff, 0x2c, 0x35, 0x0a]),
      Buffer.from('f\0,6\ng,7\n'),
    ])
    const found = await all(file('f.csv', bytes))
    expect(found.map((row) => [row.line, row.problem ?? row.values])).toEqual([
      [1, ['a', '1']],
      [2, 'text follows a closing quote'],
      [5, expect.stringMatching(/^the line is not UTF-8; .*--encoding gbk/)],
      [6, 'the line holds a NUL byte'],
      [7, ['g', '7']],
    ])
  })

  it('reads numbers that a spreadsheet is told to leave as text', async () => {
    expect(await values('="0138",a\n"x",="E1"\n="a"b,c\n="open\n')).toEqual([
      ['0138', 'a'],
      ['x', 'E1'],
      'text follows a closing quote',
      'a quote is never closed',
    ])
  })

  it('reads a bill of WeChat Pay, which has a backtick before each cell', async () => {
    expect(await values('时间,商品,金额\n`2026-01-05,`茶, "春",`1.00\n`2026-01-06,`,`2.00\n')).toEqual([
      ['时间', '商品', '金额'],
      ['2026-01-05', '茶, "春"', '1.00'],
      ['2026-01-06', '', '2.00'],
    ])
    expect(await values('`Iolani,1\n"`a",b\n')).toEqual([
      ['`Iolani', '1'],
      ['`a', 'b'],
    ])
  })

  it('reads as GBK what GB18030 alone has, as the standard says', async () => {
    // 茶 as both have it, then ¥ and 🍵 as the second does.
    const bytes = Buffer.from([0xb2, 0xe8, 0x2c, 0x81, 0x30, 0x84, 0x36, 0x2c, 0x94, 0x39, 0xbb, 0x35, 0x0a])
    expect(await values(bytes, 'f.csv', { encoding: 'gbk' })).toEqual([['茶', '¥', '🍵']])
  })

  it.each([
    ['gbk', '\ufeffexternal_id,first_name\nu1,张三\n', /^it is UTF-8 by its first bytes, not gbk: /],
    ['windows-1252', `id,name\n${'u1,Jürgen Groß\n'.repeat(9)}`, /^it is UTF-8, not windows-1252: leave/],
    ['gbk', `id,name\n${'u1,欧阳修文\n'.repeat(9)}`, /^it is UTF-8, not gbk: leave --encoding away/],
    [
      'gbk',
      Buffer.from('\ufeffid,name\nu1,张三\n', 'utf16le'),
      /^it is UTF-16 by its first bytes, not gbk: say --encoding utf-16le$/,
    ],
  ])('refuses a file that is not %s as it was said to be', async (encoding, content, why) => {
    await expect(all(file('f.csv', content), { encoding })).rejects.toMatchObject({
      code: 'import.unreadable',
      message: expect.stringMatching(new RegExp(`cannot be read: ${why.source.replace(/^\^/, '')}`)),
    })
  })

  it('takes a quote that is never closed for one bad line', async () => {
    const found = await all(file('f.csv', 'a,1\n"b,2\nc,3\nd,4\n'))
    expect(found.map((row) => [row.line, row.problem ?? row.values])).toEqual([
      [1, ['a', '1']],
      [2, 'a quote is never closed'],
      [3, ['c', '3']],
      [4, ['d', '4']],
    ])
  })

  it('takes a line of many megabytes for one bad line', async () => {
    const found = await all(
      file('f.csv', `a,1\n${'x'.repeat(9_000_000)}\nb,2\n${'y'.repeat(1_500_000)}\nc,3`),
    )
    const problem = 'the line is longer than a million characters'
    expect(found.map((row) => [row.line, row.problem ?? row.values])).toEqual([
      [1, ['a', '1']],
      [2, problem],
      [3, ['b', '2']],
      [4, problem],
      [5, ['c', '3']],
    ])
  })

  it('reads NDJSON, gzip, tabs, whitespace and a byte order mark', async () => {
    expect(await values('{"a":1}\n\n[1]\n{"a"\n', 'f.ndjson')).toEqual([
      { a: 1 },
      [],
      'expected a JSON object',
      expect.stringContaining('malformed JSON'),
    ])
    expect(await values(gzipSync('a,1\nb,2\n'), 'f.csv.gz')).toEqual([
      ['a', '1'],
      ['b', '2'],
    ])
    expect(await values('a\t1\n', 'f.tsv')).toEqual([['a', '1']])
    expect(await values(' 00004 0001 19970101  2   29.33\r\n', 'f.txt', { delimiter: 'whitespace' })).toEqual(
      [['00004', '0001', '19970101', '2', '29.33']],
    )
    expect(await values('\ufeffid,x\n')).toEqual([['id', 'x']])
  })

  it('opens nothing before the rows are asked for: who finds that the columns do not fit never does', async () => {
    const path = file('gone.ndjson', '{"a":1}')
    const source = openRows(path)
    rmSync(path)
    // As long as opening it would take.
    await delay(20)
    expect(source.bytesRead()).toBe(0)
    await expect(source.batches()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'import.unreadable',
    })
  })

  it('says what is wrong with a file that cannot be read', async () => {
    const cut = file('f.csv.gz', gzipSync('a,1\n'.repeat(9999)).subarray(0, 50))
    await expect(all(cut)).rejects.toMatchObject({ code: 'import.unreadable', location: { file: cut } })
    await expect(all(cut)).rejects.toThrow('its gzip ends in the middle')
    const broken = (name: string, ...bytes: number[]) => all(file(name, Buffer.from(bytes)))
    await expect(broken('f.csv.gz', 0x61, 0x2c, 0x62)).rejects.toThrow('it is no gzip')
    await expect(broken('f.csv', 0xff, 0xfe, 0x61, 0)).rejects.toThrow(
      'UTF-16: say so with --encoding utf-16le',
    )
    await expect(broken('f.csv', 0xfe, 0xff, 0, 0x61)).rejects.toThrow('--encoding utf-16be')
    await expect(all(file('f.csv', gzipSync('a,1\n')))).rejects.toThrow('let its name end in .gz')
    const wide = Buffer.from('external_id,email\nu1,a@shop.example\n', 'utf16le')
    await expect(all(file('f.csv', wide))).rejects.toThrow('say so with --encoding utf-16le')
    await expect(all(file('f.csv', wide.swap16()))).rejects.toThrow('say so with --encoding utf-16be')
    for (const name of ['f.json', 'f.ndjson']) {
      await expect(all(file(name, '[\n  {"external_id":"u1"}\n]'))).rejects.toThrow('it is one JSON array')
    }
    await expect(broken('f.csv', 0x50, 0x4b, 3, 4)).rejects.toThrow('save it as CSV')
    expect(() => openRows('/no/such/file.csv')).toThrow('cannot be read')
    expect(() => openRows('/no/such/file.csv')).toThrow(
      expect.objectContaining({ remedy: 'Check the path, and that the file may be read.' }),
    )
  })
})
