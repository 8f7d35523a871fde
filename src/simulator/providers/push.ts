import { createVerify, type KeyObject, randomUUID, verify } from 'node:crypto'
import { answer, type LoopbackAnswer, type LoopbackRequest, type Serve } from './loopback.ts'

/** What the three providers of pushes know us by. */
export interface PushAccounts {
  readonly web: { readonly publicKey: string; readonly subject: string }
  readonly fcm: { readonly project: string; readonly email: string; readonly publicKey: KeyObject }
  readonly jpush: { readonly appKey: string; readonly masterSecret: string }
}

/** A push that was taken: to which kind of device. */
export type TakenPush = 'web' | 'fcm' | 'jpush'

/**
 * A browser's push service (under `/browser`), Google (`/token`, `/v1`) and JPush (`/v3`) in one place, each checking what
 * the real one checks.
 * @param options.isGone tokens of devices that are nobody's any more
 */
export function servePushes(
  accounts: PushAccounts,
  options: { isGone?: (token: string) => boolean; onTaken?: (push: TakenPush) => void } = {},
): Serve {
  const { isGone = () => false, onTaken = () => {} } = options
  const google = serveFcm(accounts.fcm, isGone, onTaken)
  return (asked) => {
    if (asked.path.startsWith('/browser')) {
      const origin = `http://${asked.headers.host ?? ''}`
      if (asked.headers.ttl === undefined) return answer({}, 400)
      const signed = isSignedByVapid(asked, origin, accounts.web)
      if (!signed || asked.headers['content-encoding'] !== 'aes128gcm') return answer({}, 403)
      if (isGone(asked.path)) return answer({}, 410)
      onTaken('web')
      return { status: 201, headers: { Location: `${origin}/message/1` } }
    }
    return google(asked) ?? serveJpush(accounts.jpush, asked, isGone, onTaken)
  }
}

/** RFC 8292: the header `vapid t=…, k=…` holds a JWT by the key it names. */
function isSignedByVapid(
  { headers }: LoopbackRequest,
  origin: string,
  account: PushAccounts['web'],
): boolean {
  const [, token = '', key = ''] = /^vapid t=([^,]+), k=(\S+)$/.exec(headers.authorization ?? '') ?? []
  if (key !== account.publicKey) return false
  const [head = '', claims = '', signature = ''] = token.split('.')
  const point = Buffer.from(key, 'base64url')
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  }
  const { aud, exp, sub } = readPart(claims)
  const now = Date.now() / 1000
  const publicKey = { key: jwk, format: 'jwk' as const, dsaEncoding: 'ieee-p1363' as const }
  return (
    verify('sha256', Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, 'base64url')) &&
    aud === origin &&
    typeof exp === 'number' &&
    exp > now &&
    exp <= now + 86_400 &&
    sub === account.subject
  )
}

/** A part of a JWT; empty where it is none. */
function readPart(part: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** Google: a signed assertion is exchanged for a bearer token (RFC 7523), which the pushes then carry. */
function serveFcm(
  { project, email, publicKey }: PushAccounts['fcm'],
  isGone: (token: string) => boolean,
  onTaken: (push: TakenPush) => void,
) {
  const bearers: string[] = []
  return (asked: LoopbackRequest): LoopbackAnswer | undefined => {
    if (asked.path === '/token') {
      const assertion = new URLSearchParams(asked.body.toString()).get('assertion') ?? ''
      const [head = '', claims = '', signature = ''] = assertion.split('.')
      const good = createVerify('RSA-SHA256')
        .update(`${head}.${claims}`)
        .verify(publicKey, signature, 'base64url')
      const { iss, aud, scope } = readPart(claims)
      const ours = iss === email && aud === `http://${asked.headers.host ?? ''}/token`
      if (!good || !ours || !String(scope).endsWith('firebase.messaging')) {
        return answer({ error: 'invalid_grant' }, 400)
      }
      bearers.push(`bearer-${bearers.length}`)
      return answer({ access_token: bearers.at(-1), expires_in: 3600 })
    }
    if (asked.path !== `/v1/projects/${project}/messages:send`) return undefined
    if (asked.headers.authorization !== `Bearer ${bearers.at(-1)}`) {
      return answer({ error: { status: 'UNAUTHENTICATED' } }, 401)
    }
    const { message } = JSON.parse(asked.body.toString()) as { message: { token: string } }
    if (isGone(message.token)) {
      const details = [{ errorCode: 'UNREGISTERED' }]
      return answer(
        { error: { status: 'NOT_FOUND', message: 'Requested entity was not found.', details } },
        404,
      )
    }
    onTaken('fcm')
    return answer({ name: `projects/${project}/messages/1` })
  }
}

function serveJpush(
  { appKey, masterSecret }: PushAccounts['jpush'],
  asked: LoopbackRequest,
  isGone: (token: string) => boolean,
  onTaken: (push: TakenPush) => void,
): LoopbackAnswer {
  if (
    asked.headers.authorization !== `Basic ${Buffer.from(`${appKey}:${masterSecret}`).toString('base64')}`
  ) {
    return answer({ error: { code: 1004, message: 'Authen failed' } }, 401)
  }
  if (asked.path.startsWith('/v3/push/cid')) {
    return answer({ cidlist: Array.from({ length: 10 }).map(() => `${appKey}-${randomUUID()}`) })
  }
  const { audience } = JSON.parse(asked.body.toString()) as { audience: { registration_id: string[] } }
  if (audience.registration_id.every(isGone)) {
    return answer({ error: { code: 1011, message: 'cannot find user by this audience' } }, 400)
  }
  onTaken('jpush')
  return answer({ sendno: '0', msg_id: '18100' }, 200, {
    'X-Rate-Limit-Remaining': '599',
    'X-Rate-Limit-Reset': '42',
  })
}
