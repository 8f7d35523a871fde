import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { openCliShop, run } from './command.ts'

test('a plan by other types of activity says by which its figures are, and changes nobody’s; a run does', async () => {
  const { database, here } = await openCliShop()
  const put = (name: string, lines: readonly string[]) =>
    writeFile(join(here.cwd, name), lines.map((line) => `${line}\n`).join(''))
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString()
  const campaign = oneTierCampaign('spring', ['{ id: remind, channel: log, template: come-back }'])
  await writeFile(join(here.cwd, 'campaigns', 'spring.yaml'), campaign)
  await put('people.csv', ['external_id,email', 'ada,ada@example.com'])
  await put('seen.csv', ['external_id,type,occurred_at', `ada,session,${day(9)}`, `ada,visit,${day(4)}`])
  for (const args of [
    ['import', 'contacts', 'people.csv'],
    ['import', 'activity', 'seen.csv'],
    ['apply', 'spring'],
  ])
    expect(await run(args, here)).toMatchObject({ code: 0 })
  const counted = () => rows(database, sql`SELECT activity_count AS times FROM contact_activity`)
  const file = join(here.cwd, 'winback.yaml')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/^activity: .*$/m, 'activity: [session, visit]'))
  const said = 'counts other types as activity'
  for (const args of [
    ['plan', 'spring'],
    ['run', 'spring', '--dry-run'],
  ]) {
    expect(await run(args, here)).toMatchObject({ code: 0, stderr: expect.stringContaining(said) })
    expect(await counted()).toEqual([{ times: 1 }])
  }
  expect(await run(['run', 'spring'], here)).toMatchObject({ code: 0 })
  expect(await counted()).toEqual([{ times: 2 }])
  const { stderr } = await run(['plan', 'spring'], here)
  expect(stderr).not.toContain(said)
})
