import { setTimeout as delay } from 'node:timers/promises'
import { createPostgresBackend, type IQueueBackend, Queue, Worker, type WorkerOptions } from 'bullmq'
import { Cluster, Redis } from 'ioredis'
import type { ClientBase } from 'pg'
import { messageOf, WinbackError } from '../errors.ts'
import type { Batch } from './dispatch.ts'
import type { TouchpointKey } from './keys.ts'

// BullMQ distributes the work; PostgreSQL holds the truth. A job names rows and nothing else, so the queue may be
// flushed at any moment. Hence: generated job ids (a completed id could not be added again), one attempt (a
// touchpoint has its own), nothing kept.

/** Where BullMQ lives: beside our tables, in a schema of its own, or on Redis (single, Sentinel or Cluster). */
export type Engine =
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }

/**
 * One batch: touchpoints of one step, as text. On PostgreSQL a job's data is jsonb, where eight hundred numbers cost
 * twenty times what one string does, and were the dearest statement of a run.
 */
export interface Job {
  readonly stepId: number
  /** `contact.touchpoint`, each in base 36 and as the difference to the one before: neighbours by due time are often neighbours. */
  readonly keys: string
  /** As of the batch. */
  readonly ratedOn?: string | undefined
}

export function jobOf({ stepId, keys, ratedOn }: Batch): Job {
  let before: TouchpointKey = { contactId: 0, touchpointId: 0 }
  const differences: string[] = []
  for (const key of keys) {
    const contact = (key.contactId - before.contactId).toString(36)
    const touchpoint = (key.touchpointId - before.touchpointId).toString(36)
    differences.push(`${contact}.${touchpoint}`)
    before = key
  }
  return { stepId, keys: differences.join(), ratedOn }
}

/** The batch of {@link jobOf}, its keys in their order. */
export function batchOf(job: Job): Batch {
  return { stepId: job.stepId, keys: keysOf(job), ratedOn: job.ratedOn }
}

function keysOf(job: Job): TouchpointKey[] {
  if (job.keys === '') return []
  let contactId = 0
  let touchpointId = 0
  return job.keys.split(',').map((difference) => {
    const [contact = '0', touchpoint = '0'] = difference.split('.')
    contactId += Number.parseInt(contact, 36)
    touchpointId += Number.parseInt(touchpoint, 36)
    return { contactId, touchpointId }
  })
}

/** The queue as the dispatcher sees it. */
export interface JobQueue {
  add(jobs: readonly Job[]): Promise<void>
  /** Jobs waiting, not counting those under way. */
  waiting(): Promise<number>
  /** Workers connected, on any machine. */
  workers(): Promise<number>
  /** Throws every job away: for tests and `doctor`. Nothing is lost by it. */
  flush(): Promise<void>
  /**
   * Whoever asks from now on, and whoever waits, is answered within {@link FAREWELL} or told that nobody answers: a queue
   * that is away would keep them for ever.
   */
  leave(): void
  close(): Promise<void>
}

/** A running worker. */
export interface JobWorker {
  /**
   * Lets the jobs under way end, then resolves. An engine that is away is not waited for: what it was not told comes
   * back by its lease.
   */
  close(): Promise<void>
}

const NAME = 'touchpoints'
const KEEP_NOTHING = { attempts: 1, removeOnComplete: true, removeOnFail: true }
/** Milliseconds. When the event loop blocks past a job's lock the job runs twice; the fence makes that harmless. */
export interface JobLock {
  readonly duration: number
  /** Between looks for jobs whose worker has let its lock run out. */
  readonly check: number
}
const LOCK: JobLock = { duration: 60_000, check: 30_000 }
/** Milliseconds that whoever ends waits for an answer of the engine. */
const FAREWELL = 5000
/** Milliseconds between two tries after an engine refused: BullMQ would ask again at once, thousands of times a second. */
const PAUSE = 1000
/** Milliseconds a connection may take to stand; and of silence after which its other end is asked whether it is there. */
const CONNECT = 30_000
const KEEP_ALIVE = 30_000

/**
 * Opens the queue, migrating BullMQ's own tables first (before any worker starts).
 * @param patience seconds to wait for an answer
 * @throws WinbackError `queue.unreachable` with the engine's words
 */
