import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Clock } from '../../clock.ts'
import type { Database, Session } from '../../database/connect.ts'
import { recordAudit } from '../audit.ts'
import type { Authorised } from '../authorise.ts'
import { addressOf } from '../visitor.ts'

// What is done by the API, as the audit tells it: one table of its routes, and one place that records. A route that
// changes something and is missing here fails a test. A handler says whom it was about: c.set('about', 'contact 17'), and
// records a change in the very transaction that makes it: c.get('record')(tx). Neither is there without the other.

interface Change {
  /** See AUDIT_WORDS. */
  readonly action: string
  /** Traffic of programs, which its own tables hold line by line: one entry for each key and hour. */
  readonly hourly?: boolean
  /** Changes nothing here: recorded before the answer goes out. */
  readonly reads?: boolean
}

/** Routes that change something, or give out all that is held; null: signed by a provider, kept as receipts. */
export const API_CHANGES: Readonly<Record<string, Change | null>> = {
  ...Object.fromEntries(
    ['identify', 'track', 'page', 'screen', 'group', 'alias', 'batch', 'import', 'b'].map((call) => [
      `POST /v1/${call}`,
      { action: 'data.send', hourly: true },
    ]),
  ),
  'POST /v1/devices': { action: 'data.send', hourly: true },
  'DELETE /v1/devices': { action: 'data.send', hourly: true },
  'GET /v1/inapp/:externalId': { action: 'inapp.use', hourly: true },
  'POST /v1/inapp/:externalId/:message/ack': { action: 'inapp.use', hourly: true },
  'PUT /v1/preferences/:external_id': { action: 'contact.preferences' },
  'GET /v1/contacts/:external_id/export': { action: 'contact.export', reads: true },
  'DELETE /v1/contacts/:external_id': { action: 'contact.erase' },
  'POST /v1/redemptions': { action: 'offer.redeem' },
  'POST /v1/calls/:id/claim': { action: 'call.take' },
  'POST /v1/calls/:id/release': { action: 'call.release' },
  'POST /v1/calls/:id/outcome': { action: 'call.outcome' },
  'POST /v1/receipts/:channel': null,
  'POST /v1/receipts/:channel/:provider': null,
  'POST /v1/bounces': null,
}

const HOUR = 3_600_000

/**
 * Gives handlers what records their change, and records by itself what no transaction of theirs stands for: traffic, once
 * an hour, and what is given out. What was refused changed nothing.
 */
export function auditApi({
  database,
  clock,
}: {
  database: Database
  clock: Clock
}): MiddlewareHandler<Authorised> {
  const hours = new Map<string, number>()
  const changeOf = (c: Context<Authorised>) => {
    const route = matchedRoutes(c).findLast(({ path }) => !path.includes('*'))
    return API_CHANGES[`${c.req.method} ${route?.path}`]
  }
  const record = async (c: Context<Authorised>, session: Session) => {
    const change = changeOf(c)
    const key = c.get('apiKey')
    if (!change) throw new Error(`${c.req.method} ${c.req.path} is not in API_CHANGES`)
    await recordAudit(session, {
      at: clock.now(),
      actor: key.name,
      via: 'api',
      action: change.action,
      about: c.get('about') ?? null,
      detail: { key: key.keyId, ...c.get('detail') },
      address: addressOf(c),
    })
  }
  return async (c, next) => {
    c.set('record', (tx) => record(c, tx))
    await next()
    if (c.res.status >= 400) return
    const change = changeOf(c)
    const key = c.get('apiKey')
    if (!key || (!change?.hourly && !change?.reads)) return
    if (change.hourly) {
      const hour = Math.floor(clock.now().getTime() / HOUR)
      const kept = `${key.keyId} ${change.action}`
      if (hours.get(kept) === hour) return
      hours.set(kept, hour)
      await record(c, database).catch((error: unknown) => {
        hours.delete(kept)
        throw error
      })
      return
    }
    await record(c, database)
  }
}
