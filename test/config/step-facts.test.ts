import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { campaign } from '../../src/config/campaign.ts'
import { STEP_FACTS, stepFacts } from '../../src/config/facts.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { freshDatabase } from '../support/database.ts'
import { openPipeline } from '../support/pipeline.ts'

const NOW = new Date('2026-03-20T12:00:00Z')

it('what became of an earlier step is looked up in the months of the episode, and in none before', async () => {
  // One connection: of what it has read, it can be asked.
  const database = await freshDatabase({ max: 1 })
  const contactId = await (await openPipeline({ database })).addContact()
  await ensurePartitions(database, 'touchpoint_records', { from: new Date('2025-03-20T12:00:00Z'), to: NOW })
  await execute(
    database,
    sql`INSERT INTO steps (step_id, campaign, version, tier_no, tier, step_no, step, channels)
      VALUES (7, 'test', 1, 0, 'only', 0, 'hello', '{email}')`,
  )
  // One message a month, each of an episode of its own, the last of them sent and clicked in March.
  await execute(
    database,
    sql`WITH months AS (
        SELECT age, ${NOW}::timestamptz - make_interval(months => age - 1) AS at FROM generate_series(1, 12) age
      ), told AS (
        INSERT INTO delivery_events (contact_id, touchpoint_id, channel, kind, event_id, occurred_at, received_at)
        SELECT ${contactId}, age, 'email', 'clicked', 'click ' || age, at, at FROM months
      )
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt, planned_for,
        settled_at)
      SELECT ${contactId}, age, age, 7, 'sent', 'email', 1, at, at FROM months`,
  )
  const definition = campaign.parse({
    ...{ version: 1, campaign: 'test', title: 'Test', schedule: '0 9 * * *', holdout: '10%' },
    ...{ goals: { recall: { event: 'session' } }, window: '30d' },
    tiers: [
      {
        ...{ name: 'only', inactive: '3d..' },
        steps: ['hello', 'later'].map((id, no) => ({ id, channel: 'log', after: `${no}d` })),
      },
    ],
  })
  const { facts } = stepFacts(definition, 0, 1)
  const scans = async () => {
    await rows(database, sql`SELECT pg_stat_force_next_flush()`)
    return await rows<{ name: string; scans: number }>(
      database,
      sql`SELECT relname AS name, seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables
        WHERE relname LIKE 'touchpoint_records_%' ORDER BY 1`,
    )
  }
  const before = new Map((await scans()).map((row) => [row.name, row.scans]))
  const found = new Map<string, boolean>()
  for (const outcome of STEP_FACTS) {
    const fact = facts.get(`hello.${outcome}`)
    const [row] = await rows<{ is: boolean }>(
      database,
      sql`SELECT ${fact?.sql(NOW)} AS is FROM (SELECT ${contactId}::bigint AS contact_id, 1::bigint AS episode_id,
        'test' AS campaign, ${NOW}::timestamptz - interval '5 days' AS assigned_at) e`,
    )
    found.set(outcome, row?.is ?? false)
  }
  expect(Object.fromEntries(found)).toEqual({
    ...{ sent: true, failed: false, skipped: false, delivered: true, clicked: true },
  })
  const looked = (await scans()).filter(({ name, scans }) => scans > (before.get(name) ?? 0))
  expect(looked.map(({ name }) => name)).toEqual(['touchpoint_records_2026_03'])
})
