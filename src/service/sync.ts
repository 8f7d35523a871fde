import { join, resolve } from 'node:path'
import { readDocument, type SourceDocument } from '../config/documents/document.ts'
import type { LoadedWorkspace } from '../config/load.ts'
import { readState } from '../contacts/sync/progress.ts'
import { runSync, type SyncOptions, type SyncSummary } from '../contacts/sync/sync.ts'
import { messageOf } from '../errors.ts'
import type { Runtime } from './runtime.ts'
import { lastTick } from './schedule.ts'

/** The workspace file as it stands: what a mistake in a query is pointed at in, and where the reject files go. */
export type WorkspaceText = Pick<LoadedWorkspace, 'file' | 'source' | 'directory'>

type Parts = Pick<Runtime, 'database' | 'workspace' | 'clock' | 'hooks'>

/** Runs one sync of the workspace. @throws what {@link runSync} throws */
export async function syncSource(
  runtime: Parts,
  text: WorkspaceText,
  name: string,
  options: Pick<SyncOptions, 'dryRun' | 'full' | 'signal' | 'onProgress' | 'chunk'> = {},
): Promise<SyncSummary> {
  const { database, workspace, clock, hooks } = runtime
  return await runSync(database, name, {
    ...options,
    workspace,
    clock,
    hooks,
    where: { name, document: documentOf(text) },
    rejectFile: rejectFileOf(text, name),
  })
}

/** Where a sync's rejected rows go, beside the workspace file. */
export function rejectFileOf(text: Pick<WorkspaceText, 'directory'>, name: string): string {
  return resolve(join(text.directory, '.winback', 'sync', `${name}.rejects.csv`))
}

/** The workspace file, to name lines of. */
function documentOf({ file, source }: WorkspaceText): SourceDocument {
  return readDocument(file, source)
}

/**
 * Runs every sync whose newest tick came after the last one that began and reached its end; one that was never run, at
 * once. However long nobody was there, each runs once: it reads all that is new anyway. One that fails is tried again at
 * the next look, and keeps none of the others waiting.
 * @throws AggregateError
 */
export async function syncDue(
  runtime: Parts,
  text: WorkspaceText,
  onSync: (summary: SyncSummary) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { database, workspace, clock } = runtime
  const failures: Error[] = []
  for (const [name, { schedule }] of Object.entries(workspace.sync)) {
    if (schedule === undefined || signal?.aborted) continue
    const tick = lastTick(schedule, workspace.timezone, clock.now())
    const state = await readState(database, name)
    if (state?.readAt && state.readAt >= tick) continue
    await syncSource(runtime, text, name, signal ? { signal } : {}).then(onSync, (cause: unknown) => {
      failures.push(new Error(`sync ${name}: ${messageOf(cause)}`, { cause }))
    })
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '))
}
