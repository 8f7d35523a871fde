import { CHURN_REASONS } from '../config/facts/churn.ts'

/** Why somebody counts as lost or only quiet, both languages beside each other. */
export const CHURN_WORDS = {
  recent: { en: 'active recently', 'zh-CN': '最近活跃' },
  cart: { en: 'items in the cart', 'zh-CN': '购物车里有商品' },
  favourite: { en: 'a new favourite', 'zh-CN': '新增收藏' },
  comment: { en: 'a new comment or like', 'zh-CN': '新的评论或点赞' },
  rhythm: { en: 'within their own rhythm', 'zh-CN': '在其自身节奏内' },
  silent: { en: 'longer than they ever usually pause', 'zh-CN': '超过其惯常间隔' },
} as const

/** Whether a reason is one of false churn. */
export function isFalseChurn(reason: string): boolean {
  return Object.entries(CHURN_REASONS).some(([name, churn]) => name === reason && churn === 'false')
}
