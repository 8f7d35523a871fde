import { draw } from '../../src/audience/holdout.ts'

// What ought to be, in plain memory and without SQL: the rules of the pipeline written a second time, as simply as
// they can be said. Times are epoch milliseconds.

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
const WINDOW = 25 * DAY
const GRACE = 2 * DAY
const MAX_DELAY = 2 * DAY
const RECHECK = 300_000
const BUSY = 60_000
const YIELD = 300_000
const BACK_OFF = [60, 300, 1800, 7200, 21_600].map((seconds) => seconds * 1000)
export const PRICE = 3
export const LIABILITY = 400_000
/** How many are granted in all, and what the mails of one day (UTC) may cost. */
const STOCK = 2
const DAY_BUDGET = 3 * PRICE
/** What one person may get, whatever the episode: mails spread out, and so many messages in all. */
const CAPS = [
  { count: 1, per: 12 * HOUR, channel: 'email', skips: false },
  { count: 5, per: 40 * DAY, channel: null, skips: true },
] as const
const CONTROL = 0.1
const HOLDOUT = 0.2

export interface Step {
  readonly id: string
  readonly after: number
  readonly channels: readonly ('email' | 'log')[]
  readonly needsName: boolean
  readonly offer: boolean
  /** Of a step that compares `plain` and `story`: what `plain` is drawn with. */
  readonly plain?: number
}

interface Tier {
  readonly name: string
  readonly from: number
  readonly holdout: number
  readonly steps: readonly Step[]
}

const step = (id: string, channels: Step['channels'], also: Partial<Step> = {}): Step => ({
  id,
  after: 0,
  channels,
  needsName: false,
  offer: false,
  ...also,
})

/** The ladder of a version: odd ones and even ones differ in when the reminder goes out and in what it needs. */
export function ladder(version: number): Tier[] {
  const odd = version % 2 === 1
  return [
    {
      name: 'coupon',
      from: 3 * DAY,
      holdout: 0.3,
      steps: [
        step('remind', ['email'], { after: odd ? 0 : 12 * HOUR, plain: odd ? 0.5 : 0.2 }),
        step('coupon', ['email', 'log'], { after: DAY, needsName: odd, offer: true }),
      ],
    },
    {
      name: 'trial',
      from: 7 * DAY,
      holdout: 0,
      steps: [step('trial', ['email', 'log'], { offer: true }), step('ping', ['log'], { after: DAY })],
    },
    { name: 'letter', from: 15 * DAY, holdout: 0.2, steps: [step('letter', ['email'])] },
  ]
}

/** The same as an operator writes it. */
export function campaignSource(version: number): string {
  const odd = version % 2 === 1
  return `
version: 1
campaign: game
title: Game ${odd ? 'one' : 'two'}
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 25d
grace: 2d
holdout: 20%
limits:
  max_delay: 2d
  per_person: [{ at_most: 1 per 12h, channel: email, then: defer }, { at_most: 5 per 40d, then: skip }]
  budget: { spend: ${(DAY_BUDGET / 1e6).toFixed(6)} CNY per day }
offers:
  five: { kind: coupon, amount: 5 CNY, valid: 3650d, expected_redemption: 8%, stock: ${STOCK} }
tiers:
  - name: coupon
    inactive: 3d..7d
    holdout: 30%
    steps:
      - id: remind
        channel: email
        template: hello
        after: ${odd ? '0s' : '12h'}
        variants: ${odd ? '{ plain: 50%, story: 50% }' : '{ plain: 20%, story: 80% }'}
      - { id: coupon, after: 1d, channel: [email, log], template: ${odd ? 'named' : 'hello'}, offer: five }
  - name: trial
    inactive: 7d..15d
    steps:
      - { id: trial, channel: [email, log], template: hello, offer: five }
      - { id: ping, after: 1d, channel: log }
  - name: letter
    inactive: 15d..
    holdout: 20%
    steps:
      - { id: letter, channel: email, template: hello }
`
}

export interface Contact {
  readonly name: string
  /** The database's own id: nothing is predicted of it but its order. */
  id: number
  email: string | null
  readonly firstName: string | null
  readonly signedUpAt: number
  lastActiveAt: number | null
  person: number
}

