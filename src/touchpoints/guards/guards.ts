import type { AddressKind, ContactView } from '../../channels/channel.ts'
import { later } from '../../clock.ts'
import type { Calendar } from '../../config/calendar.ts'
import type { CompiledStep, StepTemplate } from '../../config/compiled.ts'
import type { LocalWindow } from '../../config/quantities.ts'
import { inVariant } from '../../config/variants.ts'
import type { Wait } from '../../config/waits.ts'
import type { Candidate, LatestChoice } from '../gather.ts'
import { isDayClosed, spreadFrom } from './windows.ts'

// Reasons not to send now. Pure: a candidate and what is known beside it go in, one verdict comes out. The first
// guard that applies is the one recorded; their order is the order of the table in docs/domain.md. Its last reasons are
// not given here but where something is taken: `capacity` in capacity.ts, and after it `frequency_cap`,
// `offer_unavailable` and `budget_exhausted` in reserve.ts.

export type Verdict =
  | {
      readonly kind: 'send'
      readonly channel: string
      readonly template: StepTemplate | undefined
      /** Why the step's own template could not be used, where its `otherwise` is. */
      readonly instead?: Lack
    }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'skip'; readonly reason: string; readonly detail: string | null }
  | {
      readonly kind: 'defer'
      readonly until: Date
      readonly cause: Wait
      /** Something was tried for it: counts as an attempt. */
      readonly tried?: boolean
    }

/** The fact a template needs and cannot quote. */
export interface Lack {
  readonly reason: 'missing_data' | 'stale_data'
  /** Its dotted path. */
  readonly detail: string
}

/** A channel of the step, as far as the guards are concerned. */
export interface StepChannel {
  readonly name: string
  readonly kind: AddressKind
  /** The channel is switched off for now. */
  readonly paused: boolean
  /** Its provider is away, and is tried again then; perhaps by this batch. */
  readonly awayUntil?: Date | undefined
  /** An address the channel could send to. */
  reaches(contact: ContactView): boolean
  /** Nothing goes out on it without consent. */
  readonly needsConsent: boolean
  readonly window: LocalWindow | undefined
  /** Seconds a send may take: what must be left of the window. */
  readonly margin: number
  /** When the window next opens in a zone; undefined while it is open. */
  opening(zone: string): Date | undefined
}

export interface GuardContext {
  readonly now: Date
  readonly step: CompiledStep
  /** What the campaign is about, where it says so. */
  readonly topic: string | undefined
  readonly calendar?: Calendar | undefined
  /** The step's channels that are set up, in the order of preference. */
  readonly channels: readonly StepChannel[]
  /** Seconds. */
  readonly maxDelay: number
  readonly spread: number
}

/** Seconds after which a touchpoint whose channel is paused is looked at again. */
const PAUSE_RECHECK = 300

/** A candidate with its verdict. */
export interface Judged {
  readonly candidate: Candidate
  readonly contact: ContactView
  readonly verdict: Verdict
}

/**
 * The verdicts on a batch, in its order. One look counted what went before it; but two messages to one person may stand
 * in the same batch, so the frequency a person chose counts what the batch has already let through, too.
 * @param contactOf a candidate's contact with locale and zone resolved
 */
export function judgeAll(
  candidates: readonly Candidate[],
  contactOf: (candidate: Candidate) => ContactView,
  context: GuardContext,
): Judged[] {
  const through = new Map<number, number>()
  return candidates.map((candidate) => {
    const contact = contactOf(candidate)
    const verdict = judge(candidate, contact, context)
    if (verdict.kind !== 'send') return { candidate, contact, verdict }
    const { choice, personId } = candidate
    const earlier = through.get(personId) ?? 0
    const detail = choice && tooOften(choice, earlier)
    if (detail) return { candidate, contact, verdict: { kind: 'skip', reason: 'opted_out', detail } }
    through.set(personId, earlier + 1)
    return { candidate, contact, verdict }
  })
}

/**
 * The verdict on one candidate. `contact` is the candidate with locale and zone resolved. Where none of the step's channels
 * is set up, nobody's address is to blame.
 */
export function judge(candidate: Candidate, contact: ContactView, context: GuardContext): Verdict {
  const open = openTo(candidate, context)
  return (
    ended(candidate, context.step) ??
    erased(candidate) ??
    reachable(candidate, contact, open) ?? {
      kind: 'skip',
      reason: open.channels.length === 0 ? 'no_channel' : 'no_address',
      detail: null,
    }
  )
}

