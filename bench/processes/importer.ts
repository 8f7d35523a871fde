import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { manualClock } from '../../src/clock.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { connect } from '../../src/database/connect.ts'
import { serve } from '../child.ts'
import { NOW, openWorkspace } from '../workspace.ts'

// The import and its floor, which is COPY of the same file through the same driver into one plain table.

export interface Task {
  readonly url: string
  readonly file: string
  readonly plain: boolean
}
export interface Answer {
  readonly seconds: number
  readonly rows: number
}

serve<Task, Answer, number>(async ({ url, file, plain }, note) => {
  if (plain) return copyPlainly(url, file)
  const workspace = await openWorkspace()
  const database = connect(url)
  const started = performance.now()
  const summary = await importContacts(database, file, {
    workspace: workspace.definition,
    clock: manualClock(NOW),
    asOf: NOW,
    onProgress: ({ rows }) => note(rows),
  })
  const seconds = (performance.now() - started) / 1000
  await database.close()
  if (summary.rejected > 0) throw new Error(`${summary.rejected} rows were rejected: ${summary.rejectFile}`)
  return { seconds, rows: summary.inserted }
})

async function copyPlainly(url: string, file: string): Promise<Answer> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`CREATE TABLE plain (external_id text PRIMARY KEY, email text, phone text, locale text,
    timezone text, signed_up_at timestamptz, status text, first_name text, cart_items numeric)`)
  const started = performance.now()
  const copy = client.query(copyFrom('COPY plain FROM STDIN WITH (FORMAT csv, HEADER)'))
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), copy)
  const seconds = (performance.now() - started) / 1000
  const counted = await client.query<{ n: string }>('SELECT count(*) AS n FROM plain')
  await client.end()
  return { seconds, rows: Number(counted.rows[0]?.n) }
}
