import { type ChannelTitles, channelName, channelWay } from './channel-words.ts'

// Plain words for marketing; the method's own names stay in the data. One entry a phrase, both languages beside
// each other, so that neither can be forgotten.

export type Language = 'en' | 'zh-CN'

/** Something said in both languages. */
export type Phrase = Readonly<Record<Language, string>>
/** What is said of things by their names. */
export type Phrases<Name extends string = string> = Readonly<Record<Name, Phrase>>

/** Chinese for any Chinese locale, English for every other. */
export function languageOf(locale: string): Language {
  return /^zh\b/i.test(locale) ? 'zh-CN' : 'en'
}

/** The sentence of a recorded name; a name from a newer version, that has none, stands for itself. */
export function sentence(of: Phrases, name: string, language: Language): string {
  return Object.hasOwn(of, name) ? (of[name]?.[language] ?? name) : name
}

const WORDS = {
  asOf: { en: 'as of', 'zh-CN': '截至' },
  assignedFrom: { en: 'assigned', 'zh-CN': '分组日期' },
  treated: { en: 'contacted', 'zh-CN': '触达组' },
  holdout: { en: 'not contacted', 'zh-CN': '对照组' },
  control: { en: 'never contacted (control)', 'zh-CN': '全局对照组（从不触达）' },
  seed: { en: 'seed', 'zh-CN': '种子联系人' },
  group: { en: 'group', 'zh-CN': '分组' },
  assigned: { en: 'assigned', 'zh-CN': '已分组' },
  contaminated: { en: 'mixed', 'zh-CN': '混组' },
  pending: { en: 'open', 'zh-CN': '观察中' },
  matured: { en: 'complete', 'zh-CN': '观察期已满' },
  recalled: { en: 'came back', 'zh-CN': '已召回' },
  rate: { en: 'rate', 'zh-CN': '召回率' },
  interval: { en: '95 % interval', 'zh-CN': '95% 区间' },
  wonBack: { en: 'won back by us', 'zh-CN': '多召回的人数' },
  difference: { en: 'difference', 'zh-CN': '差值' },
  all: { en: 'all', 'zh-CN': '全部' },
  everyone: { en: 'everyone else', 'zh-CN': '其他人' },
  notEnough: { en: 'not enough data yet', 'zh-CN': '数据不足，暂算不出' },
  noConclusion: { en: 'no conclusion', 'zh-CN': '结论不可用' },
  cameBackTitle: {
    en: 'Who came back, of everyone assigned (sent to or not) whose observation is complete',
    'zh-CN': '召回情况（按观察期已满的全部已分组者计算，不论是否发出）',
  },
  wonBackTitle: {
    en: 'Won back by us: contacted against not contacted',
    'zh-CN': '多召回的人数：触达组与对照组之差',
  },
  byTier: { en: 'by the tier they entered in', 'zh-CN': '按进入时的沉默阶段' },
  bySegment: { en: 'by the segment they entered in', 'zh-CN': '按进入时的分群' },
  ownDraws: { en: 'what each tier adds, by its own draw', 'zh-CN': '各阶段自身的效果（阶段内随机）' },
  programme: {
    en: 'the whole programme against its control group (first lapse of each person)',
    'zh-CN': '整个召回计划与全局对照组相比（每人首次流失）',
  },
  countsTitle: { en: 'Where everyone is', 'zh-CN': '人数对账' },
  considered: { en: 'considered', 'zh-CN': '考察人次' },
  opened: { en: 'taken in', 'zh-CN': '纳入' },
  leftOut: { en: 'left out', 'zh-CN': '未纳入' },
  messagesTitle: { en: 'What became of every message', 'zh-CN': '每条消息的去向' },
  costTitle: { en: 'Cost', 'zh-CN': '成本' },
  spend: { en: 'sending', 'zh-CN': '发送费用' },
  liability: { en: 'offers (expected)', 'zh-CN': '优惠（预计核销）' },
  labour: { en: 'labour', 'zh-CN': '人工' },
  total: { en: 'total', 'zh-CN': '合计' },
  perRecall: {
    en: 'for each contacted who came back (complete only)',
    'zh-CN': '每个召回的成本（仅观察期已满）',
  },
  perIncremental: { en: 'for each won back by us', 'zh-CN': '每多召回一人的成本' },
  withoutLabour: { en: 'for each won back by us, without labour', 'zh-CN': '每多召回一人的成本（不含人工）' },
  acquisition: { en: 'a new customer, to compare', 'zh-CN': '获取一位新客（对比）' },
  nothing: { en: 'nothing was booked', 'zh-CN': '没有发生费用' },
} satisfies Phrases

export type Word = keyof typeof WORDS

