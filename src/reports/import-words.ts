import type { Phrases } from './words.ts'

/** What a file may bring, by the verb's word for it. */
export const IMPORT_WORDS = {
  contacts: { en: 'contacts', 'zh-CN': '联系人' },
  activity: { en: 'activity', 'zh-CN': '行为' },
  suppressions: { en: 'suppressions', 'zh-CN': '禁发地址' },
  allowances: { en: 'addresses to allow', 'zh-CN': '待解禁地址' },
  consents: { en: 'consents', 'zh-CN': '同意记录' },
  sends: { en: 'sends', 'zh-CN': '历史发送' },
  codes: { en: 'codes', 'zh-CN': '券码' },
  redemptions: { en: 'redemptions', 'zh-CN': '核销' },
  interviews: { en: 'interviews', 'zh-CN': '访谈' },
} as const satisfies Phrases
