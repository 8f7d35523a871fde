import { LEAVING_REASONS } from '../../config/reasons.ts'
import type { AttemptMade } from '../../outcomes/call-attempts.ts'
import { type Call, callIdOf } from '../../outcomes/calls.ts'
import { KIND_WORDS, OUTCOME_WORDS, SENTIMENT_WORDS } from '../../reports/call-words.ts'
import { fitted, left, type Painter, right } from '../../reports/layout.ts'
import { type Language, type Speech, sentence } from '../../reports/words.ts'

// The calls people are to make, in words, both languages beside each other.

const TITLES: Readonly<Record<Language, readonly string[]>> = {
  en: ['id', 'contact', 'phone', 'campaign › step', 'by', 'tries', 'taken by'],
  'zh-CN': ['编号', '联系人', '电话', '活动 › 步骤', '最晚', '已拨', '接手人'],
}

const TRIES = 5

/** The queue as a table. */
export function formatCalls(
  calls: readonly Call[],
  now: Date,
  speech: Speech,
  paint: Painter,
  width: number,
): string {
  const en = speech.language === 'en'
  if (calls.length === 0) return en ? 'There is nobody to be called.' : '当前没有需要拨打的电话。'
  const lines = calls.map((call) => [
    callIdOf(call),
    call.externalId,
    call.phone ?? '',
    `${call.campaign} › ${call.kind === 'care' ? sentence(KIND_WORDS, 'care', speech.language) : call.step}`,
    `${speech.moment(call.dueAt)}${call.dueAt < now ? (en ? ' late' : ' 已超时') : ''}`,
    speech.count(call.attempts),
    call.claimedBy ?? (call.paused ? (en ? '– paused' : '– 已暂停') : ''),
  ])
  const columns = TITLES[speech.language].map((title, no) => (no === TRIES ? right(title) : left(title)))
  return fitted(columns, lines, paint, width).join('\n')
}

/** One call: whom, what to say, and what came of earlier tries. */
export function formatCall(call: Call, attempts: readonly AttemptMade[], speech: Speech): string {
  const en = speech.language === 'en'
  const colon = en ? ': ' : '：'
  const known = [
    call.locale ?? (en ? 'no language known' : '语言未知'),
    ...(call.timezone === null ? [] : [call.timezone]),
  ].join(en ? ', ' : '，')
  const phone = call.phone ?? (en ? 'no number' : '没有号码')
  const command = `winback calls outcome ${callIdOf(call)} OUTCOME --minutes N`
  return [
    `${call.firstName ?? call.externalId}  ${phone}  ${en ? `(${known})` : `（${known}）`}`,
    '',
    call.script,
    ...attempts.flatMap(({ madeAt, madeBy, outcome, reason, sentiment, notes, transcript }) => [
      '',
      `${speech.moment(madeAt)} ${madeBy}${colon}${[
        sentence(OUTCOME_WORDS, outcome, speech.language),
        ...(reason === null ? [] : [sentence(LEAVING_REASONS, reason, speech.language)]),
        ...(sentiment === null ? [] : [sentence(SENTIMENT_WORDS, sentiment, speech.language)]),
      ].join(en ? ', ' : '，')}`,
      ...[notes, transcript].filter((text) => text !== null),
    ]),
    '',
    `${en ? 'Afterwards: ' : '通话之后：'}${command}`,
  ].join('\n')
}

/** That a call was given back. */
export function formatReleased(id: string, { language }: Speech): string {
  return language === 'en' ? `${id} is in the queue again.` : `${id} 已放回队列。`
}

/** What becomes of a call after a try. @param ended whether the contact gets no marketing any more */
export function formatConcluded(call: Call, ended: boolean, speech: Speech): string {
  const en = speech.language === 'en'
  const again = speech.moment(call.nextAttemptAt)
  const what = call.closedAt
    ? en
      ? 'It is done.'
      : '已完成。'
    : en
      ? `It comes again on ${again}.`
      : `将于 ${again} 再次拨打。`
  if (!ended) return what
  return en
    ? `${what} ${call.externalId} gets no marketing any more.`
    : `${what}${call.externalId} 不再接收任何营销消息。`
}
