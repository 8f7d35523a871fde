import type { Delivery } from '../../channels/channel.ts'
import { later } from '../../clock.ts'
import type { CompiledCampaign } from '../../config/compiled.ts'
import { localDay } from '../../config/local-time.ts'
import { type Installation, messageKey, named } from '../../database/installation.ts'
import { PROVIDER_WORDS, storable } from '../../database/storable.ts'
import { messageOf } from '../../errors.ts'
import { type GuardContext, latestOf } from '../guards/guards.ts'
import { openingByZone } from '../guards/windows.ts'
import type { TouchpointKey } from '../keys.ts'
import type { Deferral, RecordCount, Settlement } from '../lifecycle.ts'
import type { Cleared, Compose, Outgoing } from '../message.ts'
import type { Pace } from '../pace.ts'
import { UNTRIED } from './absences.ts'

// What is sent, one message at a time: how it is made, handed over, and what its end means. The database is not asked.

/** What of a batch is to be handed over: the guards and the reservations let it through. */
export interface Handover {
  readonly claimId: string
  readonly campaign: CompiledCampaign
  readonly context: GuardContext
  readonly toSend: readonly Cleared[]
  /** Grants were reserved for some of it. */
  readonly promised: boolean
  readonly compose: Compose
  readonly pace: Pace
}

/** What stands between a slice and its handover, decided now. */
export interface ComposedSlice {
  readonly composed: readonly Outgoing[]
  /** Cannot be made into messages. */
  readonly unfit: readonly Settlement[]
  /** Their time has passed meanwhile: {@link putOff}. */
  readonly deferred: readonly Deferral[]
}

/** Composes a slice, after one more look at its time. */
export async function composeSlice(
  handover: Handover,
  slice: readonly Cleared[],
  now: Date,
): Promise<ComposedSlice> {
  const composed: Outgoing[] = []
  const unfit: Settlement[] = []
  const deferred: Deferral[] = []
  const late = putOff(handover, now)
  for (const cleared of slice) {
    const deferral = late(cleared, cleared.channel)
    if (deferral) {
      deferred.push(deferral)
      continue
    }
    const result = handover.compose(cleared)
    if ('state' in result) unfit.push(result)
    else composed.push(result)
    await handover.pace()
  }
  return { composed, unfit, deferred }
}

/**
 * What has to wait after all, though the batch let it through: its local window has closed (less the time a send may
 * take), or its call has a place among those of a day that is over, and is to have one of the day it would be made on.
 */
export function putOff(
  { campaign, context }: Pick<Handover, 'campaign' | 'context'>,
  now: Date,
): (message: Pick<Cleared, 'candidate' | 'contact' | 'overflow'>, channel: string) => Deferral | undefined {
  const openings = new Map(
    context.channels.map(({ name, window, margin }) => [
      name,
      openingByZone(window, now, margin, context.calendar),
    ]),
  )
  const { timezone } = campaign
  const placed = (context.step.call?.capacity ?? null) !== null
  const dayOver = placed && localDay(timezone, now) !== localDay(timezone, context.now)
  return ({ candidate, contact, overflow }, channel) => {
    const { contactId, touchpointId } = candidate
    const opening = openings.get(channel)?.(contact.timezone)
    if (opening) return { contactId, touchpointId, dueAt: opening, tried: false, why: 'quiet_hours' }
    if (!dayOver || candidate.seed || overflow) return undefined
    return { contactId, touchpointId, dueAt: now, tried: false, why: 'capacity' }
  }
}

/** What was not marked: a return came first, or a pause. The fence lets back what is still ours. */
export function againAt({ contactId, touchpointId }: TouchpointKey, dueAt: Date): Deferral {
  return { contactId, touchpointId, dueAt, tried: false, why: 'changed' }
}

/** What never reached its provider, or is not given to one that is away: it keeps its tries, and its time goes on. */
export function againUntried(key: TouchpointKey, now: Date): Deferral {
  return { ...againAt(key, later(now, UNTRIED)), why: 'unreachable' }
}

/** `campaign.step`: what providers may group their own figures by. */
export function streamOf({ campaign, context }: Handover): string {
  return `${campaign.name}.${context.step.id}`
}

