import type { CostPerRecall } from '../../statistics/net-benefit.ts'
import type { Language } from '../words.ts'

type Boundless = Extract<CostPerRecall, { answer: 'not_estimable' }>

/**
 * A price without bounds, said as far as it can be. Of Fieller's answers that are no interval each says something of its
 * own: a floor without a ceiling, two ends without a middle, or nothing at all. (Both ends nought: nothing was spent.)
 * @param amount how a price is written
 */
export function boundlessText(
  { fieller, atLeast }: Boundless,
  amount: (price: number) => string,
  language: Language,
): string {
  const en = language === 'en'
  if (fieller.kind !== 'everything' && fieller.low === 0 && fieller.high === 0) {
    return en ? 'nothing was spent' : '没有花费'
  }
  const split = fieller.kind === 'exclusive' && fieller.high > 0
  if (split && (fieller.low > 0 || atLeast === undefined)) {
    const [low, high] = [amount(fieller.low), amount(fieller.high)]
    return en
      ? `${low} or less, or ${high} or more: which of the two cannot be told yet`
      : `不高于 ${low} 或不低于 ${high}，尚无法判断是哪一种`
  }
  if (atLeast === undefined) return en ? 'any amount fits yet' : '目前任何金额都有可能'
  const least = amount(atLeast)
  if (split) return en ? `at least ${least}, no upper limit yet` : `至少 ${least}，尚无上限`
  return en
    ? `any amount fits yet, though hardly less than ${least}`
    : `目前难以确定，但不太可能低于 ${least}`
}
