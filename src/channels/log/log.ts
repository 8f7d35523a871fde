import type { Channel, ChannelModule } from '../channel.ts'
import { parsePrice } from '../price.ts'
import { type LogSettings, logSettings } from './settings.ts'

/** Delivers nowhere and counts: for dry runs, for load, and for channels a campaign does not have yet. */
export const log: ChannelModule<LogSettings> = {
  name: 'log',
  idempotent: true,
  address: 'none',
  renders: false,
  settings: logSettings,
  open: (settings) => openLog(settings),
}

/** Opens the channel. A key's id is made from the key alone, so a repeat is recognised without remembering it. */
export function openLog(settings: LogSettings): Channel<'nowhere', null> {
  const price = parsePrice(settings.price)
  let count = 0
  let closed = false
  return {
    name: log.name,
    idempotent: log.idempotent,
    inert: true,
    // More than a worker's batches together: jobs that run side by side need not wait for one another.
    concurrency: 2_000,
    deadline: 1_000,
    addressOf: () => 'nowhere',
    render: () => null,
    cost: () => price,
    send: (message) => {
      if (closed) return Promise.resolve({ outcome: 'retry', detail: 'the channel is closed', unsent: true })
      count++
      return Promise.resolve({ outcome: 'sent', providerId: `log:${message.key}` })
    },
    check: () => Promise.resolve(`delivers nowhere; counted ${count} since it was opened`),
    close: () => {
      closed = true
      return Promise.resolve()
    },
  }
}
