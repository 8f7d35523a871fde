import { messageOf } from '../errors.ts'

/** Rounds of work, until it is stopped. */
export interface Loop {
  /** Lets the round under way end, then resolves. */
  stop(): Promise<void>
}

/**
 * Starts a loop that outlives errors and stops between two rounds.
 * @param afterError milliseconds to pause where a round failed
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
      const pause = await round().catch((error: unknown) => {
        onError(new Error(messageOf(error), { cause: error }))
        return afterError
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
