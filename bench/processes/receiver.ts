import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { manualClock } from '../../src/clock.ts'
import { connect } from '../../src/database/connect.ts'
import { openRuntime } from '../../src/service/runtime.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { startWeb } from '../../src/web/server.ts'
import { serve } from '../child.ts'
import { eventsOf, type Load } from '../events.ts'
import { serverCpu } from '../server-cpu.ts'
import { NOW, openWorkspace } from '../workspace.ts'

// The web server alone in its process, until it is hung up on; or its floor: COPY of the same rows into one plain table.

export interface Task {
  readonly url: string
  /** Undefined: serve HTTP. */
  readonly copy: Load | undefined
}
export interface Answer {
  /** Of the COPY. */
  readonly seconds: number
  /** MiB of the resident set: after the first tenth of the requests, and at the end. */
  readonly early: number
  readonly peak: number
  /** Seconds of processor time, user's and system's, of this process while it served. */
  readonly nodeCpu: number
  /** The same of its connections' server processes; undefined where they cannot be seen. */
  readonly postgresCpu: number | undefined
}
export interface Ready {
  readonly address: string
  readonly key: string
}

serve<Task, Answer, Ready>(async ({ url, copy }, note, ended) => {
  if (copy) return { seconds: await copyPlainly(url, copy), early: 0, peak: 0, nodeCpu: 0, postgresCpu: 0 }
  const database = connect(url)
  const workspace = (await openWorkspace()).definition
  const clock = manualClock(NOW)
  const runtime = await openRuntime({
    database,
    workspace: { ...workspace, events: { ...workspace.events, rate: 10_000_000 } },
    clock,
  })
  const { text } = await createApiKey(database, {
    name: 'bench',
    scopes: ['events:write'],
    now: NOW,
    by: 'bench',
  })
  const server = await startWeb(
    { runtime, onError: (where, error) => console.error(where, error) },
    { host: '127.0.0.1', port: 0 },
  )
  const sizes: number[] = []
  const before = process.cpuUsage()
  const watch = setInterval(() => sizes.push(process.memoryUsage.rss() / 2 ** 20), 100)
  note({ address: server.address, key: text })
  await new Promise<void>((resolve) => {
    process.on('message', () => resolve())
    void ended.then(resolve)
  })
  clearInterval(watch)
  const used = process.cpuUsage(before)
  const postgresCpu = await serverCpu(database)
  await server.close()
  await runtime.close()
  await database.close()
  const half = sizes.slice(0, Math.ceil(sizes.length / 2))
  return {
    seconds: 0,
    early: Math.max(...half),
    peak: Math.max(...sizes),
    nodeCpu: (used.user + used.system) / 1e6,
    postgresCpu,
  }
})

async function copyPlainly(url: string, load: Load): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE TABLE plain (message_id text PRIMARY KEY, external_id text, type text,
    occurred_at timestamptz, value bigint, properties jsonb)`)
  const started = performance.now()
  const lines = function* () {
    const seen = new Set<number>()
    for (const { number, call } of eventsOf(load)) {
      if (seen.has(number)) continue
      seen.add(number)
      const { messageId, userId, event, timestamp, properties } = call
      yield `${messageId}\t${userId}\t${event}\t${timestamp}\t${'revenue' in properties ? properties.revenue * 1e6 : '\\N'}\t${JSON.stringify(properties)}\n`
    }
  }
  await pipeline(Readable.from(lines()), client.query(copyFrom('COPY plain FROM STDIN')))
  const seconds = (performance.now() - started) / 1000
  await client.end()
  return seconds
}
