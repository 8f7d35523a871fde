import { z } from 'zod'

// Where servers are. A url of another system, or one that cannot be read, passes for a url, and fails only once it is used,
// in words about networks, or in none.

/** Most of what cannot be read has a password in it as it was given. */
const READABLE = 'with a port below 65536, and in a password %23 for #, %2F for / and %3F for ?'

/** Of a PostgreSQL: what node-postgres takes for what it says, a socket's path included. */
export const postgresUrl = z
  .string()
  .refine((url) => /^(postgres(ql)?:\/\/|socket:|\/)/i.test(url), {
    error: 'expected a PostgreSQL url such as postgres://winback@db.example:5432/winback',
    abort: true,
  })
  .refine(
    // node-postgres takes spaces, and a host that is said behind the path, as a socket's folder is.
    (url) => !/^postgres/i.test(url) || URL.canParse(url.replaceAll(' ', '%20').replace('@/', '@host/')),
    `expected a PostgreSQL url that can be read, ${READABLE}`,
  )

/** Of a Redis or Valkey, of a Cluster's nodes or of Sentinels (see redisConnection of touchpoints/queue/engine.ts). */
export const redisUrl = z
  .string()
  .refine((url) => /^rediss?(\+sentinel)?:\/\//i.test(url), {
    error: 'expected a Redis url such as redis://cache.example:6379',
    abort: true,
  })
  .refine(
    (url) => {
      const { user, hosts } = partsOf(url)
      return hosts.every((host) => host !== '' && URL.canParse(`redis://${user}${host}`))
    },
    { error: `expected a Redis url that can be read, ${READABLE}`, abort: true },
  )
  .refine((url) => {
    const { scheme, path } = partsOf(url)
    return !scheme.includes('+sentinel') || path.length > 1
  }, 'expected the name of the master behind its Sentinels, such as redis+sentinel://a.example:26379,b.example:26379/mymaster')

/** Whether a Redis url names the nodes of a Cluster. */
export function isCluster(url: string): boolean {
  const { scheme, hosts } = partsOf(url)
  return hosts.length > 1 && !scheme.includes('+sentinel')
}

/** The hosts stand between commas; the user stands before the first, the path after the last. */
function partsOf(url: string) {
  const [, scheme = '', user = '', hosts = '', path = ''] =
    /^([a-z+]+):\/\/([^/]*@)?([^/]*)(\/.*)?$/is.exec(url) ?? []
  return { scheme: scheme.toLowerCase(), user, hosts: hosts.split(','), path }
}
