import { Cluster, Redis } from 'ioredis'
import type { ClientBase } from 'pg'
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
 * A connection to what {@link nodesOf} reads of the url. BullMQ blocks on its connection, so requests must be able to wait
 * for ever.
 */
export function redisConnection(engine: Engine & { kind: 'redis' }): Redis | Cluster {
  const options = { maxRetriesPerRequest: null, keepAlive: KEEP_ALIVE }
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
