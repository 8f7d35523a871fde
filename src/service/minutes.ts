import cron from 'node-cron'
import { systemClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { type Loop, startLoop } from './loop.ts'

/** Milliseconds. */
const MINUTE = 60_000
/** Milliseconds before a minute begins in which the clock is looked at, ahead of node-cron. */
const AHEAD = 20

/**
 * Does something now, and as every minute of the wall clock begins, never twice at a time. A clock that is put back by hours
 * would have node-cron wait until it has come that far again; of one that is put forward, as after a sleep, it goes through
 * all minutes that were passed over, and nothing else happens meanwhile: for minutes, where they are of years. Either way the
 * minutes begin anew.
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
  let seen = systemClock.now().getTime()
  const watch = startLoop(onError, look, async () => {
    const now = systemClock.now().getTime()
    if (now < seen || now - seen > MINUTE) {
      await minutes.destroy()
      minutes = schedule()
    }
    seen = now
    const left = MINUTE - (now % MINUTE) - AHEAD
    return left > 0 ? Math.min(look, left) : look
  })
  return {
    stop: async () => {
      await watch.stop()
      await minutes.destroy()
      await underWay
    },
  }
}
