import type { Channel } from '../channels/channel.ts'

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
