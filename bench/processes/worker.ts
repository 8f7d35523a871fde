import { connect } from '../../src/database/connect.ts'
import { startScheduler } from '../../src/service/scheduler.ts'
import { startSending } from '../../src/service/sending.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { serve } from '../child.ts'
import { serverCpu } from '../server-cpu.ts'
import { openBenchRuntime } from '../workspace.ts'

// One process with the roles of `winback start`: scheduler, dispatcher, sweeper and worker, until everything that
// is due is settled.

export interface Task {
  readonly url: string
  readonly engine: Engine
  /** ISO instant the clock stands at. */
  readonly at: string
  readonly smtpPort: number
  /** With links, pixel and unsubscription; without by default. */
  readonly tracked?: boolean
  /** Touchpoints that are due. */
  readonly due: number
}
export interface Answer {
  /** From the start of the roles to the end of the last batch. */
  readonly seconds: number
  readonly settled: Readonly<Record<string, number>>
  /** Seconds of processor time of this process meanwhile. */
  readonly cpu: number
  /** The same of the server processes of its connections; undefined where they cannot be seen. */
  readonly postgresCpu: number | undefined
  readonly rss: number
}

serve<Task, Answer>(async (task) => {
  const database = connect(task.url)
  const runtime = await openBenchRuntime(database, { ...task, at: new Date(task.at) })
  const settled: Record<string, number> = {}
  let total = 0
  let finish = () => {}
  const errors: unknown[] = []
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const events = {
    onRun: () => {},
    onSweep: () => {},
    onBatch: (result: { settled: Readonly<Record<string, number>> }) => {
      for (const [state, count] of Object.entries(result.settled)) {
        settled[state] = (settled[state] ?? 0) + count
        total += count
      }
      if (total >= task.due) finish()
    },
    onError: (where: string, error: unknown) => {
      errors.push(error)
      console.error(where, error)
      finish()
    },
  }
  const cpu = process.cpuUsage()
  const started = performance.now()
  const scheduler = await startScheduler(runtime, task.engine, events)
  const sending = await startSending(runtime, task.engine, events)
  await finished
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const postgresCpu = await serverCpu(database)
  await scheduler.close()
  await sending.close()
  await runtime.close()
  await database.close()
  if (errors.length > 0) throw errors[0]
  return {
    seconds,
    settled,
    cpu: (user + system) / 1e6,
    postgresCpu,
    rss: process.resourceUsage().maxRSS / 1024,
  }
})
