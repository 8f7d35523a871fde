import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { type Bench, conclude, type Finding } from './measure.ts'
import { writeContactsFile } from './population.ts'
import type { Answer, Task } from './processes/importer.ts'

/** Contacts from a CSV into an empty workspace, against COPY of the file into a plain table with a primary key. */
export async function measureImport(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const contacts = bench.quick ? 500 : 1_000_000
  const file = join(arena.directory, 'contacts.csv')
  await writeContactsFile(file, contacts)
  log(`${contacts} contacts in ${Math.round(statSync(file).size / 1e6)} MB`)
  const run = async (plain: boolean) => {
    const url = plain ? await arena.empty() : await arena.copy(arena.migrated)
    const onNote = (rows: number) => {
      if (rows % 200_000 === 0) log(`importing: ${rows} of ${contacts}`)
    }
    const profile = plain ? undefined : bench.profile
    const task = { url, file, plain }
    const answer = await startChild<Task, Answer, number>('importer', task, { onNote, profile }).answer
    if (answer.rows !== contacts) throw new Error(`${answer.rows} of ${contacts} rows arrived`)
    await arena.drop(url)
    log(`${plain ? 'COPY' : 'import'}: ${answer.seconds.toFixed(1)} s`)
    return contacts / answer.seconds
  }
  const rounds: { subject: number; floor: number }[] = []
  for (let round = 1; round <= bench.rounds; round += 1) {
    log(`round ${round} of ${bench.rounds}`)
    const floor = await run(true)
    rounds.push({ floor, subject: await run(false) })
  }
  rmSync(file)
  const target = { kind: 'at least', ratio: 0.4 } as const
  return [conclude({ name: 'import', unit: '/s', target, rounds })]
}
