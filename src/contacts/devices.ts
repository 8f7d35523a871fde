import { hash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { lockKey } from '../database/advisory-locks.ts'
import { bigints } from '../database/arrays.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { isObject } from './values/json.ts'
import { unstorable } from './values/text.ts'

// Where pushes go. A token is one contact's at a time: a phone that changes hands, or an account, takes its token along.

export const DEVICE_PROVIDERS = ['web', 'fcm', 'jpush'] as const

export interface DeviceRow {
  readonly externalId: string
  readonly provider: (typeof DEVICE_PROVIDERS)[number]
  readonly token: string
  readonly keys: { readonly p256dh: string; readonly auth: string } | null
}

/** At most this many devices of a contact are kept: the newest. */
const KEPT = 20
/** Characters: the endpoints of subscriptions are a few hundred. */
const LONGEST = 2000

/** How many registrations of different tokens may go on beside each other, at most. */
const TOKEN_LOCKS = 64

/** A device somebody named, or what is wrong with it. */
export function parseDevice(value: unknown): DeviceRow | string {
  if (!isObject(value)) return 'expected an object'
  const { external_id: externalId, provider, token, keys } = value
  if (externalId === undefined || externalId === '') return 'external_id is missing'
  // Events take a number there, too.
  if (typeof externalId !== 'string') return 'external_id: expected text'
  const named = unstorable('external_id', externalId)
  if (named !== undefined) return named
  const known = DEVICE_PROVIDERS.find((one) => one === provider)
  if (known === undefined) return `provider is none of ${DEVICE_PROVIDERS.join(', ')}`
  if (typeof token !== 'string' || token === '' || token.length > LONGEST) {
    return `token: expected 1 to ${LONGEST} characters`
  }
  const problem = unstorable('token', token)
  if (problem !== undefined) return problem
  if (known !== 'web') return { externalId, provider: known, token, keys: null }
  if (!URL.canParse(token) || new URL(token).protocol !== 'https:')
    return 'token: expected the https endpoint'
  const { p256dh, auth } = { ...(typeof keys === 'object' ? keys : {}) } as Record<string, unknown>
  // An uncompressed point of P-256 and 16 bytes (RFC 8291), in base64url.
  if (!isBase64(p256dh, 65)) return 'keys.p256dh is no key'
  if (!isBase64(auth, 16)) return 'keys.auth is no secret'
  return { externalId, provider: known, token, keys: { p256dh, auth } }
}

/** Whether it is so many bytes, in either alphabet of base64. Node passes by what is of neither, NUL too. */
function isBase64(text: unknown, bytes: number): text is string {
  return (
    typeof text === 'string' &&
    /^[\w+/-]+={0,2}$/.test(text) &&
    Buffer.from(text, 'base64url').length === bytes
  )
}

/** Where apps are reached, of all that `channels.push` sets up; what `context.device` brings is of this provider. */
export function appProviderOf(push: { readonly fcm?: unknown; readonly jpush?: unknown } | undefined) {
  if (push?.fcm !== undefined) return 'fcm'
  return push?.jpush === undefined ? undefined : 'jpush'
}

/**
 * The app's token in an event's `context`, as Segment's libraries set it (`context.device.token`). A token that cannot
 * be one is as good as none: libraries send the context by themselves, and no event is refused for it.
 */
export function appTokenOf(context: Readonly<Record<string, unknown>>): string | undefined {
  const { device } = context
  if (typeof device !== 'object' || device === null || !('token' in device)) return undefined
  const { token } = device
  if (typeof token !== 'string' || token === '' || token.length > LONGEST) return undefined
  return unstorable('token', token) === undefined ? token : undefined
}

function keyOf({ provider, token }: Pick<DeviceRow, 'provider' | 'token'>): Buffer {
  return hash('sha256', `${provider}:${token}`, 'buffer')
}

/**
 * Registers a contact's device; again is as good as once. Another contact that had the token has it no more.
 * @returns false where there is no such contact
 */
export async function registerDevice(database: Database, now: Date, device: DeviceRow): Promise<boolean> {
  const registered = await transaction(database, async (tx) => {
    await keepContacts(
      tx,
      sql`c.contact_id = (SELECT contact_id FROM external_ids WHERE external_id = ${device.externalId})`,
    )
    return await registerDevices(tx, [{ ...device, at: now }])
  })
  return registered > 0
}

/**
 * Registers devices as each was named at its time: of a token that several contacts had, the latest has it, whatever
 * the order in which they arrive. Expects that the contacts are not erased meanwhile.
 * @returns how many are of contacts there are
 */
export async function registerDevices(
  tx: Transaction,
  devices: readonly (DeviceRow & { readonly at: Date })[],
): Promise<number> {
  await lockTokens(tx, devices)
  const named = await rows<{ contactId: number }>(
    tx,
    sql`WITH named AS MATERIALIZED (
          SELECT DISTINCT ON (n.device_key) n.*, x.contact_id
          FROM unnest(${sql.param(devices.map((one) => one.externalId))}::text[],
            ${sql.param(devices.map(keyOf))}::bytea[], ${sql.param(devices.map((one) => one.provider))}::text[],
            ${sql.param(devices.map((one) => one.token))}::text[],
            ${sql.param(devices.map((one) => one.keys && JSON.stringify(one.keys)))}::jsonb[],
            ${sql.param(devices.map((one) => one.at))}::timestamptz[])
            AS n(external_id, device_key, provider, token, keys, at)
          JOIN external_ids x USING (external_id)
          ORDER BY n.device_key, n.at DESC, x.contact_id
        ), left_behind AS (
          DELETE FROM devices d USING named n
          WHERE d.device_key = n.device_key AND d.contact_id <> n.contact_id AND d.registered_at <= n.at
        ), registered AS (
          INSERT INTO devices AS known (contact_id, device_key, provider, token, keys, registered_at)
          SELECT contact_id, device_key, provider, token, keys, at FROM named n
          WHERE NOT EXISTS (SELECT FROM devices d
            WHERE d.device_key = n.device_key AND d.contact_id <> n.contact_id AND d.registered_at > n.at)
          ORDER BY contact_id, device_key
          ON CONFLICT (contact_id, device_key) DO UPDATE
          SET keys = excluded.keys, registered_at = excluded.registered_at
          WHERE known.registered_at <= excluded.registered_at
        )
        SELECT contact_id AS "contactId" FROM named`,
  )
  await execute(
    tx,
    sql`DELETE FROM devices d USING (
          SELECT contact_id, device_key, row_number() OVER (
            PARTITION BY contact_id ORDER BY registered_at DESC, device_key) AS place
          FROM devices WHERE contact_id = ANY(${bigints(named.map(({ contactId }) => contactId))})
        ) AS placed
        WHERE d.contact_id = placed.contact_id AND d.device_key = placed.device_key AND placed.place > ${KEPT}`,
  )
  return named.length
}

/**
 * Of two contacts that name a token at once, neither would see the other's: so one token is registered after the other. By
 * places that tokens share, in their order, for a transaction may name hundreds.
 */
async function lockTokens(tx: Transaction, devices: readonly DeviceRow[]): Promise<void> {
  const places = [...new Set(devices.map((device) => (keyOf(device)[0] ?? 0) % TOKEN_LOCKS))]
  await execute(
    tx,
    sql`SELECT pg_advisory_xact_lock(${lockKey('token', sql`place`)})
        FROM (SELECT place FROM unnest(${bigints(places)}) AS p(place) ORDER BY place) AS places`,
  )
}

/** Forgets a device its owner takes leave with. */
export async function forgetDevice(database: Database, device: DeviceRow): Promise<void> {
  await execute(
    database,
    sql`DELETE FROM devices d USING external_ids x
      WHERE x.external_id = ${device.externalId} AND d.contact_id = x.contact_id AND d.device_key = ${keyOf(device)}`,
  )
}

/** Forgets devices that a provider says are gone. */
export async function forgetDevices(
  database: Database,
  dead: readonly { readonly contactId: number; readonly token: string }[],
): Promise<void> {
  await execute(
    database,
    sql`DELETE FROM devices d USING unnest(${bigints(dead.map((one) => one.contactId))},
        ${sql.param(dead.map((one) => one.token))}::text[]) AS gone(contact_id, token)
      WHERE d.contact_id = gone.contact_id AND d.token = gone.token`,
  )
}
