import { sql } from 'drizzle-orm'
import type { AttributeType } from '../config/workspace.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { lockStripesShared } from '../database/stripes.ts'
import { addressHashSql, normaliseEmail, normalisePhone } from './addresses.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import { type DateReader, zoneChecker } from './dates.ts'
import type { Hooks } from './hooks.ts'
import type { Getter } from './mapping.ts'
import { linkPersons, lockContacts, prepareLinks } from './persons.ts'

/** Typed attributes of the workspace; `fresh` where a value has an age that matters. */
export type Attributes = Readonly<
  Record<string, { readonly type: AttributeType; readonly fresh?: number | undefined }>
>

/** One contact as a row gave it. `carried` says which columns the row speaks of; the others are left alone. */
export interface ContactRow {
  readonly externalId: string
  carried: number
  email: string | null
  phone: string | null
  locale: string | null
  timezone: string | null
  /** Epoch milliseconds. */
  signedUpAt: number | null
  attributes: Record<string, unknown>
  /** Attributes whose cell was empty: taken away. */
  cleared: string[]
}

const CARRIES = { email: 1, phone: 2, locale: 4, timezone: 8, signed_up_at: 16 } as const

export const CONTACT_FIELDS = ['external_id', 'email', 'phone', 'locale', 'timezone', 'signed_up_at'] as const

/** What a mapping can name: the columns of a contact and its attributes. */
export function contactFields(attributes: Attributes): string[] {
  return [...CONTACT_FIELDS, ...Object.keys(attributes).map((name) => `attributes.${name}`)]
}

/** Reads one row: the contact, or why there is none. `warn` hears of what the contact had to be kept without. */
export type ContactReader = (
  values: Parameters<Getter>[0],
  warn: (reason: string) => void,
) => ContactRow | string

/** @param latest epoch milliseconds; a sign-up after it is rejected */
export function contactReader(
  getters: ReadonlyMap<string, Getter>,
  options: { attributes: Attributes; date: DateReader; latest: number },
): ContactReader {
  const { date } = options
  const zoneExists = zoneChecker()
  const getter = (name: string) => getters.get(name) ?? (() => undefined)
  const [getId, getEmail, getPhone, getLocale, getZone, getSignUp] = [
    getter('external_id'),
    getter('email'),
    getter('phone'),
    getter('locale'),
    getter('timezone'),
    getter('signed_up_at'),
  ]
  const attributes = Object.entries(options.attributes).flatMap(([name, { type }]) => {
    const get = getters.get(`attributes.${name}`)
    return get ? [{ name, get, convert: attributeConverter(name, type, date) }] : []
  })
  return (values, warn) => {
    const externalId = textOf(getId(values))
    if (externalId === null) return 'there is no external_id'
    if (externalId.length > 500) return 'the external_id is longer than 500 characters'
    const row: ContactRow = {
      externalId,
      carried: 0,
      email: null,
      phone: null,
      locale: null,
      timezone: null,
      signedUpAt: null,
      attributes: {},
      cleared: [],
    }
    const email = getEmail(values)
    if (email !== undefined) {
      row.carried |= CARRIES.email
      const text = textOf(email)
      if (text !== null) {
        row.email = normaliseEmail(text) ?? null
        if (row.email === null) warn(`kept without e-mail: "${text}" is not an address`)
      }
    }
    const phone = getPhone(values)
    if (phone !== undefined) {
      row.carried |= CARRIES.phone
      const text = textOf(phone)
      if (text !== null) {
        row.phone = normalisePhone(text) ?? null
        if (row.phone === null) warn(`kept without phone: "${text}" is not a number`)
      }
    }
    const locale = getLocale(values)
    if (locale !== undefined) {
      row.carried |= CARRIES.locale
      row.locale = textOf(locale)
    }
    const zone = getZone(values)
    if (zone !== undefined) {
      row.carried |= CARRIES.timezone
      const text = textOf(zone)
      if (text !== null && zoneExists(text)) row.timezone = text
      else if (text !== null) warn(`kept without time zone: there is no zone "${text}"`)
    }
    const signUp = getSignUp(values)
    if (signUp !== undefined) {
      row.carried |= CARRIES.signed_up_at
      if (signUp !== null && signUp !== '') {
        const at = date(signUp)
        if (typeof at === 'string') return `signed_up_at: ${at}`
        if (at > options.latest) return `signed_up_at: ${new Date(at).toISOString()} lies in the future`
        if (at < 0) return 'signed_up_at: before 1970'
        row.signedUpAt = at
      }
    }
    for (const { name, get, convert } of attributes) {
      const value = get(values)
      if (value === undefined) continue
      if (value === '') {
        row.cleared.push(name)
        continue
      }
      const converted = value === null ? { value: null } : convert(value)
      if (typeof converted === 'string') return converted
      row.attributes[name] = converted.value
    }
    return row
  }
}

