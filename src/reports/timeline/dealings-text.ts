import { isLeavingReason, LEAVING_REASONS } from '../../config/reasons.ts'
import { KIND_WORDS, OUTCOME_WORDS, OVER_WORDS, SENTIMENT_WORDS } from '../call-words.ts'
import { REASON_SOURCES, REASONS, REDEMPTION_REFUSALS, STATES } from '../reasons.ts'
import { sourceText } from '../source-words.ts'
import type { Speech } from '../words.ts'
import { sentence } from '../words.ts'
import type { Dealing } from './dealings.ts'

type Of<Kind extends Dealing['kind']> = Extract<Dealing, { kind: Kind }>

/** One dealing as a sentence or two. */
export function dealingText(entry: Dealing, speech: Speech): string {
  const en = speech.language === 'en'
  switch (entry.kind) {
    case 'grant':
      return grantText(entry, speech)
    case 'released':
      return releasedText(entry, speech)
    case 'refused_redemption':
      return refusedText(entry, speech)
    case 'call':
      return callText(entry, speech)
    case 'attempt':
      return attemptText(entry, speech)
    case 'reason': {
      const from = sentence(REASON_SOURCES, entry.source, speech.language)
      const note = entry.note === null ? '' : en ? ` (“${entry.note}”)` : `（“${entry.note}”）`
      return en
        ? `Said why ${from}: ${reasonWords(entry.reason, speech)}${note}.`
        : `${from}说明原因：${reasonWords(entry.reason, speech)}${note}。`
    }
    case 'choice':
      return choiceText(entry, speech)
    case 'consent': {
      const given = entry.decision === 'given'
      return en
        ? `${given ? 'Agreed to hear' : 'Took back the consent to hear'} ${speech.way(entry.channel)} (${entry.source}).`
        : `${given ? '同意接收' : '撤回同意'}${speech.channel(entry.channel)}（${sourceText(entry.source, speech)}）。`
    }
    case 'shown':
      return en
        ? `${entry.step}: “${entry.title}” was shown in the app.`
        : `${entry.step}：“${entry.title}”已在应用内展示。`
  }
}

/** A reason's code in words; one that is not on the list stands for itself. */
export function reasonWords(reason: string, speech: Speech): string {
  return isLeavingReason(reason) ? LEAVING_REASONS[reason][speech.language] : reason
}

function grantText(entry: Of<'grant'>, speech: Speech): string {
  const en = speech.language === 'en'
  const code = entry.code === null ? '' : en ? `, code ${entry.code}` : `，券码 ${entry.code}`
  const until = speech.moment(entry.expiresAt)
  const what = en ? `${entry.campaign}: offer ${entry.offer}` : `${entry.campaign}：优惠 ${entry.offer}`
  switch (entry.became) {
    case 'reserved':
      return en
        ? `${what} reserved while its message is under way${code}.`
        : `${what} 已预留，消息发送中${code}。`
    case 'granted':
      return en ? `${what} granted${code}, good until ${until}.` : `${what} 已发放${code}，有效至 ${until}。`
    case 'redeemed': {
      const { redeemedValue: value } = entry
      const worth =
        value === null
          ? ''
          : en
            ? `, with an order of ${speech.money(value)}`
            : `，订单金额 ${speech.money(value)}`
      return en ? `${what} redeemed${code}${worth}.` : `${what} 已核销${code}${worth}。`
    }
    case 'expired':
      return en ? `${what} expired unused${code}.` : `${what} 未使用，已过期${code}。`
  }
}

function releasedText(entry: Of<'released'>, speech: Speech): string {
  const { campaign, offer, step, state, reason } = entry
  const { language } = speech
  const en = language === 'en'
  const since = speech.moment(entry.reservedAt)
  if (state === null) {
    return en
      ? `${campaign}: offer ${offer}, reserved ${since}, given back: ${step} did not go out with it, and may be tried again.`
      : `${campaign}：优惠 ${offer}（${since} 预留）已退回：${step} 未随之发出，可能重试。`
  }
  const ended = sentence(STATES, state, language)
  const why = reason === null ? '' : `${en ? ': ' : '：'}${sentence(REASONS, reason, language)}`
  return en
    ? `${campaign}: offer ${offer}, reserved ${since}, given back: ${step} ${ended}${why}.`
    : `${campaign}：优惠 ${offer}（${since} 预留）已退回：${step} ${ended}${why}。`
}

