import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isLiving, startOf, takeLock } from '../../src/database/lock-file.ts'
import { eventually } from '../support/eventually.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'winback-lock-'))
  path = join(directory, 'lock')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const heldBy = (pid: number, started: string) =>
  writeFileSync(path, JSON.stringify({ pid, started, id: 'another' }))
const stateOf = (pid: number) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.at(0)

describe('takeLock', () => {
  it('waits for a living holder, and says which process it is', async () => {
    heldBy(process.pid, startOf(process.pid))
    await expect(takeLock(path, 0)).rejects.toMatchObject({
      code: 'lock.held',
      facts: { pid: process.pid },
    })
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ id: 'another' })
  })

  it('takes over from a holder whose id another process has by now', async () => {
    heldBy(process.pid, 'before')
    const release = await takeLock(path, 0)
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid })
    release()
    expect(() => readFileSync(path)).toThrow('ENOENT')
  })

  it.runIf(process.platform === 'linux')(
    'takes over from one that has ended and nobody has reaped',
    async () => {
      // The shell leaves its child to a program that never asks after it.
      const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      try {
        const pid = Number(String((await once(parent.stdout, 'data'))[0]))
        // Until then it is the shell still, which would ask.
        await eventually(
          'the shell has become the program',
          () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8'),
          (name) => name === 'sleep\n',
        )
        const started = startOf(pid)
        expect(isLiving({ pid, started })).toBe(true)
        heldBy(pid, started)
        await expect(takeLock(path, 0)).rejects.toMatchObject({ code: 'lock.held' })

        process.kill(pid, 'SIGKILL')
        await eventually(
          'the process has ended',
          () => stateOf(pid),
          (state) => state === 'Z',
        )
        expect(isLiving({ pid, started })).toBe(false)
        const release = await takeLock(path, 0)
        release()
      } finally {
        parent.kill('SIGKILL')
      }
    },
  )
})