/** A later row of the same contact over an earlier one, column by column. */
export function mergeRows(earlier: ContactRow, later: ContactRow): void {
  const carries = (column: keyof typeof CARRIES) => (later.carried & CARRIES[column]) !== 0
  if (carries('email')) earlier.email = later.email
  if (carries('phone')) earlier.phone = later.phone
  if (carries('locale')) earlier.locale = later.locale
  if (carries('timezone')) earlier.timezone = later.timezone
  if (carries('signed_up_at')) earlier.signedUpAt = later.signedUpAt
  earlier.carried |= later.carried
  for (const name of later.cleared) delete earlier.attributes[name]
  Object.assign(earlier.attributes, later.attributes)
  earlier.cleared = [...new Set([...earlier.cleared, ...later.cleared])].filter(
    (name) => !Object.hasOwn(earlier.attributes, name),
  )
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() || null
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function attributeConverter(
  name: string,
  type: AttributeType,
  date: DateReader,
): (value: unknown) => { value: unknown } | string {
  const wrong = (value: unknown) => `attributes.${name}: ${JSON.stringify(value)} is not a ${type}`
  switch (type) {
    case 'string':
      return (value) => {
        if (typeof value === 'string') return { value }
        return typeof value === 'number' || typeof value === 'boolean'
          ? { value: String(value) }
          : wrong(value)
      }
    case 'number':
      return (value) => {
        const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
        return typeof number === 'number' && Number.isFinite(number) ? { value: number } : wrong(value)
      }
    case 'bool':
      return (value) => {
        if (typeof value === 'boolean') return { value }
        const text = String(value).trim().toLowerCase()
        if (['true', 't', 'yes', 'y', '1'].includes(text)) return { value: true }
        return ['false', 'f', 'no', 'n', '0'].includes(text) ? { value: false } : wrong(value)
      }
    case 'timestamp':
      return (value) => {
        const at = date(value)
        if (typeof at === 'string') return `attributes.${name}: ${at}`
        const year = new Date(at).getUTCFullYear()
        return year >= 1 && year <= 9999 ? { value: new Date(at).toISOString() } : wrong(value)
      }
  }
}

export interface Merged {
  inserted: number
  updated: number
}

export interface ContactMerge {
  readonly attributes: Attributes
  readonly addressKey: string
  /** When the file's values were true: the age of attributes with a `fresh` limit counts from here. */
  readonly asOf: Date
  readonly now: Date
  readonly sharedByAtMost: number
  readonly hooks: Hooks
}

/**
 * Merges a chunk (10,000 rows at most, each external_id once) into contacts, in the caller's transaction: new ones
 * are made with all that belongs to them, known ones get the columns the rows carry, and persons are linked.
 * The same chunk again changes nothing.
 */
export async function mergeContacts(
  tx: Transaction,
  chunk: ReadonlyMap<string, ContactRow>,
  options: ContactMerge,
): Promise<Merged> {
  await prepare(tx)
  await copyInto(tx, 'incoming_contacts', staged(chunk, options))
  await lockContacts(tx)
  const made = await insertNew(tx, options)
  const updated = made.count < chunk.size ? await updateKnown(tx, options) : 0
  if (made.shared > 0 || updated > 0) {
    const [from, to] = [made.first, made.last]
    await linkPersons(tx, {
      sharedByAtMost: options.sharedByAtMost,
      now: options.now,
      hooks: options.hooks,
      isNew: (contactId) => contactId >= from && contactId <= to,
    })
  }
  return { inserted: made.count, updated }
}

async function prepare(tx: Transaction): Promise<void> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_contacts (
      external_id text NOT NULL, carried int NOT NULL, email text, phone text, locale text, timezone text,
      signed_up_at timestamptz, attributes jsonb NOT NULL, attributes_at jsonb NOT NULL, cleared text[]
    ) ON COMMIT DELETE ROWS`)
  await prepareLinks(tx)
}

function staged(chunk: ReadonlyMap<string, ContactRow>, options: ContactMerge): string {
  const fresh = new Set(
    Object.entries(options.attributes).flatMap(([name, { fresh }]) => (fresh === undefined ? [] : [name])),
  )
  const asOf = Math.floor(options.asOf.getTime() / 1000)
  let text = ''
  for (const row of chunk.values()) {
    let times = '{}'
    if (fresh.size > 0) {
      const names = Object.keys(row.attributes).filter((name) => fresh.has(name))
      times = JSON.stringify(Object.fromEntries(names.map((name) => [name, asOf])))
    }
    const cleared = row.cleared.length === 0 ? '\\N' : `{${row.cleared.join(',')}}`
    text += `${copyText(row.externalId)}\t${row.carried}\t${copyText(row.email)}\t${copyText(row.phone)}\t${copyText(row.locale)}\t${copyText(row.timezone)}\t${copyTime(row.signedUpAt)}\t${copyText(JSON.stringify(row.attributes))}\t${times}\t${cleared}\n`
  }
  return text
}

/**
 * Everything a new contact needs, in one statement over one reading of the chunk. Identifiers go in sorted: hashes
 * in no order would touch every page of their index once a chunk. Which of them are shared is read from the
 * snapshot before the statement, and from the chunk itself: most chunks share none and need no linking.
 */
async function insertNew(
  tx: Transaction,
  options: ContactMerge,
): Promise<{ count: number; first: number; last: number; shared: number }> {
  const [found] = await rows<{ count: number; first: number | null; last: number | null; shared: number }>(
    tx,
    sql`WITH fresh AS MATERIALIZED (
          SELECT nextval('contacts_contact_id_seq') AS contact_id, i.*,
            ${addressHashSql(options.addressKey, 'email', sql`i.email`)} AS email_key,
            ${addressHashSql(options.addressKey, 'phone', sql`i.phone`)} AS phone_key
          FROM incoming_contacts i
          -- A subquery of one value is always 10,000 index look-ups; NOT EXISTS may become a scan of the whole table.
          WHERE (SELECT x.contact_id FROM external_ids x WHERE x.external_id = i.external_id) IS NULL
        ), named AS (
          INSERT INTO external_ids (external_id, contact_id)
          SELECT external_id, contact_id FROM fresh ORDER BY external_id
        ), made AS (
          INSERT INTO contacts (contact_id, person_id, external_id, email, email_key, phone, phone_key, locale,
            timezone, signed_up_at, attributes, attributes_at, imported_at)
          OVERRIDING SYSTEM VALUE
          SELECT contact_id, contact_id, external_id, email, email_key, phone, phone_key, locale,
            timezone, signed_up_at, attributes, attributes_at, ${options.now}
          FROM fresh
        ), watched AS (
          INSERT INTO contact_activity (contact_id, silent_since)
          SELECT contact_id, signed_up_at FROM fresh
        ), keys AS MATERIALIZED (
          SELECT kind, key, contact_id, count(*) OVER (PARTITION BY kind, key) AS times FROM (
            SELECT 'email' AS kind, email_key AS key, contact_id FROM fresh WHERE email_key IS NOT NULL
            UNION ALL
            SELECT 'phone', phone_key, contact_id FROM fresh WHERE phone_key IS NOT NULL
          ) AS carried
        ), linked AS (
          INSERT INTO identifiers (kind, key, contact_id) SELECT kind, key, contact_id FROM keys
        ), shared AS (
          INSERT INTO touched_identifiers (kind, key, contact_id, added)
          SELECT kind, key, contact_id, TRUE FROM keys k
          WHERE times > 1 OR EXISTS (SELECT FROM identifiers i WHERE i.kind = k.kind AND i.key = k.key)
          RETURNING 1
        )
        SELECT (SELECT count(*) FROM fresh) AS count, (SELECT min(contact_id) FROM fresh) AS first,
          (SELECT max(contact_id) FROM fresh) AS last, (SELECT count(*) FROM shared) AS shared`,
  )
  return {
    count: found?.count ?? 0,
    first: found?.first ?? 0,
    last: found?.last ?? -1,
    shared: found?.shared ?? 0,
  }
}

/**
 * The columns each row carries, over contacts that were there before; rows that would change nothing are not
 * written. (The chunk's new contacts are compared too, and equal themselves: telling them apart costs more.)
 * Erased contacts are left alone, or tonight's file would bring them back.
 */
async function updateKnown(tx: Transaction, options: ContactMerge): Promise<number> {
  const known = sql`SELECT x.contact_id FROM external_ids x JOIN incoming_contacts i USING (external_id)`
  await lockStripesShared(tx, known)
  await execute(
    tx,
    sql`SELECT FROM contacts WHERE contact_id IN (${known}) ORDER BY contact_id FOR NO KEY UPDATE`,
  )
  const carries = (column: keyof typeof CARRIES) => {
    const name = sql.identifier(column)
    return sql`CASE WHEN i.carried & ${sql.raw(String(CARRIES[column]))} <> 0 THEN i.${name} ELSE c.${name} END`
  }
  const [found] = await rows<{ count: number }>(
    tx,
    sql`WITH wanted AS MATERIALIZED (
          SELECT c.contact_id,
            ${carries('email')} AS email, ${carries('phone')} AS phone, ${carries('locale')} AS locale,
            ${carries('timezone')} AS timezone, ${carries('signed_up_at')} AS signed_up_at,
            CASE WHEN i.cleared IS NULL THEN c.attributes || i.attributes
                 ELSE (c.attributes || i.attributes) - i.cleared END AS attributes,
            CASE WHEN i.cleared IS NULL THEN c.attributes_at || i.attributes_at
                 ELSE (c.attributes_at || i.attributes_at) - i.cleared END AS attributes_at
          FROM incoming_contacts i
          JOIN external_ids x ON x.external_id = i.external_id
          JOIN contacts c ON c.contact_id = x.contact_id
          WHERE c.erased_at IS NULL
        ), changed AS MATERIALIZED (
          SELECT w.*, c.email_key AS old_email_key, c.phone_key AS old_phone_key,
            CASE WHEN w.email = c.email THEN c.email_key
                 ELSE ${addressHashSql(options.addressKey, 'email', sql`w.email`)} END AS email_key,
            CASE WHEN w.phone = c.phone THEN c.phone_key
                 ELSE ${addressHashSql(options.addressKey, 'phone', sql`w.phone`)} END AS phone_key
          FROM wanted w JOIN contacts c USING (contact_id)
          WHERE (w.email, w.phone, w.locale, w.timezone, w.signed_up_at, w.attributes, w.attributes_at)
            IS DISTINCT FROM
            (c.email, c.phone, c.locale, c.timezone, c.signed_up_at, c.attributes, c.attributes_at)
        ), written AS (
          UPDATE contacts c SET email = w.email, email_key = w.email_key, phone = w.phone, phone_key = w.phone_key,
            locale = w.locale, timezone = w.timezone, signed_up_at = w.signed_up_at, attributes = w.attributes,
            attributes_at = w.attributes_at, imported_at = ${options.now}
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
          SELECT contact_id, 'phone', old_phone_key FROM changed
          WHERE old_phone_key IS DISTINCT FROM phone_key AND old_phone_key IS NOT NULL
        ), gained AS (
          SELECT contact_id, 'email' AS kind, email_key AS key FROM changed
          WHERE old_email_key IS DISTINCT FROM email_key AND email_key IS NOT NULL
          UNION ALL
          SELECT contact_id, 'phone', phone_key FROM changed
          WHERE old_phone_key IS DISTINCT FROM phone_key AND phone_key IS NOT NULL
        ), removed AS (
          DELETE FROM identifiers i USING dropped d
          WHERE i.kind = d.kind AND i.key = d.key AND i.contact_id = d.contact_id
        ), added AS (
          INSERT INTO identifiers (kind, key, contact_id) SELECT kind, key, contact_id FROM gained
        ), touched AS (
          INSERT INTO touched_identifiers (kind, key, contact_id, added)
          SELECT kind, key, contact_id, FALSE FROM dropped
          UNION ALL SELECT kind, key, contact_id, TRUE FROM gained
        )
        SELECT count(*) FROM changed`,
  )
  return found?.count ?? 0
}
