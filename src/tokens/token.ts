import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'

// Signed links. A token says what it is for and about whom; nobody can make one or change one without a key. It is
// signed, not encrypted: whoever holds it can read the payload, so ids go in and addresses do not.
//
//   <key id>.<expiry, or nothing>.<payload>.<mac>      e.g. 1..MTIzLmVtYWls.kd83…
//
// Numbers in base 36, the rest in base64url: a token survives every mail client, and 22 characters are the price.

/** What a token may be used for. A token of one purpose is worth nothing for another. */
export type Purpose =
  | 'preferences'
  | 'unsubscribe'
  | 'click'
  | 'open'
  | 'view'
  | 'inapp'
  | 'callback'
  | 'letter'
  | 'browser'

/** A secret with its name. Hold it as {@link signingKey} makes it: turning bytes into a key costs as much as a MAC. */
export interface SigningKey {
  readonly id: number
  readonly secret: KeyObject
}

/** Keys that verify; the one with the highest id signs. */
export interface SigningKeys {
  readonly current: SigningKey
  readonly verifying: ReadonlyMap<number, SigningKey>
}

/** What a token said, or why it says nothing. `expired` is told from a forgery: its reader deserves another link. */
export type Reading =
  | { readonly outcome: 'read'; readonly payload: string }
  | { readonly outcome: 'expired' }
  | { readonly outcome: 'invalid' }

/** Bytes of the HMAC that are kept: 128 bits, which nobody guesses online. */
const MAC_BYTES = 16
/** Longer texts are refused before anything is computed. */
const LONGEST = 2048
const SHAPE = /^([0-9a-z]{1,8})\.([0-9a-z]{0,8})\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]{22})$/

/** @param secret at least 32 random bytes */
export function signingKey(id: number, secret: Uint8Array): SigningKey {
  return { id, secret: createSecretKey(secret) }
}

/**
 * Signs a payload for one purpose: HMAC-SHA-256 over purpose, key id, expiry and payload, cut to 128 bits. About 5 µs.
 * @param payload any text of up to 1 KB; the shorter, the shorter the link
 * @param expires whole seconds count; undefined: good until its key is retired
 */
export function signToken(keys: SigningKeys, purpose: Purpose, payload: string, expires?: Date): string {
  const until = expires === undefined ? '' : Math.floor(expires.getTime() / 1000).toString(36)
  const signed = `${keys.current.id.toString(36)}.${until}.${Buffer.from(payload, 'utf8').toString('base64url')}`
  return `${signed}.${mac(keys.current, purpose, signed)}`
}

/**
 * Reads a token that was signed for `purpose`. Never throws, whatever the text.
 * @param now what an expiry is compared with; at the second it names, a token has expired
 */
export function readToken(keys: SigningKeys, purpose: Purpose, text: string, now: Date): Reading {
  const parts = text.length > LONGEST ? null : SHAPE.exec(text)
  if (!parts) return { outcome: 'invalid' }
  const [, id = '', until = '', payload = '', given = ''] = parts
  const key = keys.verifying.get(Number.parseInt(id, 36))
  if (!key) return { outcome: 'invalid' }
  // The text is compared, not the bytes it decodes to: base64 has several spellings of one value.
  const expected = mac(key, purpose, text.slice(0, text.length - given.length - 1))
  if (!timingSafeEqual(Buffer.from(expected, 'latin1'), Buffer.from(given, 'latin1'))) {
    return { outcome: 'invalid' }
  }
  if (until !== '' && now.getTime() >= Number.parseInt(until, 36) * 1000) return { outcome: 'expired' }
  return { outcome: 'read', payload: Buffer.from(payload, 'base64url').toString('utf8') }
}

function mac(key: SigningKey, purpose: Purpose, signed: string): string {
  const digest = createHmac('sha256', key.secret).update(`winback ${purpose}\n${signed}`).digest()
  return digest.subarray(0, MAC_BYTES).toString('base64url')
}
