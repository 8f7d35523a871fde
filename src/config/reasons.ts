// Why people stay away: one list, whoever heard it. Calls, replies, opt-outs and interviews use these codes, so that
// a report can count them together. A code is never renamed or taken out: old records carry it.

export interface Reason {
  readonly en: string
  readonly 'zh-CN': string
}

export const LEAVING_REASONS = {
  price: { en: 'Too expensive', 'zh-CN': '价格太高' },
  no_need: { en: 'No need at present', 'zh-CN': '暂时不需要' },
  choice: { en: 'Did not find the right thing', 'zh-CN': '没有合适的商品或内容' },
  quality: { en: 'Disappointed by the product', 'zh-CN': '对产品不满意' },
  service: { en: 'Disappointed by the service', 'zh-CN': '对服务不满意' },
  delivery: { en: 'Delivery too slow or failed', 'zh-CN': '配送太慢或出错' },
  technical: { en: 'The app or the site did not work', 'zh-CN': '应用或网站用不了' },
  competitor: { en: 'Uses another provider', 'zh-CN': '改用了别家' },
  too_many_messages: { en: 'Too many messages', 'zh-CN': '消息太多' },
  not_relevant: { en: 'Messages are not of interest', 'zh-CN': '消息不感兴趣' },
  privacy: { en: 'Worried about privacy', 'zh-CN': '担心隐私' },
  forgot: { en: 'Had simply forgotten', 'zh-CN': '只是忘了' },
  moved: { en: 'Moved away, or life changed', 'zh-CN': '搬家或生活变化' },
  other: { en: 'Something else', 'zh-CN': '其他' },
} as const satisfies Readonly<Record<string, Reason>>

export type LeavingReason = keyof typeof LEAVING_REASONS

export function isLeavingReason(text: string): text is LeavingReason {
  return Object.hasOwn(LEAVING_REASONS, text)
}

/** The reason somebody said, by its code or its words in either language and nothing more; undefined where it is none. */
export function reasonSaid(text: string): LeavingReason | undefined {
  const said = text
    .trim()
    .replace(/[.!。！]+$/u, '')
    .toLowerCase()
  if (isLeavingReason(said)) return said
  const found = Object.entries(LEAVING_REASONS).find(([, words]) =>
    Object.values(words).some((each) => each.toLowerCase() === said),
  )
  return found && isLeavingReason(found[0]) ? found[0] : undefined
}

/** Where a reason was heard. */
export type ReasonSource = 'call' | 'reply' | 'opt_out' | 'interview'
