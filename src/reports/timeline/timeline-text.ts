import { cellsOf, hanging, painter, wrap } from '../layout.ts'
import { ENDS, REASONS, RECEIPTS, STATES, SUPPRESSIONS, WAITS } from '../reasons.ts'
import type { TextStyle } from '../report.ts'
import { sourceText } from '../source-words.ts'
import { switchReason } from '../switch-reason.ts'
import type { Phrases } from '../words.ts'
import { type Speech, sentence, speechOf } from '../words.ts'
import { dealingText } from './dealings-text.ts'
import type { Timeline, TimelineEntry } from './timeline.ts'

/**
 * A contact's story in words, a line an entry, times in `style.timezone`.
 * @throws RangeError for a locale, currency or zone unknown to Intl
 */
export function formatTimeline(timeline: Timeline, style: TextStyle): string {
  const speech = speechOf(style)
  const paint = painter(style.color)
  const { contact, entries } = timeline
  const en = speech.language === 'en'
  const about = [contact.email, contact.phone, contact.locale, contact.timezone].filter(
    (part) => part !== null,
  )
  const others =
    contact.siblings.length === 0
      ? []
      : [
          en
            ? `the same person as ${contact.siblings.join(', ')}`
            : `与 ${contact.siblings.join('、')} 是同一个人`,
        ]
  const dates = Math.max(0, ...entries.map((entry) => cellsOf(speech.moment(entry.at))))
  const beside = style.width - dates - 2
  const margin = ' '.repeat(beside < READABLE ? 2 : dates + 2)
  const lines = entries.flatMap((entry) => {
    const moment = speech.moment(entry.at)
    const text = wrap(entryText(entry, speech), style.width - margin.length)
    if (beside < READABLE) return [paint.faint(moment), ...text.map((line) => `${margin}${line}`)]
    const when = moment + ' '.repeat(dates - cellsOf(moment))
    const [first = '', ...rest] = text
    return [`${paint.faint(when)}  ${first}`, ...rest.map((line) => `${margin}${line}`)]
  })
  const [first = '', ...more] = hanging([contact.externalId, ...about].join(' · '), style.width)
  return [
    `${paint.strong(contact.externalId)}${first.slice(contact.externalId.length)}`,
    ...more,
    ...others.flatMap((line) => wrap(line, style.width - 2).map((part) => `  ${part}`)),
    paint.faint(en ? `  times in ${style.timezone ?? 'UTC'}` : `  时间按 ${style.timezone ?? 'UTC'}`),
    '',
    ...lines,
    '',
  ].join('\n')
}

/** Cells a text beside its moment needs at least: with fewer, it stands beneath. */
const READABLE = 28

/**
 * One entry as a sentence or two.
 * @param brief without what only who runs campaigns asks for: of what was sent, its template, price and provider's answer
 */
