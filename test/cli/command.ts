import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { annotate } from '../../src/cli/annotate.ts'
import { apiKeys } from '../../src/cli/api-keys.ts'
import { apply } from '../../src/cli/apply.ts'
import { bounce } from '../../src/cli/bounce.ts'
import { calls } from '../../src/cli/calls.ts'
import { digest } from '../../src/cli/digest.ts'
import { doctor } from '../../src/cli/doctor.ts'
import { explain } from '../../src/cli/explain.ts'
import { importData } from '../../src/cli/import.ts'
import { init } from '../../src/cli/init.ts'
import { lift } from '../../src/cli/lift.ts'
import { plan } from '../../src/cli/plan.ts'
import { preview } from '../../src/cli/preview.ts'
import { consent, erase, exportPerson } from '../../src/cli/privacy.ts'
import { runProgram } from '../../src/cli/program.ts'
import { replay } from '../../src/cli/replay.ts'
import { report } from '../../src/cli/report.ts'
import { rollback } from '../../src/cli/rollback.ts'
import { run as runOnce } from '../../src/cli/run.ts'
import { schema } from '../../src/cli/schema.ts'
import { signals } from '../../src/cli/signals.ts'
import { signingKeys } from '../../src/cli/signing-keys.ts'
import { start } from '../../src/cli/start.ts'
import { pause, resume, stop } from '../../src/cli/switches.ts'
import { sync } from '../../src/cli/sync.ts'
import { testSend } from '../../src/cli/test-send.ts'
import { users } from '../../src/cli/users.ts'
import { validate } from '../../src/cli/validate.ts'
import { environmentFrom } from '../../src/config/environment.ts'

const built = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

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

export const verbs = [
  ...[
    init,
    validate,
    plan,
    apply,
    rollback,
    schema,
    importData,
    sync,
    bounce,
    calls,
    preview,
    testSend,
    replay,
  ],
  ...[
    runOnce,
    start,
    pause,
    resume,
    stop,
    report,
    explain,
    signals,
    signingKeys,
    users,
    consent,
    exportPerson,
    erase,
    apiKeys,
    doctor,
  ],
  ...[lift, annotate, digest],
]

/** Runs a command line within this process: the same program, other streams. */
export async function run(args: readonly string[], { cwd, env = {} }: Place): Promise<Ran> {
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
    interrupt: new AbortController().signal,
  })
  return { code, stdout, stderr }
}

/** A command running as a process of its own. */
export interface Running {
  readonly pid: number
  kill(signal: NodeJS.Signals): void
  /** Resolves once stderr holds the text. */
  says(text: string): Promise<void>
  readonly ended: Promise<Ran>
}

/** Starts the built command, with `input` on its standard input. */
export function startBuilt(args: readonly string[], { cwd, env = {} }: Place, input = ''): Running {
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
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (!stderr.includes(text)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        void ended.then((ran) => reject(new Error(`ended without saying "${text}": ${ran.stderr}`)))
      }),
    ended,
  }
}
