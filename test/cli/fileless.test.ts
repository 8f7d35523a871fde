import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { type CliShop, openCliShop, run } from './command.ts'

// What runs lies in the database: who takes a file away, or gives its campaign another key, is told that it goes on.

let here: CliShop['here']
let file: string

beforeAll(async () => {
  ;({ here } = await openCliShop())
  file = join(here.cwd, 'campaigns/graded-recall.yaml')
  expect((await run(['apply'], here)).code).toBe(0)
})

const ON = 'graded-recall runs on, though no file has it any more'

async function findings(): Promise<unknown[]> {
  const { stdout } = await run(['doctor', '--json'], here)
  return (JSON.parse(stdout) as { findings: unknown[] }).findings
}

const WRONG = {
  check: 'campaigns',
  state: 'wrong',
  found: ON,
  mend: 'Run `winback stop graded-recall` if it is to end; else bring its file back.',
}

test('a campaign whose file has another key now is said to run on, until it is stopped', async () => {
  expect((await run(['apply'], here)).stderr).not.toContain('runs on')
  expect(await findings()).not.toContainEqual(expect.objectContaining(WRONG))
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('campaign: graded-recall', 'campaign: recall'))
  const applied = await run(['apply', '--locale', 'en'], here)
  expect(applied.stdout).toContain('recall: version 1 applied')
  expect(applied.stderr).toContain(`warning: ${ON}. ${WRONG.mend}`)
  expect((await run(['apply', '--locale', 'zh-CN'], here)).stderr).toContain('graded-recall 已没有对应的文件')
  // Who applies one campaign has not said that there are no others.
  expect((await run(['apply', 'recall'], here)).stderr).not.toContain('runs on')
  expect(await findings()).toContainEqual(expect.objectContaining(WRONG))
  // A file that cannot be read may be the one.
  await writeFile(file, 'campaign: [')
  expect(await findings()).not.toContainEqual(expect.objectContaining(WRONG))
  await rm(file)
  expect(await findings()).toContainEqual(expect.objectContaining(WRONG))
  expect((await run(['pause', 'graded-recall'], here)).code).toBe(0)
  expect(await findings()).not.toContainEqual(expect.objectContaining(WRONG))
  expect((await run(['resume', 'graded-recall'], here)).code).toBe(0)
  expect((await run(['stop', 'graded-recall', '--yes'], here)).code).toBe(0)
  expect(await findings()).not.toContainEqual(expect.objectContaining(WRONG))
})
