import type { Delivery } from '../../channels/channel.ts'

// A provider that takes connections and says nothing: each send takes its whole deadline. A batch would go on like that
// for hours and have one of the few places for jobs, and the other channels' batches would wait for it. And one that breaks
// off, or answers what leaves a message in doubt (500, say), at once: whatever is due would be in doubt for good within
// minutes, or have used up its tries within hours. So a channel that is at a standstill is left alone for a while, then tried
// with one message of a batch, and left alone for longer.

export interface Standstill {
  /** Milliseconds for which nothing is to be begun; 0 where sends may go. */
  readonly rest: number
  /** How many of a batch may be under way at once: one after a rest, until one is answered. */
  readonly most: number
  /**
   * Tells how a send ended, and how many milliseconds that took.
   * @param inDoubt it may have been taken
   * @param message what was sent: one that is tried again and again shows nothing of others; another each time by default
   */
  note(outcome: Delivery['outcome'], took: number, inDoubt?: boolean, message?: unknown): void
}

/** Milliseconds. */
export interface Rests {
  /** A send without an answer that took longer stood still; one that failed sooner, and is in no doubt, costs nobody anything. */
  readonly slow: number
  readonly first: number
  readonly longest: number
}

const RESTS: Rests = { slow: 5_000, first: 60_000, longest: 900_000 }
/** So many one after another are no chance, nor a single message that is odd. */
const [FEWEST, MOST] = [3, 10]

/**
 * @param width sends the channel has under way at once
 * @param tell hears of each rest as it begins, in milliseconds
 * @param clock milliseconds of real time
 */
export function createStandstill(
  width: number,
  tell: (rest: number) => void = () => {},
  rests: Rests = RESTS,
  clock: () => number = () => performance.now(),
): Standstill {
  const enough = Math.min(Math.max(width, FEWEST), MOST)
  const stood = new Set<unknown>()
  let pause = rests.first
  let until = 0
  let trying = false
  return {
    get rest() {
      return Math.max(0, until - clock())
    },
    get most() {
      return trying ? 1 : Number.POSITIVE_INFINITY
    },
    note: (outcome, took, inDoubt = outcome === 'uncertain', message = {}) => {
      const quick = outcome === 'retry' && !inDoubt && took < rests.slow
      if (outcome === 'sent' || outcome === 'rejected' || quick) {
        stood.clear()
        pause = rests.first
        until = 0
        trying = false
        return
      }
      // What was under way beside the last of them says nothing new.
      if (clock() < until) return
      stood.add(message)
      if (stood.size < (trying ? 1 : enough)) return
      stood.clear()
      trying = true
      until = clock() + pause
      tell(pause)
      pause = Math.min(pause * 2, rests.longest)
    },
  }
}
