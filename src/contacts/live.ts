import { type SQL, sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { lockKey } from '../database/advisory-locks.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import type { ApiCall } from './api-calls.ts'
import { CARRIES, type ContactRow, mergeRows } from './contact-rows.ts'
import { mergeContacts } from './contacts.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import { registerDevices } from './devices.ts'
import type { ImportWorkspace } from './files/file-import.ts'
import type { Hooks } from './hooks.ts'
import { activityKeySql, INGEST_TABLES, ingestActivity, messageKeySql } from './ingest.ts'
import { linkingOf, lockNames } from './persons.ts'
import { isErased } from './privacy/erased.ts'
import { makeUnknown } from './unknown-ids.ts'

// Calls of the events API, many at a time, in one transaction: whoever they concern, whatever they repeat. Files come
// through activity.ts; both end in ingest.ts.

export interface LiveOptions {
  readonly workspace: ImportWorkspace
  readonly addressKey: string
  readonly now: Date
  readonly hooks: Hooks
}

/**
 * Records calls (10,000 at most) and everything that follows from them, in the caller's transaction, which does this once
 * and then commits; the months of their events must have partitions. A message id that is known, from whomever and whenever, changes nothing.
 * - Someone without a userId is a visitor: what visitors do is kept aside until a call says who it was, and then
 *   becomes the contact's, as if it had arrived now.
 * - What identify says of a field stands until a later one says otherwise, by the calls' own times and not by their
 *   arrival.
 * @returns the places in `calls` of those that were repeats
 * @throws a unique violation (23505) or deadlock (40P01) where another transaction was first: try again
 */
export async function ingestCalls(
  tx: Transaction,
  calls: readonly ApiCall[],
  options: LiveOptions,
): Promise<{ repeated: ReadonlySet<number> }> {
  const { now, hooks, workspace } = options
  const { repeated, unknown } = await claim(tx, calls, now)
  const fresh = calls.filter((_, place) => !repeated.has(place))
  if (fresh.length === 0) return { repeated }
  const visitors = fresh.some((call) => call.anonymousId !== null || call.previousId !== undefined)
  // Whoever links a visitor and whoever records what one did come one after the other: neither would see the other.
  if (visitors) await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('visitors')})`)
  const renamed = unknown ? namedAndRenamed(fresh) : []
  if (renamed.length > 0) await makeUnknown(tx, now, 'incoming_calls', renamed)
  await renameContacts(tx, fresh)
  await identify(tx, fresh, options)
  if (unknown) await makeUnknown(tx, now, 'incoming_calls')
  if (visitors) await linkVisitors(tx)
  await stageActivity(tx, now, visitors)
  await ingestActivity(tx, { now, workspace, hooks, last: true })
  return { repeated }
}

/**
 * Keeps the message ids that are new, and drops the calls whose are not. In one order: two of these never deadlock.
 * @returns the repeats, and whether an external id may be one that nobody has
 */
async function claim(
  tx: Transaction,
  calls: readonly ApiCall[],
  now: Date,
): Promise<{ repeated: Set<number>; unknown: boolean }> {
  await tx.client.query(`${INGEST_TABLES};
    CREATE TEMP TABLE IF NOT EXISTS incoming_calls (
      line int NOT NULL, message_id text NOT NULL, external_id text, anonymous_id text, type text,
      occurred_at timestamptz NOT NULL, value bigint, properties jsonb
    ) ON COMMIT DELETE ROWS`)
  const repeated = new Set<number>()
  const seen = new Set<string>()
  const lines: string[] = []
  for (const [line, { messageId, externalId, anonymousId, previousId, at, event }] of calls.entries()) {
    if (seen.has(messageId)) {
      repeated.add(line)
      continue
    }
    seen.add(messageId)
    lines.push(
      `${line}\t${copyText(messageId)}\t${copyText(externalId)}\t${copyText(previousId ?? anonymousId)}\t${copyText(event?.type)}\t${copyTime(at)}\t${event?.value ?? '\\N'}\t${copyText(event?.properties)}\n`,
    )
  }
  await copyInto(tx, 'incoming_calls', lines)
  const known = await rows<{ line: number | null }>(
    tx,
    sql`WITH keys AS MATERIALIZED (
          SELECT line, ${messageKeySql(sql`message_id`)} AS message FROM incoming_calls
        ), claimed AS (
          INSERT INTO ingest_keys (source, message_id, received_at)
          SELECT 'events', message, ${now}::timestamptz FROM keys ORDER BY message
          ON CONFLICT DO NOTHING RETURNING message_id
        ), dropped AS (
          DELETE FROM incoming_calls i USING keys k
          WHERE k.line = i.line AND k.message NOT IN (SELECT message_id FROM claimed)
          RETURNING i.line
        )
        SELECT line FROM dropped
        -- A line of NULL: somebody new. A subquery of one value is always an index look-up, as in contacts.ts.
        UNION ALL SELECT NULL WHERE EXISTS (
          SELECT FROM incoming_calls i WHERE i.external_id IS NOT NULL
            AND (SELECT x.contact_id FROM external_ids x WHERE x.external_id = i.external_id) IS NULL)`,
  )
  let unknown = false
  for (const { line } of known) {
    if (line === null) unknown = true
    else repeated.add(line)
  }
  return { repeated, unknown }
}

/** The external ids that some call names and a later one renames: it would find no contact. Pure. */
function namedAndRenamed(calls: readonly ApiCall[]): string[] {
  const named = new Set<string>()
  return calls.flatMap(({ externalId, previousId }) => {
    if (previousId !== undefined) return named.has(previousId) ? [previousId] : []
    if (externalId !== null) named.add(externalId)
    return []
  })
}

/**
 * An alias of a known contact under a name nobody has: one contact, two external ids. Where both are contacts already
 * they stay two; the same e-mail or phone makes them one person.
 */
async function renameContacts(tx: Transaction, calls: readonly ApiCall[]): Promise<void> {
  const renamed = calls.filter((call) => call.previousId !== undefined && call.externalId !== null)
  if (renamed.length === 0) return
  await lockNames(tx)
  const before = sql`${sql.param(renamed.map((call) => call.previousId))}::text[]`
  await keepNamed(tx, before)
  await execute(
    tx,
    sql`INSERT INTO external_ids (external_id, contact_id)
        SELECT DISTINCT ON (a.now) a.now, x.contact_id
        FROM unnest(${before},
          ${sql.param(renamed.map((call) => call.externalId))}::text[]) AS a (before, now)
        JOIN external_ids x ON x.external_id = a.before
        WHERE NOT ${isErased(sql`a.now`)}
        ORDER BY a.now ON CONFLICT DO NOTHING`,
  )
}

/** Nobody who has one of these external ids (an array) is erased meanwhile. */
async function keepNamed(tx: Transaction, externalIds: SQL): Promise<void> {
  await keepContacts(
    tx,
    sql`c.contact_id = ANY (ARRAY(SELECT contact_id FROM external_ids WHERE external_id = ANY (${externalIds})))`,
  )
}

/** Seconds, as attributes_at holds them, by field; columns of a contact stand there as `@email`. */
type Times = Record<string, number>

/** Applies what identify calls say, field by field the latest, and registers the apps they come from. */
async function identify(tx: Transaction, calls: readonly ApiCall[], options: LiveOptions): Promise<void> {
  const identities = calls
    .flatMap(({ contact, at }) => (contact ? [{ contact, at }] : []))
    .toSorted((one, other) => one.at - other.at)
  if (identities.length === 0) return
  await lockNames(tx)
  const known = await knownTimes(tx, [...new Set(identities.map(({ contact }) => contact.externalId))])
  const merged = new Map<string, ContactRow>()
  const times = new Map<string, Times>()
  for (const { contact, at } of identities) {
    // Whatever names a contact is told of by, it is told of once.
    const { externalId = contact.externalId, times: told = {} } = known.get(contact.externalId) ?? {}
    const seconds = at / 1000
    const row = { ...newerFields(contact, told, seconds), externalId }
    const earlier = merged.get(externalId)
    if (earlier) mergeRows(earlier, row)
    else merged.set(externalId, row)
    const own = times.get(externalId) ?? {}
    for (const field of fieldsOf(row)) own[field] = seconds
    times.set(externalId, own)
  }
  await mergeContacts(tx, merged, {
    attributes: options.workspace.attributes,
    addressKey: options.addressKey,
    asOf: options.now,
    now: options.now,
    ...linkingOf(options.workspace),
    hooks: options.hooks,
  })
  await execute(
    tx,
    sql`UPDATE contacts c SET attributes_at = c.attributes_at || t.times
        FROM unnest(${sql.param([...times.keys()])}::text[],
          ${sql.param([...times.values()].map((each) => JSON.stringify(each)))}::jsonb[]) AS t (external_id, times)
        JOIN external_ids x USING (external_id)
        WHERE c.contact_id = x.contact_id AND t.times <> '{}'`,
  )
  const devices = calls.flatMap(({ device, at }) => (device ? [{ ...device, at: new Date(at) }] : []))
  if (devices.length > 0) await registerDevices(tx, devices)
}

/** What is known of contacts by any of their names: the first they had, and when each field was told. */
async function knownTimes(
  tx: Transaction,
  names: readonly string[],
): Promise<Map<string, { readonly externalId: string; readonly times: Times }>> {
  const found = await rows<{ name: string; externalId: string; times: Times }>(
    tx,
    sql`SELECT x.external_id AS name, c.external_id AS "externalId", c.attributes_at AS times
        FROM unnest(${sql.param(names)}::text[]) AS wanted (external_id)
        JOIN external_ids x USING (external_id) JOIN contacts c USING (contact_id)`,
  )
  return new Map(found.map(({ name, ...known }) => [name, known]))
}

/** The row without the fields of which something later is known. Pure. */
function newerFields(row: ContactRow, known: Readonly<Times>, seconds: number): ContactRow {
  const stale = (field: string) => (known[field] ?? Number.NEGATIVE_INFINITY) > seconds
  let carried = row.carried
  for (const [column, bit] of Object.entries(CARRIES)) if (stale(`@${column}`)) carried &= ~bit
  return {
    ...row,
    carried,
    attributes: Object.fromEntries(Object.entries(row.attributes).filter(([name]) => !stale(name))),
    cleared: row.cleared.filter((name) => !stale(name)),
  }
}

function fieldsOf(row: ContactRow): string[] {
  const columns = Object.entries(CARRIES).flatMap(([column, bit]) =>
    row.carried & bit ? [`@${column}`] : [],
  )
  return [...columns, ...Object.keys(row.attributes), ...row.cleared]
}

/** Calls that name a visitor and a contact say who the visitor was; the latest word counts for what comes after. */
async function linkVisitors(tx: Transaction): Promise<void> {
  await keepNamed(tx, sql`ARRAY(SELECT external_id FROM incoming_calls WHERE anonymous_id IS NOT NULL)`)
  await execute(
    tx,
    sql`INSERT INTO anonymous_ids AS a (anonymous_id, contact_id, linked_at)
        SELECT DISTINCT ON (i.anonymous_id) i.anonymous_id, x.contact_id, i.occurred_at
        FROM incoming_calls i JOIN external_ids x USING (external_id)
        WHERE i.anonymous_id IS NOT NULL AND NOT ${isErased(sql`i.anonymous_id`)}
        ORDER BY i.anonymous_id, i.occurred_at DESC, i.line DESC
        ON CONFLICT (anonymous_id) DO UPDATE SET contact_id = excluded.contact_id, linked_at = excluded.linked_at
          WHERE a.linked_at < excluded.linked_at`,
  )
}

/** From the calls, and from what visitors who have just been named did before, into `incoming_activity`. */
async function stageActivity(tx: Transaction, now: Date, visitors: boolean): Promise<void> {
  const key = activityKeySql(sql`i.message_id`)
  if (!visitors) {
    await execute(
      tx,
      sql`INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties)
          SELECT x.contact_id, i.occurred_at, ${key}, i.type, i.value, i.properties
          FROM incoming_calls i JOIN external_ids x USING (external_id) WHERE i.type IS NOT NULL`,
    )
    return
  }
  await execute(
    tx,
    sql`WITH resolved AS MATERIALIZED (
          SELECT i.*, CASE WHEN i.external_id IS NULL THEN a.contact_id ELSE x.contact_id END AS contact_id
          FROM incoming_calls i LEFT JOIN external_ids x USING (external_id)
          LEFT JOIN anonymous_ids a ON a.anonymous_id = i.anonymous_id
        ), kept_aside AS (
          INSERT INTO anonymous_activity (anonymous_id, occurred_at, key, type, value, properties, received_at)
          SELECT i.anonymous_id, i.occurred_at, ${key}, i.type, i.value, i.properties, ${now}
          -- An external id without a contact is one that was erased: nothing of it is kept, aside or otherwise, even
          -- where it comes as a visitor's, or from where somebody else has signed in before.
          FROM resolved i WHERE i.contact_id IS NULL AND i.external_id IS NULL AND i.type IS NOT NULL
            AND NOT ${isErased(sql`i.anonymous_id`)}
          ON CONFLICT DO NOTHING
        ), named AS (
          DELETE FROM anonymous_activity p USING anonymous_ids a
          WHERE a.anonymous_id = p.anonymous_id
            AND p.anonymous_id IN (SELECT anonymous_id FROM resolved WHERE contact_id IS NOT NULL)
          RETURNING a.contact_id, p.occurred_at, p.key, p.type, p.value, p.properties
        )
        INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties)
        SELECT contact_id, occurred_at, ${key}, type, value, properties FROM resolved i
        WHERE contact_id IS NOT NULL AND type IS NOT NULL
        UNION ALL SELECT * FROM named`,
  )
}

/** Days for which what a visitor did waits for a name. */
const VISITOR_DAYS = 90
const PRUNED_AT_ONCE = 10_000

/**
 * Forgets message ids older than the horizon (seconds), and what visitors did who never got a name. In chunks, each a
 * statement of its own.
 * @returns how many rows went
 */
export async function pruneIngest(session: Session, now: Date, horizon: number): Promise<number> {
  const keys = await pruneTable(session, 'ingest_keys', earlier(now, horizon))
  return keys + (await pruneTable(session, 'anonymous_activity', earlier(now, VISITOR_DAYS * 86_400)))
}

async function pruneTable(
  session: Session,
  table: 'ingest_keys' | 'anonymous_activity',
  before: Date,
): Promise<number> {
  const name = sql.identifier(table)
  for (let pruned = 0; ; ) {
    const went = await execute(
      session,
      sql`DELETE FROM ${name} WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ${name} WHERE received_at < ${before} LIMIT ${PRUNED_AT_ONCE}))`,
    )
    pruned += went
    if (went < PRUNED_AT_ONCE) return pruned
  }
}
