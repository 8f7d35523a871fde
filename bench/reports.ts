import { sql } from 'drizzle-orm'
import { connect, type Database, execute, rows } from '../src/database/connect.ts'
import { ensurePartitions } from '../src/database/partitions.ts'
import type { CampaignQuestion } from '../src/reports/question.ts'
import { sheetReports } from '../src/reports/reports.ts'
import type { CountingRules } from '../src/reports/rollup/cohort-sql.ts'
import { rollUp } from '../src/reports/rollup/rollup.ts'
import type { SheetReport } from '../src/reports/sheet-report.ts'
import { type Bench, conclude, type Finding, percentile95 } from './measure.ts'

// How long a report takes over a year of history: each read and put into words as a page would, again and again, and
// the slowest of twenty taken. The floor is the target itself: 200 ms.

const DAY = 86_400_000
const DAYS = 365
export const NOW = new Date(Date.UTC(2026, 0, 1) + (DAYS + 5) * DAY)
const TARGET_MS = 200

const RULES: CountingRules = {
  activity: ['session', 'order'],
  order: 'order',
  goalsOf: async () => new Map([1, 2, 3].map((version) => [version, 'session'])),
  earnedOf: async () => ({ order: 0.3, order_refunded: -0.3 }),
}

export async function measureReports(bench: Bench): Promise<Finding[]> {
  const reads = bench.quick ? 2 : 20
  const touchpoints = bench.quick ? 1_000 : bench.messages
  const days = bench.quick ? 8 : DAYS
  const prepared = await bench.arena.prepare('reports', async (database) => {
    bench.log(`writing a history of ${touchpoints.toLocaleString('en')} messages`)
    await fillHistory(database, touchpoints, days)
  })
  const url = await bench.arena.copy(prepared)
  const database = connect(url)
  try {
    const started = performance.now()
    const rolled = await rollUp(database, NOW, RULES, {
      onProgress: (done, of) => done % 50 === 0 && bench.log(`rolled up ${done} of ${of} days`),
    })
    const rebuild = (performance.now() - started) / 1000
    const again = performance.now()
    const open = await rollUp(database, new Date(NOW.getTime() + 600_000), RULES)
    const pass = (performance.now() - again) / 1000
    await database.client.query('VACUUM (ANALYZE)')
    bench.log(
      `${rolled.days} days in ${rebuild.toFixed(1)} s; a pass over ${open.days} open days in ${pass.toFixed(1)} s`,
    )
    const found: Finding[] = []
    for (const report of Object.values(sheetReports) as unknown as SheetReport<CampaignQuestion, unknown>[]) {
      const rounds = []
      for (let round = 0; round < bench.rounds; round += 1) {
        const times: number[] = []
        for (let read = 0; read < reads; read += 1) {
          const begun = performance.now()
          const data = await report.read(database, question())
          report.sheet(data, { locale: 'en', currency: 'CNY', color: false, width: 100 })
          times.push(performance.now() - begun)
        }
        rounds.push({ subject: percentile95(times), floor: TARGET_MS })
      }
      found.push(
        conclude({
          name: `report-${report.name}`,
          unit: 'ms p95',
          target: { kind: 'at most', ratio: 1 },
          rounds,
          note: `${touchpoints.toLocaleString('en')} messages; ${rolled.days} days rolled up in ${rebuild.toFixed(1)} s, ${open.days} open ones again in ${pass.toFixed(1)} s`,
        }),
      )
    }
    return found
  } finally {
    await database.close()
    await bench.arena.drop(url)
  }
}

function question(): CampaignQuestion {
  return {
    campaign: 'year',
    now: NOW,
    split: new Map([
      [1, { holdout: 0.1, control: 0 }],
      [2, { holdout: 0.1, control: 0 }],
    ]),
    recallValue: 40e6,
    acquisition: 220e6,
  }
}

/**
 * Three tiers of two steps, three segments, one in ten held out; a fifth comes back, a sixth of them anyway.
 * @param versions how many of the campaign took people in; its steps are those that were applied, or made here
 */