function refusedText(entry: Of<'refused_redemption'>, speech: Speech): string {
  const why = sentence(REDEMPTION_REFUSALS, entry.reason, speech.language)
  const { code, campaign, offer } = entry
  const en = speech.language === 'en'
  const of = offer === null ? '' : en ? ` of ${campaign}’s ${offer}` : `（${campaign} 的 ${offer}）`
  return en
    ? `Tried to redeem the code ${code}${of}: refused, ${why}.`
    : `尝试核销券码 ${code}${of}：被拒，${why}。`
}

function callText(entry: Of<'call'>, speech: Speech): string {
  const { language } = speech
  const en = language === 'en'
  const why = sentence(KIND_WORDS, entry.callKind, language)
  if (entry.became === 'closed') {
    const by = sentence(OVER_WORDS, entry.closedBy ?? '', language)
    return en ? `${entry.campaign}: call closed: ${by}.` : `${entry.campaign}：外呼任务关闭：${by}。`
  }
  // A name stands apart from Chinese words, and they from each other do not.
  const owner = entry.owner !== null && !en ? ` ${entry.owner} ` : entry.owner
  const taker =
    entry.taker === 'robot' ? (en ? 'the robot' : '机器人') : (owner ?? (en ? 'any agent' : '任意客服'))
  const due = speech.moment(entry.dueAt)
  return en
    ? `${entry.campaign}: a call is to be made (${why}) by ${taker}, before ${due}.`
    : `${entry.campaign}：待外呼（${why}），由${taker}在 ${due} 前完成。`
}

function attemptText(entry: Of<'attempt'>, speech: Speech): string {
  const { language } = speech
  const en = language === 'en'
  const minutes = speech.plain(entry.seconds / 60)
  const { sentiment, reason, notes, nextAttemptAt } = entry
  const facts = [
    en ? `by ${entry.madeBy}` : `由 ${entry.madeBy}`,
    entry.seconds === 0 ? undefined : en ? `${minutes} min` : `${minutes} 分钟`,
    sentiment === null ? undefined : sentence(SENTIMENT_WORDS, sentiment, language),
    reason === null
      ? undefined
      : en
        ? `why away: ${reasonWords(reason, speech)}`
        : `离开原因：${reasonWords(reason, speech)}`,
    notes === null ? undefined : `“${notes}”`,
    nextAttemptAt === null
      ? undefined
      : en
        ? `again at ${speech.moment(nextAttemptAt)}`
        : `将于 ${speech.moment(nextAttemptAt)} 再打`,
  ].filter((fact) => fact !== undefined)
  const outcome = sentence(OUTCOME_WORDS, entry.outcome, language)
  return en
    ? `${entry.campaign}: called, attempt ${entry.attemptNo}: ${outcome} (${facts.join(', ')}).`
    : `${entry.campaign}：第 ${entry.attemptNo} 次外呼：${outcome}（${facts.join('，')}）。`
}

function choiceText(entry: Of<'choice'>, speech: Speech): string {
  const wanted = wishesText(entry, speech)
  return speech.language === 'en'
    ? `Chose: ${wanted} (${entry.source}).`
    : `选择：${wanted}（${sourceText(entry.source, speech)}）。`
}

/** What somebody chose; `atMost` messages in so many days, both or neither. */
interface Wishes {
  readonly channelsOff: readonly string[]
  readonly topicsOff: readonly string[]
  readonly atMost: number | null
  readonly withinDays: number | null
  readonly pausedUntil: Date | null
}

/** All that somebody chose, without a full stop. */
export function wishesText(choice: Wishes, speech: Speech): string {
  const en = speech.language === 'en'
  const { channelsOff, topicsOff, atMost, withinDays, pausedUntil } = choice
  const channels = channelsOff.map(en ? speech.way : speech.channel)
  const everything = channelsOff.includes('*')
  const wishes = [
    everything
      ? en
        ? 'nothing by any channel'
        : '任何渠道都不接收'
      : channelsOff.length === 0
        ? undefined
        : en
          ? `nothing ${channels.join(', ')}`
          : `不接收${channels.join('、')}`,
    topicsOff.length === 0
      ? undefined
      : en
        ? `nothing about ${topicsOff.join(', ')}`
        : `不接收主题 ${topicsOff.join('、')}`,
    atMost === null
      ? undefined
      : en
        ? `at most ${atMost} in ${withinDays} days`
        : `${withinDays} 天内最多 ${atMost} 条`,
    pausedUntil === null
      ? undefined
      : en
        ? `nothing before ${speech.moment(pausedUntil)}`
        : `${speech.moment(pausedUntil)} 前不接收`,
  ].filter((wish) => wish !== undefined)
  return wishes.length === 0 ? (en ? 'everything is wanted' : '均可接收') : wishes.join(en ? '; ' : '；')
}
