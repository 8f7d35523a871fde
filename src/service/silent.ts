import type { Channel } from '../channels/channel.ts'
import type { OfferProvider } from '../offers/provider.ts'

/**
 * Credits nothing, and says that it has. For replays, also for those that send: the accounts are real, and the number of a
 * grant in a replay, by which a repeat is recognised, is that of another grant in truth.
 */
export const SILENT_PROVIDER: OfferProvider = {
  concurrency: 500,
  credit: async () => ({ outcome: 'credited' }),
}

/**
 * The same channels with their last step taken out: addresses are checked, templates rendered and costs counted, and
 * nothing leaves the house. For replays.
 */
export function silenceChannels(channels: ReadonlyMap<string, Channel>): ReadonlyMap<string, Channel> {
  return new Map([...channels].map(([name, channel]) => [name, silence(channel)]))
}

function silence(channel: Channel): Channel {
  return {
    ...channel,
    // As many at once as a batch has: there is nobody to be gentle with.
    concurrency: 500,
    send: async () => ({ outcome: 'sent', detail: 'not sent: a replay' }),
    check: async () => 'silent',
  }
}
