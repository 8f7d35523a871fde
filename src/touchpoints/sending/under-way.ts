import type { Delivery } from '../../channels/channel.ts'
import type { Outgoing } from '../message.ts'
import { neverReached, type Reach, takesNone } from './absences.ts'
import { handOver, type Sending } from './sends.ts'
import type { Slots } from './slots.ts'

// The sends of a batch from their beginning to their end: those under way, and those that have ended and wait for others to
// be settled with.

/** A send that has ended, and how. */
export interface Ended {
  readonly outgoing: Outgoing
  readonly delivery: Delivery
  /** It ended because this process does. */
  readonly cut: boolean
}

/** Milliseconds a send that has ended may wait for others to be settled with. */
const LINGER = 50
/** Milliseconds a channel has to say how far a send came, and to close, once it was told that nobody waits any longer. */
export const LAST_WORD = 1000

/**
 * The sends of one batch; what each shows of its provider is told to `reach` and to the channel's standstill.
 * @param left aborts once sends under way are waited for no longer
 */
export function openSends(of: {
  readonly slots: Slots
  readonly reach: Reach
  readonly sending: Sending
  readonly left: AbortSignal | undefined
}) {
  const { slots, reach, sending, left } = of
  const half = slots.width / 2
  const farewell = openFarewell(left)
  const ended: Ended[] = []
  let underWay = 0
  let settleAt = Number.POSITIVE_INFINITY
  let wake = () => {}

  const note = (outgoing: Outgoing, delivery: Delivery, took: number) => {
    underWay -= 1
    const cut = left?.aborted === true
    let counted = delivery
    // What we end ourselves says nothing of its provider.
    if (!cut) {
      counted = reach.note(delivery, outgoing.candidate.touchpointId)
      // One that cannot be reached, or takes none, is left alone by what `reach` says of it, however slowly it fails.
      if (!neverReached(delivery) && !takesNone(delivery)) {
        const { touchpointId } = outgoing.candidate
        slots.standstill.note(delivery.outcome, took, isInDoubt(outgoing, delivery), touchpointId)
      }
    }
    if (ended.length === 0) settleAt = performance.now() + LINGER
    ended.push({ outgoing, delivery: counted, cut })
    wake()
  }
  return {
    /** How many have not ended. */
    get underWay() {
      return underWay
    },
    /** How many have not ended or were not taken yet. */
    get open() {
      return underWay + ended.length
    },
    begin: (outgoing: Outgoing, leaseEnds: number): void => {
      underWay += 1
      const begun = performance.now()
      void farewell
        .orCut(outgoing, handOver(outgoing, leaseEnds, sending))
        .then((delivery) => note(outgoing, delivery, performance.now() - begun))
    },
    /** Those that have ended, once they are worth settling: half of what may be under way, the last, or one that waited. */
    takeEnded: (): Ended[] =>
      ended.length >= half || underWay === 0 || performance.now() >= settleAt ? ended.splice(0) : [],
    /** Resolves when one ends, or when what has ended has waited long enough. */
    news: (): Promise<void> =>
      new Promise((resolve) => {
        // Half a slice is worth waiting for, though not for ever: what has ended is in doubt until it is settled.
        const rest = Math.max(0, settleAt - performance.now())
        const timer = ended.length > 0 ? setTimeout(resolve, rest) : undefined
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      }),
    close: farewell.close,
  }
}

/**
 * Whether a send may have been taken for all that its provider said. Of a robot that takes what is beyond people's capacity that
 * says nothing of the channel, by which people go on.
 */
function isInDoubt({ channel }: Outgoing, delivery: Delivery): boolean {
  if (delivery.outcome === 'uncertain') return true
  const open = delivery.outcome === 'retry' && delivery.unsent !== true
  return open && channel.idempotent && channel.overflow !== 'overflow'
}

/**
 * What a process that is ending makes of sends under way.
 * @param left aborts once they are waited for no longer
 */
function openFarewell(left: AbortSignal | undefined) {
  let timer: NodeJS.Timeout | undefined
  let cut = () => {}
  const gone = new Promise<void>((resolve) => {
    cut = () => {
      timer = setTimeout(resolve, LAST_WORD)
    }
  })
  if (left?.aborted) cut()
  else left?.addEventListener('abort', cut)
  return {
    /** A send's own end, or that nobody knows it. */
    orCut: ({ channel }: Outgoing, sending: Promise<Delivery>): Promise<Delivery> => {
      const detail = 'this process ended before the provider answered'
      const outcome = channel.idempotent ? 'retry' : 'uncertain'
      return left ? Promise.race([sending, gone.then(() => ({ outcome, detail }) as const)]) : sending
    },
    close: () => {
      clearTimeout(timer)
      left?.removeEventListener('abort', cut)
    },
  }
}
