import { priceCell } from '../cost/cost-text.ts'
import type { Effect } from '../effect.ts'
import type { Sheet } from '../sheet.ts'
import { verdictSentence, verdictTone } from '../verdict-text.ts'
import type { Speech } from '../words.ts'
import type { MondayData, Week } from './monday.ts'

// What the first page says in sentences, before its tables: what the last weeks brought, and at what price.

type Sentence = Sheet['sentences'][number]

/** The last complete week, the one that is running and what one won back costs; or what is still missing. */
export function mondaySentences(data: MondayData, speech: Speech): readonly Sentence[] {
  if (data.split.alarm) {
    return [
      {
        text:
          speech.language === 'en'
            ? 'Groups are off, no conclusion: see the lift report for what does not fit.'
            : '分组异常，结论不可用：详见增量报告。',
        tone: 'bad',
      },
    ]
  }
  const { lastFinal, running } = data
  const { verdict } = data
  const drawn = data.split.holdouts.some((share) => share > 0)
  // Of no week, and of no price, more can be said than that; of who may be drawn yet, once a week is complete.
  if (verdict.kind === 'not_yet' && verdict.why === 'no_holdout' && (lastFinal || !drawn))
    return [{ text: verdictSentence(data, speech), tone: verdictTone(data.verdict) }]
  return [
    ...(lastFinal ? weekSentences(lastFinal, data, speech) : [notYetSentence(data, speech)]),
    ...(running ? [runningSentence(running, speech)] : []),
    ...(lastFinal ? priceSentence(data, speech) : []),
  ]
}

function notYetSentence({ overall, running }: MondayData, { language }: Speech): Sentence {
  const en = language === 'en'
  if (overall.treated.assigned === 0) {
    const nobody = en ? 'Not yet: nobody has been assigned.' : '暂无结论：还没有人进入分组。'
    return { text: nobody, tone: 'plain' }
  }
  // A week that began today is not shown either.
  const meanwhile = running && en ? ' Until then, look at the one that is running.' : ''
  const text = en ? `Not yet: no week is complete.${meanwhile}` : '暂无结论：尚无观察期已满的一周。'
  return { text, tone: 'plain' }
}

/**
 * The last complete week; where it alone cannot tell, or says more than the campaign as a whole does, everybody who is complete
 * comes first: of a year of weeks, one or two look like an effect where there is none.
 */
function weekSentences(lastFinal: Week, data: MondayData, speech: Speech): Sentence[] {
  const en = speech.language === 'en'
  const n = speech.count
  const { weekBefore } = data
  const verdict = data.verdict.kind
  const day = dayOf(lastFinal, speech)
  const won = ({ effect }: Week) => (effect.recalls.kind === 'estimate' ? effect.recalls : undefined)
  const [now, before] = [won(lastFinal), weekBefore && won(weekBefore)]
  if (!now || lastFinal.effect.sequence.kind === 'not_enough') {
    const why =
      lastFinal.effect.heldOut.assigned === 0
        ? nobodyHeldOut(en)
        : en
          ? 'too few came back in one of the groups'
          : '有一组回来的人太少'
    return [
      { text: verdictSentence(data, speech), tone: verdictTone(data.verdict) },
      {
        text: en
          ? `That is everybody whose observation is complete. The week of ${day} alone cannot tell: ${why}.`
          : `以上为全部观察期已满者。仅看 ${day}当周尚无法判断：${why}。`,
        tone: 'plain',
      },
    ]
  }
  const against = before
    ? en
      ? `, against ${n(before.value)} the week before`
      : `，前一周为 ${n(before.value)} 人`
    : ''
  const range = en
    ? `95 % interval ${speech.signed(now.low)} to ${speech.signed(now.high)}`
    : `95% 区间 ${speech.signed(now.low)} 至 ${speech.signed(now.high)}`
  const size = speech.signed(now.value)
  if ((now.low > 0 && verdict !== 'won_back') || (now.high < 0 && verdict !== 'harm')) {
    const text = en
      ? `That is everybody whose observation is complete. Of the week of ${day} alone, the difference is ${size} (${range})${against}; of many weeks, one looks like that by chance.`
      : `以上为全部观察期已满者。仅看 ${day}当周，相差 ${size} 人（${range}）${against}；周数一多，总有一周会偶然如此。`
    return [
      { text: verdictSentence(data, speech), tone: verdictTone(data.verdict) },
      { text, tone: 'plain' },
    ]
  }
  if (now.low > 0) {
    const text = en
      ? `Of those taken in during the week of ${day}, ${n(now.value)} came back because of us (${range})${against}.`
      : `${day}当周纳入者中，多召回 ${n(now.value)} 人（${range}）${against}。`
    return [{ text, tone: 'good' }]
  }
  if (now.high < 0) {
    const text = en
      ? `Of those taken in during the week of ${day}, fewer came back because of the contact: ${size} (${range})${against}.`
      : `${day}当周纳入者中，触达后回来的人反而更少：${size} 人（${range}）${against}。`
    return [{ text, tone: 'bad' }]
  }
  const text = en
    ? `Of those taken in during the week of ${day}, no effect is shown: the difference of ${size} (${range}) may be chance${against}.`
    : `${day}当周纳入者中未见效果：相差 ${size} 人（${range}），可能只是偶然${against}。`
  return [{ text, tone: 'plain' }]
}

