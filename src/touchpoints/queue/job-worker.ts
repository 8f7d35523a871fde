import { setTimeout as delay } from 'node:timers/promises'
import { createPostgresBackend, type IQueueBackend, Worker, type WorkerOptions } from 'bullmq'
import {
  type Engine,
  POSTGRES_QUEUE,
  postgresConnection,
  QUEUE_NAME,
  redisConnection,
  redisQueueId,
} from './engine.ts'
import { atMost, FAREWELL } from './farewell.ts'
import type { Job } from './jobs.ts'

// Who takes jobs from the queue, whatever the engine does meanwhile.

/** A running worker. */
export interface JobWorker {
  /** As of the queue it takes from; never, while the engine is away. */
  queueId(): Promise<string>
  /**
   * Lets the jobs under way end, then resolves. An engine that is away is not waited for: what it was not told comes
   * back by its lease.
   */
  close(): Promise<void>
}

/** Milliseconds. When the event loop blocks past a job's lock the job runs twice; the fence makes that harmless. */
export interface JobLock {
  readonly duration: number
  /** Between looks for jobs whose worker has let its lock run out. */
  readonly check: number
}
const LOCK: JobLock = { duration: 60_000, check: 30_000 }
/** Milliseconds between two tries after an engine refused: BullMQ would ask again at once, thousands of times a second. */
const PAUSE = 1000
/**
 * Starts taking jobs, `concurrency` at a time, as soon as the engine answers. What `handle` throws fails that job alone; the
 * touchpoints it held come back through the sweeper.
 */
export function startWorker(
  engine: Engine,
  options: { concurrency: number; lock?: JobLock | undefined; onError(error: Error): void },
  handle: (job: Job) => Promise<void>,
): JobWorker {
  const { duration: lockDuration, check: stalledInterval } = options.lock ?? LOCK
  const { concurrency, onError } = options
  const settings = { concurrency, lockDuration, stalledInterval, maxStalledCount: 2, runRetryDelay: PAUSE }
  const underWay = new Set<Promise<void>>()
  const processor = async (job: { data: Job }) => {
    const work = handle(job.data)
    underWay.add(work)
    await work.finally(() => underWay.delete(work))
  }
  const open = openWorkers(engine, processor, { ...settings, autorun: false })
  let closing = false
  let again: NodeJS.Timeout | undefined
  const begin = () => {
    const worker = open.worker()
    worker.on('error', (error) => {
      if (!closing) onError(error)
    })
    pauseWhereRefused(worker.backend)
    const ready = worker.waitUntilReady().then(
      () => true,
      async (error: Error) => {
        // It would remember for ever that it was refused: another one asks anew.
        if (closing) return false
        onError(error)
        again = setTimeout(() => {
          current = begin()
        }, PAUSE)
        await worker.close()
        return false
      },
    )
    ready.then((is) => (is && !closing ? worker.run() : undefined)).catch(onError)
    return { ready, close: () => worker.close() }
  }
  let current = begin()
  return {
    queueId: open.queueId,
    close: async () => {
      closing = true
      clearTimeout(again)
      // Closed while it is opened, it leaves a connection that it makes once it is closed.
      const closed = atMost(FAREWELL, current.ready)
        .then(() => current.close())
        .catch(onError)
      do {
        await Promise.allSettled(underWay)
        await atMost(FAREWELL, closed)
      } while (underWay.size > 0)
      open.close()
    },
  }
}

/** Makes BullMQ's workers of one engine, over one connection where that is Redis. */
function openWorkers(
  engine: Engine,
  processor: (job: { data: Job }) => Promise<void>,
  settings: Omit<WorkerOptions, 'connection'>,
) {
  if (engine.kind === 'postgres') {
    const connection = postgresConnection(engine)
    return {
      worker: () => new Worker(QUEUE_NAME, processor, { ...settings, connection }, createPostgresBackend),
      queueId: async () => POSTGRES_QUEUE,
      close: () => {},
    }
  }
  const connection = redisConnection(engine)
  return {
    worker: () => new Worker(QUEUE_NAME, processor, { ...settings, connection, prefix: engine.prefix }),
    queueId: () => redisQueueId(connection, engine.prefix),
    close: () => connection.disconnect(),
  }
}

/** An engine that refuses (a right that is missing, a disk that is full) is asked again after a pause. */
function pauseWhereRefused(backend: Pick<IQueueBackend, 'moveToActive'>): void {
  const ask = backend.moveToActive.bind(backend)
  backend.moveToActive = async (...what) => {
    try {
      return await ask(...what)
    } catch (error) {
      await delay(PAUSE)
      throw error
    }
  }
}
