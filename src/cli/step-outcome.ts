import { REASONS, WAITS } from '../reports/reasons.ts'
import { type Speech, sentence } from '../reports/words.ts'
import type { Lack, Verdict } from '../touchpoints/guards/guards.ts'
import type { Composed } from '../touchpoints/message.ts'
import type { ForeseenVerdict } from '../touchpoints/reservations/scarce.ts'

/** What a step would come to for a contact, were it due. */
export type StepOutcome =
  | {
      readonly kind: 'send'
      readonly channel: string
      readonly template: string | null
      readonly instead: Lack | null
    }
  | { readonly kind: 'skip' | 'cancel'; readonly reason: string; readonly detail: string | null }
  | { readonly kind: 'defer'; readonly cause: string; readonly until: Date }

/** The guards' verdict and what became of the message, in one. Pure. */
export function outcomeOf(verdict: Verdict, composed: Composed | undefined): StepOutcome {
  if (composed && 'state' in composed) {
    return { kind: 'skip', reason: composed.reason ?? 'missing_data', detail: composed.detail }
  }
  switch (verdict.kind) {
    case 'send': {
      const { channel, template, instead = null } = verdict
      return { kind: 'send', channel, template: template?.name ?? null, instead }
    }
    case 'defer':
      return { kind: 'defer', cause: verdict.cause, until: verdict.until }
    case 'skip':
      return { kind: 'skip', reason: verdict.reason, detail: verdict.detail }
    case 'cancel':
      return { kind: 'cancel', reason: verdict.reason, detail: null }
  }
}

/** What caps, offer and budgets would make of it now; empty where nothing speaks against it. */
export function scarceText(scarce: ForeseenVerdict | undefined, speech: Speech): string {
  if (!scarce) return ''
  const { verdict, neutral } = scarce
  const text = outcomeText(outcomeOf(verdict, undefined), speech)
  const missing = verdict.kind === 'skip' ? (verdict.detail ?? verdict.reason) : verdict.kind
  if (speech.language === 'en') {
    return neutral
      ? `But as limits and stock stand it would go without its offer, with the neutral template (${missing}).`
      : `But as limits and stock stand it ${text}.`
  }
  return neutral
    ? `但就目前的限额与库存而言，会改用不含优惠的备用模板发送（${missing}）。`
    : `但就目前的限额与库存而言，${text}。`
}

/** A step's outcome as a sentence or two. */
export function outcomeText(outcome: StepOutcome, speech: Speech): string {
  const { language } = speech
  const en = language === 'en'
  switch (outcome.kind) {
    case 'send': {
      const { template, instead } = outcome
      const way = speech.way(outcome.channel)
      const sent = en ? `would be sent ${way}` : `会${way}发送`
      if (!instead) return sent
      const stale = instead.reason === 'stale_data'
      return en
        ? `${sent}, with the neutral template ${template} instead of its own: ${instead.detail} is ${stale ? 'too old to be quoted' : 'missing'}`
        : `${sent}，但改用备用模板 ${template}：${stale ? `${instead.detail} 已过时` : `缺少 ${instead.detail}`}`
    }
    case 'defer': {
      const why = sentence({ ...REASONS, ...WAITS }, outcome.cause, language)
      return en
        ? `would wait until ${speech.moment(outcome.until)}: ${why}`
        : `会等到 ${speech.moment(outcome.until)}：${why}`
    }
    default: {
      const why = sentence(REASONS, outcome.reason, language)
      const detail = outcome.detail ? (en ? ` (${outcome.detail})` : `（${outcome.detail}）`) : ''
      return en ? `would not be sent: ${why}${detail}` : `不会发送：${why}${detail}`
    }
  }
}
