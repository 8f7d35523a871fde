import { type ChannelName, MAX_DELAY } from './campaign.ts'
import type { Touch } from './model.ts'

// What is said of a touchpoint when it is looked at.

export type Verdict =
  | { readonly kind: 'send'; readonly channel: ChannelName }
  | { readonly kind: 'defer'; readonly until: number; readonly cause: string; readonly tried?: boolean }
  | { readonly kind: 'end'; readonly state: 'skipped' | 'cancelled'; readonly reason: string }

export const skip = (reason: string): Verdict => ({ kind: 'end', state: 'skipped', reason })

/** Another look at a later time, and what it waits for; or the end where that is too late. */
export function later(touch: Touch, until: number, cause: string, reason: string): Verdict {
  return until > touch.plannedFor + MAX_DELAY ? skip(reason) : { kind: 'defer', until, cause }
}
