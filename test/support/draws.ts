// Random numbers that are the same on every machine and every day, for tests of what is said about chance.

/** Uniform numbers in [0, 1), the same for the same seed (mulberry32 over a hash of the seed). */
export function seeded(seed: string): () => number {
  let state = 2166136261
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 16777619)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** How many of `n` succeed at `rate`, drawn again with each call: by the cumulated probabilities, worked out once. */
export function binomialDraws(n: number, rate: number, random: () => number): () => number {
  const cumulated: number[] = []
  let term = (1 - rate) ** n
  // Of many draws, that none succeeds is less probable than the smallest number there is: then by logarithms.
  let log = n * Math.log1p(-rate)
  const tiny = log < -700
  let sum = 0
  for (let successes = 0; successes <= n; successes += 1) {
    sum += tiny ? Math.exp(log) : term
    cumulated.push(sum)
    const ratio = ((n - successes) / (successes + 1)) * (rate / (1 - rate))
    term *= ratio
    log += Math.log(ratio)
  }
  return () => {
    const point = random()
    let low = 0
    let high = n
    while (low < high) {
      const middle = (low + high) >> 1
      if ((cumulated[middle] ?? 1) > point) high = middle
      else low = middle + 1
    }
    return low
  }
}

/** Normal numbers by Box and Muller. */
export function normalDraws(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
