import type { NotEnough } from '../statistics/estimate.ts'
import { MINIMUM_RECALLS } from '../statistics/sequence.ts'
import type { Speech } from './words.ts'

/** Why there is no price, where one more word says what it takes. */
export function shortageText({ why }: NotEnough, speech: Speech): string {
  // No wait helps where nobody is held out: "yet" would be wrong.
  if (why === 'nobody_held_out')
    return speech.language === 'en' ? 'nobody to compare with' : '没有可供比较的人'
  if (why !== 'few_recalls') return speech.word('notEnough')
  return speech.language === 'en'
    ? `not enough data yet (${MINIMUM_RECALLS} who came back are needed in each group)`
    : `数据不足，暂算不出（每组至少需要 ${MINIMUM_RECALLS} 人回来）`
}
