import { z } from 'zod'
import { callQuery, claim, outcomeReport } from '../api/calls.ts'
import { exportQuery, preferencesBody } from '../api/contacts.ts'
import { redemptionsBody } from '../api/redemptions.ts'
import { chartQuery, programmeQuery, reportQuery } from '../api/reports.ts'
import type { Scope } from '../api-keys.ts'
import * as answers from './answers.ts'
import * as requests from './requests.ts'

// What the API offers: one entry a route, from which the document and its page are written. A route without an entry,
// or an entry without a route, fails a test.

export type Text = Readonly<{ en: string; 'zh-CN': string }>

export const AREAS = {
  events: { en: 'Events and devices', 'zh-CN': '事件与设备' },
  contacts: { en: 'One contact', 'zh-CN': '单个联系人' },
  offers: { en: 'Offers', 'zh-CN': '优惠' },
  inapp: { en: 'In-app messages', 'zh-CN': '应用内消息' },
  calls: { en: 'Calls', 'zh-CN': '电话' },
  reports: { en: 'Reports', 'zh-CN': '报告' },
  providers: { en: 'For providers', 'zh-CN': '供服务商调用' },
  service: { en: 'The service itself', 'zh-CN': '服务自身' },
} as const satisfies Record<string, Text>

export interface Operation {
  readonly area: keyof typeof AREAS
  readonly summary: Text
  /** What the key has to be good for; null: no key. */
  readonly scope: Scope | null
  readonly query?: z.ZodObject
  readonly body?: {
    readonly schema: z.ZodType
    readonly example?: unknown
    /** JSON unless said. */
    readonly type?: string
    readonly optional?: boolean
    /** It may be packed. */
    readonly gzip?: true
  }
  /** The answer of 200: a schema of JSON, or another content type. */
  readonly answer: z.ZodType | string
  /** With `format=csv` it answers as text/csv. */
  readonly csv?: true
  /** Refusals beyond those of every route with a key (400, 401, 403, 500, and 415 where it has a body) and 429 beside 413. */
  readonly refused?: readonly (keyof typeof REFUSED)[]
}

export const REFUSED = {
  400: { en: 'The request is malformed', 'zh-CN': '请求格式有误' },
  401: { en: 'No key, or one that is not good', 'zh-CN': '缺少密钥或密钥无效' },
  403: { en: 'The key lacks the scope', 'zh-CN': '密钥缺少所需权限' },
  404: { en: 'There is no such thing', 'zh-CN': '对象不存在' },
  409: { en: 'Somebody or something else is in between', 'zh-CN': '与其他操作冲突' },
  410: { en: 'It is over', 'zh-CN': '已结束' },
  413: { en: 'The body is too large', 'zh-CN': '请求体过大' },
  415: { en: 'The body is encoded in a way that is not read', 'zh-CN': '不支持的内容编码' },
  422: { en: 'Understood, and refused', 'zh-CN': '已理解但被拒绝' },
  429: { en: 'Too fast, or too busy; Retry-After says when', 'zh-CN': '过快或繁忙，请按 Retry-After 重试' },
  500: { en: 'Something failed on our side; it can be sent again', 'zh-CN': '系统出错，可重新发送' },
  503: { en: 'Not ready', 'zh-CN': '尚未就绪' },
} as const satisfies Record<number, Text>