export interface Touch {
  readonly step: Step
  readonly variant: 'plain' | 'story' | null
  readonly plannedFor: number
  dueAt: number
  attempt: number
  state:
    | 'planned'
    | 'queued'
    | 'claimed'
    | 'sending'
    | 'sent'
    | 'failed'
    | 'skipped'
    | 'cancelled'
    | 'uncertain'
  reason: string | null
  channel: 'email' | 'log' | null
  /** Which hanging worker has it, or had it when the sweeper gave it up. */
  holder: number
  /** Which one may have sent it by `log`, whose repeats are recognised, before it was to be tried again; null where none. */
  doubtedBy: number | null
  spent: number
  /** When it was recorded; null while it is at work. */
  settledAt: number | null
}

export interface Episode {
  readonly contact: Contact
  readonly version: number
  readonly no: number
  readonly person: number
  readonly arm: string
  readonly entryTier: string
  readonly lapsedAt: number
  readonly assignedAt: number
  id: number
  tierNo: number
  readonly stages: { tierNo: number; enteredAt: number; arm: string; drawn: boolean }[]
  silencedBy: string | null
  silencedAt: number | null
  returnedAt: number | null
  recalledAt: number | null
  contaminated: boolean
  endedAt: number | null
  endReason: string | null
  readonly touches: Touch[]
  /** The offer's liability is booked. */
  liable: boolean
  /** What the offer is reserved for, and by which worker: it hangs, and has neither booked it nor given it back. */
  promised: { readonly touch: Touch; readonly worker: number } | null
}

export type Mode = 'sent' | 'retry' | 'rejected' | 'uncertain'

export interface Model {
  now: number
  workspaceSalt: string
  salt: string
  version: number
  readonly contacts: Contact[]
  readonly episodes: Episode[]
  readonly suppressed: Set<string>
  readonly events: { contact: Contact; at: number; type: string; id: string }[]
  readonly paused: Set<'campaign' | 'email'>
  readonly ticks: Set<number>
  workers: number
  readonly hanging: Set<number>
  /** What batches under way may still spend, by worker. */
  readonly holds: Map<number, number>
  /** What was spent, and when. */
  readonly bookings: { at: number; amount: number }[]
  /** How often batches came to which verdict: `go`, why it waits, or why it ended. */
  readonly verdicts: Map<string, number>
}

export function emptyModel(now: number): Model {
  return {
    now,
    workspaceSalt: '',
    salt: '',
    version: 0,
    contacts: [],
    episodes: [],
    suppressed: new Set(),
    events: [],
    paused: new Set(),
    ticks: new Set(),
    workers: 0,
    hanging: new Set(),
    holds: new Map(),
    bookings: [],
    verdicts: new Map(),
  }
}

const silentSince = (contact: Contact) => contact.lastActiveAt ?? contact.signedUpAt
export const isOpen = (touch: Touch) => ['planned', 'queued', 'claimed', 'sending'].includes(touch.state)
const isPending = (touch: Touch) => isOpen(touch) && touch.state !== 'sending'

function release(touch: Touch): void {
  touch.state = 'planned'
  touch.channel = null
  touch.holder = 0
}

function end(model: Model, touch: Touch, state: Touch['state'], reason: string | null): void {
  touch.reason = reason
  const doubted = touch.doubtedBy !== null && (state === 'skipped' || state === 'cancelled')
  touch.state = doubted ? 'uncertain' : state
  if (!doubted) return
  touch.channel = 'log'
  touch.settledAt = model.now
}

function cancel(model: Model, episode: Episode, reason: string): void {
  for (const touch of episode.touches) if (isPending(touch)) end(model, touch, 'cancelled', reason)
}

function silence(model: Model, episode: Episode, by: string): void {
  episode.silencedAt ??= model.now
  episode.silencedBy ??= by
}

// ── contacts ────────────────────────────────────────────────────────────────────────────────────────

/**
 * Persons are connected by shared addresses and named after their first contact. Who was somebody else before is
 * merged; contacts made just now were nobody.
 */
