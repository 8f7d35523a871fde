import { sql } from 'drizzle-orm'
import { type Database, execute, rows } from '../database/connect.ts'
import { heedSaidAhead } from '../database/permissions.ts'
import { lookAgain } from './recovery.ts'
import { BACK_OFF } from './sending/sends.ts'

// A clock that was ahead for an hour or a day, and has been put right. What was put back meanwhile waits for a time that was
// reckoned from the wrong one: for the next try after a day, for an opening that is not the next. And who left meanwhile has
// left tomorrow. So how late it has been is written down, and where it is earlier than that, whatever was put back is looked at
// again, and whatever was said holds.

const SETTING = 'clock_seen'
/** Seconds: what NTP puts right as it goes is no clock that was ahead; and how often the time is written down at most. */
const APART = 60
/** Seconds between two tries at most, whatever a provider asks for. */
const LONGEST = Math.max(...BACK_OFF)

/**
 * Writes down how late it is, and where it was later before, has what people said meanwhile hold, and what was put off looked at
 * again.
 * @returns how many messages are looked at again
 */
export async function heedClock(database: Database, now: Date): Promise<number> {
  const [kept] = await rows<{ value: string }>(
    database,
    sql`SELECT value FROM settings WHERE name = ${SETTING}`,
  )
  const seen = kept === undefined ? Number.NaN : Date.parse(kept.value)
  const apart = (now.getTime() - seen) / 1000
  if (Math.abs(apart) < APART) return 0
  let again = 0
  if (apart < 0) {
    await heedSaidAhead(database, now)
    let moved: number
    do {
      moved = await lookAgain(database, now, LONGEST)
      again += moved
    } while (moved > 0)
  }
  await execute(
    database,
    sql`INSERT INTO settings (name, value) VALUES (${SETTING}, ${now.toISOString()})
        ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  )
  return again
}