/** What may have gone out goes by the same channel or by none: only its provider recognises the repeat. */
function openTo({ doubtedOn }: Candidate, context: GuardContext): GuardContext {
  if (doubtedOn === null) return context
  return { ...context, channels: context.channels.filter(({ name }) => name === doubtedOn) }
}

function ended(candidate: Candidate, { onReturn }: CompiledStep): Verdict | undefined {
  // What the return released is not silenced by it.
  const released = onReturn === true && candidate.silencedBy === 'returned'
  if (candidate.silencedBy !== null && candidate.silencedBy !== 'erased' && !released) {
    return { kind: 'cancel', reason: candidate.silencedBy }
  }
  // A send that was under way when its episode ended and came back for another try.
  if (candidate.over) return { kind: 'cancel', reason: 'expired' }
  // Seeds get every message: that they are active, or that all their tiers run at once, does not matter.
  if (candidate.seed || onReturn) return undefined
  if (candidate.active) return { kind: 'cancel', reason: 'returned' }
  if (candidate.moved) return { kind: 'cancel', reason: 'moved' }
  if (candidate.superseded) return { kind: 'cancel', reason: 'superseded' }
  return undefined
}

function erased(candidate: Candidate): Verdict | undefined {
  return candidate.silencedBy === 'erased' ? { kind: 'skip', reason: 'erased', detail: null } : undefined
}

/** Picks the channel: the first on which the contact can be reached. The rest of the guards look at that one. */
function reachable(candidate: Candidate, contact: ContactView, context: GuardContext): Verdict | undefined {
  // Of the reasons that close the channels, the one that stands first in the table is recorded.
  const closed: Refusal[] = []
  for (const channel of context.channels) {
    if (!channel.reaches(contact)) continue
    const refusal = refusalOf(candidate, channel, context)
    if (!refusal) return conditional(candidate, contact, channel, context)
    closed.push(refusal)
  }
  const first = REFUSALS.flatMap((reason) => closed.filter((refusal) => refusal.reason === reason))[0]
  return first && { kind: 'skip', ...first }
}

const REFUSALS = ['suppressed', 'no_consent', 'opted_out'] as const

interface Refusal {
  readonly reason: (typeof REFUSALS)[number]
  readonly detail: string
}

/** Why a channel on which the contact could be reached may not be used for it. */
function refusalOf(candidate: Candidate, channel: StepChannel, context: GuardContext): Refusal | undefined {
  // A device that is dead is forgotten; there is no list of those not to be contacted.
  const suppressed =
    channel.kind === 'none' || channel.kind === 'device' ? null : candidate.suppressed[channel.kind]
  if (suppressed !== null) return { reason: 'suppressed', detail: suppressed }
  const consent = candidate.consent[channel.name]
  if (consent === 'withdrawn') return { reason: 'no_consent', detail: `${channel.name}: withdrawn` }
  if (channel.needsConsent && consent !== 'given') {
    return { reason: 'no_consent', detail: `${channel.name}: never given` }
  }
  const choice = candidate.choice && choiceAgainst(candidate.choice, channel.name, context)
  return choice ? { reason: 'opted_out', detail: choice } : undefined
}

/** What of a person's choice speaks against a message now. */
function choiceAgainst(
  choice: LatestChoice,
  channel: string,
  { topic, now }: GuardContext,
): string | undefined {
  if (choice.channelsOff.includes('*')) return 'everything'
  if (choice.channelsOff.includes(channel)) return `channel ${channel}`
  if (topic !== undefined && choice.topicsOff.includes(topic)) return `topic ${topic}`
  if (choice.pausedUntil !== null && choice.pausedUntil * 1000 > now.getTime()) {
    return `until ${new Date(choice.pausedUntil * 1000).toISOString()}`
  }
  return tooOften(choice)
}

/** The frequency the person chose, where one message more would be more than that. */
function tooOften({ atMost, withinDays, lately }: LatestChoice, besides = 0): string | undefined {
  if (atMost === null || (lately ?? 0) + besides < atMost) return undefined
  return `at most ${atMost} in ${withinDays ?? 0} days`
}

