import type { Channel } from '../../channels/channel.ts'
import { record } from './recording.ts'
import { type RollingDependencies, roll } from './rolling.ts'
import type { BatchTally, Handover } from './sends.ts'
import type { Slots } from './slots.ts'

export interface DeliveryDependencies extends RollingDependencies {
  readonly channels: ReadonlyMap<string, Channel>
  /** Sends under way in this process, by channel: jobs that run side by side share them. */
  readonly slots: ReadonlyMap<string, Slots>
}

/** Sends what the guards let through, channel by channel, and settles it. */
export async function deliver(dependencies: DeliveryDependencies, handover: Handover): Promise<BatchTally> {
  const tally: BatchTally = {
    settled: {},
    skipped: {},
    deferred: 0,
    tried: new Map(),
    turnedAway: new Map(),
    untried: 0,
    doubts: false,
    byChannel: new Map(),
    swept: new Map(),
    nowhere: new Map(),
    left: new Map(),
  }
  for (const channel of new Set(handover.toSend.map((cleared) => cleared.channel))) {
    const toSend = handover.toSend.filter((cleared) => cleared.channel === channel)
    const slots = dependencies.slots.get(channel)
    if (!slots) continue
    const inert = dependencies.channels.get(channel)?.inert === true
    if (inert) await record(dependencies, { ...handover, toSend }, tally)
    else await roll(dependencies, { ...handover, toSend }, slots, tally)
  }
  return tally
}
