import type { CallTask, Channel, ContactView, Delivery, InappMessage } from '../channels/channel.ts'
import type { Clock } from '../clock.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { type Database, type Transaction, transaction } from '../database/connect.ts'
import { throughOutage } from '../database/outage.ts'
import { messageOf } from '../errors.ts'
import type { Cleared, Compose } from './batch.ts'
import type { Candidate } from './gather.ts'
import type { GuardContext } from './guards.ts'
import {
  type Deferral,
  LEASES,
  type Leases,
  lockEpisodes,
  markSending,
  putBack,
  renew,
  resolve,
  type Settlement,
  settle,
} from './lifecycle.ts'
import { openingByZone } from './windows.ts'

// Handing over, as a rolling window: no more touchpoints are `sending` at a time than the channel sends at once, so
// a worker that is killed leaves at most that many in doubt. Marking the next slice and settling the last one go to
// the database together.

/** A composed message, ready to be handed over. */
export interface Outgoing {
  readonly candidate: Candidate
  readonly contact: ContactView
  readonly channel: Channel
  readonly address: unknown
  readonly content: unknown
  readonly template: string | null
  readonly cost: number
  /** The offer whose grant the message promises. */
  readonly offer?: string | null
  /** A call beyond what people can make today. */
  readonly overflow?: boolean
}

/** Something Winback is the provider of, as its channel said it. */
export interface Keepsake {
  readonly contactId: number
  readonly touchpointId: number
  readonly episodeId: number
  readonly offer: string | null
  readonly keep: InappMessage | CallTask
}

/** Writes what is kept, beside the settlement. Those of a send that turns out to be settled otherwise are left alone. */
export type Keep = (
  tx: Transaction,
  now: Date,
  place: { readonly campaign: CompiledCampaign; readonly step: CompiledStep },
  keepsakes: readonly Keepsake[],
) => Promise<void>

/** The sends a process may have under way on one channel, shared by the jobs that run side by side. */
export interface Slots {
  readonly width: number
  /** Waits until half of the width (or all that is wanted) is free and takes as many as there are, up to `wanted`. */
  take(wanted: number): Promise<number>
  /** Takes without waiting; 0 where too few are free. */
  tryTake(wanted: number): number
  give(count: number): void
}

export function createSlots(width: number): Slots {
  const half = Math.max(1, Math.ceil(width / 2))
  const waiting: { wanted: number; grant(count: number): void }[] = []
  let free = width
  const tryTake = (wanted: number) => {
    if (free < Math.min(wanted, half)) return 0
    const taken = Math.min(wanted, free)
    free -= taken
    return taken
  }
  return {
    width,
    tryTake,
    take: (wanted) =>
      new Promise((grant) => {
        const taken = waiting.length === 0 ? tryTake(wanted) : 0
        if (taken > 0) grant(taken)
        else waiting.push({ wanted, grant })
      }),
    give: (count) => {
      free += count
      for (let next = waiting[0]; next; next = waiting[0]) {
        const taken = tryTake(next.wanted)
        if (taken === 0) return
        waiting.shift()
        next.grant(taken)
      }
    },
  }
}

export interface DeliveryDependencies {
  readonly database: Database
  readonly clock: Clock
  readonly slots: ReadonlyMap<string, Slots>
  readonly leases?: Leases
  /** Forgets devices that are nobody's any more. */
  forgetDevices?(dead: readonly DeadDevice[]): Promise<void>
  readonly keep?: Keep
}

/** A device a provider says is gone. */
export interface DeadDevice {
  readonly contactId: number
  readonly token: string
}

interface Dispatch {
  readonly claimId: string
  readonly campaign: CompiledCampaign
  readonly context: GuardContext
  readonly toSend: readonly Cleared[]
  readonly compose: Compose
}

/** A send that has ended, and how. */
interface Ended {
  readonly outgoing: Outgoing
  readonly delivery: Delivery
}

