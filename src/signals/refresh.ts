import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { isUnknown, MANY, refreshStatistics } from '../database/planner-statistics.ts'
import { COLUMNS, historySql, type SignalRules } from './history.ts'

// Keeping contact_signals right: whose events changed is recomputed from all their events. Nothing is added up, so
// nothing can drift, and late, repeated and out-of-order events need no care.

/** Contacts recomputed at once, in a transaction. */
const BATCH = 10_000
/** Batches recomputed beside each other: PostgreSQL works each out on one processor. */
const BESIDE = 2
/** Below this many contacts a second connection gains nothing. */
const FEW = 200

/**
 * Recomputes whoever is marked; everybody where the rules have changed since the last time. Cheap where nobody is
 * marked, and safe to run anywhere at any time: an ingest that commits meanwhile leaves its marks for the next call.
 * Batch by batch: neither Node's memory nor a transaction grows with the number of contacts. Where a process with other
 * rules adopts them meanwhile, it has marked everybody, and the rest is left to it.
 * @returns how many contacts were recomputed
 */
export async function refreshSignals(
  database: Database,
  rules: SignalRules,
  now: Date,
  onProgress: (done: number) => void = () => {},
): Promise<number> {
  const text = JSON.stringify(rules)
  await adoptRules(database, text, now)
  let done = 0
  for (;;) {
    const marked = await rows<{ contactId: number }>(
      database,
      sql`SELECT contact_id AS "contactId" FROM signal_marks ORDER BY contact_id LIMIT ${BATCH * BESIDE}`,
    )
    const size = Math.max(FEW, Math.ceil(marked.length / BESIDE))
    const batches: number[][] = []
    for (let from = 0; from < marked.length; from += size)
      batches.push(marked.slice(from, from + size).map(({ contactId }) => contactId))
    const ends = await Promise.allSettled(
      batches.map((contacts) =>
        transaction(database, async (tx) => {
          const hold = await holdRules(tx, text)
          if (hold) await recompute(tx, rules, amongOf(contacts))
          return hold
        }),
      ),
    )
    for (const end of ends) if (end.status === 'rejected') throw end.reason
    if (ends.some((end) => end.status === 'fulfilled' && !end.value)) return done
    done += marked.length
    onProgress(done)
    if (marked.length < BATCH * BESIDE) break
  }
  // The first time, what selections read beside the signals was just filled, too.
  if (done >= MANY && (await isUnknown(database, 'contact_signals')))
    await refreshStatistics(database, ['contacts', 'contact_activity', 'contact_signals'])
  return done
}

/** Marks every contact: the next refresh recomputes them all. */
export async function markEverybody(session: Session): Promise<void> {
  await execute(
    session,
    sql`INSERT INTO signal_marks (contact_id) SELECT contact_id FROM contact_activity ORDER BY contact_id
        ON CONFLICT DO NOTHING`,
  )
}

/**
 * Where the stored signals were made by other rules, these are stored and everybody is marked. The rules first: that waits for
 * whoever recomputes by the others, and would take marks that were set before.
 */
async function adoptRules(database: Database, text: string, now: Date): Promise<void> {
  const [stored] = await rows<{ rules: string }>(database, sql`SELECT rules FROM signal_rules`)
  if (stored?.rules === text) return
  await transaction(database, async (tx) => {
    await execute(
      tx,
      sql`INSERT INTO signal_rules (rules, changed_at) VALUES (${text}, ${now})
          ON CONFLICT (one) DO UPDATE SET rules = excluded.rules, changed_at = excluded.changed_at`,
    )
    await markEverybody(tx)
  })
}

/** Since when signals are computed by the rules of now; undefined before they ever were. */
export async function readRulesChange(session: Session): Promise<Date | undefined> {
  const [stored] = await rows<{ at: Date }>(session, sql`SELECT changed_at AS at FROM signal_rules`)
  return stored?.at
}

/** Whether these are still the rules; nobody stores others before the transaction ends. */
async function holdRules(tx: Transaction, text: string): Promise<boolean> {
  const [stored] = await rows<{ rules: string }>(tx, sql`SELECT rules FROM signal_rules FOR SHARE`)
  return stored?.rules === text
}

/** Whether a column names one of these contacts, which are in order. */
function amongOf(contacts: readonly number[]): (column: SQL) => SQL {
  const [first = 0, last = 0] = [contacts[0], contacts.at(-1)]
  // A range where most of it is marked, as after an import: one scan in place of ten thousand look-ups a month.
  if (last - first < 2 * contacts.length) return (column) => sql`${column} BETWEEN ${first} AND ${last}`
  const ids = bigints(contacts)
  return (column) => sql`${column} = ANY (${ids})`
}

/**
 * Lock first, then take the marks, then look: an ingest holds its contacts' rows of contact_activity until it commits,
 * so either its events are seen here or its mark is set after ours was taken.
 */
async function recompute(tx: Transaction, rules: SignalRules, among: (column: SQL) => SQL): Promise<void> {
  await execute(
    tx,
    sql`SELECT FROM contact_activity WHERE ${among(sql`contact_id`)} ORDER BY contact_id FOR NO KEY UPDATE`,
  )
  await execute(tx, sql`DELETE FROM signal_marks WHERE ${among(sql`contact_id`)}`)
  const columns = COLUMNS.map((name) => sql.identifier(name))
  const changed = columns.map((name) => sql`${name} = excluded.${name}`)
  await execute(
    tx,
    sql`INSERT INTO contact_signals AS old (${sql.join(columns, sql`, `)})
      SELECT * FROM (${historySql(rules, among(sql`x.contact_id`))}) fresh
      ON CONFLICT (contact_id) DO UPDATE SET ${sql.join(changed, sql`, `)}
      WHERE old IS DISTINCT FROM excluded`,
  )
}
