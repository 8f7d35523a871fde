import { randomUUID } from 'node:crypto'
import { within } from '../channels/within.ts'
import { areApart, BELIEVED, type Queue, readQueues, SEEN_EVERY } from '../reports/queues.ts'
import type { Engine } from '../touchpoints/engine.ts'
import { FAREWELL } from '../touchpoints/farewell.ts'
import { forgetQueueProcess, noteQueueProcess, type QueueProcess } from '../touchpoints/queue-processes.ts'
import { type Loop, startLoop } from './loop.ts'
import type { Runtime } from './runtime.ts'

/** Milliseconds. */
export interface QueueWatchPace {
  readonly look: number
  /** They have to be apart for so long before it is told: one that was killed is believed to run for a while. */
  readonly apart: number
}
const PACE: QueueWatchPace = { look: SEEN_EVERY * 1000, apart: BELIEVED * 1000 }

/**
 * Says in the database which queue a scheduler or a worker has, and looks whether the others have the same.
 * @param mine.queueId asks the queue; what it throws, or where it says nothing, is told by whoever works with it
 * @param onQueues told once of queues that are apart, and with nothing once they are no more
 */
export function watchQueues(
  { database }: Pick<Runtime, 'database'>,
  mine: { readonly role: QueueProcess['role']; readonly engine: Engine; queueId(): Promise<string> },
  onQueues: (apart: readonly Queue[] | undefined) => void,
  pace = PACE,
): Loop {
  const { role, engine } = mine
  const processId = randomUUID()
  let since: number | undefined
  let told = false
  const look = async () => {
    const queueId = await within(FAREWELL, 'the queue', 'say which it is', mine.queueId)
    await noteQueueProcess(database, { processId, role, engine, queueId })
    const queues = await readQueues(database)
    const apart = areApart(queues)
    since = apart ? (since ?? performance.now()) : undefined
    const held = since !== undefined && performance.now() - since >= pace.apart
    if (told ? !apart : held) {
      told = held
      onQueues(held ? queues : undefined)
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
