import type { Language } from './words.ts'

/** Channels by the names people call them, both languages beside each other; another keeps its own. */
const CHANNELS: Readonly<Record<string, Record<Language, string>>> = {
  email: { en: 'E-mail', 'zh-CN': '电子邮件' },
  sms: { en: 'Text message', 'zh-CN': '短信' },
  push: { en: 'Push notification', 'zh-CN': '推送通知' },
  callback: { en: 'Telephone call', 'zh-CN': '电话回访' },
  inapp: { en: 'In the app', 'zh-CN': '应用内消息' },
}

/** A channel as people call it. */
export function channelTitle(name: string, language: Language): string {
  return CHANNELS[name]?.[language] ?? name
}

/** A channel in a table: in English as campaign files name it, which is a word as well. */
export function channelName(name: string, language: Language): string {
  return language === 'en' ? name : channelTitle(name, language)
}
