import { OTHER_REASONS } from '../../contacts/files/reject-reasons.ts'
import { REFUSALS } from '../../offers/redemptions.ts'
import { REDEMPTION_REFUSALS } from '../../reports/reasons.ts'
import { sentence } from '../../reports/words.ts'

// Why rows were not taken, in Chinese. Reject files have the reasons in English, for whatever reads them; here stand the
// patterns of those that a summary counts, which have `…` where a row's own value was.

/** The Chinese of a counted reason; as it is where it has none. */
export function rejectText(reason: string): string {
  if (reason === OTHER_REASONS) return '其他原因'
  const refusal = Object.entries(REFUSALS).find(([, words]) => words === reason)
  if (refusal) return sentence(REDEMPTION_REFUSALS, refusal[0], 'zh-CN')
  const whole = said(reason, WHOLE) ?? said(reason, KEPT)
  if (whole !== undefined) return whole
  const [, field, rest = ''] = /^(attributes\.[^:]+|\w+): ([\s\S]*)$/.exec(reason) ?? []
  const about = said(rest, OF_FIELDS)
  return field === undefined || about === undefined ? reason : `${field}：${about}`
}

type Patterns = readonly (readonly [pattern: RegExp, say: string | ((...found: string[]) => string)])[]

function said(reason: string, patterns: Patterns): string | undefined {
  for (const [pattern, say] of patterns) {
    const found = pattern.exec(reason)
    if (found) return typeof say === 'string' ? reason.replace(pattern, say) : say(...found.slice(1))
  }
  return undefined
}

/** Of a row or its line. */
const WHOLE: Patterns = [
  [/^there is no (\w+), which tells one event from another$/, '缺少 $1，无法区分各个事件'],
  [/^there is no (\w+)$/, '缺少 $1'],
  [/^there is neither e-mail nor phone$/, '邮箱和手机号都没有'],
  [/^the (\w+) is longer than (\d+) characters$/, '$1 超过 $2 个字符'],
  [/^nobody has the external_id …$/, '没有使用此 external_id 的联系人'],
  [/^expected (\d+) columns, found (\d+)$/, '应有 $1 列，实有 $2 列'],
  [
    /^the file ends within this row: expected (\d+) columns, found (\d+)$/,
    '文件在此行中断：应有 $1 列，实有 $2 列',
  ],
  [/^expected at least (\d+) columns, found (\d+)$/, '至少应有 $1 列，实有 $2 列'],
  [/^the line is longer than a million characters$/, '该行超过一百万个字符'],
  [/^the line holds a NUL byte$/, '该行含有 NUL 字节'],
  [
    /^the line is not UTF-8; name the encoding .*$/,
    '该行不是 UTF-8；请用 --encoding 指明编码（如 --encoding gbk），或转换文件（iconv -f GBK -t UTF-8）',
  ],
  [/^the line is not (\S+); see whether --encoding is right$/, '该行不是 $1 编码，请检查 --encoding'],
  [/^malformed JSON$/, 'JSON 格式有误'],
  [/^expected a JSON object$/, '应为 JSON 对象'],
  [/^a quote is never closed$/, '引号没有闭合'],
  [/^text follows a closing quote$/, '右引号之后还有文字'],
  [/^a quote stands inside an unquoted field$/, '未加引号的字段中出现引号'],
  [
    /^(\S+) is NULL, so no later sync would see a change: give it a value in the query, such as (.*)$/,
    '$1 为 NULL，之后的同步无法发现变化：请在查询中给它一个值，例如 $2',
  ],
  [/^kept without e-mail: (.*) is not an address$/s, '未导入邮箱：$1 不是有效地址'],
  [/^kept without e-mail: (.*) is masked; .*$/s, '未导入邮箱：$1 已脱敏，请导出完整内容'],
  [/^kept without phone: (.*) is masked; .*$/s, '未导入手机号：$1 已脱敏，请导出完整内容'],
  [
    /^kept as manual: (.*) is none of (.*)$/s,
    (value = '', known = '') => `按 manual 导入：${value} 不在可选值之中：${known.replaceAll(', ', '、')}`,
  ],
  [/^kept without phone: (.*) is not a number$/s, '未导入手机号：$1 不是有效号码'],
  [
    /^kept without phone: (.*) is a number that a spreadsheet shortened; .*$/s,
    '未导入手机号：$1 是被电子表格缩写的数字；请将该列设为文本格式后重新保存',
  ],
  [/^kept without time zone: there is no zone (.*)$/s, '未导入时区：没有时区 $1'],
  [
    /^kept without value: (.*) is not the workspace’s currency, (\w+)$/s,
    '未导入金额：$1 不是工作区的币种 $2',
  ],
  [/^kept without ([\w.]+): (.*) is what programs write for nothing$/s, '未导入 $1：$2 是程序表示“空”的写法'],
]

const STAYS = '仍在名单中：'

/** Of an address that is not taken off the do-not-contact list. */
const KEPT: Patterns = [
  [/^it stays on the list: it belonged to someone who was erased$/, `${STAYS}属于已按本人要求删除的人`],
  [/^it stays on the list: they complained about a message$/, `${STAYS}本人投诉过消息`],
  [/^it stays on the list: they unsubscribed themselves$/, `${STAYS}本人已退订`],
  [/^it stays on the list: it bounced for good.*$/, `${STAYS}邮件被永久退回，或号码有误；可加 --bounced`],
  [
    /^it stays on the list: (.*) is another file, and put it there; see --any-import$/s,
    `${STAYS}由另一文件 $1 加入；可加 --any-import`,
  ],
  [/^it stays on the list: (.*) put it there$/s, `${STAYS}由 $1 加入`],
]

