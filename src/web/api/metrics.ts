import { sql } from 'drizzle-orm'
import { Hono } from 'hono'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Clock } from '../../clock.ts'
import { type Database, rows } from '../../database/connect.ts'
import { type Backlog, readBacklog } from '../../touchpoints/backlog.ts'
import type { KeyRing } from '../api-keys.ts'
import { requireScope } from '../authorise.ts'

// Figures for Prometheus: what a person on call looks at first. What lies in the database is asked for at most every
// quarter of a minute, however many scrape, and costs the same whatever is planned for later.

const KEPT_MS = 15_000
const HOUR_MS = 3600_000

interface Standing {
  readonly backlog: readonly Backlog[]
  readonly sent: readonly { readonly campaign: string; readonly channel: string; readonly sent: number }[]
  readonly switches: readonly { readonly scope: string; readonly name: string; readonly state: string }[]
  readonly absent: readonly { readonly channel: string; readonly since: Date }[]
  readonly runs: readonly { readonly campaign: string; readonly finishedAt: Date }[]
  readonly newestActivity: Date | null
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
  const show = standingGauges(registry)
  let kept: { readonly at: number; readonly standing: Promise<Standing> } | undefined
  const current = (now: Date) => {
    if (kept && now.getTime() - kept.at < KEPT_MS) return kept.standing
    const standing = readStanding(database, now)
    const asked = { at: now.getTime(), standing }
    kept = asked
    // A failure is told to whoever waits for it, and not for a quarter of a minute.
    standing.catch(() => {
      if (kept === asked) kept = undefined
    })
    return standing
  }

  return new Hono()
    .use(async (c, next) => {
      const began = performance.now()
      await next()
      durations.observe((performance.now() - began) / 1000)
      requests.inc({ method: c.req.method, status: `${Math.floor(c.res.status / 100)}xx` })
    })
    .get('/metrics', requireScope(keys, 'read'), async (c) => {
      const now = clock.now()
      show(await current(now), now)
      return c.body(await registry.metrics(), 200, { 'Content-Type': registry.contentType })
    })
}

/** Makes the gauges of what the database holds; the function fills them. */
function standingGauges(registry: Registry): (standing: Standing, now: Date) => void {
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const due = gauge('winback_touchpoints_due', 'Due and not begun, a step at most 100,000', ['campaign'])
  const underWay = gauge('winback_touchpoints_under_way', 'Queued, claimed or being sent', ['campaign'])
  const oldest = gauge(
    'winback_oldest_due_seconds',
    'Seconds since the oldest was due that no pause holds back; 0 where none is due',
    ['campaign'],
  )
  const sent = gauge('winback_sent_last_hour', 'Messages that went out, or may have', ['campaign', 'channel'])
  const switched = gauge('winback_switch', '1 for what is paused or stopped', ['scope', 'name', 'state'])
  const away = gauge('winback_channel_away_seconds', 'Seconds since its provider cannot be reached', [
    'channel',
  ])
  const run = gauge('winback_run_age_seconds', 'Seconds since the last run ended', ['campaign'])
  const lag = gauge('winback_activity_lag_seconds', 'Seconds since the newest activity', [])
  return (standing, now) => {
    const age = (at: Date | null) => (at === null ? Number.NaN : (now.getTime() - at.getTime()) / 1000)
    for (const each of [due, underWay, oldest, sent, switched, away, run]) each.reset()
    for (const { campaign, ...backlog } of standing.backlog) {
      due.set({ campaign }, backlog.due)
      underWay.set({ campaign }, backlog.underWay)
      oldest.set({ campaign }, backlog.oldest === null ? 0 : age(backlog.oldest))
    }
    for (const { sent: number, ...where } of standing.sent) sent.set(where, number)
    for (const each of standing.switches) switched.set({ ...each }, 1)
    for (const { channel, since } of standing.absent) away.set({ channel }, age(since))
    for (const { campaign, finishedAt } of standing.runs) run.set({ campaign }, age(finishedAt))
    lag.set(age(standing.newestActivity))
  }
}

async function readStanding(database: Database, now: Date): Promise<Standing> {
  const hourAgo = new Date(now.getTime() - HOUR_MS)
  const [backlog, sent, switches, absent, runs, feed] = await Promise.all([
    readBacklog(database, now),
    rows<Standing['sent'][number]>(
      database,
      sql`SELECT campaign, channel, sum(sent)::bigint AS sent FROM send_counts
        WHERE sent_at > ${hourAgo} AND sent_at <= ${now} GROUP BY campaign, channel`,
    ),
    rows<Standing['switches'][number]>(database, sql`SELECT scope, name, state FROM switches`),
    rows<Standing['absent'][number]>(database, sql`SELECT channel, since FROM absences`),
    rows<Standing['runs'][number]>(
      database,
      sql`SELECT campaign, max(finished_at) AS "finishedAt" FROM runs WHERE finished_at IS NOT NULL GROUP BY campaign`,
    ),
    rows<{ newest: Date | null }>(database, sql`SELECT max(newest_at) AS newest FROM feed_days`),
  ])
  return { backlog, sent, switches, absent, runs, newestActivity: feed[0]?.newest ?? null }
}
