import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { lookUpSingly } from '../database/look-ups.ts'
import { hasPartialNumbers } from '../database/partial-numbers.ts'
import { lockStripesShared, STRIPE_WIDTH, STRIPES } from '../database/stripes.ts'
import { addressHashSql, type IdentifierKind, wholeNumber } from './addresses.ts'
import { type Attributes, CARRIES, type ContactRow, mergeRows } from './contact-rows.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import type { Merged } from './files/row-counts.ts'
import type { Hooks } from './hooks.ts'
import { silenceSpelled } from './listed-numbers.ts'
import type { Linking } from './persons.ts'
import { carriersOf, linkPersons, lockContacts, numberKey, prepareLinks, shareNames } from './persons.ts'
import { countErased, isErased } from './privacy/erased.ts'

export interface ContactMerge extends Linking {
  readonly attributes: Attributes
  readonly addressKey: string
  /** When the file's values were true: the age of attributes with a `fresh` limit counts from here. */
  readonly asOf: Date
  readonly now: Date
  readonly hooks: Hooks
}

/**
 * Merges a chunk (10,000 rows at most, each external_id once) into contacts, in the caller's transaction: new ones
 * are made with all that belongs to them, known ones get the columns the rows carry, and persons are linked.
 * Rows of one contact under several names are one, the later over the earlier. The same chunk again changes nothing. Two chunks
 * without a common external_id may be merged at the same time: only the second half of the work, from looking for shared
 * addresses on, is done one after the other.
 * @throws a unique violation (23505) where another transaction made one of the contacts meanwhile: try again
 */
export async function mergeContacts(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
): Promise<Merged> {
  await prepare(tx)
  await copyInto(tx, 'incoming_contacts', staged(chunk.values(), options))
  await shareNames(tx)
  const inserted = await insertNew(tx, options)
  await lockContacts(tx)
  const known = inserted < chunk.size
  const { shared, updated, phones } = await lookUpSingly(tx, async () => {
    const shared = await findShared(tx)
    // All stripes at once and in order, before anything is decided: whom a merge reaches is known only from reading, and
    // a selection may be opening an episode for a contact that stays where it is. A chunk of a file reaches most anyway.
    if (shared > 0 || known) await lockAllStripes(tx)
    return { shared, ...(known ? await updateKnown(tx, chunk, options) : NOTHING_CHANGED) }
  })
  if (shared > 0 || updated > 0) {
    await linkPersons(tx, options)
  }
  if (inserted + updated > 0 && (await hasPartialNumbers(tx))) await holdAgainstList(tx, phones, options)
  const erased = inserted + updated < chunk.size ? await countErased(tx, 'incoming_contacts') : 0
  return { inserted, updated, erased }
}

/** The contacts of the chunk that were made or changed, whose numbers the list may have as they were read at another time. */
async function holdAgainstList(
  tx: Transaction,
  changed: readonly number[],
  options: ContactMerge,
): Promise<void> {
  const written = await rows<{ contactId: number; phone: string }>(
    tx,
    sql`SELECT c.contact_id AS "contactId", c.phone FROM (
          SELECT contact_id FROM made_contacts UNION SELECT unnest(${bigints(changed)})) w
        CROSS JOIN LATERAL (SELECT * FROM contacts WHERE contact_id = w.contact_id OFFSET 0) c
        WHERE c.phone IS NOT NULL`,
  )
  if (written.length > 0) await silenceSpelled(tx, written, { ...options, besideErased: false })
}

/**
 * Writes a chunk of contacts that are all known over what stands there. Of persons it says nothing: for whoever has the
 * tables to itself and links everybody at the end.
 * @returns how many it changed
 */
export async function mergeKnown(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
): Promise<number> {
  await prepare(tx)
  await copyInto(tx, 'incoming_contacts', staged(chunk.values(), options))
  const { updated } = await lookUpSingly(tx, () => updateKnown(tx, chunk, options))
  await tx.client.query('TRUNCATE incoming_contacts, touched_identifiers')
  return updated
}

