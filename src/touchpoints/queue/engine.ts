import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import type { ClientBase } from 'pg'
import { addOptions } from '../../database/connect.ts'
import { accessOf, masterOf, nodesOf, placeOf } from './redis-nodes.ts'

// Where the queue lives, and connections to it.

/** Where BullMQ lives: beside our tables, in a schema of its own, or on Redis (single, Sentinel or Cluster). */
export type Engine =
  | { readonly kind: 'postgres'; readonly url: string; readonly schema: string }
  | { readonly kind: 'redis'; readonly url: string; readonly prefix: string }

/** What BullMQ calls the one queue there is. */
export const QUEUE_NAME = 'touchpoints'
/** Milliseconds a connection may take to stand; and of silence after which its other end is asked whether it is there. */
const CONNECT = 30_000
const KEEP_ALIVE = 30_000

export function postgresConnection(engine: Engine & { kind: 'postgres' }) {
  return {
    ...addOptions(engine.url),
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
 * A connection to what {@link nodesOf} reads of the url. BullMQ blocks on its connection, so requests must be able to wait
 * for ever.
 */
export function redisConnection(engine: Engine & { kind: 'redis' }): Redis | Cluster {
  const options = {
    maxRetriesPerRequest: null,
    keepAlive: KEEP_ALIVE,
    // Its name leads to another primary by now: only whoever connects anew finds that one.
    reconnectOnError: (error: Error) => error.message.includes('READONLY'),
  }
  const master = masterOf(engine.url)
  const nodes = nodesOf(engine.url)
  const [first] = nodes
  const connection = master
    ? new Redis({ ...options, ...master })
    : nodes.length === 1
      ? new Redis(engine.url, options)
      : new Cluster(nodes.map(placeOf), { redisOptions: { ...options, ...(first ? accessOf(first) : {}) } })
  // Reconnecting is ioredis' business; what it reports also reaches the queue's own listener.
  connection.on('error', () => {})
  return connection
}

/** Where a queue is, to be shown: hosts, the number of the database and the prefix, never the password; empty on PostgreSQL. */
export function queuePlace(engine: Engine): string {
  if (engine.kind === 'postgres') return ''
  const nodes = nodesOf(engine.url)
  return `${nodes.map(({ host }) => host).join(',')}${nodes[0]?.pathname.replace(/^\/$/, '') ?? ''} ${engine.prefix}`
}

/** What the queue on the database is known by: whoever works on a database finds the same one there. */
export const POSTGRES_QUEUE = 'postgres'

/**
 * What a queue on Redis is known by: it lies there and is drawn by whoever comes first, since one server has many names. Flushed,
 * it is another one.
 */
export async function redisQueueId(connection: Redis | Cluster, prefix: string): Promise<string> {
  const key = `${prefix}:id`
  const known = await connection.get(key)
  if (known !== null) return known
  const drawn = randomUUID()
  const first = await connection.set(key, drawn, 'NX')
  return first === null ? ((await connection.get(key)) ?? drawn) : drawn
}
