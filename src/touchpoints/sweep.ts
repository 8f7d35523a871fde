import { type Database, provisionally } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { concludeGrants, expireGrants } from '../offers/conclusion.ts'
import { reclaimExpired, type Swept } from './recovery.ts'
import { sweepBudgets } from './reservations/holds.ts'

/**
 * Moves what a dead worker (or a flushed queue) left behind, and lets go of what was reserved for it. Needs no job and
 * runs anywhere, any number of times: each row is moved by whoever locks it first.
 * @param idempotent names of the channels whose provider recognises a repeat by its key
 */
export async function sweep(database: Database, now: Date, idempotent: readonly string[]): Promise<Swept> {
  await ensurePartitions(database, 'touchpoint_records', [now])
  const swept = await reclaimExpired(database, now, idempotent)
  // Of workers that are gone, and of episodes that were cut short: after the touchpoints, which hold them as long as they are claimed.
  await provisionally(database, (tx) => concludeGrants(tx, now, 'behind'))
  await expireGrants(database, now)
  await sweepBudgets(database)
  return swept
}
