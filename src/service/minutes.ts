import cron from 'node-cron'
import { systemClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Does something now, and as every minute of the wall clock begins, never twice at a time. A clock that is put back by hours
 * would have node-cron wait until it has come that far again: the minutes then begin anew.
 * @param onError hears why it failed, and of what is wrong with the minutes themselves
 * @param look milliseconds between two looks at the clock
 */
export function startMinutes(
  onError: (error: unknown) => void,
  look: number,
  tick: () => Promise<void>,
): Loop {
  let underWay: Promise<void> | undefined
  const begin = () => {
    underWay ??= tick()
      .catch(onError)
      .finally(() => {
        underWay = undefined
      })
  }
  // It warns of each minute that passed while the machine slept: thousands after a weekend. What was due then is found by
  // the next.
  const logger = {
    ...{ debug: () => {}, info: () => {}, warn: () => {} },
    error: (said: string | Error, cause?: Error) => onError(cause ?? new Error(messageOf(said))),
  }
  const schedule = () => cron.schedule('* * * * *', begin, { logger })
  let minutes = schedule()
  begin()
  let seen = systemClock.now()
  const watch = startLoop(onError, look, async () => {
    const now = systemClock.now()
    if (now < seen) {
      await minutes.destroy()
      minutes = schedule()
    }
    seen = now
    return look
  })
  return {
    stop: async () => {
      await watch.stop()
      await minutes.destroy()
      await underWay
    },
  }
}