function conditional(
  candidate: Candidate,
  contact: ContactView,
  channel: StepChannel,
  context: GuardContext,
): Verdict {
  const { step } = context
  if (!candidate.seed) {
    if (candidate.condition === false) return { kind: 'skip', reason: 'condition', detail: null }
    if (candidate.condition === null) {
      return { kind: 'skip', reason: 'missing_data', detail: `unknown: ${step.condition?.source ?? ''}` }
    }
    // Whose value and potential are low gets fewer messages, where the campaign says so.
    if (candidate.effortLeft !== null && candidate.effortLeft <= 0) {
      return { kind: 'skip', reason: 'effort', detail: null }
    }
  }
  const { template, instead, lacking } = wordsFor(candidate, step)
  if (lacking) return { kind: 'skip', ...lacking }
  const verdict = timely(candidate, contact, channel, template, context)
  return verdict.kind === 'send' && instead ? { ...verdict, instead } : verdict
}

/** What a candidate is written by. */
interface Words {
  /** Undefined where the step has none. */
  readonly template?: StepTemplate | undefined
  /** Why the step's own template could not be used, where its `otherwise` is. */
  readonly instead?: Lack
  /** Why nothing can be written. */
  readonly lacking?: Lack
}

/** Never a blank, never a wrong price: the neutral template where there is one and it can be filled, or nothing. */
export function wordsFor(candidate: Candidate, step: CompiledStep): Words {
  const { templates } = inVariant(step, candidate.variant)
  const template = templates.get(candidate.segment) ?? templates.get('everyone')
  const lacking = template && lack(candidate, template)
  if (!lacking) return { template }
  const neutral = standIn(candidate, step)
  return neutral ? { template: neutral, instead: lacking } : { lacking }
}

/** The first fact a template needs and does not have. */
function lack(candidate: Candidate, template: StepTemplate): Lack | undefined {
  for (const { path, optional } of template.facts) {
    const value = candidate.facts[path]
    const missing = value === undefined || value === null || value === ''
    if (missing && optional) continue
    if (missing) return { reason: 'missing_data', detail: path }
    if (candidate.stale.includes(path)) return { reason: 'stale_data', detail: path }
  }
  return undefined
}

/** The step's neutral template, where it has one and every fact it needs is there. */
export function standIn(candidate: Candidate, step: CompiledStep): StepTemplate | undefined {
  return step.otherwise && !lack(candidate, step.otherwise) ? step.otherwise : undefined
}

function timely(
  candidate: Candidate,
  contact: ContactView,
  channel: StepChannel,
  template: StepTemplate | undefined,
  context: GuardContext,
): Verdict {
  const { now, maxDelay } = context
  const latest = latestOf(candidate, maxDelay)
  const opening = channel.opening(contact.timezone)
  if (opening !== undefined && channel.window) {
    const place = {
      spread: context.spread,
      margin: channel.margin,
      zone: contact.timezone,
      latest,
      calendar: context.calendar,
    }
    const until = spreadFrom(opening, seatOf(candidate, context.step), channel.window, place)
    const closed = isDayClosed(channel.window, contact.timezone, now, context.calendar)
    return deferOrSkip(until, latest, closed ? 'holiday' : 'quiet_hours')
  }
  if (now.getTime() > latest) return { kind: 'skip', reason: 'too_late', detail: null }
  if (channel.paused) return deferOrSkip(later(now, PAUSE_RECHECK), latest, 'paused')
  // Put into the queue before it was known, or by another channel of its step.
  const { awayUntil } = channel
  if (awayUntil && awayUntil > now) return deferOrSkip(awayUntil, latest, 'unreachable')
  return { kind: 'send', channel: channel.name, template }
}

/**
 * Where somebody stands among those whom a step's message reaches at one opening. By contact and step, and not by the
 * message's own id: ids are given out in whatever order the database comes by the rows, and a replay of the same past
 * must send at the same minutes.
 */
function seatOf({ contactId }: Candidate, { stepId }: CompiledStep): number {
  return contactId * 8191 + stepId
}

/** Epoch milliseconds after which a message is not sent any more. @param maxDelay seconds */
export function latestOf({ plannedFor }: { readonly plannedFor: Date }, maxDelay: number): number {
  return plannedFor.getTime() + maxDelay * 1000
}

/**
 * A deferral beyond planned_for + max_delay is a skip at once, with the cause.
 * @param latest of {@link latestOf}
 * @param because the cause in other words, where there are any
 */
export function deferOrSkip(until: Date, latest: number, cause: Wait, because: string = cause): Verdict {
  if (until.getTime() > latest) {
    return { kind: 'skip', reason: 'too_late', detail: `${because} until ${until.toISOString()}` }
  }
  return { kind: 'defer', until, cause }
}
