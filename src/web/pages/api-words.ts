import type { Language } from '../../reports/words.ts'

/** What the schemas say of their fields is English, for `/openapi.json`; the page says it in the reader's language. */
const FIELDS: Readonly<Record<string, string>> = {
  'External id': '外部编号',
  'External id; it or anonymousId is needed': '外部编号；它与 anonymousId 至少要有一个',
  'The same at every repeat; known ones change nothing': '重发时保持不变；已收到过的不再生效',
  'When it happened; now where it is missing': '发生时间；缺省为当前时间',
  'What was done: docs/events.md has the names that are understood':
    '做了什么；可识别的名称见 docs/events.md',
  'Recorded, and durable': '已写入并落盘的条数',
  'Known already by their messageId': '按 messageId 判为已收到过的条数',
  'Attributes of the contact': '联系人的属性',
  'The id the contact had before': '联系人此前的编号',
  'Where the body is packed; the limits count what it inflates to':
    '请求体经压缩时填写；大小限制按解压后计算',
  'Taken whole or not at all': '要么整批接受，要么全部不接受',
  'Of `web`: the https endpoint of the subscription': '`web` 时为订阅的 https 端点',
  'Of `web` alone': '仅用于 `web`',
  'Rows by table': '各表的行数',
  'Rows that stay under a random id, so that reports add up': '改用随机编号保留的行数，使报告仍能对上',
  'What the display is acknowledged by': '确认已展示时使用的编号',
  'Names this use: it counts once. A single one may be named by the header Idempotency-Key instead':
    '标识这次核销，同一标识只计一次；单条上报时也可用请求头 Idempotency-Key 代替',
  'What it promises': '所承诺的优惠',
  'Only what may be called now and nobody has taken': '仅限此刻可拨打且无人接手的',
  'Only what this agent holds': '仅限该客服手上的',
  '1 to 1000; 100 unless said': '1 至 1000，默认 100',
  'By when it should have been made': '应在此时间前拨打',
  'Its campaign, all calls or everything are paused: nobody can take it meanwhile':
    '活动、电话渠道或全部发送已暂停：期间无人可接手',
  'It is outside the hours of the campaign where the contact is until then, and nobody can take it':
    '在此时刻之前不在活动允许联系的当地时段内，无人可接手',
  'The outcome it ended with, or what made it pointless': '结束时的结果，或不必再拨打的原因',
  'The number that was called; by default the one the call was claimed with':
    '实际拨打的号码；默认为接手时的号码',
  'The report was known already; nothing changed': '该结果此前已登记，未作更改',
  'They hear nothing more from us': '今后不再向其发送任何消息',
  'Every figure by its statistical name': '全部数值，按统计名称给出',
  'The same in words: sentences, tables, charts': '同样内容的文字版：句子、表格、图表',
}

/** What a field means. */
export function meaningIn(language: Language, description: string): string {
  return language === 'en' ? description : (FIELDS[description] ?? description)
}

/** What a field holds: `list of string` is said in words, the names of types are those of JSON. */
export function typeIn(language: Language, type: string): string {
  if (language === 'en') return type
  return type
    .replace(/^(list|object) of (.+)$/, (_, whole: string, part: string) =>
      whole === 'list' ? `列表（${part}）` : `对象（${part}）`,
    )
    .replace('anything', '任意')
}
