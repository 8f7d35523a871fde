import type { Session } from '../database/connect.ts'
import { signingSecrets } from '../database/signing-keys.ts'
import { type SigningKeys, signingKey, signToken } from '../tokens/token.ts'

/**
 * The keys of signed links as tokens take them. Read once a process or a batch; a rotation is then heard of late by
 * at most that, which harms nothing: the old key still verifies.
 */
export async function readSigningKeys(session: Session): Promise<SigningKeys> {
  const keys = (await signingSecrets(session)).map(({ keyId, secret }) => signingKey(keyId, secret))
  const current = keys.at(-1)
  // signingSecrets has thrown where there is none.
  if (!current) throw new RangeError('no signing key')
  return { current, verifying: new Map(keys.map((key) => [key.id, key])) }
}

/** The contact’s own preferences page; undefined where the workspace has no `web.url` to put before it. */
export async function preferencesLink(
  session: Session,
  base: string | undefined,
  contactId: number,
): Promise<string | undefined> {
  if (base === undefined) return undefined
  const token = signToken(await readSigningKeys(session), 'preferences', String(contactId))
  return `${base.replace(/\/+$/, '')}/preferences/${token}`
}
