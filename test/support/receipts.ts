import type { Channel, Receipts, RefusedWebhook, Webhook } from '../../src/channels/channel.ts'

/** What a channel reads in a webhook, for channels that ask nobody and answer at once. */
export function readNow<Address, Content>(
  channel: Channel<Address, Content>,
  webhook: Webhook,
): Receipts | RefusedWebhook | undefined {
  const read = channel.receipts?.(webhook)
  if (read instanceof Promise) throw new Error(`${channel.name} does not answer at once`)
  return read
}
