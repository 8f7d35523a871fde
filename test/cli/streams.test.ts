import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { built, openCliShop, startBuilt, webOf } from './command.ts'

// What another program writes to a command, and where nobody takes what the command writes.

test('imports what another program writes, and keeps its bad rows', async () => {
  const { here, database } = await openCliShop()
  const rows = 'external_id,email\nann,ann@shop.example\nbob,none\ncem,cem@shop.example\n'
  const { code, stdout } = await startBuilt(['import', 'contacts', '-', '--json'], here, rows).ended
  expect({ code, summary: JSON.parse(stdout) }).toMatchObject({
    code: 0,
    summary: {
      file: 'standard-input',
      rows: 3,
      inserted: 3,
      warnings: 1,
      rejectFile: expect.stringMatching(/standard-input\.rejects\.csv$/),
    },
  })
  expect(await readFile(join(here.cwd, 'standard-input.rejects.csv'), 'utf8')).toContain('bob,none')
  const { rows: known } = await database.client.query('SELECT external_id FROM contacts ORDER BY 1')
  expect(known.map(({ external_id }) => external_id)).toEqual(['ann', 'bob', 'cem'])
})

test('what another program writes is not taken for gzip, nor nothing for a file', async () => {
  const { here } = await openCliShop()
  const empty = await startBuilt(['import', 'activity', '-'], here).ended
  expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('standard-input is empty') })
  const packed = await startBuilt(['import', 'activity', '-'], here, gzipSync('external_id\n')).ended
  expect(packed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('unpack it on its way (gzip -dc)'),
  })
})

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
