import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { searchContacts, searchSql } from '../../src/web/pages/contacts/contact-search.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

// Somebody is looked up by index, however many there are: by the beginning of an id, or a whole address.

test('a search asks indexes alone, for ids by a range of them', async () => {
  const database = await freshDatabase()
  const many = sql`generate_series(1, 20000) n`
  await execute(
    database,
    sql`INSERT INTO external_ids (external_id, contact_id) SELECT 'u' || lpad(n::text, 7, '0'), n FROM ${many}`,
  )
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, external_id, person_id, email, email_key, phone_key, imported_at)
        OVERRIDING SYSTEM VALUE SELECT n, 'u' || lpad(n::text, 7, '0'), n, n || '@example.com', decode(md5(n::text), 'hex'),
          decode(md5('p' || n), 'hex'), '2026-03-01' FROM ${many}`,
  )
  await execute(database, sql`ANALYZE external_ids, contacts`)
  const key = Buffer.from('00', 'hex')
  const plan = await transaction(database, async (tx) =>
    (await rows<{ 'QUERY PLAN': string }>(tx, sql`EXPLAIN ${searchSql('u00123', [key])}`))
      .map((line) => line['QUERY PLAN'])
      .join('\n'),
  )
  expect(plan).toMatch(/external_ids_pkey[\s\S]*Index Cond: \(\(external_id >= /)
  expect(plan).toContain('contacts_email')
  expect(plan).toContain('contacts_phone')
  expect(plan).not.toMatch(/Seq Scan on (external_ids|contacts)/)
  const found = await rows<{ externalId: string }>(database, searchSql('u00123', []))
  expect(found[0]?.externalId).toBe('u0012300')
  expect(found).toHaveLength(50)
})

test('whoever has signed up and done nothing since was never active', async () => {
  const shop = await openShop({
    ...{
      database: await freshDatabase(),
      clock: manualClock(new Date('2026-03-02T09:00:00Z')),
      channels: [],
    },
  })
  const people = ['seen', 'unseen'].map((external_id) => ({ external_id, signed_up_at: '2026-01-01' }))
  await shop.importContacts(people)
  await shop.importActivity([{ external_id: 'seen', type: 'session', occurred_at: '2026-02-01T00:00:00Z' }])
  const found = await searchContacts(shop.runtime, '')
  expect(found.map(({ externalId, lastActive }) => [externalId, lastActive])).toEqual([
    ['seen', new Date('2026-02-01T00:00:00Z')],
    ['unseen', null],
  ])
  await shop.runtime.close()
})
