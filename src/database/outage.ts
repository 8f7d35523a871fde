import { setTimeout as delay } from 'node:timers/promises'
import { codeOf } from '../errors.ts'

// SQLSTATEs and socket errors that mean "not now" and not "the statement is wrong": the connection broke (08), the server
// stops or starts (57P0), is full (53300) or has become a standby (25006).
const GONE =
  /^(08|57P0|53300|25006|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/
// The last two are node-postgres' own, from a pool or a client that could not connect in time.
const GONE_WORDS =
  /Connection terminated|connection timeout|Client has encountered a connection error|not queryable|timeout exceeded when trying to connect|^timeout expired$/i

/** It ended a deadlock or a conflict by choosing this transaction. */
const CHOSEN = /^(40P01|40001)$/

/** True where the server is away or the connection to it was lost; node-postgres names no code for all of those. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // Of a host of several addresses, Node names the code of the first alone, to which this machine may have no way at all.
  if (error instanceof AggregateError && error.errors.some(isGone)) return true
  return GONE.test(codeOf(error)) || GONE_WORDS.test(error.message)
}

/** True for errors that another try on a new connection may not meet. */
export function isOutage(error: unknown): boolean {
  return isGone(error) || CHOSEN.test(codeOf(error))
}

/** What another transaction may be the cause of that was first: a deadlock, a failed serialisation, a unique violation. */
const OTHERS = ['40P01', '40001', '23505']

/** True for errors that a transaction may not meet when it is done again from its start: others have ended by then. */
export function isContention(error: unknown): boolean {
  return OTHERS.includes(codeOf(error))
}

/** It has no room or no memory for this statement now (53), or ended it: by a limit of time, or because somebody asked it to. */
const REFUSED_NOW = /^(53|57014|55P03|25P0[34])/

/**
 * Tries idempotent work again while the database is away or refuses it, with pauses that double up to two seconds: what a worker
 * knows about messages already handed over must not be lost to a restart of the server, or to a full disk.
 * @param seconds real time after which the last error is thrown after all
 */
export async function throughOutage<T>(work: () => Promise<T>, seconds: number): Promise<T> {
  const end = performance.now() + seconds * 1000
  for (let pause = 50; ; pause = Math.min(pause * 2, 2000)) {
    try {
      return await work()
    } catch (error) {
      const passing = isOutage(error) || REFUSED_NOW.test(codeOf(error))
      if (!passing || performance.now() + pause > end) throw error
      await delay(pause)
    }
  }
}
