import type { StepOutlook } from '../../audience/outlook.ts'
import type { Workspace } from '../../config/workspace.ts'
import { type Column, fitted, type Painter, painter, wrap } from '../../reports/layout.ts'
import { ANSWERS, sentence } from '../../reports/reasons.ts'
import { type Speech, speechOf } from '../../reports/words.ts'
import { foreseenText } from '../foreseen.ts'
import { CHURN_WORDS, isFalseChurn } from '../signal-words.ts'
import { outcomeText } from '../step-outcome.ts'
import type { Detectable } from './forecast.ts'
import type { CampaignPlan, Sample } from './plan.ts'
import { PLAN_WORDS } from './words.ts'

/** How a plan is written for the person at this terminal. */
export interface PlanStyle {
  readonly locale: string
  readonly color: boolean
  readonly width: number
}

/** What every section is written with. */
interface Pen {
  readonly speech: Speech
  readonly paint: Painter
  readonly width: number
  word(word: keyof typeof PLAN_WORDS): string
}

const left = (title: string): Column => ({ title, align: 'left' })
const right = (title: string): Column => ({ title, align: 'right' })

/**
 * A plan as text: whether it would run, the audience as a grid, who is left out and why, what it costs, what it can
 * show and when, samples, hash.
 * @throws RangeError for a locale unknown to Intl
 */
export function formatPlan(plan: CampaignPlan, workspace: Workspace, style: PlanStyle): string {
  const { currency, timezone } = workspace
  const speech = speechOf({ locale: style.locale, currency, timezone })
  const paint = painter(style.color)
  const word = (name: keyof typeof PLAN_WORDS) => PLAN_WORDS[name][speech.language]
  const pen: Pen = { speech, paint, width: style.width, word }
  const section = (title: keyof typeof PLAN_WORDS, lines: readonly string[]) =>
    lines.length === 0 ? [] : [...wrap(word(title), style.width).map(paint.strong), ...lines]
  const empty = plan.audience.outside.total === 0
  const sections = [
    [`${paint.strong(plan.title)}${paint.faint(`  ${plan.file}`)}`, ...state(plan, workspace, pen)],
    warning(plan, pen),
    section('audience', empty ? indented(word('noContacts'), pen) : grid(plan, pen)),
    section(plan.entry === 'silence' ? 'leftOut' : 'leftOutInTime', leftOut(plan, pen)),
    section('falseChurn', falseChurn(plan, pen)),
    section('outside', outside(plan, pen)),
    section('messages', empty ? [] : outlook(plan, pen)),
    section('heldOut', heldOut(plan, pen)),
    section('cost', empty ? [] : cost(plan, pen)),
    section('showable', empty ? [] : detectable(plan, pen)),
    section(
      'samples',
      plan.samples.flatMap((sample) => formatSample(sample, pen)),
    ),
    next(plan, pen),
  ]
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')
}

function indented(text: string, { width }: Pen): string[] {
  return wrap(text, width - 2).map((line) => `  ${line}`)
}

function state(plan: CampaignPlan, workspace: Workspace, pen: Pen): string[] {
  const { speech } = pen
  const en = speech.language === 'en'
  const { current, changed } = plan.version
  const version =
    current === null
      ? en
        ? 'never applied'
        : '从未应用'
      : changed
        ? en
          ? `version ${current} runs; these files differ`
          : `正在运行版本 ${current}，与这些文件不同`
        : en
          ? `version ${current} runs`
          : `正在运行版本 ${current}`
  // A schedule is read in the campaign's zone, whatever the workspace's.
  const local = speechOf({ locale: speech.locale, timezone: plan.timezone })
  const run =
    plan.nextRun === null
      ? en
        ? 'no further run'
        : '不再运行'
      : en
        ? `next run ${local.moment(plan.nextRun)} (${plan.timezone})`
        : `下次运行 ${local.moment(plan.nextRun)}（${plan.timezone}）`
  const now = speech.moment(plan.asOf)
  return indented(
    en
      ? `as of ${now} (${workspace.timezone}); ${version}; ${run}`
      : `截至 ${now}（${workspace.timezone}）；${version}；${run}`,
    pen,
  )
}

function warning(plan: CampaignPlan, { speech, paint, width }: Pen): string[] {
  const text = foreseenText(plan.foreseen, plan.campaign, speech)
  return text === undefined ? [] : wrap(text, width).map(paint.bad)
}

function grid(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, paint, width, word } = pen
  const opened = plan.audience.cells.filter((cell) => cell.answer === 'opened')
  if (opened.length === 0) return indented(word('nobody'), pen)
  const segments = [...new Set(opened.map((cell) => cell.segment))].toSorted()
  const count = (tier: string | undefined, segment: string | undefined) =>
    opened
      .filter((cell) => (tier ?? cell.tier) === cell.tier && (segment ?? cell.segment) === cell.segment)
      .reduce((sum, cell) => sum + cell.contacts, 0)
  const line = (title: string, tier: string | undefined) => [
    title,
    ...segments.map((segment) => speech.count(count(tier, segment))),
    speech.count(count(tier, undefined)),
  ]
  const tiers = plan.heldOut.map(({ tier }) => tier)
  const named = (segment: string) => (segment === 'everyone' ? word('everyone') : segment)
  return fitted(
    [left(word('tier')), ...segments.map((segment) => right(named(segment))), right(word('all'))],
    [...tiers.map((tier) => line(tier, tier)), line(word('all'), undefined)],
    paint,
    width,
  )
}

