import { createPostgresBackend, Queue } from 'bullmq'
import { connectionRemedy } from '../../database/connection-remedies.ts'
import { throughOutage } from '../../database/outage.ts'
import { messageOf, WinbackError } from '../../errors.ts'
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

// BullMQ distributes the work; PostgreSQL holds the truth. Hence: generated job ids (a completed id could not be added
// again), one attempt (a touchpoint has its own), nothing kept.

/** The queue as the dispatcher sees it. */
export interface JobQueue {
  add(jobs: readonly Job[]): Promise<void>
  /** Jobs waiting, not counting those under way. */
  waiting(): Promise<number>
  /** Workers connected, on any machine. */
  workers(): Promise<number>
  /** The same for all who have this queue, whatever they call it. */
  id(): Promise<string>
  /** Throws every job away: for tests and `doctor`. Nothing is lost by it. */
  flush(): Promise<void>
  /**
   * Whoever asks from now on, and whoever waits, is answered within {@link FAREWELL} or told that nobody answers: a queue
   * that is away would keep them for ever.
   */
  leave(): void
  close(): Promise<void>
}

/** Seconds until a queue that does not answer, or gives way to others each time, is given up. */
const PATIENCE = 15
const KEEP_NOTHING = { attempts: 1, removeOnComplete: true, removeOnFail: true }

/**
 * Opens the queue, migrating BullMQ's own tables first (before any worker starts).
 * @param patience seconds to wait for an answer
 * @throws WinbackError `queue.unreachable` with the engine's words
 */
export async function openQueue(
  engine: Engine,
  onError: (error: Error) => void,
  patience = PATIENCE,
): Promise<JobQueue> {
  let last: Error | undefined
  const opened = (error: Error) => {
    last = error
    onError(error)
  }
  const queue = engine.kind === 'postgres' ? postgresQueue(engine, opened) : redisQueue(engine, opened)
  let timer: NodeJS.Timeout | undefined
  // ioredis would go on trying for ever.
  const tired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(last ?? new Error(`no answer within ${patience} s`)), patience * 1000)
  })
  try {
    await Promise.race([queue.ready(), tired])
    return queue
  } catch (cause) {
    await queue.close().catch(() => {})
    throw new WinbackError('queue.unreachable', `the queue does not answer: ${messageOf(cause)}`, {
      remedy:
        connectionRemedy(cause)?.en ??
        (engine.kind === 'redis'
          ? 'Check REDIS_URL, or leave it out: the queue then runs on PostgreSQL.'
          : 'Check DATABASE_URL, and that its user may create a schema.'),
      cause,
    })
  } finally {
    clearTimeout(timer)
  }
}

/** Answers that may never come: once somebody leaves, they are waited for no longer than {@link FAREWELL}. */
function openAnswers() {
  const waiting = new Set<(error: Error) => void>()
  let leaving: NodeJS.Timeout | undefined
  let left = false
  const silent = () => new Error('the queue does not answer')
  return {
    to: <Answer>(asked: () => Promise<Answer>) =>
      new Promise<Answer>((resolve, reject) => {
        if (left) return reject(silent())
        waiting.add(reject)
        asked()
          .then(resolve, reject)
          .finally(() => waiting.delete(reject))
      }),
    leave: () => {
      leaving ??= setTimeout(() => {
        left = true
        for (const reject of waiting) reject(silent())
      }, FAREWELL)
    },
    close: () => clearTimeout(leaving),
  }
}

type OpenedQueue = JobQueue & { ready(): Promise<unknown> }

function postgresQueue(engine: Engine & { kind: 'postgres' }, onError: (error: Error) => void): OpenedQueue {
  const queue = new Queue(QUEUE_NAME, { connection: postgresConnection(engine) }, createPostgresBackend)
  queue.on('error', onError)
  return jobQueue(queue, async () => POSTGRES_QUEUE)
}

function redisQueue(engine: Engine & { kind: 'redis' }, onError: (error: Error) => void): OpenedQueue {
  const connection = redisConnection(engine)
  const queue = new Queue(QUEUE_NAME, { connection, prefix: engine.prefix })
  queue.on('error', onError)
  const id = () => redisQueueId(connection, engine.prefix)
  return jobQueue(queue, id, () => connection.disconnect())
}

type BullQueue = Pick<
  Queue<Job>,
  'add' | 'waitUntilReady' | 'getWaitingCount' | 'getWorkersCount' | 'obliterate' | 'close'
>

function jobQueue(
  queue: BullQueue,
  id: () => Promise<string>,
  disconnect: () => void = () => {},
): OpenedQueue {
  const answers = openAnswers()
  return {
    ready: () => queue.waitUntilReady(),
    add: (jobs) => answers.to(() => addEach(jobs, (job) => queue.add('batch', job, KEEP_NOTHING))),
    waiting: () => answers.to(() => queue.getWaitingCount()),
    workers: () => answers.to(() => queue.getWorkersCount()),
    id: () => answers.to(id),
    // On PostgreSQL it waits for workers that move jobs, and they for it: one of them is chosen to give way.
    flush: () => throughOutage(() => queue.obliterate({ force: true }), PATIENCE),
    leave: answers.leave,
    close: async () => {
      await atMost(FAREWELL, queue.close())
      disconnect()
      answers.close()
    },
  }
}

/** One by one: on PostgreSQL BullMQ's bulk makes and drops two temporary tables a call, at 25 times the price of a job. */
async function addEach(jobs: readonly Job[], add: (job: Job) => Promise<unknown>): Promise<void> {
  for (const job of jobs) await add(job)
}
