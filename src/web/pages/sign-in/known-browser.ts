import { randomBytes } from 'node:crypto'
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { readLink, readSigningKeys } from '../../../service/links.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { signToken } from '../../../tokens/token.ts'
import type { KnownBrowser } from '../../accounts/sessions.ts'
import { COOKIE, isSecure } from '../visit.ts'

// A browser in which somebody has signed in before has failures of its own. So no stranger who guesses keeps them out, neither
// by their name nor, behind a proxy that is not named, by the address that all have then. The cookie lets nobody in.

const KNOWN_COOKIE = 'winback_known'
const DAYS = 180

/** Remembers that somebody signed in here. */
export async function rememberBrowser(c: Context, runtime: Runtime, userId: number): Promise<void> {
  const { database, clock } = runtime
  const expires = new Date(clock.now().getTime() + DAYS * 86_400_000)
  const payload = `${userId}.${randomBytes(12).toString('base64url')}`
  const token = signToken(await readSigningKeys(database), 'browser', payload, expires)
  setCookie(c, KNOWN_COOKIE, token, { ...COOKIE, maxAge: DAYS * 86_400, secure: isSecure(c, runtime) })
}

/** Who signed in here before; undefined where nobody did, or what says so is none of ours. */
export async function knownBrowser(c: Context, runtime: Runtime): Promise<KnownBrowser | undefined> {
  const cookie = getCookie(c, KNOWN_COOKIE)
  const payload = cookie === undefined ? undefined : await readLink(runtime, 'browser', cookie)
  const [userId = '', browser] = payload?.split('.') ?? []
  return browser === undefined ? undefined : { userId: Number(userId), browser }
}
