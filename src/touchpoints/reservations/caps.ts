import { later } from '../../clock.ts'
import type { Campaign } from '../../config/campaign.ts'
import { localTime } from '../../config/local-time.ts'
import { formatRate, type Rate } from '../../config/quantities.ts'
import { deferOrSkip, latestOf, type Verdict } from '../guards/guards.ts'

// How much one person may get, over all campaigns. What was sent (or may have been) counts where it falls into the
// window; what is being sent at this moment counts in every window; and what is due and ranks higher goes first. Pure: what is
// counted is read, and the places are taken, in cap-places.ts.

export type Cap = Campaign['limits']['per_person'][number]

/** A message of a person: sent, under way, or due and waiting. */
export interface Message {
  readonly personId: number
  readonly touchpointId: number
  readonly state: 'sent' | 'open' | 'due'
  /** When it was sent; null while it was not. */
  readonly at: Date | null
  /** Of what is due, any it may go out on. */
  readonly channels: readonly string[]
  readonly topic: string | null
  readonly priority: number
  readonly plannedFor: Date
}

/** What asks to be sent. */
export interface Applicant {
  readonly personId: number
  readonly touchpointId: number
  readonly channel: string
  readonly topic: string | undefined
  readonly priority: number
  readonly plannedFor: Date
  /** IANA zone of the recipient: their days and weeks are counted. */
  readonly zone: string
}

export type CapDecision = 'admit' | { readonly verdict: Verdict }

/** Seconds after which somebody who let another message go first is looked at again. */
const YIELD = 300

/** Where a rate counts: it begins at `from`, and what is too much may go at `next`. */
interface Window {
  readonly from: Date
  readonly next: Date
}

/** The window a rate counts in at a moment. */
export function windowOf(rate: Rate, zone: string, now: Date): Window {
  const { per } = rate
  if (typeof per === 'number') {
    return { from: new Date(now.getTime() - per * 1000 + 1), next: later(now, per) }
  }
  const known = current[per].get(zone)
  if (known && known.from <= now && now < known.next) return known
  const window = calendarWindow(per, zone, now)
  current[per].set(zone, window)
  return window
}

/**
 * The latest day and week of each zone, for the life of the process: with a few hundred zones, looking them up anew for
 * each batch was most of what caps cost. Whoever asks cannot tell: what is known answers only where it holds the very
 * zone and moment that are asked about.
 */
const current = { day: new Map<string, Window>(), week: new Map<string, Window>() }

function calendarWindow(per: 'day' | 'week', zone: string, now: Date): Window {
  const today = localTime(zone, now).startOfDay()
  const first = per === 'day' ? today : today.subtract({ days: today.dayOfWeek - 1 }).startOfDay()
  const next = first.add(per === 'day' ? { days: 1 } : { weeks: 1 }).startOfDay()
  return { from: new Date(first.epochMilliseconds), next: new Date(next.epochMilliseconds) }
}

/**
 * Who may send. Pure. Applicants are taken in the order of their rank, and each that is admitted counts for the next.
 * @param messages all of the applicants’ persons: those sent since the earliest window began, those open, those due
 * @param maxDelay seconds after its planned time at which a message is given up
 */
export function decideCaps(
  caps: readonly Cap[],
  applicants: readonly Applicant[],
  messages: readonly Message[],
  { now, maxDelay }: { now: Date; maxDelay: number },
): Map<number, CapDecision> {
  const byPerson = new Map<number, Message[]>()
  for (const message of messages) {
    const known = byPerson.get(message.personId)
    if (known) known.push(message)
    else byPerson.set(message.personId, [message])
  }
  const decisions = new Map<number, CapDecision>()
  const applying = new Set(applicants.map(({ touchpointId }) => touchpointId))
  const never = caps.some(({ at_most: most }) => most.count === 0)
  for (const applicant of applicants.toSorted(byRank)) {
    const { personId, touchpointId, channel, topic, priority, plannedFor, zone } = applicant
    const others = (byPerson.get(personId) ?? []).filter((other) => other.touchpointId !== touchpointId)
    // With nothing beside it, all but a cap of nought have room.
    const binding = others.length > 0 || never ? caps : []
    const concerned = binding
      .filter(
        (cap) => (cap.channel ?? channel) === channel && (cap.topic === undefined || cap.topic === topic),
      )
      .map((cap) => {
        const { from, next } = windowOf(cap.at_most, zone, now)
        return { cap, next, within: others.filter((other) => counted(cap, other, from)) }
      })
    const yields =
      full(concerned, applicant, { now, maxDelay }) ??
      yielding(concerned, applicant, others, { applying, now, maxDelay })
    decisions.set(touchpointId, yields ? { verdict: yields } : 'admit')
    if (yields) continue
    const admitted = { personId, touchpointId, topic: topic ?? null, priority, plannedFor }
    const open = { ...admitted, state: 'open', at: null, channels: [channel] } as const
    byPerson.set(personId, [...others, open])
  }
  return decisions
}

