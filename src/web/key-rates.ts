import type { Clock } from '../clock.ts'

// How fast each API key may send events: a bucket that holds a second's worth and refills as time passes. It is of this process
// alone; with several, a key may send that much faster.

export interface KeyRates {
  /** Takes `count` from the key's bucket. @returns 0, or the whole seconds to wait, and nothing was taken */
  take(key: string, count: number): number
}

/** @param perSecond what a bucket holds, and what it gains in a second */
export function openKeyRates(perSecond: number, clock: Clock): KeyRates {
  const buckets = new Map<string, { level: number; at: number }>()
  return {
    take: (key, count) => {
      const now = clock.now().getTime()
      const bucket = buckets.get(key) ?? { level: perSecond, at: now }
      buckets.set(key, bucket)
      const gained = (Math.max(0, now - bucket.at) / 1000) * perSecond
      bucket.level = Math.min(perSecond, bucket.level + gained)
      bucket.at = now
      // One request larger than the whole bucket goes out of a full one, and is paid off afterwards.
      const needed = Math.min(count, perSecond)
      if (bucket.level < needed) return Math.max(1, Math.ceil((needed - bucket.level) / perSecond))
      bucket.level -= count
      return 0
    },
  }
}
