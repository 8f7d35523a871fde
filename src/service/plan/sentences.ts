import type { StepOutlook } from '../../audience/outlook.ts'
import type { AudienceCell } from '../../audience/plan.ts'
import { CHURN_WORDS, isFalseChurn } from '../../reports/churn-words.ts'
import { ANSWERS } from '../../reports/reasons.ts'
import { type Speech, sentence } from '../../reports/words.ts'
import { MODEL_WORDS } from '../signals.ts'
import type { PlanFigures } from './figures.ts'
import type { Detectable, DetectableBetween } from './forecast.ts'
import { PLAN_WORDS } from './words.ts'

// What a plan says, apart from where it stands: the terminal and the page are written from these.

type PlanWord = keyof typeof PLAN_WORDS

/** So many people (or messages), and what is said of them. */
export interface CountLine {
  readonly count: number
  readonly words: string
}

/** One of the fixed words of a plan. */
export function planWord(word: PlanWord, { language }: Speech): string {
  return PLAN_WORDS[word][language]
}

/** `Push notification 120`, `Text message 40`: by which channel a step's messages would go; of one channel its name alone. */
export function channelShares(
  { channels, byChannel }: Pick<StepOutlook, 'channels' | 'byChannel'>,
  speech: Speech,
): string[] {
  if (channels.length < 2) return channels.map(speech.channel)
  return byChannel.map(({ channel, messages }) => `${speech.channel(channel)} ${speech.count(messages)}`)
}

/** Who would be taken in: the segments that hold anybody, and how many of a tier and segment (undefined: of all). */
export function gridOf({ audience }: Pick<PlanFigures, 'audience'>): {
  readonly segments: readonly string[]
  count(tier: string | undefined, segment: string | undefined): number
} {
  const opened = audience.cells.filter((cell) => cell.answer === 'opened')
  return {
    segments: [...new Set(opened.map((cell) => cell.segment))].toSorted(),
    count: (tier, segment) =>
      sum(
        opened.filter(
          (cell) => (tier ?? cell.tier) === cell.tier && (segment ?? cell.segment) === cell.segment,
        ),
      ),
  }
}

/** Who is left out though their time has come, the most first. */
export function leftOutLines(
  { audience, condition }: Pick<PlanFigures, 'audience' | 'condition'>,
  { language }: Speech,
): CountLine[] {
  const colon = language === 'en' ? ': ' : '：'
  // Which fact that is stands in the condition: mostly one that no file said.
  const asked = (answer: string) => (answer === 'audience_unknown' && condition ? `${colon}${condition}` : '')
  const reasons = new Map<string, number>()
  for (const { answer, contacts } of audience.cells) {
    if (answer !== 'opened') reasons.set(answer, (reasons.get(answer) ?? 0) + contacts)
  }
  return [...reasons]
    .map(([answer, count]) => ({ count, words: `${sentence(ANSWERS, answer, language)}${asked(answer)}` }))
    .toSorted((a, b) => b.count - a.count)
}

/** Whom no tier holds, and why. */
export function outsideLines({ audience, entry }: PlanFigures, speech: Speech): CountLine[] {
  const { recent, beyond, undated, bySignUp, open, had = 0 } = audience.outside
  const [soon, late, none] = OUTSIDE_WORDS[entry]
  const lines: [number, PlanWord][] = [
    [recent, soon],
    [beyond, late],
    [open, 'open'],
    [had, entry === 'date' ? 'hadDate' : 'hadEvent'],
    [undated, none],
    [bySignUp, 'bySignUp'],
  ]
  return lines.flatMap(([count, word]) => (count === 0 ? [] : [{ count, words: planWord(word, speech) }]))
}

const OUTSIDE_WORDS = {
  silence: ['recent', 'beyond', 'undated'],
  date: ['early', 'missed', 'noDate'],
  event: ['early', 'missed', 'noEvent'],
} as const

