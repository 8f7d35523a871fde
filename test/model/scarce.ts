import { type Campaign, type CampaignName, type ChannelName, DAY, PRICE } from './campaign.ts'
import { CAMPAIGNS, RATE } from './campaigns.ts'
import { OFFERS } from './game.ts'
import { everyEpisode, type Grant, isOpen, type Model, type Placed, type Touch } from './model.ts'
import { later, skip, type Verdict } from './verdict.ts'

// What there is too little of for all: places under a person's caps, offers, money, and what the provider takes.

const BUSY = 60_000
const YIELD = 300_000

// ── caps ────────────────────────────────────────────────────────────────────────────────────────────

/** What it goes by, or may have gone by. */
const channelOf = ({ channel, doubtedBy }: Touch) => channel ?? (doubtedBy === null ? null : 'log')

/** A cap that is full, or one with room for fewer than are due and rank higher. */
export function capped(
  model: Model,
  placed: Placed,
  channel: ChannelName,
  batched: ReadonlySet<Touch>,
): Verdict | undefined {
  const { episode, touch } = placed
  // Of all campaigns, by the caps of its own.
  const others = model.episodes
    .filter((other) => other.contact.person === episode.contact.person)
    .flatMap((other) => other.touches.map((one) => ({ episode: other, touch: one })))
    .filter((other) => other.touch !== touch)
  const concerned = CAMPAIGNS[episode.campaign].caps.filter((cap) => (cap.channel ?? channel) === channel)
  const on = (cap: Campaign['caps'][number], other: Touch) =>
    cap.channel === null ||
    (channelOf(other) === null ? other.step.channels.includes(cap.channel) : channelOf(other) === cap.channel)
  const within = (cap: Campaign['caps'][number]) =>
    others
      .map((other) => other.touch)
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
      (other) =>
        isWaiting(model, other) &&
        !batched.has(other.touch) &&
        on(cap, other.touch) &&
        rank(other, placed) < 0,
    )
    if (ahead.length >= cap.count - within(cap).length)
      return later(touch, model.now + YIELD, 'outranked', 'too_late')
  }
  return undefined
}

export const rank = (a: Placed, b: Placed) =>
  CAMPAIGNS[b.episode.campaign].priority - CAMPAIGNS[a.episode.campaign].priority ||
  a.touch.plannedFor - b.touch.plannedFor

/** Being sent, reserved by a batch that will, or to be tried again because it may be out. */
const isUnderWay = (touch: Touch) =>
  touch.state === 'sending' ||
  (touch.state === 'claimed' && touch.channel !== null) ||
  (touch.doubtedBy !== null && isOpen(touch))

/** Nothing is to go by mail now: that is switched off, or its server is away and left alone. */
export function isClosed({ mailPaused, absence, now }: Model): boolean {
  return mailPaused || (absence !== null && absence.until > now)
}

/** Due, and open to be dispatched; or in a batch that has not come to it. */
function isWaiting(model: Model, { episode, touch }: Placed): boolean {
  const { state, dueAt, step } = touch
  if (isUnderWay(touch)) return false
  if (state === 'claimed') return true
  if ((state !== 'planned' && state !== 'queued') || dueAt > model.now) return false
  if (model.courses[episode.campaign].state !== 'on') return false
  return !(isClosed(model) && step.channels.every((name) => name === 'email'))
}

// ── offers ──────────────────────────────────────────────────────────────────────────────────────────

/** What a message may promise. */
export interface Promised {
  /** What the episode has; undefined where it is to be made. */
  readonly grant: Grant | undefined
  /** It is booked nowhere yet. */
  readonly fresh: boolean
  /** The shop is asked first. */
  readonly asks: boolean
}

/** The offer of each that has one: a promise, why it cannot go, or null where it goes without. */
export function offered(model: Model, admitted: readonly Placed[]): Map<Placed, Promised | Verdict | null> {
  const answers = new Map<Placed, Promised | Verdict | null>()
  let made = 0
  for (const placed of admitted) {
    const { episode, touch } = placed
    const { offer, credited, otherwise } = touch.step
    if (!offer) continue
    const grant = episode.grants.find((one) => one.offer === offer)
    if (grant?.state === 'granted') {
      answers.set(placed, { grant, fresh: false, asks: grant.credit === 'asking' })
    } else if (grant && grant.touch !== touch) {
      answers.set(placed, later(touch, model.now + BUSY, 'offer_held', 'too_late'))
    } else if (grant) {
      answers.set(placed, { grant, fresh: true, asks: credited })
    } else {
      made += 1
      const there = everyEpisode(model)
        .flatMap(({ grants }) => grants)
        .filter((one) => one.offer === offer)
      const left = OFFERS[offer].stock - there.length - made
      if (left >= 0) answers.set(placed, { grant: undefined, fresh: true, asks: credited })
      else answers.set(placed, otherwise ? null : skip('offer_unavailable'))
    }
  }
  return answers
}

