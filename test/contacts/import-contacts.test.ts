import { appendFileSync, existsSync, readFileSync, utimesSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { ImportProgress } from '../../src/contacts/files/file-import.ts'
import { importActivity, importContacts } from '../../src/contacts/import.ts'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { lockStripe, STRIPE_WIDTH, stripeOf } from '../../src/database/stripes.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { eventually } from '../support/eventually.ts'
import { clock, file, options } from './files.ts'

const contacts = (database: Database) =>
  rows<Record<string, unknown>>(
    database,
    sql`SELECT external_id, email, phone, locale, timezone, signed_up_at, attributes, attributes_at, silent_since
        FROM contacts JOIN contact_activity USING (contact_id) ORDER BY external_id`,
  )
const HEADER = 'external_id,email,phone,locale,timezone,signed_up_at,first_name,points,vip,renewed\n'

describe('importContacts', () => {
  it('makes contacts, typed and normalised, and the same file again changes nothing', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'contacts.csv',
      `${HEADER}u1, Ann@Example.com ,+86 138 0013 8000,zh-CN,Asia/Shanghai,2025-01-05,"Ann, ""A""",12.50,yes,2025-06-01
u2,,,,,,,,,
`,
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({
      rows: 2,
      inserted: 2,
      updated: 0,
      unchanged: 0,
      rejected: 0,
      warnings: 0,
    })
    expect(await contacts(database)).toEqual([
      {
        external_id: 'u1',
        email: 'ann@example.com',
        phone: '+8613800138000',
        locale: 'zh-CN',
        timezone: 'Asia/Shanghai',
        signed_up_at: new Date('2025-01-05T00:00:00Z'),
        attributes: { first_name: 'Ann, "A"', points: 12.5, vip: true, renewed: '2025-06-01T00:00:00.000Z' },
        attributes_at: { points: Date.parse('2026-02-28T00:00:00Z') / 1000 },
        silent_since: new Date('2025-01-05T00:00:00Z'),
      },
      {
        external_id: 'u2',
        email: null,
        phone: null,
        locale: null,
        timezone: null,
        signed_up_at: null,
        attributes: {},
        attributes_at: {},
        silent_since: null,
      },
    ])
    const before = await rows(database, sql`SELECT xmin, * FROM contacts ORDER BY contact_id`)
    const again = await importContacts(database, path, options())
    expect(again).toMatchObject({ rows: 2, inserted: 0, updated: 0, unchanged: 2, rejected: 0 })
    expect(await rows(database, sql`SELECT xmin, * FROM contacts ORDER BY contact_id`)).toEqual(before)
    expect(
      await rows(database, sql`SELECT kind, rows, inserted, unchanged FROM imports ORDER BY import_id`),
    ).toEqual([
      { kind: 'contacts', rows: 2, inserted: 2, unchanged: 0 },
      { kind: 'contacts', rows: 2, inserted: 0, unchanged: 2 },
    ])
  })

  it('keeps the day of the first import, whatever later ones change', async () => {
    const database = await emptiedDatabase()
    const first = new Date('2026-02-01T00:00:00Z')
    const at = (now: Date) => ({ ...options(), clock: { now: () => now } })
    await importContacts(database, file('a.csv', 'external_id,email\nu1,a@example.com\n'), at(first))
    const later = await importContacts(
      database,
      file('b.csv', 'external_id,email\nu1,b@example.com\n'),
      at(new Date('2026-02-20T00:00:00Z')),
    )
    expect(later).toMatchObject({ updated: 1 })
    expect(await rows(database, sql`SELECT email, imported_at FROM contacts`)).toEqual([
      { email: 'b@example.com', imported_at: first },
    ])
  })

  it('overwrites only what a later file carries, and attributes by key', async () => {
    const database = await emptiedDatabase()
    await importContacts(
      database,
      file('a.csv', `${HEADER}u1,ann@example.com,13800138000,en,,2025-01-05,Ann,1,,\nu2,,,,,,Bob,,,\n`),
      options(),
    )
    const later = file('b.csv', 'external_id,phone,points,vip\nu1,,7,no\nu2,,,\n')
    const summary = await importContacts(database, later, options({ asOf: new Date('2026-03-01T00:00:00Z') }))
    expect(summary).toMatchObject({ inserted: 0, updated: 1, unchanged: 1 })
    expect(await contacts(database)).toMatchObject([
      {
        email: 'ann@example.com',
        phone: null,
        locale: 'en',
        attributes: { first_name: 'Ann', points: 7, vip: false },
        attributes_at: { points: Date.parse('2026-03-01T00:00:00Z') / 1000 },
      },
      { attributes: { first_name: 'Bob' } },
    ])
    expect(
      await rows(
        database,
        sql`SELECT external_id FROM contacts WHERE email_key IS NOT NULL OR phone_key IS NOT NULL`,
      ),
    ).toEqual([{ external_id: 'u1' }])
    const signedUp = file('c.csv', 'external_id,signed_up_at,first_name\nu1,2025-02-05,\n')
    await importContacts(database, signedUp, options())
    expect((await contacts(database))[0]).toMatchObject({
      silent_since: new Date('2025-02-05T00:00:00Z'),
      attributes: { points: 7, vip: false },
    })
  })

  it.each([1, 2, 10_000])('counts rows of one contact alike in chunks of %d', async (chunk) => {
    const database = await emptiedDatabase()
    const text =
      'external_id,email,points,vip\na,a@example.com,1,\na,a@example.com,1,\na,b@example.com,1,\na,b@example.com,,\nb,,1,\n'
    const path = file('twice.csv', text)
    expect(await importContacts(database, path, options({ chunk }))).toMatchObject({
      rows: 5,
      inserted: 2,
      updated: 2,
      unchanged: 1,
    })
  })

  it('refuses ids that a spreadsheet has shortened: many would be one contact', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'ids.csv',
      'external_id,email\n1.23457E+11,a@example.com\n1.23457E+11,b@example.com\n#N/A,c@example.com\n12E45,d@example.com\n',
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({ rows: 4, inserted: 1, rejected: 3 })
    expect(summary.reasons).toEqual([
      {
        reason:
          'external_id: … is a number that a spreadsheet shortened; make the column text there, and save it again',
        rows: 2,
        line: 2,
      },
      { reason: 'external_id: … is a formula that failed in a spreadsheet', rows: 1, line: 4 },
    ])
  })

  it('reads ids and numbers without the marks that keep them text in a spreadsheet', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'shopify.csv',
      `external_id,phone,first_name\n'6489473843,'+4915123456789,'t Hooft\n"=""7003""","=""13800138000""",'68er\n`,
    )
    expect(await importContacts(database, path, options())).toMatchObject({ inserted: 2, warnings: 0 })
    expect(await contacts(database)).toMatchObject([
      { external_id: '6489473843', phone: '+4915123456789', attributes: { first_name: "'t Hooft" } },
      { external_id: '7003', phone: '13800138000', attributes: { first_name: "'68er" } },
    ])
  })

  it('refuses ids that were written as fractions, and words for nothing', async () => {
    const database = await emptiedDatabase()
    const ids = file(
      'fractions.csv',
      'external_id,first_name\n7002.0,Mei\nNULL,Li\nNULL,Wu\n7003,Sun\n\u202d7003\u202c,Sun\n',
    )
    const summary = await importContacts(database, ids, options())
    expect(summary).toMatchObject({ inserted: 1, rejected: 4 })
    expect(summary.reasons).toEqual([
      { reason: 'external_id: … is what programs write for nothing', rows: 2, line: 3 },
      {
        reason:
          'external_id: … is a number that was written as a fraction; export the column as text, without the .0',
        rows: 1,
        line: 2,
      },
      {
        reason: 'external_id: … is written with marks that nobody sees; take them out',
        rows: 1,
        line: 6,
      },
    ])
  })

  it('keeps no word for nothing as a name, a language or a day', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'nulls.csv',
      `${HEADER}a,NULL,NULL,NULL,,NULL,NULL,NULL,-,\\N\nb,,,en,,,Null,#N/A,1,2026-01-02\nc,,,,,,-,1,N/A,\n`,
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({ inserted: 3, rejected: 0, warnings: 3 })
    expect(summary.warningReasons).toContainEqual({
      reason: 'kept without attributes.first_name: … is what programs write for nothing',
      rows: 2,
      line: 2,
    })
    expect(await contacts(database)).toMatchObject([
      { external_id: 'a', email: null, phone: null, locale: null, signed_up_at: null, attributes: {} },
      { external_id: 'b', locale: 'en', attributes: { first_name: 'Null', vip: true } },
      { external_id: 'c', attributes: { points: 1 } },
    ])
  })

  it('takes the day nought of MySQL, which WordPress writes for want of another, for none', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'wordpress.csv',
      'external_id,email,signed_up_at\n1,a@example.com,0000-00-00 00:00:00\n2,b@example.com,0000-00-00\n3,c@example.com,2026-00-05\n',
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({ inserted: 2, rejected: 1, warnings: 2 })
    expect(summary.warningReasons).toEqual([
      { reason: 'kept without signed_up_at: … is what programs write for nothing', rows: 2, line: 2 },
    ])
    expect(await contacts(database)).toMatchObject([
      { external_id: '1', email: 'a@example.com', signed_up_at: null },
      { external_id: '2', email: 'b@example.com', signed_up_at: null },
    ])
  })

  it('refuses ids that no address could lead to, whatever they come with', async () => {
    const database = await emptiedDatabase()
    const reasons = [{ reason: 'external_id: … is a step in a path, and no id', rows: 2, line: 2 }]
    const contacts = file(
      'steps.csv',
      'external_id,email\n..,a@example.com\n.,b@example.com\n...,c@example.com\n',
    )
    expect(await importContacts(database, contacts, options())).toMatchObject({ inserted: 1, reasons })
    const activity = file(
      'step-activity.csv',
      'external_id,type,occurred_at\n..,session,2026-01-01\n.,session,2026-01-01\n',
    )
    expect(await importActivity(database, activity, options())).toMatchObject({ inserted: 0, reasons })
  })

  it('takes the last of several rows of one contact, column by column', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'a.ndjson',
      [
        '{"external_id": 1, "email": "a@example.com", "attributes": {"first_name": "Ann", "points": 1}}',
        '{"external_id": 1, "attributes": {"points": null}, "vip": true}',
        '{"external_id": 2, "email": null, "timezone": "Mars/Base"}',
      ].join('\n'),
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({
      rows: 3,
      inserted: 2,
      updated: 1,
      unchanged: 0,
      rejected: 0,
      warnings: 1,
    })
    expect(await contacts(database)).toMatchObject([
      {
        external_id: '1',
        email: 'a@example.com',
        attributes: { first_name: 'Ann', points: null, vip: true },
      },
      { external_id: '2', email: null, timezone: null },
    ])
  })

  it('takes no zone that is an abbreviation: CST is Shanghai’s to one and Chicago’s to another', async () => {
    const database = await emptiedDatabase()
    const path = file('zones.csv', 'external_id,timezone\nu1,CST\nu2,Asia/Shanghai\nu3,UTC\n')
    const summary = await importContacts(database, path, options())
    expect(summary.warningReasons).toEqual([
      { reason: 'kept without time zone: there is no zone …', rows: 1, line: 2 },
    ])
    expect((await contacts(database)).map(({ timezone }) => timezone)).toEqual([null, 'Asia/Shanghai', 'UTC'])
  })

  it('says what an attribute is expected to be written like, and of a phone number that a spreadsheet shortened it', async () => {
    const database = await emptiedDatabase()
    const rowsOf = 'u1,vielleicht,\nu2,,"4,5"\nu3,,viele\n'
    const { reasons } = await importContacts(
      database,
      file('german.csv', `external_id,vip,points\n${rowsOf}`),
      options(),
    )
    expect(reasons.map(({ reason }) => reason)).toEqual([
      'attributes.vip: … is not a bool; expected true or false, yes or no, 1 or 0',
      'attributes.points: … is not a number; expected digits and a point, such as 1234.50, or say --decimal ,',
      'attributes.points: … is not a number; expected digits and a point, such as 1234.50',
    ])
    const phones = file('phones.csv', 'external_id,phone\nu4,"4,91701E+11"\n')
    expect(await importContacts(database, phones, options())).toMatchObject({
      inserted: 1,
      warningReasons: [
        {
          reason:
            'kept without phone: … is a number that a spreadsheet shortened; make the column text there, and save it again',
        },
      ],
    })
  })

  it('reads yes and no as spreadsheets write them in other languages, and as databases do', async () => {
    const database = await emptiedDatabase()
    const said = ['WAHR', 'falsch', 'ja', '是', '否', 'Oui', 't', '0']
    const rowsOf = said.map((word, at) => `u${at},${word}\n`).join('')
    const path = file('vip.csv', `external_id,vip\n${rowsOf}`)
    expect(await importContacts(database, path, options())).toMatchObject({ inserted: 8, rejected: 0 })
    expect((await contacts(database)).map(({ attributes }) => attributes)).toEqual(
      [true, false, true, true, false, true, true, false].map((vip) => ({ vip })),
    )
  })

  it('puts bad rows into the reject file with line and reason, and takes the rest', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'a.csv',
      Buffer.concat([
        Buffer.from(`${HEADER}u1,ann@,12,,Mars/Base,2025-01-05,,,,\n`),
        Buffer.from(
          'u2,,,,,2025-02-30,,,,\nu3,,,,,2027-01-01,,,,\n,,,,,,,,,\nu4,,,,,,,many,,\nu5,,,,,,,,,,,\n',
        ),
        Buffer.from([0x75, 0xff, 0x0a]),
        Buffer.from('u6,bob@,,,Mars/Base,,,,perhaps,\n"u7"x,,,,,,,,,\nu8,,,,,,,,,\n'),
      ]),
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({
      rows: 10,
      inserted: 2,
      rejected: 8,
      // Rows that were taken without something, not what they lack; and not what was rejected.
      warnings: 1,
      rejectFile: `${path}.rejects.csv`,
    })
    expect(summary.reasons).toContainEqual({ reason: 'expected 10 columns, found 12', rows: 1, line: 7 })
    expect(summary.warningReasons).toEqual([
      { reason: 'kept without e-mail: … is not an address', rows: 1, line: 2 },
      { reason: 'kept without phone: … is not a number', rows: 1, line: 2 },
      { reason: 'kept without time zone: there is no zone …', rows: 1, line: 2 },
    ])
    expect((await contacts(database)).map((row) => row.external_id)).toEqual(['u1', 'u8'])
    const lines = readFileSync(`${path}.rejects.csv`, 'utf8').split('\n')
    expect(lines[0]).toBe('line,reason,row')
    expect(lines.slice(1, -1).map((line) => /^(\d+),(.*)/.exec(line)?.slice(1, 3))).toEqual([
      ['2', expect.stringContaining('warning: kept without e-mail')],
      ['2', expect.stringContaining('warning: kept without phone')],
      ['2', expect.stringContaining('Mars/Base')],
      ['3', expect.stringContaining('2025-02-30')],
      ['4', expect.stringContaining('lies in the future')],
      ['5', expect.stringContaining('no external_id')],
      ['6', expect.stringContaining('is not a number')],
      ['7', expect.stringContaining('expected 10 columns, found 12')],
      ['8', expect.stringContaining('not UTF-8')],
      ['9', expect.stringContaining('is not a bool')],
      ['10', expect.stringContaining('text follows a closing quote')],
    ])
    await importContacts(database, file('good.csv', 'external_id\nu9\n'), options())
    expect(existsSync(`${path}.rejects.csv`)).toBe(true)
  })

  it('takes the cells that a spreadsheet leaves away at the end of a row for empty, and no half of a row for a whole', async () => {
    const database = await emptiedDatabase()
    const people =
      'external_id,email,first_name,points\nu1,ann@shop.example,Ann,3\nu2,bob@shop.example,Bob,4\n'
    await importContacts(database, file('a.csv', people), options())
    const path = file('b.csv', 'external_id,email,first_name,points\nu1,ann@shop.example\nu3\nu2,bob@shop.ex')
    expect(await importContacts(database, path, options())).toMatchObject({
      ...{ rows: 3, inserted: 1, updated: 1, rejected: 1, warnings: 0 },
      reasons: [{ reason: 'the file ends within this row: expected 4 columns, found 2', line: 4 }],
    })
    const held = await rows(
      database,
      sql`SELECT external_id, email, attributes FROM contacts ORDER BY external_id`,
    )
    expect(held).toEqual([
      { external_id: 'u1', email: 'ann@shop.example', attributes: {} },
      { external_id: 'u2', email: 'bob@shop.example', attributes: { first_name: 'Bob', points: 4 } },
      { external_id: 'u3', email: null, attributes: {} },
    ])
    // Between runs of spaces, nobody can tell which cell is missing.
    const spaced = file('c.txt', 'external_id email points\nu1 7\n')
    expect(
      await importContacts(database, spaced, options({ mapping: { delimiter: 'whitespace' } })),
    ).toMatchObject({ rejected: 1 })
  })

  it('makes no contact of what a report says below its table', async () => {
    const database = await emptiedDatabase()
    const report = file(
      'report.csv',
      '"Contact ID","Email","First Name"\n"0035g01","ann@shop.example","Ann"\n"0035g02"\n\n\n"Spring report"\n' +
        '"Copyright (c) 2000-2026 a maker of reports. All rights reserved."\n"Generated By:  Ann 2/3/2026 1:10 PM"\n',
    )
    const mapping = { fields: { external_id: 'Contact ID', email: 'Email', first_name: 'First Name' } }
    expect(await importContacts(database, report, options({ mapping }))).toMatchObject({
      ...{ rows: 5, inserted: 2, rejected: 3 },
      reasons: [{ reason: 'expected 3 columns, found 1', rows: 3, line: 6 }],
    })
  })

  it('takes cells of a fixed width without what they are filled with, and those of nothing else for empty', async () => {
    const database = await emptiedDatabase()
    const people = [
      'external_id,first_name,points,vip,renewed,signed_up_at',
      'u1,Ann       ,3  ,yes,2026-01-05 ,2026-01-05 ',
      'u2,          ,   ,   ,           ,           ',
      'u3,Li\u3000\t,4\t,,,',
    ]
    expect(await importContacts(database, file('f.csv', `${people.join('\n')}\n`), options())).toMatchObject({
      inserted: 3,
      rejected: 0,
      warnings: 0,
    })
    const held = await rows(
      database,
      sql`SELECT attributes, signed_up_at AS at FROM contacts ORDER BY external_id`,
    )
    expect(held).toEqual([
      {
        attributes: { first_name: 'Ann', points: 3, vip: true, renewed: '2026-01-05T00:00:00.000Z' },
        at: new Date('2026-01-05'),
      },
      { attributes: {}, at: null },
      { attributes: { first_name: 'Li', points: 4 }, at: null },
    ])
  })

  it('makes no contact of all guests of a shop, whose id is 0', async () => {
    const database = await emptiedDatabase()
    const guests = file(
      'g.csv',
      'external_id,email\n0,ann@shop.example\n0,bob@shop.example\n00,cid@shop.example\n',
    )
    expect(await importContacts(database, guests, options())).toMatchObject({
      ...{ inserted: 1, rejected: 2 },
      reasons: [{ reason: expect.stringContaining('what shops write for all their guests'), rows: 2 }],
    })
  })

  it('makes no contact of all whose id is masked, and no person of those whose addresses are', async () => {
    const database = await emptiedDatabase()
    const masked = file(
      'm.csv',
      'external_id,email,phone\n138****8000,,\na,l***@shop.example,139****9000\nb,l***@shop.example,+8613900139000\n',
    )
    expect(await importContacts(database, masked, options())).toMatchObject({
      ...{ inserted: 2, rejected: 1, warnings: 2 },
      reasons: [{ reason: 'external_id: … is masked; export it whole', line: 2 }],
      warningReasons: [
        { reason: 'kept without e-mail: … is masked; export it whole', rows: 2 },
        { reason: 'kept without phone: … is masked; export it whole', rows: 1 },
      ],
    })
    const persons = await rows(database, sql`SELECT DISTINCT person_id FROM contacts`)
    expect(persons).toHaveLength(2)
  })

  it('counts the rejected by reason, whatever they hold, the most frequent first', async () => {
    const dates = Array.from({ length: 30 }, (_, n) => `{"external_id":"d${n}","signed_up_at":"2025-02-30"}`)
    const strange = [...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) =>
      Array.from(
        { length: 20 },
        (_, n) => `{"external_id":"x","signed_up_at":"${letter}-${n} \\"of\\" May"}`,
      ),
    )
    const path = file(
      'a.ndjson',
      [
        '{"external_id":"u1"}',
        ...dates,
        ...strange,
        '{"external_id":"u2","points":[1,2]}',
        '{"external_id":"u3","points":{"a":"b"}}',
        '{"external_id":"u4","signed_up_at":"2031-01-01"}',
        '{"external_id":"u5","signed_up_at":"2032-01-01"}',
        'no JSON',
        '{"broken":',
      ].join('\n'),
    )
    const summary = await importContacts(await emptiedDatabase(), path, options())
    const iso = 'expected ISO 8601 such as 2026-01-05T08:30:00Z, or say how it is written with --date-format'
    expect(summary.reasons).toEqual([
      { reason: `signed_up_at: … is not a date; ${iso} (such as dd.mm.yyyy)`, rows: 520, line: 32 },
      { reason: 'signed_up_at: … is not a date that exists', rows: 30, line: 2 },
      {
        reason: 'attributes.points: … is not a number; expected digits and a point, such as 1234.50',
        rows: 2,
        line: 552,
      },
      { reason: 'signed_up_at: … lies in the future', rows: 2, line: 554 },
      { reason: 'malformed JSON', rows: 2, line: 556 },
    ])
  })

  it('names the columns it did not use, and what may have been meant', async () => {
    const path = file('a.csv', 'external_id,e-mail,shoe_size,locale,locale\nu1,ann@example.com,39,en,de\n')
    expect(await importContacts(await emptiedDatabase(), path, options())).toMatchObject({
      inserted: 1,
      unused: [{ column: 'e-mail', meant: 'email' }, { column: 'shoe_size' }, { column: 'locale' }],
    })
  })

  it('refuses a mapping that does not fit before anything is read', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', 'id,mail\nu1,ann@example.com\n')
    await expect(importContacts(database, path, options())).rejects.toMatchObject({
      code: 'import.mapping',
      message: 'no column is mapped to external_id',
      remedy: expect.stringContaining('id, mail'),
    })
    const mapped = (fields: Record<string, string>) =>
      importContacts(database, path, options({ mapping: { fields } }))
    await expect(mapped({ external_id: 'id', email: 'mial' })).rejects.toMatchObject({
      message: 'the file has no column "mial" for email',
      remedy: expect.stringContaining('did you mean "mail"'),
    })
    await expect(mapped({ external_id: 'id', emial: 'mail' })).rejects.toMatchObject({
      message: 'there is no field "emial"',
      remedy: expect.stringContaining('email'),
    })
    expect(await rows(database, sql`SELECT FROM imports`)).toEqual([])
    expect(await mapped({ external_id: 'id', email: 'mail' })).toMatchObject({ inserted: 1 })
    await expect(importContacts(database, file('e.csv', ''), options())).rejects.toThrow('is empty')
    await expect(importContacts(database, 'nowhere.csv', options())).rejects.toThrow(
      'nowhere.csv cannot be read: there is no such file',
    )
    const unnamed = file('n.csv', 'u1,ann@example.com\nu2,bob@example.com\n')
    await expect(importContacts(database, unnamed, options())).rejects.toMatchObject({
      remedy: expect.stringContaining('say --no-header and --map external_id=1'),
    })
    for (const [note, said] of [
      ['#支付宝业务明细查询', '#支付宝业务明细查询'],
      ['Bill of May,', 'Bill of May'],
    ]) {
      const noted = file('note.csv', `${note}\nid,mail\nu1,ann@example.com\n`)
      await expect(
        importContacts(database, noted, options({ mapping: { fields: { external_id: 'id' } } })),
      ).rejects.toMatchObject({
        remedy: expect.stringMatching(new RegExp(`^Its first line says "${said}" alone: .*tail -n \\+2`)),
      })
    }
    const single = file('single.csv', 'Email Address\nann@example.com\n')
    await expect(importContacts(database, single, options())).rejects.toMatchObject({
      remedy: expect.stringContaining("The file's columns are Email Address."),
    })
    const twice = file('t.csv', 'external_id,email,email\nu1,old@example.com,new@example.com\n')
    expect(await importContacts(database, twice, options())).toMatchObject({
      unused: [{ column: 'email', meant: 'email', number: 3 }],
    })
    expect(
      await importContacts(database, twice, options({ mapping: { fields: { email: 3 } } })),
    ).toMatchObject({ updated: 1 })
    const macs = file('m.csv', 'external_id,email\ru1,ann@example.com\r')
    await expect(importContacts(database, macs, options())).rejects.toThrow('a carriage return alone')
    const excels = file('excel.csv', '\uFEFFsep=;\r\nexternal_id;email\r\nu1;u1@example.com\r\n')
    await expect(importContacts(database, excels, options())).rejects.toMatchObject({
      message: 'its first line, `sep=;`, is a word to Excel and no header',
      remedy: "Take that line out (tail -n +2), and say --delimiter ';'.",
    })
  })

  it('finds columns by their names beside those that are mapped', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', 'id,email,first_name,Points\nu1,ann@example.com,Ann,3\n')
    await importContacts(
      database,
      path,
      options({ mapping: { fields: { external_id: 'id', points: 'Points' } } }),
    )
    expect(await contacts(database)).toMatchObject([
      { external_id: 'u1', email: 'ann@example.com', attributes: { first_name: 'Ann', points: 3 } },
    ])
  })

  it('says that the file was written to while it was read', async () => {
    const path = file('a.csv', 'external_id\nu1\nu2\n')
    const onProgress = ({ rows }: ImportProgress) => {
      if (rows === 2) appendFileSync(path, 'u3\n')
    }
    const database = await emptiedDatabase()
    expect(await importContacts(database, path, options({ chunk: 1, onProgress }))).toMatchObject({
      changed: true,
    })
    expect(await importContacts(database, path, options())).toMatchObject({ changed: false })
  })

  it('goes on where an interrupted import stopped', async () => {
    const database = await emptiedDatabase()
    const lines = Array.from({ length: 50 }, (_, n) => `u${n},u${n % 40}@example.com`)
    const path = file('a.csv', `external_id,email\n${lines.join('\n')}\n`)
    let cut = true
    // Cut for as long as it lasts: two lanes load side by side, and which of them links persons first is chance.
    const hooks = {
      onMerged: async () => {
        if (cut) throw new Error('power cut')
      },
    }
    await importContacts(database, path, options({ chunk: 7 }))
    expect(await rows(database, sql`SELECT FROM contacts`)).toHaveLength(50)
    const moved = file(
      'b.csv',
      'external_id,email\nu60,x@example.com\nu61,y@example.com\nu11,u12@example.com\nu62,\nu13,u14@example.com\n',
    )
    await expect(importContacts(database, moved, options({ chunk: 2, hooks }))).rejects.toThrow('power cut')
    const ids = await rows(database, sql`SELECT external_id FROM contacts`)
    expect(ids).toContainEqual({ external_id: 'u61' })
    expect(ids).not.toContainEqual({ external_id: 'u62' })
    expect(
      await rows(database, sql`SELECT finished_at FROM imports ORDER BY import_id DESC LIMIT 1`),
    ).toEqual([{ finished_at: null }])
    cut = false
    expect(await importContacts(database, moved, options({ chunk: 2, hooks }))).toMatchObject({ rejected: 0 })
    expect(await importContacts(database, moved, options())).toMatchObject({ unchanged: 5 })
    expect(
      await rows(
        database,
        sql`SELECT string_agg(external_id, ' ' ORDER BY external_id) AS ids FROM contacts
            GROUP BY person_id HAVING bool_or(external_id IN ('u11', 'u13')) ORDER BY 1`,
      ),
    ).toEqual([{ ids: 'u11 u12' }, { ids: 'u13 u14' }])
  })

  it('takes the file’s own time for the age of its values, so that the file again is no change', async () => {
    const database = await emptiedDatabase()
    const path = file('a.csv', 'external_id,points\nu1,3\n')
    utimesSync(path, 1_700_000_000, 1_700_000_000)
    const { asOf: _, ...unaged } = options()
    await importContacts(database, path, unaged)
    expect((await contacts(database))[0]).toMatchObject({ attributes_at: { points: 1_700_000_000 } })
    expect(await importContacts(database, path, unaged)).toMatchObject({ unchanged: 1, updated: 0 })
  })

  it('rejects a value that PostgreSQL cannot hold, and takes the rows around it', async () => {
    const database = await emptiedDatabase()
    const path = file(
      'a.ndjson',
      [
        String.raw`{"external_id":"u1","first_name":"whole \ud83d\ude00 and \\u0000 and \\ud83d"}`,
        String.raw`{"external_id":"a\u0000b"}`,
        String.raw`{"external_id":"abc\ud83d"}`,
        String.raw`{"external_id":"u2","first_name":"abc\ud83d"}`,
        String.raw`{"external_id":"u3","first_name":"a\u0000"}`,
        String.raw`{"external_id":"u4","email":"\ud83d@example.com"}`,
        String.raw`{"external_id":"u5","email":"a\u0000b@example.com"}`,
        String.raw`{"external_id":"u6","locale":"e\udc00"}`,
        String.raw`{"external_id":"u7","timezone":"e\u0000"}`,
        String.raw`{"external_id":"u8","phone":"1380013800\u00000"}`,
        '{"external_id":"u9"}',
      ].join('\n'),
    )
    const summary = await importContacts(database, path, options())
    expect(summary).toMatchObject({ rows: 11, inserted: 2, rejected: 9, warnings: 0 })
    expect(await contacts(database)).toMatchObject([
      { external_id: 'u1', attributes: { first_name: 'whole \u{1f600} and \\u0000 and \\ud83d' } },
      { external_id: 'u9' },
    ])
    const rejected = readFileSync(`${path}.rejects.csv`, 'utf8').split('\n').slice(1, -1)
    expect(rejected.map((line) => line.split(',').slice(0, 2).join(' '))).toEqual([
      '2 external_id: holds a NUL character',
      expect.stringContaining('external_id: holds half of a surrogate pair'),
      expect.stringContaining('attributes.first_name: holds half'),
      '5 attributes.first_name: holds a NUL character',
      expect.stringContaining('email: holds half'),
      '7 email: holds a NUL character',
      expect.stringContaining('locale: holds half'),
      '9 timezone: holds a NUL character',
      '10 phone: holds a NUL character',
    ])
  })

  it('merges by the size of the rows too, and rejects a row that is too large by itself', async () => {
    const database = await emptiedDatabase()
    const name = 'x'.repeat(60_000)
    const lines = Array.from({ length: 300 }, (_, n) => `u${n},${name}`)
    const path = file(
      'a.csv',
      `external_id,first_name\n${lines.join('\n')}\nhuge,${'y'.repeat(1_000_001)}\nu300,z\n`,
    )
    const merged: number[] = []
    const summary = await importContacts(
      database,
      path,
      options({ onProgress: ({ rows, indexing }) => void (indexing ?? merged.push(rows)) }),
    )
    expect(summary).toMatchObject({ rows: 302, inserted: 301, rejected: 1 })
    expect(merged).toHaveLength(3)
    expect(readFileSync(`${path}.rejects.csv`, 'utf8')).toContain(
      '302,the line is longer than a million characters',
    )
  })

  it('merges two persons wholly before or wholly after a selection of the one that stays', async () => {
    const database = await emptiedDatabase()
    await importContacts(database, file('a.csv', 'external_id,email\nstays,a@example.com\n'), options())
    // In another stripe: the merge has no other reason to wait for the selection.
    await rows(database, sql`SELECT setval('contacts_contact_id_seq', ${STRIPE_WIDTH * 2})`)
    await importContacts(database, file('b.csv', 'external_id,email\nmoves,b@example.com\n'), options())
    const ids = await rows<{ contact_id: number }>(database, sql`SELECT contact_id FROM contacts ORDER BY 1`)
    const [stays = 0, moves = 0] = ids.map(({ contact_id }) => contact_id)
    expect(stripeOf(moves)).not.toBe(stripeOf(stays))
    let seen: unknown
    const hooks = {
      onMerged: async (tx: Parameters<typeof rows>[0]) => {
        seen = await rows(tx, sql`SELECT contact_id FROM episodes WHERE ended_at IS NULL`)
      },
    }
    const path = file('c.csv', 'external_id,email\nmoves,a@example.com\n')
    let merge: Promise<unknown> | undefined
    await transaction(database, async (selection) => {
      await lockStripe(selection, stripeOf(stays))
      let done = false
      merge = importContacts(database, path, options({ hooks })).finally(() => {
        done = true
      })
      const waiting = sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`
      await eventually(
        'the merge waits, or is over',
        async () => done || (await rows(database, waiting)).length > 0,
        (settled) => settled,
      )
      await execute(
        selection,
        sql`INSERT INTO episodes (contact_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier,
              segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
            VALUES (${stays}, 'winback', 1, 'winback', ${stays}, 1, 'treated', 'coupon', 'all', ${clock.now()},
              ${clock.now()}, ${clock.now()}, ${clock.now()}, 0)`,
      )
    })
    expect(await merge).toMatchObject({ updated: 1 })
    expect(seen).toEqual([{ contact_id: stays }])
    expect(await rows(database, sql`SELECT DISTINCT person_id FROM contacts`)).toEqual([{ person_id: stays }])
  })
})
