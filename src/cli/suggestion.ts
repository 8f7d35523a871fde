import { distance } from 'fastest-levenshtein'

/**
 * The names a word that is none may have been meant for, nearest first: those a slip away, else those it begins or that
 * begin it, else the nearest that are not far. Dashes before an option do not count.
 */
export function nearMisses(word: string, names: Iterable<string>): string[] {
  const typed = bare(word)
  const known = [...new Set(names)]
  const slips = known.filter((name) => editsBetween(typed, bare(name)) <= 1)
  if (slips.length > 0) return slips
  const begun = known.filter((name) => begins(typed, bare(name)) || begins(bare(name), typed))
  if (begun.length > 0) return begun
  const least = Math.min(...known.map((name) => editsBetween(typed, bare(name))))
  return known.filter((name) => {
    const edits = editsBetween(typed, bare(name))
    return edits === least && edits <= Math.max(typed.length, bare(name).length) * 0.4
  })
}

function bare(name: string): string {
  return name.replace(/^-+/, '').replace(/=.*$/s, '').toLowerCase()
}

/** Two letters say little, and one nothing. */
function begins(part: string, whole: string): boolean {
  return part.length >= 2 && whole.startsWith(part)
}

/** Letters changed, put in or left out; two beside each other that were exchanged are one slip. */
function editsBetween(one: string, other: string): number {
  const edits = distance(one, other)
  if (edits !== 2 || one.length !== other.length) return edits
  const at = [...one].findIndex((letter, no) => letter !== other[no])
  const exchanged = one[at] === other[at + 1] && one[at + 1] === other[at]
  return exchanged && one.slice(at + 2) === other.slice(at + 2) ? 1 : edits
}
