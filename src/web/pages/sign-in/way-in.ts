import { randomBytes } from 'node:crypto'
import { Hono } from 'hono'
import { sameSecret } from '../../../channels/signatures.ts'
import type { Runtime } from '../../../service/runtime.ts'
import { openSession } from '../../accounts/sessions.ts'
import { addressOf } from '../../visitor.ts'
import { guard, setSession } from '../visit.ts'

/** A way in without a password that works once, for whoever serves the pages to one visitor at this machine: the demo. */
export interface WayIn {
  /** Who the visitor is. */
  readonly userId: number
  /** `/way-in/SECRET`; the secret lives in this process alone. */
  readonly path: string
}

export function makeWayIn(userId: number): WayIn {
  return { userId, path: `/way-in/${randomBytes(32).toString('base64url')}` }
}

/** The route of a way in. Used up, it leads to the pages as any link does: to the sign-in where there is no session. */
export function wayInPage(runtime: Runtime, wayIn: WayIn): Hono {
  let used = false
  return new Hono().get('/way-in/:secret', async (c) => {
    guard(c)
    if (!used && sameSecret(c.req.path, wayIn.path)) {
      used = true
      const { database, clock } = runtime
      setSession(c, runtime, await openSession(database, wayIn.userId, addressOf(c), clock.now()))
    }
    return c.redirect('/', 303)
  })
}
