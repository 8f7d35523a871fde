import { expect, test } from 'vitest'
import { sourceText } from '../../src/reports/source-words.ts'
import { speechOf } from '../../src/reports/words.ts'

const [english, chinese] = [speechOf({ locale: 'en' }), speechOf({ locale: 'zh-CN' })]

test.each([
  ['preferences page', '偏好页面'],
  ['one-click', '一键退订'],
  ['unsubscribe: page', '退订页面'],
  ['call: negative', '通话：不满'],
  ['call: opted_out', '通话：不愿再被打扰'],
  ['call: wrong number', '通话：号码有误'],
  ['erasure of another account', '另一账号删除时沿用'],
  ['merging of accounts', '账号合并时沿用'],
  ['parting of accounts', '账号拆分时沿用'],
  ['reply to sms', '对短信的回复'],
  ['refused by email', '电子邮件的服务商拒收'],
  ['receipt of email', '电子邮件的回执'],
  ['import of stop.csv; receipt of email (complaint)', '导入 stop.csv；电子邮件的回执（投诉过消息）'],
])('where Winback has it from, %s, is said in Chinese to whoever reads that', (source, words) => {
  expect(sourceText(source, chinese)).toBe(words)
  expect(sourceText(source, english)).toBe(source)
})

test.each(['shop, paper form', 'ada@shop-1', 'constructor'])(
  'what a person named, %s, stays as it is',
  (source) => {
    expect(sourceText(source, chinese)).toBe(source)
  },
)
