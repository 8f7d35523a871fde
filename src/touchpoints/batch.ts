import { randomUUID } from 'node:crypto'
import type { CampaignBook, CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { countSends } from './breakers.ts'
import type { Batch } from './dispatch.ts'
import { type Candidate, gather } from './gather.ts'
import { type GuardDependencies, reachesDevices, readGuardContext } from './guards/guard-context.ts'
import { type Judged, judgeAll, type Verdict } from './guards/guards.ts'
import type { TouchpointKey } from './keys.ts'
import {
  claim,
  type Deferral,
  LEASES,
  numberOf,
  putBack,
  type Settlement,
  settle,
  settlementOf,
} from './lifecycle.ts'
import {
  type Cleared,
  type Compose,
  clearedFor,
  composeOnce,
  composer,
  type TemplateFinder,
} from './message.ts'
import { keepPace } from './pace.ts'
import { giveBack, type Unused } from './rates.ts'
import { overflowOf, takeCallSlots, underCapacityOf } from './reservations/capacity.ts'
import { underLimitsOf } from './reservations/costs.ts'
import type { ReserveDependencies } from './reservations/reservation.ts'
import { release, reserve } from './reservations/reserve.ts'
import { type DeliveryDependencies, deliver } from './sending/delivery.ts'
import { type BatchTally, count, type Leaving } from './sending/sends.ts'
import { refreshStandings } from './standings.ts'
import { type Sender, viewContact } from './view.ts'

// One batch, from the job to the record: claim → look → judge, sift → take slots of calls → reserve → settle or put back
// what does not go → deliver, which renders, sends and settles the rest → release → account. A handful of statements for
// hundreds of touchpoints; none of them is per contact.

export interface WorkerDependencies extends GuardDependencies, ReserveDependencies, DeliveryDependencies {
  readonly book: CampaignBook
  readonly sender: Sender
  /** Looks which key signs the links of messages now. */
  renewLinks?(): Promise<void>
  /** Loads the template set of a version; loads each once. */
  templates(version: Pick<CompiledCampaign, 'templateSet' | 'locales'>): Promise<TemplateFinder>
  /** Hears of messages whose address does not exist, as their provider says. */
  heedRefusals?(channel: string, refused: readonly TouchpointKey[]): Promise<void>
  /** Hears of messages whose reader wants no more, as their provider says. */
  heedLeaving?(channel: string, leaving: readonly Leaving[]): Promise<void>
}

/** What became of a batch. */
export interface BatchResult {
  readonly claimed: number
  readonly settled: Readonly<Record<string, number>>
  readonly deferred: number
  /** Of those that were skipped, how many for which reason. */
  readonly skipped?: Readonly<Record<string, number>>
  /** Channels whose providers took none of its messages, though they were asked. */
  readonly tookNone?: readonly TookNone[]
}

export interface TookNone {
  readonly channel: string
  readonly messages: number
  /** The provider's words, of the last of them. */
  readonly said: string
}

/** Of fewer messages than these, it may have been about the messages. */
const NO_CHANCE = 3

/** Processes the touchpoints of one job. What is no longer queued (a second run of the job, a cancel) is left alone. */
export async function processBatch(dependencies: WorkerDependencies, batch: Batch): Promise<BatchResult> {
  const { database, clock, book } = dependencies
  const opened = await book.step(batch.stepId)
  const claimId = randomUUID()
  const { claim: lease } = dependencies.leases ?? LEASES
  const keys = await claim(database, claimId, batch.keys, lease)
  if (keys.length === 0) return { claimed: 0, settled: {}, deferred: 0 }
  const pace = keepPace(database, claimId, keys, lease)

  const now = clock.now()
  const { candidates, context, campaign, step } = await look(dependencies, { claimId, keys, now, ...opened })
  const { cleared, held } = sift(
    keys,
    candidates,
    judgeAll(candidates, (one) => viewContact(one, dependencies.sender, campaign), context),
  )
  const compose = await composerOf(dependencies, campaign, step)
  const overflow = overflowOf(dependencies.channels)
  const called = step.call
    ? await takeCallSlots(database, { campaign, step, now, overflow }, cleared)
    : { allowed: cleared, refused: [] }
  const reservation = { claimId, campaign, step, now, compose, pace }
  const reserved = await reserve(dependencies, reservation, called.allowed)
  for (const refused of [...called.refused, ...reserved.refused]) {
    hold(held, refused.cleared.candidate, refused.verdict)
  }
  const ended = held.ended.length > 0 ? await settle(database, claimId, now, held.ended) : []
  const back = held.deferred.length > 0 ? await putBack(database, claimId, now, held.deferred) : 0

  const delivered = await deliver(dependencies, {
    claimId,
    campaign,
    context,
    toSend: reserved.toSend,
    promised: reserved.promised,
    compose,
    pace,
  })
  await release(database, claimId, clock.now(), reserved, delivered.doubts)
  // What was taken from us meanwhile is given back by whoever took it.
  const untried = numberOf(ended) + back + delivered.untried
  const unused = unusedPlaces(step.channels, delivered, untried)
  count(delivered, ended)
  await account(dependencies, {
    campaign,
    sent: delivered.byChannel,
    swept: delivered.swept,
    unused,
    ratedOn: batch.ratedOn,
  })
  // After that: whether the provider took others' messages is told by what is counted.
  for (const [channel, refused] of delivered.nowhere) await dependencies.heedRefusals?.(channel, refused)
  for (const [channel, leaving] of delivered.left) await dependencies.heedLeaving?.(channel, leaving)
  const { settled, skipped, deferred } = delivered
  return {
    claimed: keys.length,
    settled,
    deferred: held.deferred.length + deferred,
    skipped,
    tookNone: whoTookNone(delivered),
  }
}

/** Pure. */
function whoTookNone({ tried, turnedAway }: Pick<BatchTally, 'tried' | 'turnedAway'>): TookNone[] {
  return [...turnedAway].flatMap(([channel, { messages, said }]) =>
    messages >= NO_CHANCE && messages === tried.get(channel) ? [{ channel, messages, said }] : [],
  )
}

/**
 * Reads whom the messages are for, what the guards ask about beside them, and what the campaign says by now.
 * @returns campaign and step with the limits that the newest version says
 */
async function look(
  dependencies: WorkerDependencies,
  batch: {
    readonly claimId: string
    readonly keys: readonly TouchpointKey[]
    readonly campaign: CompiledCampaign
    readonly step: CompiledStep
    readonly now: Date
  },
) {
  const { database, book } = dependencies
  const { campaign, step, now } = batch
  await ensurePartitions(database, 'touchpoint_records', [now])
  if (step.data) await refreshStandings(database, now)
  const [candidates, context, newest] = await Promise.all([
    gather(database, { ...batch, devices: reachesDevices(dependencies, step) }),
    readGuardContext(dependencies, campaign, step, now),
    book.currentText(campaign.name),
    dependencies.renewLinks?.(),
  ])
  const limited = underCapacityOf(step, newest)
  return {
    candidates,
    context: { ...context, step: limited },
    campaign: underLimitsOf(campaign, newest),
    step: limited,
  }
}

/** Parts what the guards let through from what does not go now. */
function sift(
  keys: readonly TouchpointKey[],
  candidates: readonly Candidate[],
  judged: readonly Judged[],
): { cleared: Cleared[]; held: Held } {
  const held: Held = { ended: endGone(keys, candidates), deferred: [] }
  const cleared: Cleared[] = []
  for (const { candidate, contact, verdict } of judged) {
    if (verdict.kind === 'send') cleared.push(clearedFor(candidate, contact, verdict))
    else hold(held, candidate, verdict)
  }
  return { cleared, held }
}

/** Makes the messages of a batch; where a budget asks what each costs before it is sent, each once. */
async function composerOf(
  dependencies: WorkerDependencies,
  campaign: CompiledCampaign,
  step: CompiledStep,
): Promise<Compose> {
  const { sender, channels } = dependencies
  const templates = await dependencies.templates(campaign)
  const compose = composer({ templates, sender, campaign, step, channels })
  return campaign.definition.limits.budget.spend ? composeOnce(compose) : compose
}

/** Tells the breakers what went out, and gives back what the dispatcher took for messages that did not. */
async function account(
  { database, clock }: WorkerDependencies,
  batch: {
    campaign: CompiledCampaign
    /** How many went out or may have, by channel: those, too, of which an earlier try may have, and no other is made. */
    sent: ReadonlyMap<string, number>
    /** How many of them others count, who took us for dead. */
    swept: ReadonlyMap<string, number>
    unused: readonly Unused[]
    ratedOn: string | undefined
  },
): Promise<void> {
  const { campaign, sent, swept, unused, ratedOn } = batch
  for (const channel of new Set([...sent.keys(), ...swept.keys()])) {
    const number = (sent.get(channel) ?? 0) - (swept.get(channel) ?? 0)
    await countSends(database, { campaign: campaign.name, channel, now: clock.now(), sent: number })
  }
  await giveBack(database, unused, ratedOn)
}

/**
 * Places were taken on each channel of the step: unused is, on each, what was never tried there, and what did not go out by it.
 * @param untried what was tried on none
 */
function unusedPlaces(
  channels: readonly string[],
  { tried, byChannel }: BatchTally,
  untried: number,
): Unused[] {
  const all = [...tried.values()].reduce((sum, each) => sum + each, untried)
  return channels.map((channel) => ({
    channel,
    untried: all - (tried.get(channel) ?? 0),
    unsent: all - (byChannel.get(channel) ?? 0),
  }))
}

/** What of a batch does not go now. */
interface Held {
  readonly ended: Settlement[]
  readonly deferred: Deferral[]
}

/** A contact that is there no more has nothing to be judged by, and its touchpoint ends all the same. */
function endGone(keys: readonly TouchpointKey[], candidates: readonly Candidate[]): Settlement[] {
  const gathered = new Set(candidates.map((candidate) => candidate.touchpointId))
  const gone = keys.filter(({ touchpointId }) => !gathered.has(touchpointId))
  return gone.map((key) => settlementOf(key, 'skipped', 'erased', null))
}

/** Files a candidate that does not go under what becomes of it. */
function hold({ ended, deferred }: Held, candidate: Candidate, verdict: Verdict): void {
  const { contactId, touchpointId } = candidate
  switch (verdict.kind) {
    case 'defer':
      deferred.push({
        contactId,
        touchpointId,
        dueAt: verdict.until,
        tried: verdict.tried ?? false,
        why: verdict.cause,
      })
      break
    case 'skip':
      ended.push(settlementOf(candidate, 'skipped', verdict.reason, verdict.detail))
      break
    case 'cancel':
      ended.push(settlementOf(candidate, 'cancelled', verdict.reason, null))
  }
}
