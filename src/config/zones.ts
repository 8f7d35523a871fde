import { nearest } from './nearest-name.ts'

/** Names that are remembered: a column that holds anything but zones must not fill the memory. */
const MOST = 5000
const known = new Map<string, boolean>()

/**
 * Three letters that Intl takes for a zone and IANA has none of: CST is Chicago's there, and Shanghai's to whoever writes
 * it in China.
 */
const ABBREVIATION = /^(?!UTC|UCT|GMT|EST|MST|HST|CET|EET|MET|WET|PRC|ROC|ROK)[A-Z]{3}$/i

/** Whether a name is an abbreviation that more than one zone has. */
export function isAmbiguousZone(name: string): boolean {
  return ABBREVIATION.test(name)
}

/**
 * Whether `name` is an IANA zone, aliases such as Asia/Calcutta included. An offset is a zone to Intl, but has no summer
 * time, and an abbreviation may be another's. Asked of Intl once a name: there are few zones, and many contacts.
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
  if (!/^[A-Za-z][\w+\-/]*$/.test(name) || isAmbiguousZone(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

/** Places people look for and IANA does not name, by the zone whose clocks they have. */
const PLACES: Readonly<Record<string, string>> = {
  'Asia/Shanghai':
    'Beijing Peking Guangzhou Shenzhen Hangzhou Chengdu Wuhan Nanjing Tianjin Suzhou Xian Xiamen Qingdao China',
  'Asia/Tokyo': 'Osaka Kyoto Yokohama Nagoya',
  'Asia/Seoul': 'Busan Korea',
  'Asia/Kolkata': 'Mumbai Bombay Delhi New_Delhi Bangalore Bengaluru Chennai Hyderabad India',
  'Asia/Karachi': 'Islamabad Lahore Pakistan',
  'Asia/Dubai': 'Abu_Dhabi Sharjah',
  'Asia/Ho_Chi_Minh': 'Hanoi Vietnam',
  'Europe/Berlin': 'Munich Hamburg Frankfurt Cologne Stuttgart Germany',
  'Europe/Paris': 'Lyon Marseille France',
  'Europe/London': 'Manchester Edinburgh England',
  'Europe/Rome': 'Milan Naples Italy',
  'Europe/Madrid': 'Barcelona Spain',
  'Europe/Zurich': 'Geneva Basel Bern',
  'Europe/Moscow': 'St_Petersburg Saint_Petersburg',
  'America/New_York': 'Boston Washington Philadelphia Miami Atlanta',
  'America/Chicago': 'Houston Dallas Austin Minneapolis',
  'America/Los_Angeles': 'San_Francisco Seattle San_Diego Las_Vegas California',
  'America/Sao_Paulo': 'Rio_de_Janeiro Brasilia',
}
const CITIES = Object.entries(PLACES).flatMap(([zone, places]) =>
  places.split(' ').map((city) => ({ city, zone })),
)

/**
 * The zone that another name was probably meant to be: by its place, wherever it was looked for; else by its letters, of
 * places that are no zones as well.
 */
export function zoneMeant(name: string): string | undefined {
  const placeOf = (zone: string) => zone.split('/').at(-1)?.replaceAll(' ', '_').toLowerCase() ?? ''
  const zones = Intl.supportedValuesOf('timeZone')
  const place = placeOf(name)
  const city = CITIES.find((each) => each.city.toLowerCase() === place)
  const known = city?.zone ?? zones.find((zone) => placeOf(zone) === place)
  if (known !== undefined) return known
  // Alone, and beside the region of the zone whose clocks it has: `Asia/Beijing`.
  const written = new Map(
    CITIES.flatMap(({ city, zone }) => [
      [city, zone],
      [`${zone.split('/')[0]}/${city}`, zone],
    ]),
  )
  const meant = nearest(name, [...zones, ...written.keys()])
  return meant === undefined ? undefined : (written.get(meant) ?? meant)
}
