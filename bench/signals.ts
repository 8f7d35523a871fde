import { sql } from 'drizzle-orm'
import { connect, execute } from '../src/database/connect.ts'
import { ensurePartitions } from '../src/database/partitions.ts'
import { rulesOf } from '../src/signals/history.ts'
import { markEverybody, refreshSignals } from '../src/signals/refresh.ts'
import { type Bench, conclude, type Finding } from './measure.ts'
import { fillContacts } from './population.ts'
import { NOW, openWorkspace } from './workspace.ts'

/** Events a contact has, over half a year. */
const EVENTS = 8
/** Seconds a full computation may take. */
const LIMIT = 180

/**
 * Signals of everybody, computed in full, against one plain pass over the same events (count and newest by contact):
 * the least that any computation has to read. `rounds` of Node's memory stand in the note.
 */
export async function measureSignals(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 1_000_000
  log(`preparing ${contacts} contacts with ${EVENTS} events each`)
  const prepared = await arena.prepare(`signals_${contacts}`, async (database) => {
    await fillContacts(database, contacts, { from: 3, to: 180 })
    await ensurePartitions(database, 'activity', {
      from: new Date(NOW.getTime() - 190 * 86_400_000),
      to: NOW,
    })
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
        SELECT n, ${NOW}::timestamptz - make_interval(secs => (n::int8 * 7919 + k * 1943007) % 15552000), k,
          (ARRAY['session', 'session', 'order', 'add_to_cart', 'favourite_added', 'nps', 'review', 'sign_in'])[1 + (n + k) % 8],
          CASE WHEN (n + k) % 8 IN (2, 5) THEN 5000000 END,
          CASE WHEN (n + k) % 8 = 2 AND n % 3 = 0 THEN '{"coupon": "FIVE"}'::jsonb END, ${NOW}
        FROM generate_series(1, ${contacts}::int) n CROSS JOIN generate_series(1, ${EVENTS}::int) k`,
    )
  })
  const workspace = await openWorkspace()
  const rules = rulesOf(workspace.definition)
  const rounds: { subject: number; floor: number }[] = []
  const memory: number[] = []
  for (let round = 1; round <= bench.rounds; round += 1) {
    const url = await arena.copy(prepared)
    const database = connect(url)
    const started = performance.now()
    await execute(
      database,
      sql`CREATE TABLE floor_signals AS SELECT contact_id, count(*) AS events, max(occurred_at) AS newest FROM activity GROUP BY contact_id`,
    )
    const floor = (performance.now() - started) / 1000
    await markEverybody(database)
    const before = process.memoryUsage().rss
    const begun = performance.now()
    let highest = before
    const done = await refreshSignals(database, rules, NOW, (count) => {
      highest = Math.max(highest, process.memoryUsage().rss)
      if (count % 100_000 === 0) log(`${count} contacts`)
    })
    const subject = (performance.now() - begun) / 1000
    memory.push((highest - before) / 2 ** 20)
    if (done !== contacts) throw new Error(`${done} of ${contacts} contacts were recomputed`)
    log(`round ${round}: ${subject.toFixed(1)} s in full, ${floor.toFixed(1)} s the plain pass`)
    rounds.push({ subject, floor })
    await database.close()
    await arena.drop(url)
  }
  // The promise is a time, not a ratio: three minutes for a million, whatever the plain pass takes.
  const finding = conclude({
    name: 'signals',
    unit: 's',
    target: { kind: 'at most', ratio: 25 },
    rounds,
    note: `Node grew by ${Math.max(...memory).toFixed(0)} MiB at most; at most ${LIMIT} s are promised for a million`,
  })
  return [{ ...finding, met: finding.subject <= LIMIT }]
}