/** The channels of the step on which nothing goes without consent. */
export function needingConsent({ context }: Handover): string[] {
  return context.channels.flatMap((channel) => (channel.needsConsent ? [channel.name] : []))
}

/** What the sends of a batch have in common. */
export interface Sending {
  /** What providers may group their own figures by. */
  readonly stream: string
  readonly installation: Installation
}

/** One send. It never throws, and it does not begin where its lease might end before it does. */
export async function handOver(
  outgoing: Outgoing,
  leaseEnds: number,
  { stream, installation }: Sending,
): Promise<Delivery> {
  const { channel, candidate, address, content, overflow } = outgoing
  if (performance.now() + channel.deadline > leaseEnds) {
    return {
      outcome: 'retry',
      detail: 'the lease was nearly over before the send began',
      after: 0,
      unsent: true,
    }
  }
  const { contactId, touchpointId } = candidate
  try {
    return await channel.send({
      contactId,
      touchpointId,
      ...named(installation, touchpointId),
      stream,
      address,
      content,
      key: messageKey(installation, touchpointId),
      ...(overflow ? { overflow } : {}),
    })
  } catch (error) {
    // A defect of the channel: nobody knows how far it got, so only a recognised repeat is safe.
    return { outcome: channel.idempotent ? 'retry' : 'uncertain', detail: messageOf(error) }
  }
}

/** How often a touchpoint is tried before it is given up, and the seconds between tries. */
export const BACK_OFF = [60, 300, 1800, 7200, 21_600]
/** Seconds a provider may put us off, however long it says: a date so far ahead need not exist. */
const LONGEST_PAUSE = 30 * 86_400

/**
 * What a send's outcome means for its touchpoint. Given up, it has failed only where no try can have gone out: what may
 * have is uncertain, until a provider that recognises repeats takes or refuses it. Pure.
 * @param cut it ended because this process does: what is sent again has lost no try by it
 */
export function concludeSend(
  outgoing: Outgoing,
  delivery: Delivery,
  now: Date,
  maxDelay: number,
  cut = false,
): Settlement | Deferral {
  const { candidate, channel, template } = outgoing
  const cost = delivery.outcome === 'sent' ? (delivery.cost ?? outgoing.cost) : outgoing.cost
  const { contactId, touchpointId, attempt } = candidate
  const settled = (
    state: 'sent' | 'failed' | 'uncertain',
    reason: string | null,
    detail: string | null,
    providerId: string | null = null,
  ): Settlement => ({
    contactId,
    touchpointId,
    state,
    reason,
    // In the provider's words: one of them that cannot be stored must not keep a whole batch from being settled.
    detail: detail === null ? null : storable(detail, PROVIDER_WORDS),
    channel: channel.name,
    template,
    providerId: providerId === null ? null : storable(providerId, PROVIDER_WORDS),
    // What may have gone out counts as spent, its price and its offer, until somebody knows better.
    cost: state === 'failed' ? 0 : cost,
  })
  const inDoubt = (detail: string) => settled('uncertain', null, detail)
  const tryAgain = (detail: string, after: number, doubted: boolean): Settlement | Deferral => {
    if (cut) return { ...againUntried(candidate, now), doubted, cost, why: 'retry' }
    const pause = Math.max(BACK_OFF[attempt] ?? 0, Math.min(after, LONGEST_PAUSE))
    const dueAt = later(now, pause)
    const tooLate = dueAt.getTime() > latestOf(candidate, maxDelay)
    if (attempt >= BACK_OFF.length || tooLate) {
      return doubted || candidate.doubted ? inDoubt(detail) : settled('failed', 'attempts', detail)
    }
    return { contactId, touchpointId, dueAt, tried: true, doubted, cost, why: 'retry' }
  }
  switch (delivery.outcome) {
    case 'sent':
      return settled('sent', null, delivery.detail ?? null, delivery.providerId ?? null)
    case 'rejected':
      // Who recognises repeats does not refuse what it has taken; a channel that has ceased to, knows of no earlier try.
      return candidate.doubted && !channel.idempotent
        ? inDoubt(delivery.detail)
        : settled('failed', delivery.reason, delivery.detail)
    case 'uncertain':
      // An idempotent provider recognises the repeat by its key: doubt is settled by asking again.
      return channel.idempotent ? tryAgain(delivery.detail, 0, true) : inDoubt(delivery.detail)
    case 'retry':
      // One that takes nothing from anybody has been asked all the same, and a gateway may have passed it on.
      if (delivery.unreached && !cut) {
        const doubted = channel.idempotent && delivery.takesNone === true && delivery.unsent !== true
        return { ...againUntried(candidate, now), ...(doubted ? { doubted, cost } : {}) }
      }
      // Of a channel whose provider recognises a repeat, `retry` may also mean that nobody knows.
      return tryAgain(delivery.detail, delivery.after ?? 0, channel.idempotent && delivery.unsent !== true)
  }
}

