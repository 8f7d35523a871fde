import { startChild } from './child.ts'
import { type Bench, conclude, type Finding, median } from './measure.ts'
import { fillContacts, fillGuards } from './population.ts'
import type { Answer, Task } from './processes/worker.ts'
import { spent } from './server-cpu.ts'
import { applyAndRun, countEverything, NOW } from './workspace.ts'

/** Everything that may hold a message back, what the spine holds against it, and nothing at all. */
const CAMPAIGNS = ['limited', 'guarded', 'plain'] as const
type Campaign = (typeof CAMPAIGNS)[number]

/**
 * What caps, stock, codes and budgets cost: two messages a contact in the same batches through the same worker, with every guard
 * there is, against those of the spine (conditions, facts with an age, windows, suppressions, switches, the offer's liability).
 * The note says what it comes to against no guard at all.
 */
export async function measureClaim(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 40_000
  const due = contacts * 2
  const prepared = new Map<Campaign, string>()
  for (const campaign of CAMPAIGNS) {
    log(`preparing ${contacts} contacts with ${due} touchpoints of ${campaign}`)
    const made = await arena.prepare(campaign, async (database) => {
      await fillContacts(database, contacts, { from: 3, to: 15 })
      await fillGuards(database, contacts)
      await applyAndRun(database, campaign)
      await countEverything(database)
    })
    prepared.set(campaign, made)
  }
  const measure = async (campaign: Campaign) => {
    const url = await arena.copy(prepared.get(campaign) ?? '')
    const engine = { kind: 'postgres', url, schema: 'winback_queue' } as const
    // The second step is due an hour after the first.
    const at = new Date(NOW.getTime() + 3600_000).toISOString()
    const task = { url, engine, at, smtpPort: 1025, due }
    const { seconds, settled, cpu, postgresCpu } = await startChild<Task, Answer>('worker', task, bench)
      .answer
    if (settled.sent !== due) throw new Error(`${campaign} settled ${JSON.stringify(settled)} of ${due}`)
    await arena.drop(url)
    log(
      `${campaign}: ${Math.round(due / seconds)} touchpoints/s, ${spent({ node: cpu, postgres: postgresCpu })}`,
    )
    return due / seconds
  }
  const rounds: { subject: number; floor: number }[] = []
  const bare: number[] = []
  for (let round = 1; round <= bench.rounds; round += 1) {
    log(`round ${round} of ${bench.rounds}`)
    const floor = await measure('guarded')
    const subject = await measure('limited')
    bare.push(subject / (await measure('plain')))
    rounds.push({ floor, subject })
  }
  return [
    conclude({
      name: 'claim-guards',
      unit: '/s',
      target: { kind: 'at least', ratio: 0.7 },
      rounds,
      note: `${median(bare).toFixed(2)} of the same without any guard`,
    }),
  ]
}
