import { isOutage } from '../database/outage.ts'
import { messageOf } from '../errors.ts'

/** Rounds of work, until it is stopped. */
export interface Loop {
  /** Lets the round under way end, then resolves. */
  stop(): Promise<void>
}

/**
 * Starts a loop that outlives errors and stops between two rounds.
 * @param afterError milliseconds to pause where a round failed, at least ({@link restAfterFailure})
 * @param round one round; returns the milliseconds to pause before the next
 */
export function startLoop(
  onError: (error: unknown) => void,
  afterError: number,
  round: () => Promise<number>,
): Loop {
  let stopped = false
  let wake = () => {}
  const run = async () => {
    while (!stopped) {
      const began = performance.now()
      const pause = await round().catch((error: unknown) => {
        onError(new Error(messageOf(error), { cause: error }))
        return restAfterFailure(error, performance.now() - began, afterError)
      })
      if (stopped) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const running = run()
  return {
    stop: () => {
      stopped = true
      wake()
      return running
    },
  }
}

/** A round that is over within so many milliseconds is no burden, however often it comes. */
const LIGHT = 1000

/**
 * How long to pause after a round whose work grows with what there is: a fixed while, or longer where the round took long, so
 * that on a large database it comes less often instead of never ending. Pure; all in milliseconds.
 * @param share of its time that heavy work may take at most, in (0, 1]
 */
export function restAfter(took: number, least: number, share: number): number {
  return took < LIGHT ? least : Math.max(least, took * (1 / share - 1))
}

/** The share of its time that work which fails may take. */
const FAILING = 0.25

/**
 * How long to pause after a round that failed. Heavy work that fails for a reason of its own will fail again, and would keep a
 * database busy for nothing; one that is away is looked for as often as ever. Pure; all in milliseconds.
 */
export function restAfterFailure(error: unknown, took: number, least: number): number {
  return isOutage(error) ? least : restAfter(took, least, FAILING)
}
