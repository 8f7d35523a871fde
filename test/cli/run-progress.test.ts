import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { startProgress } from '../../src/cli/progress.ts'
import { execute } from '../../src/database/connect.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { openCliShop, run } from './command.ts'

const finish = vi.fn()
vi.mock('../../src/cli/progress.ts', () => ({ startProgress: vi.fn(() => ({ update: () => {}, finish })) }))

// What is not finished draws itself on, over the message of what went wrong, and leaves the terminal without a cursor.
test('a run that breaks off ends its bar before it says why', async () => {
  const { database, here } = await openCliShop()
  const campaign = oneTierCampaign('spring', ['{ id: remind, channel: email, template: come-back }'])
  await writeFile(join(here.cwd, 'campaigns', 'spring.yaml'), campaign)
  expect(await run(['apply', 'spring'], here)).toMatchObject({ code: 0 })
  await execute(
    database,
    sql`CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken off''; END'`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER break_off BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION break_off()`,
  )
  const { code } = await run(['run', 'spring'], here)
  expect(code).not.toBe(0)
  expect(startProgress).toHaveBeenCalled()
  expect(finish).toHaveBeenCalledTimes(vi.mocked(startProgress).mock.calls.length)
})
