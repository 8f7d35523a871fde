import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageDirectory } from '../arena.ts'

// Winback's own processes, as anybody starts them: long-running roles, watched, killed and started again; and verbs
// that run and end.

const CLI = join(packageDirectory, 'dist', 'cli.js')
/** Milliseconds between two looks at how large the processes are. */
const LOOK_EVERY = 2000

export interface Place {
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
}

export type Role = 'worker' | 'scheduler' | 'web'

/** How large a process was. */
export interface Sample {
  /** Seconds since it was started. */
  readonly at: number
  /** MiB of the resident set. */
  readonly size: number
}

export interface Running {
  readonly name: string
  readonly samples: readonly Sample[]
  /** kill -9. */
  kill(): Promise<void>
  /** Lets what is under way end. @throws Error where it does not end in order */
  stop(): Promise<void>
}

export interface Roles {
  /** Starts a role; resolves when it says that it runs. */
  start(role: Role, name: string): Promise<Running>
  /** Runs a verb to its end. @throws Error with what it said, where it fails */
  run(...words: string[]): Promise<string>
  /** What processes have said beside what they do: warnings and errors, each with the name of who said it. */
  readonly said: string[]
  /** Things done, by what the processes call them. */
  readonly told: Map<string, number>
  killAll(): void
}

/** Where nothing but JSON lines and warnings is said, the one event that only people are told of. */
const RUNS = / running/

/** @param onSaid hears of each remark as it is made */
export function openRoles({ directory, environment }: Place, onSaid: (remark: string) => void): Roles {
  const said: string[] = []
  const remark = (text: string) => {
    said.push(text)
    onSaid(text)
  }
  const told = new Map<string, number>()
  const alive = new Set<ChildProcess>()
  const begin = (words: readonly string[]) => {
    const child = spawn(process.execPath, [CLI, ...words, '--cwd', directory], {
      env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', NO_COLOR: '1', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    alive.add(child)
    child.once('exit', () => alive.delete(child))
    return child
  }
  return {
    said,
    told,
    killAll: () => {
      for (const child of alive) child.kill('SIGKILL')
    },
    start: async (role, name) => {
      const child = begin([role])
      const started = performance.now()
      const samples: Sample[] = []
      const watch = setInterval(() => {
        const size = sizeOf(child.pid ?? 0)
        if (size !== undefined) samples.push({ at: (performance.now() - started) / 1000, size })
      }, LOOK_EVERY)
      let rest = ''
      let dying = false
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
      void ended.then(() => clearInterval(watch))
      const ready = new Promise<void>((resolve, reject) => {
        child.stdout.resume()
        child.stderr.setEncoding('utf8').on('data', (text: string) => {
          const lines = (rest + text).split('\n')
          rest = lines.pop() ?? ''
          for (const line of lines) {
            if (RUNS.test(line)) resolve()
            const what = eventOf(line)
            if (what === undefined) remark(`${name}: ${line}`)
            else told.set(what, (told.get(what) ?? 0) + 1)
          }
        })
        void ended.then((code) =>
          reject(new Error(`${name} ended with ${code}: ${said.slice(-5).join('\n')}`)),
        )
      })
      void ended.then((code) => {
        if (!dying) remark(`${name}: ended by itself with ${code}`)
      })
      await ready
      return {
        name,
        samples,
        kill: async () => {
          dying = true
          child.kill('SIGKILL')
          await ended
        },
        stop: async () => {
          dying = true
          child.kill('SIGINT')
          const code = await ended
          if (code !== 0) remark(`${name}: ended with ${code} when it was asked to stop`)
        },
      }
    },
    run: async (...words) => {
      const child = begin(words)
      let text = ''
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (more: string) => {
          text += more
        })
      }
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
      if (code !== 0) throw new Error(`winback ${words.join(' ')} ended with ${code}: ${text.slice(-2000)}`)
      return text
    },
  }
}

/** What a line of the log tells of; undefined where it is none of what happens every day. */
function eventOf(line: string): string | undefined {
  if (line.trim() === '') return 'notes'
  const [, words] = /^\d{4}-\d\d-\d\dT[\d:.]+Z (.*)$/.exec(line) ?? []
  // Providers that say 421 as one connects, or nothing at all, are away for a while, and some put off all of a small batch
  // (providers.ts): that is told, and nothing is wrong.
  const [, away] =
    /^(?:warning: )?(?:channel \w+|the provider that credits offers) (cannot be reached|is reached again|rests|took none)/.exec(
      words ?? '',
    ) ?? []
  if (away !== undefined) return `a provider ${away}`
  if (words !== undefined) return /^(run|batch|swept|\w+ does not run|redemptions)/.exec(words)?.[1]
  return /^(?:Web on| {2}(?! )|Soak: |Letting what|Stopping\.|Stopped\.)/.test(line) ? 'notes' : undefined
}

/** MiB of a process; undefined where it is gone, or this system does not tell. */
function sizeOf(pid: number): number | undefined {
  try {
    const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}
