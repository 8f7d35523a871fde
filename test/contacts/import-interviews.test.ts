import { readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { LEAVING_REASONS, reasonSaid } from '../../src/config/reasons.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { importInterviews } from '../../src/contacts/interviews.ts'
import { rows } from '../../src/database/connect.ts'
import { leavingSheet, readLeaving } from '../../src/reports/leaving.ts'
import { freshDatabase } from '../support/database.ts'
import { file, options } from './files.ts'

const ANSWERS = `external_id,reason,said_at,note
u1,price,2026-01-05T08:00:00Z,half of what it was
u1,价格太高,2026-01-05T08:00:00Z,the same answer again
u2,The tea was stale,2026-01-06T08:00:00Z,
nobody,price,2026-01-06T08:00:00Z,
u2,,2026-01-06T08:00:00Z,
u2,price,,
u2,price,2099-01-06T08:00:00Z,
`

it('keeps what interviews heard once, in the codes of the one list, and says what it cannot use', async () => {
  const database = await freshDatabase()
  await importContacts(database, file('people.csv', 'external_id\nu1\nu2\n'), options())
  const path = file('survey.csv', ANSWERS)
  const summary = await importInterviews(database, path, options())
  expect(summary).toMatchObject({ kind: 'interviews', rows: 7, inserted: 2, rejected: 4 })
  const rejects = readFileSync(summary.rejectFile ?? '', 'utf8')
  for (const says of [
    /nobody has the external_id/,
    /there is no reason/,
    /there is no said_at/,
    /lies in the future/,
  ])
    expect(rejects).toMatch(says)
  expect(await importInterviews(database, path, options())).toMatchObject({ inserted: 0, rejected: 4 })
  expect(
    await rows(
      database,
      sql`SELECT c.external_id AS who, g.source, g.reason, g.note FROM reasons_given g JOIN contacts c USING (contact_id)
          ORDER BY 1`,
    ),
  ).toEqual([
    { who: 'u1', source: 'interview', reason: 'price', note: 'half of what it was' },
    { who: 'u2', source: 'interview', reason: 'other', note: 'The tea was stale' },
  ])
  // The reasons report counts them in its own words, and shows nothing of what was written beside.
  const report = await readLeaving(database, {
    campaign: 'any',
    now: new Date('2026-02-01'),
    split: new Map(),
  })
  const given = (locale: string) => {
    const { tables } = leavingSheet(report, {
      locale,
      timezone: 'UTC',
      currency: 'CNY',
      color: false,
      width: 100,
    })
    return tables.find(({ id }) => id === 'given')?.rows.map((cells) => cells.map(({ text }) => text))
  }
  expect(given('en')).toEqual([
    [LEAVING_REASONS.other.en, 'in an interview', '1'],
    [LEAVING_REASONS.price.en, 'in an interview', '1'],
  ])
  expect(given('zh-CN')?.map(([why]) => why)).toEqual([
    LEAVING_REASONS.other['zh-CN'],
    LEAVING_REASONS.price['zh-CN'],
  ])
})

it('cuts what is too long between two characters, and keeps the answer', async () => {
  const database = await freshDatabase()
  await importContacts(database, file('people.csv', 'external_id\nu1\n'), options())
  const note = `${'x'.repeat(1999)}😀 and more`
  const path = file('long.csv', `external_id,reason,said_at,note\nu1,price,2026-01-05T08:00:00Z,${note}\n`)
  expect(await importInterviews(database, path, options())).toMatchObject({ inserted: 1, rejected: 0 })
  expect(await rows(database, sql`SELECT note FROM reasons_given`)).toEqual([{ note: 'x'.repeat(1999) }])
})

it('knows a reason by its code and by its words in both languages, and by nothing more', () => {
  for (const [code, words] of Object.entries(LEAVING_REASONS)) {
    for (const said of [code, words.en, ` ${words['zh-CN']}。`, words.en.toUpperCase()])
      expect(reasonSaid(said)).toBe(code)
  }
  expect(reasonSaid('Too expensive, but I like it')).toBeUndefined()
  expect(reasonSaid('toString')).toBeUndefined()
})
