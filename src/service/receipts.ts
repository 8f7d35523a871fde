import type { Greeting, RefusedWebhook, Webhook } from '../channels/channel.ts'
import { isOurs } from '../database/installation.ts'
import { type RecordedReceipts, recordReceipts } from '../outcomes/receipts.ts'
import { recordReplies } from '../outcomes/replies.ts'
import { takeCallReports } from './calls.ts'
import { refuseReported } from './leaving.ts'
import type { Runtime } from './runtime.ts'

/** What became of a provider's call. */
export interface TakenReceipts extends RecordedReceipts {
  readonly outcome: 'taken'
  readonly replies: number
  /** How the provider wants to be answered. */
  readonly answer: { readonly type: string; readonly body: string } | undefined
}

/**
 * Takes what a provider calls us with: read and verified by its channel, then recorded. A call that is refused has
 * changed nothing; one that is repeated changes nothing more.
 */
export async function takeReceipts(
  runtime: Runtime,
  channelName: string,
  webhook: Omit<Webhook, 'now'>,
): Promise<TakenReceipts | RefusedWebhook> {
  const { database, worker, clock } = runtime
  const now = clock.now()
  const channel = worker.channels.get(channelName)
  if (!channel?.receipts) {
    const reason = channel
      ? `the channel ${channelName} takes no receipts`
      : `there is no channel ${channelName} in winback.yaml`
    return { outcome: 'refused', status: 404, reason }
  }
  const read = await channel.receipts({ ...webhook, now })
  if (read.outcome === 'refused') return read
  if (read.calls) {
    const calls = await takeCallReports(runtime, read.calls)
    if (calls.outcome === 'refused') return calls
    return { ...calls, settled: 0, suppressed: 0, replies: 0, answer: read.answer }
  }
  const reporting = runtime.reporting(channelName)
  const ours = read.events.filter((event) => isOurs(worker.installation, event))
  const recorded = await recordReceipts(database, now, reporting, ours, (tx, leaving) =>
    refuseReported(tx, runtime, channelName, leaving),
  )
  const ignored = recorded.ignored + read.events.length - ours.length
  const keyed = read.replies.flatMap((reply) => {
    const { kind } = reporting
    const keys = kind === 'email' || kind === 'phone' ? runtime.addressKeys(kind, reply.from) : []
    return keys.length === 0 ? [] : [{ ...reply, keys }]
  })
  const leaving = await recordReplies(database, now, reporting, keyed)
  // After the commit: that they want no more holds, whether or not they can be told so.
  for (const reply of leaving) await channel.confirm?.(reply)
  return { outcome: 'taken', ...recorded, ignored, replies: keyed.length, answer: read.answer }
}

/** Answers a provider that asks, before it reports, whether the address it was given is ours. Nothing is recorded. */
export async function greetProvider(
  { worker, clock }: Pick<Runtime, 'worker' | 'clock'>,
  channelName: string,
  webhook: Omit<Webhook, 'now' | 'body'>,
): Promise<Greeting | RefusedWebhook> {
  const channel = worker.channels.get(channelName)
  if (channel?.greet) return await channel.greet({ ...webhook, body: new Uint8Array(), now: clock.now() })
  const reason = `there is no channel ${channelName} that is asked anything before its provider reports`
  return { outcome: 'refused', status: 404, reason }
}
