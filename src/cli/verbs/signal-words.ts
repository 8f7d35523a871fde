import { CHURN_REASONS } from '../../config/facts/churn.ts'
import { RISK_SIGNS, type RiskSign } from '../../config/facts/risk.ts'
import { CHURN_WORDS } from '../../reports/churn-words.ts'
import type { Phrase, Speech } from '../../reports/words.ts'
import { MODEL_WORDS } from '../../service/signals.ts'
import type { Thinness } from '../../signals/fit.ts'
import type { Portrait } from '../../signals/portrait.ts'

// Signals in words, both languages beside each other, so that neither can be forgotten.

type Sign = (value: (path: string) => string) => Phrase

const SIGNS: Readonly<Record<RiskSign, Sign>> = {
  sign_in: (value) => ({
    en: `no sign-in for ${value('sign_in.silence')}`,
    'zh-CN': `${value('sign_in.silence')}未登录`,
  }),
  use: () => ({ en: 'uses us half as often as before, or less', 'zh-CN': '使用频率下降一半以上' }),
  complaint: (value) => ({
    en: `${counted(value('complaints.open'), 'complaint')} not resolved`,
    'zh-CN': `${value('complaints.open')} 个投诉未解决`,
  }),
  review: (value) => ({
    en: `latest review ${counted(value('reviews.rating'), 'star')}`,
    'zh-CN': `最近评价 ${value('reviews.rating')} 星`,
  }),
  nps: (value) => ({ en: `latest NPS answer ${value('nps')}`, 'zh-CN': `最近 NPS 评分 ${value('nps')}` }),
  assignments: (value) => ({
    en: `${counted(value('assignments.open'), 'task')} not done`,
    'zh-CN': `${value('assignments.open')} 项任务未完成`,
  }),
}

/** `1 task`, `2 tasks` */
function counted(number: string, noun: string): string {
  return `${number} ${noun}${number === '1' ? '' : 's'}`
}

/** Of the fact `churn`. */
export const CHURN_STATES = {
  active: { en: 'active', 'zh-CN': '活跃' },
  false: { en: 'quiet, not lost', 'zh-CN': '沉默但未流失' },
  true: { en: 'lost', 'zh-CN': '已流失' },
} as const

/** Of who was active on fewer than three days, and has no usual pause to be longer than. */
const NO_RHYTHM: Phrase = {
  en: 'seen on too few days for a usual pause',
  'zh-CN': '活跃天数太少，尚无惯常间隔',
}

/** Of the fact `risk.grade`. */
export const RISK_GRADES = {
  none: { en: 'none', 'zh-CN': '无' },
  light: { en: 'light', 'zh-CN': '轻度' },
  medium: { en: 'medium', 'zh-CN': '中度' },
  severe: { en: 'severe', 'zh-CN': '重度' },
} as const

/**
 * What is known of one contact, a line each: churn with its evidence, return, value, risk with its signs, membership.
 * @param thin why there is no return model, where there is none
 */
export function describePortrait(portrait: Portrait, speech: Speech, thin: Thinness | null = null): string[] {
  const en = speech.language === 'en'
  const number = (path: string) => (typeof portrait[path] === 'number' ? portrait[path] : undefined)
  const text = (path: string) => (typeof portrait[path] === 'string' ? portrait[path] : undefined)
  const days = (path: string) => {
    const seconds = number(path)
    if (seconds === undefined) return undefined
    const count = Math.round(seconds / 86_400)
    return en ? `${count} ${count === 1 ? 'day' : 'days'}` : `${count} 天`
  }
  const value = (path: string) =>
    path.endsWith('.silence') ? (days(path) ?? '') : String(portrait[path] ?? '')
  const lines: string[] = []

  const reason = Object.keys(CHURN_WORDS).find((name) => name === text('churn_reason')) as
    | keyof typeof CHURN_WORDS
    | undefined
  if (reason) {
    const churn = CHURN_REASONS[reason]
    const state = CHURN_STATES[churn]
    const pause = days('rhythm.pause')
    const silent = days('activity.silence')
    const evidence = [
      (reason === 'silent' && pause === undefined ? NO_RHYTHM : CHURN_WORDS[reason])[speech.language],
      ...(silent ? [en ? `silent for ${silent}` : `已沉默 ${silent}`] : []),
      ...(pause ? [en ? `usual pause ${pause}` : `惯常间隔 ${pause}`] : []),
      ...(reason === 'cart'
        ? [en ? `${value('cart.items')} in the cart` : `购物车 ${value('cart.items')} 件`]
        : []),
    ]
    lines.push(
      en
        ? `Churn: ${state.en} (${evidence.join('; ')})`
        : `流失判断：${state['zh-CN']}（${evidence.join('；')}）`,
    )
  }
  const probability = number('return_probability')
  if (probability !== undefined) {
    const model = text('return_basis') === 'bg_nbd'
    const why = MODEL_WORDS[thin ?? 'too_few_contacts'][speech.language]
    const basis = en
      ? model
        ? 'by their own rhythm'
        : `by silence alone, without a model: ${why}`
      : model
        ? '按其自身节奏'
        : `仅按沉默时长，未建模：${why}`
    const share = speech.percent(probability)
    lines.push(en ? `Comes back unasked: ${share} (${basis})` : `自行回来的概率：${share}（${basis}）`)
  }
  if (text('rfm.segment')) {
    const scores = `${value('rfm.recency')}-${value('rfm.frequency')}-${value('rfm.monetary')}`
    const more = `${text('rfm.segment')}, RFM ${scores}${text('quadrant') ? `, ${text('quadrant')}` : ''}`
    lines.push(en ? `Value: ${more}` : `价值：${more}`)
  }
  const grade = Object.keys(RISK_GRADES).find((name) => name === text('risk.grade')) as
    | keyof typeof RISK_GRADES
    | undefined
  if (grade) {
    const signs = RISK_SIGNS.filter((name) => portrait[`risk.${name}`] === true).map(
      (name) => SIGNS[name](value)[speech.language],
    )
    const why = signs.length === 0 ? '' : en ? ` (${signs.join('; ')})` : `（${signs.join('；')}）`
    lines.push(en ? `Risk: ${RISK_GRADES[grade].en}${why}` : `风险：${RISK_GRADES[grade]['zh-CN']}${why}`)
  }
  const ends = text('membership.ends')
  if (ends) {
    const moment = speech.moment(new Date(ends))
    const over = portrait['membership.active'] !== true
    lines.push(
      en
        ? `Membership: ${over ? 'ended' : 'ends'} ${moment}`
        : `会员：${over ? '已于' : ''}${moment}${over ? '结束' : '到期'}`,
    )
  }
  if (portrait.sunset === true) lines.push(en ? 'Better left alone (sunset)' : '建议不再打扰（日落规则）')
  return lines
}
