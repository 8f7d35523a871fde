import type { CallOutcome, Sentiment } from '../../channels/channel.ts'
import type { Call } from '../../outcomes/calls.ts'
import type { Language } from '../../reports/words.ts'

// What agents read of calls, both languages beside each other.

export const OUTCOME_WORDS: Readonly<Record<CallOutcome, Record<Language, string>>> = {
  reached: { en: 'Talked to them', 'zh-CN': '已接通' },
  promised: { en: 'Will come back', 'zh-CN': '答应回来' },
  declined: { en: 'Does not want to', 'zh-CN': '不打算回来' },
  no_answer: { en: 'No answer', 'zh-CN': '无人接听' },
  call_back: { en: 'Call again later', 'zh-CN': '约定再打' },
  handed_over: { en: 'Wants a person', 'zh-CN': '要求人工' },
  wrong_number: { en: 'Wrong number', 'zh-CN': '号码有误' },
  opted_out: { en: 'Wants to hear nothing more', 'zh-CN': '不愿再被打扰' },
}

export const SENTIMENT_WORDS: Readonly<Record<Sentiment, Record<Language, string>>> = {
  positive: { en: 'friendly', 'zh-CN': '友好' },
  neutral: { en: 'neutral', 'zh-CN': '平淡' },
  negative: { en: 'unhappy', 'zh-CN': '不满' },
}

/** Why somebody is called at all. */
export const KIND_WORDS: Readonly<Record<Call['kind'], Record<Language, string>>> = {
  recall: { en: 'to win back', 'zh-CN': '召回' },
  welcome: { en: 'came back: welcome', 'zh-CN': '已回来：欢迎' },
  care: { en: 'was unhappy: listen', 'zh-CN': '曾不满：倾听' },
}

/** What made a call pointless, or what it ended with. */
export const OVER_WORDS: Readonly<Record<string, Record<Language, string>>> = {
  ...OUTCOME_WORDS,
  returned: { en: 'they came back by themselves', 'zh-CN': '对方已自行回来' },
  suppressed: { en: 'they may not be contacted any more', 'zh-CN': '对方已不可联系' },
  opted_out: { en: 'they want to hear nothing more', 'zh-CN': '对方不愿再被打扰' },
  stopped: { en: 'the campaign was stopped', 'zh-CN': '活动已停止' },
  expired: { en: 'the campaign’s time for them is over', 'zh-CN': '活动对其已到期' },
}

/** A span as agents read it: `2 h 5 min`, `3 days`; 小时、天 in Chinese. */
export function spanText(milliseconds: number, language: Language): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000))
  const [day, hour, minute] =
    language === 'en' ? ([' days', ' h', ' min'] as const) : ([' 天', ' 小时', ' 分钟'] as const)
  if (minutes >= 48 * 60) return `${Math.floor(minutes / 1440)}${day}`
  const hours = Math.floor(minutes / 60)
  const rest = `${minutes % 60}${minute}`
  return hours === 0 ? rest : minutes % 60 === 0 ? `${hours}${hour}` : `${hours}${hour} ${rest}`
}

/** How urgent a call is: in words, with a tone that says no more than the words do. */
export function dueText(
  call: Pick<Call, 'openedAt' | 'dueAt'>,
  now: Date,
  language: Language,
): { readonly text: string; readonly tone: 'bad' | 'warn' | 'good' } {
  const left = call.dueAt.getTime() - now.getTime()
  const span = spanText(Math.abs(left), language)
  if (left < 0) return { text: language === 'en' ? `late by ${span}` : `已超时 ${span}`, tone: 'bad' }
  const tone = left * 4 < call.dueAt.getTime() - call.openedAt.getTime() ? 'warn' : 'good'
  return { text: language === 'en' ? `${span} left` : `剩余 ${span}`, tone }
}
