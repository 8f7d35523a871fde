import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type Database, execute, rows } from '../../src/database/connect.ts'
import type { OverviewData } from '../../src/reports/overview/overview.ts'
import { run as winback } from '../cli/command.ts'
import { freshDatabase } from '../support/database.ts'
import { type CaptureServer, startSmtp } from '../support/smtp.ts'

// Real purchases (CDNOW, 1997–98), imported through the command line and replayed week by week over real SMTP. Nobody
// in 1997 got that mail: an honest report finds people coming back, and no effect.

const ORDERS = fileURLToPath(new URL('../../../shared/data/cdnow-orders.txt', import.meta.url))
const present = existsSync(ORDERS)
if (!present)
  console.warn(`\n*** ${ORDERS} is absent: THE ACCEPTANCE TEST ON REAL PURCHASES IS SKIPPED ***\n`)

const CAMPAIGN = `
version: 1
campaign: weekly
title: Weekly recall
schedule: "0 0 * * 2"
timezone: UTC
goals: { recall: { event: order } }
window: 16w
holdout: 10%
limits: { max_delay: 7d }
tiers:
  - name: first
    inactive: 3w..7w
    steps: [{ id: hello, channel: email, template: hello }]
  - name: second
    inactive: 7w..15w
    steps: [{ id: again, channel: email, template: hello }]
  - name: third
    inactive: 15w..40w
    steps: [{ id: letter, channel: email, template: hello }]
`

interface Report {
  readonly runs: number
  readonly settled: Readonly<Record<string, number>>
  readonly campaigns: readonly OverviewData[]
}

describe.skipIf(!present)('CDNOW', () => {
  const folder = mkdtempSync(join(tmpdir(), 'winback-cdnow-'))
  let database: Database
  let smtp: CaptureServer
  let report: Report
  const run = (...words: string[]) =>
    winback([...words, '--json'], { cwd: folder, env: { DATABASE_URL: database.url } })

  beforeAll(async () => {
    database = await freshDatabase()
    smtp = await startSmtp()
    write(smtp.port)
    expect((await run('validate')).code).toBe(0)
    expect((await run('apply')).code).toBe(0)
    // The draws are the campaign's own and random; a test wants the same people held out each time.
    await execute(database, sql`UPDATE campaigns SET salt = 'cdnow'`)
    expect((await run('import', 'contacts', 'contacts.csv')).code).toBe(0)
    const imported = await run(...importOrders)
    expect(JSON.parse(imported.stdout)).toMatchObject({ rows: 6919, inserted: 6919, rejected: 0 })
    const replayed = await run(
      'replay',
      '--from',
      '1997-04-01',
      '--to',
      '1998-06-30',
      '--step',
      '1d',
      '--deliver',
    )
    expect(replayed.code, replayed.stderr).toBe(0)
    report = JSON.parse(replayed.stdout)
  }, 180_000)
  afterAll(async () => {
    await smtp.stop()
    rmSync(folder, { recursive: true })
  })

  const importOrders = [
    ...[
      'import',
      'activity',
      ORDERS,
      '--delimiter',
      'whitespace',
      '--no-header',
      '--date-format',
      'yyyymmdd',
    ],
    ...['--map', 'external_id=1', '--map', 'occurred_at=3', '--map', 'value=5', '--set', 'type=order'],
    ...['--reject-file', 'rejects.csv'],
  ]

  function write(port: number): void {
    const ids =
      readFileSync(ORDERS, 'utf8')
        .match(/^\s*\d+/gm)
        ?.map((id) => id.trim()) ?? []
    const lines = [...new Set(ids)].map((id) => `${id},${id}@cdnow.example`)
    writeFileSync(join(folder, 'contacts.csv'), ['external_id,email', ...lines, ''].join('\n'))
    writeFileSync(
      join(folder, 'winback.yaml'),
      `version: 1\nname: CDNOW\ntimezone: UTC\ncurrency: USD\nlocales: [en]\nactivity: [order]\nchannels:\n  email:\n    from: CDNOW <hello@cdnow.example>\n    smtp: { host: 127.0.0.1, port: ${port} }\n`,
    )
    for (const [name, text] of [
      ['campaigns/weekly.yaml', CAMPAIGN],
      ['templates/hello.en.hbs', '---\nsubject: We miss you\n---\n<p>Come back to {{workspace.name}}.</p>\n'],
    ] as const) {
      const file = join(folder, name)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
  }

  it('finds the 856 contacts of the first band on 1997-04-01, not the 496 that later orders would leave', async () => {
    const replay = connect(database.url, { schema: 'winback_replay' })
    const [first] = await rows<{ contacts: number }>(
      replay,
      sql`SELECT sum(contacts)::bigint AS contacts FROM runs JOIN run_answers USING (run_id)
        WHERE as_of = '1997-04-01' AND tier = 'first'`,
    )
    await replay.close()
    expect(first?.contacts).toBe(856)
  })

  it('sees people come back, and no effect of mail that nobody got', () => {
    const { treated, difference } = report.campaigns[0]?.overall ?? {}
    expect(treated?.rate).toMatchObject({ kind: 'estimate' })
    if (treated?.rate.kind !== 'estimate' || difference?.kind !== 'estimate')
      throw new Error('not enough data')
    expect(treated.rate.low).toBeGreaterThan(0.15)
    expect(difference.low).toBeLessThan(0)
    expect(difference.high).toBeGreaterThan(0)
  })

  it('reconciles, and delivered exactly one mail for each sent touchpoint over SMTP', async () => {
    expect(report.campaigns[0]?.reconciliation).toMatchObject({ holds: true, off: [] })
    expect(report.runs).toBe(66)
    expect(smtp.messages.length).toBe(report.settled.sent)
    const keys = smtp.messages.map((message) => message.header('X-Winback-Touchpoint'))
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys.length).toBeGreaterThan(5000)
  })

  it('imports the same file again without changing anything', async () => {
    const again = await run(...importOrders)
    expect(JSON.parse(again.stdout)).toMatchObject({ rows: 6919, inserted: 0, unchanged: 6919 })
  })
})
