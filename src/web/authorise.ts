import type { MiddlewareHandler } from 'hono'
import type { Transaction } from '../database/connect.ts'
import { refuse } from './answers.ts'
import type { ApiKey, KeyRing, Scope } from './api-keys.ts'

/** What a handler behind {@link requireScope} finds in its context: `c.get('apiKey')`. */
export interface Authorised {
  Variables: {
    apiKey: ApiKey
    /** What the request changes, and what more there is to say of it: for the audit. */
    about?: string
    detail?: Readonly<Record<string, unknown>>
    /** Records the change in the transaction that makes it. */
    record: (tx: Transaction) => Promise<void>
  }
}

/**
 * Lets a request through whose key has `scope`: `Authorization: Bearer KEY`, or Basic with the key as the user and
 * no password, as Segment's libraries send it. 401 without a good key, 403 where it lacks the scope.
 */
export function requireScope(keys: KeyRing, scope: Scope): MiddlewareHandler<Authorised> {
  return async (c, next) => {
    const text = keyOf(c.req.header('Authorization'))
    const key = text === undefined ? undefined : await keys.find(text)
    if (!key) {
      c.header('WWW-Authenticate', 'Basic realm="winback", Bearer')
      const reason =
        text === undefined
          ? 'send a key: `Authorization: Bearer KEY`, or Basic with the key as user'
          : 'the key does not exist or was revoked; `winback api-keys list` shows them'
      return refuse(c, 401, 'unauthorised', reason)
    }
    if (!key.scopes.includes(scope)) {
      return refuse(c, 403, 'forbidden', `the key "${key.name}" does not have the scope ${scope}`)
    }
    c.set('apiKey', key)
    return await next()
  }
}

/** The key in an Authorization header. */
function keyOf(header: string | undefined): string | undefined {
  const [, scheme, value = ''] = /^(basic|bearer) +(\S+)$/i.exec(header ?? '') ?? []
  if (scheme === undefined) return undefined
  if (scheme.toLowerCase() === 'bearer') return value
  const [user = ''] = Buffer.from(value, 'base64').toString('latin1').split(':')
  return user
}
