import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { rejectText } from '../../../src/cli/verbs/reject-words.ts'
import { countReasons } from '../../../src/contacts/files/reject-reasons.ts'
import { REFUSALS } from '../../../src/offers/redemptions.ts'

/** A reason as a summary has it: without the row's own values. */
function counted(reason: string): string {
  const counter = countReasons()
  counter.add(1, reason)
  return counter.counted()[0]?.reason ?? ''
}

test.each([
  ['there is no external_id', '缺少 external_id'],
  ['the type is longer than 100 characters', 'type 超过 100 个字符'],
  ['expected 10 columns, found 1', '应有 10 列，实有 1 列'],
  ['malformed JSON: Unexpected token', 'JSON 格式有误'],
  ['signed_up_at: "2026-02-30" is not a date that exists', 'signed_up_at：… 不是存在的日期'],
  [
    'occurred_at: "5/9/26" is not a date; expected ISO 8601 such as 2026-01-05T08:30:00Z, or say how it is written with --date-format (such as dd.mm.yyyy)',
    'occurred_at：… 不是日期；应为 ISO 8601（如 2026-01-05T08:30:00Z），或用 --date-format 说明写法（如 dd.mm.yyyy）',
  ],
  [
    'occurred_at: "2026/5/9" is not a date; expected ISO 8601 such as 2026-01-05T08:30:00Z, or say how it is written with --date-format yyyy/mm/dd',
    'occurred_at：… 不是日期；应为 ISO 8601（如 2026-01-05T08:30:00Z），或用 --date-format yyyy/mm/dd',
  ],
  ['occurred_at: 2030-01-01T00:00:00.000Z lies in the future', 'occurred_at：时间在将来'],
  [
    'external_id: "1.23457E+11" is a number that a spreadsheet shortened; make the column text there, and save it again',
    'external_id：… 是被电子表格缩写的数字；请将该列设为文本格式后重新保存',
  ],
  ['attributes.plan: {"a":1} is not a string', 'attributes.plan：… 不是文本'],
  [
    'attributes.vip: "ja" is not a bool; expected true or false, yes or no, 1 or 0',
    'attributes.vip：… 不是布尔值；应为 true 或 false，yes 或 no，1 或 0',
  ],
  [
    'attributes.points: "4,5" is not a number; expected digits and a point, such as 1234.50, or say --decimal ,',
    'attributes.points：… 不是数字；应为数字和小数点，如 1234.50；或用 --decimal ,',
  ],
  [
    'kept without phone: "4.9E+11" is a number that a spreadsheet shortened; make the column text there, and save it again',
    '未导入手机号：… 是被电子表格缩写的数字；请将该列设为文本格式后重新保存',
  ],
  [
    'kept without e-mail: "l***@shop.example" is masked; export it whole',
    '未导入邮箱：… 已脱敏，请导出完整内容',
  ],
  ['kept without phone: "138****8000" is masked; export it whole', '未导入手机号：… 已脱敏，请导出完整内容'],
  [
    'kept as manual: "other" is none of complaint, manual',
    '按 manual 导入：… 不在可选值之中：complaint、manual',
  ],
  [
    'reason: "subscribed" is said of whom one may write to; a list of both goes by import consents',
    'reason：… 表示可以联系；同时含退订与订阅者的名单请用 import consents 导入',
  ],
  [
    'message_id: "#1001" is that of another event, of type order; give each an id of its own',
    'message_id：… 已属于另一事件（类型 order），请使用各自的编号',
  ],
  ['channel: "fax" is none of email, sms', 'channel：… 不在可选值之中：email、sms'],
  ['kept without phone: "12" is not a number', '未导入手机号：… 不是有效号码'],
  ['kept without value: "USD" is not the workspace’s currency, CNY', '未导入金额：… 不是工作区的币种 CNY'],
  ['nobody has the external_id "u1"', '没有使用此 external_id 的联系人'],
  ['something nobody has foreseen', 'something nobody has foreseen'],
])('%s', (reason, chinese) => {
  expect(rejectText(counted(reason))).toBe(chinese)
})

test('whatever a row is rejected for has its Chinese', () => {
  const files = [
    'activity',
    'allowances',
    'contact-rows',
    'external-ids',
    'files/file-import',
    'files/lines',
    'files/rows',
    'interviews',
    'migrated',
    'suppressions',
    'sync/chunks',
    'values/amounts',
    'values/dates',
    'values/text',
  ]
  const places = files.map((name) => `contacts/${name}`)
  const texts = [...places, 'offers/import'].map((place) =>
    readFileSync(new URL(`../../../src/${place}.ts`, import.meta.url), 'utf8'),
  )
  // What is wrong with the whole file ends the import; what a field is refused for stands elsewhere.
  const others = /gzip|^INSERT|^import of|^file |^it is no row$|^yyyy mm|^[\w.]+: x$/
  const reasons = texts.flatMap((text) =>
    [
      ...text.matchAll(
        /(?:return|problem:|reason:|warn\(|[?:]|NOT_UTF8 =)\s+?(?:'([^'\n]+)'|`([^`]+)`)|warn\(`([^`]+)`/g,
      ),
    ]
      .map(([, plain, template, warning]) => plain ?? template ?? warning ?? '')
      .map((found) =>
        found
          .replaceAll(/"\$\{[^}]*\}"/g, '"v"')
          .replaceAll(/\$\{JSON[^}]*\}/g, '"v"')
          .replaceAll(/\$\{new Date[^}]*\}/g, '2030-01-01T00:00:00.000Z')
          .replaceAll(/\$\{unit[^}]*\}/g, 'seconds')
          .replaceAll(/(?<=e-mail: )\$\{(?:why|emailProblem[^}]*)\}/g, '"v" is not an address')
          .replaceAll(/(?<=phone: )\$\{(?:why|phoneProblem[^}]*)\}/g, '"v" is not a number')
          .replaceAll(/\$\{numberExpected[^}]*\}/g, 'expected digits and a point, such as 1234.50')
          .replaceAll(/\$\{(?:found|columns\.\w+|DEEPEST)\}/g, '7')
          .replaceAll(/\$\{[^}]*\}/g, 'x'),
      )
      .filter((found) => / /.test(found) && /^["a-z]/.test(found) && !others.test(found)),
  )
  expect(reasons.length).toBeGreaterThan(50)
  const all = [...reasons, ...Object.values(REFUSALS)]
  const isChinese = (text: string) => /[\u4e00-\u9fff]/.test(text)
  const left = all.filter(
    (reason) =>
      !isChinese(rejectText(counted(reason))) && !isChinese(rejectText(counted(`field: ${reason}`))),
  )
  expect(left).toEqual([])
})
