import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { openOutput } from '../../../src/cli/output.ts'
import type { Invocation } from '../../../src/cli/verb.ts'
import { run as runVerb } from '../../../src/cli/verbs/run.ts'
import { systemClock } from '../../../src/clock.ts'
import { environmentFrom } from '../../../src/config/environment.ts'
import { execute } from '../../../src/database/connect.ts'
import { oneTierCampaign } from '../../support/campaign.ts'
import { openCliShop, run } from '../command.ts'

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
  const finish = vi.fn()
  const progress = vi.fn(() => ({ update: () => {}, finish }))
  const nowhere = { write: () => {} }
  const invocation: Invocation = {
    environment: environmentFrom(here.env),
    output: { ...openOutput({ json: false, noColor: true, stdout: nowhere, stderr: nowhere }), progress },
    cwd: here.cwd,
    workspaceFile: undefined,
    clock: systemClock,
    interrupt: new AbortController().signal,
  }
  const running = runVerb((_command, work) => work(invocation).then(() => {})).parseAsync(['spring'], {
    from: 'user',
  })
  await expect(running).rejects.toThrow('broken off')
  expect(progress).toHaveBeenCalled()
  expect(finish).toHaveBeenCalledTimes(progress.mock.calls.length)
})
