import { choose, exponential, normal, uniform } from './draws.ts'

// A population whose behaviour is known, and therefore what a campaign does to it. Everybody lives in spells: a
// session begins one, and the next session ends it. While engaged a person comes back at a rate of their own, and a
// regular one in a rhythm; after each session they may lose interest, and from then on come back by themselves only at
// the small hazard below, which falls with silence. A delivered message raises the hazard by a known amount for a few
// days. It does so for anybody, but for those who would have come back tomorrow it hardly matters.

const DAY = 86_400_000

export type Temper = 'regular' | 'sporadic' | 'lapsing'
export type Worth = 'high' | 'everyday'

/** One of the simulated, as drawn: nothing of it ever changes. */
export interface Person {
  readonly index: number
  readonly externalId: string
  readonly email: string | null
  /** False where the mailbox does not exist: the server refuses it. */
  readonly mailbox: boolean
  readonly phone: string | null
  /** False where the number is nobody's: the provider of texts refuses it. */
  readonly line: boolean
  /** The shop's app, or its page in a browser that takes pushes; `installed` is false once it was removed. */
  readonly app: { readonly provider: 'web' | 'fcm' | 'jpush'; readonly installed: boolean } | null
  /** True for those who said "no more" long ago: on the suppression list. */
  readonly unsubscribed: boolean
  readonly locale: 'zh-CN' | 'en'
  readonly timezone: string | null
  readonly firstName: string | null
  readonly status: 'active' | 'closed'
  readonly temper: Temper
  readonly worth: Worth
  /** Epoch milliseconds; the first session. */
  readonly signedUpAt: number
  /** Sessions a day while engaged. */
  readonly rate: number
  /** How even their pauses are while engaged: the shape of an Erlang distribution. 1 knows no rhythm at all. */
  readonly rhythm: number
  /** The chance of losing interest after a session. */
  readonly dropout: number
  /** The chance that a session brings an order, and what the order is worth (median, currency units). */
  readonly orders: number
  readonly orderValue: number
}

/** Everybody there is, and what is planted in them. */
export interface Population {
  readonly seed: number
  readonly people: readonly Person[]
  readonly effects: Effects
  /** Day 0, epoch milliseconds: what happened before is history. */
  readonly start: number
}

/** What is planted. Silence in days, hazards a day. */
export interface Effects {
  /** Hazard of coming back unasked once interest is lost, by days of silence: up to (exclusive) → hazard. */
  readonly natural: readonly { readonly until: number; readonly hazard: Readonly<Record<Worth, number>> }[]
  /** Hazard a delivered message adds, by the silence in which it arrives. */
  readonly message: readonly { readonly until: number; readonly hazard: number }[]
  /** For how many days a message works. */
  readonly lasts: number
}

/** The campaign's bands are where people really differ: 3, 7 and 15 days. */
export const PLANTED: Effects = {
  natural: [
    { until: 3, hazard: { high: 0.03, everyday: 0.02 } },
    { until: 7, hazard: { high: 0.022, everyday: 0.014 } },
    { until: 15, hazard: { high: 0.015, everyday: 0.009 } },
    { until: Number.POSITIVE_INFINITY, hazard: { high: 0.007, everyday: 0.004 } },
  ],
  message: [
    { until: 7, hazard: 0.05 },
    { until: 15, hazard: 0.045 },
    { until: Number.POSITIVE_INFINITY, hazard: 0.04 },
  ],
  lasts: 4,
}

const ZONES: Readonly<Record<Person['locale'], readonly (readonly [string | null, number])[]>> = {
  'zh-CN': [
    ['Asia/Shanghai', 88],
    ['Asia/Singapore', 5],
    ['Asia/Tokyo', 2],
    [null, 5],
  ],
  en: [
    ['Europe/London', 35],
    ['America/New_York', 30],
    ['America/Los_Angeles', 20],
    ['Australia/Sydney', 8],
    [null, 7],
  ],
}

