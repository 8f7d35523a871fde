import { expect, test } from 'vitest'
import { readVerbs, VERB_NAMES } from '../../src/cli/verbs.ts'

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
