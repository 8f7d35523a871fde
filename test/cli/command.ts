import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly pid: number
  kill(signal: NodeJS.Signals): void
  /** Resolves once stderr holds the text. */
  says(text: string): Promise<void>
  readonly ended: Promise<Ran>
}

/** Runs the built command as a process of its own. */
export function winback(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string>; program?: string },
): Running {
  const program = options.program ?? cli
  if (!existsSync(program)) throw new Error(`${program} is missing: run \`npm run build\``)
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', TZ: 'UTC', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
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

/** Runs it to its end. */
export function run(args: readonly string[], options: Parameters<typeof winback>[1]): Promise<Ran> {
  return winback(args, options).ended
}
