// Chance that can be had again: each part of the load draws from a stream of its own, so that how fast one goes
// changes nothing of what another does.

export interface Luck {
  /** Uniform on [0, 1). */
  next(): number
  /** An integer from 0, below `most`. */
  below(most: number): number
  chance(share: number): boolean
  pick<T>(list: readonly T[]): T | undefined
}

/** Mulberry32, seeded by a number and what it is for. */
export function openLuck(seed: number, purpose: string): Luck {
  let state = seed >>> 0
  for (const letter of purpose) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193) >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (most: number) => Math.floor(next() * most)
  return {
    next,
    below,
    chance: (share) => next() < share,
    pick: (list) => list[below(list.length)],
  }
}
