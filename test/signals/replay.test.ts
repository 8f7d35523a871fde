import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { connect, rows } from '../../src/database/connect.ts'
import { migrate } from '../../src/database/migrate.ts'
import { prepareRehearsal, revealActivity } from '../../src/service/rehearsal.ts'
import { replay } from '../../src/service/replay.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

// A replay knows signals as of its clock: what a contact did later, and what was fitted later, it does not know.

const CAMPAIGN = `
version: 1
campaign: quiet
title: Only who is really lost
schedule: "0 0 * * *"
timezone: UTC
audience: churn == "true"
goals: { recall: { event: session } }
window: 30d
holdout: 0%
tiers:
  - name: only
    inactive: 3d..40d
    steps: [{ id: hello, channel: log }]
`

// Before every jump, or before runs alone: what a run asks is as of the run.
test.each([
  ['before every jump', undefined],
  ['before runs', 'runs'],
] as const)(
  'a replay freshened %s finds churn as it stood on each day, whatever happened later',
  async (_, freshen) => {
    const database = await freshDatabase()
    const now = new Date('2026-04-01T00:00:00Z')
    const shop = await openShop({
      database,
      clock: manualClock(now),
      channels: [testChannel('log')],
    })
    const visit = (id: string, days: readonly string[]) =>
      days.map((day) => ({ external_id: id, type: 'session', occurred_at: `2026-${day}T00:00:00Z` }))
    await shop.importContacts(
      ['monthly', 'gone'].map((id) => ({ external_id: id, email: `${id}@people.test` })),
    )
    await shop.importActivity([
      // Comes every other week: quiet on 10 March, not lost. The later visits would make the usual pause three days.
      ...visit('monthly', [
        '01-20',
        '02-03',
        '02-17',
        '03-03',
        '03-20',
        '03-22',
        '03-24',
        '03-26',
        '03-28',
        '03-30',
      ]),
      // Came twice within two days and never again.
      ...visit('gone', ['02-28', '03-01', '03-02', '03-03']),
    ])
    const rehearsal = await prepareRehearsal(database, `signals_${freshen ?? 'always'}`, now, ['quiet'])
    try {
      const clock = manualClock(new Date('2026-02-28T23:59:59Z'))
      const past = await openShop({ database: rehearsal, clock, channels: [testChannel('log')] })
      await past.apply(CAMPAIGN)
      const runtime = { ...past.runtime, clock }
      const to = new Date('2026-03-12T00:00:00Z')
      await replay(runtime, {
        from: new Date('2026-03-01T00:00:00Z'),
        to,
        step: 3600,
        ...(freshen ? { freshen } : {}),
        reveal: async (_after, upTo) => {
          await revealActivity(runtime, shop.workspace, upTo)
        },
      })
      const opened = await rows<{ contact: string; day: string }>(
        rehearsal,
        sql`SELECT c.external_id AS contact, e.assigned_at::date::text AS day FROM episodes e JOIN contacts c USING (contact_id)`,
      )
      // "gone" has a usual pause of a day: lost as soon as the band begins. "monthly" is within the rhythm throughout.
      expect(opened).toEqual([{ contact: 'gone', day: '2026-03-06' }])
      const [known] = await rows<{ newest: string; fits: number; late: number }>(
        rehearsal,
        sql`SELECT (SELECT max(last_day)::text FROM contact_signals) AS newest, count(*) AS fits,
            count(*) FILTER (WHERE fitted_at > ${to}) AS late FROM signal_fits`,
      )
      expect(known).toMatchObject({ newest: '2026-03-03', late: 0 })
      expect(known?.fits).toBeGreaterThan(1)
    } finally {
      await rehearsal.close()
      await shop.runtime.close()
    }
  },
)

test('a replay drops nothing but an earlier replay', async () => {
  const database = await freshDatabase()
  const replayIn = (schema: string) =>
    prepareRehearsal(database, schema, new Date('2026-04-01T00:00:00Z'), [])
  await rows(database, sql`CREATE SCHEMA ledger`)
  await rows(database, sql`CREATE TABLE ledger.entries (n int)`)
  await expect(replayIn('ledger')).rejects.toMatchObject({
    code: 'replay.schema',
    message: 'the schema "ledger" holds something else than a replay',
  })
  expect(await rows(database, sql`SELECT to_regclass('ledger.entries') IS NOT NULL AS kept`)).toEqual([
    { kept: true },
  ])
  // A type, a function or an extension would take columns of tables in other schemas with it.
  await rows(database, sql`CREATE SCHEMA kinds`)
  await rows(database, sql`CREATE DOMAIN kinds.amount AS numeric`)
  await rows(database, sql`CREATE TABLE ledger.paid (sum kinds.amount)`)
  await expect(replayIn('kinds')).rejects.toMatchObject({ code: 'replay.schema' })
  await rows(database, sql`SELECT sum FROM ledger.paid`)
  for (const again of [1, 2]) {
    const made = await replayIn('rehearsed')
    expect([again, made.schema]).toEqual([again, 'rehearsed'])
    await made.close()
  }
  // Left half made, and made before replays were marked.
  await rows(database, sql`DROP TABLE rehearsed.upcoming_activity`)
  await (await replayIn('rehearsed')).close()
  await rows(database, sql`COMMENT ON SCHEMA rehearsed IS NULL`)
  await (await replayIn('rehearsed')).close()
  // Another workspace of the same database, into which nothing was imported by file.
  const other = connect(database.url, { schema: 'other' })
  try {
    await migrate(other)
    await expect(replayIn('other')).rejects.toMatchObject({ code: 'replay.schema' })
    expect(await rows(other, sql`SELECT FROM settings`)).not.toEqual([])
  } finally {
    await other.close()
  }
})