export function entryText(entry: TimelineEntry, speech: Speech, brief = false): string {
  const en = speech.language === 'en'
  const { language } = speech
  switch (entry.kind) {
    case 'signed_up':
      return en ? 'Signed up.' : '注册。'
    case 'imported':
      return en ? 'First imported.' : '首次导入。'
    case 'activity':
      return activityText(entry, speech)
    case 'runs':
      return en
        ? `${entry.campaign}: ${entry.runs === 1 ? '1 run' : `${speech.count(entry.runs)} runs from here to ${speech.moment(entry.last)}`} looked for whom to take in. The answers are kept as counts; who was taken in has an entry here.`
        : `${entry.campaign}：${entry.runs === 1 ? '运行 1 次' : `从此时到 ${speech.moment(entry.last)} 共运行 ${speech.count(entry.runs)} 次`}，寻找可纳入的人。结果只按人数保存；被纳入者在此另有记录。`
    case 'opened':
      return openedText(entry, speech)
    case 'stage':
      return stageText(entry, speech)
    case 'waiting':
      return waitingText(entry, speech)
    case 'settled':
      return settledText(entry, speech, brief)
    case 'returned':
      return returnedText(entry, speech)
    case 'recalled':
      return recalledText(entry, speech)
    case 'silenced':
      return en
        ? `${entry.campaign}: nothing more is sent: ${sentence(ENDS, entry.by, language)}.`
        : `${entry.campaign}：不再发送：${sentence(ENDS, entry.by, language)}。`
    case 'ended':
      return en
        ? `${entry.campaign}: ended: ${sentence(ENDS, entry.reason, language)}.`
        : `${entry.campaign}：结束：${sentence(ENDS, entry.reason, language)}。`
    case 'open':
      return en
        ? `${entry.campaign}: still open; the outcome is waited for until ${speech.moment(entry.until)}.`
        : `${entry.campaign}：仍在进行；结果观察至 ${speech.moment(entry.until)}。`
    case 'suppressed': {
      const kind = ADDRESSES[entry.address][language]
      const wrong = entry.address === 'phone' && entry.reason === 'hard_bounce'
      const why = sentence(SUPPRESSIONS, wrong ? 'wrong_number' : entry.reason, language)
      return en
        ? `${kind} put on the do-not-contact list: ${why} (${entry.source}).`
        : `${kind}进入禁止联系名单：${why}（${sourceText(entry.source, speech)}）。`
    }
    case 'receipt': {
      const what = sentence(RECEIPTS, entry.event, language)
      const words = entry.detail === null ? '' : en ? ` (${entry.detail})` : `（${entry.detail}）`
      return en
        ? `${entry.campaign} › ${entry.step}${entry.channel === null ? '' : ` ${speech.way(entry.channel)}`}: ${what}${words}.`
        : `${entry.campaign} › ${entry.step}${entry.channel === null ? '' : `（${speech.channel(entry.channel)}）`}：${what}${words}。`
    }
    case 'reply': {
      const off = entry.optOut ? (en ? ' Taken as an opt-out.' : '按退订处理。') : ''
      return en
        ? `Answered ${speech.way(entry.channel)}: “${entry.text}”.${off}`
        : `${speech.way(entry.channel)}回复：“${entry.text}”。${off}`
    }
    case 'switch':
      return switchText(entry, speech)
    default:
      return dealingText(entry, speech)
  }
}

const ADDRESSES = {
  email: { en: 'E-mail', 'zh-CN': '邮箱' },
  phone: { en: 'Phone', 'zh-CN': '手机' },
} satisfies Phrases

type Of<Kind extends TimelineEntry['kind']> = Extract<TimelineEntry, { kind: Kind }>

function activityText(entry: Of<'activity'>, speech: Speech): string {
  const en = speech.language === 'en'
  const worth =
    entry.value === null
      ? ''
      : en
        ? `, worth ${speech.money(entry.value)}`
        : `，金额 ${speech.money(entry.value)}`
  // What is kept and ends no silence is not called activity.
  const name = entry.counts ? { en: 'Activity', zh: '活跃' } : { en: 'Event', zh: '事件' }
  if (entry.events === 1)
    return en ? `${name.en}: ${entry.type}${worth}.` : `${name.zh}：${entry.type}${worth}。`
  return en
    ? `${name.en}: ${speech.count(entry.events)} × ${entry.type} from here to ${speech.moment(entry.last)}${worth}.`
    : `${name.zh}：${entry.type} ${speech.count(entry.events)} 次，至 ${speech.moment(entry.last)}${worth}。`
}

/** Of those who are not contacted, nothing was planned. */
function returnedText(
  { campaign, arm }: Extract<TimelineEntry, { kind: 'returned' }>,
  { language }: Pick<Speech, 'language'>,
): string {
  const planned = arm === 'treated'
  return language === 'en'
    ? `Came back: the first return since ${campaign} took this contact in.${planned ? ' What was still planned is cancelled.' : ''}`
    : `回来了：${campaign} 纳入后的首次回归。${planned ? '尚未发送的消息已取消。' : ''}`
}

