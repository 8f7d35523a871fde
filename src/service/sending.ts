import { processBatch } from '../touchpoints/batch.ts'
import type { Engine } from '../touchpoints/queue/engine.ts'
import { type JobLock, startWorker } from '../touchpoints/queue/job-worker.ts'
import { batchOf } from '../touchpoints/queue/jobs.ts'
import { watchQueues } from './queue-processes.ts'
import type { Runtime } from './runtime.ts'
import type { Service, ServiceEvents } from './service.ts'

/** While one batch waits for the database, others are judged, sent and settled. */
const WORKER_CONCURRENCY = 4

/** Takes batches from the queue and sends them. Closed, it ends what is being sent, and leaves the rest of its batches to others. */
export async function startSending(
  runtime: Runtime,
  engine: Engine,
  events: ServiceEvents,
  lock?: JobLock,
): Promise<Service> {
  const ending = new AbortController()
  const sending = { ...runtime.worker, ending: ending.signal }
  const worker = startWorker(
    engine,
    { concurrency: WORKER_CONCURRENCY, lock, onError: (error) => events.onError('worker', error) },
    async (job) => {
      try {
        events.onBatch(await processBatch(sending, batchOf(job)))
      } catch (error) {
        // The rows keep their lease; the sweeper brings them back. The job itself is gone.
        events.onError('batch', error)
      }
    },
  )
  const mine = { role: 'worker', engine, queueId: () => worker.queueId() } as const
  const queues = watchQueues(runtime, mine, (gap) => events.onGap?.(gap))
  return {
    close: async () => {
      ending.abort()
      await Promise.all([queues.stop(), worker.close()])
    },
  }
}