/** How to write in one language and locale. */
export interface Speech {
  readonly language: Language
  /** BCP 47: what numbers and dates are written in. */
  readonly locale: string
  /** IANA: what moments are written in. */
  readonly timezone: string
  word(word: Word): string
  count(value: number): string
  /** 0.081 → `8.1 %` in English, `8.1%` in Chinese; 0.9996 → `99.96 %`, for it is not all. */
  percent(value: number): string
  /** A difference of rates in points, with its sign: 0.052 → `+5.2`. */
  points(value: number): string
  /** A number to at most one decimal: 4.25 → `4.3`, 2 → `2`; what is less keeps a digit, 0.025 → `0.03`. */
  plain(value: number): string
  /** A count with its sign. */
  signed(value: number): string
  /** Integer micros → the locale's way to write an amount. */
  money(micros: number): string
  date(at: Date): string
  /** A day of the calendar, an ISO date: the same wherever it is read. */
  day(iso: string): string
  moment(at: Date): string
  /** A segment as a campaign names it; what is left of the audience in words. */
  segment(name: string): string
  /** A channel by its name: `E-mail`. */
  channel(name: string): string
  /** How something is sent, within a sentence: `by e-mail`. */
  way(channel: string): string
}

/** The ends of an interval, each as its value is written: `+1.2 … +3.4`. */
export function span(
  write: (value: number) => string,
  { low, high }: { readonly low: number; readonly high: number },
): string {
  return `${write(low)} … ${write(high)}`
}

/** What stands behind something in brackets: `12 (3 … 21)`, `12（3 … 21）`. */
export function bracketed(text: string, { language }: Pick<Speech, 'language'>): string {
  return language === 'en' ? ` (${text})` : `（${text}）`
}

/** A p to three digits, the same in every language. */
export function pValue(p: number): string {
  return p < 0.001 ? '< 0.001' : p.toFixed(3)
}

/** A p that alarms, with its order: `p = 2.0e-5`. Groups far enough off have one smaller than a number can be, never nought. */
export function alarmingP(p: number): string {
  return p < 1e-300 ? 'p < 1e-300' : `p = ${p.toExponential(1)}`
}

/** @throws RangeError for a locale, currency or zone that Intl does not know */
export function speechOf(style: {
  readonly locale: string
  readonly currency?: string | undefined
  readonly timezone?: string | undefined
  readonly channels?: ChannelTitles | undefined
}): Speech {
  const { locale, currency, timezone = 'UTC', channels } = style
  const language = languageOf(locale)
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const short = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
  const tenth = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 })
  const signedTenth = new Intl.NumberFormat(locale, {
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    signDisplay: 'exceptZero',
  })
  const signedWhole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, signDisplay: 'exceptZero' })
  const kind = currency ? ({ style: 'currency', currency } as const) : {}
  const amount = new Intl.NumberFormat(locale, kind)
  const fine = new Intl.NumberFormat(locale, { ...kind, maximumSignificantDigits: 2 })
  const unit = 10 ** -(amount.resolvedOptions().maximumFractionDigits ?? 2)
  const least = new Intl.NumberFormat(locale, { maximumSignificantDigits: 1 })
  const signedLeast = new Intl.NumberFormat(locale, {
    maximumSignificantDigits: 1,
    signDisplay: 'exceptZero',
  })
  // What would be rounded to nought keeps a digit, and with it its sign: an interval from +0.3 does not hold nought. Less
  // than a millionth is the rounding of sums.
  const shown = (value: number, half: number, usual: Intl.NumberFormat, small: Intl.NumberFormat) =>
    Math.abs(value) < 1e-6 ? usual.format(0) : (Math.abs(value) < half ? small : usual).format(value)
  // Nor is what would be rounded to the whole all of it: two messages of five thousand did not arrive.
  const shareOf = (percent: number) => {
    const missing = 100 - percent
    if (missing < 1e-6 || missing >= 0.05) return shown(percent, 0.05, tenth, least)
    const maximumFractionDigits = Math.ceil(-Math.log10(missing))
    return new Intl.NumberFormat(locale, { maximumFractionDigits }).format(percent)
  }
  const day = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: timezone })
  const calendar = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' })
  const minute = new Intl.DateTimeFormat(locale, {
    year: 'numeric',
    // Named: 03/02 is two days of the year.
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
    timeZone: timezone,
  })
  return {
    language,
    locale,
    timezone,
    word: (word) => WORDS[word][language],
    count: (value) => shown(value, 0.5, whole, least),
    percent: (value) => `${shareOf(value * 100)}${language === 'en' ? ' %' : '%'}`,
    points: (value) => shown(value * 100, 0.05, signedTenth, signedLeast),
    plain: (value) => shown(value, 0.05, short, least),
    signed: (value) => shown(value, 0.5, signedWhole, signedLeast),
    money: (micros) => {
      // Amounts are whole micros: a thousandth of one is the rounding of sums.
      const value = Math.abs(micros) < 1e-3 ? 0 : micros / 1e6
      // A price of 0.002 is not 0.00: two digits where rounding to the cent would be off by a twentieth.
      const off = Math.abs(Math.round(value / unit) * unit - value)
      return (off > Math.abs(value) / 20 ? fine : amount).format(value)
    },
    date: (at) => day.format(at),
    day: (iso) => calendar.format(new Date(`${iso}T00:00:00Z`)),
    moment: (at) => minute.format(at),
    segment: (name) => (name === 'everyone' ? WORDS.everyone[language] : name),
    channel: (name) => channelName(name, language, channels),
    way: (name) => channelWay(name, language, channels),
  }
}

/** What a report without figures says to do next. */
export function nothingYet(speech: Speech): string {
  return speech.language === 'en'
    ? 'Nothing yet. `winback run` takes people in now; `winback start` does so by the schedule.'
    : '暂无数据。`winback run` 立即纳入；`winback start` 按计划运行。'
}
