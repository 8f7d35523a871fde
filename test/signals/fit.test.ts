import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { fitSignals, sampleDivisor } from '../../src/signals/fit.ts'
import { rulesOf } from '../../src/signals/history.ts'
import { sampleWorkspace } from '../config/support/samples.ts'
import { freshDatabase } from '../support/database.ts'

const PEOPLE = 60_000
const NOW = new Date('2026-03-31T00:00:00Z')

// At a hundred million contacts the events are billions.
it('a fit to a sample reads the events of that sample, and no others', async () => {
  const database = await freshDatabase()
  await ensurePartitions(database, 'activity', { from: new Date('2026-02-01'), to: NOW })
  // Everybody was active in February, and whose number is even came back in March.
  await execute(
    database,
    sql`INSERT INTO activity (contact_id, occurred_at, key, type, received_at)
        SELECT contact, CASE WHEN contact % 2 = 0 AND no = 0 THEN '2026-03-20' ELSE '2026-02-10' END::timestamptz, no, 'session', ${NOW}
        FROM generate_series(1, ${PEOPLE}) AS contact, generate_series(0, 4) AS no`,
  )
  await execute(
    database,
    sql`INSERT INTO contact_signals (contact_id, active_days, first_day, last_day, use_bits)
        SELECT contact, 2, '2026-02-10', '2026-03-20', repeat('0', 64)::bit(64) FROM generate_series(1, ${PEOPLE}) AS contact`,
  )
  await execute(database, sql`ANALYZE`)
  const workspace = sampleWorkspace({ activity: ['session'], timezone: 'UTC' })
  // No model is asked for: it is the past that is read event by event.
  const settings = { ...workspace.signals.return, contacts: PEOPLE + 1, horizon: 30 * 86_400 }
  await transaction(database, async (tx) => {
    const { silence } = await fitSignals(tx, rulesOf(workspace), settings, NOW)
    expect(silence?.[0]).toBeCloseTo(0.5, 1)
    const [read] = await rows<{ tuples: number }>(
      tx,
      sql`SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int AS tuples FROM pg_stat_xact_user_tables
          WHERE relname LIKE 'activity%'`,
    )
    expect(read?.tuples).toBeLessThan((1.1 * 5 * PEOPLE) / sampleDivisor(PEOPLE))
  })
})
