import { type ChildProcess, fork } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'
import type { Workspace } from '../../src/config/workspace.ts'
import type { SchedulerPace } from '../../src/service/scheduler.ts'
import type { Leases } from '../../src/touchpoints/lifecycle.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import type { JobLock } from '../../src/touchpoints/queue/job-worker.ts'
import { afterFile } from './after-file.ts'
import { bundle } from './bundle.ts'
import { eventually } from './eventually.ts'

/** What a process is started with. */
export interface WorkerTask {
  readonly role: 'worker' | 'scheduler'
  readonly databaseUrl: string
  readonly workspace: Workspace
  readonly engine: Engine
  readonly leases: Leases
  readonly lock: JobLock
  readonly pace: SchedulerPace
  /** What its clock says when it begins to take work, in milliseconds since 1970; the right time by default. */
  readonly begins?: number
  readonly smtp?:
    | {
        readonly port: number
        readonly connections: number
        readonly price: string
        readonly timing: {
          readonly connect: number
          readonly greeting: number
          readonly socket: number
          readonly deadline: number
        }
      }
    | undefined
}

export type WorkerOrder = { order: 'block'; milliseconds: number } | { order: 'stop' }

export type WorkerNote =
  | { event: 'ready' }
  | { event: 'blocking' }
  | { event: 'run'; campaign: string; tick: string; state: string }
  | { event: 'batch'; claimed: number }
  | { event: 'sweep'; released: number; repeated: number; uncertain: number }
  | { event: 'error'; where: string; message: string }

export interface WorkerProcess {
  readonly child: ChildProcess
  readonly notes: WorkerNote[]
  order(order: WorkerOrder): void
  /** kill -9; resolves when it is dead. */
  kill(): Promise<void>
  /** Lets it end in order. */
  stop(): Promise<void>
}

const project = fileURLToPath(new URL('../..', import.meta.url))
const running = new Set<WorkerProcess>()
/** How processes ended that nobody asked to. */
const deaths: string[] = []
/** It is the same for every test file of the run. */
let compiled: Promise<string> | undefined

/**
 * worker-process.ts and all it needs as one file, made once a run, by whichever process is the first to ask. Two that ask at once
 * both make it, and one puts it in the place of the other's.
 */
async function compile(): Promise<string> {
  const entry = join(inject('programs'), 'worker-process.mjs')
  if (existsSync(entry)) return entry
  const mine = `${entry}.${process.pid}.mjs`
  // Whatever is loaded late belongs to the one file, too.
  await bundle(join(project, 'test/support/worker-process.ts'), { file: mine, codeSplitting: false })
  renameSync(mine, entry)
  return entry
}

/** Starts a process; resolves when it takes work. */
export async function startProcess(task: WorkerTask): Promise<WorkerProcess> {
  if (running.size === 0) afterFile(killProcesses)
  compiled ??= compile()
  const child = fork(await compiled, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const notes: WorkerNote[] = []
  child.on('message', (note: WorkerNote) => notes.push(note))
  const ended = new Promise<void>((resolve) =>
    child.once('exit', (code, signal) => {
      if (running.delete(process)) deaths.push(`a ${task.role} ended by itself (${code ?? signal}): ${said}`)
      resolve()
    }),
  )
  const process: WorkerProcess = {
    child,
    notes,
    order: (order) => {
      child.send(order)
    },
    kill: async () => {
      running.delete(process)
      child.kill('SIGKILL')
      await ended
    },
    stop: async () => {
      running.delete(process)
      child.send({ order: 'stop' } satisfies WorkerOrder)
      await ended
    },
  }
  running.add(process)
  await eventually(
    'a process takes work',
    () => {
      assertRunning()
      return notes.some((note) => note.event === 'ready')
    },
    (ready) => ready,
    // Several that start at once on a busy machine.
    60,
  )
  return process
}

/** @throws Error with what it wrote last, where a process ended that nobody asked to */
export function assertRunning(): void {
  if (deaths.length > 0) throw new Error(deaths.splice(0).join('\n'))
}

/** Ends every process, all of which should still be running. */
export async function killProcesses(): Promise<void> {
  await Promise.all([...running].map((process) => process.kill()))
  assertRunning()
}
