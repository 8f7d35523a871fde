import { copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { beforeAll, expect, test } from 'vitest'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { type CliShop, openCliShop, run, startBuilt } from './command.ts'

// A version that a newer Winback applied, and this one cannot read: whoever looks at several goes on with the others.

let database: Database
let here: CliShop['here']
const AGO = new Date(Date.now() - 60_000)
const TOLD = /warning: graded-recall can no longer be read, and it takes nobody in: .*shiny/

beforeAll(async () => {
  ;({ database, here } = await openCliShop())
  await writeFile(join(here.cwd, 'people.csv'), 'external_id,email\nann,ann@example.com\n')
  expect((await run(['import', 'contacts', 'people.csv'], here)).code).toBe(0)
  await copyFile('campaigns/at-risk.yaml', join(here.cwd, 'campaigns/at-risk.yaml'))
  expect((await run(['apply'], here)).code).toBe(0)
  await execute(
    database,
    sql`UPDATE campaign_versions SET source = replace(source, E'\ngoals:', E'\nshiny: true\ngoals:')
        WHERE campaign = 'graded-recall'`,
  )
})

test('explain tells what the others would make of a contact', async () => {
  const { code, stdout, stderr } = await run(['explain', 'ann', '--locale', 'en'], here)
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('at-risk, if it ran now') })
  expect(stderr).toMatch(TOLD)
})

test('run runs the others, and fails all the same; asked for alone, it says why it cannot', async () => {
  const all = await run(['run', '--no-send'], here)
  expect(all.stderr).toMatch(TOLD)
  expect(await rows(database, sql`SELECT campaign FROM runs`)).toEqual([{ campaign: 'at-risk' }])
  expect(all.code).toBe(4)
  const dry = await run(['run', '--dry-run'], here)
  expect(dry.stderr).toMatch(TOLD)
  expect(dry.stdout).toContain('at-risk')
  const alone = await run(['run', 'graded-recall'], here)
  expect({ code: alone.code, stdout: alone.stdout }).toEqual({ code: 1, stdout: '' })
})

test('run sends what is due of the others', async () => {
  await execute(
    database,
    sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        SELECT 1, 1, min(step_id), ${AGO}, ${AGO} FROM steps GROUP BY campaign`,
  )
  const { stderr } = await run(['run', '--locale', 'en'], here)
  expect(stderr).toMatch(/warning: some of what is due was not sent, for its campaign .*shiny/)
  // Nobody's by now, and so at its end.
  expect(
    await rows(
      database,
      sql`SELECT s.campaign, r.state FROM touchpoint_records r JOIN steps s USING (step_id)`,
    ),
  ).toEqual([{ campaign: 'at-risk', state: 'skipped' }])
})

test('what serves begins, and says when the others run', async () => {
  const service = startBuilt(['scheduler', '--locale', 'en'], here)
  await service.says('at-risk: next run')
  service.kill('SIGINT')
  const { code, stderr } = await service.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/graded-recall can no longer be read/)
})
