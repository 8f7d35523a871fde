import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENTS } from '../../src/config/event-names.ts'
import { ingestActivity, prepareIngest } from '../../src/contacts/ingest.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { COLUMNS, rulesOf, type SignalRules } from '../../src/signals/history.ts'
import { markEverybody, refreshSignals } from '../../src/signals/refresh.ts'
import { sampleWorkspace } from '../config/support/samples.ts'
import { freshDatabase } from '../support/database.ts'
import { untilWaiting } from '../support/waiting.ts'
import { type PlainEvent, plainSignals } from './plain.ts'

// Histories of a few contacts, ingested in any parts: after each part the stored signals are those a plain
// recomputation finds, and computing everything anew changes nothing.

const workspace = sampleWorkspace()
const rules = rulesOf(workspace)
const CONTACTS = 4
const FIRST = Date.UTC(2026, 0, 1)

const properties = fc.option(
  fc.record(
    {
      complaint_id: fc.constantFrom('a', 'b', 7, null),
      assignment_id: fc.constantFrom('a', 7),
      score: fc.constantFrom(0, 5, 6, 10, '3', 11, 'good'),
      rating: fc.constantFrom(1, 2.5, 5, '4', null),
      product_id: fc.constantFrom('tea', 'pot', 7, null),
      quantity: fc.constantFrom(1, 3, '2', -1, 'many'),
      coupon: fc.constantFrom('FIVE', '', true, false),
      ends_at: fc.constantFrom(
        '2026-03-01',
        '2026-02-10T12:00:00+08:00',
        '2026-02-10 12:00:00',
        '2026-02-10 12:00:00+02',
      ),
    },
    { requiredKeys: [] },
  ),
)
const event = fc.record({
  contact: fc.integer({ min: 1, max: CONTACTS }),
  // Few moments, so that several events share one; and months between, so that pauses and lapses happen.
  at: fc
    .oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 100 }))
    .chain((day) =>
      fc.constantFrom(0, 9, 23.5).map((hour) => new Date(FIRST + (day * 24 + hour) * 3_600_000)),
    ),
  type: fc.oneof(
    fc.constantFrom(...Object.keys(EVENTS)),
    fc.constantFrom('session', 'order', 'something_else'),
  ),
  value: fc.option(fc.constantFrom(0, 1_000_000, 2_500_000, 9_000_000)),
  properties,
})
/** What chance seldom finds: several things at one moment, and a pause as long as a lapse to the second. */
const TIES = (
  [
    [1, 0, 'complaint_opened', null],
    [1, 0, 'complaint_resolved', null],
    [1, 10, 'add_to_cart', null],
    [1, 10, 'order', null],
    // Taken out is what lay there before the order: the other one stays.
    [1, 11, 'remove_from_cart', { product_id: 'tea' }],
    [1, 12, 'add_to_cart', { product_id: 'pot' }],
    [2, 0, 'order', null],
    [2, rules.lapse, 'order', null],
    [2, rules.lapse, 'order', { coupon: 'FIVE' }],
    [3, 0, 'complaint_opened', { complaint_id: 'a' }],
    [3, 5, 'complaint_resolved', null],
    [4, 5, 'complaint_opened', { complaint_id: 'a' }],
    [4, 5, 'complaint_resolved', { complaint_id: 'a' }],
  ] as const
).map(([contact, seconds, type, said]) => {
  return { contact, at: new Date(FIRST + seconds * 1000), type, value: null, properties: said }
})
const histories = fc.array(fc.array(event, { maxLength: 25 }), { minLength: 1, maxLength: 3 })

test('SQL agrees with a plain recomputation, and in parts with at once', { timeout: 120_000 }, async () => {
  const database = await freshDatabase()
  await ensurePartitions(database, 'activity', {
    from: new Date(FIRST),
    to: new Date(FIRST + 100 * 86_400_000),
  })
  await fc.assert(
    fc.asyncProperty(histories, async (parts) => {
      await empty(database)
      const known: PlainEvent[] = []
      for (const part of parts) {
        const events = part.map((given, index) => ({ ...given, key: known.length + index }))
        known.push(...events)
        await ingest(database, events)
        await refreshSignals(database, rules, new Date(FIRST))
        expect(await stored(database)).toEqual(expected(known, rules))
      }
      const before = await stored(database)
      await markEverybody(database)
      expect(await refreshSignals(database, rules, new Date(FIRST))).toBe(CONTACTS)
      expect(await stored(database)).toEqual(before)
    }),
    { numRuns: 30, examples: [[[TIES]]] },
  )
})

/** Of a type that counts as no activity. */
const VISIT: PlainEvent = {
  contact: 2,
  at: new Date(FIRST),
  key: 1,
  type: 'visit',
  value: null,
  properties: null,
}

