import type { CallTask, ContactView, InappMessage } from '../../channels/channel.ts'
import { type Clock, later } from '../../clock.ts'
import type { CompiledCampaign, CompiledStep } from '../../config/compiled.ts'
import { type Database, type Transaction, transaction } from '../../database/connect.ts'
import type { Installation } from '../../database/installation.ts'
import { throughOutage } from '../../database/outage.ts'
import { ensurePartitions } from '../../database/partitions.ts'
import { takeLastLook } from '../guards/last-look.ts'
import { lockEpisodes } from '../interruptions.ts'
import type { Going, TouchpointKey } from '../keys.ts'
import {
  type Deferral,
  LEASES,
  type Leases,
  markSending,
  numberOf,
  putBack,
  type RecordCount,
  type Settlement,
  settle,
} from '../lifecycle.ts'
import type { Cleared, Outgoing } from '../message.ts'
import { resolve } from '../recovery.ts'
import { neverReached, noteReach, openReach, type Reached } from './absences.ts'
import {
  add,
  againAt,
  againUntried,
  type BatchTally,
  composeSlice,
  concludeSend,
  count,
  countBack,
  countTry,
  type Handover,
  isOut,
  needingConsent,
  putOff,
  streamOf,
} from './sends.ts'
import type { Slots } from './slots.ts'
import { type Ended, openSends } from './under-way.ts'

// Handing over, as a rolling window: no more touchpoints are `sending` at a time than the channel sends at once, so
// a worker that is killed leaves at most that many in doubt. Marking the next slice and settling the last one go to
// the database together.

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

export interface RollingDependencies {
  readonly database: Database
  readonly clock: Clock
  /** What providers know this installation by. */
  readonly installation: Installation
  /** LEASES by default. */
  readonly leases?: Leases | undefined
  /** What the address a channel delivers to is remembered by; null where it delivers to no address. None by default. */
  addressKey?(channel: string, contact: ContactView): Buffer | null
  /** Forgets devices that are nobody's any more. */
  forgetDevices?(dead: readonly DeadDevice[]): Promise<void>
  /** Hears of a provider that is away, at each try, and of one that is reached again. */
  readonly onReach?: ((news: Reached) => void) | undefined
  /** Keeps what Winback itself is the provider of, in the transaction that settles the sends. */
  readonly keep?: Keep
  /**
   * The process is ending: sends under way are waited for, and no further ones begin. A batch may have minutes of them left,
   * and whoever ends processes waits for half of one before it kills.
   */
  readonly ending?: AbortSignal | undefined
  /** Sends under way are waited for no longer, and their channels were told so. */
  readonly left?: AbortSignal | undefined
}

/** A device a provider says is gone. */
export interface DeadDevice {
  readonly contactId: number
  readonly token: string
}

/**
 * Hands over what a batch has to send on one channel, and settles it; what the channel is not to be given now goes back.
 * @param slots what the process may have under way on that channel
 * @throws what went wrong first, once nothing is under way any more
 */
export async function roll(
  deps: RollingDependencies,
  handover: Handover,
  slots: Slots,
  tally: BatchTally,
): Promise<void> {
  // One that may take nothing is tried with what has been tried least: else the same few would use up theirs.
  const alone = slots.standstill.most === 1
  const todo = alone ? handover.toSend.toSorted(byTries) : [...handover.toSend]
  const failures: unknown[] = []
  const fail = (error: unknown) => failures.push(error)
  const [{ channel = '' } = {}] = todo
  const reach = openReach(
    slots.width,
    handover.context.channels.some(({ name, awayUntil }) => name === channel && awayUntil !== undefined),
    slots.putOff,
  )
  const sending = { stream: streamOf(handover), installation: deps.installation }
  const sends = openSends({ slots, reach, sending, left: deps.left })
  const ending = () => deps.ending?.aborted === true

  while (todo.length > 0 || sends.open > 0) {
    const { rest } = slots.standstill
    if ((reach.away || rest > 0 || ending()) && todo.length > 0) {
      const left = todo.splice(0).map(({ candidate }) => candidate)
      const again = reach.away ? againUntried : againAfter(rest)
      await leaveAlone(deps, handover, left, again, tally).catch(fail)
      continue
    }
    const results = sends.takeEnded()
    const idle = sends.underWay === 0 && results.length === 0
    const most = Math.min(reach.most, slots.standstill.most)
    const wanted = Math.min(todo.length, Math.max(0, most - sends.underWay))
    const room = wanted === 0 ? 0 : idle ? await slots.take(wanted) : slots.tryTake(wanted)
    // It may have come to a standstill while there was no room, or to the end of the process.
    if (idle && (slots.standstill.rest > 0 || ending())) {
      slots.give(room)
      continue
    }
    if (results.length === 0 && room === 0) {
      await sends.news()
      continue
    }
    const [marking, settling] = await Promise.allSettled([
      markSlice(deps, handover, todo.splice(0, room), tally),
      settleResults(deps, handover, results, tally),
    ])
    const { outgoing, leaseEnds } = marking.status === 'fulfilled' ? marking.value : NOTHING_MARKED
    slots.give(results.length + room - outgoing.length)
    for (const each of outgoing) sends.begin(each, leaseEnds)
    for (const step of [marking, settling]) if (step.status === 'rejected') fail(step.reason)
    if (todo.length > 0) await handover.pace().catch(fail)
    // Nothing more is begun, but what is under way is waited for and settled: nobody else knows how it ends. The
    // rest of the claim comes back by its lease.
    if (failures.length > 0) todo.length = 0
  }
  sends.close()
  const { database, clock, leases = LEASES } = deps
  await throughOutage(() => noteReach(database, channel, reach, clock.now()), leases.send)
    .then((news) => news && deps.onReach?.(news))
    .catch(fail)
  if (failures.length > 0) throw failures[0]
}

