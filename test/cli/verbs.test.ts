import { expect, test } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { type DescribeVerb, readAll, readVerbs, VERB_NAMES } from '../../src/cli/verbs.ts'
import { environmentFrom } from '../../src/config/environment.ts'

async function namesFor(args: readonly string[]): Promise<string[]> {
  const verbs = await readVerbs(args)
  return verbs.flatMap((describe) => describe(async () => {})).map((command) => command.name())
}

test('every verb is found under its own name, and read alone when the first word names it', async () => {
  expect(await namesFor([])).toEqual(VERB_NAMES)
  expect(await namesFor(['plan', '--json'])).toEqual(['plan'])
  expect(await namesFor(['--version'])).toEqual([])
  expect(await namesFor(['worker'])).toEqual(['start', 'worker', 'scheduler', 'web'])
})

test('all are read where the first word is none: for the help, a misspelt verb, an option before it', async () => {
  expect(await namesFor(['--help'])).toEqual(VERB_NAMES)
  expect(await namesFor(['plam'])).toEqual(VERB_NAMES)
  expect(await namesFor(['--cwd', 'plan', 'apply'])).toEqual(VERB_NAMES)
})

/** What a command line about these verbs says. */
async function said(verbs: readonly DescribeVerb[], args: readonly string[]): Promise<string> {
  let text = ''
  const stream = {
    write: (more: string) => {
      text += more
    },
  }
  const environment = environmentFrom({})
  const interrupt = new AbortController().signal
  await runProgram(verbs, args, { environment, stdout: stream, stderr: stream, interrupt })
  return text
}

test.each([[], ['--help'], ['-h'], ['help'], ['--help', '--locale', 'zh-CN'], ['--locale', 'en', '--help']])(
  'the list reads no verb, and is what they say of themselves: %j %j %j',
  async (...args: string[]) => {
    const listed = await readVerbs(args)
    expect(listed.flatMap((describe) => describe(async () => {})).map((verb) => verb.description())).toEqual(
      VERB_NAMES.map(() => ''),
    )
    const list = await said(listed, args)
    expect(list).toBe(await said(await readAll(), args))
    expect(list).toContain('test-send <campaign> <step>')
  },
)
