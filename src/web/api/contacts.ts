import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { isLeavingReason, type LeavingReason } from '../../config/reasons.ts'
import { LONGEST_TYPED } from '../../config/typed-text.ts'
import { contactIdOf } from '../../contacts/external-ids.ts'
import { channelNames } from '../../contacts/import.ts'
import {
  ANYTHING,
  momentOfChoice,
  type Preferences,
  readChoice,
  recordChoice,
} from '../../contacts/preferences.ts'
import { exportContact, exportCsv } from '../../contacts/privacy/export.ts'
import { transaction } from '../../database/connect.ts'
import { lockPersons } from '../../database/person-locks.ts'
import { WinbackError } from '../../errors.ts'
import { eraseEverywhere } from '../../service/privacy.ts'
import type { Runtime } from '../../service/runtime.ts'
import { RefusedError, refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { moment, readBody, readQuery, refuseQuery } from '../requests.ts'

/** What `PUT /v1/preferences/…` takes, whole: what is left out is wanted. */
export const preferencesBody = z.strictObject({
  channels_off: z.array(z.string().min(1).max(50)).max(20).prefault([]),
  topics_off: z.array(z.string().min(1).max(100)).max(100).prefault([]),
  frequency: z
    .strictObject({ at_most: z.int().min(1).max(100), within_days: z.int().min(1).max(366) })
    .nullable()
    .prefault(null),
  paused_until: moment.nullable().prefault(null),
  reason: z.string().max(LONGEST_TYPED.line).optional(),
})

/** How all that is held of a contact may be asked for. */
export const exportQuery = z.strictObject({ format: z.enum(['json', 'csv']).optional() })

/** One contact’s own affairs, for the user's systems: what they chose, all that is held, and being forgotten. */
export function contactsApi(options: { runtime: Runtime; keys: KeyRing }): Hono<Authorised> {
  const { runtime, keys } = options
  const { database, clock, hooks, workspace } = runtime
  return new Hono<Authorised>()
    .get('/v1/preferences/:external_id', requireScope(keys, 'preferences'), refuseQuery, async (c) => {
      const contactId = await contactOf(runtime, c)
      return c.json(documentOf((await readChoice(database, contactId, clock.now())) ?? ANYTHING))
    })
    .put('/v1/preferences/:external_id', requireScope(keys, 'preferences'), refuseQuery, async (c) => {
      const contactId = await contactOf(runtime, c)
      const { channels_off, topics_off, frequency, paused_until, reason } = await readBody(c, preferencesBody)
      // A misspelt one would hold nothing back, and be answered as if it did. What was chosen before may be said again.
      const held = (await readChoice(database, contactId, clock.now())) ?? ANYTHING
      const topics = [...Object.keys(workspace.topics), ...held.topicsOff]
      assertKnown('topics_off', 'topic', topics_off, topics)
      assertKnown('channels_off', 'channel', channels_off, [
        ...channelNames(workspace),
        '*',
        ...held.channelsOff,
      ])
      const chosen = {
        channelsOff: channels_off,
        topicsOff: topics_off,
        frequency: frequency && { atMost: frequency.at_most, withinDays: frequency.within_days },
        pausedUntil: paused_until === null ? null : new Date(paused_until),
      }
      const source = `API, key ${c.get('apiKey').name}`
      await transaction(database, async (tx) => {
        await lockPersons(tx, [contactId])
        // Else it would be the earlier of the two, and not hold, where it waited for another or that one's clock is ahead.
        const now = await momentOfChoice(tx, contactId, clock.now())
        await recordChoice(
          tx,
          contactId,
          { ...chosen, source, reason, leaving: leavingOf(chosen, reason) },
          { now, hooks },
        )
        await c.get('record')(tx)
      })
      return c.json(documentOf(chosen))
    })
    .get('/v1/contacts/:external_id/export', requireScope(keys, 'privacy'), async (c) => {
      const { format } = readQuery(c, exportQuery)
      const held = await exportContact(database, await contactOf(runtime, c), workspace)
      c.header('Cache-Control', 'no-store')
      if (format !== 'csv') return c.json(held)
      return c.body(exportCsv(held), 200, { 'Content-Type': 'text/csv; charset=utf-8' })
    })
    .delete('/v1/contacts/:external_id', requireScope(keys, 'privacy'), refuseQuery, async (c) => {
      const externalId = c.req.param('external_id')
      await contactOf(runtime, c)
      try {
        return c.json((await eraseEverywhere(runtime, externalId, c.get('record'))) ?? {})
      } catch (error) {
        if (!(error instanceof WinbackError)) throw error
        const reason = `${error.message}; ${error.remedy ?? ''}`
        if (error.code === 'erase.rejects') return refuse(c, 409, 'reject_file', reason)
        if (error.code !== 'erase.sending') throw error
        c.header('Retry-After', '120')
        return refuse(c, 409, 'sending', reason)
      }
    })
}

/** @throws RefusedError 400 with those that are not there, and those that are */
function assertKnown(field: string, kind: string, chosen: readonly string[], known: readonly string[]): void {
  const unknown = chosen.filter((name) => !known.includes(name))
  if (unknown.length === 0) return
  const there = [...new Set(known)].join(', ') || 'none'
  throw new RefusedError(
    400,
    'malformed',
    `${field}: the workspace has no ${kind} ${unknown.join(', ')}; there are ${there}`,
  )
}

/** The contact a path names, which the request is then about. @throws RefusedError 404 */
async function contactOf({ database }: Runtime, c: Context<Authorised>): Promise<number> {
  const contactId = await contactIdOf(database, c.req.param('external_id') ?? '')
  if (contactId === undefined) throw new RefusedError(404, 'not_found', 'there is no such contact')
  c.set('about', `contact ${contactId}`)
  return contactId
}

function documentOf(chosen: Preferences): z.output<typeof preferencesBody> {
  const { frequency, pausedUntil } = chosen
  return {
    channels_off: [...chosen.channelsOff],
    topics_off: [...chosen.topicsOff],
    frequency: frequency && { at_most: frequency.atMost, within_days: frequency.withinDays },
    paused_until: pausedUntil?.toISOString() ?? null,
  }
}

/** A reason counts with the others where something is refused, and it is one of the list. */
function leavingOf(
  { channelsOff, topicsOff }: Preferences,
  reason: string | undefined,
): LeavingReason | undefined {
  if (reason === undefined || channelsOff.length + topicsOff.length === 0) return undefined
  return isLeavingReason(reason) ? reason : 'other'
}
