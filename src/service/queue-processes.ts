import { randomUUID } from 'node:crypto'
import { within } from '../channels/within.ts'
import { BELIEVED, type Gap, gapBetween, type Queue, readQueues, SEEN_EVERY } from '../reports/queues.ts'
import type { Engine } from '../touchpoints/queue/engine.ts'
import { FAREWELL } from '../touchpoints/queue/farewell.ts'
import {
  forgetQueueProcess,
  noteQueueProcess,
  type QueueProcess,
} from '../touchpoints/queue/queue-processes.ts'
import { type Loop, startLoop } from './loop.ts'
import type { Runtime } from './runtime.ts'

/** Milliseconds. */
export interface QueueWatchPace {
  readonly look: number
  /** A gap has to last so long before it is told: one that was killed is believed to run for a while, and others only start. */
  readonly gap: number
}
const PACE: QueueWatchPace = { look: SEEN_EVERY * 1000, gap: BELIEVED * 1000 }

/**
 * Says in the database which queue a scheduler or a worker has, and looks whether those of the other kind have the same.
 * @param mine.queueId asks the queue; what it throws, or where it says nothing, is told by whoever works with it
 * @param onGap told once of what keeps them apart, and with nothing once they are together
 */
export function watchQueues(
  { database }: Pick<Runtime, 'database'>,
  mine: { readonly role: QueueProcess['role']; readonly engine: Engine; queueId(): Promise<string> },
  onGap: (gap: { readonly kind: Gap; readonly queues: readonly Queue[] } | undefined) => void,
  pace = PACE,
): Loop {
  const { role, engine } = mine
  const processId = randomUUID()
  let seen: { readonly kind: Gap; readonly since: number } | undefined
  let told: Gap | undefined
  const look = async () => {
    const queueId = await within(FAREWELL, 'the queue', 'say which it is', mine.queueId)
    await noteQueueProcess(database, { processId, role, engine, queueId })
    const queues = await readQueues(database)
    const kind = gapBetween(queues)
    if (kind !== seen?.kind) seen = kind && { kind, since: performance.now() }
    if (seen && seen.kind !== told && performance.now() - seen.since >= pace.gap) {
      told = seen.kind
      onGap({ kind: told, queues })
    } else if (!seen && told) {
      told = undefined
      onGap(undefined)
    }
    return pace.look
  }
  // Whether the queue and the database are there is told by whoever has to have them.
  const watch = startLoop(() => {}, pace.look, look)
  return {
    stop: async () => {
      await watch.stop()
      await forgetQueueProcess(database, processId).catch(() => {})
    },
  }
}
