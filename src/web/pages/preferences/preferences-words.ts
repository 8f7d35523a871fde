import type { Phrases } from '../../../reports/words.ts'
// What a contact reads on their own page.

export type Language = 'en' | 'zh-CN'

/** The language of a locale, `?lang=` first; English where it is neither. */
export function pageLanguage(...wanted: readonly (string | null | undefined)[]): Language {
  const first = wanted.find((locale) => locale != null && locale !== '')
  return first?.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

export const WORDS = {
  title: { en: 'What we may send you', 'zh-CN': '消息接收设置' },
  intro: {
    en: 'Choose what you would like to receive from us. It holds from the next message on.',
    'zh-CN': '请选择您希望收到的内容，设置从下一条消息起生效。',
  },
  saved: { en: 'Saved. Thank you.', 'zh-CN': '已保存，谢谢。' },
  channels: { en: 'How we may reach you', 'zh-CN': '接收方式' },
  topics: { en: 'What about', 'zh-CN': '内容类别' },
  frequency: { en: 'How often', 'zh-CN': '接收频率' },
  anyTime: { en: 'Whenever there is something for you', 'zh-CN': '有合适内容时随时发送' },
  weekly: { en: 'At most once a week', 'zh-CN': '每周最多一条' },
  monthly: { en: 'At most once a month', 'zh-CN': '每月最多一条' },
  pause: { en: 'A pause', 'zh-CN': '暂停接收' },
  noPause: { en: 'No pause', 'zh-CN': '不暂停' },
  thisMonth: { en: 'Not for the next 30 days', 'zh-CN': '未来 30 天不接收' },
  quarter: { en: 'Not for the next 90 days', 'zh-CN': '未来 90 天不接收' },
  keepPause: { en: 'Keep the pause until', 'zh-CN': '继续暂停至' },
  agree: {
    en: 'I agree to receive marketing messages this way; I can take it back here at any time.',
    'zh-CN': '我同意通过此方式接收营销消息，并可随时在此撤回。',
  },
  again: {
    en: 'You had unsubscribed. Ticking this, I agree to receive marketing messages this way again; I can take it back here at any time.',
    'zh-CN': '您已退订。勾选即表示我同意重新通过此方式接收营销消息，并可随时在此撤回。',
  },
  listed: {
    en: 'Nothing comes this way: the address or number we have is on our do-not-contact list.',
    'zh-CN': '您的地址或号码已在免打扰名单中，我们不会再以此方式联系您。',
  },
  why: { en: 'If you want less: why?', 'zh-CN': '如果希望减少接收，原因是？' },
  noReason: { en: 'I would rather not say', 'zh-CN': '不便说明' },
  save: { en: 'Save', 'zh-CN': '保存' },
  nothing: { en: 'Send me nothing at all', 'zh-CN': '不再接收任何消息' },
  gone: { en: 'This link is no longer good', 'zh-CN': '此链接已失效' },
  goneWhy: {
    en: 'It was cut short on its way, or is too old. The newest message from us has one that works.',
    'zh-CN': '链接可能不完整，或已过期。请使用我们最近一条消息中的链接。',
  },
} as const satisfies Phrases
