import type { Phrases } from './words.ts'

// What people read of calls, both languages beside each other.

export const OUTCOME_WORDS = {
  reached: { en: 'Talked to them', 'zh-CN': '已接通' },
  promised: { en: 'Will come back', 'zh-CN': '答应回来' },
  declined: { en: 'Does not want to', 'zh-CN': '不打算回来' },
  no_answer: { en: 'No answer', 'zh-CN': '无人接听' },
  call_back: { en: 'Call again later', 'zh-CN': '约定再打' },
  handed_over: { en: 'Wants a person', 'zh-CN': '要求人工' },
  wrong_number: { en: 'Wrong number', 'zh-CN': '号码有误' },
  opted_out: { en: 'Wants to hear nothing more', 'zh-CN': '不愿再被打扰' },
} satisfies Phrases

export const SENTIMENT_WORDS = {
  positive: { en: 'friendly', 'zh-CN': '友好' },
  neutral: { en: 'neutral', 'zh-CN': '平淡' },
  negative: { en: 'unhappy', 'zh-CN': '不满' },
} satisfies Phrases

/** Why somebody is called at all. */
export const KIND_WORDS = {
  recall: { en: 'to win back', 'zh-CN': '召回' },
  welcome: { en: 'came back: welcome', 'zh-CN': '已回来：欢迎' },
  care: { en: 'was unhappy: listen', 'zh-CN': '曾不满：倾听' },
} satisfies Phrases

/** What made a call pointless, or what it ended with. */
export const OVER_WORDS: Phrases = {
  ...OUTCOME_WORDS,
  returned: { en: 'they came back by themselves', 'zh-CN': '对方已自行回来' },
  suppressed: { en: 'they may not be contacted any more', 'zh-CN': '对方已不可联系' },
  opted_out: { en: 'they want to hear nothing more', 'zh-CN': '对方不愿再被打扰' },
  superseded: { en: 'the next tier had begun', 'zh-CN': '已进入下一阶段' },
  merged: { en: 'merged with a person who is called already', 'zh-CN': '与已在外呼名单中的同一人合并' },
  contaminated: { en: 'merged with a person of another group', 'zh-CN': '与另一分组的人合并' },
  erased: { en: 'erased at the person’s request', 'zh-CN': '已按本人要求删除' },
  stopped: { en: 'the campaign was stopped', 'zh-CN': '活动已停止' },
  expired: { en: 'the campaign’s time for them is over', 'zh-CN': '活动对其已到期' },
}
