import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import { typedText } from '../config/typed-text.ts'
import { execute, rows, type Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'

// Keys of the API. `wb_ID_SECRET`: the id finds the row, and the secret is compared, by hash and in constant time.

/** What a key may be good for. */
export const SCOPES = {
  'events:write': 'send events (/v1/identify, track, page, screen, group, alias, batch) and devices',
  read: 'read figures',
  preferences: 'read and change what contacts chose to get',
  redemptions: 'tell of offers that were used',
  privacy: 'export and erase a person',
  inapp: 'fetch in-app messages and tell of their display',
  calls: 'see the queue of calls, take them, and say what became of them',
} as const

export type Scope = keyof typeof SCOPES

export interface ApiKey {
  readonly keyId: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly createdAt: Date
  readonly createdBy: string
  readonly lastUsedAt: Date | null
  readonly revokedAt: Date | null
}

const COLUMNS = sql`key_id AS "keyId", name, scopes, created_at AS "createdAt", created_by AS "createdBy",
  last_used_at AS "lastUsedAt", revoked_at AS "revokedAt"`

/** Makes a key. `text` is the whole of it, and is to be had now or never. */
export async function createApiKey(
  session: Session,
  key: { name: string; scopes: readonly Scope[]; now: Date; by: string },
): Promise<{ keyId: string; text: string }> {
  const name = typedText(key.name, 'name', 'the name of the key')
  if (name === '') {
    throw new WinbackError('usage.text', 'the name of the key is empty', { remedy: 'Say who will use it.' })
  }
  const keyId = randomBytes(8).toString('hex')
  const secret = randomBytes(32).toString('base64url')
  await execute(
    session,
    sql`INSERT INTO api_keys (key_id, name, secret_hash, scopes, created_at, created_by)
        VALUES (${keyId}, ${name}, ${hash('sha256', secret)}, ${sql.param([...key.scopes])}::text[], ${key.now}, ${key.by})`,
  )
  return { keyId, text: `wb_${keyId}_${secret}` }
}

/** All keys, revoked ones too, oldest first. */
export async function listApiKeys(session: Session): Promise<ApiKey[]> {
  return await rows<ApiKey>(session, sql`SELECT ${COLUMNS} FROM api_keys ORDER BY created_at, key_id`)
}

/** Ends a key for good; every process heeds it within {@link REMEMBERED_MS}. @returns the key, or undefined */
export async function revokeApiKey(session: Session, keyId: string, now: Date): Promise<ApiKey | undefined> {
  const [key] = await rows<ApiKey>(
    session,
    sql`UPDATE api_keys SET revoked_at = coalesce(revoked_at, ${now}) WHERE key_id = ${keyId} RETURNING ${COLUMNS}`,
  )
  return key
}

/** Milliseconds for which what was found of a key is believed. */
export const REMEMBERED_MS = 5000
/** Ids remembered at most: a flood of made-up ones must not fill the memory. */
const REMEMBERED = 10_000
const USED_EVERY_MS = 60_000
const FORM = /^wb_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

/** Finds the key that a request carries. */
export interface KeyRing {
  /** @returns undefined for a key that does not exist, is not right, or was revoked */
  find(text: string): Promise<ApiKey | undefined>
}

/** A key ring that asks the database once in a few seconds for each key. */
export function openKeyRing(session: Session, clock: Clock): KeyRing {
  const known = new Map<string, { row: Promise<KeyRow | undefined>; until: number; usedAt: number }>()
  const look = (keyId: string) => {
    const now = clock.now().getTime()
    const before = known.get(keyId)
    if (before && before.until > now) return before
    if (known.size >= REMEMBERED) known.clear()
    const entry = { row: findRow(session, keyId), until: now + REMEMBERED_MS, usedAt: before?.usedAt ?? 0 }
    entry.row.catch(() => known.delete(keyId))
    known.set(keyId, entry)
    return entry
  }
  return {
    find: async (text) => {
      const [, keyId, secret] = FORM.exec(text) ?? []
      if (keyId === undefined || secret === undefined) return undefined
      const entry = look(keyId)
      const row = await entry.row
      // Compared even where there is no such row, so that the time says nothing of which ids exist.
      const right = timingSafeEqual(
        Buffer.from(hash('sha256', secret)),
        Buffer.from(row?.secretHash ?? '0'.repeat(64)),
      )
      if (!row || !right || row.revokedAt !== null) return undefined
      const now = clock.now()
      if (now.getTime() - entry.usedAt >= USED_EVERY_MS) {
        entry.usedAt = now.getTime()
        await execute(session, sql`UPDATE api_keys SET last_used_at = ${now} WHERE key_id = ${keyId}`)
      }
      return row
    },
  }
}

type KeyRow = ApiKey & { readonly secretHash: string }

async function findRow(session: Session, keyId: string): Promise<KeyRow | undefined> {
  const [row] = await rows<KeyRow>(
    session,
    sql`SELECT ${COLUMNS}, secret_hash AS "secretHash" FROM api_keys WHERE key_id = ${keyId}`,
  )
  return row
}
