import type { Engine } from '../touchpoints/queue/engine.ts'
import type { DatabaseContext } from './workspace.ts'

/** Where this workspace's queue lives: Redis where one is named, else beside the tables, in a schema of its own. */
export function queueEngine(context: DatabaseContext): Engine {
  const { redis } = context.loaded.definition
  if (redis.url !== undefined) return { kind: 'redis', url: redis.url, prefix: redis.prefix }
  return { kind: 'postgres', url: context.database.url, schema: `${context.database.schema}_queue` }
}