export function relink(model: Model, made: ReadonlySet<Contact>): void {
  const merged = new Set<number>()
  for (const contact of model.contacts) {
    const group = model.contacts.filter(
      (other) => other === contact || (contact.email !== null && other.email === contact.email),
    )
    const origins = new Set(group.filter((other) => !made.has(other)).map((other) => other.person))
    if (origins.size > 1) merged.add(Math.min(...group.map((other) => other.id)))
  }
  for (const contact of model.contacts) {
    const group = model.contacts.filter(
      (other) => other === contact || (contact.email !== null && other.email === contact.email),
    )
    contact.person = Math.min(...group.map((other) => other.id))
  }
  for (const person of merged) mergePerson(model, person)
}

function mergePerson(model: Model, person: number): void {
  const open = model.episodes
    .filter((episode) => episode.contact.person === person && episode.endedAt === null)
    .sort((a, b) => a.assignedAt - b.assignedAt || a.id - b.id)
  const mixed = new Set(open.map((episode) => episode.arm)).size > 1
  for (const [place, episode] of open.entries()) {
    if (mixed) {
      episode.contaminated = true
      silence(model, episode, 'contaminated')
    } else if (place > 0) silence(model, episode, 'merged')
  }
  for (const episode of open) {
    if (episode.silencedBy === 'contaminated' || episode.silencedBy === 'merged') {
      cancel(model, episode, episode.silencedBy)
    }
  }
}

/** @returns whether it was new */
export function act(model: Model, contact: Contact, at: number, type: string, id: string): boolean {
  if (model.events.some((event) => event.contact === contact && event.at === at && event.id === id))
    return false
  model.events.push({ contact, at, type, id })
  contact.lastActiveAt = Math.max(contact.lastActiveAt ?? at, at)
  for (const episode of model.episodes) {
    if (episode.contact !== contact || episode.endedAt !== null) continue
    if (at > episode.lapsedAt) {
      silence(model, episode, 'returned')
      if (at > episode.assignedAt) episode.returnedAt = Math.min(episode.returnedAt ?? at, at)
    }
    if (type === 'session' && at > episode.assignedAt && at <= episode.assignedAt + WINDOW) {
      episode.recalledAt = Math.min(episode.recalledAt ?? at, at)
    }
    if (episode.silencedBy === 'returned') cancel(model, episode, 'returned')
  }
  return true
}

export function suppress(model: Model, email: string): void {
  if (model.suppressed.has(email)) return
  model.suppressed.add(email)
  for (const episode of model.episodes) {
    if (episode.contact.email !== email) continue
    for (const touch of episode.touches) {
      if (!isPending(touch)) continue
      if (touch.step.channels.every((channel) => channel === 'email'))
        end(model, touch, 'skipped', 'suppressed')
      else if (touch.state === 'queued' || touch.state === 'claimed') release(touch)
    }
  }
}

// ── runs ────────────────────────────────────────────────────────────────────────────────────────────

function tierOf(version: number, silence: number): number {
  return ladder(version).filter((tier) => silence >= tier.from).length
}

function enter(model: Model, episode: Episode, tierNo: number): void {
  const tier = ladder(episode.version)[tierNo - 1]
  if (!tier) throw new Error(`no tier ${tierNo}`)
  const treated = episode.arm === 'treated' && episode.stages.every((stage) => stage.arm === 'treated')
  const out =
    tier.holdout > 0 && draw(model.salt, `tier:${tier.name}`, episode.person, episode.no) < tier.holdout
  const arm = treated && !out ? 'treated' : 'holdout'
  episode.tierNo = tierNo
  episode.stages.push({ tierNo, enteredAt: model.now, arm, drawn: treated && tier.holdout > 0 })
  if (arm !== 'treated') return
  for (const one of tier.steps) {
    const at = model.now + one.after
    const drawn = draw(model.salt, `variant:${one.id}`, episode.person, episode.no)
    episode.touches.push({
      step: one,
      variant: one.plain === undefined ? null : drawn < one.plain ? 'plain' : 'story',
      plannedFor: at,
      dueAt: at,
      attempt: 0,
      state: 'planned',
      reason: null,
      channel: null,
      holder: 0,
      spent: 0,
      settledAt: null,
      doubtedBy: null,
    })
  }
}

