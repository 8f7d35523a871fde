import { nearest } from './nearest-name.ts'

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

/** Places people look for and IANA does not name: their clocks are those of another. */
const CITIES: ReadonlyMap<string, string> = new Map([
  ['beijing', 'Asia/Shanghai'],
  ['peking', 'Asia/Shanghai'],
  ['guangzhou', 'Asia/Shanghai'],
  ['shenzhen', 'Asia/Shanghai'],
  ['hangzhou', 'Asia/Shanghai'],
  ['chengdu', 'Asia/Shanghai'],
  ['china', 'Asia/Shanghai'],
])

/** The zone that another name was probably meant to be: by its place, wherever it was looked for; else by its letters. */
export function zoneMeant(name: string): string | undefined {
  const placeOf = (zone: string) => zone.split('/').at(-1)?.replaceAll(' ', '_').toLowerCase() ?? ''
  const zones = Intl.supportedValuesOf('timeZone')
  const place = placeOf(name)
  return CITIES.get(place) ?? zones.find((zone) => placeOf(zone) === place) ?? nearest(name, zones)
}
