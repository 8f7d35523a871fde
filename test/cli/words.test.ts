import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sayIn } from '../../src/cli/locale.ts'
import { parseMoment } from '../../src/cli/moments.ts'
import { openOutput } from '../../src/cli/output.ts'
import { formatApplied } from '../../src/cli/verbs/apply.ts'
import { failedMostly, formatSummary } from '../../src/cli/verbs/import-text.ts'
import { formatInit } from '../../src/cli/verbs/init.ts'
import { formatVersions } from '../../src/cli/verbs/rollback.ts'
import { targetOf } from '../../src/cli/verbs/switches.ts'
import { formatValidate } from '../../src/cli/verbs/validate.ts'
import { painter } from '../../src/reports/layout.ts'
import { speechOf } from '../../src/reports/words.ts'

// What the verbs say, given what they found.

const quiet = { write: () => {} }
const output = openOutput({ json: false, noColor: true, stdout: quiet, stderr: quiet })
const english = speechOf({ locale: 'en' })
const chinese = speechOf({ locale: 'zh-CN' })

test('moments are read in the workspace’s zone, unless they bring their own', () => {
  const read = (text: string, zone = 'Asia/Shanghai') => parseMoment('--from', text, zone).toISOString()
  expect(read('2026-01-05')).toBe('2026-01-04T16:00:00.000Z')
  expect(read('2026-01-05T09:30')).toBe('2026-01-05T01:30:00.000Z')
  expect(read('2026-01-05 09:30')).toBe('2026-01-05T01:30:00.000Z')
  expect(read('2026-01-05T09:30:00Z')).toBe('2026-01-05T09:30:00.000Z')
  expect(read('2026-01-05T09:30:00+01:00')).toBe('2026-01-05T08:30:00.000Z')
  // A midnight that the change to summer time takes away begins an hour later.
  expect(read('2026-09-06', 'America/Santiago')).toBe('2026-09-06T04:00:00.000Z')
  for (const wrong of ['yesterday', '2026-02-30', '05/01/2026', '', '0000-01-01', '+020000-01-01']) {
    expect(() => read(wrong)).toThrow(`--from wants a date or a time, found "${wrong}"`)
  }
})

test('a moment that is printed is read back', () => {
  const valid = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
  fc.assert(
    fc.property(valid, fc.constantFrom('UTC', 'Asia/Shanghai', 'America/New_York'), (date, zone) => {
      expect(parseMoment('--to', date.toISOString(), zone)).toEqual(date)
    }),
  )
})

test('a switch is for one thing', () => {
  expect(targetOf('autumn', {})).toEqual({ scope: 'campaign', name: 'autumn' })
  expect(targetOf(undefined, { channel: 'email' })).toEqual({ scope: 'channel', name: 'email' })
  expect(targetOf(undefined, { all: true })).toEqual({ scope: 'workspace', name: '*' })
  expect(() => targetOf(undefined, {})).toThrow('say what')
  expect(() => targetOf('autumn', { all: true })).toThrow('say one of')
})

test('an import says what came in, and where the rest is', () => {
  const summary = {
    kind: 'contacts',
    file: 'customers.csv',
    rows: 12_000,
    inserted: 10_000,
    updated: 500,
    unchanged: 1495,
    erased: 3,
    rejected: 2,
    unknown: 0,
    warnings: 1,
    reasons: [{ reason: 'signed_up_at: … is not a date that exists', rows: 2, line: 7 }],
    warningReasons: [],
    seconds: 2,
    rejectFile: 'customers.csv.rejects.csv',
    unused: [],
    uncounted: [],
    changed: false,
  } as const
  expect(formatSummary(summary, english, 80)).toBe(
    'customers.csv: 12,000 rows of contacts in 2.0 s, 6,000 a second\n' +
      '  10,000 new, 500 updated, 1,495 known already, 3 erased and not taken in again\n' +
      '  2 rows rejected, 1 row taken without something: see customers.csv.rejects.csv\n' +
      '    2  signed_up_at: … is not a date that exists (line 7)',
  )
  expect(formatSummary(summary, chinese, 80)).toBe(
    'customers.csv：联系人 12,000 行，用时 2.0 秒，每秒 6,000 行\n' +
      '  新增 10,000，更新 500，已有 1,495，已按要求删除、不再导入 3\n' +
      '  2 行被拒收，1 行导入时略去了部分内容：见 customers.csv.rejects.csv\n' +
      '    2  signed_up_at：… 不是存在的日期（第 7 行）',
  )
  const strangers = { ...summary, unknown: 2, rejected: 0, warnings: 0, reasons: [] }
  expect(formatSummary(strangers, english, 80).split('\n').slice(2)).toEqual([
    '  2 contacts nobody knew: without address or name until an import of contacts',
    '    has the same external_id',
  ])
  expect(formatSummary(strangers, chinese, 80)).toMatch(/\n {2}2 位此前未知的联系人：/)
  const unused = [
    { column: 'e-mail', meant: 'email' },
    { column: 'shoe_size' },
    { column: 'locale', meant: 'locale', number: 5 },
  ]
  expect(
    formatSummary({ ...summary, rejected: 0, warnings: 0, unused }, english, 80)
      .split('\n')
      .at(-1),
  ).toBe(
    '  not used: e-mail (did you mean email? --map email=e-mail), shoe_size, column 5, another locale (the first was read; for this one, --map locale=5)',
  )
  const uncounted = [
    { type: 'purchase', rows: 1200 },
    { type: 'Session', rows: 1, meant: 'session' },
  ]
  const typed = { ...summary, rejected: 0, warnings: 0, reasons: [], uncounted }
  expect(formatSummary(typed, english, 80).split('\n').slice(-2)).toEqual([
    '  not counted as activity: 1,200 purchase, 1 Session (did you mean session?);',
    '    what is belongs under `activity` in winback.yaml',
  ])
  expect(formatSummary(typed, chinese, 80)).toMatch(
    /未计为活跃行为：purchase 1,200 行，Session 1 行（是否指 session？）/,
  )
})

