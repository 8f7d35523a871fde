import type { Engine } from '../src/touchpoints/engine.ts'
import { startChild } from './child.ts'
import { overEngines } from './mail.ts'
import type { Bench, Finding } from './measure.ts'
import { fillContacts, fillGuards } from './population.ts'
import type { Answer, Task } from './processes/worker.ts'
import { spent } from './server-cpu.ts'
import { applyAndRun, countEverything, NOW } from './workspace.ts'

/**
 * What all guards and limits cost: the same touchpoints in the same batches through the same worker, once with every
 * guard, cap, offer and budget there is, once with none.
 */
export async function measureClaim(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 40_000
  const due = contacts * 2
  const prepare = (campaign: string) => {
    log(`preparing ${contacts} contacts with ${due} touchpoints of ${campaign}`)
    return arena.prepare(campaign, async (database) => {
      await fillContacts(database, contacts, { from: 3, to: 15 })
      await fillGuards(database, contacts)
      await applyAndRun(database, campaign)
      await countEverything(database)
    })
  }
  const prepared = { plain: await prepare('plain'), limited: await prepare('limited') }
  const measure = async (campaign: 'plain' | 'limited', engineOf: (url: string) => Engine) => {
    const url = await arena.copy(prepared[campaign])
    const engine = engineOf(url)
    // The second step is due an hour after the first.
    const at = new Date(NOW.getTime() + 3600_000).toISOString()
    const task = { url, engine, at, smtpPort: 1025, due }
    const { seconds, settled, cpu, postgresCpu } = await startChild<Task, Answer>('worker', task, bench)
      .answer
    if (settled.sent !== due) throw new Error(`${campaign} settled ${JSON.stringify(settled)} of ${due}`)
    await arena.drop(url)
    log(
      `${campaign} (${engine.kind}): ${Math.round(due / seconds)} touchpoints/s, ${spent({ node: cpu, postgres: postgresCpu })}`,
    )
    return due / seconds
  }
  const embedded = (url: string): Engine => ({ kind: 'postgres', url, schema: 'winback_queue' })
  return await overEngines(
    bench,
    { subject: (engineOf) => measure('limited', engineOf), floor: () => measure('plain', embedded) },
    [{ engine: 'postgres', name: 'claim-guards', target: { kind: 'at least', ratio: 0.7 } }],
  )
}