export async function openQueue(
  engine: Engine,
  onError: (error: Error) => void,
  patience = 15,
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
        engine.kind === 'redis'
          ? 'Check REDIS_URL, or leave it out: the queue then runs on PostgreSQL.'
          : 'Check DATABASE_URL, and that its user may create a schema.',
      cause,
    })
  } finally {
    clearTimeout(timer)
  }
}

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
    ready.then((is) => (is ? worker.run() : undefined)).catch(onError)
    return worker
  }
  let current = begin()
  return {
    close: async () => {
      closing = true
      clearTimeout(again)
      const closed = current.close().catch(onError)
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
      worker: () => new Worker(NAME, processor, { ...settings, connection }, createPostgresBackend),
      close: () => {},
    }
  }
  const connection = redisConnection(engine)
  return {
    worker: () => new Worker(NAME, processor, { ...settings, connection, prefix: engine.prefix }),
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

/** Waits for the end of some work, though no longer than so many milliseconds. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  const late = new AbortController()
  const end = delay(milliseconds, undefined, { signal: late.signal }).catch(() => {})
  await Promise.race([work, end])
  late.abort()
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
  const queue = new Queue(NAME, { connection: postgresConnection(engine) }, createPostgresBackend)
  queue.on('error', onError)
  return jobQueue(queue)
}

function redisQueue(engine: Engine & { kind: 'redis' }, onError: (error: Error) => void): OpenedQueue {
  const connection = redisConnection(engine)
  const queue = new Queue(NAME, { connection, prefix: engine.prefix })
  queue.on('error', onError)
  return jobQueue(queue, () => connection.disconnect())
}

type BullQueue = Pick<
  Queue<Job>,
  'add' | 'waitUntilReady' | 'getWaitingCount' | 'getWorkersCount' | 'obliterate' | 'close'
>

function jobQueue(queue: BullQueue, disconnect: () => void = () => {}): OpenedQueue {
  const answers = openAnswers()
  return {
    ready: () => queue.waitUntilReady(),
    add: (jobs) => answers.to(() => addEach(jobs, (job) => queue.add('batch', job, KEEP_NOTHING))),
    waiting: () => answers.to(() => queue.getWaitingCount()),
    workers: () => answers.to(() => queue.getWorkersCount()),
    flush: () => queue.obliterate({ force: true }),
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

function postgresConnection(engine: Engine & { kind: 'postgres' }) {
  return {
    connectionString: engine.url,
    schema: engine.schema,
    migrate: true,
    max: 4,
    connectionTimeoutMillis: CONNECT,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
    // BullMQ listens to the errors of idle connections alone: one lost while it migrates would end the process.
    onConnect: (client: ClientBase) => {
      client.on('error', () => {})
    },
  }
}

/**
 * `redis://host:6379` is a single server; several hosts, separated by commas (`redis://a:6379,b:6379`), are the nodes
 * of a Cluster; `redis+sentinel://a:26379,b:26379/name` asks Sentinels for the master of that name. `rediss` for TLS.
 * BullMQ blocks on its connection, so requests must be able to wait for ever.
 */
function redisConnection(engine: Engine & { kind: 'redis' }): Redis | Cluster {
  const options = { maxRetriesPerRequest: null, keepAlive: KEEP_ALIVE }
  const nodes = nodesOf(engine.url)
  const [first] = nodes
  const connection = first?.protocol.endsWith('+sentinel:')
    ? new Redis({
        ...options,
        ...accessOf(first),
        sentinels: nodes.map(placeOf),
        name: first.pathname.slice(1),
      })
    : nodes.length === 1
      ? new Redis(engine.url, options)
      : new Cluster(nodes.map(placeOf), { redisOptions: { ...options, ...(first ? accessOf(first) : {}) } })
  // Reconnecting is ioredis' business; what it reports also reaches the queue's own listener.
  connection.on('error', () => {})
  return connection
}

/** Each host of a Redis URL as a URL of its own; the user stands before the first, the path after the last. */
function nodesOf(url: string): URL[] {
  const [, scheme = 'redis:', user = '', hosts = '', path = ''] =
    /^([a-z+]+:)\/\/([^/]*@)?([^/]*)(\/.*)?$/.exec(url) ?? []
  return hosts.split(',').map((host) => new URL(`${scheme}//${user}${host}${path}`))
}

function placeOf(node: URL): { host: string; port: number } {
  const usual = node.protocol.endsWith('+sentinel:') ? 26_379 : 6379
  return { host: node.hostname, port: node.port === '' ? usual : Number(node.port) }
}

function accessOf(node: URL): { username?: string; password?: string; tls?: object } {
  return {
    ...(node.username === '' ? {} : { username: decodeURIComponent(node.username) }),
    ...(node.password === '' ? {} : { password: decodeURIComponent(node.password) }),
    ...(node.protocol.startsWith('rediss') ? { tls: {} } : {}),
  }
}
