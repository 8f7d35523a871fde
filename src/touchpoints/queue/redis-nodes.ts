// What a url of Redis says, read without its client: `redis://host:6379` is a single server; several hosts, separated by commas
// (`redis://a:6379,b:6379`), are the nodes of a Cluster; `redis+sentinel://a:26379,b:26379/name` asks Sentinels for the
// master of that name. `rediss` for TLS.

/** Who asks, as ioredis takes it. */
export interface Access {
  readonly username?: string
  readonly password?: string
  readonly tls?: object
}

/** A master behind Sentinels, as ioredis takes it. */
export interface Master extends Access {
  readonly sentinels: { host: string; port: number }[]
  readonly name: string
  readonly sentinelPassword?: string
  readonly sentinelTLS?: object
  readonly enableTLSForSentinelMode?: true
}

/** Each host of a Redis URL as a URL of its own; the user stands before the first, the path after the last. */
export function nodesOf(url: string): URL[] {
  const [, scheme = 'redis:', user = '', hosts = '', path = ''] =
    /^([a-z+]+:)\/\/([^/]*@)?([^/]*)(\/.*)?$/.exec(url) ?? []
  return hosts.split(',').map((host) => new URL(`${scheme}//${user}${host}${path}`))
}

/**
 * The master that Sentinels are to be asked for; undefined of any other url. They are told the password, too, as their default
 * user's, and TLS is spoken with them as with the master, which ioredis would speak with neither unless told so.
 */
export function masterOf(url: string): Master | undefined {
  const nodes = nodesOf(url)
  const [first] = nodes
  if (!first?.protocol.endsWith('+sentinel:')) return undefined
  const access = accessOf(first)
  const { username, password, tls } = access
  return {
    ...access,
    // A user of the master's is none of theirs.
    ...(username === undefined && password !== undefined ? { sentinelPassword: password } : {}),
    ...(tls ? { sentinelTLS: tls, enableTLSForSentinelMode: true } : {}),
    sentinels: nodes.map(placeOf),
    name: first.pathname.slice(1),
  }
}

export function placeOf(node: URL): { host: string; port: number } {
  const usual = node.protocol.endsWith('+sentinel:') ? 26_379 : 6379
  return { host: node.hostname, port: node.port === '' ? usual : Number(node.port) }
}

export function accessOf(node: URL): Access {
  return {
    ...(node.username === '' ? {} : { username: decodeURIComponent(node.username) }),
    ...(node.password === '' ? {} : { password: decodeURIComponent(node.password) }),
    ...(node.protocol.startsWith('rediss') ? { tls: {} } : {}),
  }
}