function openedText(entry: Of<'opened'>, speech: Speech): string {
  const { campaign, version, entryTier, arm, personId, episodeNo } = entry
  const segment = speech.segment(entry.segment)
  const group = speech.word(arm)
  const since = sinceText(entry, speech)
  const until = speech.moment(entry.windowEndsAt)
  const mixed = entry.contaminated
  if (speech.language === 'en') {
    const byCampaign = `drawn from the campaign’s salt, person ${personId} and episode ${episodeNo}`
    const drawn = {
      treated: byCampaign,
      holdout: byCampaign,
      control: `drawn from the workspace’s salt and person ${personId}, the same in every campaign`,
      seed: 'not drawn: named in the campaign’s seeds, and counted nowhere',
    }[arm]
    return `${campaign} (version ${version}) took this contact in: ${since}, tier ${entryTier}, segment ${segment}. Group: ${group} (${drawn}). A recall counts until ${until}.${mixed ? ' Mixed: merged with a person of another group.' : ''}`
  }
  const byCampaign = `由活动盐值、人 ${personId}、第 ${episodeNo} 次流失抽取`
  const drawn = {
    treated: byCampaign,
    holdout: byCampaign,
    control: `由工作区盐值与人 ${personId} 抽取，所有活动一致`,
    seed: '未抽取：在活动的种子名单中，不计入任何数字',
  }[arm]
  return `${campaign}（版本 ${version}）纳入此联系人：${since}，阶段 ${entryTier}，分群 ${segment}。分组：${group}（${drawn}）。召回计至 ${until}。${mixed ? '混组：与另一分组的人合并。' : ''}`
}

/** What the episode's tiers count from. */
function sinceText({ entry, lapsedAt }: Of<'opened'>, speech: Speech): string {
  const moment = speech.moment(lapsedAt)
  const en = speech.language === 'en'
  switch (entry) {
    case 'silence':
      return en ? `silent since ${moment}` : `自 ${moment} 起沉默`
    case 'date':
      return en ? `for the date ${moment}` : `因日期 ${moment}`
    case 'event':
      return en ? `for the event of ${moment}` : `因 ${moment} 的事件`
  }
}

function stageText(entry: Of<'stage'>, speech: Speech): string {
  const en = speech.language === 'en'
  const steps = entry.planned
    .map(({ step, channels, plannedFor }) => {
      const names = channels.map((name) => speech.channel(name))
      return en
        ? `${step} (${names.join(' or ')}) for ${speech.moment(plannedFor)}`
        : `${step}（${names.join('或')}）${speech.moment(plannedFor)}`
    })
    .join(en ? ', ' : '、')
  const entered = en
    ? `${entry.campaign}: entered tier ${entry.tier}`
    : `${entry.campaign}：进入阶段 ${entry.tier}`
  if (entry.arm === 'treated') {
    const drawn = entry.drawn ? (en ? ', drawn by the tier as contacted' : '，阶段内抽为触达') : ''
    return en
      ? `${entered}${drawn}. Planned: ${steps || 'nothing'}.`
      : `${entered}${drawn}。计划：${steps || '无'}。`
  }
  // Held out by this tier's own draw, by an earlier tier's, or from the start.
  const why = entry.drawn
    ? en
      ? 'held out by the tier’s own draw'
      : '由本阶段抽为对照'
    : entry.episodeArm === 'treated'
      ? en
        ? 'held out by an earlier tier, until the end'
        : '较早阶段已抽为对照，保持到结束'
      : en
        ? `nothing is sent to this group (${speech.word(entry.episodeArm)})`
        : `该分组不发送（${speech.word(entry.episodeArm)}）`
  return en ? `${entered}: ${why}.` : `${entered}：${why}。`
}

/** `recall › letter › nudge, variant story`: of which message an entry speaks; campaigns have tiers of the same name. */
function placeText(
  { campaign, tier, step, variant }: Of<'waiting' | 'settled'>,
  { language }: Speech,
): string {
  const named = variant === null ? '' : language === 'en' ? `, variant ${variant}` : `，方案 ${variant}`
  return `${campaign} › ${tier} › ${step}${named}`
}

