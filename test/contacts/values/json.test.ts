import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { importActivity, importContacts, importSends } from '../../../src/contacts/import.ts'
import { parseJson } from '../../../src/contacts/values/json.ts'
import { rows } from '../../../src/database/connect.ts'
import { freshDatabase } from '../../support/database.ts'
import { file, options } from '../files.ts'

describe('JSON of other systems', () => {
  it.each([
    ['{"id":12345678901234567890}', { id: '12345678901234567890' }],
    [
      '{"id": -9007199254740993, "to": [1, 9007199254740993]}',
      { id: '-9007199254740993', to: [1, '9007199254740993'] },
    ],
    [
      '{"id":9007199254740991,"at":1.5e3,"x":0.1234567890123456789}',
      { id: 9007199254740991, at: 1500, x: 0.12345678901234568 },
    ],
    ['{"id":1e400}', { id: '1e400' }],
    [
      '{"a\\": 12345678901234567890":"b, 12345678901234567890","c":12345678901234567890}',
      { 'a": 12345678901234567890': 'b, 12345678901234567890', c: '12345678901234567890' },
    ],
  ])('%s', (text, value) => {
    expect(parseJson(text)).toEqual(value)
  })

  it('is read however long a text of it is', () => {
    const text = '\\"'.repeat(500_000)
    expect(parseJson(`{"a":"${text}","b":12345678901234567890}`)).toMatchObject({ b: '12345678901234567890' })
  })

  it('that is not sound is refused', () => {
    expect(() => parseJson('{"id":12345678901234567890')).toThrow(SyntaxError)
  })
})

describe('a file of it', () => {
  it('keeps apart whose ids differ in the last of nineteen digits', async () => {
    const database = await freshDatabase()
    const people = file(
      'people.ndjson',
      '{"external_id":1234567890123456781}\n{"external_id":1234567890123456782}\n',
    )
    expect(await importContacts(database, people, options())).toMatchObject({ inserted: 2 })
    const event = (id: string, message: string) =>
      `{"external_id":${id},"type":"order","occurred_at":"2026-02-01T00:00:00Z","message_id":${message}}\n`
    const events = file(
      'events.ndjson',
      event('1234567890123456781', '7234567890123456781') +
        event('1234567890123456782', '7234567890123456782'),
    )
    expect(await importActivity(database, events, options())).toMatchObject({ inserted: 2 })
    const found = await rows(
      database,
      sql`SELECT external_id AS id FROM contacts JOIN activity USING (contact_id) ORDER BY 1`,
    )
    expect(found).toEqual([{ id: '1234567890123456781' }, { id: '1234567890123456782' }])
  })

  it('with a list or an object where a text belongs loses nothing unsaid', async () => {
    const database = await freshDatabase()
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const people = file(
      'people.ndjson',
      `{"external_id":"a","email":["a@shop.example"]}\n{"external_id":"b","first_name":${deep}}\n{"external_id":"c","phone":{"home":1}}\n`,
    )
    const summary = await importContacts(database, people, options())
    expect(summary).toMatchObject({ inserted: 2, rejected: 1, warnings: 2 })
    expect(summary.reasons).toMatchObject([{ reason: 'attributes.first_name: … is not a string' }])
    expect(summary.warningReasons).toMatchObject([
      { reason: 'kept without e-mail: … is not an address' },
      { reason: 'kept without phone: … is not a number' },
    ])
    const sends = file(
      'sends.ndjson',
      '{"external_id":{"id":1},"channel":"email","sent_at":"2026-02-01T00:00:00Z"}\n',
    )
    expect(await importSends(database, sends, options())).toMatchObject({ inserted: 0, rejected: 1 })
    const event =
      '{"external_id":"a","type":"order","occurred_at":"2026-02-01T00:00:00Z","message_id":{"id":1}}\n'
    expect((await importActivity(database, file('e.ndjson', event), options())).reasons).toMatchObject([
      { reason: 'message_id: … is not a string' },
    ])
  })
})
