import { existsSync } from 'node:fs'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Database, rows } from '../../src/database/connect.ts'
import { type CliShop, openCliShop, run as winback } from '../cli/command.ts'

// The campaign of the design, as it is written, in the workspace that `init` makes: from validate to its first run.

const EXAMPLE = fileURLToPath(new URL('../../../shared/design/campaign-example.yaml', import.meta.url))
const present = existsSync(EXAMPLE)
if (!present) console.warn(`\n*** ${EXAMPLE} is absent: THE TEST OF THE DESIGN'S CAMPAIGN IS SKIPPED ***\n`)

describe.skipIf(!present)('the campaign of the design', () => {
  let database: Database
  let here: CliShop['here']
  const run = (...words: string[]) => winback(words, here)

  beforeAll(async () => {
    ;({ database, here } = await openCliShop())
    await copyFile(EXAMPLE, join(here.cwd, 'campaigns/graded-recall.yaml'))
  })

  it('is valid, and sends nothing to the log', async () => {
    expect(await readFile(EXAMPLE, 'utf8')).not.toMatch(/channel: .*log/)
    const { code, stdout, stderr } = await run('validate')
    expect(`${stdout}${stderr}`).not.toContain(' error ')
    expect(code).toBe(0)
    expect(`${stdout}${stderr}`).toMatch(
      /warning {2}offers\.welcome_gift: only the liability of 50000 CNY limits/,
    )
  })

  it('is applied, and takes in who has lapsed', async () => {
    const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
    const people = Array.from({ length: 30 }, (_, at) => ({ id: `u${at}`, silent: 4 + (at % 3) * 6 }))
    const contacts = people.map(({ id }) => `${id},${id}@example.com,active\n`)
    await writeFile(join(here.cwd, 'people.csv'), `external_id,email,status\n${contacts.join('')}`)
    const sessions = people.map(({ id, silent }) => `${id},session,${ago(silent)}\n`)
    const fed = `fresh,session,${ago(0)}\n`
    await writeFile(join(here.cwd, 'seen.csv'), `external_id,type,occurred_at\n${sessions.join('')}${fed}`)
    for (const words of [
      ['import', 'contacts', 'people.csv'],
      ['import', 'activity', 'seen.csv'],
      ['apply'],
      ['run'],
    ]) {
      const { code, stderr } = await run(...words)
      expect([words, code, stderr]).toEqual([words, 0, stderr])
    }
    const tiers = await rows(
      database,
      sql`SELECT entry_tier AS tier, count(*)::int AS people FROM episodes WHERE arm <> 'seed' GROUP BY 1 ORDER BY 1`,
    )
    expect(tiers).toEqual([
      { tier: 'coupon', people: 10 },
      { tier: 'letter', people: 10 },
      { tier: 'trial', people: 10 },
    ])
  })
})
