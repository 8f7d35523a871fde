import { type SQL, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { addCounts } from '../../src/reports/effect.ts'
import { countsOf, readPeople } from '../../src/reports/people-cells.ts'
import { countEpisodes } from '../../src/reports/people-sql.ts'
import { rollUp } from '../../src/reports/rollup.ts'
import type { CountingRules } from '../../src/reports/rollup-sql.ts'
import { freshDatabase } from '../support/database.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../support/episodes.ts'
import { clearReports, RULES } from '../support/report-scene.ts'

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['remind', 'coupon'], letter: ['letter'] })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

const TABLES = ['people', 'recalls', 'stages', 'variants', 'funnel', 'messages', 'errors', 'costs', 'offers']

/** All report tables as text, in a fixed order. */
async function figures(): Promise<string> {
  const found = await Promise.all(
    TABLES.map((table) =>
      rows<{ row: string }>(
        database,
        sql`SELECT t::text AS row FROM ${sql.identifier(`report_${table}`)} t ORDER BY 1`,
      ),
    ),
  )
  return JSON.stringify(found, null, 1)
}

async function rebuilt(now: Date, rules: CountingRules = RULES): Promise<string> {
  await rollUp(database, now, rules, { rebuild: true })
  return await figures()
}

const pick = (of: SQL) =>
  sql`(SELECT contact_id, episode_id FROM episodes ORDER BY md5(episode_id::text || ${of}) LIMIT 3)`

/** What may happen late: each leaves figures of closed days out of date. */
const LATE = {
  receipt: (at: Date, seed: number) =>
    sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
        SELECT r.contact_id, r.touchpoint_id, 'late ' || ${seed}::text, (ARRAY['delivered', 'clicked', 'hard_bounce'])[${(seed % 3) + 1}::int], ${at}::timestamptz, ${at}::timestamptz
        FROM touchpoint_records r JOIN ${pick(sql`${seed}::text`)} p USING (contact_id, episode_id) ON CONFLICT DO NOTHING`,
  // What an episode costs is booked while it is open, but for a call that was made after it; later, an offer's redemption
  // says so.
  booked: (at: Date, seed: number) =>
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, booked.kind, 'email', ${seed}::bigint * 1000, ${at}::timestamptz
        FROM (SELECT (ARRAY['spend', 'liability', 'labour'])[${(seed % 3) + 1}::int] AS kind) booked,
          touchpoint_records r JOIN episodes e USING (contact_id, episode_id)
        WHERE (booked.kind = 'labour' OR e.ended_at > ${at}) AND r.touchpoint_id % 2 = ${seed % 2}::int`,
  // A provider that is asked, or a worker that was thought dead, says how a send ended.
  known: (_: Date, seed: number) =>
    sql`UPDATE touchpoint_records r SET state = ${seed % 2 ? 'sent' : 'failed'}, reason = ${seed % 2 ? null : 'refused'}::text
        FROM ${pick(sql`${seed}::text`)} p WHERE (r.contact_id, r.episode_id) = (p.contact_id, p.episode_id)
          AND r.state IN ('sent', 'failed', 'uncertain')`,
  opened: undefined,
  activity: (at: Date, seed: number) =>
    sql`WITH e AS (SELECT e.contact_id, e.assigned_at + make_interval(days => ${(seed % 80) + 1}::int) AS at
                   FROM episodes e JOIN ${pick(sql`${seed}::text`)} p USING (contact_id, episode_id)
                   WHERE e.assigned_at + make_interval(days => ${(seed % 80) + 1}::int) <= ${at}),
          made AS (INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
                   SELECT DISTINCT contact_id, at, ${seed}::bigint, (ARRAY['session', 'order', 'uninstalled'])[${(seed % 3) + 1}::int], 5000000::bigint, NULL::jsonb, ${at}::timestamptz FROM e
                   ON CONFLICT DO NOTHING RETURNING occurred_at)
        INSERT INTO feed_days AS f (day, events, newest_at)
        SELECT occurred_at::date, count(*), max(occurred_at) FROM made GROUP BY 1
        ON CONFLICT (day) DO UPDATE SET events = f.events + excluded.events`,
} as const

