import { hash } from 'node:crypto'

/** Characters an event may be known by: no index takes a key of any length. */
const LONGEST = 200

/** What an event is known by, of a name of any length: of a longer one its hash, for two may begin alike. */
export function eventIdOf(name: string): string {
  return name.length > LONGEST ? hash('sha256', name, 'base64url') : name
}
