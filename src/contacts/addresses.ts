import { hash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import { dropsZero, isWithin, parsePhone } from '../channels/sms/phone.ts'
import { shortenedProblem } from './values/numbers.ts'
import { maskedProblem } from './values/text.ts'

export type IdentifierKind = 'email' | 'phone'

// One @, a local part without the characters that need quoting, and a domain of at least two labels. Mail servers
// decide the rest.
const EMAIL =
  /^[^\s@"(),:;<>[\]\\]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?)+$/u
const PLAIN_EMAIL = /^[a-z0-9._%+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)+$/

/** Trimmed, NFC, lower case; undefined where it cannot be an address (254 characters at most, RFC 5321). */
export function normaliseEmail(text: string): string | undefined {
  const email = text.trim().normalize('NFC').toLowerCase()
  if (email.length > 254 || email.startsWith('.') || email.includes('..') || email.includes('.@')) {
    return undefined
  }
  if (PLAIN_EMAIL.test(email) && !email.includes('@-') && !email.includes('-.')) return email
  // What is copied from a page or a chat brings marks along that nobody sees; with them it is another address, and none.
  const visible = email.replace(/\p{Cf}/gu, '')
  if (visible !== email) return normaliseEmail(visible)
  return EMAIL.test(email) && maskedProblem(email) === undefined ? email : undefined
}

/** Why {@link normaliseEmail} takes a text for no address. */
export function emailProblem(text: string): string {
  return maskedProblem(text) ?? `"${text}" is not an address`
}

/**
 * Digits with a leading + where the country is known (`+86 138-0013-8000`, `0086…`), as they are where it is not;
 * undefined where it cannot be a number (6 to 15 digits).
 */
export function normalisePhone(text: string): string | undefined {
  // As nearly all are.
  if (/^(?:\+\d{6,15}|0?[1-9]\d{5,13})$/.test(text)) return text
  // A number that a program took for one, and wrote with a fraction: its zero is no digit of it.
  const whole = text.replace(/^(\s*\+?\d{6,15})\.0+\s*$/, '$1')
  const compact = whole.normalize('NFKC').replace(/[\s\p{Cf}\p{Pd}\u2212()./]/gu, '')
  const phone = compact.startsWith('00') ? `+${compact.slice(2)}` : compact
  return /^\+?\d{6,15}$/.test(phone) ? phone : undefined
}

/** Why {@link normalisePhone} takes a text for no number. */
export function phoneProblem(text: string): string {
  return shortenedProblem(text) ?? maskedProblem(text) ?? `"${text}" is not a number`
}

/**
 * Every way in which the number may be kept, as {@link normalisePhone} leaves it, the most complete first: with plus and
 * country, with the country alone, without it, with the zero that stands for it. Contacts are kept as their file wrote
 * them, and who opts out is named as the provider writes it. Where a number without plus can be read in two ways, both
 * are given: a number too many on the do-not-contact list costs less than one too few.
 * @param phone normalised
 * @param countries codes of the countries that numbers without one may be of
 */
export function spellings(phone: string, countries: readonly string[]): string[] {
  const digits = phone.replace('+', '')
  const readings = new Set<string>()
  const read = (text: string) => {
    for (const country of countries) {
      const whole = parsePhone(text, country)
      if (whole !== undefined) readings.add(whole)
    }
  }
  read(phone)
  if (!phone.startsWith('+') && !countries.some((country) => isWithin(digits.replace(/^0/, ''), country))) {
    read(`+${digits}`)
  }
  if (readings.size === 0) readings.add(`+${digits}`)
  const written = [...readings].flatMap((whole) => [
    whole,
    whole.slice(1),
    ...countries.flatMap((country) => withoutCountry(whole, country)),
  ])
  return [...new Set([...written, phone])].filter((each) => normalisePhone(each) === each)
}

/**
 * The number with its country, as whoever sends to it would have it; as it is where that is not known, or where the
 * countries do not agree. Persons are linked by it, however their numbers are written: those who may be two stay two.
 * @param phone normalised
 */
export function wholeNumber(phone: string, countries: readonly string[]): string {
  const [first, ...others] = countries
  if (first === undefined) return phone
  const whole = parsePhone(phone, first)
  return whole !== undefined && others.every((each) => parsePhone(phone, each) === whole) ? whole : phone
}

function withoutCountry(whole: string, country: string): string[] {
  if (!whole.startsWith(`+${country}`)) return []
  const number = whole.slice(1 + country.length)
  if (!dropsZero(country)) return [number]
  return [number, `0${number}`, `+${country}0${number}`, `${country}0${number}`]
}

/** The keyed hash a normalised address is stored and compared by. `addressKey` is the database's own secret. */
export function addressHash(addressKey: string, kind: IdentifierKind, normalised: string): Buffer {
  return hash('sha256', `${addressKey}:${kind}:${normalised}`, 'buffer')
}

/** What an address is looked up by on the do-not-contact list: a number by the keys of all its {@link spellings}. */
export function listedKeys(
  addressKey: string,
  kind: IdentifierKind,
  normalised: string,
  countries: readonly string[],
): Buffer[] {
  const written = kind === 'phone' ? spellings(normalised, countries) : [normalised]
  return written.map((each) => addressHash(addressKey, kind, each))
}

/** {@link addressHash} in hexadecimal, which takes half the time. */
export function addressHashHex(addressKey: string, kind: IdentifierKind, normalised: string): string {
  return hash('sha256', `${addressKey}:${kind}:${normalised}`, 'hex')
}

/** {@link addressHash} as SQL, of a text expression; NULL of NULL. */
export function addressHashSql(addressKey: string, kind: IdentifierKind, normalised: SQL): SQL {
  return sql`sha256(convert_to(${`${addressKey}:${kind}:`} || ${normalised}, 'UTF8'))`
}
