import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { pause } from '../../src/config/switches.ts'
import { recordConsents } from '../../src/contacts/consent.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { ANYTHING, recordChoice } from '../../src/contacts/preferences.ts'
import { exportContact, exportCsv } from '../../src/contacts/privacy/export.ts'
import { patternOf } from '../../src/contacts/privacy/typed.ts'
import { connect, type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { addAnnotation } from '../../src/reports/annotations.ts'
import { reports } from '../../src/reports/reports.ts'
import { eraseEverywhere } from '../../src/service/privacy.ts'
import { prepareRehearsal } from '../../src/service/rehearsal.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { claim, markSending } from '../../src/touchpoints/lifecycle.ts'
import { recordAudit } from '../../src/web/audit.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { assertPatiently } from '../support/patience.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'
import { findWords } from './promises.ts'

// I12 forgotten: after an erasure nothing that names the person is left, and reports say what they said.

vi.setConfig({ testTimeout: 90_000 })
const START = new Date('2026-03-10T09:00:00Z')
const at = (hours: number) => new Date(START.getTime() - hours * 3_600_000).toISOString()

const CAMPAIGN = `
version: 1
campaign: game
title: Game
schedule: "0 9 * * *"
holdout: 30%
window: 30d
goals: { recall: { event: order } }
limits: { max_delay: 7d }
offers: { gift: { kind: coupon, amount: 5 CNY, valid: 7d, deliver: code } }
tiers:
  - name: coupon
    inactive: 3d..
    steps:
      - { id: hello, channel: email, template: named, otherwise: hello }
      - { id: later, channel: log, after: 1d, offer: gift }
`

const OVERVIEW = (now: Date) => ({
  campaign: 'game',
  now,
  goals: new Map([[1, 'order']]),
  split: { control: 0.1, holdout: 0.3 },
})

interface Person {
  readonly id: string
  readonly email: string
  readonly phone: string
  readonly name: string
}

async function work(shop: Shop): Promise<void> {
  await dispatchDue(shop.database, { now: shop.clock.now(), jobs: 1000 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
}

/** Opens a shop with its people taken in and the first messages sent. */
async function open(people: readonly Person[]) {
  const shop = await openShop({
    database: await emptiedDatabase(),
    workspace: WORKSPACE.replace('control: 0%', 'control: 10%'),
    clock: manualClock(START),
    channels: [testChannel('email', { price: 2 }), testChannel('log')],
  })
  const contacts = people.map((person) => ({
    external_id: person.id,
    email: person.email,
    phone: person.phone,
    first_name: person.name,
    signed_up_at: at(9000),
  }))
  const events = people.map((person, no) => ({
    external_id: person.id,
    type: 'session',
    occurred_at: at(100 + no),
    properties: { note: `of ${person.name}` },
  }))
  await shop.importContacts(contacts)
  await shop.importActivity(events)
  await shop.apply(CAMPAIGN)
  await shop.run('game')
  await work(shop)
  return { shop, contacts, events }
}

const wordy = fc.stringMatching(/^[a-z]{9}$/)

it('erases every trace, keeps the counts, and no import brings the person back (property)', async () => {
  await assertPatiently(
    fc.asyncProperty(
      fc.uniqueArray(wordy, { minLength: 4, maxLength: 8 }),
      fc.nat(),
      fc.integer({ min: 0, max: 60 }),
      async (names, luck, hours) => {
        const people = names.map((name, no) => ({
          id: `id-${name}`,
          email: `${name}@mail.example`,
          phone: `+8613${String(100_000_000 + no * 7919 + (luck % 7919))}`,
          name: `Ms ${name}`,
        }))
        const { shop, contacts, events } = await open(people)
        const { database, clock, runtime } = shop
        const person = people[luck % people.length]
        if (!person) return
        const contactId = await findContact(database, person.id)
        const now = clock.now()
        await transaction(database, async (tx) => {
          const record = {
            contactId,
            channel: 'email',
            decidedAt: now,
            wording: 'v1',
            source: `call of ${person.name}`,
          }
          const options = { now, hooks: runtime.hooks }
          await recordConsents(tx, [{ ...record, decision: 'given', proof: person.email }], options)
          await recordChoice(tx, contactId, { ...ANYTHING, source: 'page', reason: person.name }, options)
        })
        // What an operator types about somebody is no row of theirs.
        const reason = `${person.name} (${person.id}, ${person.email}, ${person.phone}) asked for a call`
        await pause(database, { scope: 'channel', name: 'sms' }, { reason, clock })
        await recordAudit(database, {
          at: now,
          actor: 'test',
          via: 'cli',
          action: 'switch.pause',
          detail: { reason },
        })
        await addAnnotation(database, {
          campaign: null,
          from: '2026-03-10',
          to: '2026-03-10',
          label: `${person.name} wrote in the press`,
          by: 'test',
          now,
        })
        clock.advance(hours * 3600)
        await work(shop)
        const held = await exportContact(database, contactId, { currency: 'CNY' })
        expect(held).toMatchObject({
          contacts: [{ email: person.email }],
          consents: [{ proof: person.email }],
        })
        expect(exportCsv(held)).toContain(`contacts,1,email,${person.email}\r\n`)

        const words = [person.id, person.email, person.phone, person.name]
        const before = await reports.overview.read(database, OVERVIEW(clock.now()))
        expect(await findWords(database, words)).not.toEqual([])
        expect(await eraseEverywhere(runtime, person.id)).toMatchObject({
          removed: { contacts: 1 },
          blotted: 3,
        })
        expect(await findWords(database, words)).toEqual([])
        expect(await eraseEverywhere(runtime, person.id)).toBeUndefined()
        // The do-not-contact list has the hash of the address: on a record it would lead to what its owner did.
        expect(
          await rows(
            database,
            sql`SELECT FROM touchpoint_records WHERE contact_id < 0 AND address_key IS NOT NULL`,
          ),
        ).toEqual([])

        const after = await reports.overview.read(database, OVERVIEW(clock.now()))
        for (const part of ['overall', 'byTier', 'bySegment', 'programme', 'answers', 'cost'] as const) {
          expect(after[part]).toEqual(before[part])
        }
        expect(after.reconciliation).toMatchObject({ holds: true })
        // Tonight's import, and what the trackers still send.
        await shop.importContacts(contacts)
        await shop.importActivity([...events, { ...events[0], external_id: person.id, occurred_at: at(2) }])
        expect(await findWords(database, words)).toEqual([])
        const others = people.filter((each) => each !== person)
        expect(await rows(database, sql`SELECT external_id FROM contacts ORDER BY 1`)).toEqual(
          others
            .map((each) => ({ external_id: each.id }))
            .toSorted((a, b) => (a.external_id < b.external_id ? -1 : 1)),
        )
        clock.advance(40 * 86_400)
        await work(shop)
      },
    ),
    { numRuns: 5, milliseconds: 25_000 },
  )
})

const LEE = { id: 'lee-7', email: 'lee@mail.example', phone: '+8613812345678', name: 'Lee' }
const KIM = { id: 'kim-8', email: 'kim@mail.example', phone: '+8613900000000', name: 'Kim' }

it('a new account with the address is a contact, and nothing is sent to it', async () => {
  const { shop } = await open([LEE, KIM])
  await eraseEverywhere(shop.runtime, LEE.id)
  await shop.importContacts([{ external_id: 'lee-again', email: LEE.email, signed_up_at: at(200) }])
  const [row] = await rows<{ reason: string }>(
    shop.database,
    sql`SELECT s.reason FROM contacts c JOIN suppressions s ON s.kind = 'email' AND s.key = c.email_key
        WHERE c.external_id = 'lee-again'`,
  )
  expect(row?.reason).toBe('erased')
})

it('finds a person in what somebody typed, and leaves the words around them', async () => {
  const pattern = patternOf(['Li', '李伟', 'u.1', 'Ann  Lee', 'Ó', ' '])
  const [row] = await rows<{ text: string }>(
    (await open([LEE])).shop.database,
    sql`SELECT regexp_replace(${'Li and ANN LEE (u.1, not u-1 or u.12) on the list: 因李伟投诉'}, ${pattern}, '***', 'gi') AS text`,
  )
  expect(row?.text).toBe('*** and *** (***, not u-1 or u.12) on the list: 因***投诉')
  expect(patternOf(['', 'X'])).toBeUndefined()
})

it('leaves an address open that another account carries', async () => {
  const { shop } = await open([LEE, { ...KIM, email: LEE.email }])
  expect(await eraseEverywhere(shop.runtime, LEE.id)).toMatchObject({ suppressed: 1 })
  expect(await rows(shop.database, sql`SELECT DISTINCT kind FROM suppressions`)).toEqual([{ kind: 'phone' }])
})

it('remembers a number in each of its spellings, unless another account writes it differently', async () => {
  const { shop } = await open([LEE, { ...KIM, phone: LEE.phone.slice(1) }])
  expect(await eraseEverywhere(shop.runtime, LEE.id)).toMatchObject({ suppressed: 1 })
  expect(await eraseEverywhere(shop.runtime, KIM.id)).toMatchObject({ suppressed: 2 })
  await shop.importContacts([{ external_id: 'again', phone: LEE.phone }])
  expect(
    await rows(
      shop.database,
      sql`SELECT s.reason FROM contacts c JOIN suppressions s ON s.key = c.phone_key`,
    ),
  ).toEqual([{ reason: 'erased' }])
})

it('waits for a message that is being handed over', async () => {
  // Enough that somebody is not held out.
  const crowd = Array.from({ length: 12 }, (_, no) => ({
    ...KIM,
    id: `kim-${no}x`,
    email: `kim${no}@mail.example`,
    phone: `+86139000000${10 + no}`,
  }))
  const { shop } = await open(crowd)
  const { database, clock, runtime } = shop
  clock.advance(86_400)
  const keys: { contactId: number; touchpointId: number }[] = []
  await dispatchDue(database, { now: clock.now(), jobs: 10 }, async (batch) => {
    keys.push(...batch.keys)
  })
  expect(keys.length).toBeGreaterThan(0)
  const claimId = '00000000-0000-4000-8000-000000000001'
  await claim(database, claimId, keys)
  const slice = keys.map((key) => ({ ...key, channel: 'log' }))
  await markSending(database, claimId, { keys: slice, campaign: 'game', now: clock.now(), needsConsent: [] })
  const [busy] = await rows<{ id: string }>(
    database,
    sql`SELECT external_id AS id FROM contacts WHERE contact_id = ${keys[0]?.contactId ?? 0}`,
  )
  await expect(eraseEverywhere(runtime, busy?.id ?? '')).rejects.toMatchObject({ code: 'erase.sending' })
  expect(await findWords(database, [busy?.id ?? ''])).not.toEqual([])
})

it('goes through rehearsals and reject files too', async () => {
  const { shop } = await open([LEE, KIM])
  const { database, clock, workspace, runtime } = shop
  const rehearsal = await prepareRehearsal(database, 'forgotten_replay', clock.now(), ['game'])
  await rehearsal.close()
  const file = join(scratchDirectory(), 'customers.ndjson')
  const bad = (person: Person) => ({
    external_id: person.id,
    email: person.email,
    signed_up_at: 'never\n"ever"',
  })
  // A row may name somebody as they were called once.
  await execute(
    database,
    sql`INSERT INTO external_ids SELECT 'formerly-7', contact_id FROM contacts WHERE external_id = ${LEE.id}`,
  )
  await execute(
    database,
    sql`INSERT INTO anonymous_ids SELECT 'device-7', contact_id, now() FROM contacts WHERE external_id = ${LEE.id}`,
  )
  const former = ['formerly-7', 'device-7'].map((id) => ({ external_id: id, signed_up_at: 'never' }))
  const rejected = [bad(LEE), bad(KIM), ...former]
  writeFileSync(file, rejected.map((person) => `${JSON.stringify(person)}\n`).join(''))
  const { rejectFile = '' } = await importContacts(database, file, { workspace, clock })
  const erasure = await eraseEverywhere(runtime, LEE.id)
  expect(erasure).toMatchObject({ rehearsals: ['forgotten_replay'], files: { rows: 3, elsewhere: [] } })
  expect(readFileSync(rejectFile, 'utf8')).not.toMatch(/lee|formerly|device/)
  expect(readFileSync(rejectFile, 'utf8')).toContain('kim-8')
  expect(await findWords(database, [LEE.id, LEE.email, LEE.phone])).toEqual([])
  await execute(database, sql`DROP SCHEMA forgotten_replay CASCADE`)
})

it('goes through a rehearsal that an older version made', async () => {
  const { shop } = await open([LEE, KIM])
  const { database, clock, runtime } = shop
  const rehearsal = connect(database.url, { schema: 'forgotten_before', max: 1 })
  await migrateUntil(rehearsal, 1795400026000)
  await execute(
    rehearsal,
    sql`INSERT INTO settings SELECT * FROM ${sql.identifier(database.schema)}.settings WHERE name = 'address_key'`,
  )
  await execute(
    rehearsal,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, email, imported_at) OVERRIDING SYSTEM VALUE
        SELECT contact_id, person_id, external_id, email, ${clock.now()}
        FROM ${sql.identifier(database.schema)}.contacts`,
  )
  expect(await eraseEverywhere(runtime, LEE.id)).toMatchObject({ rehearsals: ['forgotten_before'] })
  expect(await rows(rehearsal, sql`SELECT email FROM contacts`)).toEqual([{ email: KIM.email }])
  await rehearsal.close()
  await execute(database, sql`DROP SCHEMA forgotten_before CASCADE`)
})

/** Makes a schema as it was before the migration of that number. */
async function migrateUntil(database: Database, before: number): Promise<void> {
  const older = readMigrationFiles({ migrationsFolder: 'migrations' }).filter(
    ({ folderMillis }) => folderMillis < before,
  )
  await execute(database, sql`CREATE SCHEMA ${sql.identifier(database.schema)}`)
  await execute(
    database,
    sql`CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)`,
  )
  for (const { sql: statements, hash, folderMillis } of older) {
    for (const statement of statements) await database.client.query(statement)
    await execute(
      database,
      sql`INSERT INTO __drizzle_migrations (hash, created_at) VALUES (${hash}, ${folderMillis})`,
    )
  }
}