/** How many of each tier's band are only quiet, of how many, and by which sign. */
export function quietLines(
  { audience, heldOut }: PlanFigures,
  speech: Speech,
): { readonly tier: string; readonly quiet: number; readonly of: number; readonly why: string }[] {
  return heldOut.flatMap(({ tier }) => {
    const band = audience.churn.filter((cell) => cell.tier === tier)
    const quiet = band.filter(({ reason }) => isFalseChurn(reason))
    if (quiet.length === 0) return []
    const why = quiet.map(
      ({ reason, contacts }) => `${sentence(CHURN_WORDS, reason, speech.language)} ${speech.count(contacts)}`,
    )
    return [{ tier, quiet: sum(quiet), of: sum(band), why: why.join(speech.language === 'en' ? ', ' : '，') }]
  })
}

/** Whom a step would not reach, and why. */
export function lossLines(step: StepOutlook, speech: Speech): CountLine[] {
  const lost: [number, string][] = [
    [step.noAddress, unaddressed(step, speech)],
    [step.suppressed, planWord('suppressed', speech)],
    [step.noConsent, planWord('noConsent', speech)],
    [step.optedOut, planWord('optedOut', speech)],
    [step.condition, planWord('condition', speech)],
    [step.unknown, planWord('unknown', speech)],
  ]
  return lost.flatMap(([count, words]) => (count > 0 ? [{ count, words }] : []))
}

/** What a channel reaches somebody at. */
function placeOf(channel: string, phones: readonly string[], speech: Speech): string {
  const en = speech.language === 'en'
  if (phones.includes(channel)) return en ? 'phone number' : '手机号'
  return `${withinSentence(channel, speech)}${en ? ' address' : '地址'}`
}

/** Within a sentence an E-mail is an e-mail; a LINE message stays one. */
function withinSentence(channel: string, speech: Speech): string {
  const name = speech.channel(channel)
  return speech.language === 'en' ? name.replace(/^[A-Z](?=[-a-z])/, (first) => first.toLowerCase()) : name
}

/** That there is no address, of the channels one could be for; or that there is none of those channels yet. */
function unaddressed(step: StepOutlook, speech: Speech): string {
  const { channels, closed = [], phones = ['callback', 'sms'] } = step
  const en = speech.language === 'en'
  const open = channels.filter((channel) => !closed.includes(channel))
  const or = en ? ' or ' : '或'
  if (open.length > 0) {
    const places = [...new Set(open.map((channel) => placeOf(channel, phones, speech)))]
    return `${en ? 'have no ' : '没有'}${places.join(or)}`
  }
  const names = channels.map((channel) => withinSentence(channel, speech)).join(or)
  return en ? `cannot be reached: ${names} is not set up yet` : `无法触达：${names}尚未接入`
}

/** `3 of 40 have no e-mail address` */
export function shareText(count: number, of: number, words: string, speech: Speech): string {
  return speech.language === 'en'
    ? `${speech.count(count)} of ${speech.count(of)} ${words}`
    : `${speech.count(of)} 人中 ${speech.count(count)} 人${words}`
}

/** Of so many people some come back within any window: where none did, their coming is not told of. */
const SOME_RETURN = 100

/** How many came back by themselves one window ago. */
export function pastText({ natural, entry, goal }: PlanFigures, speech: Speech): string {
  const { contacts, recalled } = natural
  if (contacts === 0) return planWord('noPast', speech)
  const rate = speech.percent(recalled / contacts)
  const people = speech.count(contacts)
  const silent = entry === 'silence'
  if (recalled === 0 && contacts >= SOME_RETURN && goal !== undefined) {
    return speech.language === 'en'
      ? `One window ago none of ${people} people ${silent ? 'as silent as these came back' : 'in the same place reached the goal'}: no event \`${goal}\` of theirs is known since. If your data tells of none, name one that it tells of under \`goals\`: else nobody is ever seen to come back.`
      : `一个观察期之前，${silent ? '同样沉默' : '处于同样时点'}的 ${people} 人中没有人${silent ? '回来' : '达成目标'}：此后没有他们的 \`${goal}\` 事件。如果数据中没有这种事件，请在 \`goals\` 中改用数据中有的事件，否则永远看不到有人回来。`
  }
  return speech.language === 'en'
    ? `One window ago ${rate} of ${people} people ${silent ? 'as silent as these came back' : 'in the same place reached the goal'}; those held out will say more.`
    : `一个观察期之前，${silent ? '同样沉默' : '处于同样时点'}的 ${people} 人中有 ${rate} ${silent ? '回来' : '达成目标'}；更准的答案要看对照组。`
}

