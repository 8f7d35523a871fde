import { messageOf } from '../errors.ts'

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
