import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// What is measured runs in a process of its own, so that neither the heap nor the event loop of one measurement
// is there for the next. A child is asked once, answers once, and ends.

export interface Child<Answer> {
  readonly pid: number
  /** Resolves to the last thing the child says. @throws Error with what it wrote to stderr, where it fails */
  readonly answer: Promise<Answer>
  /** Says one more thing to a child that goes on serving, such as the SMTP sink. */
  ask(message: object): void
  /** Hangs up, upon which it ends. */
  end(): void
}

/** Node flags of the children that are measured: a profile, where one is wanted. */
export interface ChildOptions {
  readonly profile?: string | undefined
}

/** Starts `processes/<name>` and gives it its task; `onNote` hears of what it says before the end. */
export function startChild<Task, Answer, Note = never>(
  name: string,
  task: Task,
  options: ChildOptions & { onNote?: (note: Note) => void } = {},
): Child<Answer> {
  const path = fileURLToPath(new URL(`./processes/${name}.js`, import.meta.url))
  const { profile } = options
  const child = fork(path, {
    execArgv: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const answer = new Promise<Answer>((resolve, reject) => {
    let last: { answer: Answer } | undefined
    child.on('message', (message: { answer: Answer } | { note: Note }) => {
      if ('answer' in message) last = message
      else options.onNote?.(message.note)
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      if (last && code === 0) resolve(last.answer)
      else reject(new Error(`the process ${name} ended with ${signal ?? code}\n${said}`))
    })
  })
  child.send(task as object)
  return {
    pid: child.pid ?? 0,
    answer,
    ask: (message) => {
      child.send(message)
    },
    end: () => {
      if (child.connected) child.disconnect()
    },
  }
}

/** The child's side: takes the task, works on it, answers, ends. */
export function serve<Task, Answer, Note = never>(
  work: (task: Task, note: (note: Note) => void, ended: Promise<void>) => Promise<Answer>,
): void {
  const ended = new Promise<void>((resolve) => process.once('disconnect', resolve))
  process.once('message', (task: Task) => {
    work(task, (note) => process.send?.({ note }), ended).then(
      (answer) => {
        if (process.connected) process.send?.({ answer }, () => process.disconnect())
      },
      (error: unknown) => {
        console.error(error)
        process.exitCode = 1
        if (process.connected) process.disconnect()
      },
    )
  })
}