/** @returns the answers by name; undefined where the run does not take place */
export function run(model: Model): Record<string, number> | undefined {
  if (model.paused.has('campaign')) return undefined
  if (model.ticks.has(model.now)) return undefined
  model.ticks.add(model.now)
  for (const episode of model.episodes) {
    if (episode.endedAt !== null || episode.assignedAt + WINDOW + GRACE > model.now) continue
    cancel(model, episode, 'expired')
    episode.endedAt = model.now
    episode.endReason =
      episode.recalledAt !== null ? 'recalled' : episode.returnedAt !== null ? 'returned' : 'expired'
  }
  for (const episode of model.episodes) {
    if (episode.endedAt !== null || episode.silencedAt !== null) continue
    const reached = tierOf(episode.version, model.now - episode.lapsedAt)
    if (reached <= episode.tierNo) continue
    cancel(model, episode, 'superseded')
    enter(model, episode, reached)
  }
  return open(model)
}

function open(model: Model): Record<string, number> {
  const answers: Record<string, number> = {}
  const answer = (name: string) => {
    answers[name] = (answers[name] ?? 0) + 1
  }
  const busy = new Set(
    model.episodes.filter((episode) => episode.endedAt === null).map((episode) => episode.contact),
  )
  const busyPersons = new Set([...busy].map((contact) => contact.person))
  const lapsed = model.contacts
    .filter((contact) => !busy.has(contact) && tierOf(model.version, model.now - silentSince(contact)) > 0)
    .sort((a, b) => silentSince(b) - silentSince(a) || a.id - b.id)
  for (const contact of lapsed) {
    if (busyPersons.has(contact.person)) {
      answer('same_person')
      continue
    }
    busyPersons.add(contact.person)
    answer('opened')
    openEpisode(model, contact)
  }
  return answers
}

function openEpisode(model: Model, contact: Contact): void {
  const { person } = contact
  const before = model.episodes.filter((episode) => episode.contact.person === person)
  const no = Math.max(0, ...before.map((episode) => episode.no)) + 1
  const arm =
    draw(model.workspaceSalt, 'control', person) < CONTROL
      ? 'control'
      : draw(model.salt, 'arm', person, no) < HOLDOUT
        ? 'holdout'
        : 'treated'
  const tierNo = tierOf(model.version, model.now - silentSince(contact))
  const episode: Episode = {
    contact,
    version: model.version,
    no,
    person,
    arm,
    entryTier: ladder(model.version)[tierNo - 1]?.name ?? '',
    lapsedAt: silentSince(contact),
    assignedAt: model.now,
    id: 0,
    tierNo,
    stages: [],
    silencedBy: null,
    silencedAt: null,
    returnedAt: null,
    recalledAt: null,
    contaminated: false,
    endedAt: null,
    endReason: null,
    touches: [],
    liable: false,
    promised: null,
  }
  model.episodes.push(episode)
  enter(model, episode, tierNo)
}

// ── touchpoints ─────────────────────────────────────────────────────────────────────────────────────

export interface Placed {
  readonly episode: Episode
  readonly touch: Touch
}

/** What a dispatcher may take now. */
export function due(model: Model): Placed[] {
  if (model.paused.has('campaign')) return []
  return model.episodes.flatMap((episode) =>
    episode.touches
      .filter((touch) => touch.state === 'planned' && touch.dueAt <= model.now)
      .filter(
        (touch) => !(model.paused.has('email') && touch.step.channels.every((name) => name === 'email')),
      )
      .map((touch) => ({ episode, touch })),
  )
}

export type Verdict =
  | { readonly kind: 'send'; readonly channel: 'email' | 'log' }
  | { readonly kind: 'defer'; readonly until: number; readonly cause: string }
  | { readonly kind: 'end'; readonly state: 'skipped' | 'cancelled'; readonly reason: string }

