import type { Clock } from '../../clock.ts'
import type { Database } from '../../database/connect.ts'
import type { Installation } from '../../database/installation.ts'
import { throughOutage } from '../../database/outage.ts'
import { ensurePartitions } from '../../database/partitions.ts'
import { takeLastLook } from '../guards/last-look.ts'
import {
  LEASES,
  type Leases,
  numberOf,
  putBack,
  type Settlement,
  settle,
  settleUnmarked,
} from '../lifecycle.ts'
import {
  add,
  againAt,
  type BatchTally,
  composeSlice,
  concludeSend,
  count,
  countBack,
  type Handover,
  handOver,
  needingConsent,
  streamOf,
} from './sends.ts'

export interface RecordingDependencies {
  readonly database: Database
  readonly clock: Clock
  readonly installation: Installation
  readonly leases?: Leases | undefined
}

/**
 * Sends on a channel that has no effect outside: the record is the handover, so there is nothing to be in doubt of, and
 * what is sent is settled in the statement that looks whether it may be, and dated by the look at its window, however
 * long that statement waits. What is not (a return came first, a pause) goes back, where the fence lets it.
 */
export async function record(
  deps: RecordingDependencies,
  handover: Handover,
  tally: BatchTally,
): Promise<void> {
  const { database, clock } = deps
  const { claimId, campaign, context, promised } = handover
  const now = clock.now()
  const { composed, unfit, deferred } = await composeSlice(handover, handover.toSend, now)
  const leases = deps.leases ?? LEASES
  const leaseEnds = performance.now() + leases.send * 1000
  const sending = { stream: streamOf(handover), installation: deps.installation }
  const sent: Settlement[] = []
  const later = [...deferred]
  for (const outgoing of composed) {
    const outcome = concludeSend(
      outgoing,
      await handOver(outgoing, leaseEnds, sending),
      now,
      context.maxDelay,
    )
    if ('dueAt' in outcome) later.push(outcome)
    else sent.push(outcome)
  }
  const last = { campaign: campaign.name, now, needsConsent: needingConsent(handover) }
  await throughOutage(async () => {
    await ensurePartitions(database, 'touchpoint_records', [now])
    const ended = unfit.length > 0 ? await settle(database, claimId, now, unfit) : []
    count(tally, ended)
    tally.untried += numberOf(ended)
    const recorded =
      sent.length > 0
        ? await takeLastLook(database, composed, async (session, asked, counted) => {
            const ids = new Set(asked.map(({ candidate }) => candidate.touchpointId))
            const mine = sent.filter(({ touchpointId }) => ids.has(touchpointId))
            return await settleUnmarked(session, claimId, mine, { ...last, counted }, promised)
          })
        : []
    count(tally, recorded)
    for (const { channel, number } of recorded) if (channel !== null) add(tally.tried, channel, number)
    // Those that are settled are no longer there to go back.
    const back =
      numberOf(recorded) < sent.length ? [...later, ...sent.map((each) => againAt(each, now))] : later
    if (back.length > 0) countBack(tally, await putBack(database, claimId, now, back))
  }, leases.send)
}
