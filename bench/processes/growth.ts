import { manualClock } from '../../src/clock.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { connect } from '../../src/database/connect.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { serve } from '../child.ts'
import { applyAndRun, NOW, openBenchRuntime, openWorkspace } from '../workspace.ts'

// A whole day's work in one process, to see what its memory does: import, selection, and a part of the touchpoints.

export interface Task {
  readonly url: string
  readonly file: string
  /** Batches to process. */
  readonly batches: number
}
export interface Answer {
  /** Peak of the resident set, MiB: after each stage. */
  readonly peak: { readonly imported: number; readonly selected: number; readonly sent: number }
  readonly contacts: number
}

serve<Task, Answer, string>(async ({ url, file, batches }, note) => {
  const peak = () => process.resourceUsage().maxRSS / 1024
  const database = connect(url)
  const workspace = await openWorkspace()
  const summary = await importContacts(database, file, {
    workspace: workspace.definition,
    clock: manualClock(NOW),
    asOf: NOW,
    onProgress: ({ rows }) => note(`${rows} contacts imported`),
  })
  const imported = peak()
  note('selecting')
  await applyAndRun(database, 'ladder')
  const selected = peak()
  note('sending')
  const runtime = await openBenchRuntime(database)
  await dispatchDue(database, { now: NOW, jobs: batches }, async (batch) => {
    await processBatch(runtime.worker, batch)
  })
  const sent = peak()
  await runtime.close()
  await database.close()
  return { peak: { imported, selected, sent }, contacts: summary.inserted }
})
