import { BATCH } from '../src/touchpoints/dispatch.ts'
import type { Engine } from '../src/touchpoints/queue/engine.ts'
import { startChild } from './child.ts'
import { overEngines } from './mail.ts'
import { type Bench, type Finding, sharedFloor } from './measure.ts'
import { fillContacts, fillGuards } from './population.ts'
import type { Answer as BareAnswer, Task as BareTask } from './processes/bare-writes.ts'
import type { Answer, Task } from './processes/worker.ts'
import { spent } from './server-cpu.ts'
import { applyAndRun, countEverything, NOW } from './workspace.ts'

/** Jobs a worker has under way, and the dispatcher beside them: the connections that write at a time. */
const CONCURRENCY = 5

/**
 * Touchpoints on the `log` channel with every guard on, against the bare writes of the same rows in batches of the
 * same size.
 */
export async function measureTouchpoints(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 60_000
  const due = contacts * 2
  log(`preparing ${contacts} contacts with ${due} touchpoints`)
  const prepared = await arena.prepare('touchpoints', async (database) => {
    await fillContacts(database, contacts, { from: 3, to: 15 })
    await fillGuards(database, contacts)
    await applyAndRun(database, 'guarded')
    await countEverything(database)
  })
  const floor = sharedFloor(bench, async () => {
    const url = await arena.copy(prepared)
    const task = { url, batch: BATCH, concurrency: CONCURRENCY }
    const { seconds, settled, postgresCpu } = await startChild<BareTask, BareAnswer>('bare-writes', task)
      .answer
    if (settled !== due) throw new Error(`the bare writes settled ${settled} of ${due}`)
    await arena.drop(url)
    log(`bare writes: ${Math.round(due / seconds)} touchpoints/s, ${spent({ postgres: postgresCpu })}`)
    return due / seconds
  })
  const subject = async (engineOf: (url: string) => Engine) => {
    const url = await arena.copy(prepared)
    const engine = engineOf(url)
    // The second step is due an hour after the first.
    const at = new Date(NOW.getTime() + 3600_000).toISOString()
    const task = { url, engine, at, smtpPort: 1025, due }
    const { seconds, settled, cpu, postgresCpu } = await startChild<Task, Answer>('worker', task, bench)
      .answer
    if (settled.sent !== due) throw new Error(`settled ${JSON.stringify(settled)} of ${due}`)
    await arena.drop(url)
    log(
      `winback (${engine.kind}): ${Math.round(due / seconds)} touchpoints/s, ${spent({ node: cpu, postgres: postgresCpu })}`,
    )
    return due / seconds
  }
  const target = { kind: 'at least', ratio: 0.5, absolute: 8000 } as const
  return await overEngines(bench, { subject, floor }, [
    { engine: 'redis', name: 'touchpoints-redis', target },
    { engine: 'postgres', name: 'touchpoints-embedded', target },
  ])
}
