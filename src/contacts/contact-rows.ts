import type { AttributeType } from '../config/workspace.ts'
import { isZone } from '../config/zones.ts'
import { emailProblem, normaliseEmail, normalisePhone, phoneProblem } from './addresses.ts'
import { externalIdProblem } from './external-ids.ts'
import { type Getters, getterIn } from './files/mapping.ts'
import type { RowValues } from './files/rows.ts'
import { type DateReader, type MomentReading, pastMoment } from './values/dates.ts'
import { standsForNothing } from './values/nothing.ts'
import { numberExpected, numberReader } from './values/numbers.ts'
import { unstorable } from './values/text.ts'
import { yesOrNo } from './values/yes-or-no.ts'

// A row of a file as a contact: read, normalised and typed, or refused with the reason.

/** Typed attributes of the workspace; `fresh` where a value has an age that matters. */
export type Attributes = Readonly<
  Record<string, { readonly type: AttributeType; readonly fresh?: number | undefined }>
>

/** One contact as a row gave it. `carried` says which columns the row speaks of; the others are left alone. */
export interface ContactRow {
  readonly externalId: string
  carried: number
  email: string | null
  phone: string | null
  locale: string | null
  timezone: string | null
  /** Epoch milliseconds. */
  signedUpAt: number | null
  attributes: Record<string, unknown>
  /** Attributes whose cell was empty: taken away. */
  cleared: string[]
}

/** The bit of `carried` that stands for each column. */
export const CARRIES = { email: 1, phone: 2, locale: 4, timezone: 8, signed_up_at: 16 } as const

/** Reads one row: the contact, or why there is none. `warn` hears of what the contact had to be kept without. */
export type ContactReader = (values: RowValues, warn: (reason: string) => void) => ContactRow | string

/** @param latest epoch milliseconds; a sign-up after it is rejected */
export function contactReader(
  getters: Getters,
  options: MomentReading & { readonly attributes: Attributes; readonly decimal?: '.' | ',' | undefined },
): ContactReader {
  const getter = getterIn(getters)
  const [getId, getEmail, getPhone, getLocale, getZone, getSignUp] = [
    getter('external_id'),
    getter('email'),
    getter('phone'),
    getter('locale'),
    getter('timezone'),
    getter('signed_up_at'),
  ]
  const attributes = Object.entries(options.attributes).flatMap(([name, { type }]) => {
    const get = getters.get(`attributes.${name}`)
    return get ? [{ name, get, convert: attributeConverter(name, type, options) }] : []
  })
  return (values, warn) => {
    const externalId = textOf(getId(values)) ?? ''
    const unsound = externalIdProblem(externalId)
    if (unsound !== undefined) return unsound
    const row: ContactRow = {
      externalId,
      carried: 0,
      email: null,
      phone: null,
      locale: null,
      timezone: null,
      signedUpAt: null,
      attributes: {},
      cleared: [],
    }
    const isNothing = (name: string, value: unknown): boolean => {
      const nothing = standsForNothing(value)
      if (nothing) warn(`kept without ${name}: "${value}" is what programs write for nothing`)
      return nothing
    }
    const email = getEmail(values)
    if (email !== undefined) {
      row.carried |= CARRIES.email
      const text = textOf(email) ?? noText(email)
      const problem = unstorable('email', text)
      if (problem !== undefined) return problem
      if (text !== null) {
        row.email = normaliseEmail(text) ?? null
        if (row.email === null) warn(`kept without e-mail: ${emailProblem(text)}`)
      }
    }
    const phone = getPhone(values)
    if (phone !== undefined) {
      row.carried |= CARRIES.phone
      const text = textOf(phone) ?? noText(phone)
      const problem = unstorable('phone', text)
      if (problem !== undefined) return problem
      if (text !== null) {
        row.phone = normalisePhone(text) ?? null
        if (row.phone === null) warn(`kept without phone: ${phoneProblem(text)}`)
      }
    }
    const locale = getLocale(values)
    if (locale !== undefined) {
      row.carried |= CARRIES.locale
      row.locale = isNothing('locale', locale) ? null : textOf(locale)
      const problem = unstorable('locale', row.locale)
      if (problem !== undefined) return problem
    }
    const zone = getZone(values)
    if (zone !== undefined) {
      row.carried |= CARRIES.timezone
      const text = textOf(zone) ?? noText(zone)
      const problem = unstorable('timezone', text)
      if (problem !== undefined) return problem
      if (text !== null && isZone(text)) row.timezone = text
      else if (text !== null) warn(`kept without time zone: there is no zone "${text}"`)
    }
    const signUp = bare(getSignUp(values))
    if (signUp !== undefined) {
      row.carried |= CARRIES.signed_up_at
      if (signUp !== null && signUp !== '' && !isNothing('signed_up_at', signUp)) {
        const at = pastMoment('signed_up_at', signUp, options)
        if (typeof at === 'string') return at
        if (at < 0) return 'signed_up_at: before 1970'
        row.signedUpAt = at
      }
    }
    for (const { name, get, convert } of attributes) {
      const value = bare(get(values))
      if (value === undefined) continue
      if (value === '' || isNothing(`attributes.${name}`, value)) {
        row.cleared.push(name)
        continue
      }
      const converted = value === null ? { value: null } : convert(value)
      if (typeof converted === 'string') return converted
      row.attributes[name] = converted.value
    }
    return row
  }
}

