import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { built, openCliShop, run } from './command.ts'

test('Ctrl-C while the embedded database is being made is an interruption, and has it made as on any machine', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'winback-interrupt-'))
  chmodSync(directory, 0o755)
  try {
    await run(['init', 'shop'], { cwd: directory })
    const cwd = join(directory, 'shop')
    const home = join(cwd, '.winback', 'postgres')
    const lookIn = (path: string) => (existsSync(path) ? readdirSync(path) : [])
    // A terminal sends it to all that was started from there.
    const child = spawn(process.execPath, [built, 'report'], {
      cwd,
      detached: true,
      env: { PATH: process.env.PATH ?? '', TZ: 'UTC' },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = once(child, 'close')
    await eventually(
      'initdb is at work',
      () => lookIn(home).some((name) => existsSync(join(home, name, 'data'))),
      (working) => working,
    )
    process.kill(-(child.pid ?? Number.NaN), 'SIGINT')
    expect((await ended)[0]).toBe(130)
    expect(said).toContain('error: interrupted\n')
    const made = readFileSync(join(home, 'data', 'postgresql.conf'), 'utf8')
    expect(made).toMatch(/^max_connections = 100\b/m)
    expect(made).toMatch(/^dynamic_shared_memory_type = posix\b/m)
    expect(lookIn(home).sort()).toEqual(['data', 'password', 'server.json', 'server.log'])
    // Where the server has it: of root, that may be elsewhere.
    expect((await run(['doctor', '--json'], { cwd })).stdout).toMatch(
      / embedded, data in [^,]*\.winback\/postgres\/data,/,
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}, 60_000)

test.each([
  ['Ctrl-C', ['SIGINT']],
  // The shell tells of it, and so does the system.
  ['A terminal that is closed', ['SIGHUP', 'SIGHUP']],
] as const)(
  '%s ends an import in order whose rows another program has not written yet',
  async (_, signals) => {
    const { here, database } = await openCliShop()
    const child = spawn(process.execPath, [built, 'import', 'contacts', '-'], {
      cwd: here.cwd,
      env: { PATH: process.env.PATH ?? '', TZ: 'UTC', ...here.env },
      stdio: ['pipe', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    const ended = once(child, 'close')
    try {
      child.stdin.write('external_id\nann\n')
      await eventually(
        'its first row is there',
        async () => (await database.client.query('SELECT FROM imports')).rowCount,
        (begun) => begun === 1,
      )
      for (const signal of signals) child.kill(signal)
      expect((await ended)[0]).toBe(130)
      expect(said).toContain('error: interrupted')
    } finally {
      child.kill('SIGKILL')
    }
  },
)