const NAMES = {
  'zh-CN': [
    '丽',
    '伟',
    '静',
    '敏',
    '磊',
    '洋',
    '艳',
    '勇',
    '杰',
    '娟',
    '涛',
    '明',
    '秀英',
    '霞',
    '晓东',
    '雨桐',
  ],
  en: [
    'Ada',
    'Ben',
    'Chloe',
    'Dan',
    'Ella',
    'Finn',
    'Grace',
    'Hugo',
    'Iris',
    'Jack',
    'Kate',
    'Liam',
    'Mia',
    'Zoë',
  ],
} as const

/**
 * Draws a population. The same seed gives the same people, and a larger one begins with the same people as a
 * smaller one.
 * @param options.start day 0
 */
export function drawPopulation(options: {
  seed: number
  size: number
  start: Date
  effects?: Effects
}): Population {
  const { seed, size, start } = options
  const people = Array.from({ length: size }, (_, index) => drawPerson(seed, index, start.getTime()))
  return { seed, people, effects: options.effects ?? PLANTED, start: start.getTime() }
}

function drawPerson(seed: number, index: number, start: number): Person {
  const u = (purpose: string) => uniform(seed, index, purpose)
  const temper = choose<Temper>(u('temper'), [
    ['regular', 15],
    ['sporadic', 22],
    ['lapsing', 63],
  ])
  const worth: Worth = u('worth') < 0.15 ? 'high' : 'everyday'
  const locale = u('locale') < 0.72 ? 'zh-CN' : 'en'
  const names = NAMES[locale]
  const spread = (low: number, high: number, purpose: string) => low * (high / low) ** u(purpose)
  // Regulars make most of the events, so theirs is the shorter history.
  const days = temper === 'regular' ? 1 + 100 * u('age') : 4 + 210 * u('age')
  const externalId = `u${String(index + 1).padStart(6, '0')}`
  return {
    index,
    externalId,
    email: u('has e-mail') < 0.96 ? `${externalId}@example.com` : null,
    mailbox: u('mailbox') < 0.99,
    phone: u('has phone') < (locale === 'en' ? 0.35 : 0.6) ? phoneOf(locale, index) : null,
    line: u('line') < 0.99,
    app:
      u('has app') < 0.3
        ? { provider: providerOf(locale, u('app')), installed: u('installed') < 0.97 }
        : null,
    unsubscribed: u('unsubscribed') < 0.01,
    locale,
    timezone: choose(u('zone'), ZONES[locale]),
    firstName: u('has name') < 0.97 ? (names[Math.floor(u('name') * names.length)] ?? null) : null,
    status: u('status') < 0.98 ? 'active' : 'closed',
    temper,
    worth,
    signedUpAt: Math.round(start - days * DAY),
    rate:
      temper === 'regular'
        ? spread(0.55, 0.85, 'rate')
        : temper === 'sporadic'
          ? spread(0.06, 0.16, 'rate')
          : spread(0.3, 0.9, 'rate'),
    rhythm: temper === 'regular' ? 3 : 1,
    dropout: temper === 'regular' ? 0.008 : temper === 'sporadic' ? 0.03 : 0.14,
    orders: worth === 'high' ? 0.45 : 0.18,
    orderValue: worth === 'high' ? 520 : 75,
  }
}

/** Numbers nobody has: Chinese mobiles of a run, and the part of North America's that is kept for stories. */
function phoneOf(locale: Person['locale'], index: number): string {
  return locale === 'en'
    ? `+1${202 + Math.floor(index / 100)}55501${String(index % 100).padStart(2, '0')}`
    : `+86138${String(index).padStart(8, '0')}`
}

function providerOf(locale: Person['locale'], u: number): 'web' | 'fcm' | 'jpush' {
  if (u < 0.15) return 'web'
  return locale === 'en' ? 'fcm' : 'jpush'
}

