import { openRuntime, type Runtime } from '../service/runtime.ts'
import type { DatabaseContext } from './workspace.ts'

/**
 * The runtime of a verb that sends nothing: for what it reads, and for what it sets off, such as a return that cancels what
 * was planned. No channel is open in it, so there is nothing to close.
 */
export async function openQuietRuntime(
  { database, clock, loaded }: Pick<DatabaseContext, 'database' | 'clock' | 'loaded'>,
  options: Pick<Parameters<typeof openRuntime>[0], 'onRefused'> = {},
): Promise<Runtime> {
  return await openRuntime({ ...options, database, clock, workspace: loaded.definition, channels: new Map() })
}
