import { setImmediate } from 'node:timers/promises'
import type { Database } from '../database/connect.ts'
import type { TouchpointKey } from './keys.ts'
import { renew } from './lifecycle.ts'

// Composing a batch is work at a stretch: hundreds of messages, of templates that may be slow.

/** Milliseconds at a stretch. Whatever else the process does, the sends of other batches among it, waits as long. */
const STRETCH = 25

/** Called between the messages of a batch. @throws what renewing the claim failed with */
export type Pace = () => Promise<void>

/**
 * Gives the rest of the process its turns while a batch is worked through, and renews the claim once half of its lease
 * has passed, so that the sweeper does not take the batch for a dead worker's.
 * @param lease seconds, counted from now
 */
export function keepPace(
  database: Database,
  claimId: string,
  keys: readonly TouchpointKey[],
  lease: number,
): Pace {
  let turnAt = performance.now() + STRETCH
  let renewAt = performance.now() + lease * 500
  return async () => {
    if (performance.now() < turnAt) return
    await setImmediate()
    turnAt = performance.now() + STRETCH
    if (performance.now() < renewAt) return
    renewAt = performance.now() + lease * 500
    await renew(database, claimId, keys, lease)
  }
}