function runningSentence(
  { week, age, finalAtThatAge }: NonNullable<MondayData['running']>,
  speech: Speech,
): Sentence {
  const en = speech.language === 'en'
  const day = dayOf(week, speech)
  const days = `${speech.count(age)} ${age === 1 ? 'day' : 'days'}`
  // The gate of every verdict: with fewer returns a figure would jump by tens of points from one day to the next.
  const points = (effect: Effect | undefined) =>
    effect?.difference.kind === 'estimate' && effect.sequence.kind !== 'not_enough'
      ? speech.points(effect.difference.value)
      : undefined
  const [own, then] = [points(week.effect), points(finalAtThatAge)]
  if (week.effect.heldOut.assigned === 0) {
    return {
      text: en
        ? `The week of ${day} is ${days} old; ${nobodyHeldOut(en)}.`
        : `${day}当周已观察 ${speech.count(age)} 天，${nobodyHeldOut(en)}。`,
      tone: 'faint',
    }
  }
  if (own === undefined) {
    return {
      text: en
        ? `The week of ${day} is ${days} old; too few came back so far to tell.`
        : `${day}当周已观察 ${speech.count(age)} 天，目前回来的人太少，暂算不出。`,
      tone: 'faint',
    }
  }
  return {
    text: en
      ? `The week of ${day} is ${days} old: ${own} points so far${then === undefined ? '' : `, where the complete week stood at ${then}`}.`
      : `${day}当周已观察 ${speech.count(age)} 天：目前相差 ${own} 个百分点${then === undefined ? '' : `，完整周同期为 ${then}`}。`,
    tone: 'plain',
  }
}

/** Of a week whose people were all contacted, by a version or by chance. */
function nobodyHeldOut(en: boolean): string {
  return en ? 'nobody taken in then was left uncontacted' : '当周纳入者中没有对照组'
}

function priceSentence({ cost }: MondayData, speech: Speech): Sentence[] {
  const en = speech.language === 'en'
  const [whole] = cost.prices
  if (!whole) return []
  const price = priceCell(whole.withLabour, false, speech).text
  const customer = cost.acquisition === undefined ? undefined : speech.money(cost.acquisition)
  const beside = customer && (en ? `; a new customer costs ${customer}` : `；获取一位新客需 ${customer}`)
  return [
    {
      text: en
        ? `One won back costs: ${price}${beside ?? ''}.`
        : `每多召回一人的成本：${price}${beside ?? ''}。`,
      tone: 'plain',
    },
  ]
}

/** When a week began, as the reader writes dates. */
export function dayOf({ day }: Week, speech: Speech): string {
  return speech.day(day)
}
