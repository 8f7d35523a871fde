import type { Redis } from 'ioredis'
import { type ChannelRegistry, openChannels } from '../../../channels/channels.ts'
import { connectionRemedy } from '../../../database/connection-remedies.ts'
import { messageOf, WinbackError } from '../../../errors.ts'
import { masterOf, nodesOf } from '../../../touchpoints/queue/redis-nodes.ts'
import type { Say } from '../../locale.ts'
import { channelText } from './channel-words.ts'
import { type Finding, fine, unavailable, wrong } from './finding.ts'

const PATIENCE_MS = 3000

/**
 * The queue's engine: whether Redis answers, takes what is written, and never throws jobs away for want of memory.
 * @param prefix of its keys
 */
export async function checkRedis(
  url: string | undefined,
  say: Say,
  prefix = '{winback}',
): Promise<Finding[]> {
  if (url === undefined) {
    return [
      fine(
        'queue',
        say('on the database (set REDIS_URL to use Redis)', '使用数据库（设置 REDIS_URL 则使用 Redis）'),
      ),
    ]
  }
  const master = masterOf(url)
  const nodes = nodesOf(url)
  // Read where there is a Redis to ask: most queues are on the database.
  const { Redis } = await import('ioredis')
  if (master) {
    const places = nodes.map(({ host }) => host).join(',')
    const open = () => new Redis({ ...ONCE, ...master, sentinelRetryStrategy: () => null })
    return [await checkNode(`${places}/${master.name}`, open, prefix, say)]
  }
  // Several hosts are the nodes of a Cluster: each is asked by itself.
  return Promise.all(
    nodes.map((node) =>
      checkNode(`${node.host}${node.pathname}`, () => new Redis(node.href, { ...ONCE }), prefix, say),
    ),
  )
}

/** Asked once, and not for long. */
const ONCE = {
  lazyConnect: true,
  connectTimeout: PATIENCE_MS,
  commandTimeout: PATIENCE_MS,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
}

/** @param name where it is, without a password */
async function checkNode(name: string, open: () => Redis, prefix: string, say: Say): Promise<Finding> {
  const redis = open()
  // The command that fails says no more than that the connection is closed.
  let why: unknown
  redis.on('error', (error) => {
    why ??= error
  })
  try {
    await redis.connect()
    const version = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '?'
    const refusal = await refusalOf(redis, prefix)
    if (refusal !== undefined) {
      return unavailable(
        'queue',
        say(
          `Redis ${version} at ${name} takes nothing that is written: ${refusal}`,
          `${name} 的 Redis ${version} 拒绝写入：${refusal}`,
        ),
        mendRefusal(refusal, say),
      )
    }
    const policy = await memoryPolicy(redis)
    if (policy !== undefined && policy !== 'noeviction') {
      return wrong(
        'queue',
        say(
          `Redis ${version} at ${name} may throw jobs away: maxmemory-policy is ${policy}`,
          `${name} 的 Redis ${version} 可能丢弃任务：maxmemory-policy 为 ${policy}`,
        ),
        say(
          'Set `maxmemory-policy noeviction` in redis.conf. (Nothing would be lost, but much done again.)',
          '请在 redis.conf 中设置 `maxmemory-policy noeviction`（不会丢失数据，但许多工作要重做）。',
        ),
      )
    }
    return fine(
      'queue',
      say(
        `Redis ${version} at ${name}${policy ? `, maxmemory-policy ${policy}` : ''}`,
        `${name} 的 Redis ${version}${policy ? `，maxmemory-policy 为 ${policy}` : ''}`,
      ),
    )
  } catch (error) {
    return unavailable(
      'queue',
      say(
        `Redis at ${name} cannot be used: ${messageOf(why ?? error)}`,
        `${name} 的 Redis 无法使用：${messageOf(why ?? error)}`,
      ),
      mendConnection(why ?? error, say) ??
        say(
          'Check REDIS_URL, its password too, rediss:// where the port speaks TLS, and that the server is up; without it the queue runs on the database.',
          '请检查 REDIS_URL（包括密码；端口使用 TLS 时须写 rediss://）以及服务器是否在运行；不设置它时，队列使用数据库。',
        ),
    )
  } finally {
    redis.disconnect()
  }
}

function mendConnection(error: unknown, say: Say): string | undefined {
  const remedy = connectionRemedy(error)
  return remedy && say(remedy.en, remedy.zh)
}

/** What it says to a write; undefined where it takes it. It changes nothing: that key is never there. */
async function refusalOf(redis: Redis, prefix: string): Promise<string | undefined> {
  try {
    await redis.set(`${prefix}:doctor`, '', 'XX')
    return undefined
  } catch (error) {
    // Another node of its Cluster has that key.
    const said = messageOf(error)
    return /^(MOVED|ASK) /.test(said) ? undefined : said
  }
}

function mendRefusal(said: string, say: Say): string {
  if (said.startsWith('OOM'))
    return say(
      'Raise `maxmemory`, or see what else fills it: the queue holds a few jobs for each worker. Messages wait meanwhile.',
      '请调高 `maxmemory`，或查明内存被什么占满：队列中每个工作进程只有几个任务。此间消息会等待。',
    )
  if (said.startsWith('READONLY'))
    return say('REDIS_URL has to name the primary.', 'REDIS_URL 须指向主节点。')
  return say(
    'See the log of Redis: a full disk, replicas that are away, or a right its user lacks. Messages wait meanwhile.',
    '请查看 Redis 的日志：磁盘已满、副本失联，或用户缺少权限。此间消息会等待。',
  )
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
  say: Say,
  notYet: readonly string[] = [],
): Promise<Finding[]> {
  let open: ReturnType<typeof openChannels>
  try {
    open = openChannels(registry)
  } catch (error) {
    return [
      wrong(
        'channels',
        messageOf(error),
        say('Mend `channels` in winback.yaml.', '请修改 winback.yaml 中的 `channels`。'),
      ),
    ]
  }
  const awaited = notYet.map((name) =>
    fine(
      'channels',
      say(
        `${name}: not set up yet (\`not_yet\` in winback.yaml), so nobody is reached on it`,
        `${name}：尚未配置（winback.yaml 的 \`not_yet\`），因此不会通过它触达任何人`,
      ),
    ),
  )
  const found = await Promise.all(
    [...open].map(async ([name, channel]) => {
      try {
        const answer = await channel.check()
        return fine('channels', say(`${name}: ${answer}`, `${name}：${channelText(answer)}`))
      } catch (error) {
        return unavailable(
          'channels',
          say(`${name}: ${messageOf(error)}`, `${name}：${messageOf(error)}`),
          (error instanceof WinbackError && error.remedy) ||
            mendConnection(error, say) ||
            say(
              `Check \`channels.${name}\` in winback.yaml and that the provider lets this machine in.`,
              `请检查 winback.yaml 中的 \`channels.${name}\`，以及服务商是否允许本机访问。`,
            ),
        )
      } finally {
        await channel.close()
      }
    }),
  )
  return [...found, ...awaited]
}