export async function fillHistory(
  database: Database,
  touchpoints: number,
  days: number,
  versions = 2,
): Promise<void> {
  const people = Math.ceil(touchpoints / 2 / 0.9)
  const from = new Date(NOW.getTime() - (days + 5) * DAY)
  await ensurePartitions(database, 'touchpoint_records', { from, to: NOW })
  await ensurePartitions(database, 'activity', { from: new Date(from.getTime() - 91 * DAY), to: NOW })
  await execute(
    database,
    sql`INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
        SELECT 'year', v, t, (ARRAY['coupon', 'trial', 'letter'])[t], s, 'step ' || s, ARRAY['email']
        FROM generate_series(1, ${versions}::int) v, generate_series(1, 3) t, generate_series(1, 2) s
        WHERE NOT EXISTS (SELECT FROM steps WHERE campaign = 'year')`,
  )
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, email, imported_at) OVERRIDING SYSTEM VALUE
        SELECT n, n, 'c' || n, 'c' || n || '@' || (ARRAY['a.test', 'b.test', 'c.test'])[1 + n % 3], ${from} FROM generate_series(1, ${people}::int) n`,
  )
  await execute(
    database,
    sql`INSERT INTO episodes (contact_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier, segment,
          lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no, returned_at, ended_at, end_reason)
        SELECT n, 'year', 1 + (n % ${versions}::int)::int, 'year', n, 1, CASE WHEN n % 10 = 0 THEN 'holdout' ELSE 'treated' END,
          (ARRAY['coupon', 'trial', 'letter'])[1 + n % 3], (ARRAY['vip', 'price', 'everyone'])[1 + (n / 3) % 3],
          at - interval '7 days', at, at + interval '30 days', at + interval '32 days', 1 + (n % 3)::int,
          CASE WHEN n % 7 = 0 THEN at + interval '3 days' END,
          CASE WHEN at + interval '32 days' <= ${NOW} THEN at + interval '32 days' END,
          CASE WHEN at + interval '32 days' <= ${NOW} THEN 'expired' END
        FROM generate_series(1, ${people}::int) n
        CROSS JOIN LATERAL (SELECT ${from}::timestamptz + make_interval(days => (n % ${days}::int)::int, secs => 3600) AS at) a`,
  )
  await execute(
    database,
    sql`INSERT INTO recalls (contact_id, episode_id, goal_no, recalled_at)
        SELECT contact_id, episode_id, 0, assigned_at + make_interval(days => (contact_id % 25)::int + 1) FROM episodes
        WHERE contact_id % (CASE WHEN arm = 'treated' THEN 5 ELSE 60 END) = 0
          AND assigned_at + make_interval(days => (contact_id % 25)::int + 1) <= ${NOW}`,
  )
  await execute(
    database,
    sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, channel, attempt, cost, planned_for, settled_at)
        SELECT e.contact_id, nextval('touchpoint_ids'), e.episode_id, p.step_id,
          CASE WHEN e.contact_id % 11 = 0 THEN 'skipped' ELSE 'sent' END, CASE WHEN e.contact_id % 11 = 0 THEN 'condition' END,
          'email', 1, 20000, at, at
        FROM episodes e JOIN steps p ON p.campaign = 'year' AND p.version = e.version AND p.tier_no = e.tier_no
        CROSS JOIN LATERAL (SELECT e.assigned_at + make_interval(days => p.step_no) AS at) a
        WHERE e.arm = 'treated'`,
  )
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'email', 20000, settled_at
        FROM touchpoint_records WHERE state = 'sent'`,
  )
  await execute(
    database,
    sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
        SELECT contact_id, touchpoint_id, 'd', CASE WHEN contact_id % 50 = 0 THEN 'hard_bounce' ELSE 'delivered' END,
          settled_at + interval '5 seconds', settled_at FROM touchpoint_records WHERE state = 'sent'`,
  )
  await execute(
    database,
    sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
        SELECT contact_id, recalled_at, 1, 'session', recalled_at FROM recalls`,
  )
  const [made] = await rows<{ count: number }>(
    database,
    sql`SELECT count(*) AS count FROM touchpoint_records`,
  )
  if ((made?.count ?? 0) < touchpoints * 0.99) throw new Error(`only ${made?.count} messages were written`)
}
