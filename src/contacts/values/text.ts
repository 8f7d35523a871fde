// What PostgreSQL cannot hold as text or jsonb, although JSON can write it: it would fail the whole chunk.

/** With the flag `u`, whole pairs are characters and do not match. */
const LONE = /\p{Surrogate}/u

/** Why `text` cannot be stored, of the field `name`; undefined where it can. */
export function unstorable(name: string, text: string | null): string | undefined {
  if (text === null) return undefined
  if (text.includes('\0')) return `${name}: holds a NUL character`
  return LONE.test(text) ? `${name}: holds half of a surrogate pair, which is no character` : undefined
}

/** As systems show what is not to be read whole: `138****8000`, `l***@shop.example`, `李**`. */
const MASK = /[*•●]{2}/

/** What is wrong with an id, an address or a number that is masked, which many share; undefined where it is not. */
export function maskedProblem(text: string): string | undefined {
  return MASK.test(text.normalize('NFKC')) ? `"${text}" is masked; export it whole` : undefined
}

/** Levels of objects and arrays; deeper ones exhaust the stack, ours or PostgreSQL's. */
const DEEPEST = 100

/** A JSON value as text that PostgreSQL takes as jsonb, or why there is none. Its keys are looked at as well. */
export function jsonText(name: string, value: unknown): { text: string } | string {
  if (deeperThan(value, DEEPEST)) return `${name}: is nested deeper than ${DEEPEST} levels`
  const text = JSON.stringify(value)
  // Both stand escaped here, as \u0000 and \ud800 to \udfff; an even number of backslashes before is a text about them.
  if (!text.includes('\\u')) return { text }
  const found = /(?<!\\)(?:\\\\)*\\u(?:(0000)|d[89a-f])/.exec(text)
  if (!found) return { text }
  return unstorable(name, found[1] ? '\0' : '\ud800') ?? { text }
}

function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => deeperThan(inner, levels - 1))
}
