import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Clock } from '../../clock.ts'
import type { Database } from '../../database/connect.ts'
import { recordAudit } from '../audit.ts'
import type { Authorised } from '../authorise.ts'
import { addressOf } from '../visitor.ts'

// What is done by the API, as the audit tells it: one table of its routes, and one place that records. A route that
// changes something and is missing here fails a test. A handler says whom it was about: c.set('about', 'contact 17').

interface Change {
  /** See AUDIT_WORDS. */
  readonly action: string
  /** Traffic of programs, which its own tables hold line by line: one entry for each key and hour. */
  readonly hourly?: boolean
}

/** Routes that change something, or give out all that is held; null: signed by a provider, kept as receipts. */
export const API_CHANGES: Readonly<Record<string, Change | null>> = {
  ...Object.fromEntries(
    ['identify', 'track', 'page', 'screen', 'group', 'alias', 'batch'].map((call) => [
      `POST /v1/${call}`,
      { action: 'data.send', hourly: true },
    ]),
  ),
  'POST /v1/devices': { action: 'data.send', hourly: true },
  'DELETE /v1/devices': { action: 'data.send', hourly: true },
  'GET /v1/inapp/:externalId': { action: 'inapp.use', hourly: true },
  'POST /v1/inapp/:externalId/:message/ack': { action: 'inapp.use', hourly: true },
  'PUT /v1/preferences/:external_id': { action: 'contact.preferences' },
  'GET /v1/contacts/:external_id/export': { action: 'contact.export' },
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

/** Records what a request with a key has changed, after it was answered for: what was refused changed nothing. */
export function auditApi({
  database,
  clock,
}: {
  database: Database
  clock: Clock
}): MiddlewareHandler<Authorised> {
  const hours = new Map<string, number>()
  return async (c, next) => {
    await next()
    if (c.res.status >= 400) return
    const route = matchedRoutes(c).findLast(({ path }) => !path.includes('*'))
    const change = API_CHANGES[`${c.req.method} ${route?.path}`]
    const key = c.get('apiKey')
    if (!change || !key) return
    const now = clock.now()
    if (change.hourly) {
      const hour = Math.floor(now.getTime() / HOUR)
      const kept = `${key.keyId} ${change.action}`
      if (hours.get(kept) === hour) return
      hours.set(kept, hour)
    }
    await recordAudit(database, {
      at: now,
      actor: key.name,
      via: 'api',
      action: change.action,
      about: c.get('about') ?? null,
      detail: { key: key.keyId, ...c.get('detail') },
      address: addressOf(c),
    })
  }
}