describe('what is rolled up', () => {
  it('counts what counting every episode counts', async () => {
    await history.assign({ arm: 'treated', count: 40, recalled: 10, at: day(0) })
    await history.assign({
      arm: 'treated',
      count: 20,
      recalled: 5,
      at: day(3),
      tier: 'letter',
      segment: 'vip',
    })
    await history.assign({ arm: 'holdout', count: 12, recalled: 2, at: day(3) })
    await history.assign({ arm: 'seed', count: 2, recalled: 1, at: day(3) })
    await history.assign({ arm: 'control', count: 4, recalled: 1, at: day(40), contaminated: true })
    const now = day(60)
    expect(await rollUp(database, now, RULES)).toEqual({ days: 3, busy: false })
    const cells = await readPeople(database, { campaign: 'graded', now })
    const counted = await countEpisodes(database, { campaign: 'graded', now })
    for (const arm of ['treated', 'holdout', 'control'] as const) {
      const { assigned, contaminated, matured, recalled } = addCounts(
        counted.filter((cell) => cell.arm === arm),
      )
      expect(countsOf(cells, arm)).toEqual({ assigned, contaminated, matured, recalled })
    }
  })

  it('does only what is out of date: open days, late receipts, late activity, days that fall due', async () => {
    await history.assign({ arm: 'treated', count: 5, at: day(0) })
    await history.assign({ arm: 'holdout', count: 5, at: day(1) })
    const at = (days: number) => rollUp(database, day(days), RULES).then(({ days: counted }) => counted)
    expect(await at(10)).toBe(2)
    // The history's episodes end on day 32 and 33 after their start; until a day later they count as open.
    expect(await at(11)).toBe(2)
    expect(await at(36)).toBe(2)
    expect(await at(37)).toBe(0)
    for (const late of [LATE.receipt(day(37), 1), LATE.booked(day(37), 2), LATE.known(day(37), 2)]) {
      await execute(database, late)
      expect(await at(37)).toBeGreaterThan(0)
      expect(await at(37)).toBe(0)
    }
    // Known events of past days alone are held against what was known then.
    await execute(database, LATE.activity(day(36), 4))
    expect(await at(38)).toBe(2)
    expect(await at(38)).toBe(0)
    // Day 90 of both falls due on day 91 and 92.
    expect(await at(90)).toBe(0)
    expect(await at(91)).toBe(1)
    expect(await at(92)).toBe(1)
    expect(await at(200)).toBe(0)
  })

  it('never differs from a rebuild, whatever happens in whatever order', async () => {
    const act = fc.record({
      what: fc.constantFrom('opened', 'receipt', 'activity', 'booked', 'known', 'roll', 'end'),
      seed: fc.nat(10_000),
      days: fc.integer({ min: 0, max: 20 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 9 }), async (acts) => {
        await clearHistory(database)
        await clearReports(database)
        let now = 1
        for (const { what, seed, days } of [{ what: 'opened', seed: 7, days: 1 }, ...acts]) {
          now += days
          if (what === 'opened') {
            const arm = seed % 4 === 0 ? 'holdout' : 'treated'
            await history.assign({
              arm,
              count: 4,
              recalled: seed % 3,
              at: day(Math.max(0, now - (seed % 50))),
              tier: seed % 2 ? 'letter' : 'coupon',
              ...(seed % 3 ? { variant: seed % 5 ? 'plain' : 'story' } : {}),
            })
          } else if (what === 'end') {
            await execute(
              database,
              sql`UPDATE episodes SET ended_at = ${day(now)} WHERE ended_at > ${day(now)} AND episode_id % 2 = 0`,
            )
          } else if (what === 'roll') await rollUp(database, day(now), RULES)
          else
            await execute(database, LATE[what as 'receipt' | 'activity' | 'booked' | 'known'](day(now), seed))
        }
        // What came late is known by the day after.
        now += 1
        await rollUp(database, day(now), RULES)
        const kept = await figures()
        expect(kept).toBe(await rebuilt(day(now)))
      }),
      { numRuns: 8 },
    )
  })

  it('is done by one process at a time', async () => {
    await history.assign({ arm: 'treated', count: 3, at: day(0) })
    const client = await database.client.connect()
    try {
      await client.query('BEGIN; SELECT pg_advisory_xact_lock(7020012)')
      expect(await rollUp(database, day(1), RULES)).toEqual({ days: 0, busy: true })
    } finally {
      await client.query('ROLLBACK')
      client.release()
    }
    expect(await rollUp(database, day(1), RULES)).toEqual({ days: 1, busy: false })
  })

  it('forgets a day whose episodes are gone, when it is rebuilt', async () => {
    await history.assign({ arm: 'treated', count: 3, at: day(0) })
    await rollUp(database, day(1), RULES)
    await clearHistory(database)
    await rollUp(database, new Date(day(1).getTime() + DAY), RULES, { rebuild: true })
    expect(await readPeople(database, { campaign: 'graded', now: day(2) })).toEqual([])
  })
})
