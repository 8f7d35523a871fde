// Random numbers that are a function of who and what for: the same whatever was asked before, so that two
// worlds which differ in one delivery agree in everything that delivery did not touch.

const purposes = new Map<string, number>()

/** Uniform on [0, 1) with 53 bits, from a seed, a contact, a purpose and a count within the purpose. */
export function uniform(seed: number, contact: number, purpose: string, count = 0): number {
  const code = purposes.get(purpose) ?? remember(purpose)
  const high = hash(0x9e3779b9, seed, contact, code, count) >>> 5
  const low = hash(0x85ebca6b, seed, contact, code, count) >>> 6
  return (high * 67_108_864 + low) / 9_007_199_254_740_992
}

/** Exponential with mean 1. */
export function exponential(seed: number, contact: number, purpose: string, count = 0): number {
  return -Math.log1p(-uniform(seed, contact, purpose, count))
}

/** Standard normal, by Box and Muller. */
export function normal(seed: number, contact: number, purpose: string, count = 0): number {
  const radius = Math.sqrt(2 * exponential(seed, contact, purpose, count * 2))
  return radius * Math.cos(2 * Math.PI * uniform(seed, contact, `${purpose}, angle`, count * 2))
}

/** One of `options`, by weight. */
export function choose<T>(u: number, options: readonly (readonly [T, number])[]): T {
  const total = options.reduce((sum, [, weight]) => sum + weight, 0)
  let left = u * total
  for (const [option, weight] of options) {
    left -= weight
    if (left < 0) return option
  }
  const last = options.at(-1)
  if (!last) throw new RangeError('nothing to choose from')
  return last[0]
}

/** MurmurHash3 (x86, 32 bit) over four words. */
function hash(start: number, ...words: number[]): number {
  let h = start
  for (const word of words) {
    let k = Math.imul(word | 0, 0xcc9e2d51)
    k = (k << 15) | (k >>> 17)
    h ^= Math.imul(k, 0x1b873593)
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  h ^= words.length * 4
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** FNV-1a of a purpose's name. */
function remember(purpose: string): number {
  let code = 0x811c9dc5
  for (let at = 0; at < purpose.length; at += 1) code = Math.imul(code ^ purpose.charCodeAt(at), 0x01000193)
  purposes.set(purpose, code)
  return code
}
