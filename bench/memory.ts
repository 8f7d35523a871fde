import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from './child.ts'
import { type Bench, conclude, type Finding } from './measure.ts'
import { writeContactsFile } from './population.ts'
import type { Answer, Task } from './processes/growth.ts'

/** Peak memory of import, selection and sending in one process, at ten times the contacts. */
export async function measureMemory(bench: Bench): Promise<Finding[]> {
  const { arena, log } = bench
  const [few, many] = bench.quick ? [300, 600] : [100_000, 1_000_000]
  const batches = bench.quick ? 2 : 100
  const peakOf = async (contacts: number) => {
    const file = join(arena.directory, `contacts-${contacts}.csv`)
    await writeContactsFile(file, contacts)
    const url = await arena.copy(arena.migrated)
    let last = ''
    const onNote = (text: string) => {
      if (text === last || (text.endsWith('imported') && !/[05]00000 /.test(text))) return
      last = text
      log(`${contacts}: ${text}`)
    }
    const task = { url, file, batches }
    const { peak } = await startChild<Task, Answer, string>('growth', task, { onNote }).answer
    await arena.drop(url)
    rmSync(file)
    const [imported, selected, sent] = [peak.imported, peak.selected, peak.sent].map(Math.round)
    log(`${contacts}: peak ${imported} MiB after the import, ${selected} selected, ${sent} sent`)
    return peak.sent
  }
  const rounds: { subject: number; floor: number }[] = []
  for (let round = 1; round <= bench.rounds; round += 1) {
    log(`round ${round} of ${bench.rounds}`)
    const floor = await peakOf(few)
    rounds.push({ floor, subject: await peakOf(many) })
  }
  const target = { kind: 'at most', ratio: 1.1 } as const
  return [conclude({ name: 'memory', unit: 'MiB', target, rounds })]
}