export function judge(model: Model, { episode, touch }: Placed): Verdict {
  const { contact } = episode
  const stop = (state: 'skipped' | 'cancelled', reason: string): Verdict => ({ kind: 'end', state, reason })
  if (episode.silencedBy !== null) return stop('cancelled', episode.silencedBy)
  if (episode.endedAt !== null) return stop('cancelled', 'expired')
  if (silentSince(contact) > episode.lapsedAt) return stop('cancelled', 'returned')
  const tier = ladder(episode.version)[episode.tierNo - 1]
  if (!tier?.steps.some((one) => one.id === touch.step.id)) return stop('cancelled', 'superseded')
  const mailable = contact.email !== null && !model.suppressed.has(contact.email)
  const channel = touch.step.channels.find((name) => name === 'log' || mailable)
  if (!channel) return stop('skipped', contact.email === null ? 'no_address' : 'suppressed')
  if (touch.step.needsName && contact.firstName === null) return stop('skipped', 'missing_data')
  if (model.now > touch.plannedFor + MAX_DELAY) return stop('skipped', 'too_late')
  if (channel === 'email' && model.paused.has('email')) {
    const until = model.now + RECHECK
    return until > touch.plannedFor + MAX_DELAY
      ? stop('skipped', 'too_late')
      : { kind: 'defer', until, cause: 'paused' }
  }
  return { kind: 'send', channel }
}

// ── what is scarce ──────────────────────────────────────────────────────────────────────────────────

/** A batch as it was dispatched: touchpoints with the database's ids, of which nothing is predicted but their order. */
export type Batched = readonly (readonly [id: number, placed: Placed])[]

/**
 * What becomes of each of a batch at this moment: the guards first, then caps, offer and budget. What was planned first
 * gets what there is.
 */
export function decide(model: Model, batch: Batched): Map<Placed, Verdict> {
  const verdicts = new Map<Placed, Verdict>()
  const admitted: { placed: Placed; channel: 'email' | 'log' }[] = []
  const ranked = batch.toSorted(([a, one], [b, other]) => rank(one.touch, other.touch) || a - b)
  for (const [, placed] of ranked) {
    const verdict = judge(model, placed)
    verdicts.set(placed, verdict)
    if (verdict.kind === 'send') admitted.push({ placed, channel: verdict.channel })
  }
  const refuse = (placed: Placed, verdict: Verdict | undefined) => {
    if (verdict) verdicts.set(placed, verdict)
    return verdict === undefined
  }
  const batched = new Set(batch.map(([, { touch }]) => touch))
  let granted = model.episodes.filter(({ liable, promised }) => liable || promised !== null).length
  let mine = 0
  admitted
    .filter(({ placed, channel }) => refuse(placed, capped(model, placed, channel, batched)))
    .filter(({ placed }) => {
      const { episode, touch } = placed
      if (!touch.step.offer || episode.liable || episode.promised?.touch === touch) return true
      if (episode.promised) return refuse(placed, later(touch, model.now + BUSY, 'offer_held', 'too_late'))
      granted += 1
      return refuse(placed, granted > STOCK ? skip('offer_unavailable') : undefined)
    })
    .filter(({ placed, channel }) => {
      const left = DAY_BUDGET - spentToday(model) - mine
      const held = [...model.holds.values()].reduce((sum, amount) => sum + amount, 0)
      const cost = channel === 'email' ? PRICE : 0
      if (cost <= Math.max(0, left - held)) {
        mine += cost
        return true
      }
      const tomorrow = (Math.floor(model.now / DAY) + 1) * DAY
      const again = cost <= left ? model.now + BUSY : tomorrow
      return refuse(
        placed,
        later(placed.touch, again, cost <= left ? 'budget_held' : 'budget_exhausted', 'budget_exhausted'),
      )
    })
  return verdicts
}

const rank = (a: Touch, b: Touch) => a.plannedFor - b.plannedFor
const skip = (reason: string): Verdict => ({ kind: 'end', state: 'skipped', reason })

/** Another look at a later time, and what it waits for; or the end where that is too late. */
function later(touch: Touch, until: number, cause: string, reason: string): Verdict {
  return until > touch.plannedFor + MAX_DELAY ? skip(reason) : { kind: 'defer', until, cause }
}