function leftOut(plan: CampaignPlan, { speech, paint, width }: Pen): string[] {
  const reasons = new Map<string, number>()
  for (const { answer, contacts } of plan.audience.cells) {
    if (answer !== 'opened') reasons.set(answer, (reasons.get(answer) ?? 0) + contacts)
  }
  const cells = [...reasons.entries()]
    .toSorted(([, a], [, b]) => b - a)
    .map(([answer, contacts]) => [speech.count(contacts), sentence(ANSWERS, answer, speech.language)])
  return reasons.size === 0 ? [] : fitted([right(''), left('')], cells, paint, width)
}

/** How many of each band are within their own rhythm or have left something unfinished, and which. */
function falseChurn(
  { audience, heldOut: tiers }: CampaignPlan,
  { speech, paint, width, word }: Pen,
): string[] {
  const cells = tiers.flatMap(({ tier }) => {
    const band = audience.churn.filter((cell) => cell.tier === tier)
    const quiet = band.filter(({ reason }) => isFalseChurn(reason))
    if (quiet.length === 0) return []
    const sum = (some: typeof band) => some.reduce((total, { contacts }) => total + contacts, 0)
    const why = quiet.map(
      ({ reason, contacts }) => `${sentence(CHURN_WORDS, reason, speech.language)} ${speech.count(contacts)}`,
    )
    return [
      [
        tier,
        speech.count(sum(quiet)),
        speech.count(sum(band)),
        why.join(speech.language === 'en' ? ', ' : '，'),
      ],
    ]
  })
  if (cells.length === 0) return []
  return fitted(
    [left(word('tier')), right(word('onlyQuiet')), right(word('ofBand')), left('')],
    cells,
    paint,
    width,
  )
}

function outside(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, word } = pen
  const { total, recent, beyond, undated, bySignUp, open } = plan.audience.outside
  const of = (count: number, words: keyof typeof PLAN_WORDS) =>
    count === 0
      ? []
      : indented(
          speech.language === 'en'
            ? `${speech.count(count)} of ${speech.count(total)} ${word(words)}`
            : `${speech.count(total)} 人中 ${speech.count(count)} 人${word(words)}`,
          pen,
        )
  const [soon, late, none] = OUTSIDE_WORDS[plan.entry]
  return [
    ...of(recent, soon),
    ...of(beyond, late),
    ...of(open, 'open'),
    ...of(undated, none),
    ...of(bySignUp, 'bySignUp'),
  ]
}

const OUTSIDE_WORDS = {
  silence: ['recent', 'beyond', 'undated'],
  date: ['early', 'missed', 'noDate'],
  event: ['early', 'missed', 'noEvent'],
} as const

function outlook(plan: CampaignPlan, { speech, paint, width, word }: Pen): string[] {
  const en = speech.language === 'en'
  const cells = plan.audience.steps.map((step) => {
    const channels = step.channels.join(en ? ' or ' : ' 或 ')
    const lost: [number, string][] = [
      [step.noAddress, en ? `have no ${channels} address` : `没有 ${channels} 地址`],
      [step.suppressed, word('suppressed')],
      [step.noConsent, word('noConsent')],
      [step.optedOut, word('optedOut')],
      [step.condition, word('condition')],
      [step.unknown, word('unknown')],
    ]
    const why = lost
      .filter(([count]) => count > 0)
      .map(([count, words]) =>
        en
          ? `${speech.count(count)} of ${speech.count(step.contacts)} ${words}`
          : `${speech.count(step.contacts)} 人中 ${speech.count(count)} 人${words}`,
      )
    const messages = speech.count(step.messages)
    return [step.tier, step.step, shares(step, speech), messages, why.join(en ? '; ' : '；')]
  })
  const columns = [
    left(word('tier')),
    left(word('step')),
    left(word('channel')),
    right(word('count')),
    left(''),
  ]
  return fitted(columns, cells, paint, width)
}

/** `push 120, sms 40`: by which channel the messages would go, where the step has several. */
function shares({ channels, byChannel }: StepOutlook, speech: Pen['speech']): string {
  if (channels.length < 2) return channels.join('')
  return byChannel.map(({ channel, messages }) => `${channel} ${speech.count(messages)}`).join(', ')
}

function heldOut(plan: CampaignPlan, { speech, paint, width, word }: Pen): string[] {
  return fitted(
    [left(word('entering')), right(word('notContacted')), right(word('withDraws'))],
    plan.heldOut.map((share) => [
      share.tier,
      speech.percent(share.episode),
      speech.percent(share.withTierDraws),
    ]),
    paint,
    width,
  )
}

