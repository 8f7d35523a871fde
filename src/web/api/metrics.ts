import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../clock.ts'
import { type Database, rows } from '../../database/connect.ts'
import type { KeyRing } from '../api-keys.ts'
import { requireScope } from '../authorise.ts'

// Figures for Prometheus: what a person on call looks at first. What lies in the database is asked for at most every
// quarter of a minute, however many servers scrape.

const KEPT_MS = 15_000

interface Standing {
  readonly waiting: readonly { readonly state: string; readonly touchpoints: number }[]
  readonly paused: number
  readonly newestActivity: Date | null
  readonly lastRun: Date | null
}

/** `GET /metrics`, with an API key of scope `read`. Counts this process' requests, and what the database holds. */
export function metricsApi({
  database,
  clock,
  keys,
}: {
  database: Database
  clock: Clock
  keys: KeyRing
}): Hono {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'winback_' })
  const requests = new Counter({
    name: 'winback_http_requests_total',
    help: 'Requests by method and status class',
    labelNames: ['method', 'status'],
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'winback_http_request_seconds',
    help: 'Seconds from request to answer',
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  })
  const waiting = new Gauge({
    name: 'winback_touchpoints',
    help: 'Touchpoints not settled yet, by state',
    labelNames: ['state'],
    registers: [registry],
  })
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers: [registry] })
  const paused = gauge('winback_switches', 'Campaigns, channels and workspaces that are paused or stopped')
  const lag = gauge('winback_activity_lag_seconds', 'Seconds since the newest activity')
  const run = gauge('winback_run_age_seconds', 'Seconds since the last run of a campaign ended')
  let asked = Number.NEGATIVE_INFINITY

  const refresh = async () => {
    const now = clock.now()
    if (now.getTime() - asked < KEPT_MS) return
    asked = now.getTime()
    const standing = await readStanding(database)
    waiting.reset()
    for (const { state, touchpoints } of standing.waiting) waiting.set({ state }, touchpoints)
    paused.set(standing.paused)
    const age = (at: Date | null) => (at === null ? Number.NaN : (now.getTime() - at.getTime()) / 1000)
    lag.set(age(standing.newestActivity))
    run.set(age(standing.lastRun))
  }

  return new Hono()
    .use(async (c, next) => {
      const began = performance.now()
      await next()
      durations.observe((performance.now() - began) / 1000)
      requests.inc({ method: c.req.method, status: `${Math.floor(c.res.status / 100)}xx` })
    })
    .get('/metrics', requireScope(keys, 'read'), async (c) => {
      await refresh()
      return c.body(await registry.metrics(), 200, { 'Content-Type': registry.contentType })
    })
}

async function readStanding(database: Database): Promise<Standing> {
  const states = await rows<Standing['waiting'][number]>(
    database,
    sql`SELECT state, count(*)::bigint AS touchpoints FROM touchpoints GROUP BY state`,
  )
  const [rest] = await rows<Omit<Standing, 'waiting'>>(
    database,
    sql`SELECT (SELECT count(*)::int FROM switches) AS paused,
          (SELECT max(newest_at) FROM feed_days) AS "newestActivity",
          (SELECT max(finished_at) FROM runs) AS "lastRun"`,
  )
  return { waiting: states, ...(rest ?? { paused: 0, newestActivity: null, lastRun: null }) }
}
