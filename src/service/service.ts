import type { RunResult } from '../audience/run.ts'
import type { SyncSummary } from '../contacts/sync/sync.ts'
import type { Gap, Queue } from '../reports/queues.ts'
import type { BatchResult } from '../touchpoints/batch.ts'
import type { Tripped } from '../touchpoints/breakers.ts'
import type { Swept } from '../touchpoints/recovery.ts'
import type { Reached } from '../touchpoints/sending/absences.ts'

// The long-running roles: the scheduler (scheduler.ts) and the sending workers (sending.ts). `start` is all of them in
// one process; `worker` and `scheduler` are the same ones on more machines. None keeps state: any may be killed, and
// any number may run.

/** What happens while it runs, for a log or a screen. */
export interface ServiceEvents {
  onRun(campaign: string, tick: Date, result: RunResult): void
  onBatch(result: BatchResult): void
  onSweep(swept: Swept): void
  /** A breaker or a campaign's `stop` rule acted. */
  onTripped?(tripped: Tripped): void
  onSync?(summary: SyncSummary): void
  /** Redemptions told by events that were refused, by reason. */
  onRefused?(reasons: Readonly<Record<string, number>>): void
  /** A channel is left alone for so many milliseconds: its provider says nothing. */
  onRest?(channel: string, milliseconds: number): void
  /** A provider cannot be reached, told at each try in vain; or is reached again. */
  onReach?(news: Reached): void
  /** Schedulers have no workers at their queue, or workers no scheduler; or no more, without any. */
  onGap?(gap: { readonly kind: Gap; readonly queues: readonly Queue[] } | undefined): void
  /** @param request of the web, by its id */
  onError(where: string, error: unknown, request?: string): void
}

export interface Service {
  /** Lets what is under way end, then resolves. */
  close(): Promise<void>
}
