import { sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { hasPartialNumbers } from '../database/partial-numbers.ts'
import { codeOf } from '../errors.ts'
import { addressHashHex, type IdentifierKind } from './addresses.ts'
import type { ContactRow } from './contact-rows.ts'
import { agesOf, type ContactMerge, mergeKnown, wholeOf } from './contacts.ts'
import { copyBytes, copyInto, copyText, copyTime } from './copy.ts'
import type { Exclusive } from './files/exclusive-lane.ts'
import type { Merged } from './files/row-counts.ts'
import { type Silencing, silenceEverybody } from './listed-numbers.ts'
import { type Linking, linkPersons, numberKey, prepareLinks } from './persons.ts'

// The first import of a workspace. Nobody is known yet, so nobody has to be looked up; and an index that is built over
// all rows at once costs a fraction of one that is kept up row by row, at random places. For that, one transaction has
// the tables to itself from the first row to the last: whoever else wants a contact waits, and before the commit there is
// none to be had anyway. Where it is killed, nothing of it is there, nor is an index missing.

/** Contacts that share an address, linked at a time: they are read into this process. */
const LINKED_AT_ONCE = 10_000

/** The one transaction of a first import, and what is written in it. */
export interface FirstImport extends Exclusive {
  /**
   * Puts a chunk of new contacts into words of COPY, without asking the database: the chunk before is on its way
   * meanwhile. What comes back writes them, each table by a COPY of its own, which is half of what inserting them costs
   * PostgreSQL: COPY writes and logs whole pages.
   */
  compose(chunk: ReadonlyMap<string, ContactRow>, options: ContactMerge): (tx: Transaction) => Promise<Merged>
}

/** A first import; it does not begin where there are contacts, where somebody was erased (whom a file must not bring
 * back), and where somebody is at work on the tables. */
export function firstImport(options: Omit<Silencing, 'hooks'> & Linking): FirstImport {
  const { now, sharedByAtMost } = options
  let dropped: Dropped = { keys: [], indexes: [] }
  // Nobody else takes a number meanwhile: whoever makes contacts waits for the table first.
  let lastId = 0
  /** Whether the chunk that was written last held contacts that were known. */
  let again = false
  return {
    begin: async (tx) => {
      if (!(await takeTables(tx))) return false
      dropped = await dropIndexes(tx)
      lastId = await lastGiven(tx)
      return true
    },
    compose: (chunk, options) => {
      const firstId = lastId + 1
      lastId += chunk.size
      // Where one chunk has known contacts, so have most: then it is asked who is, before a chunk is written in vain.
      const texts = again ? undefined : composeRows(chunk, options, firstId)
      return async (tx) => {
        if (texts && (await writeNew(tx, texts))) return { inserted: chunk.size, updated: 0 }
        const known = await knownOf(tx, chunk)
        again = known.size > 0
        // Whom the file has twice is looked up from here on.
        if (again) await makeAgain(tx, dropped.keys.splice(0))
        const fresh = new Map([...chunk].filter(([externalId]) => !known.has(externalId)))
        await copyRows(tx, composeRows(fresh, options, firstId))
        return { inserted: fresh.size, updated: again ? await mergeKnown(tx, known, options) : 0 }
      }
    },
    end: async (tx) => {
      await execute(tx, sql`SELECT setval('contacts_contact_id_seq', ${lastId}::bigint)`)
      await execute(
        tx,
        sql`INSERT INTO contact_activity (contact_id, silent_since) SELECT contact_id, signed_up_at FROM contacts`,
      )
      await findShared(tx, sharedByAtMost)
      await makeAgain(tx, dropped.keys)
      await makeAgain(tx, dropped.indexes)
      await linkShared(tx, { now, sharedByAtMost })
      if (await hasPartialNumbers(tx)) await silenceEverybody(tx, { ...options, hooks: {} })
    },
  }
}

const CONTACTS = `contacts (contact_id, person_id, external_id, email, email_key, phone, phone_key, whole_key, locale,
  timezone, signed_up_at, attributes, attributes_at, imported_at)`

/** Rows of both tables in COPY's text format. */
interface Texts {
  readonly names: Buffer
  readonly contacts: Buffer
}

/** The rows of a chunk, numbered from `firstId`. */
function composeRows(chunk: ReadonlyMap<string, ContactRow>, options: ContactMerge, firstId: number): Texts {
  return {
    names: copyBytes(nameLines(chunk, firstId)),
    contacts: copyBytes(contactLines(chunk, options, firstId)),
  }
}

function* nameLines(chunk: ReadonlyMap<string, ContactRow>, firstId: number): Generator<string> {
  let id = firstId
  for (const externalId of chunk.keys()) yield `${copyText(externalId)}\t${id++}\n`
}

function* contactLines(
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
  firstId: number,
): Generator<string> {
  const ages = agesOf(options)
  const now = copyTime(options.now.getTime())
  const keyOf = (kind: IdentifierKind, address: string | null) =>
    address === null ? '\\N' : `\\\\x${addressHashHex(options.addressKey, kind, address)}`
  let id = firstId
  for (const row of chunk.values()) {
    const name = copyText(row.externalId)
    yield `${id}\t${id}\t${name}\t${copyText(row.email)}\t${keyOf('email', row.email)}\t${copyText(row.phone)}\t${keyOf('phone', row.phone)}\t${keyOf('phone', wholeOf(row, options))}\t${copyText(row.locale)}\t${copyText(row.timezone)}\t${copyTime(row.signedUpAt)}\t${copyText(JSON.stringify(row.attributes))}\t${ages(row)}\t${now}\n`
    id += 1
  }
}

async function copyRows(tx: Transaction, { names, contacts }: Texts): Promise<void> {
  await copyInto(tx, 'external_ids (external_id, contact_id)', names)
  await copyInto(tx, CONTACTS, contacts)
}

/** @returns false where one of them is known; then none is written */
async function writeNew(tx: Transaction, texts: Texts): Promise<boolean> {
  await tx.client.query('SAVEPOINT chunk')
  try {
    await copyRows(tx, texts)
    await tx.client.query('RELEASE SAVEPOINT chunk')
    return true
  } catch (error) {
    if (codeOf(error) !== '23505') throw error
    await tx.client.query('ROLLBACK TO SAVEPOINT chunk; RELEASE SAVEPOINT chunk')
    return false
  }
}

/** The rows of contacts that an earlier chunk has made. */
async function knownOf(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
): Promise<Map<string, ContactRow>> {
  const found = await rows<{ external_id: string }>(
    tx,
    sql`SELECT asked.external_id FROM unnest(${sql.param([...chunk.keys()])}::text[]) AS asked (external_id)
        WHERE (SELECT x.contact_id FROM external_ids x WHERE x.external_id = asked.external_id) IS NOT NULL`,
  )
  const known = new Set(found.map(({ external_id }) => external_id))
  return new Map([...chunk].filter(([externalId]) => known.has(externalId)))
}

async function lastGiven(tx: Transaction): Promise<number> {
  const [given] = await rows<{ last: number }>(
    tx,
    sql`SELECT last_value AS last FROM contacts_contact_id_seq`,
  )
  if (!given) throw new Error('a sequence has one row')
  return given.last
}

async function takeTables(tx: Transaction): Promise<boolean> {
  try {
    await tx.client.query(
      'LOCK TABLE external_ids, contacts, contact_activity IN ACCESS EXCLUSIVE MODE NOWAIT',
    )
  } catch (error) {
    // Somebody reads or writes them, or they belong to another role: nothing is lost but time.
    if (['55P03', '42501'].includes(codeOf(error))) return false
    throw error
  }
  const [found] = await rows<{ any: boolean }>(
    tx,
    sql`SELECT EXISTS (SELECT FROM external_ids) OR EXISTS (SELECT FROM contacts)
          OR EXISTS (SELECT FROM contact_activity) OR EXISTS (SELECT FROM erased_ids) AS any`,
  )
  return found?.any === false
}

/** Statements that make again what was dropped. */
interface Dropped {
  readonly keys: string[]
  readonly indexes: string[]
}

/**
 * Drops what is made of all rows at once in a fraction of the time: the indexes that forbid nothing, and the keys that are
 * numbers given here, once each. The key of external ids stays: it is what says that a contact is known after all.
 */
async function dropIndexes(tx: Transaction): Promise<Dropped> {
  const keys = await rows<{ table: string; name: string; definition: string }>(
    tx,
    sql`SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
        FROM pg_constraint k
        WHERE conrelid IN ('contacts'::regclass, 'contact_activity'::regclass) AND contype = 'p'
          -- Somebody else's table may refer to it.
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refobjid IN (k.oid, k.conindid) AND d.deptype = 'n')`,
  )
  for (const { table, name } of keys) await tx.client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`)
  const indexes = await rows<{ name: string; definition: string }>(
    tx,
    sql`SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index
        WHERE indrelid IN ('external_ids'::regclass, 'contacts'::regclass, 'contact_activity'::regclass)
          AND NOT indisunique AND NOT indisexclusion
        ORDER BY indexrelid`,
  )
  if (indexes.length > 0) await tx.client.query(`DROP INDEX ${indexes.map(({ name }) => name).join(', ')}`)
  return {
    keys: keys.map(
      ({ table, name, definition }) => `ALTER TABLE ${table} ADD CONSTRAINT ${name} ${definition}`,
    ),
    indexes: indexes.map(({ definition }) => definition),
  }
}

/**
 * An index of hashes is built from sorted ones only where it is larger than the memory it may take; unsorted, each row
 * goes to another page, which takes twice the time. So it may take little.
 */
async function makeAgain(tx: Transaction, definitions: readonly string[]): Promise<void> {
  for (const definition of definitions) {
    const hashed = definition.includes(' USING hash ')
    if (hashed) await tx.client.query(`SET LOCAL maintenance_work_mem = '4MB'`)
    await tx.client.query(definition)
    if (hashed) await tx.client.query('SET LOCAL maintenance_work_mem TO DEFAULT')
  }
}

/** Who carries an address that others carry too; one that more than `sharedByAtMost` carry links nobody. */
async function findShared(tx: Transaction, sharedByAtMost: number): Promise<void> {
  const carriers = (kind: IdentifierKind) => {
    const key = kind === 'email' ? sql`c.email_key` : numberKey(sql`c`)
    return sql`SELECT ${kind}::text AS kind, key, contact_id FROM contacts c JOIN (
        SELECT ${key} AS key FROM contacts c WHERE ${key} IS NOT NULL
        GROUP BY 1 HAVING count(*) BETWEEN 2 AND ${sharedByAtMost}::bigint
      ) AS shared ON ${key} = key`
  }
  // Millions of keys are counted in memory, not on disk.
  await tx.client.query(`SET LOCAL work_mem = '128MB'`)
  await execute(
    tx,
    sql`CREATE TEMP TABLE shared_identifiers ON COMMIT DROP AS
        SELECT kind, key, contact_id, (row_number() OVER (ORDER BY contact_id) - 1) / ${LINKED_AT_ONCE}::int AS part
        FROM (${carriers('email')} UNION ALL ${carriers('phone')}) AS carriers`,
  )
  await tx.client.query('RESET work_mem')
}

/** Part by part: whom an earlier part has linked, a later one finds as one person. Nobody was anybody before. */
async function linkShared(tx: Transaction, options: { now: Date; sharedByAtMost: number }): Promise<void> {
  const [found] = await rows<{ parts: number }>(
    tx,
    sql`SELECT coalesce(max(part) + 1, 0) AS parts FROM shared_identifiers`,
  )
  const parts = found?.parts ?? 0
  if (parts === 0) return
  await tx.client.query('CREATE INDEX ON shared_identifiers (part)')
  await prepareLinks(tx)
  for (let part = 0; part < parts; part += 1) {
    await tx.client.query('TRUNCATE touched_identifiers')
    await execute(
      tx,
      sql`INSERT INTO touched_identifiers (kind, key, contact_id, added)
          SELECT kind, key, contact_id, TRUE FROM shared_identifiers WHERE part = ${part}::bigint`,
    )
    await linkPersons(tx, { ...options, hooks: {} })
  }
}
