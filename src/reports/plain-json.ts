/**
 * What `JSON.stringify` is given to write figures, the same at a terminal, by the API and from a page: maps become objects,
 * sets lists and big integers text, for JSON knows none of them. Pure.
 */
export function plainJson(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Map) return Object.fromEntries(value)
  if (value instanceof Set) return [...value]
  return value
}