function cost(plan: CampaignPlan, pen: Pen): string[] {
  const { speech } = pen
  const [spend, liability] = [speech.money(plan.spend), speech.money(plan.liability)]
  return indented(
    speech.language === 'en'
      ? `sending ${spend}, expected redemptions ${liability}`
      : `发送费用 ${spend}，优惠（预计核销）${liability}`,
    pen,
  )
}

/** The smallest effect after some time, and when one worth having can be shown. */
function detectable(plan: CampaignPlan, pen: Pen): string[] {
  const { speech, paint, width, word } = pen
  const { contacts, recalled } = plan.natural
  const en = speech.language === 'en'
  const past =
    contacts === 0
      ? word('noPast')
      : en
        ? `One window ago ${speech.percent(recalled / contacts)} of ${speech.count(contacts)} people ${plan.entry === 'silence' ? 'as silent as these came back' : 'in the same place reached the goal'}; those held out will say more.`
        : `一个观察期之前，${plan.entry === 'silence' ? '同样沉默' : '处于同样时点'}的 ${speech.count(contacts)} 人中有 ${speech.percent(recalled / contacts)} ${plan.entry === 'silence' ? '回来' : '达成目标'}；更准的答案要看对照组。`
  const cells = plan.detectable.map((each) => [
    speech.count(each.afterDays),
    speech.count(each.assigned),
    each.difference === null
      ? shortage(each.why, pen)
      : en
        ? `${speech.plain(each.difference * 100)} percentage points`
        : `${speech.plain(each.difference * 100)} 个百分点`,
  ])
  return [
    ...indented(past, pen),
    ...fitted(
      [right(word('afterDays')), right(word('assigned')), left(word('smallest'))],
      cells,
      paint,
      width,
    ),
    ...indented(poolText(plan, pen), pen),
    ...indented(whenText(plan, pen), pen),
  ]
}

function shortage(why: Detectable['why'], { word }: Pen): string {
  return why === 'nobody_held_out' ? word('nobodyHeldOut') : word('tooFew')
}

function poolText({ pool }: CampaignPlan, { speech }: Pen): string {
  const [people, days] = [speech.count(pool.people), speech.count(pool.again)]
  const times = pool.times === null ? '' : speech.count(pool.times)
  return speech.language === 'en'
    ? `There are ${people} people to take in, each again after ${days} days at the earliest${times ? ` and ${times} ${pool.times === 1 ? 'time' : 'times'} at most` : ''}: each time counts.`
    : `可纳入 ${people} 人，每人最早 ${days} 天后可再次纳入${times ? `，最多 ${times} 次` : ''}；每次各计一次。`
}

function whenText({ showable }: CampaignPlan, { speech }: Pen): string {
  const en = speech.language === 'en'
  const points = speech.plain(showable.difference * 100)
  const people = showable.assigned === null ? '' : speech.count(showable.assigned)
  if (showable.afterDays !== null) {
    const days = speech.count(showable.afterDays)
    return en
      ? `${points} percentage points can be shown after ${days} days, with ${people} assigned.`
      : `${days} 天后（已分组 ${people} 人）可以显示 ${points} 个百分点的差异。`
  }
  const why = {
    nobody_held_out: en ? 'nobody is held out to compare with' : '没有对照组可供比较',
    nobody_treated: en ? 'everybody is held out' : '所有人都在对照组',
    nobody: en ? 'nobody would be taken in' : '没有人会被纳入',
    one_group: en ? 'there is one group only' : '只有一个组',
    one_member: en ? 'a group has a single member' : '有一组只有一人',
    few_recalls: en ? 'too few would come back' : '会回来的人太少',
    too_few: en
      ? `it takes ${people} assigned, more than there will be`
      : `需要 ${people} 人分组，多于可纳入的人数`,
  }[showable.why ?? 'too_few']
  return en
    ? `${points} percentage points can never be shown: ${why}.`
    : `无法显示 ${points} 个百分点的差异：${why}。`
}

function formatSample(sample: Sample, pen: Pen): string[] {
  const { speech, paint, width } = pen
  const colon = speech.language === 'en' ? ': ' : '：'
  const place = `${sample.contact} · ${sample.tier} · ${sample.step}`
  const head = indented(`${place}${colon}${outcomeText(sample.outcome, speech)}`, pen)
  if (sample.subject === null && sample.text === null) return head
  const body = (sample.text ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 6)
    .flatMap((line) => wrap(line, width - 6))
  const subject = wrap(sample.subject ?? '', width - 4)
  return [
    ...head,
    ...subject.map((line) => `    ${paint.strong(line)}`),
    ...body.map((line) => `    ${paint.faint(line)}`),
  ]
}

/** The command stays on a line of its own, to be copied. */
function next(plan: CampaignPlan, { speech, paint }: Pen): string[] {
  const en = speech.language === 'en'
  if (!plan.version.changed) {
    const { current } = plan.version
    return [
      en
        ? `Version ${current} runs with exactly these files (${plan.hash}).`
        : `版本 ${current} 正以这些文件运行（${plan.hash}）。`,
    ]
  }
  return [
    en ? 'Nothing was changed. To make it run:' : '尚未做任何更改。要使其运行：',
    `  ${paint.strong(`winback apply ${plan.campaign} --plan ${plan.hash}`)}`,
  ]
}