/** Sends what the guards let through, channel by channel, and settles it. */
export async function deliver(dependencies: DeliveryDependencies, dispatch: Dispatch): Promise<Tally> {
  const tally: Tally = { settled: {}, deferred: 0, byChannel: new Map() }
  for (const channel of new Set(dispatch.toSend.map((cleared) => cleared.channel))) {
    const toSend = dispatch.toSend.filter((cleared) => cleared.channel === channel)
    const slots = dependencies.slots.get(channel)
    if (slots) await roll(dependencies, { ...dispatch, toSend }, slots, tally)
  }
  return tally
}

/** Milliseconds a send that has ended may wait for others to be settled with. */
const LINGER = 50

/** What became of the messages of a batch. */
export interface Tally {
  settled: Record<string, number>
  deferred: number
  /** How many went out or may have, by channel. */
  byChannel: Map<string, number>
}

async function roll(
  deps: DeliveryDependencies,
  dispatch: Dispatch,
  slots: Slots,
  tally: Tally,
): Promise<void> {
  const todo = [...dispatch.toSend]
  const ended: Ended[] = []
  const failures: unknown[] = []
  const half = slots.width / 2
  const lease = (deps.leases ?? LEASES).claim
  const stream = `${dispatch.campaign.name}.${dispatch.context.step.id}`
  let underWay = 0
  let wake = () => {}
  let settleAt = Number.POSITIVE_INFINITY
  let renewAt = performance.now() + lease * 500

  while (todo.length > 0 || underWay > 0 || ended.length > 0) {
    const enough = ended.length >= half || underWay === 0 || performance.now() >= settleAt
    const results = enough ? ended.splice(0) : []
    const idle = underWay === 0 && results.length === 0
    const room = todo.length === 0 ? 0 : idle ? await slots.take(todo.length) : slots.tryTake(todo.length)
    if (results.length === 0 && room === 0) {
      await new Promise<void>((resolve) => {
        // Half a slice is worth waiting for, though not for ever: what has ended is in doubt until it is settled.
        const timer = ended.length > 0 ? setTimeout(resolve, settleAt - performance.now()) : undefined
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      continue
    }
    const slice = todo.splice(0, room)
    const [marking, settling] = await Promise.allSettled([
      markSlice(deps, dispatch, slice, tally),
      settleResults(deps, dispatch, results, tally),
    ])
    const marked = marking.status === 'fulfilled' ? marking.value : NOTHING_MARKED
    slots.give(results.length + room - marked.outgoing.length)
    for (const outgoing of marked.outgoing) {
      underWay += 1
      void handOver(outgoing, marked.leaseEnds, stream).then((delivery) => {
        underWay -= 1
        if (ended.length === 0) settleAt = performance.now() + LINGER
        ended.push({ outgoing, delivery })
        wake()
      })
    }
    for (const step of [marking, settling]) if (step.status === 'rejected') failures.push(step.reason)
    if (todo.length > 0 && performance.now() > renewAt) {
      renewAt = performance.now() + lease * 500
      const rest = todo.map((cleared) => cleared.candidate)
      await renew(deps.database, dispatch.claimId, rest, lease).catch((error) => failures.push(error))
    }
    // Nothing more is begun, but what is under way is waited for and settled: nobody else knows how it ends. The
    // rest of the claim comes back by its lease.
    if (failures.length > 0) todo.length = 0
  }
  if (failures.length > 0) throw failures[0]
}

/** What may be handed over, and when its lease ends (performance.now()). */
interface Marked {
  readonly outgoing: readonly Outgoing[]
  readonly leaseEnds: number
}
const NOTHING_MARKED: Marked = { outgoing: [], leaseEnds: 0 }

/**
 * Composes a slice, looks once more at the local window, and marks what is left `sending`. What was not marked is
 * no longer ours (a return came first) or is paused: it goes back, where the fence lets it.
 */
async function markSlice(
  deps: DeliveryDependencies,
  dispatch: Dispatch,
  slice: readonly Cleared[],
  tally: Tally,
): Promise<Marked> {
  if (slice.length === 0) return NOTHING_MARKED
  const { database, clock } = deps
  const { claimId, campaign, context } = dispatch
  const now = clock.now()
  const composed: Outgoing[] = []
  const unfit: Settlement[] = []
  const deferred: Deferral[] = []
  const openings = new Map(
    context.channels.map(({ name, window, margin }) => [
      name,
      openingByZone(window, now, margin, context.calendar),
    ]),
  )
  for (const cleared of slice) {
    const { contactId, touchpointId } = cleared.candidate
    const opening = openings.get(cleared.channel)?.(cleared.contact.timezone)
    if (opening) {
      deferred.push({ contactId, touchpointId, dueAt: opening, tried: false })
      continue
    }
    const result = dispatch.compose(cleared)
    if ('state' in result) unfit.push(result)
    else composed.push(result)
  }
  const keys = composed.map(({ candidate, channel }) => ({
    contactId: candidate.contactId,
    touchpointId: candidate.touchpointId,
    channel: channel.name,
  }))
  const needsConsent = context.channels.flatMap((channel) => (channel.needsConsent ? [channel.name] : []))
  const leases = deps.leases ?? LEASES
  // Marked last: what goes wrong before leaves the slice claimed, and nobody in doubt.
  if (unfit.length > 0) count(tally, unfit, await settle(database, claimId, now, unfit))
  if (deferred.length > 0) tally.deferred += await putBack(database, claimId, deferred)
  // Again after an outage: what an answer was lost to is `sending`, not handed over, and goes back with the rest.
  return await throughOutage(async () => {
    // Taken before the statement runs: the lease in the database ends no earlier than this one.
    const leaseEnds = performance.now() + leases.send * 1000
    const marked =
      keys.length === 0
        ? []
        : await markSending(
            database,
            claimId,
            { keys, campaign: campaign.name, now: deps.clock.now(), needsConsent },
            leases.send,
          )
    const mine = new Set(marked.map((key) => key.touchpointId))
    const outgoing = composed.filter(({ candidate }) => mine.has(candidate.touchpointId))
    const back = composed.flatMap(({ candidate: { contactId, touchpointId } }) =>
      mine.has(touchpointId) ? [] : [{ contactId, touchpointId, dueAt: now, tried: false }],
    )
    if (back.length > 0) tally.deferred += await putBack(database, claimId, back)
    return { outgoing, leaseEnds }
  }, leases.send)
}

/** One send. It never throws, and it does not begin where its lease might end before it does. */
async function handOver(outgoing: Outgoing, leaseEnds: number, stream: string): Promise<Delivery> {
  const { channel, candidate, address, content, overflow } = outgoing
  if (performance.now() + channel.deadline > leaseEnds) {
    return { outcome: 'retry', detail: 'the lease was nearly over before the send began', after: 0 }
  }
  const { contactId, touchpointId } = candidate
  try {
    return await channel.send({
      contactId,
      touchpointId,
      stream,
      address,
      content,
      key: `tp-${touchpointId}`,
      ...(overflow ? { overflow } : {}),
    })
  } catch (error) {
    // A defect of the channel: nobody knows how far it got, so only a recognised repeat is safe.
    return { outcome: channel.idempotent ? 'retry' : 'uncertain', detail: messageOf(error) }
  }
}

/** How often a touchpoint is tried before it is given up, and the seconds between tries. */
export const BACK_OFF = [60, 300, 1800, 7200, 21_600]

async function settleResults(
  deps: DeliveryDependencies,
  dispatch: Dispatch,
  results: readonly Ended[],
  tally: Tally,
): Promise<void> {
  if (results.length === 0) return
  const { database, clock } = deps
  const now = clock.now()
  const settled: Settlement[] = []
  const retries: Deferral[] = []
  for (const { outgoing, delivery } of results) {
    const outcome = concludeSend(outgoing, delivery, now, dispatch.context.maxDelay)
    if ('dueAt' in outcome) retries.push(outcome)
    else settled.push(outcome)
  }
  const dead = results.flatMap(({ outgoing, delivery }) =>
    (delivery.dead ?? []).map((token) => ({ contactId: outgoing.candidate.contactId, token })),
  )
  // What was handed over is known here and nowhere else: a restart of the database is waited for.
  await throughOutage(
    async () => {
      if (settled.length > 0) {
        const done = await settleKeeping(deps, dispatch, now, settled, results)
        // Fewer than asked: the sweeper thought us dead and wrote `uncertain`. Now it is known.
        if (done < settled.length) await resolve(database, now, settled)
      }
      if (retries.length > 0) await putBack(database, dispatch.claimId, retries)
    },
    (deps.leases ?? LEASES).send,
  )
  if (dead.length > 0) await deps.forgetDevices?.(dead)
  count(tally, settled, settled.length)
  tally.deferred += retries.length
}

/** Settles; what Winback itself is the provider of is kept in the same transaction. */
async function settleKeeping(
  { database, keep }: DeliveryDependencies,
  { claimId, campaign, context }: Dispatch,
  now: Date,
  settled: readonly Settlement[],
  results: readonly Ended[],
): Promise<number> {
  const keepsakes = results.flatMap(({ outgoing: { candidate, offer }, delivery }): Keepsake[] => {
    const { contactId, touchpointId, episodeId } = candidate
    if (delivery.outcome !== 'sent' || !delivery.keep) return []
    return [{ contactId, touchpointId, episodeId, offer: offer ?? null, keep: delivery.keep }]
  })
  if (!keep || keepsakes.length === 0) return await settle(database, claimId, now, settled)
  return await transaction(database, async (tx) => {
    // A return that is being recorded comes before or after all of this: it finds the call, or the call finds it.
    await lockEpisodes(tx, keepsakes)
    const done = await settle(tx, claimId, now, settled)
    await keep(tx, now, { campaign, step: context.step }, keepsakes)
    return done
  })
}

/** What a send's outcome means for its touchpoint. Pure. */
export function concludeSend(
  outgoing: Outgoing,
  delivery: Delivery,
  now: Date,
  maxDelay: number,
): Settlement | Deferral {
  const { candidate, channel, template } = outgoing
  const cost = delivery.outcome === 'sent' ? (delivery.cost ?? outgoing.cost) : outgoing.cost
  const { contactId, touchpointId, attempt } = candidate
  const settled = (
    state: Settlement['state'],
    reason: string | null,
    detail: string | null,
    spent: boolean,
    providerId: string | null = null,
  ): Settlement => ({
    contactId,
    touchpointId,
    state,
    reason,
    detail,
    channel: channel.name,
    template,
    providerId,
    cost: spent ? cost : 0,
  })
  const tryAgain = (detail: string, after: number): Settlement | Deferral => {
    const pause = Math.max(BACK_OFF[attempt] ?? 0, after)
    const dueAt = new Date(now.getTime() + pause * 1000)
    const tooLate = dueAt.getTime() > candidate.plannedFor.getTime() + maxDelay * 1000
    if (attempt >= BACK_OFF.length || tooLate) return settled('failed', 'attempts', detail, false)
    return { contactId, touchpointId, dueAt, tried: true }
  }
  switch (delivery.outcome) {
    case 'sent':
      return settled('sent', null, delivery.detail ?? null, true, delivery.providerId ?? null)
    case 'rejected':
      return settled('failed', delivery.reason, delivery.detail, false)
    case 'uncertain':
      // An idempotent provider recognises the repeat by its key: doubt is settled by asking again.
      if (channel.idempotent) return tryAgain(delivery.detail, 0)
      // It may have gone out, so its price and its offer count as spent until somebody knows better.
      return settled('uncertain', null, delivery.detail, true)
    case 'retry':
      return tryAgain(delivery.detail, delivery.after ?? 0)
  }
}

function count(tally: Tally, settled: readonly Settlement[], number: number): void {
  for (const { state, channel } of settled.slice(0, number)) {
    tally.settled[state] = (tally.settled[state] ?? 0) + 1
    const out = state === 'sent' || state === 'uncertain'
    if (out && channel !== null) tally.byChannel.set(channel, (tally.byChannel.get(channel) ?? 0) + 1)
  }
}
