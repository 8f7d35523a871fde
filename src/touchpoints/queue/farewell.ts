import { setTimeout as delay } from 'node:timers/promises'

// How long whoever ends waits for the others.

/** Milliseconds that whoever ends waits for an answer of the engine. */
export const FAREWELL = 5000

/**
 * Waits for the end of some work, though no longer than so many milliseconds.
 * @returns whether it has ended
 */
export async function atMost(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const late = new AbortController()
  const end = delay(milliseconds, false, { signal: late.signal }).catch(() => false)
  return await Promise.race([work.then(() => true), end]).finally(() => late.abort())
}