const TYPES: Readonly<Record<string, string>> = {
  string: '文本',
  number: '数字',
  bool: '布尔值',
  timestamp: '时间',
}

/** Of a field, whose name stands before. */
const OF_FIELDS: Patterns = [
  [/^.* lies in the future$/s, '时间在将来'],
  [
    /^(.*) is a number that a spreadsheet shortened; .*$/s,
    '$1 是被电子表格缩写的数字；请将该列设为文本格式后重新保存',
  ],
  [
    /^(.*) is a number that was written as a fraction; .*$/s,
    '$1 是写成小数的数字；请将该列按文本导出，不带 .0',
  ],
  [
    /^(.*) is that of another event, of type (.*); give each an id of its own$/s,
    '$1 已属于另一事件（类型 $2），请使用各自的编号',
  ],
  [/^(.*) is masked; export it whole$/s, '$1 已脱敏，请导出完整内容'],
  [/^(.*) is written with marks that nobody sees; .*$/s, '$1 含有不可见字符，请去掉'],
  [
    /^(.*) is what shops write for all their guests, .*$/s,
    '$1 是商店系统给所有游客的编号，会合并为同一联系人；请为每位游客导出各自的编号',
  ],
  [
    /^(.*) is said of whom one may write to; .*$/s,
    '$1 表示可以联系；同时含退订与订阅者的名单请用 import consents 导入',
  ],
  [/^(.*) is what programs write for nothing$/s, '$1 是程序表示“空”的写法'],
  [/^(.*) is a formula that failed in a spreadsheet$/s, '$1 是电子表格中出错的公式'],
  [/^(.*) is a step in a path, and no id$/s, '$1 是路径中的一级，不能用作编号'],
  [/^before 1970$/, '早于 1970 年'],
  [/^(.*) is not a date written (.*); see --date-format$/s, '$1 不是按 $2 书写的日期，请检查 --date-format'],
  [
    /^(.*) is not a date; expected ISO 8601 such as (\S+), or say how it is written with --date-format (.*)$/s,
    (value = '', example = '', format = '') => {
      const [, such] = /^\(such as (.*)\)$/.exec(format) ?? []
      const written = such === undefined ? ` ${format}` : ` 说明写法（如 ${such.replace(' or ', ' 或 ')}）`
      return `${value} 不是日期；应为 ISO 8601（如 ${example}），或用 --date-format${written}`
    },
  ],
  [/^(.*) is not a date; expected ISO 8601 such as (\S+)$/s, '$1 不是日期；应为 ISO 8601（如 $2）'],
  [
    /^(.*) is a spreadsheet's count of days; .*$/s,
    '$1 是电子表格中日期的序号；请将该列设为日期格式后重新保存',
  ],
  [/^(.*) is not a date that exists$/s, '$1 不是存在的日期'],
  [/^(.*) is not a date$/s, '$1 不是日期'],
  [/^(.*) is not a number of seconds$/s, '$1 不是秒数'],
  [/^(.*) is not a number of milliseconds$/s, '$1 不是毫秒数'],
  [/^(.*) is further away than any date$/s, '$1 超出日期范围'],
  [
    /^(.*) is not an amount; expected digits and a (?:point|comma), such as (\S+?)(?:, or say (--decimal ,))?$/s,
    (value = '', example = '', flag) =>
      `${value} 不是金额；应为数字和小数点，如 ${example}${flag ? `；或用 ${flag}` : ''}`,
  ],
  [/^(.*) is no amount$/s, '$1 不是有效金额'],
  [/^(.*) is not an address$/s, '$1 不是有效地址'],
  [
    /^(.*) is none of (.*)$/s,
    (value = '', known = '') => `${value} 不在可选值之中：${known.replaceAll(', ', '、')}`,
  ],
  [/^(.*) is neither given nor withdrawn$/s, '$1 既不是 given 也不是 withdrawn'],
  [
    /^(.*) is not a number; expected digits and a (?:point|comma), such as (\S+?)(?:, or say (--decimal ,))?$/s,
    (value = '', example = '', flag) =>
      `${value} 不是数字；应为数字和小数点，如 ${example}${flag ? `；或用 ${flag}` : ''}`,
  ],
  [/^(.*) is not a bool; expected .*$/s, '$1 不是布尔值；应为 true 或 false，yes 或 no，1 或 0'],
  [
    /^(.*) is not a (string|number|bool|timestamp)$/s,
    (value = '', type = '') => `${value} 不是${TYPES[type]}`,
  ],
  [/^it is empty$/, '为空'],
  [/^it is one of (\S+)$/, '已属于 $1'],
  [/^longer than (\d+) characters$/, '超过 $1 个字符'],
  [/^holds a NUL character$/, '含有 NUL 字符'],
  [/^holds half of a surrogate pair, which is no character$/, '含有半个代理对，不是完整的字符'],
  [/^is nested deeper than (\d+) levels$/, '嵌套超过 $1 层'],
  [/^malformed JSON$/, 'JSON 格式有误'],
  [/^expected a JSON object$/, '应为 JSON 对象'],
]
