import { CREDITOR } from '../config/waits.ts'
import type { Language, Phrases } from './words.ts'

/** Channels by the names people call them, both languages beside each other; another keeps its own. */
const CHANNELS: Phrases = {
  email: { en: 'E-mail', 'zh-CN': '电子邮件' },
  sms: { en: 'Text message', 'zh-CN': '短信' },
  push: { en: 'Push notification', 'zh-CN': '推送通知' },
  callback: { en: 'Telephone call', 'zh-CN': '电话回访' },
  inapp: { en: 'In the app', 'zh-CN': '应用内消息' },
  // What a webhook does is the shop’s own matter; who is asked on a page need not know the word.
  webhook: { en: 'Other messages', 'zh-CN': '其他消息' },
}

/** What a channel from outside, or its settings, call it: one title, or one for each language. */
export type Title = string | Readonly<Record<string, string>>

/** Titles by channel, of those that declare one. */
export type ChannelTitles = ReadonlyMap<string, Title>

/** A channel as people call it: by the title it was given, where it has one. */
export function channelTitle(name: string, language: Language, titles?: ChannelTitles): string {
  const title = titles?.get(name)
  return (title === undefined ? undefined : titleIn(title, language)) || (CHANNELS[name]?.[language] ?? name)
}

/** A title of one language, or of several: the page's, then any. */
export function titleIn(title: Title, language: Language): string | undefined {
  return typeof title === 'string' ? title : (title[language] ?? Object.values(title)[0])
}

/** A channel as those call it who run the campaigns: to them a webhook is one. So they call the provider of credits. */
export function channelName(name: string, language: Language, titles?: ChannelTitles): string {
  if (name === CREDITOR) return language === 'en' ? 'The provider that credits offers' : '发放优惠的服务商'
  return name === 'webhook' && !titles?.has(name) ? 'Webhook' : channelTitle(name, language, titles)
}

/** How something is sent in English, within a sentence; another channel by its name. */
const WAYS: Readonly<Record<string, string>> = {
  email: 'by e-mail',
  sms: 'by text message',
  push: 'by push notification',
  callback: 'by telephone',
  inapp: 'in the app',
  webhook: 'by webhook',
}

/** `by e-mail`, `通过电子邮件`: how something is sent. */
export function channelWay(name: string, language: Language, titles?: ChannelTitles): string {
  if (language !== 'en') return `通过${channelName(name, language, titles)}`
  return (titles?.has(name) ? undefined : WAYS[name]) ?? `by ${channelName(name, language, titles)}`
}
