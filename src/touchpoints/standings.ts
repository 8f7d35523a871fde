import { sql } from 'drizzle-orm'
import { lockKey } from '../database/advisory-locks.ts'
import { type Database, execute, rows, transaction } from '../database/connect.ts'

/** Seconds a standing is good for: nobody's rank moves by a hundredth within a day. */
const GOOD_FOR = 86_400
/** Seconds after which there may be buyers enough: each look reads all contacts. */
const LOOKED_FOR = 3600
/** With fewer buyers than this a hundredth is nobody, and no rank is given. */
const FEWEST = 100

/**
 * Sees that the standings by spend, which `report.rank` reads, are of the last day. One scan of the buyers; the
 * process that comes first makes it, and the others go on with what stands there.
 */
export async function refreshStandings(database: Database, now: Date): Promise<void> {
  const [kept] = await rows<{ computedAt: Date | null; highest: number | null }>(
    database,
    sql`SELECT max(computed_at) AS "computedAt", max(percent) AS highest FROM spend_standings`,
  )
  const goodFor = kept?.highest === 0 ? LOOKED_FOR : GOOD_FOR
  if (kept?.computedAt && now.getTime() - kept.computedAt.getTime() < goodFor * 1000) return
  await transaction(database, async (tx) => {
    const [lock] = await rows<{ mine: boolean }>(
      tx,
      sql`SELECT pg_try_advisory_xact_lock(${lockKey('standings')}) AS mine`,
    )
    if (!lock?.mine) return
    await execute(tx, sql`DELETE FROM spend_standings`)
    await execute(
      tx,
      sql`
      INSERT INTO spend_standings (percent, threshold, computed_at)
      SELECT percent, threshold, ${now}::timestamptz
      FROM (
        SELECT percentile_disc((SELECT array_agg(p / 100.0 ORDER BY p) FROM generate_series(1, 99) p))
          WITHIN GROUP (ORDER BY orders_total) AS thresholds
        FROM contact_activity WHERE orders_count > 0 HAVING count(*) >= ${FEWEST}
      ) spend
      CROSS JOIN LATERAL unnest(spend.thresholds) WITH ORDINALITY AS t(threshold, percent)
      -- That it was looked, where there are too few: the next batch would look again.
      UNION ALL SELECT 0, 0, ${now}::timestamptz`,
    )
  })
}