/** The smallest difference that can be shown, or why none can. */
export function effectText({ difference, why }: Detectable, speech: Speech): string {
  if (difference === null) return planWord(why === 'nobody_held_out' ? 'nobodyHeldOut' : 'tooFew', speech)
  const points = speech.plain(difference * 100)
  return speech.language === 'en' ? `${points} percentage points` : `${points} 个百分点`
}

/** What a step's comparison of variants could show, and when. */
export function betweenText({ step, detectable }: DetectableBetween, speech: Speech): string {
  const en = speech.language === 'en'
  const known = detectable.filter(({ difference }) => difference !== null)
  if (known.length === 0)
    return en ? `${step}: too few people to compare its variants` : `${step}：人数太少，无法比较方案`
  const parts = known.map((each) =>
    en
      ? `${effectText(each, speech)} after ${speech.count(each.afterDays)} days`
      : `${speech.count(each.afterDays)} 天后 ${effectText(each, speech)}`,
  )
  return en
    ? `${step}: smallest difference between variants that can be shown, at best: ${parts.join(', ')}`
    : `${step}：方案之间可检出的最小差异（最好情况）：${parts.join('，')}`
}

/** How many people there are to draw on, and how often each. */
export function poolText({ pool }: PlanFigures, speech: Speech): string {
  if (pool.people === 0) return speech.language === 'en' ? 'There is nobody to take in.' : '没有可纳入的人。'
  const [people, days] = [speech.count(pool.people), speech.count(pool.again)]
  const times = pool.times === null ? '' : speech.count(pool.times)
  return speech.language === 'en'
    ? `There ${pool.people === 1 ? 'is 1 person' : `are ${people} people`} to take in, each again after ${days} days at the earliest${times ? ` and ${times} ${pool.times === 1 ? 'time' : 'times'} at most` : ''}: each time counts.`
    : `可纳入 ${people} 人，每人最早 ${days} 天后可再次纳入${times ? `，最多 ${times} 次` : ''}；每次各计一次。`
}

/** When a difference worth having can be shown, or why it never can. */
export function whenText({ showable }: PlanFigures, speech: Speech): string {
  const en = speech.language === 'en'
  const points = speech.plain(showable.difference * 100)
  const people = showable.assigned === null ? '' : speech.count(showable.assigned)
  if (showable.afterDays !== null) {
    const days = speech.count(showable.afterDays)
    const shown = en
      ? `${points} percentage points can be shown after ${days} days, with ${people} assigned.`
      : `${days} 天后（已分组 ${people} 人）可以检出 ${points} 个百分点的差异。`
    return `${shown}${verdictText(showable, speech)}`
  }
  const why = {
    nobody_held_out: en ? 'nobody is held out to compare with' : '没有对照组可供比较',
    nobody_treated: en ? 'everybody is held out' : '所有人都在对照组',
    nobody: en ? 'nobody would be taken in' : '没有人会被纳入',
    one_group: en ? 'there is one group only' : '只有一个组',
    one_member: en ? 'a group has a single member' : '有一组只有一人',
    few_recalls: en ? 'too few would come back' : '会回来的人太少',
    few_buyers: en ? 'too few would buy' : '会下单的人太少',
    too_few: en
      ? `it takes ${people} assigned, more than there will be`
      : `需要 ${people} 人分组，多于可纳入的人数`,
  }[showable.why ?? 'too_few']
  return en
    ? `${points} percentage points can never be shown: ${why}.`
    : `无法检出 ${points} 个百分点的差异：${why}。`
}

