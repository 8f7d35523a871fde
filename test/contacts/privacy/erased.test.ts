import { existsSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { findContact } from '../../../src/contacts/external-ids.ts'
import { importActivity, importConsents, importContacts, importSends } from '../../../src/contacts/import.ts'
import { importInterviews } from '../../../src/contacts/interviews.ts'
import { eraseContact } from '../../../src/contacts/privacy/erase.ts'
import { rows, transaction } from '../../../src/database/connect.ts'
import { importRedemptions } from '../../../src/offers/import.ts'
import { freshDatabase } from '../../support/database.ts'
import { clock, file, options } from '../files.ts'

const CONTACTS = 'external_id,email\ngone,gone@shop.example\nhere,here@shop.example\n'
const EVENTS = `external_id,type,occurred_at,message_id
gone,order,2026-02-01T08:00:00Z,m1
gone,order,2026-02-02T08:00:00Z,
here,order,2026-02-01T08:00:00Z,m2
`
const SENDS = `external_id,channel,sent_at
gone,email,2026-02-01T08:00:00Z
here,email,2026-02-01T08:00:00Z
`
const CONSENTS = `external_id,channel,decision,decided_at
gone,email,given,2026-02-01T08:00:00Z
here,email,given,2026-02-01T08:00:00Z
`
const ANSWERS = `external_id,reason,said_at,note
gone,price,2026-02-01T08:00:00Z,so says gone@shop.example
here,price,2026-02-01T08:00:00Z,
`
const REDEMPTIONS = 'external_id,offer,redeemed_at\ngone,five_off,2026-02-01T08:00:00Z\n'

it('rows of whoever was erased are counted as that, whatever file they stand in, each time', async () => {
  const database = await freshDatabase()
  const contacts = file('contacts.csv', CONTACTS)
  expect(await importContacts(database, contacts, options())).toMatchObject({ inserted: 2, erased: 0 })
  const id = (await findContact(database, 'gone')) ?? 0
  await transaction(database, (tx) =>
    eraseContact(tx, id, { now: clock.now(), hooks: {}, phoneKeys: () => [] }),
  )
  const files = [
    { read: importContacts, path: contacts, rows: 2, erased: 1, inserted: 0 },
    { read: importActivity, path: file('events.csv', EVENTS), rows: 3, erased: 2, inserted: 1 },
    { read: importSends, path: file('sends.csv', SENDS), rows: 2, erased: 1, inserted: 1 },
    { read: importConsents, path: file('consents.csv', CONSENTS), rows: 2, erased: 1, inserted: 1 },
    { read: importInterviews, path: file('answers.csv', ANSWERS), rows: 2, erased: 1, inserted: 1 },
    { read: importRedemptions, path: file('used.csv', REDEMPTIONS), rows: 1, erased: 1, inserted: 0 },
  ]
  for (const { read, path, ...counts } of files) {
    const unchanged = counts.rows - counts.erased - counts.inserted
    expect(await read(database, path, options())).toMatchObject({ ...counts, unchanged, rejected: 0 })
    const again = { ...counts, inserted: 0, unchanged: counts.rows - counts.erased, rejected: 0 }
    expect(await read(database, path, options())).toMatchObject(again)
    expect(existsSync(`${path}.rejects.csv`)).toBe(false)
  }
  expect(await rows(database, sql`SELECT external_id FROM contacts`)).toEqual([{ external_id: 'here' }])
})
