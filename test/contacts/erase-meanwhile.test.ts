import { sql } from 'drizzle-orm'
import { beforeAll, expect, it } from 'vitest'
import { callReader } from '../../src/contacts/api-calls.ts'
import { recordConsents } from '../../src/contacts/consent.ts'
import { registerDevice } from '../../src/contacts/devices.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { importActivity, importConsents, importContacts, importSends } from '../../src/contacts/import.ts'
import { importInterviews } from '../../src/contacts/interviews.ts'
import { ingestCalls } from '../../src/contacts/live.ts'
import { ANYTHING, recordChoice } from '../../src/contacts/preferences.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { settingsOf } from '../../src/database/migrate.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { afterFile } from '../support/after-file.ts'
import { freshDatabase } from '../support/database.ts'
import { untilWaiting } from '../support/waiting.ts'
import { clock, file, options, workspace } from './files.ts'

// What is told of somebody at the very moment they are erased, on a connection of its own.

const NOW = clock.now()
const DAY = '2026-02-28T00:00:00Z'
const FIRST = '2026-02-01T00:00:00Z'
const none = { now: NOW, hooks: {} }

let database: Database
let other: Database
let addressKey: string

beforeAll(async () => {
  database = await freshDatabase()
  other = connect(database.url)
  afterFile(() => other.close())
  addressKey = (await settingsOf(database)).addressKey
  await ensurePartitions(database, 'activity', [new Date(DAY), NOW])
})

const csv = (content: string) => file('rows.csv', content)

async function send(to: Database, calls: readonly Record<string, unknown>[]) {
  const rules = { attributes: workspace.attributes, currency: 'CNY', events: { names: {} } }
  const read = callReader(rules, NOW, undefined)
  const known = calls.map((call) => read(call, undefined)).filter((call) => typeof call !== 'string')
  return await transaction(to, (tx) => ingestCalls(tx, known, { workspace, addressKey, ...none }))
}

const told: Readonly<Record<string, (id: string, contactId: number) => Promise<unknown>>> = {
  activity: (id) =>
    importActivity(other, csv(`external_id,type,occurred_at\n${id},session,${DAY}\n`), options()),
  sends: (id) => importSends(other, csv(`external_id,channel,sent_at\n${id},email,${DAY}\n`), options()),
  consents: (id) =>
    importConsents(other, csv(`external_id,channel,decided_at\n${id},sms,${DAY}\n`), options()),
  interviews: (id) =>
    importInterviews(other, csv(`external_id,reason,said_at,note\n${id},price,${DAY},x\n`), options()),
  'a withdrawal': (_, contactId) => {
    const said = {
      channel: 'sms',
      decision: 'withdrawn',
      wording: null,
      source: 'test',
      proof: null,
    } as const
    return transaction(other, (tx) => recordConsents(tx, [{ contactId, decidedAt: NOW, ...said }], none))
  },
  'a choice': (_, contactId) => {
    const chosen = { ...ANYTHING, channelsOff: ['*'], source: 'test', leaving: 'price', reason: 'x' } as const
    return transaction(other, (tx) => recordChoice(tx, contactId, chosen, none))
  },
  'a device': (id) =>
    registerDevice(other, NOW, { externalId: id, provider: 'fcm', token: `token of ${id}`, keys: null }),
  'an event': (id) => send(other, [{ type: 'track', event: 'session', userId: id }]),
  'an event of a visitor': (id) =>
    send(other, [{ type: 'track', event: 'session', userId: id, anonymousId: `phone of ${id}` }]),
  'another name': (id) => send(other, [{ type: 'alias', userId: `new ${id}`, previousId: id }]),
}

it.for(Object.keys(told))('an erasure leaves nothing of %s told of meanwhile', async (name) => {
  const id = `reader of ${name}`
  await importContacts(database, csv(`external_id,signed_up_at\n${id},${FIRST}\n`), options())
  const contactId = await findContact(database, id)
  let telling: Promise<unknown> | undefined
  await transaction(database, async (tx) => {
    await eraseContact(tx, contactId, { ...none, phoneKeys: () => [] })
    telling = told[name]?.(id, contactId)
    await untilWaiting(database)
  })
  await telling
  const tables = ['activity', 'signal_marks', 'outside_sends', 'consents', 'preferences', 'reasons_given']
  for (const table of [...tables, 'devices', 'anonymous_ids', 'external_ids', 'contacts']) {
    const left = await execute(
      database,
      sql`SELECT FROM ${sql.identifier(table)} WHERE contact_id = ${contactId}`,
    )
    expect([table, left]).toEqual([table, 0])
  }
})

it('an erasure leaves nothing of what is handed on as their person falls apart', async () => {
  const put = async (to: Database, name: string) =>
    await importContacts(to, csv(`external_id,phone\n${name},+8613800138000\n`), options())
  for (const name of ['one', 'two', 'three']) await put(database, name)
  const [one, three] = [await findContact(database, 'one'), await findContact(database, 'three')]
  const chosen = { ...ANYTHING, channelsOff: ['*'], source: 'test' }
  await transaction(database, (tx) => recordChoice(tx, one, chosen, none))
  const said = { channel: 'sms', decision: 'withdrawn', wording: null, source: 'test', proof: null } as const
  await transaction(database, (tx) => recordConsents(tx, [{ contactId: one, decidedAt: NOW, ...said }], none))
  let parting: Promise<unknown> | undefined
  await transaction(database, async (tx) => {
    await eraseContact(tx, three, { ...none, phoneKeys: () => [] })
    // More than three have one number: it links nobody.
    parting = put(other, 'four')
    await untilWaiting(database)
  })
  await parting
  for (const table of ['preferences', 'consents']) {
    const left = await rows<{ source: string }>(
      database,
      sql`SELECT source FROM ${sql.identifier(table)} WHERE contact_id = ${three}`,
    )
    expect([table, left]).toEqual([table, []])
  }
})

it('what somebody erased does where somebody else has signed in is nobody’s', async () => {
  await send(database, [
    { type: 'identify', userId: 'wang', anonymousId: 'tablet' },
    { type: 'identify', userId: 'li' },
  ])
  const li = await findContact(database, 'li')
  await transaction(database, (tx) => eraseContact(tx, li, { ...none, phoneKeys: () => [] }))
  await send(database, [
    { type: 'track', event: 'order', userId: 'li', anonymousId: 'tablet' },
    { type: 'track', event: 'session', anonymousId: 'tablet' },
  ])
  const wang = await findContact(database, 'wang')
  const known = await rows(database, sql`SELECT contact_id, type FROM activity WHERE contact_id = ${wang}`)
  expect(known).toEqual([{ contact_id: wang, type: 'session' }])
  expect(await execute(database, sql`SELECT FROM anonymous_activity`)).toBe(0)
})
