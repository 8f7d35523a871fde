import type { Phrases } from '../../reports/words.ts'
import { SCOPES, type Scope } from '../api-keys.ts'

/** What a key of each scope is good for, for whoever makes one. */
export const SCOPE_WORDS: Phrases<Scope> = {
  'events:write': {
    en: SCOPES['events:write'],
    'zh-CN': '发送事件（/v1/identify、track、page、screen、group、alias、batch）与设备',
  },
  read: { en: SCOPES.read, 'zh-CN': '读取数据与报告' },
  preferences: { en: SCOPES.preferences, 'zh-CN': '读取并更改联系人的接收偏好' },
  redemptions: { en: SCOPES.redemptions, 'zh-CN': '上报核销' },
  privacy: { en: SCOPES.privacy, 'zh-CN': '导出和删除个人数据' },
  inapp: { en: SCOPES.inapp, 'zh-CN': '读取应用内消息并回报展示' },
  calls: { en: SCOPES.calls, 'zh-CN': '查看电话队列、接手并登记结果' },
}