function spentToday({ now, bookings }: Model): number {
  const today = Math.floor(now / DAY)
  return bookings.reduce((sum, { at, amount }) => (Math.floor(at / DAY) === today ? sum + amount : sum), 0)
}

/** What it goes by, or may have gone by. */
const channelOf = ({ channel, doubtedBy }: Touch) => channel ?? (doubtedBy === null ? null : 'log')

/** A cap that is full, or one with room for fewer than are due and rank higher. */
function capped(
  model: Model,
  { episode, touch }: Placed,
  channel: 'email' | 'log',
  batched: ReadonlySet<Touch>,
): Verdict | undefined {
  const others = model.episodes
    .filter((other) => other.contact.person === episode.contact.person)
    .flatMap(({ touches }) => touches)
    .filter((other) => other !== touch)
  const concerned = CAPS.filter((cap) => (cap.channel ?? channel) === channel)
  const on = (cap: (typeof CAPS)[number], other: Touch) =>
    cap.channel === null ||
    (channelOf(other) === null ? other.step.channels.includes(cap.channel) : channelOf(other) === cap.channel)
  const within = (cap: (typeof CAPS)[number]) =>
    others
      .filter((other) => on(cap, other))
      .flatMap((other) => {
        if (isUnderWay(other)) return [model.now]
        const gone = (other.state === 'sent' || other.state === 'uncertain') && other.settledAt !== null
        return gone && (other.settledAt ?? 0) > model.now - cap.per ? [other.settledAt ?? 0] : []
      })
  for (const cap of concerned) {
    const times = within(cap).toSorted((a, b) => a - b)
    if (times.length < cap.count) continue
    if (cap.skips) return skip('frequency_cap')
    return later(touch, (times[times.length - cap.count] ?? 0) + cap.per, 'frequency_cap', 'frequency_cap')
  }
  for (const cap of concerned) {
    const ahead = others.filter(
      (other) => isWaiting(model, other) && !batched.has(other) && on(cap, other) && rank(other, touch) < 0,
    )
    if (ahead.length >= cap.count - within(cap).length)
      return later(touch, model.now + YIELD, 'outranked', 'too_late')
  }
  return undefined
}

/** Being sent, reserved by a batch that will, or to be tried again because it may be out. */
const isUnderWay = (touch: Touch) =>
  touch.state === 'sending' ||
  (touch.state === 'claimed' && touch.channel !== null) ||
  (touch.doubtedBy !== null && isOpen(touch))

/** Due, and open to be dispatched; or in a batch that has not come to it. */
function isWaiting(model: Model, { state, dueAt, step, doubtedBy }: Touch): boolean {
  if (doubtedBy !== null) return false
  if (state === 'claimed') return true
  if ((state !== 'planned' && state !== 'queued') || dueAt > model.now || model.paused.has('campaign'))
    return false
  return !(model.paused.has('email') && step.channels.every((name) => name === 'email'))
}

/** What may be sent is reserved by a worker, until {@link conclude}. */
export function reserve(model: Model, verdicts: ReadonlyMap<Placed, Verdict>, worker: number): void {
  let held = 0
  for (const [{ episode, touch }, verdict] of verdicts) {
    if (verdict.kind !== 'send') continue
    if (verdict.channel === 'email') held += PRICE
    // Another batch may go on with what one that hangs has reserved for the same touchpoint.
    if (touch.step.offer && !episode.liable) episode.promised = { touch, worker }
  }
  model.holds.set(worker, held)
}

/** A batch has ended, or was given up: what went out or may have is owed, and the rest is given back. */
export function conclude(model: Model, worker?: number): void {
  if (worker === undefined) model.holds.clear()
  else model.holds.delete(worker)
  for (const episode of model.episodes) {
    const { promised } = episode
    if (!promised || (worker !== undefined && promised.worker !== worker)) continue
    // What may be out stays promised, also while it is to be tried again.
    const { state, doubtedBy } = promised.touch
    if (state === 'sent' || state === 'uncertain' || doubtedBy !== null) episode.liable = true
    episode.promised = null
  }
}