/** One spell of silence: from a session to the next. */
export interface Spell {
  /** 0 for the spell after the first session. */
  readonly no: number
  /** Epoch milliseconds of the session that began it. */
  readonly from: number
  /** True once interest was lost. */
  readonly dormant: boolean
  /** Epoch milliseconds at which it ends where no message arrives. */
  readonly naturalEnd: number
}

/** The spell that begins with session `no` at `from`. */
export function drawSpell(population: Population, person: Person, no: number, from: number): Spell {
  const { seed } = population
  const dormant = uniform(seed, person.index, 'dropout', no) < person.dropout
  const needed = exponential(seed, person.index, 'gap', no)
  const days = dormant
    ? silenceAt(population.effects, person.worth, needed)
    : Math.max(drawPause(seed, person, no, needed) / person.rate, 1 / 1440)
  // Whole seconds, as the files have them; a minute at least, so that sessions stay apart.
  return { no, from, dormant, naturalEnd: from + Math.max(60, Math.round(days * 86_400)) * 1000 }
}

/** A pause of mean 1 (Erlang: the mean of as many exponential parts as the rhythm says); `first` is one of them. */
function drawPause(seed: number, person: Person, no: number, first: number): number {
  let total = first
  for (let part = 1; part < person.rhythm; part += 1)
    total += exponential(seed, person.index, `gap, part ${part}`, no)
  return total / person.rhythm
}

/** Epoch milliseconds at which a message answered in this spell brings the person back; undefined: never. */
export function drawResponse(
  population: Population,
  person: Person,
  spell: Spell,
  message: { at: number; no: number },
): number | undefined {
  const hazard = messageHazard(population.effects, (message.at - spell.from) / DAY)
  if (hazard === 0) return undefined
  const needed = exponential(population.seed, person.index, `answer to message ${message.no}`, spell.no)
  const days = needed / hazard
  return days < population.effects.lasts ? message.at + Math.round(days * 86_400) * 1000 : undefined
}

/** Value of the order session `no` brings, in currency units with two decimals; undefined: none. */
export function drawOrder(population: Population, person: Person, no: number): number | undefined {
  if (uniform(population.seed, person.index, 'orders', no) >= person.orders) return undefined
  const value = person.orderValue * Math.exp(0.5 * normal(population.seed, person.index, 'order value', no))
  return Math.round(value * 100) / 100
}

/** Hazard a day that a message adds when it arrives after `silence` days. */
export function messageHazard(effects: Effects, silence: number): number {
  return effects.message.find((step) => silence < step.until)?.hazard ?? 0
}

/**
 * Cumulative natural hazard of one who is engaged, from the session to `silence` days after it: minus the logarithm of
 * the Erlang distribution's survival function.
 */
export function engagedHazard({ rate, rhythm }: Person, silence: number): number {
  const stretched = rhythm * rate * silence
  let term = 1
  let series = 1
  for (let part = 1; part < rhythm; part += 1) {
    term *= stretched / part
    series += term
  }
  return stretched - Math.log(series)
}

/** Cumulative natural hazard of one who lost interest, from the session to `silence` days after it. */
export function naturalHazard(effects: Effects, worth: Worth, silence: number): number {
  let total = 0
  let from = 0
  for (const step of effects.natural) {
    if (silence <= from) break
    total += step.hazard[worth] * (Math.min(silence, step.until) - from)
    from = step.until
  }
  return total
}

/** Days of silence at which the cumulative natural hazard reaches `needed`: the inverse of the above. */
function silenceAt(effects: Effects, worth: Worth, needed: number): number {
  let left = needed
  let from = 0
  for (const step of effects.natural) {
    const hazard = step.hazard[worth]
    const room = hazard * (step.until - from)
    if (left < room) return from + left / hazard
    left -= room
    from = step.until
  }
  return Number.POSITIVE_INFINITY
}
