import { expect, it } from 'vitest'
import { exportCsv } from '../../../src/contacts/privacy/export.ts'

it('gives a spreadsheet no formula, also behind spaces, and leaves numbers numbers', () => {
  const values = {
    formula: '=1+1',
    spaced: '  =HYPERLINK("http://x")',
    broken: '\r@SUM(A1)',
    wide: ' ＝1+1',
    phone: '+8613800138000',
    amount: '-39.33',
    count: -3,
    minus: ' - 2',
    plain: ' two words',
  }
  const cells = exportCsv({ contacts: [values] })
    .split('\r\n')
    .slice(1, -1)
    .map((line) => line.replace(/^contacts,1,\w+,/, ''))
  expect(cells).toEqual([
    "'=1+1",
    `"'  =HYPERLINK(""http://x"")"`,
    '"\'\r@SUM(A1)"',
    "' ＝1+1",
    '+8613800138000',
    '-39.33',
    '-3',
    "' - 2",
    ' two words',
  ])
})
