import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { WinbackError } from '../errors.ts'
import { execute, rows, type Session } from './connect.ts'

// The keys of signed links. Rotating makes a new one for what is signed from now on; links that are out there stay
// good until their key is retired.

/** A key as it may be shown: without its secret. */
export interface ListedKey {
  readonly keyId: number
  readonly createdAt: Date
  /** Null while its links are good. */
  readonly retiredAt: Date | null
  /** The one that signs. */
  readonly current: boolean
}

export async function listSigningKeys(session: Session): Promise<ListedKey[]> {
  return await rows<ListedKey>(
    session,
    sql`SELECT key_id AS "keyId", created_at AS "createdAt", retired_at AS "retiredAt",
          retired_at IS NULL AND key_id = max(key_id) FILTER (WHERE retired_at IS NULL) OVER () AS current
        FROM signing_keys ORDER BY key_id`,
  )
}

/**
 * The secrets of all keys that verify, oldest first; the last one signs.
 * @throws WinbackError `database.not_migrated`
 */
export async function signingSecrets(session: Session): Promise<{ keyId: number; secret: Buffer }[]> {
  const found = await rows<{ keyId: number; secret: string }>(
    session,
    sql`SELECT key_id AS "keyId", secret FROM signing_keys WHERE retired_at IS NULL ORDER BY key_id`,
  )
  if (found.length === 0) {
    throw new WinbackError('database.not_migrated', 'there is no key to sign links with', {
      remedy: 'Run `winback signing-keys rotate`, which makes one.',
    })
  }
  return found.map(({ keyId, secret }) => ({ keyId, secret: Buffer.from(secret, 'hex') }))
}

/** Draws the first key; does nothing where there is one. Called while the schema is brought up to date. */
export async function drawSigningKey(session: Session, now: Date): Promise<void> {
  await rows(
    session,
    sql`INSERT INTO signing_keys (secret, created_at)
        SELECT ${draw()}, ${now} WHERE NOT EXISTS (SELECT FROM signing_keys)`,
  )
}

/** Makes a new key, which signs from now on. @returns its id */
export async function rotateSigningKey(session: Session, now: Date): Promise<number> {
  const [made] = await rows<{ keyId: number }>(
    session,
    sql`INSERT INTO signing_keys (secret, created_at) VALUES (${draw()}, ${now}) RETURNING key_id AS "keyId"`,
  )
  return made?.keyId ?? 0
}

/**
 * Retires a key: every link it signed is refused from now on.
 * @returns `unchanged` where it was retired before
 * @throws WinbackError `usage.signing_key` for an unknown key, and for the one that signs
 */
export async function retireSigningKey(
  session: Session,
  keyId: number,
  now: Date,
): Promise<'retired' | 'unchanged'> {
  const key = (await listSigningKeys(session)).find((each) => each.keyId === keyId)
  if (!key) {
    throw new WinbackError('usage.signing_key', `there is no signing key ${keyId}`, {
      remedy: '`winback signing-keys list` shows those there are.',
    })
  }
  if (key.current) {
    throw new WinbackError('usage.signing_key', `key ${keyId} signs the links of today`, {
      remedy: 'Run `winback signing-keys rotate` first; then it can be retired.',
    })
  }
  const changed = await execute(
    session,
    sql`UPDATE signing_keys SET retired_at = ${now} WHERE key_id = ${keyId} AND retired_at IS NULL`,
  )
  return changed > 0 ? 'retired' : 'unchanged'
}

function draw(): string {
  return randomBytes(32).toString('hex')
}