/** Keeps selections away from everybody: whom a merge of persons may reach is not known before. */
export async function lockAllStripes(tx: Transaction): Promise<void> {
  await lockStripesShared(
    tx,
    sql`SELECT stripe * ${STRIPE_WIDTH}::bigint AS contact_id FROM generate_series(0, ${STRIPES - 1}::int) AS stripe`,
  )
}

async function prepare(tx: Transaction): Promise<void> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_contacts (
      external_id text NOT NULL, carried int NOT NULL, email text, phone text, whole text, locale text, timezone text,
      signed_up_at timestamptz, attributes jsonb NOT NULL, attributes_at jsonb NOT NULL, cleared text[]
    ) ON COMMIT DELETE ROWS`)
  await prepareLinks(tx)
}

/** When each attribute with a `fresh` limit was true, in seconds, as the JSON of `attributes_at`. */
export function agesOf({ attributes, asOf }: ContactMerge): (row: ContactRow) => string {
  const at = Math.floor(asOf.getTime() / 1000)
  const fresh = Object.keys(attributes).filter((name) => attributes[name]?.fresh !== undefined)
  const keys = fresh.map((name) => ({ name, text: `${JSON.stringify(name)}:${at}` }))
  return (row) => {
    let text = ''
    for (const key of keys) {
      if (Object.hasOwn(row.attributes, key.name)) text += text === '' ? key.text : `,${key.text}`
    }
    return `{${text}}`
  }
}

/** The number with its country where it is written without; null where there is nothing to add. */
export function wholeOf({ phone }: ContactRow, { countries }: ContactMerge): string | null {
  if (phone === null) return null
  const whole = wholeNumber(phone, countries)
  return whole === phone ? null : whole
}

function* staged(contacts: Iterable<ContactRow>, options: ContactMerge): Generator<string> {
  const ages = agesOf(options)
  for (const row of contacts) {
    const cleared = row.cleared.length === 0 ? '\\N' : `{${row.cleared.join(',')}}`
    yield `${copyText(row.externalId)}\t${row.carried}\t${copyText(row.email)}\t${copyText(row.phone)}\t${copyText(wholeOf(row, options))}\t${copyText(row.locale)}\t${copyText(row.timezone)}\t${copyTime(row.signedUpAt)}\t${copyText(JSON.stringify(row.attributes))}\t${ages(row)}\t${cleared}\n`
  }
}

/** New contacts and all that belongs to them, in one statement over one reading of the chunk. */
async function insertNew(tx: Transaction, options: ContactMerge): Promise<number> {
  const [found] = await rows<{ count: number }>(
    tx,
    sql`WITH fresh AS MATERIALIZED (
          SELECT nextval('contacts_contact_id_seq') AS contact_id, i.*,
            ${addressHashSql(options.addressKey, 'email', sql`i.email`)} AS email_key,
            ${addressHashSql(options.addressKey, 'phone', sql`i.phone`)} AS phone_key,
            ${addressHashSql(options.addressKey, 'phone', sql`i.whole`)} AS whole_key
          FROM incoming_contacts i
          -- A subquery of one value is always 10,000 index look-ups; NOT EXISTS may become a scan of the whole table.
          WHERE (SELECT x.contact_id FROM external_ids x WHERE x.external_id = i.external_id) IS NULL
            AND NOT ${isErased(sql`i.external_id`)}
        ), named AS (
          INSERT INTO external_ids (external_id, contact_id)
          SELECT external_id, contact_id FROM fresh ORDER BY external_id
        ), made AS (
          INSERT INTO contacts (contact_id, person_id, external_id, email, email_key, phone, phone_key, whole_key, locale,
            timezone, signed_up_at, attributes, attributes_at, imported_at)
          OVERRIDING SYSTEM VALUE
          SELECT contact_id, contact_id, external_id, email, email_key, phone, phone_key, whole_key, locale,
            timezone, signed_up_at, attributes, attributes_at, ${options.now}
          FROM fresh
        ), watched AS (
          INSERT INTO contact_activity (contact_id, silent_since)
          SELECT contact_id, signed_up_at FROM fresh ORDER BY signed_up_at
        ), identified AS (
          INSERT INTO made_contacts (contact_id, email_key, phone_key)
          SELECT contact_id, email_key, ${numberKey(sql`fresh`)} FROM fresh
        )
        SELECT count(*) AS count FROM fresh`,
  )
  return found?.count ?? 0
}

/**
 * Which addresses of the new contacts somebody else carries. Most chunks share none and need no linking. Expects
 * {@link lockContacts}: whoever made a contact before is seen, and whoever makes one later sees these.
 * @returns how many are shared; they stand in touched_identifiers
 */
async function findShared(tx: Transaction): Promise<number> {
  // A subquery of one value is always an index look-up, as above.
  const shared = (kind: IdentifierKind) => {
    const key = sql.identifier(`${kind}_key`)
    return sql`SELECT ${kind}, m.${key}, m.contact_id, TRUE FROM made_contacts m
      WHERE (SELECT c.contact_id FROM (${carriersOf(kind, sql`m.${key}`)}) c WHERE c.contact_id <> m.contact_id
             LIMIT 1) IS NOT NULL`
  }
  return execute(
    tx,
    sql`INSERT INTO touched_identifiers (kind, key, contact_id, added)
        ${shared('email')} UNION ALL ${shared('phone')}`,
  )
}

/** Makes one staged row of those of one contact: the statement that writes them would take any one and leave the others. */
async function foldNames(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
): Promise<void> {
  const named = await rows<{ name: string; contactId: number }>(
    tx,
    sql`SELECT name, contact_id AS "contactId" FROM (
          SELECT i.external_id AS name, x.contact_id, count(*) OVER (PARTITION BY x.contact_id) AS names
          FROM incoming_contacts i
          CROSS JOIN LATERAL (SELECT contact_id FROM external_ids WHERE external_id = i.external_id OFFSET 0) x
        ) AS known WHERE names > 1`,
  )
  if (named.length === 0) return
  const contactOf = new Map(named.map(({ name, contactId }) => [name, contactId]))
  const folded = new Map<number, ContactRow>()
  for (const row of chunk.values()) {
    const contactId = contactOf.get(row.externalId)
    if (contactId === undefined) continue
    const earlier = folded.get(contactId)
    if (earlier) mergeRows(earlier, row)
    else folded.set(contactId, { ...row, attributes: { ...row.attributes } })
  }
  await execute(
    tx,
    sql`DELETE FROM incoming_contacts WHERE external_id = ANY (${sql.param([...contactOf.keys()])}::text[])`,
  )
  await copyInto(tx, 'incoming_contacts', staged(folded.values(), options))
}

/** How many were changed, and which of them have a number. */
interface Changed {
  readonly updated: number
  readonly phones: readonly number[]
}

const NOTHING_CHANGED: Changed = { updated: 0, phones: [] }

/**
 * The columns each row carries, over contacts that were there before; rows that would change nothing are not
 * written. (The chunk's new contacts are compared too, and equal themselves: telling them apart costs more.)
 */
async function updateKnown(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
): Promise<Changed> {
  const locked = await execute(
    tx,
    // As an array: for a join in this order, the planner reads all contacts there are by their index.
    sql`SELECT FROM contacts WHERE contact_id = ANY (ARRAY(
          SELECT (SELECT x.contact_id FROM external_ids x WHERE x.external_id = i.external_id) FROM incoming_contacts i
        )) ORDER BY contact_id FOR NO KEY UPDATE`,
  )
  // Fewer than there are rows: some are of contacts that were erased, or several of one.
  if (locked < chunk.size) await foldNames(tx, chunk, options)
  const carries = (column: keyof typeof CARRIES) => {
    const name = sql.identifier(column)
    return sql`CASE WHEN i.carried & ${sql.raw(String(CARRIES[column]))} <> 0 THEN i.${name} ELSE c.${name} END`
  }
  const [found] = await rows<Changed>(
    tx,
    sql`WITH wanted AS MATERIALIZED (
          SELECT c.contact_id,
            ${carries('email')} AS email, ${carries('phone')} AS phone, i.whole, ${carries('locale')} AS locale,
            ${carries('timezone')} AS timezone, ${carries('signed_up_at')} AS signed_up_at,
            CASE WHEN i.cleared IS NULL THEN c.attributes || i.attributes
                 ELSE (c.attributes || i.attributes) - i.cleared END AS attributes,
            CASE WHEN i.cleared IS NULL THEN c.attributes_at || i.attributes_at
                 ELSE (c.attributes_at || i.attributes_at) - i.cleared END AS attributes_at
          FROM incoming_contacts i
          -- OFFSET 0: one by one, as above.
          CROSS JOIN LATERAL (SELECT contact_id FROM external_ids WHERE external_id = i.external_id OFFSET 0) x
          CROSS JOIN LATERAL (SELECT * FROM contacts WHERE contact_id = x.contact_id OFFSET 0) c
        ), changed AS MATERIALIZED (
          SELECT w.*, c.email_key AS old_email_key, ${numberKey(sql`c`)} AS old_number_key,
            CASE WHEN w.email = c.email THEN c.email_key
                 ELSE ${addressHashSql(options.addressKey, 'email', sql`w.email`)} END AS email_key,
            CASE WHEN w.phone = c.phone THEN c.phone_key
                 ELSE ${addressHashSql(options.addressKey, 'phone', sql`w.phone`)} END AS phone_key,
            CASE WHEN w.phone = c.phone THEN c.whole_key
                 ELSE ${addressHashSql(options.addressKey, 'phone', sql`w.whole`)} END AS whole_key
          FROM wanted w CROSS JOIN LATERAL (SELECT * FROM contacts WHERE contact_id = w.contact_id OFFSET 0) c
          WHERE (w.email, w.phone, w.locale, w.timezone, w.signed_up_at, w.attributes, w.attributes_at)
            IS DISTINCT FROM
            (c.email, c.phone, c.locale, c.timezone, c.signed_up_at, c.attributes, c.attributes_at)
        ), written AS (
          UPDATE contacts c SET email = w.email, email_key = w.email_key, phone = w.phone, phone_key = w.phone_key,
            whole_key = w.whole_key, locale = w.locale, timezone = w.timezone, signed_up_at = w.signed_up_at, attributes = w.attributes,
            attributes_at = w.attributes_at
          FROM changed w WHERE c.contact_id = w.contact_id
        ), resigned AS (
          UPDATE contact_activity a SET silent_since = w.signed_up_at
          FROM changed w
          WHERE a.contact_id = w.contact_id AND a.last_active_at IS NULL
            AND a.silent_since IS DISTINCT FROM w.signed_up_at
        ), dropped AS (
          SELECT contact_id, 'email' AS kind, old_email_key AS key FROM changed
          WHERE old_email_key IS DISTINCT FROM email_key AND old_email_key IS NOT NULL
          UNION ALL
          SELECT contact_id, 'phone', old_number_key FROM changed w
          WHERE old_number_key IS DISTINCT FROM ${numberKey(sql`w`)} AND old_number_key IS NOT NULL
        ), gained AS (
          SELECT contact_id, 'email' AS kind, email_key AS key FROM changed
          WHERE old_email_key IS DISTINCT FROM email_key AND email_key IS NOT NULL
          UNION ALL
          SELECT contact_id, 'phone', ${numberKey(sql`w`)} FROM changed w
          WHERE old_number_key IS DISTINCT FROM ${numberKey(sql`w`)} AND phone_key IS NOT NULL
        ), touched AS (
          INSERT INTO touched_identifiers (kind, key, contact_id, added)
          SELECT kind, key, contact_id, FALSE FROM dropped
          UNION ALL SELECT kind, key, contact_id, TRUE FROM gained
        )
        SELECT count(*) AS updated, coalesce(array_agg(contact_id) FILTER (WHERE phone IS NOT NULL), '{}') AS phones
        FROM changed`,
  )
  return found ?? NOTHING_CHANGED
}
