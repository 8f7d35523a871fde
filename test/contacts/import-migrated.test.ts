import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { importConsents, importSends } from '../../src/contacts/import.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { outsideSendsSql } from '../../src/database/outside-sends.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'
import { clock, file, options } from './files.ts'

const SENDS = `external_id,channel,sent_at,topic
u1,email,2026-02-01T08:00:00Z,news
u1,email,2026-02-01T08:00:00Z,news
u1,sms,2026-02-02T08:00:00Z,
u2,email,2026-02-03T08:00:00Z,
u3,emial,2026-02-03T08:00:00Z,
u4,email,2027-02-03T08:00:00Z,
u5,email,,
`

it('keeps the sends of another system once, and says what it cannot use', async () => {
  const database = await emptiedDatabase()
  const path = file('sends.csv.gz', gzipSync(SENDS))
  const summary = await importSends(database, path, options())
  expect(summary).toMatchObject({ rows: 7, inserted: 3, unchanged: 1, rejected: 3 })
  const rejects = readFileSync(summary.rejectFile ?? '', 'utf8')
  expect(rejects).toMatch(/channel: "+emial"+ is none of .*email/)
  expect(rejects).toMatch(/lies in the future/)
  expect(rejects).toMatch(/there is no sent_at/)
  expect(await importSends(database, path, options())).toMatchObject({ inserted: 0, unchanged: 4 })

  const [count] = await rows<{ all: number; sms: number; later: number }>(
    database,
    sql`SELECT ${outsideSendsSql(sql`c.contact_id`, { after: sql`'-infinity'::timestamptz`, upTo: clock.now() })} AS all,
      ${outsideSendsSql(sql`c.contact_id`, { after: sql`'-infinity'::timestamptz`, upTo: clock.now(), channel: sql`'sms'` })} AS sms,
      ${outsideSendsSql(sql`c.contact_id`, { after: sql`'2026-02-01T08:00:00Z'::timestamptz`, upTo: clock.now() })} AS later
      FROM contacts c WHERE c.external_id = 'u1'`,
  )
  expect(count).toEqual({ all: 2, sms: 1, later: 1 })
})

it('leaves out a send whose topic no index would hold, such as a whole text, and takes the others', async () => {
  const database = await emptiedDatabase()
  const text = Array.from({ length: 6000 }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 20_000)))
  const row = (id: string, topic: string) =>
    `${JSON.stringify({ external_id: id, channel: 'email', sent_at: '2026-02-01T08:00:00Z', topic })}\n`
  const path = file('sends.ndjson', row('t1', text.join('')) + row('t2', 'news'))
  const summary = await importSends(database, path, options())
  expect(summary).toMatchObject({ inserted: 1, rejected: 1 })
  expect(readFileSync(summary.rejectFile ?? '', 'utf8')).toContain('topic: longer than 100 characters')
})

it('takes NDJSON with paths, and contacts nobody knew', async () => {
  const database = await emptiedDatabase()
  const path = file('sends.ndjson', '{"user":{"id":"n1"},"via":"email","at":1769932800}\n')
  const mapping = {
    fields: { external_id: 'user.id', channel: 'via', sent_at: 'at' },
    date_format: 'epoch',
  }
  expect(await importSends(database, path, options({ mapping }))).toMatchObject({ inserted: 1, rejected: 0 })
  const found = await rows(
    database,
    sql`SELECT external_id, sent_at FROM outside_sends JOIN contacts USING (contact_id)`,
  )
  expect(found).toEqual([{ external_id: 'n1', sent_at: new Date('2026-02-01T08:00:00Z') }])
})

it('keeps consents under their own time; a later withdrawal holds', async () => {
  const database = await emptiedDatabase()
  const path = file(
    'consents.csv',
    `external_id,channel,decision,decided_at,wording,proof
u1,sms,given,2026-01-01T00:00:00Z,v1,form 7
u1,sms,unsubscribed,2026-01-05T00:00:00Z,,
u2,sms,YES,2026-01-02T00:00:00Z,v1,
u2,sms,perhaps,2026-01-02T00:00:00Z,,
`,
  )
  expect(await importConsents(database, path, options())).toMatchObject({ inserted: 3, rejected: 1 })
  expect(await importConsents(database, path, options())).toMatchObject({ inserted: 0, unchanged: 3 })
  const kept = await rows(
    database,
    sql`SELECT external_id, channel, decision, decided_at, wording, source, proof
      FROM consents JOIN contacts USING (contact_id) ORDER BY external_id, decided_at`,
  )
  expect(kept).toEqual([
    {
      external_id: 'u1',
      channel: 'sms',
      decision: 'given',
      decided_at: new Date('2026-01-01T00:00:00Z'),
      wording: 'v1',
      source: 'import of consents.csv',
      proof: 'form 7',
    },
    expect.objectContaining({ external_id: 'u1', decision: 'withdrawn', wording: null }),
    expect.objectContaining({ external_id: 'u2', decision: 'given' }),
  ])
})

