import { createHmac } from 'node:crypto'
import type { Webhook } from '../channel.ts'
import { sameSecret } from '../signatures.ts'

/** Seconds a signed request may be old, or ahead of us: what is older is a replay. */
const REPLAY_WINDOW = 300

/** `v1=` and HMAC-SHA256 in hex, over the timestamp (Unix seconds), a full stop and the body. */
function signBody(secret: string, timestamp: number, body: string | Uint8Array): string {
  return `v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`
}

/** Headers of a signed request, the same in both directions. */
export function signedHeaders(
  key: { readonly key_id: string; readonly secret: string },
  timestamp: number,
  body: string,
): Record<string, string> {
  return {
    'X-Winback-Key': key.key_id,
    'X-Winback-Timestamp': String(timestamp),
    'X-Winback-Signature': signBody(key.secret, timestamp, body),
  }
}

/** Why a request is not the provider's; undefined where it is. */
export function refuseSignature(
  { headers, body, now }: Webhook,
  key: { readonly key_id: string; readonly secret: string },
): string | undefined {
  if (headers['x-winback-key'] !== key.key_id) return `X-Winback-Key is not ${key.key_id}`
  const stamp = headers['x-winback-timestamp'] ?? ''
  if (!/^\d{1,12}$/.test(stamp)) return 'X-Winback-Timestamp is not a Unix time in seconds'
  const signature = signBody(key.secret, Number(stamp), body)
  if (!sameSecret(headers['x-winback-signature'] ?? '', signature)) {
    return 'X-Winback-Signature does not fit the body'
  }
  const apart = Math.abs(now.getTime() / 1000 - Number(stamp))
  return apart > REPLAY_WINDOW ? `X-Winback-Timestamp is ${Math.round(apart)} s from now` : undefined
}