test('other rules recompute everybody, the same ones nobody', async () => {
  const database = await freshDatabase()
  await ensurePartitions(database, 'activity', { from: new Date(FIRST), to: new Date(FIRST) })
  await empty(database)
  await ingest(database, [VISIT])
  expect(await refreshSignals(database, rules, new Date(FIRST))).toBe(CONTACTS)
  expect(await refreshSignals(database, rules, new Date(FIRST))).toBe(0)
  const wider = { ...rules, activity: [...rules.activity, 'visit'] }
  expect(await refreshSignals(database, wider, new Date(FIRST))).toBe(CONTACTS)
  expect(await stored(database)).toEqual(expected([VISIT], wider))
  // The longest pause that can be set: whoever wants no lapse counted.
  const never = { ...wider, lapse: 36_525 * 86_400 }
  expect(await refreshSignals(database, never, new Date(FIRST))).toBe(CONTACTS)
  expect(await stored(database)).toEqual(expected([VISIT], never))
})

test('a refresh leaves everybody to the rules that are adopted while it works', async () => {
  const database = await freshDatabase()
  await ensurePartitions(database, 'activity', { from: new Date(FIRST), to: new Date(FIRST) })
  await empty(database)
  await ingest(database, [VISIT])
  await refreshSignals(database, rules, new Date(FIRST))
  const wider = { ...rules, activity: [...rules.activity, 'visit'] }
  // Another process adopts its rules, and marks everybody, when this one has found that its own hold.
  let refreshing: Promise<number> | undefined
  await transaction(database, async (tx) => {
    await execute(tx, sql`LOCK TABLE signal_marks`)
    refreshing = refreshSignals(database, rules, new Date(FIRST))
    await untilWaiting(database)
    await execute(tx, sql`UPDATE signal_rules SET rules = ${JSON.stringify(wider)}`)
    await markEverybody(tx)
  })
  expect(await refreshing).toBe(0)
  expect(await refreshSignals(database, wider, new Date(FIRST))).toBe(CONTACTS)
  expect(await stored(database)).toEqual(expected([VISIT], wider))
})

test('an ingest that commits during a refresh is not lost', async () => {
  const database = await freshDatabase()
  await ensurePartitions(database, 'activity', { from: new Date(FIRST), to: new Date(FIRST) })
  await empty(database)
  const visit = (key: number): PlainEvent => ({
    contact: 1,
    at: new Date(FIRST + key * 1000),
    key,
    type: 'order',
    value: null,
    properties: null,
  })
  await refreshSignals(database, rules, new Date(FIRST))
  await ingest(database, [visit(1)])
  // The mark is there already when the second ingest records its event and leaves the mark alone.
  let refreshing: Promise<number> | undefined
  await transaction(database, async (tx) => {
    await ingestInto(tx, [visit(2)])
    refreshing = refreshSignals(database, rules, new Date(FIRST))
    await Promise.race([untilWaiting(database), refreshing])
  })
  await refreshing
  await refreshSignals(database, rules, new Date(FIRST))
  expect(await stored(database)).toEqual(expected([visit(1), visit(2)], rules))
})

async function empty(database: Database): Promise<void> {
  await execute(
    database,
    sql`TRUNCATE contacts, external_ids, contact_activity, activity, feed_days, contact_signals, signal_marks`,
  )
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, imported_at) OVERRIDING SYSTEM VALUE
        SELECT n, n, n, now() FROM generate_series(1, ${CONTACTS}::int) n`,
  )
  await execute(
    database,
    sql`INSERT INTO contact_activity (contact_id) SELECT n FROM generate_series(1, ${CONTACTS}::int) n`,
  )
  await execute(database, sql`TRUNCATE signal_rules`)
}

async function ingest(database: Database, events: readonly PlainEvent[]): Promise<void> {
  await transaction(database, (tx) => ingestInto(tx, events))
}

async function ingestInto(
  tx: Parameters<typeof prepareIngest>[0],
  events: readonly PlainEvent[],
): Promise<void> {
  await prepareIngest(tx)
  const given = events.map(({ contact, at, ...event }) => ({
    ...event,
    contact_id: contact,
    occurred_at: at,
  }))
  await execute(
    tx,
    sql`INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties)
        SELECT contact_id, occurred_at, key, type, value, properties FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
          AS given(contact_id bigint, occurred_at timestamptz, key bigint, type text, value bigint, properties jsonb)`,
  )
  await ingestActivity(tx, { now: new Date(FIRST), workspace, hooks: {} })
}

/** Numbers as numbers, whatever PostgreSQL makes of them. */
async function stored(database: Database): Promise<Record<string, unknown>[]> {
  const found = await rows<Record<string, unknown>>(
    database,
    sql`SELECT ${sql.join(
      COLUMNS.map((name) =>
        name.endsWith('_day') ? sql`${sql.identifier(name)}::text` : sql`${sql.identifier(name)}`,
      ),
      sql`, `,
    )} FROM contact_signals ORDER BY contact_id`,
  )
  return found.map(({ usual_pause, nps, review_rating, ...rest }) => ({
    ...rest,
    usual_pause: usual_pause === null ? null : Number(usual_pause),
    nps: nps === null ? null : Number(nps),
    review_rating: review_rating === null ? null : Number(review_rating),
  }))
}

function expected(events: readonly PlainEvent[], by: SignalRules): Record<string, unknown>[] {
  const contacts = [...new Set(events.map(({ contact }) => contact))].sort((a, b) => a - b)
  return contacts.map((contact) => ({
    contact_id: contact,
    ...plainSignals(
      events.filter((event) => event.contact === contact),
      by,
    ),
  }))
}