/** What became of the messages of a batch. */
export interface BatchTally {
  settled: Record<string, number>
  /** Of those that were skipped, how many for which reason. */
  skipped: Record<string, number>
  deferred: number
  /** Messages a channel's provider was asked to take, whatever it answered: not what never reached it. */
  tried: Map<string, number>
  /** Of those, what the provider put off or refused, not because of the address, by channel; and what it said last. */
  turnedAway: Map<string, { readonly messages: number; readonly said: string }>
  /** Messages that were settled or put back without that; what was taken away meanwhile is neither. */
  untried: number
  /** Some of those that were put back, also by the sweeper, may be out. */
  doubts: boolean
  /** How many went out or may have, by channel. */
  byChannel: Map<string, number>
  /** Of those that have ended, how many are counted by others, who took them from us meanwhile. */
  swept: Map<string, number>
  /** Messages whose address does not exist, as the provider says that was asked to take them, by channel. */
  nowhere: Map<string, TouchpointKey[]>
  /** Messages to whoever has told the provider, some time before, to let nothing more of ours through, by channel. */
  left: Map<string, Leaving[]>
}

/** A message that was refused for its reader's sake, and how the provider says so. */
export interface Leaving extends TouchpointKey {
  readonly detail: string
}

/** Adds to the number of a channel. */
export function add(numbers: Map<string, number>, channel: string, number: number): void {
  numbers.set(channel, (numbers.get(channel) ?? 0) + number)
}

/** Counts a message that its provider was asked to take. */
export function countTry(
  tally: Pick<BatchTally, 'tried' | 'turnedAway' | 'nowhere' | 'left'>,
  { candidate, channel: { name: channel } }: Outgoing,
  delivery: Delivery,
): void {
  add(tally.tried, channel, 1)
  const { contactId, touchpointId } = candidate
  if (delivery.outcome === 'rejected' && delivery.reason === 'bad_address') {
    gather(tally.nowhere, channel, { contactId, touchpointId })
    return
  }
  if (delivery.outcome === 'rejected' && delivery.reason === 'unsubscribed') {
    gather(tally.left, channel, { contactId, touchpointId, detail: delivery.detail })
    return
  }
  if (delivery.outcome !== 'retry' && delivery.outcome !== 'rejected') return
  const messages = (tally.turnedAway.get(channel)?.messages ?? 0) + 1
  tally.turnedAway.set(channel, { messages, said: delivery.detail })
}

function gather<Item>(lists: Map<string, Item[]>, channel: string, item: Item): void {
  const others = lists.get(channel)
  if (others) others.push(item)
  else lists.set(channel, [item])
}

/** Counts what was put back before a provider was asked. */
export function countBack(tally: BatchTally, number: number): void {
  tally.deferred += number
  tally.untried += number
}

/** It went out, or may have. */
export function isOut({ state }: Pick<Settlement, 'state'>): boolean {
  return state === 'sent' || state === 'uncertain'
}

/** Counts what was settled, as what it was recorded as. */
export function count(
  tally: Pick<BatchTally, 'settled' | 'skipped' | 'byChannel'>,
  settled: readonly RecordCount[],
): void {
  for (const { state, channel, skipped, number } of settled) {
    tally.settled[state] = (tally.settled[state] ?? 0) + number
    if (skipped !== null) tally.skipped[skipped] = (tally.skipped[skipped] ?? 0) + number
    if (isOut({ state }) && channel !== null) add(tally.byChannel, channel, number)
  }
}