function byTries(a: Cleared, b: Cleared): number {
  return a.candidate.attempt - b.candidate.attempt
}

/**
 * Puts back what a channel that is away, or at a standstill, is not given; and what a process that is ending leaves to others.
 * @param again when it is to be looked at, and why
 */
async function leaveAlone(
  { database, clock }: RollingDependencies,
  { claimId }: Handover,
  left: readonly TouchpointKey[],
  again: (key: TouchpointKey, now: Date) => Deferral,
  tally: BatchTally,
): Promise<void> {
  const now = clock.now()
  const back = left.map((key) => again(key, now))
  countBack(tally, await putBack(database, claimId, now, back))
}

/** What a channel at a standstill is not given, for so many milliseconds; none where the process is ending. */
function againAfter(rest: number): (key: TouchpointKey, now: Date) => Deferral {
  return (key, now) => ({ ...againAt(key, later(now, rest / 1000)), why: 'retry' })
}

/** What may be handed over, and when its lease ends (performance.now()). */
interface Marked {
  readonly outgoing: readonly Outgoing[]
  readonly leaseEnds: number
}
const NOTHING_MARKED: Marked = { outgoing: [], leaseEnds: 0 }

/**
 * Composes a slice, looks once more at its time, marks what is left `sending`, and looks again. What was not marked is
 * no longer ours (a return came first) or is paused: it goes back, where the fence lets it.
 */
async function markSlice(
  deps: RollingDependencies,
  handover: Handover,
  slice: readonly Cleared[],
  tally: BatchTally,
): Promise<Marked> {
  if (slice.length === 0) return NOTHING_MARKED
  const { database, clock } = deps
  const { claimId, campaign } = handover
  const now = clock.now()
  const { composed, unfit, deferred } = await composeSlice(handover, slice, now)
  const needsConsent = needingConsent(handover)
  const leases = deps.leases ?? LEASES
  // Marked last: what goes wrong before leaves the slice claimed, and nobody in doubt.
  if (unfit.length > 0) {
    await ensurePartitions(database, 'touchpoint_records', [now])
    const ended = await settle(database, claimId, now, unfit)
    count(tally, ended)
    tally.untried += numberOf(ended)
  }
  if (deferred.length > 0) countBack(tally, await putBack(database, claimId, now, deferred))
  // Again after an outage: what an answer was lost to is `sending`, not handed over, and goes back with the rest.
  return await throughOutage(async () => {
    // Taken before the statement runs: the lease in the database ends no earlier than this one.
    const leaseEnds = performance.now() + leases.send * 1000
    const marked =
      composed.length === 0
        ? []
        : await takeLastLook(database, composed, (session, asked, counted) =>
            markSending(
              session,
              claimId,
              {
                keys: asked.map((outgoing) => goingOf(deps, outgoing)),
                campaign: campaign.name,
                now: deps.clock.now(),
                needsConsent,
                counted,
              },
              leases.send,
            ),
          )
    const mine = new Set(marked.map((key) => key.touchpointId))
    // The marking may have waited for a lock, or for the database: whatever begins, begins within its window.
    const late = putOff(handover, clock.now())
    const outgoing: Outgoing[] = []
    const back: Deferral[] = []
    for (const each of composed) {
      const { candidate, channel } = each
      const deferral = mine.has(candidate.touchpointId) ? late(each, channel.name) : againAt(candidate, now)
      if (deferral) back.push(deferral)
      else outgoing.push(each)
    }
    if (back.length > 0) countBack(tally, await putBack(database, claimId, now, back))
    return { outgoing, leaseEnds }
  }, leases.send)
}