test('an import that failed as a whole says so, and what it mostly is', () => {
  const late = { reason: 'occurred_at: … lies in the future', rows: 40, line: 3 }
  const split = { reason: 'expected 10 columns, found 1', rows: 800, line: 2 }
  const of = (rows: number, rejected: number, ...reasons: (typeof late)[]) => ({ rows, rejected, reasons })
  expect(failedMostly(of(1000, 500, split), english)).toBeUndefined()
  expect(failedMostly(of(0, 0), english)).toBeUndefined()
  expect(failedMostly(of(1000, 840, split, late), english)).toMatch(
    /^more than half the rows were rejected \(840 \/ 1,000\): probably the columns .*--delimiter/,
  )
  const comma = {
    reason: 'value: … is not an amount; expected digits and a point, such as 1234.50, or say --decimal ,',
    rows: 40,
    line: 2,
  }
  expect(failedMostly(of(40, 40, comma), english)).toMatch(/: probably amounts .*\(--decimal ,\)$/)
  expect(failedMostly(of(40, 40, late), english)).toMatch(/^every row was rejected \(40\).*--timezone/)
  expect(failedMostly(of(40, 40, late), chinese)).toMatch(/^全部 40 行被拒收.*--timezone/)
  // Half of this and half of that is no one thing.
  const mixed = of(80, 80, late, { ...split, rows: 40 })
  expect(failedMostly(mixed, english)).toMatch(/nothing came in: look at the file/)
  // A sync knows none of the options of an import.
  expect(failedMostly(of(40, 40, late), english, 'query')).toMatch(
    /: probably the times .* written another way$/,
  )
  expect(failedMostly(of(40, 40, late), chinese, 'query')).toMatch(/时间属于其他时区，或写法不同$/)
  expect(failedMostly(mixed, english, 'query')).toMatch(/: look at the query$/)
})

test('init says what to do next', () => {
  const written = ['winback.yaml', 'templates/a.en.hbs', 'templates/b.en.hbs']
  const here = formatInit({ directory: '/shop', written }, { cwd: '/shop', output }, sayIn(english))
  expect(here).toContain('templates/ (2 files)')
  expect(here).not.toContain('cd ')
  const below = formatInit({ directory: '/a b/shop', written }, { cwd: '/', output }, sayIn(english))
  expect(below).toContain('cd "a b/shop"')
  const said = formatInit({ directory: '/shop', written }, { cwd: '/shop', output }, sayIn(chinese))
  expect(said).toContain('已在 /shop 中建立工作区')
  expect(said).not.toMatch(/Wrote|Next|files|then:|nothing is/)
})

test('apply and rollback name versions and their hash', () => {
  const inputs = 'ab'.repeat(32)
  const base = { campaign: 'autumn', inputs }
  expect(formatApplied([], english)).toBe('There is no campaign to apply.')
  expect(
    formatApplied(
      [
        { ...base, outcome: 'applied', version: 2, previous: 1 },
        { ...base, outcome: 'unchanged', version: 2, previous: 2 },
      ],
      english,
    ),
  ).toBe(
    'autumn: version 2 applied, after version 1 (abababababab)\nautumn: unchanged, version 2 (abababababab)',
  )
  expect(formatApplied([{ ...base, outcome: 'applied', version: 2, previous: 1 }], chinese)).toBe(
    'autumn：版本 2 已生效，此前为版本 1（abababababab）',
  )
  const entry = { inputs, file: 'a.yaml', appliedAt: new Date('2026-01-05T09:00:00Z'), appliedBy: 'ada@shop' }
  const versions = [
    { ...entry, version: 3, current: true, restores: 1 },
    { ...entry, version: 2, current: false, restores: undefined },
  ]
  const shanghai = (locale: string) => speechOf({ locale, timezone: 'Asia/Shanghai' })
  expect(formatVersions(versions, shanghai('en'), painter(false), 100)).toMatch(
    /3 {2}current +1 {2}Jan 5, 2026, 17:00 {2}ada@shop[\s\S]*\n +2 /,
  )
  const narrow = formatVersions(versions, shanghai('zh-CN'), painter(false), 60)
  expect(narrow).toContain('3 · 当前 · 恢复自 1 · 生效时间 2026年1月5日 17:00 ·')
})

test('validate ends with a verdict', () => {
  const found = { workspace: 'winback.yaml', files: ['a.yaml'], templates: 5, problems: [] }
  expect(formatValidate({ ...found, valid: true }, new Map(), { output }, english)).toBe(
    '✓ winback.yaml, 1 campaign, 5 templates: nothing is wrong',
  )
  const problem = { severity: 'warning', location: { file: 'a.yaml' }, path: 'x', message: 'hm' } as const
  expect(
    formatValidate({ ...found, valid: true, problems: [problem] }, new Map(), { output }, english),
  ).toContain('✓ winback.yaml, 1 campaign, 5 templates: 1 warning')
  const wrong = { ...problem, severity: 'error', suggestion: 'y' } as const
  expect(formatValidate({ ...found, valid: false, problems: [wrong] }, new Map(), { output }, chinese)).toBe(
    'a.yaml  错误  x: hm；是否指 `y`？\n\nwinback.yaml，1 个活动，5 个模板：1 处错误',
  )
})
