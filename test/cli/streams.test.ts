import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { built, openCliShop, startBuilt, webOf } from './command.ts'

// Where nobody takes what a command writes.

test('a process whose log nobody reads any more works on, and ends in order', async () => {
  const { here } = await openCliShop()
  const file = join(here.cwd, 'winback.yaml')
  await writeFile(file, `${await readFile(file, 'utf8')}web: { port: 0 }\n`)
  const child = startBuilt(['web'], here)
  const web = await webOf(child)
  child.hangUp()
  // Says so on stderr, which nobody reads.
  child.kill('SIGTERM')
  const { code, stdout } = await child.ended
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'Stopped.\n' })
  await expect(fetch(`${web}/healthz`)).rejects.toThrow()
}, 60_000)

test('a result that nobody takes leaves the exit code as it is', async () => {
  const { here } = await openCliShop()
  await writeFile(join(here.cwd, 'campaigns/graded-recall.yaml'), 'campaign: nothing else\n')
  const child = startBuilt(['validate', '--json'], here)
  child.closeResult()
  expect((await child.ended).code).toBe(1)
})

test.skipIf(!existsSync('/dev/full'))(
  'a full disk: the result is a failure in words, the log is none',
  () => {
    const full = openSync('/dev/full', 'w')
    try {
      const result = spawnSync(process.execPath, [built, 'schema', 'campaign'], {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      })
      expect(result.status).toBe(3)
      expect(result.stderr).toMatch(/^error: the result could not be written: ENOSPC.*\n$/)
      const log = spawnSync(process.execPath, [built, 'reprot'], {
        stdio: ['ignore', 'pipe', full],
        encoding: 'utf8',
      })
      expect(log.status).toBe(2)
    } finally {
      closeSync(full)
    }
  },
)
