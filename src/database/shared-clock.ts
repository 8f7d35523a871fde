import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import { type Database, rows, type Session } from './connect.ts'

// One time for all that work on a database. Machines of which one is ahead would hand messages back and forth: what the
// scheduler finds due has its window closed by the worker's clock, and is due at once again; and what a machine that is a day
// ahead puts off is a day late. So where a machine's clock is apart from the database's, the database's counts.

/** A clock that agrees with the database's. */
export interface SharedClock extends Clock {
  /** Milliseconds by which the machine's is ahead; 0 where both agree. */
  readonly ahead: number
  /** Compares again. @returns whether {@link ahead} is another now */
  renew(): Promise<boolean>
}

/** Milliseconds that machines which keep time by NTP may be apart, and that nobody has to share. */
const TOLERATED = 1000
/** Comparisons until one is quick enough to be believed. */
const LOOKS = 3

/**
 * @param own the machine's
 * @throws what the database says where it cannot be asked
 */
export async function openSharedClock(database: Database, own: Clock): Promise<SharedClock> {
  let ahead = 0
  const compare = async (session: Session) => {
    for (let look = 0; look < LOOKS; look += 1) {
      const before = own.now().getTime()
      const [answer] = await rows<{ now: Date }>(session, sql`SELECT clock_timestamp() AS now`)
      const after = own.now().getTime()
      // The answer is of some moment between: one that took long, or in which the machine's clock was put right, tells nothing.
      if (!answer || after < before || after - before > TOLERATED) continue
      const apart = Math.round((before + after) / 2 - answer.now.getTime())
      const found = Math.abs(apart) > TOLERATED ? apart : 0
      if (Math.abs(found - ahead) <= TOLERATED && (found === 0) === (ahead === 0)) return false
      ahead = found
      return true
    }
    return false
  }
  await compare(database)
  return {
    get ahead() {
      return ahead
    },
    now: () => new Date(own.now().getTime() - ahead),
    // Beside the work, which may have all connections for minutes.
    renew: () => compare(database.aside),
  }
}