function goingOf({ addressKey }: RollingDependencies, { candidate, channel, contact }: Outgoing): Going {
  return {
    contactId: candidate.contactId,
    touchpointId: candidate.touchpointId,
    channel: channel.name,
    addressKey: addressKey?.(channel.name, contact) ?? null,
  }
}

async function settleResults(
  deps: RollingDependencies,
  handover: Handover,
  results: readonly Ended[],
  tally: BatchTally,
): Promise<void> {
  if (results.length === 0) return
  const { database, clock } = deps
  const now = clock.now()
  const settled: Settlement[] = []
  const retries: Deferral[] = []
  for (const { outgoing, delivery, cut } of results) {
    const outcome = concludeSend(outgoing, delivery, now, handover.context.maxDelay, cut)
    if ('dueAt' in outcome) retries.push(outcome)
    else settled.push(outcome)
  }
  const dead = results.flatMap(({ outgoing, delivery }) =>
    (delivery.dead ?? []).map((token) => ({ contactId: outgoing.candidate.contactId, token })),
  )
  let tries = 0
  // What was handed over is known here and nowhere else: a restart of the database is waited for.
  await throughOutage(
    async () => {
      tries += 1
      if (settled.length > 0) {
        // It may be another month by now: a process that was suspended knows what became of its sends all the same.
        await ensurePartitions(database, 'touchpoint_records', [now])
        const done = await settleKeeping(deps, handover, now, settled, results)
        // Fewer than asked: the sweeper thought us dead and wrote `uncertain`. Now it is known. Or it put them back in doubt.
        if (numberOf(done) < settled.length) {
          tally.doubts = true
          const counted = await resolveTaken(database, now, settled, tries === 1 ? done : undefined)
          const [{ channel = null } = {}] = settled
          if (channel !== null) add(tally.swept, channel, counted)
        }
      }
      const back = retries.length > 0 ? await putBack(database, handover.claimId, now, retries) : 0
      if (back < retries.length) tally.doubts = true
    },
    (deps.leases ?? LEASES).send,
  )
  if (dead.length > 0) await deps.forgetDevices?.(dead)
  // What became of the sends, also where the answer was lost or the sweeper came first.
  count(
    tally,
    settled.map(({ state, channel }) => ({ state, channel, skipped: null, number: 1 })),
  )
  for (const { outgoing, delivery } of results) {
    if (neverReached(delivery)) tally.untried += 1
    else countTry(tally, outgoing, delivery)
  }
  tally.deferred += retries.length
  tally.doubts ||= retries.some(({ doubted }) => doubted)
}

/**
 * Writes down what is known of messages that were taken from us meanwhile. One that is out, or may be, is counted by whoever
 * took it and recorded it, or tries it again, or lost it to an erasure; one that has failed after all, they counted in vain.
 * @param done what we recorded ourselves; undefined where the answer to an earlier try was lost, and the rest may be ours
 * @returns how many not to count
 */
async function resolveTaken(
  database: Database,
  now: Date,
  settled: readonly Settlement[],
  done: readonly RecordCount[] | undefined,
): Promise<number> {
  const known = async (state: Settlement['state']) =>
    await resolve(
      database,
      now,
      settled.filter((each) => each.state === state),
    )
  const failed = await known('failed')
  const sent = await known('sent')
  return failed + (done ? settled.filter(isOut).length - numberOf(done.filter(isOut)) : sent)
}

/** Settles; what Winback itself is the provider of is kept in the same transaction. */
async function settleKeeping(
  { database, keep }: RollingDependencies,
  { claimId, campaign, context, promised }: Handover,
  now: Date,
  settled: readonly Settlement[],
  results: readonly Ended[],
): Promise<RecordCount[]> {
  const keepsakes = results.flatMap(({ outgoing: { candidate, offer }, delivery }): Keepsake[] => {
    const { contactId, touchpointId, episodeId } = candidate
    if (delivery.outcome !== 'sent' || !delivery.keep) return []
    return [{ contactId, touchpointId, episodeId, offer: offer ?? null, keep: delivery.keep }]
  })
  if (!keep || keepsakes.length === 0) return await settle(database, claimId, now, settled, promised)
  return await transaction(database, async (tx) => {
    // A return that is being recorded comes before or after all of this: it finds the call, or the call finds it.
    await lockEpisodes(tx, keepsakes)
    const done = await settle(tx, claimId, now, settled, promised)
    await keep(tx, now, { campaign, step: context.step }, keepsakes)
    return done
  })
}