const CONTACT = 'u000123'
const event = (name: keyof typeof requests.events, en: string, zh: string, example: object): Operation => ({
  area: 'events',
  summary: { en, 'zh-CN': zh },
  scope: 'events:write',
  body: { schema: requests.events[name], example: { userId: CONTACT, ...example }, gzip: true },
  answer: answers.taken,
  refused: [400, 413, 429],
})
const list = (en: string, zh: string): Operation => ({
  area: 'events',
  summary: { en, 'zh-CN': zh },
  scope: 'events:write',
  body: {
    schema: requests.batch,
    example: { batch: [{ type: 'track', userId: CONTACT, event: 'session', messageId: 's-1' }] },
    gzip: true,
  },
  answer: answers.taken,
  refused: [400, 413, 429],
})

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /v1/track': event('track', 'A contact did something', '联系人做了某事', {
    event: 'Order Completed',
    messageId: 'order-1734',
    properties: { order_id: '1734', total: 129, currency: 'CNY' },
  }),
  'POST /v1/identify': event('identify', 'Attributes of a contact', '联系人的属性', {
    traits: { email: 'li@example.com', first_name: 'Li', locale: 'zh-CN' },
  }),
  'POST /v1/page': event('page', 'A contact looked at a page', '浏览页面', { name: 'Home' }),
  'POST /v1/screen': event('screen', 'A contact looked at a screen of the app', '浏览应用界面', {
    name: 'Home',
  }),
  'POST /v1/group': event('group', 'A contact belongs to a group', '加入群组', { groupId: 'club' }),
  'POST /v1/alias': event('alias', 'A contact was known by another id', '合并旧编号', {
    previousId: 'visitor-9',
  }),
  'POST /v1/batch': list('Many events at once, all or none', '批量事件，全部成功或全部不记录'),
  'POST /v1/import': list('The same as /v1/batch', '与 /v1/batch 相同'),
  'POST /v1/b': list('The same as /v1/batch', '与 /v1/batch 相同'),
  'POST /v1/devices': {
    area: 'events',
    summary: { en: 'A device that pushes may go to', 'zh-CN': '登记可接收推送的设备' },
    scope: 'events:write',
    body: { schema: requests.device, example: { external_id: CONTACT, provider: 'fcm', token: 'fcm-token' } },
    answer: answers.success,
    refused: [400, 404, 413],
  },
  'DELETE /v1/devices': {
    area: 'events',
    summary: { en: 'No more pushes to a device', 'zh-CN': '移除推送设备' },
    scope: 'events:write',
    body: { schema: requests.device, example: { external_id: CONTACT, provider: 'fcm', token: 'fcm-token' } },
    answer: answers.success,
    refused: [400, 413],
  },
  'GET /v1/preferences/{external_id}': {
    area: 'contacts',
    summary: { en: 'What a contact chose to get', 'zh-CN': '联系人的接收偏好' },
    scope: 'preferences',
    answer: answers.preferences,
    refused: [404],
  },
  'PUT /v1/preferences/{external_id}': {
    area: 'contacts',
    summary: {
      en: 'Records what a contact chooses, whole: what is left out is wanted. It holds before the next send',
      'zh-CN': '整体登记接收偏好，未列出的即愿意接收；下次发送前生效',
    },
    scope: 'preferences',
    body: {
      schema: preferencesBody,
      example: { channels_off: ['sms'], frequency: { at_most: 1, within_days: 7 } },
    },
    answer: answers.preferences,
    refused: [400, 404, 413],
  },
  'GET /v1/contacts/{external_id}/export': {
    area: 'contacts',
    summary: { en: 'Everything held about a contact', 'zh-CN': '导出联系人的全部数据' },
    scope: 'privacy',
    query: exportQuery,
    answer: answers.held,
    csv: true,
    refused: [400, 404],
  },
  'DELETE /v1/contacts/{external_id}': {
    area: 'contacts',
    summary: { en: 'Erases a contact for good', 'zh-CN': '永久删除联系人' },
    scope: 'privacy',
    answer: answers.erased,
    refused: [404, 409],
  },
  'POST /v1/redemptions': {
    area: 'offers',
    summary: { en: 'Offers that were used, one or up to a thousand', 'zh-CN': '上报核销，单条或至多一千条' },
    scope: 'redemptions',
    body: { schema: redemptionsBody, example: { key: 'till-3-1734', code: 'SPRING-7K2Q', value: 5 } },
    answer: answers.redemptions,
    refused: [400, 413, 422],
  },
  'GET /v1/inapp/{externalId}': {
    area: 'inapp',
    summary: { en: 'What waits for a contact in the app', 'zh-CN': '等待展示的应用内消息' },
    scope: 'inapp',
    answer: answers.inbox,
    refused: [404],
  },
  'POST /v1/inapp/{externalId}/{message}/ack': {
    area: 'inapp',
    summary: { en: 'A message was shown', 'zh-CN': '消息已展示' },
    scope: 'inapp',
    body: { schema: requests.acknowledgement, example: { tapped: true }, optional: true },
    answer: answers.success,
    refused: [400, 404, 413],
  },
  'GET /v1/calls': {
    area: 'calls',
    summary: { en: 'The queue of calls, the most urgent first', 'zh-CN': '电话队列，最紧急的在前' },
    scope: 'calls',
    query: callQuery,
    answer: answers.calls,
    refused: [400, 404],
  },
  'GET /v1/calls/{id}': {
    area: 'calls',
    summary: { en: 'One call, with what was said before', 'zh-CN': '单个电话任务及此前记录' },
    scope: 'calls',
    answer: answers.callWithHistory,
    refused: [404],
  },
  'POST /v1/calls/{id}/claim': {
    area: 'calls',
    summary: { en: 'An agent takes a call', 'zh-CN': '客服接手电话' },
    scope: 'calls',
    body: { schema: claim, example: { agent: 'mei' } },
    answer: answers.call,
    refused: [400, 404, 409, 410, 413],
  },
  'POST /v1/calls/{id}/release': {
    area: 'calls',
    summary: { en: 'An agent gives a call back', 'zh-CN': '客服放回电话' },
    scope: 'calls',
    body: { schema: claim, example: { agent: 'mei' } },
    answer: answers.success,
    refused: [400, 404, 409, 413],
  },
  'POST /v1/calls/{id}/outcome': {
    area: 'calls',
    summary: { en: 'What became of a call', 'zh-CN': '登记通话结果' },
    scope: 'calls',
    body: {
      schema: outcomeReport,
      example: { agent: 'mei', outcome: 'promised', reason: 'price', minutes: 4 },
    },
    answer: answers.concluded,
    refused: [400, 404, 413],
  },
  'GET /v1/reports': {
    area: 'reports',
    summary: { en: 'The reports there are', 'zh-CN': '报告清单' },
    scope: 'read',
    answer: answers.reportList,
  },
  'GET /v1/reports/programme': {
    area: 'reports',
    summary: {
      en: 'What all campaigns brought together, against the control group',
      'zh-CN': '全部活动合计的效果（与全局对照组相比）',
    },
    scope: 'read',
    query: programmeQuery,
    answer: answers.programme,
    csv: true,
    refused: [400],
  },
  'GET /v1/reports/{name}': {
    area: 'reports',
    summary: { en: 'A report, as figures and in words', 'zh-CN': '单份报告的数据与文字' },
    scope: 'read',
    query: reportQuery,
    answer: answers.report,
    csv: true,
    refused: [400, 404],
  },
  'GET /v1/reports/{name}/charts/{chart}': {
    area: 'reports',
    summary: { en: 'A chart of a report, as a picture', 'zh-CN': '报告中的图表（图片）' },
    scope: 'read',
    query: chartQuery,
    answer: 'image/png',
    refused: [400, 404],
  },
  'GET /v1/receipts/{channel}': {
    area: 'providers',
    summary: {
      en: 'What a provider asks before it reports, of channels that answer it',
      'zh-CN': '服务商在上报前的校验请求，由支持的渠道应答',
    },
    scope: null,
    answer: 'text/plain',
    refused: [400, 401, 404],
  },
  'GET /v1/receipts/{channel}/{provider}': {
    area: 'providers',
    summary: { en: 'The same, of one provider of several', 'zh-CN': '同上，指定其中一家服务商' },
    scope: null,
    answer: 'text/plain',
    refused: [400, 401, 404],
  },
  'POST /v1/receipts/{channel}': {
    area: 'providers',
    summary: { en: 'Receipts and replies, signed by the provider', 'zh-CN': '回执与回复，由服务商签名' },
    scope: null,
    body: { schema: z.unknown(), type: '*/*' },
    answer: answers.receipts,
    refused: [400, 401, 404, 413],
  },
  'POST /v1/receipts/{channel}/{provider}': {
    area: 'providers',
    summary: { en: 'The same, of one provider of several', 'zh-CN': '同上，指定其中一家服务商' },
    scope: null,
    body: { schema: z.unknown(), type: '*/*' },
    answer: answers.receipts,
    refused: [400, 401, 404, 413],
  },
  'POST /v1/bounces': {
    area: 'providers',
    summary: {
      en: 'A mail that came back, as it came in. Believed by the signed address it was sent to',
      'zh-CN': '退回的邮件原文，凭其签名收件地址识别',
    },
    scope: null,
    query: z.strictObject({ recipient: z.string().optional() }),
    body: { schema: z.string(), type: 'message/rfc822' },
    answer: answers.returnedMail,
    refused: [400, 413],
  },
  'GET /healthz': {
    area: 'service',
    summary: { en: 'The process is alive', 'zh-CN': '进程存活' },
    scope: null,
    answer: answers.fine,
  },
  'GET /readyz': {
    area: 'service',
    summary: { en: 'What is sent here now will be served', 'zh-CN': '可以接收请求' },
    scope: null,
    answer: answers.fine,
    refused: [503],
  },
  'GET /metrics': {
    area: 'service',
    summary: { en: 'Figures for Prometheus', 'zh-CN': 'Prometheus 指标' },
    scope: 'read',
    answer: 'text/plain; version=0.0.4',
  },
  'GET /openapi.json': {
    area: 'service',
    summary: { en: 'This description', 'zh-CN': '本说明' },
    scope: null,
    answer: z.looseObject({ openapi: z.literal('3.1.0') }),
  },
}

/** The statuses a route may refuse with, in order. */
export function refusalsOf({ scope, body, refused = [] }: Operation): (keyof typeof REFUSED)[] {
  // 400: for what the address asks beside, if for nothing else.
  const keyed = scope === null ? [] : ([400, 401, 403, ...(body ? ([415] as const) : [])] as const)
  // A body that may be too large may also be given up, where others need the room.
  const bodied = refused.includes(413) ? ([429] as const) : []
  return [...new Set([...refused, ...keyed, ...bodied, 500 as const])].toSorted()
}
