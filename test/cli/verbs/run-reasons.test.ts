import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { execute, rows } from '../../../src/database/connect.ts'
import { openCliShop, run } from '../command.ts'

test('a run says why what it did not send was not sent', async () => {
  const { here } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  await write(
    'campaigns/graded-recall.yaml',
    `version: 1
campaign: graded-recall
title: Graded recall
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 0%
tiers: [{ name: only, inactive: 3d.., steps: [{ id: one, channel: email, template: come-back }] }]
`,
  )
  const ago = new Date(Date.now() - 4 * 86_400_000).toISOString()
  await write('people.csv', `external_id,signed_up_at\na,${ago}\nb,${ago}\n`)
  await write(
    'seen.csv',
    `external_id,type,occurred_at\nc,session,${new Date(Date.now() - 3_600_000).toISOString()}\n`,
  )
  for (const verb of [['apply'], ['import', 'contacts', 'people.csv'], ['import', 'activity', 'seen.csv']]) {
    expect(await run(verb, here)).toMatchObject({ code: 0 })
  }
  const first = await run(['run', '--json'], here)
  expect(JSON.parse(first.stdout)).toMatchObject({ settled: { skipped: 2 }, skipped: { no_address: 2 } })
  await write('people.csv', `external_id,signed_up_at\nd,${ago}\n`)
  expect((await run(['import', 'contacts', 'people.csv'], here)).code).toBe(0)
  const second = await run(['run', '--locale', 'en'], here)
  expect(second.stdout).toContain(
    'Messages: 1 not sent\n  1 not sent: no valid address on any of the step’s channels',
  )
  // What cannot be made into a message is told of with the rest: here, in a language that the template is not in.
  await rename(join(here.cwd, 'templates/come-back.zh-CN.hbs'), join(here.cwd, 'come-back.zh-CN.hbs'))
  await write('people.csv', `external_id,email,locale,signed_up_at\ne,e@shop.example,fr,${ago}\n`)
  for (const verb of [['apply'], ['import', 'contacts', 'people.csv']]) {
    expect(await run(verb, here)).toMatchObject({ code: 0 })
  }
  const third = await run(['run', '--json'], here)
  expect(JSON.parse(third.stdout)).toMatchObject({ settled: { skipped: 1 }, skipped: { missing_data: 1 } })
  const story = await run(['explain', 'e', '--json'], here)
  expect(story.stdout).toContain('there is no template come-back in zh-CN')
})

test('whoever a campaign that is over, paused or stopped has under way goes on, though nobody is taken in', async () => {
  const { here, database } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  const before = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const campaign = `version: 1
campaign: graded-recall
title: Graded recall
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 40d
holdout: 0%
tiers:
  - { name: first, inactive: 3d..5d, steps: [{ id: one, channel: log }] }
  - { name: then, inactive: 5d..30d, steps: [{ id: two, channel: log }] }
`
  await write('campaigns/graded-recall.yaml', campaign)
  await write('people.csv', `external_id,signed_up_at\na,${before(6)}\n`)
  await write('others.csv', `external_id,signed_up_at\nb,${before(6)}\n`)
  await write('seen.csv', `external_id,type,occurred_at\nc,session,${before(0.1)}\n`)
  const runs = [
    ['apply'],
    ['import', 'contacts', 'people.csv'],
    ['import', 'activity', 'seen.csv'],
    ['run', '--as-of', before(2)],
  ]
  for (const verb of runs) expect(await run(verb, here)).toMatchObject({ code: 0 })
  await write(
    'campaigns/graded-recall.yaml',
    campaign.replace('holdout', `ends: ${before(1).slice(0, 10)}\nholdout`),
  )
  for (const verb of [['apply'], ['import', 'contacts', 'others.csv']]) {
    expect(await run(verb, here)).toMatchObject({ code: 0 })
  }
  const over = await run(['run', '--json'], here)
  expect(JSON.parse(over.stdout)).toMatchObject({
    campaigns: [{ state: 'over', considered: 0, advanced: 1, ended: 0 }],
    settled: { sent: 1 },
  })
  // By another day, its outcome is known; stopped, it is measured to the end all the same.
  expect((await run(['stop', 'graded-recall', '--yes'], here)).code).toBe(0)
  await execute(database, sql`UPDATE episodes SET outcome_until = ${before(0.1)}::timestamptz`)
  const stopped = await run(['run', '--locale', 'en'], here)
  expect(stopped.stdout).toMatch(/^graded-recall {2}stopped\n[\s\S]*1 {2}ended {2}episodes ended/)
})

test('a run pauses what its stop rules or a breaker forbid before it sends more, says so, and closes the calls of who is done', async () => {
  const { here, database } = await openCliShop()
  const write = (name: string, text: string) => writeFile(join(here.cwd, name), text)
  const before = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  await write(
    'campaigns/graded-recall.yaml',
    `version: 1
campaign: graded-recall
title: Graded recall
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 40d
holdout: 0%
stop: { unsubscribe: 10% }
tiers: [{ name: only, inactive: 3d..30d, steps: [{ id: one, channel: log }] }]
`,
  )
  const people = (...ids: string[]) =>
    `external_id,email,signed_up_at\n${ids.map((id) => `${id},${id}@shop.example,${before(6)}\n`).join('')}`
  await write('people.csv', people('a', 'b', 'c', 'd'))
  await write('later.csv', people('e'))
  await write('left.csv', 'email\na@shop.example\nb@shop.example\nc@shop.example\n')
  await write('seen.csv', `external_id,type,occurred_at\nz,session,${before(0.1)}\n`)
  const lines = [
    ['apply'],
    ['import', 'contacts', 'people.csv'],
    ['import', 'activity', 'seen.csv'],
    ['run'],
    ['import', 'suppressions', 'left.csv', '--set', 'reason=unsubscribe'],
    ['import', 'contacts', 'later.csv'],
  ]
  for (const verb of lines) expect(await run(verb, here)).toMatchObject({ code: 0 })
  await execute(
    database,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
          opened_at, due_at, next_attempt_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'graded-recall', 'recall', 'adviser', 'agent', 50, 'open',
          settled_at, settled_at, settled_at FROM touchpoint_records`,
  )
  await execute(database, sql`UPDATE episodes SET outcome_until = ${before(0.1)}::timestamptz`)
  const { stdout, stderr } = await run(['run', '--locale', 'en'], here)
  expect(stderr).toContain('campaign graded-recall stopped: 75 % opt-outs (3 of 4), more than 10 %')
  expect(stdout).toMatch(/^graded-recall {2}paused/)
  expect(
    await rows(database, sql`SELECT state, closed_by AS by, count(*) AS calls FROM calls GROUP BY 1, 2`),
  ).toEqual([{ state: 'closed', by: 'expired', calls: 4 }])
})
