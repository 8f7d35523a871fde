import { Hono } from 'hono'
import { bareReference, readReference } from '../../channels/reference.ts'
import { acknowledgeMessage, fetchMessages } from '../../outcomes/inbox.ts'
import type { Runtime } from '../../service/runtime.ts'
import { refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { readText, refuseQuery } from '../requests.ts'

/** What the user's own app asks for at sign-in, and where it says that a message was shown. */
export function inappApi(options: { runtime: Runtime; keys: KeyRing }): Hono<Authorised> {
  const { keys, runtime } = options
  const { database, clock, worker } = runtime
  const needsConsent = [...worker.needsConsent]
  const api = new Hono<Authorised>()
  api.get('/v1/inapp/:externalId', requireScope(keys, 'inapp'), refuseQuery, async (c) => {
    // What is handed out counts as delivered; with HEAD it would be to nobody.
    if (c.req.method === 'HEAD') {
      c.header('Allow', 'GET')
      return refuse(c, 405, 'method', 'messages are handed out by GET')
    }
    const externalId = c.req.param('externalId')
    const waiting = await fetchMessages(database, clock.now(), externalId, needsConsent)
    if (!waiting) return refuse(c, 404, 'not_found', `there is no contact "${externalId}"`)
    c.header('Cache-Control', 'no-store')
    return c.json({
      messages: waiting.map(({ contactId, touchpointId, createdAt, offer, ...message }) => ({
        id: bareReference({ contactId, touchpointId }),
        ...message,
        created_at: createdAt.toISOString(),
        offer: offer && {
          name: offer.name,
          kind: offer.kind,
          code: offer.code,
          expires_at: offer.expiresAt.toISOString(),
        },
      })),
    })
  })
  api.post('/v1/inapp/:externalId/:message/ack', requireScope(keys, 'inapp'), refuseQuery, async (c) => {
    const named = readReference(c.req.param('message'))
    const text = await readText(c)
    const tapped = text === '' ? false : readTapped(text)
    if (tapped === undefined) return refuse(c, 400, 'malformed', 'the body is empty, or { "tapped": true }')
    const externalId = c.req.param('externalId')
    const known = named && (await acknowledgeMessage(database, clock.now(), { ...named, externalId, tapped }))
    return known
      ? c.json({ success: true })
      : refuse(c, 404, 'not_found', `"${externalId}" has no message ${c.req.param('message')}`)
  })
  return api
}

function readTapped(text: string): boolean | undefined {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null) return undefined
    const tapped = 'tapped' in body ? body.tapped : false
    return typeof tapped === 'boolean' ? tapped : undefined
  } catch {
    return undefined
  }
}
