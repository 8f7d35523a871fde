/** Names that are remembered: a column that holds anything but zones must not fill the memory. */
const MOST = 5000
const known = new Map<string, boolean>()

/**
 * Whether `name` is an IANA zone, aliases such as Asia/Calcutta included. An offset is a zone to Intl, but has no summer
 * time. Asked of Intl once a name: there are few zones, and many contacts.
 */
export function isZone(name: string): boolean {
  const before = known.get(name)
  if (before !== undefined) return before
  const found = isKnownToIntl(name)
  if (known.size >= MOST) known.clear()
  known.set(name, found)
  return found
}

function isKnownToIntl(name: string): boolean {
  if (!/^[A-Za-z][\w+\-/]*$/.test(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
