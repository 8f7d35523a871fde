/**
 * Where "now" comes from. Every decision takes its time from a Clock, so that a year of history can be
 * replayed in a minute and no test ever sleeps. Leases and BullMQ alone use the database's real time.
 */
export interface Clock {
  /** The current instant (UTC inside; zones are applied where a rule speaks of local time). */
  now(): Date
}

/** The machine's own clock. */
export const systemClock: Clock = { now: () => new Date() }

/** A clock that stands still until it is set: for replays and tests. */
export interface ManualClock extends Clock {
  set(time: Date): void
  advance(seconds: number): void
}

/** A clock that shows `start` until it is told otherwise. */
export function manualClock(start: Date): ManualClock {
  let current = start.getTime()
  return {
    now: () => new Date(current),
    set: (time) => {
      current = time.getTime()
    },
    advance: (seconds) => {
      current += seconds * 1000
    },
  }
}

/** So many seconds after a moment: exact elapsed time, whatever the zone or its clocks do. */
export function later(moment: Date, seconds: number): Date {
  return new Date(moment.getTime() + seconds * 1000)
}

/** So many seconds before a moment. */
export function earlier(moment: Date, seconds: number): Date {
  return later(moment, -seconds)
}

/** How far the clock of somebody who tells us a time may be ahead of ours. Milliseconds. */
const AHEAD = 60_000

/** When something happened by the word of whoever did it: now, where that lies ahead by no more than clocks differ. Epoch ms. */
export function toldAt(at: number, now: number): number {
  return at > now && at <= now + AHEAD ? now : at
}
