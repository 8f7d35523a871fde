import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProgram } from '../../src/cli/program.ts'
import { readAll } from '../../src/cli/verbs.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import type { Database } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** The command as it ships. */
export const built = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

/** What a shell sees of a command. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Place {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

export const verbs = await readAll()

/** Runs a command line within this process: the same program, other streams. */
export async function run(
  args: readonly string[],
  { cwd, env = {} }: Place,
  interrupt: AbortSignal = new AbortController().signal,
): Promise<Ran> {
  let stdout = ''
  let stderr = ''
  const code = await runProgram(verbs, args.length === 0 ? [] : [...args, '--cwd', cwd], {
    environment: environmentFrom(env),
    stdout: {
      write: (text) => {
        stdout += text
      },
    },
    stderr: {
      write: (text) => {
        stderr += text
      },
    },
    interrupt,
  })
  return { code, stdout, stderr }
}

/** A workspace as `winback init` makes it, over a database. */
export interface CliShop {
  /** The folder that the workspace, `shop`, lies in. */
  readonly directory: string
  readonly database: Database
  /** Where a command of the workspace is run. */
  readonly here: { readonly cwd: string; readonly env: Readonly<Record<string, string>> }
}

/**
 * Makes a workspace in a folder of its own, both removed after the test file.
 * @param database the one it works on; one of its own by default
 */
export async function openCliShop(database?: Database): Promise<CliShop> {
  const directory = scratchDirectory()
  const own = database ?? (await freshDatabase())
  const made = await run(['init', 'shop', '--timezone', 'UTC'], { cwd: directory })
  if (made.code !== 0) throw new Error(made.stderr)
  return { directory, database: own, here: { cwd: join(directory, 'shop'), env: { DATABASE_URL: own.url } } }
}

/** A command running as a process of its own. */
export interface Running {
  readonly pid: number
  kill(signal: NodeJS.Signals): void
  /** Resolves once stderr holds the text, with all that was said by then. */
  says(text: string): Promise<string>
  /** Lets go of its standard error, as a collector of logs does that ends. */
  hangUp(): void
  /** Lets go of its standard output, as `| true` does. */
  closeResult(): void
  readonly ended: Promise<Ran>
}

/** Starts the built command, with `input` on its standard input. */
export function startBuilt(
  args: readonly string[],
  { cwd, env = {} }: Place,
  input: string | Buffer = '',
): Running {
  if (!existsSync(built)) throw new Error(`${built} is missing: run \`npm run build\``)
  const child = spawn(process.execPath, [built, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TZ: 'UTC', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(input)
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    for (const look of waiting) look()
  })
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return {
    pid: child.pid ?? -1,
    kill: (signal) => child.kill(signal),
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!stderr.includes(text)) return
          waiting.delete(look)
          resolve(stderr)
        }
        waiting.add(look)
        look()
        void ended.then((ran) => reject(new Error(`ended without saying "${text}": ${ran.stderr}`)))
      }),
    hangUp: () => child.stderr.destroy(),
    closeResult: () => child.stdout.destroy(),
    ended,
  }
}

/** The address of a command that serves the web side, once it does, for a workspace that leaves the choice: `port: 0`. */
export async function webOf(running: Running): Promise<string> {
  const said = await running.says('web running')
  const address = /Web on (\S+)/.exec(said)?.[1]
  if (address === undefined) throw new Error(`it did not say where it listens: ${said}`)
  return address
}
