import type { Luck } from './luck.ts'

// Those the soaked shop writes to. Half of them will be erased before the end, and are known by a word nobody else has:
// if it is still anywhere in the database then, something was forgotten to be forgotten.

/** In the names and addresses of all who are erased, and how their phone numbers begin. */
export const TRACES = ['zqxgone', '861997700'] as const

/** Silences, in seconds: where tiers begin, less a little, so that the clock moves people on; and well inside. */
const DAY = 86_400
const SILENCES = [3 * DAY, 3 * DAY, 7 * DAY - 90, 15 * DAY - 90, 15 * DAY - 30, 20 * DAY, DAY]
const ZONES = [
  'UTC',
  'Asia/Shanghai',
  'America/New_York',
  'Europe/Berlin',
  'Pacific/Auckland',
  'Asia/Kathmandu',
]

export interface Person {
  readonly id: string
  readonly email: string | null
  readonly phone: string | null
  readonly firstName: string | null
  readonly timezone: string
  readonly device: boolean
  readonly signedUpAt: Date
  /** Is erased before the end. */
  readonly leaves: boolean
  /** Takes another's address some day, and is the same person from then on. */
  readonly joins: boolean
}

export interface People {
  readonly all: Person[]
  /** Who is yet to be erased. */
  readonly leaving: Person[]
  readonly joining: Person[]
  make(now: Date): Person
}

export function openPeople(luck: Luck): People {
  const all: Person[] = []
  const leaving: Person[] = []
  const joining: Person[] = []
  return {
    all,
    leaving,
    joining,
    make: (now) => {
      const number = all.length + 1
      const leaves = luck.chance(0.2)
      const joins = !leaves && luck.chance(0.1)
      const id = `${leaves ? TRACES[0] : joins ? 'join' : 'u'}${number}`
      const digits = String(number).padStart(4, '0')
      const silence = (luck.pick(SILENCES) ?? DAY) + luck.below(60)
      const person: Person = {
        id,
        email: luck.chance(0.9) ? `${id}@people.example` : null,
        // The number of one who leaves is too short for more than ten thousand of them: those have none.
        phone: !luck.chance(0.6)
          ? null
          : !leaves
            ? `+8613${String(number).padStart(9, '0')}`
            : number < 10_000
              ? `+${TRACES[1]}${digits}`
              : null,
        firstName: luck.chance(0.8) ? (leaves ? `Li ${TRACES[0]}` : 'Li') : null,
        timezone: luck.pick(ZONES) ?? 'UTC',
        device: luck.chance(0.3),
        signedUpAt: new Date(now.getTime() - silence * 1000),
        leaves,
        joins,
      }
      all.push(person)
      if (leaves) leaving.push(person)
      if (joins) joining.push(person)
      return person
    },
  }
}

/** A row of an import. */
export function rowOf(person: Person): Record<string, string> {
  const { id, email, phone, firstName, timezone, signedUpAt } = person
  return {
    external_id: id,
    signed_up_at: signedUpAt.toISOString(),
    timezone,
    ...(email === null ? {} : { email }),
    ...(phone === null ? {} : { phone }),
    ...(firstName === null ? {} : { first_name: firstName }),
  }
}