function waitingText(entry: Of<'waiting'>, speech: Speech): string {
  const en = speech.language === 'en'
  const due = entry.dueAt ? speech.moment(entry.dueAt) : ''
  const state = sentence(STATES, entry.deferral ? 'deferred' : entry.state, speech.language)
  const why = entry.deferral ? sentence(WAITS, entry.deferral, speech.language) : ''
  const tries =
    entry.attempt === 0
      ? ''
      : en
        ? `, attempts so far: ${speech.count(entry.attempt)}`
        : `，已尝试 ${speech.count(entry.attempt)} 次`
  const when = entry.state === 'planned' ? (en ? `, due ${due}` : `，定于 ${due}`) : ''
  return en
    ? `${placeText(entry, speech)}: ${state}${why ? `: ${why}` : ''}${when}${tries}.`
    : `${placeText(entry, speech)}：${state}${why ? `：${why}` : ''}${when}${tries}。`
}

function settledText(entry: Of<'settled'>, speech: Speech, brief: boolean): string {
  const en = speech.language === 'en'
  const state = sentence(STATES, entry.state, speech.language)
  const reasons = { ...REASONS, renewed: ENDS.renewed }
  const why = entry.reason === null ? undefined : sentence(reasons, entry.reason, speech.language)
  const way = entry.channel === null ? undefined : speech.way(entry.channel)
  const more = [
    entry.template === null ? undefined : en ? `template ${entry.template}` : `模板 ${entry.template}`,
    entry.attempt > 1 ? (en ? `attempt ${entry.attempt}` : `第 ${entry.attempt} 次尝试`) : undefined,
    entry.cost > 0 ? speech.money(entry.cost) : undefined,
    entry.providerId === null
      ? undefined
      : en
        ? `provider’s id ${entry.providerId}`
        : `服务商编号 ${entry.providerId}`,
    entry.detail === null ? undefined : `“${entry.detail}”`,
  ]
  const facts = (brief ? [way] : [way, ...more]).filter((fact) => fact !== undefined)
  const details = facts.length === 0 ? '' : en ? ` (${facts.join(', ')})` : `（${facts.join('，')}）`
  return en
    ? `${placeText(entry, speech)}: ${state}${why ? `: ${why}` : ''}${details}.`
    : `${placeText(entry, speech)}：${state}${why ? `：${why}` : ''}${details}。`
}

function recalledText(entry: Of<'recalled'>, speech: Speech): string {
  const en = speech.language === 'en'
  const worth =
    entry.value === null ? '' : en ? ` (${speech.money(entry.value)})` : `（${speech.money(entry.value)}）`
  const { goal, goalNo, campaign } = entry
  const name = goal?.name ?? String(goalNo + 1)
  const by = goal === null ? '' : en ? `, by the event ${goal.event}` : `，由事件 ${goal.event} 达成`
  if (!entry.inWindow) {
    return en
      ? `${campaign}: goal ${name} reached outside the window${worth}${by}; it does not count.`
      : `${campaign}：在观察期外达成目标 ${name}${worth}${by}，不计。`
  }
  if (goalNo === 0) return en ? `${campaign}: recalled${worth}${by}.` : `${campaign}：召回${worth}${by}。`
  return en
    ? `${campaign}: goal ${name} reached${worth}${by}.`
    : `${campaign}：达成目标 ${name}${worth}${by}。`
}

function switchText(entry: Of<'switch'>, speech: Speech): string {
  const en = speech.language === 'en'
  const since = speech.moment(entry.since)
  const reason = switchReason(entry.reason, speech.language)
  const what = {
    workspace: en ? 'everything' : '全部发送',
    campaign: en ? `campaign ${entry.name}` : `活动 ${entry.name} `,
    channel: `${en ? 'channel ' : '渠道'}${speech.channel(entry.name)}`,
  }[entry.scope]
  const state = {
    paused: en ? 'is paused' : '已暂停',
    stopped: en ? 'is stopped for good' : '已永久停止',
    away: en ? 'cannot be reached' : '无法连接',
  }[entry.state]
  return en
    ? `Now: ${what} ${state} since ${since}: ${reason}.`
    : `当前：${what}自 ${since} 起${state}：${reason}。`
}
