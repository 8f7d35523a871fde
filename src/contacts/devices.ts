import { hash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { type Database, execute, rows, transaction } from '../database/connect.ts'
import { unstorable } from './text.ts'

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

/** A device somebody named, or what is wrong with it. */
export function parseDevice(value: unknown): DeviceRow | string {
  if (typeof value !== 'object' || value === null) return 'expected an object'
  const { external_id: externalId, provider, token, keys } = value as Record<string, unknown>
  if (typeof externalId !== 'string' || externalId === '') return 'external_id is missing'
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
  if (typeof p256dh !== 'string' || Buffer.from(p256dh, 'base64url').length !== 65)
    return 'keys.p256dh is no key'
  if (typeof auth !== 'string' || Buffer.from(auth, 'base64url').length !== 16)
    return 'keys.auth is no secret'
  return { externalId, provider: known, token, keys: { p256dh, auth } }
}

function keyOf({ provider, token }: Pick<DeviceRow, 'provider' | 'token'>): Buffer {
  return hash('sha256', `${provider}:${token}`, 'buffer')
}

/**
 * Registers a contact's device; again is as good as once. Another contact that had the token has it no more.
 * @returns false where there is no such contact
 */
export async function registerDevice(database: Database, now: Date, device: DeviceRow): Promise<boolean> {
  const key = keyOf(device)
  return await transaction(database, async (tx) => {
    const [contact] = await rows<{ contactId: number }>(
      tx,
      sql`SELECT c.contact_id AS "contactId" FROM external_ids x JOIN contacts c USING (contact_id)
        WHERE x.external_id = ${device.externalId} AND c.erased_at IS NULL`,
    )
    if (!contact) return false
    const { contactId } = contact
    await execute(tx, sql`DELETE FROM devices WHERE device_key = ${key} AND contact_id <> ${contactId}`)
    await execute(
      tx,
      sql`INSERT INTO devices (contact_id, device_key, provider, token, keys, registered_at)
        VALUES (${contactId}, ${key}, ${device.provider}, ${device.token},
          ${device.keys === null ? null : JSON.stringify(device.keys)}::jsonb, ${now})
        ON CONFLICT (contact_id, device_key) DO UPDATE
        SET keys = excluded.keys, registered_at = excluded.registered_at`,
    )
    await execute(
      tx,
      sql`DELETE FROM devices WHERE contact_id = ${contactId} AND device_key NOT IN (
        SELECT device_key FROM devices WHERE contact_id = ${contactId}
        ORDER BY registered_at DESC, device_key LIMIT ${KEPT})`,
    )
    return true
  })
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
    sql`DELETE FROM devices d USING unnest(${sql.param(dead.map((one) => one.contactId))}::bigint[],
        ${sql.param(dead.map((one) => one.token))}::text[]) AS gone(contact_id, token)
      WHERE d.contact_id = gone.contact_id AND d.token = gone.token`,
  )
}
