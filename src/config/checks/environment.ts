import type { Problem } from '../../errors.ts'
import { formatPath, type SourceDocument, valueAt } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import type { Environment } from '../environment.ts'
import { isCluster, postgresUrl, redisUrl } from '../urls.ts'
import type { Workspace } from '../workspace.ts'
import { finding } from './findings.ts'

/** The urls of the environment stand in where the file has none. They may hold passwords: only their protocol is told. */
export function* checkEnvironment(document: SourceDocument, environment: Environment): Generator<Problem> {
  const variables = [
    ['DATABASE_URL', 'database', postgresUrl, environment.databaseUrl],
    ['REDIS_URL', 'redis', redisUrl, environment.redisUrl],
  ] as const
  for (const [variable, block, schema, url] of variables) {
    const path = [block, 'url']
    if (url === undefined || valueAt(document.value, path) !== undefined) continue
    const wanted = schema.safeParse(url).error?.issues[0]?.message
    if (wanted === undefined) continue
    const found = /^[a-z][a-z0-9+.-]*:/i.exec(url)?.[0] ?? 'another text'
    const message = `the environment variable ${variable} is used here: ${wanted}, found \`${found}\`; unset it, or write ${formatPath(path)}`
    yield finding(document, path, message, { found, expected: wanted.replace('expected ', '') })
  }
}

/** A Cluster keeps keys on one node by what stands between braces; without, it turns away whatever needs two of them. */
export function* checkKeys(
  document: SourceDocument,
  { redis }: Salvaged<Workspace>,
  environment: Environment,
): Generator<Problem> {
  const url = redis?.url ?? environment.redisUrl
  const prefix = redis?.prefix
  if (url === undefined || prefix === undefined || !isCluster(url) || /\{[^}]+\}/.test(prefix)) return
  yield finding(
    document,
    ['redis', 'prefix'],
    `a Cluster keeps keys together by a name between braces, found \`${prefix}\``,
    {
      expected: 'a name between braces such as {winback}',
      suggestion: `"{${prefix.replaceAll(/[{}]/g, '') || 'winback'}}"`,
    },
  )
}
