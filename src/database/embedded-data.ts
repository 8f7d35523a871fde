import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, messageOf, WinbackError } from '../errors.ts'
import { type Home, openBinaries } from './embedded-home.ts'
import { createWhole } from './lock-file.ts'

// What an embedded server begins with, and is made once: its password and its data.

/** Milliseconds. */
const DISCARD_PATIENCE = 30_000

/** Where the data lies, once it is made. */
export function dataOf(home: Home): string {
  return join(home.directory, 'data')
}

/**
 * Made once and before the data, so that whoever makes the data uses this one.
 * @throws WinbackError `database.embedded` where there is data, and it is gone
 */
export function passwordOf(home: Home): string {
  const file = join(home.directory, 'password')
  const made = existsSync(dataOf(home))
  // A full disk or a power cut left it empty: while there is no data, nobody has used it.
  if (!made && statSync(file, { throwIfNoEntry: false })?.size === 0) rmSync(file)
  if (!existsSync(file)) {
    if (made) {
      const what = `${file} is gone: the database beside it opens by nothing else`
      throw new WinbackError('database.embedded', what, {
        remedy: 'Put it back, from a backup of the whole folder.',
      })
    }
    createWhole(file, randomBytes(24).toString('hex'))
  }
  return readFileSync(file, 'utf8').trim()
}

/**
 * Runs a program in a session of its own: Ctrl-C at a terminal would reach it, too, and initdb takes a try that was ended by it
 * for a machine that offers less.
 * @returns what it wrote where it failed, or why it could not be started
 */
async function failureOf(
  program: string,
  options: readonly string[],
  home: Home,
): Promise<string | undefined> {
  const child = spawn(program, options, {
    ...home.account,
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // The host's locale may not exist for these binaries; its time zone would end up in the configuration.
    env: { LC_ALL: 'C', TZ: 'UTC' },
  })
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await once(child, 'close').catch((error: unknown) => [messageOf(error)])
  return code === 0 ? undefined : (await said).join('') || String(code)
}

/**
 * Makes the data, in a directory of its own and renamed at the end, so that a half-made one is never started.
 * @throws WinbackError `database.embedded` with what initdb said last
 */
export async function makeData(home: Home, password: string, durable: boolean): Promise<void> {
  for (const name of readdirSync(home.directory)) {
    if (name.startsWith('making-')) await discard(join(home.directory, name))
  }
  const making = join(home.directory, `making-${process.pid}`)
  const data = join(making, 'data')
  const secret = join(making, 'secret')
  mkdirSync(making, { mode: 0o700 })
  writeFileSync(secret, password, { mode: 0o600 })
  if ('uid' in home.account) {
    chownSync(making, home.account.uid, home.account.gid)
    chownSync(secret, home.account.uid, home.account.gid)
  }
  const initdb = join(openBinaries(home), 'bin', 'initdb')
  const options = [
    ...['--pgdata', data, '--username', 'winback', '--pwfile', secret, '--auth', 'scram-sha-256'],
    // The provider that is compiled in: no locale of the host is needed, and none can change under an index.
    ...['--encoding', 'UTF8', '--locale-provider', 'builtin', '--locale', 'C.UTF-8', '--no-instructions'],
    ...(durable ? [] : ['--no-sync']),
  ]
  const failure = await failureOf(initdb, options, home)
  if (failure !== undefined) {
    await discard(making)
    throw new WinbackError('database.embedded', `initdb failed:\n${lastLines(failure)}`, {
      remedy: 'Mend what it names, or set DATABASE_URL to a PostgreSQL of your own.',
    })
  }
  renameSync(data, dataOf(home))
  rmSync(making, { recursive: true, force: true })
}

/** Removes what initdb made, also where one whose caller was killed still writes there: without its files, it ends. */
async function discard(making: string): Promise<void> {
  const deadline = performance.now() + DISCARD_PATIENCE
  for (;;) {
    try {
      rmSync(making, { recursive: true, force: true })
      return
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY' || performance.now() > deadline) throw error
      await delay(20)
    }
  }
}

/** Of a log, or of what a program said. */
export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-8).join('\n')
}