/** One touchpoint, from what was decided to what becomes of it. */
export function carryOut(model: Model, placed: Placed, verdict: Verdict, mode: Mode): void {
  const said = verdict.kind === 'send' ? 'go' : verdict.kind === 'end' ? verdict.reason : verdict.cause
  model.verdicts.set(said, (model.verdicts.get(said) ?? 0) + 1)
  if (verdict.kind === 'end') end(model, placed.touch, verdict.state, verdict.reason)
  else if (verdict.kind === 'send') finish(model, placed, verdict.channel, mode)
  else {
    release(placed.touch)
    placed.touch.dueAt = verdict.until
  }
}

/** A whole batch by a worker that lives. */
export function processBatch(model: Model, batch: Batched, mode: Mode): void {
  const verdicts = decide(model, batch)
  reserve(model, verdicts, ALIVE)
  for (const [placed, verdict] of verdicts) carryOut(model, placed, verdict, mode)
  conclude(model, ALIVE)
}

/** No worker that hangs has this number. */
export const ALIVE = -1

export function finish(model: Model, placed: Placed, channel: 'email' | 'log', mode: Mode): void {
  const { touch } = placed
  const outcome = channel === 'log' ? 'sent' : mode
  touch.channel = channel
  if (outcome === 'retry') {
    const again = model.now + (BACK_OFF[touch.attempt] ?? 0)
    const last = touch.attempt >= BACK_OFF.length || again > touch.plannedFor + MAX_DELAY
    touch.attempt += 1
    if (last) giveUp(model, touch, 'attempts')
    else {
      release(touch)
      touch.dueAt = again
    }
    return
  }
  touch.attempt += 1
  if (outcome === 'rejected') {
    giveUp(model, touch, 'bad_address')
    return
  }
  end(model, touch, outcome, null)
  touch.settledAt = model.now
  touch.holder = 0
  charge(model, touch)
}

/** Refused by e-mail, which knows nothing of what went by another channel before. */
function giveUp(model: Model, touch: Touch, reason: string): void {
  if (touch.doubtedBy === null) {
    end(model, touch, 'failed', reason)
    return
  }
  end(model, touch, 'uncertain', null)
  touch.settledAt = model.now
  touch.holder = 0
  charge(model, touch)
}

function charge(model: Model, touch: Touch): void {
  const price = touch.channel === 'email' ? PRICE : 0
  if (price > touch.spent) model.bookings.push({ at: model.now, amount: price - touch.spent })
  touch.spent = price
}

/** All leases have run out: nothing is known of who held what. */
export function sweep(model: Model): void {
  for (const { touches } of model.episodes) {
    for (const touch of touches) {
      if (touch.state === 'queued' || touch.state === 'claimed') release(touch)
      else if (touch.state === 'sending') {
        touch.attempt += 1
        if (touch.channel === 'log') {
          touch.doubtedBy = touch.holder
          release(touch)
        } else {
          end(model, touch, 'uncertain', null)
          touch.settledAt = model.now
          // Its price is not known: what was held for it is booked.
          if (model.holds.has(touch.holder)) charge(model, touch)
        }
      }
    }
  }
  conclude(model)
}

/** A worker that hung goes on: its sends have ended well, and it does the rest of its batch. */
export function wake(model: Model, worker: number): void {
  model.hanging.delete(worker)
  for (const episode of model.episodes) {
    for (const touch of episode.touches) {
      if (touch.state === 'uncertain' && touch.doubtedBy === worker) touch.state = 'sent'
      if (touch.holder !== worker) continue
      if (touch.state === 'sending') finish(model, { episode, touch }, touch.channel ?? 'email', 'sent')
      else if (touch.state === 'uncertain') {
        // Given up by the sweeper, and now it is known.
        touch.state = 'sent'
        charge(model, touch)
      } else if (touch.state === 'claimed') {
        const channel = touch.channel ?? 'email'
        if (model.paused.has('campaign') || (channel === 'email' && model.paused.has('email'))) {
          release(touch)
          touch.dueAt = model.now
        } else finish(model, { episode, touch }, channel, 'sent')
      }
      touch.holder = 0
    }
  }
  conclude(model, worker)
}