/**
 * A later row of the same contact over an earlier one, column by column.
 * @returns whether the later one says anything else
 */
export function mergeRows(earlier: ContactRow, later: ContactRow): boolean {
  const carries = (column: keyof typeof CARRIES) => (later.carried & CARRIES[column]) !== 0
  const changed =
    (carries('email') && earlier.email !== later.email) ||
    (carries('phone') && earlier.phone !== later.phone) ||
    (carries('locale') && earlier.locale !== later.locale) ||
    (carries('timezone') && earlier.timezone !== later.timezone) ||
    (carries('signed_up_at') && earlier.signedUpAt !== later.signedUpAt) ||
    later.cleared.some((name) => Object.hasOwn(earlier.attributes, name)) ||
    Object.entries(later.attributes).some(([name, value]) => earlier.attributes[name] !== value)
  if (carries('email')) earlier.email = later.email
  if (carries('phone')) earlier.phone = later.phone
  if (carries('locale')) earlier.locale = later.locale
  if (carries('timezone')) earlier.timezone = later.timezone
  if (carries('signed_up_at')) earlier.signedUpAt = later.signedUpAt
  earlier.carried |= later.carried
  for (const name of later.cleared) delete earlier.attributes[name]
  Object.assign(earlier.attributes, later.attributes)
  earlier.cleared = [...new Set([...earlier.cleared, ...later.cleared])].filter(
    (name) => !Object.hasOwn(earlier.attributes, name),
  )
  return changed
}

/** Without the spaces that columns of a fixed width are filled with: of a cell of nothing else, people would be greeted by none. */
function bare(value: unknown): unknown {
  return typeof value === 'string' ? value.trim() : value
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() || null
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

/** What stands for a list or an object where a text was expected: it is shown in the reject file, however deep it is. */
function noText(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null
  return Array.isArray(value) ? '[…]' : '{…}'
}

function attributeConverter(
  name: string,
  type: AttributeType,
  { date, decimal }: { readonly date: DateReader; readonly decimal?: '.' | ',' | undefined },
): (value: unknown) => { value: unknown } | string {
  const wrong = (value: unknown, expected = '') =>
    `attributes.${name}: ${noText(value) ?? JSON.stringify(value)} is not a ${type}${expected && `; ${expected}`}`
  switch (type) {
    case 'string':
      return (value) => {
        if (typeof value === 'string') return unstorable(`attributes.${name}`, value) ?? { value }
        return typeof value === 'number' || typeof value === 'boolean'
          ? { value: String(value) }
          : wrong(value)
      }
    case 'number': {
      const read = numberReader(decimal)
      return (value) => {
        const number = read(value)
        return number === undefined ? wrong(value, numberExpected(value, decimal)) : { value: number }
      }
    }
    case 'bool':
      return (value) => {
        const said = typeof value === 'boolean' ? value : yesOrNo(String(value))
        return said === undefined
          ? wrong(value, 'expected true or false, yes or no, 1 or 0')
          : { value: said }
      }
    case 'timestamp':
      return (value) => {
        const at = date(value)
        return typeof at === 'string' ? `attributes.${name}: ${at}` : { value: new Date(at).toISOString() }
      }
  }
}
