import { Hono } from 'hono'
import type { Clock } from '../../clock.ts'
import { forgetDevice, parseDevice, registerDevice } from '../../contacts/devices.ts'
import type { Database } from '../../database/connect.ts'
import { refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { parsed, readText, refuseQuery } from '../requests.ts'

/** Where apps and browsers say what pushes to them are addressed to, and that they want no more of them. */
export function devicesApi(options: { database: Database; clock: Clock; keys: KeyRing }): Hono<Authorised> {
  const { database, clock, keys } = options
  const api = new Hono<Authorised>()
  api.post('/v1/devices', requireScope(keys, 'events:write'), refuseQuery, async (c) => {
    const device = parseDevice(parsed(await readText(c)))
    if (typeof device === 'string') return refuse(c, 400, 'malformed', device)
    const registered = await registerDevice(database, clock.now(), device)
    return registered
      ? c.json({ success: true })
      : refuse(c, 404, 'not_found', `there is no contact "${device.externalId}"`)
  })
  api.delete('/v1/devices', requireScope(keys, 'events:write'), refuseQuery, async (c) => {
    const device = parseDevice(parsed(await readText(c)))
    if (typeof device === 'string') return refuse(c, 400, 'malformed', device)
    await forgetDevice(database, device)
    return c.json({ success: true })
  })
  return api
}
