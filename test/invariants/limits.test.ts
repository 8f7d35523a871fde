import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { killProcesses, type WorkerProcess } from '../support/processes.ts'
import { type RedisServer, redisUrl, startRedis } from '../support/redis.ts'
import { distantSchedule, openScene, type Scene } from '../support/scene.ts'

// Caps, stock and budget (I5, I7, I8) with several worker processes that want the same at the same moment, one of them
// killed: whatever happened, nothing was exceeded, and nothing is held in the end.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const PEOPLE = 70
const STOCK = 50
/** Messages that may be paid for. */
const PAID = 60

const SOURCE = `
version: 1
campaign: faults
title: Limits
schedule: "${distantSchedule()}"
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits:
  per_person: [{ at_most: 2 per 365d, then: skip }]
  budget: { spend: ${PAID / 100} CNY }
offers:
  five: { kind: coupon, amount: 5 CNY, valid: 7d, stock: ${STOCK}, deliver: code }
tiers:
  - name: only
    inactive: 3d..
    steps:
      - { id: one, channel: email, template: coded, offer: five, otherwise: hello }
      - { id: two, channel: email, template: coded, offer: five, otherwise: hello }
`
/** Another campaign that writes to the same people, under the same cap. */
const OTHER = `
version: 1
campaign: other
title: Other
schedule: "${distantSchedule()}"
priority: 60
goals: { recall: { event: session } }
window: 30d
holdout: 0%
limits: { per_person: [{ at_most: 2 per 365d, then: skip }] }
tiers:
  - { name: only, inactive: 3d.., steps: [{ id: hello, channel: email, template: hello }] }
`
/** What looks again in minutes, for another holds what it wants, looks again in a second: nobody waits for minutes here. */
const SOON = sql`UPDATE touchpoints SET due_at = clock_timestamp() + interval '1 second'
  WHERE state = 'planned' AND due_at > clock_timestamp() + interval '1 second'`
const TEMPLATES = { 'coded.en.hbs': '---\nsubject: Yours\n---\n<p>{{offer.code}}</p>\n' }

describe.each(['postgres', 'redis'] as const)('with the queue on %s', (kind) => {
  const missing = kind === 'redis' && redisUrl() === undefined
  let scene: Scene
  let database: Database
  let redis: RedisServer | undefined

  beforeAll(async () => {
    if (missing) return
    database = await freshDatabase({ max: 4 })
    if (kind === 'redis') redis = await startRedis()
    const engine: Engine = redis
      ? { kind: 'redis', url: redis.url, prefix: '{limits}' }
      : { kind: 'postgres', url: database.url, schema: 'winback_queue' }
    scene = await openScene({
      database,
      engine,
      delay: 5,
      source: SOURCE,
      templates: TEMPLATES,
      price: '0.01',
    })
  })
  afterAll(async () => {
    if (missing) return
    await killProcesses()
    await scene.close()
    await redis?.stop()
  })

  it.skipIf(missing)('caps, stock and budget hold, whoever is killed', async () => {
    await scene.start('scheduler')
    const workers: WorkerProcess[] = await Promise.all([1, 2, 3].map(() => scene.start('worker')))
    await scene.shop.apply(OTHER)
    await scene.wave(PEOPLE)
    await scene.shop.run('other')
    await scene.received(40)
    await workers[0]?.kill()
    await eventually(
      'nothing waits, is under way or held',
      async () => {
        await execute(database, SOON)
        return rows(
          database,
          sql`SELECT state FROM touchpoints UNION ALL SELECT 'held' FROM budget_holds
            UNION ALL SELECT state FROM grants WHERE state = 'reserved'`,
        )
      },
      (left) => left.length === 0,
      90,
    )
    const [most] = await rows<{ most: number }>(
      database,
      sql`SELECT max(n) AS most FROM (SELECT count(*) AS n FROM touchpoint_records
        WHERE state IN ('sent', 'uncertain') GROUP BY contact_id) person`,
    )
    expect(most?.most).toBeLessThanOrEqual(2)
    const [given] = await rows<{
      grants: number
      codes: number
      holders: number
      taken: number
      owed: number
      spent: number
    }>(
      database,
      sql`SELECT (SELECT count(*) FROM grants) AS grants, (SELECT count(*) FROM offer_codes) AS codes,
        (SELECT count(DISTINCT contact_id) FROM grants) AS holders, (SELECT sum(taken) FROM offer_stocks)::int AS taken,
        (SELECT sum(amount) FROM ledger WHERE kind = 'liability')::bigint AS owed,
        (SELECT sum(amount) FROM ledger JOIN steps USING (step_id)
          WHERE kind = 'spend' AND campaign = 'faults')::bigint AS spent`,
    )
    expect(given?.grants).toBeLessThanOrEqual(STOCK)
    expect(given?.grants).toBeGreaterThan(20)
    expect(given).toMatchObject({ codes: given?.grants, holders: given?.grants, taken: given?.grants })
    expect(given?.owed).toBe((given?.grants ?? 0) * 5_000_000)
    expect(given?.spent).toBeLessThanOrEqual(PAID * 10_000)
    // Everybody gets one message of the campaign at most, and there is money for all but ten.
    expect(given?.spent).toBe(PAID * 10_000)
    const codes = scene.smtp.messages.flatMap(
      ({ raw }) => raw.toString().match(/[0-9A-Z]{4}(-[0-9A-Z]{4}){3}/g) ?? [],
    )
    const holders = new Map<string, Set<string>>()
    for (const { raw, to } of scene.smtp.messages) {
      for (const code of raw.toString().match(/[0-9A-Z]{4}(-[0-9A-Z]{4}){3}/g) ?? []) {
        holders.set(code, (holders.get(code) ?? new Set()).add(to[0] ?? ''))
      }
    }
    expect(codes.length).toBeGreaterThan(20)
    for (const people of holders.values()) expect(people.size).toBe(1)
  })
})
