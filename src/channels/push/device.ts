import type { Delivery, Device } from '../channel.ts'
import type { Push } from './content.ts'

/** What a provider did with a push to one device. */
export type DeviceOutcome =
  | Delivery
  /** The token or subscription is nobody's any more. */
  | { readonly outcome: 'dead'; readonly detail: string }

/** A provider of pushes that is open. */
export interface PushProvider {
  send(device: Device, push: Push, key: string): Promise<DeviceOutcome>
  /** Resolves to what it found. @throws where it cannot be used */
  check(): Promise<string>
  close(): void
}

/**
 * What the sends to somebody's devices come to: one that arrived reached the person; a doubt is a doubt; only where all
 * are dead is there nobody to reach.
 * @param several more than one provider is set up: one that is away is so for those alone whose devices are its own, and
 *   the channel is not
 */
export function combine(outcomes: readonly (readonly [Device, DeviceOutcome])[], several = false): Delivery {
  const dead = outcomes.flatMap(([device, { outcome }]) => (outcome === 'dead' ? [device.token] : []))
  const gone = dead.length === 0 ? {} : { dead }
  const all = (what: 'unreached' | 'takesNone') =>
    !several && outcomes.every(([, outcome]) => outcome.outcome === 'retry' && outcome[what])
  const whole = { unreached: all('unreached'), takesNone: all('takesNone') }
  for (const wanted of ['sent', 'uncertain', 'retry', 'rejected'] as const) {
    for (const [, outcome] of outcomes) {
      if (outcome.outcome !== wanted) continue
      return { ...outcome, ...gone, ...(outcome.outcome === 'retry' ? whole : {}) }
    }
  }
  const detail = outcomes.map(([, outcome]) => outcome.detail ?? '').join('; ')
  return { outcome: 'rejected', reason: 'bad_address', detail: detail || 'no device', ...gone }
}
