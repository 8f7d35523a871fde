import { closest, distance } from 'fastest-levenshtein'

/** The name that was most likely meant, where one is near enough to be a slip. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const known = [...names]
  if (known.length === 0) return undefined
  const found = known.find((each) => each.toLowerCase() === name.toLowerCase()) ?? closest(name, known)
  const edits = distance(name.toLowerCase(), found.toLowerCase())
  if (edits <= Math.max(1, Math.floor(Math.max(name.length, found.length) * 0.4))) return found
  // Two letters exchanged are two edits, and one slip.
  const letters = (text: string) => [...text.toLowerCase()].toSorted().join('')
  if (edits === 2 && letters(name) === letters(found)) return found
  // `boolean` for `bool`, `rollout_share` for `rollout`.
  return known.find(
    (each) => Math.min(each.length, name.length) >= 3 && (name.startsWith(each) || each.startsWith(name)),
  )
}
