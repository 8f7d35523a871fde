import { OUTCOME_WORDS } from '../../reports/call-words.ts'
import { IMPORT_WORDS } from '../../reports/import-words.ts'
import { type Language, type Phrases, sentence } from '../../reports/words.ts'
import { ROLE_WORDS } from './role-words.ts'

/** What was done, by the action's name. */
export const AUDIT_WORDS: Phrases = {
  'campaign.plan': { en: 'planned', 'zh-CN': '计划' },
  'campaign.apply': { en: 'approved and applied', 'zh-CN': '批准并应用' },
  'campaign.reject': { en: 'turned a plan down', 'zh-CN': '退回计划' },
  'campaign.rollback': { en: 'went back to an earlier version', 'zh-CN': '回到早先版本' },
  'campaign.run': { en: 'ran by hand', 'zh-CN': '手动运行' },
  'switch.pause': { en: 'paused', 'zh-CN': '暂停' },
  'switch.resume': { en: 'resumed', 'zh-CN': '恢复' },
  'switch.stop': { en: 'stopped for good', 'zh-CN': '永久停止' },
  'contact.preferences': { en: 'recorded what a contact wants', 'zh-CN': '登记联系人的偏好' },
  'contact.consent': { en: 'recorded consent', 'zh-CN': '登记同意' },
  'contact.allow': { en: 'took off the do-not-contact list', 'zh-CN': '移出禁止联系名单' },
  'contact.export': { en: 'exported everything held', 'zh-CN': '导出全部数据' },
  'contact.erase': { en: 'erased', 'zh-CN': '删除' },
  'call.take': { en: 'took a call', 'zh-CN': '接手电话' },
  'call.release': { en: 'gave a call back', 'zh-CN': '放回电话' },
  'call.outcome': { en: 'reported a call', 'zh-CN': '登记通话结果' },
  'data.import': { en: 'imported data', 'zh-CN': '导入数据' },
  'data.sync': { en: 'pulled data', 'zh-CN': '同步数据' },
  'data.move': { en: 'moved everything to another database', 'zh-CN': '将全部数据迁移到其他数据库' },
  'data.send': { en: 'sent data (first of the hour)', 'zh-CN': '发送数据（本小时首次）' },
  'inapp.use': { en: 'fetched in-app messages (first of the hour)', 'zh-CN': '读取应用内消息（本小时首次）' },
  'offer.redeem': { en: 'reported redemptions', 'zh-CN': '上报核销' },
  'message.test': { en: 'sent a test message', 'zh-CN': '发送测试消息' },
  'digest.send': { en: 'sent the digest', 'zh-CN': '发送周报' },
  'annotation.add': { en: 'noted what else happened', 'zh-CN': '添加标注' },
  'annotation.remove': { en: 'took a note away', 'zh-CN': '移除标注' },
  'signals.refit': { en: 'fitted the return model anew', 'zh-CN': '重新拟合回流模型' },
  'signals.refresh': { en: 'recomputed signals', 'zh-CN': '重新计算信号' },
  'user.password': { en: 'set a password', 'zh-CN': '设置密码' },
  'user.add': { en: 'added a user', 'zh-CN': '添加用户' },
  'user.link': { en: 'made a one-time link', 'zh-CN': '生成一次性链接' },
  'user.role': { en: 'changed a role', 'zh-CN': '更改角色' },
  'user.disable': { en: 'shut a user out', 'zh-CN': '停用用户' },
  'user.enable': { en: 'let a user in again', 'zh-CN': '重新启用用户' },
  'key.create': { en: 'made an API key', 'zh-CN': '创建 API 密钥' },
  'key.revoke': { en: 'revoked an API key', 'zh-CN': '吊销 API 密钥' },
  'signing_key.rotate': { en: 'made a new signing key', 'zh-CN': '更换签名密钥' },
  'signing_key.retire': { en: 'retired a signing key', 'zh-CN': '停用签名密钥' },
}

export const VIA_WORDS: Phrases = {
  web: { en: 'web', 'zh-CN': '网页' },
  api: { en: 'API', 'zh-CN': 'API' },
  cli: { en: 'terminal', 'zh-CN': '终端' },
}

/** What an entry can be about; in English the entry's own words are words. */
const ABOUT: Readonly<Record<string, string>> = {
  campaign: '活动',
  channel: '渠道',
  contact: '联系人',
  key: '密钥',
  'signing key': '签名密钥',
  user: '用户',
}

/** What an entry is about, as `campaign spring`; what has no Chinese stands as it is. */
export function aboutText(about: string | null, language: Language): string {
  if (about === 'everything' && language !== 'en') return '全部'
  const [, kind = '', name] = /^(signing key|\S+) (.*)$/su.exec(about ?? '') ?? []
  const chinese = language === 'en' ? undefined : ABOUT[kind]
  return chinese === undefined ? (about ?? '') : `${chinese} ${name}`
}

/** What an entry says besides, by name; in English the names themselves are words. */
const DETAILS: Readonly<Record<string, string>> = {
  address: '地址',
  agent: '客服',
  annotation: '标注',
  any_import: '含其他文件',
  bounced: '含退信',
  campaigns: '活动',
  cancelled: '已取消',
  channel: '渠道',
  decision: '决定',
  failed: '失败',
  file: '文件',
  full: '全部重读',
  key: '密钥',
  kind: '类别',
  name: '名称',
  off: '关闭的渠道',
  outcome: '结果',
  plan: '计划',
  reason: '原因',
  redemptions: '核销数',
  role: '角色',
  scopes: '权限',
  source: '来源',
  step: '步骤',
  to: '目标',
  version: '版本',
}

/** Values that are codes, by the name they stand behind; in English the codes themselves are words. */
const VALUES: Readonly<Record<string, Phrases>> = {
  decision: { given: { en: 'given', 'zh-CN': '同意' }, withdrawn: { en: 'withdrawn', 'zh-CN': '撤回' } },
  kind: {
    ...IMPORT_WORDS,
    email: { en: 'email', 'zh-CN': '邮箱' },
    phone: { en: 'phone', 'zh-CN': '手机' },
  },
  outcome: OUTCOME_WORDS,
  role: ROLE_WORDS,
}

function valueText(name: string, value: unknown, language: Language): string {
  if (Array.isArray(value)) {
    if (value.length === 0) return language === 'en' ? 'none' : '无'
    return value.map((each) => valueText(name, each, language)).join(language === 'en' ? ' · ' : '、')
  }
  if (typeof value === 'object') return JSON.stringify(value)
  if (language === 'en') return String(value)
  if (typeof value === 'boolean') return value ? '是' : '否'
  return sentence(VALUES[name] ?? {}, String(value), language)
}

/** What an entry says besides, in one line. What has no Chinese stands as it is. */
export function detailText(detail: Readonly<Record<string, unknown>> | null, language: Language): string {
  const [space, comma] = language === 'en' ? [' ', ', '] : ['：', '，']
  return Object.entries(detail ?? {})
    .map(([name, value]) => {
      const words = language === 'en' ? name : (DETAILS[name] ?? name)
      return `${words}${space}${valueText(name, value, language)}`
    })
    .join(comma)
}