it('reads a decision in the words of other systems, and guesses none', async () => {
  const database = await emptiedDatabase()
  const words = [
    'OPT_IN',
    'opted out',
    'Opt-In',
    'granted',
    '0',
    'constructor',
    'never_subscribed',
    'pending',
  ]
  const lines = words.map((word, n) => `u${n},sms,${word},2026-01-01`)
  const path = file('words.csv', `external_id,channel,decision,decided_at\n${lines.join('\n')}\n`)
  expect(await importConsents(database, path, options())).toMatchObject({ inserted: 5, rejected: 3 })
  const kept = await rows(
    database,
    sql`SELECT decision, string_agg(external_id, ' ' ORDER BY external_id) AS ids
        FROM consents JOIN contacts USING (contact_id) GROUP BY decision ORDER BY decision`,
  )
  expect(kept).toEqual([
    { decision: 'given', ids: 'u0 u2 u3' },
    { decision: 'withdrawn', ids: 'u1 u4' },
  ])
})

it('reads a decision as a spreadsheet writes yes and no in its language, and psql', async () => {
  const database = await emptiedDatabase()
  const words = ['WAHR', 'FALSCH', 'Oui', 'non', '是', '否', 't', 'f']
  const lines = words.map((word, n) => `u${n},email,${word},2026-01-01`)
  const path = file('booleans.csv', `external_id,channel,decision,decided_at\n${lines.join('\n')}\n`)
  expect(await importConsents(database, path, options())).toMatchObject({ inserted: 8, rejected: 0 })
  const kept = await rows(
    database,
    sql`SELECT external_id AS id, decision FROM consents JOIN contacts USING (contact_id) ORDER BY external_id`,
  )
  expect(kept).toEqual(words.map((_, n) => ({ id: `u${n}`, decision: n % 2 === 0 ? 'given' : 'withdrawn' })))
})

it('takes an empty cell for nobody’s consent, and every row of a list of those who agreed for one', async () => {
  const database = await emptiedDatabase()
  const asked = file(
    'asked.csv',
    'external_id,channel,decision,decided_at\nu1,sms,,2026-01-01\nu2,sms,NULL,2026-01-01\nu3,sms,yes,2026-01-01\n',
  )
  expect(await importConsents(database, asked, options())).toMatchObject({
    inserted: 1,
    reasons: [{ reason: 'there is no decision', rows: 2, line: 2 }],
  })
  const agreed = file('agreed.csv', 'external_id,channel,decided_at\nu1,sms,2026-01-01\n')
  expect(await importConsents(database, agreed, options())).toMatchObject({ inserted: 1, rejected: 0 })
  const lines = file(
    'asked.ndjson',
    '{"external_id":"u4","channel":"sms","decision":null,"decided_at":"2026-01-01"}\n{"external_id":"u5","channel":"sms","decided_at":"2026-01-01"}\n',
  )
  expect(await importConsents(database, lines, options())).toMatchObject({ inserted: 1, rejected: 1 })
})

it('leaves alone whom another system has written to often enough since they were last active', async () => {
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: { reentry: { unanswered: '3 sends' } },
  })
  const at = (days: number) => new Date(START.getTime() - days * DAY * 1000)
  const tired = await pipeline.addContact({ silentSince: at(5) })
  const fresh = await pipeline.addContact({ silentSince: at(5) })
  const send = (contact: number, days: number) =>
    execute(
      pipeline.database,
      sql`INSERT INTO outside_sends VALUES (${contact}, ${at(days)}, 'email', '', ${START})`,
    )
  for (const days of [1, 2, 3]) await send(tired, days)
  // Before the last activity they say nothing.
  for (const days of [4, 6, 7, 8]) await send(fresh, days)
  expect((await pipeline.runNow()).answers).toEqual({ sunset: 1, opened: 1 })
  const opened = await rows(pipeline.database, sql`SELECT contact_id FROM episodes`)
  expect(opened).toEqual([{ contact_id: fresh }])
})