function counted(cap: Cap, message: Message, from: Date): boolean {
  if (cap.channel !== undefined && !message.channels.includes(cap.channel)) return false
  if (cap.topic !== undefined && message.topic !== cap.topic) return false
  if (message.state === 'due') return false
  return message.at === null || message.at >= from
}

/** A cap that concerns an applicant: when its window ends, and what counts within. */
interface Concern {
  readonly cap: Cap
  readonly next: Date
  readonly within: readonly Message[]
}

/** What the first cap says that has no room left. */
function full(
  concerned: readonly Concern[],
  applicant: Applicant,
  { now, maxDelay }: { now: Date; maxDelay: number },
): Verdict | undefined {
  const reached = concerned.find(({ cap, within }) => within.length >= cap.at_most.count)
  if (!reached) return undefined
  const { cap } = reached
  const skip: Verdict = { kind: 'skip', reason: 'frequency_cap', detail: describeCap(cap) }
  if (cap.then === 'skip') return skip
  const latest = latestOf(applicant, maxDelay)
  const verdict = deferOrSkip(freeAgain(reached, now), latest, 'frequency_cap')
  // What cannot wait until it is allowed was stopped by the cap, not by the clock.
  return verdict.kind === 'skip' ? skip : verdict
}

/** Of a calendar window, its end; of a span, when enough of what counts has left it. */
function freeAgain({ cap, within, next }: Concern, now: Date): Date {
  const { per, count } = cap.at_most
  if (typeof per !== 'number') return next
  const times = within.map((message) => (message.at ?? now).getTime()).toSorted((a, b) => a - b)
  const leaving = times[within.length - count] ?? now.getTime()
  return new Date(leaving + per * 1000)
}

/** There is room, but not for everybody who is due: whoever ranks higher goes first, and the others look again. */
function yielding(
  concerned: readonly Concern[],
  applicant: Applicant,
  others: readonly Message[],
  at: {
    applying: ReadonlySet<number>
    now: Date
    maxDelay: number
  },
): Verdict | undefined {
  for (const { cap, within } of concerned) {
    const room = cap.at_most.count - within.length
    const ahead = others.filter(
      (other) =>
        other.state === 'due' &&
        // Who applies in this batch and ranks higher was decided before.
        !at.applying.has(other.touchpointId) &&
        (cap.channel === undefined || other.channels.includes(cap.channel)) &&
        (cap.topic === undefined || other.topic === cap.topic) &&
        byRank(other, applicant) < 0,
    )
    if (ahead.length < room) continue
    const latest = latestOf(applicant, at.maxDelay)
    return deferOrSkip(later(at.now, YIELD), latest, 'outranked')
  }
  return undefined
}

interface Ranked {
  readonly priority: number
  readonly plannedFor: Date
  readonly touchpointId: number
}

function byRank(a: Ranked, b: Ranked): number {
  return (
    b.priority - a.priority ||
    a.plannedFor.getTime() - b.plannedFor.getTime() ||
    a.touchpointId - b.touchpointId
  )
}

/** `2 per day`, `1 per week on sms`, `1 per day about news`. */
function describeCap({ at_most: most, channel, topic }: Cap): string {
  return [
    formatRate(most),
    ...(channel === undefined ? [] : [`on ${channel}`]),
    ...(topic === undefined ? [] : [`about ${topic}`]),
  ].join(' ')
}