// ── money ───────────────────────────────────────────────────────────────────────────────────────────

/** What one message may cost. */
export interface Asked {
  readonly spend: number
  readonly liability: number
}

/** What a batch has come to so far. */
export interface Shares {
  spend: number
  liability: number
}

function spentOf(model: Model, campaign: CampaignName, kind: keyof Asked): number {
  const { now } = model
  if (kind === 'liability') {
    const outstanding = everyEpisode(model)
      .flatMap(({ grants }) => grants)
      .filter(({ state }) => state === 'granted')
    return outstanding.reduce((sum, { offer }) => sum + OFFERS[offer].expected, 0)
  }
  const today = Math.floor(now / DAY)
  const bookings = model.bookings.filter((booking) => booking.campaign === campaign)
  return bookings.reduce((sum, { at, amount }) => (Math.floor(at / DAY) === today ? sum + amount : sum), 0)
}

/** By other batches, and of what the shop was asked for and has not answered: the account may have it. */
function heldOf(model: Model, kind: keyof Asked, mine: ReadonlySet<Grant>): number {
  const held = [...model.holds.values()].reduce((sum, hold) => sum + hold[kind], 0)
  if (kind === 'spend') return held
  const asked = model.episodes
    .flatMap(({ grants }) => grants)
    .filter((grant) => grant.state === 'reserved' && grant.credit === 'asking' && !mine.has(grant))
    .filter(({ worker }) => !model.holds.get(worker)?.liability)
  return asked.reduce((sum, { offer }) => sum + OFFERS[offer].expected, held)
}

/** What is held for a message, or why there is nothing left for it. */
export function shared(
  model: Model,
  { episode: { campaign }, touch }: Placed,
  what: {
    readonly channel: ChannelName
    readonly promised: Promised | null
    readonly shares: Shares
    /** Grants that the batch has taken over. */
    readonly mine: ReadonlySet<Grant>
  },
): { readonly held: Asked; readonly short?: Verdict } {
  const { channel, promised, shares, mine } = what
  const { offer } = touch.step
  const { budgets } = CAMPAIGNS[campaign]
  if (!budgets) return { held: { spend: 0, liability: 0 } }
  const asked: Asked = {
    spend: channel === 'email' ? PRICE : 0,
    liability: promised?.fresh && offer ? OFFERS[offer].expected : 0,
  }
  const kinds = offer ? (['spend', 'liability'] as const) : (['spend'] as const)
  const lacking = kinds.flatMap((kind) => {
    const left = budgets[kind] - spentOf(model, campaign, kind) - shares[kind]
    const free = left - heldOf(model, kind, mine)
    if (asked[kind] <= Math.max(0, free)) return []
    return [{ kind, held: asked[kind] <= Math.max(0, left) }]
  })
  const shortage = lacking.find(({ held }) => !held) ?? lacking[0]
  // The account may have what the shop was asked for before: that is held, though its message has to wait.
  const kept = promised?.grant?.credit === 'asking' ? asked.liability : 0
  const held = shortage ? { spend: 0, liability: kept } : asked
  shares.spend += held.spend
  shares.liability += held.liability
  return shortage ? { held, short: shortOf(model, touch, shortage) } : { held }
}

function shortOf(
  { now }: Model,
  touch: Touch,
  { kind, held }: { readonly kind: keyof Asked; readonly held: boolean },
): Verdict {
  if (held) return later(touch, now + BUSY, 'budget_held', 'budget_exhausted')
  if (kind === 'liability') return skip('budget_exhausted')
  const tomorrow = (Math.floor(now / DAY) + 1) * DAY
  return later(touch, tomorrow, 'budget_exhausted', 'budget_exhausted')
}

// ── what the provider takes ─────────────────────────────────────────────────────────────────────────

/** How many mails a dispatcher may take now, in all processes together. */
export function roomNow({ bucket, now }: Model): number {
  return bucket && now - bucket.at < RATE.per
    ? Math.max(0, RATE.count - Math.max(0, bucket.taken))
    : RATE.count
}

/** Takes for a batch, or gives back. @param count less than nothing where it is given back */
export function takePlaces(model: Model, count: number): void {
  const { bucket, now } = model
  if (count > 0 && (!bucket || now - bucket.at >= RATE.per)) model.bucket = { taken: count, at: now }
  else if (bucket) bucket.taken = (count > 0 ? Math.max(0, bucket.taken) : bucket.taken) + count
}
