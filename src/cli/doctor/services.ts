import { Redis } from 'ioredis'
import { type ChannelRegistry, openChannels } from '../../channels/channels.ts'
import { messageOf, WinbackError } from '../../errors.ts'
import { type Finding, fine, unavailable, wrong } from './finding.ts'

const PATIENCE_MS = 3000

/** The queue's engine: whether Redis answers, is new enough, and never throws jobs away for want of memory. */
export async function checkRedis(url: string | undefined): Promise<Finding[]> {
  if (url === undefined) return [fine('queue', 'on the database (set REDIS_URL to use Redis)')]
  // Several hosts are the nodes of a Cluster: each is asked by itself.
  const [scheme = 'redis:', hosts = ''] = url.split('//')
  return Promise.all(hosts.split(',').map((host) => checkNode(`${scheme}//${host}`)))
}

async function checkNode(url: string): Promise<Finding> {
  const name = url.replace(/^.*@/, '').replace(/^rediss?:\/\//, '')
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: PATIENCE_MS,
    commandTimeout: PATIENCE_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // The command that fails says no more than that the connection is closed.
  let why: unknown
  redis.on('error', (error) => {
    why ??= error
  })
  try {
    await redis.connect()
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '?'
    const policy = await memoryPolicy(redis)
    if (policy !== undefined && policy !== 'noeviction') {
      return wrong(
        'queue',
        `Redis ${version} at ${name} may throw jobs away: maxmemory-policy is ${policy}`,
        'Set `maxmemory-policy noeviction` in redis.conf. (Nothing would be lost, but much done again.)',
      )
    }
    return fine('queue', `Redis ${version} at ${name}${policy ? `, maxmemory-policy ${policy}` : ''}`)
  } catch (error) {
    return unavailable(
      'queue',
      `Redis at ${name} cannot be used: ${messageOf(why ?? error)}`,
      'Check REDIS_URL, its password too, and that the server is up; without it the queue runs on the database.',
    )
  } finally {
    redis.disconnect()
  }
}

/** Undefined where the provider does not let us ask. */
async function memoryPolicy(redis: Redis): Promise<string | undefined> {
  const answer = await redis.config('GET', 'maxmemory-policy').catch(() => undefined)
  return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : undefined
}

/**
 * Every channel the workspace has: connects to its provider and sends nothing.
 * @param notYet channels campaigns may name before they are set up
 */
export async function checkChannels(
  registry: ChannelRegistry,
  notYet: readonly string[] = [],
): Promise<Finding[]> {
  let open: ReturnType<typeof openChannels>
  try {
    open = openChannels(registry)
  } catch (error) {
    return [wrong('channels', messageOf(error), 'Mend `channels` in winback.yaml.')]
  }
  const awaited = notYet.map((name) =>
    fine('channels', `${name}: not set up yet (\`not_yet\` in winback.yaml), so nobody is reached on it`),
  )
  const found = await Promise.all(
    [...open].map(async ([name, channel]) => {
      try {
        return fine('channels', `${name}: ${await channel.check()}`)
      } catch (error) {
        return unavailable(
          'channels',
          `${name}: ${messageOf(error)}`,
          (error instanceof WinbackError && error.remedy) ||
            `Check \`channels.${name}\` in winback.yaml and that the provider lets this machine in.`,
        )
      } finally {
        await channel.close()
      }
    }),
  )
  return [...found, ...awaited]
}
