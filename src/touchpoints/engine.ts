import { Cluster, Redis } from 'ioredis'
import type { ClientBase } from 'pg'

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
 * `redis://host:6379` is a single server; several hosts, separated by commas (`redis://a:6379,b:6379`), are the nodes
 * of a Cluster; `redis+sentinel://a:26379,b:26379/name` asks Sentinels for the master of that name. `rediss` for TLS.
 * BullMQ blocks on its connection, so requests must be able to wait for ever.
 */
export function redisConnection(engine: Engine & { kind: 'redis' }): Redis | Cluster {
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
