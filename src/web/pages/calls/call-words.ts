import type { Call } from '../../../outcomes/calls.ts'
import type { Language } from '../../../reports/words.ts'
import type { Visit } from '../visit.ts'

// How long, and how urgent: what agents read of a call beside its words in reports.

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

/** That somebody may not be rung now, and from when. */
export function quietText({ say, speech }: Pick<Visit, 'say' | 'speech'>, until: Date): string {
  const from = speech.moment(until)
  return say(
    `It is outside the hours of the campaign where they are. It can be taken from ${from}.`,
    `当前不在活动允许联系的当地时段内，${from} 起可接手。`,
  )
}