/** That the verdict asks for more than one look does, and when it has it. */
function verdictText({ verdict }: PlanFigures['showable'], speech: Speech): string {
  if (!verdict) return ''
  const people = speech.count(verdict.assigned)
  const days = verdict.afterDays === null ? undefined : speech.count(verdict.afterDays)
  if (speech.language === 'en') {
    const when = days === undefined ? 'more than there will be' : `after ${days} days`
    return ` That is for one look on a day fixed beforehand; the verdict, at which you may look every day, takes ${people} assigned, ${when}.`
  }
  const when = days === undefined ? '多于可纳入的人数' : `即 ${days} 天后`
  return `这是指只在事先定好的一天查看一次；可以每天查看的结论需要分组 ${people} 人，${when}。`
}

/** That no model tells who comes back unasked, what does instead, and why. */
export function modelText(
  { withoutModel }: Pick<PlanFigures, 'withoutModel'>,
  { language }: Speech,
): string | undefined {
  if (!withoutModel) return undefined
  const { why, silence } = withoutModel
  const because = MODEL_WORDS[why][language]
  return language === 'en'
    ? `There is no return model: ${because}. \`return_probability\` ${silence ? 'goes by silence alone' : 'is not known, so no condition on it holds'}.`
    : `没有回流模型：${because}。\`return_probability\` ${silence ? '仅按沉默时长估计' : '未知，涉及它的条件均不成立'}。`
}

/** What an offer lacks. */
export function lackText(
  { lack, offer, left, of }: PlanFigures['shortages'][number],
  speech: Speech,
): string {
  const en = speech.language === 'en'
  const [some, all] = [speech.count(left), speech.count(of)]
  switch (lack) {
    case 'stock_out':
      return en ? `${offer}: the stock of ${all} is given out` : `${offer}：库存 ${all} 份已发完`
    case 'stock_low':
      return en ? `${offer}: ${some} left of a stock of ${all}` : `${offer}：库存 ${all} 份，仅剩 ${some} 份`
    case 'never_imported':
      return en ? `${offer}: no codes were imported` : `${offer}：尚未导入券码`
    case 'codes_out':
      return en ? `${offer}: no code left of ${all}` : `${offer}：${all} 个券码已用完`
    case 'codes_low':
      return en ? `${offer}: ${some} codes left of ${all}` : `${offer}：${all} 个券码仅剩 ${some} 个`
    case 'codes_ending':
      return en
        ? `${offer}: ${some} of the ${all} codes left end within a week`
        : `${offer}：剩余 ${all} 个券码中有 ${some} 个将在一周内到期`
    case 'stock_few':
    case 'codes_few':
      return en
        ? `${offer}: ${some} left, for up to ${all} people who would be promised one`
        : `${offer}：仅剩 ${some} 份，而本次纳入的联系人最多需发放 ${all} 份`
  }
}

/** The same at a terminal, and what mends it. */
export function shortageFinding(
  shortage: PlanFigures['shortages'][number],
  campaign: string,
  speech: Speech,
): { readonly found: string; readonly mend: string } {
  const { lack, found, mend } = shortage
  if (speech.language === 'en') return { found, mend }
  const remedy = lack.startsWith('stock_')
    ? '请在活动文件中调高 `stock` 后应用，或为该步骤设置 `otherwise`。'
    : `请运行 \`winback import codes ${campaign}.${shortage.offer} FILE\`。`
  return { found: `${campaign}.${lackText(shortage, speech)}`, mend: remedy }
}

/** {@link shortageFinding} as one text. */
export function shortageWarning(
  shortage: PlanFigures['shortages'][number],
  campaign: string,
  speech: Speech,
): string {
  const { found, mend } = shortageFinding(shortage, campaign, speech)
  return speech.language === 'en' ? `${found}. ${mend}` : `${found}。${mend}`
}

function sum(cells: readonly Pick<AudienceCell, 'contacts'>[]): number {
  return cells.reduce((total, { contacts }) => total + contacts, 0)
}
