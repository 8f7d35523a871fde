import cron from 'node-cron'
import { systemClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { type Loop, startLoop } from './loop.ts'

/**
 * Does something now, and as every minute of the wall clock begins. A clock that is put back by hours would have node-cron
 * wait until it has come that far again: the minutes then begin anew.
 * @param look milliseconds between two looks at the clock
 */
export function startMinutes(
  onError: (error: unknown) => void,
  look: number,
  tick: () => Promise<void>,
): Loop {
  // It warns of each minute that passed while the machine slept, or while a run went on: thousands after a weekend. What was
  // due then is found by the next.
  const logger = {
    ...{ debug: () => {}, info: () => {}, warn: () => {} },
    error: (said: string | Error, cause?: Error) => onError(cause ?? new Error(messageOf(said))),
  }
  const schedule = () => cron.schedule('* * * * *', tick, { noOverlap: true, logger })
  let minutes = schedule()
  void tick()
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
    },
  }
}
