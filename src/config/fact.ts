import { type SQL, sql } from 'drizzle-orm/sql'
import { earlier } from '../clock.ts'

export type FactType = 'string' | 'number' | 'bool' | 'timestamp' | 'duration' | 'money'

/** Something Winback knows of a contact, by the name conditions and templates use. */
export interface Fact {
  /** `contact.first_name`, `orders.total`, `remind.sent` */
  readonly path: string
  readonly type: FactType
  readonly description: string
  readonly unit?: string
  /** All that it can be, where these are few and known. */
  readonly values?: readonly string[]
  /** Seconds after which the value is too old to be used. */
  readonly fresh?: number
  /** How current the value is, where it is not simply the newest event's. */
  readonly known?: 'signals' | 'fit'
  /** `steps`: known only once an episode is open, so not for audience and segments. */
  readonly from: 'anywhere' | 'steps'
  /**
   * The value, NULL where it is not known: text, numeric, boolean, timestamptz; durations are numeric seconds, money
   * numeric currency units. Over the aliases of compiled.ts.
   */
  sql(now: Date): SQL
  /** True where the value is null in the contact's data, as against absent; facts without it are never that. */
  isNull?(now: Date): SQL
  /** True where the value is older than `fresh`, or nobody knows how old. */
  stale?(now: Date): SQL
}

export type FactCatalogue = ReadonlyMap<string, Fact>

/** A fact that is an expression over the joined rows, whatever the time. */
export function column(path: string, type: FactType, description: string, expression: SQL): Fact {
  return { path, type, description, from: 'anywhere', sql: () => expression }
}

/** A fact from `contact_signals`: stored history, read as of the moment it is asked for. */
export function signal(path: string, type: FactType, description: string, value: (now: Date) => SQL): Fact {
  return { path, type, description, known: 'signals', from: 'anywhere', sql: value }
}

/** A bind value: the same instant whatever the session's zone. */
export function instant(time: Date): SQL {
  return sql`${time.toISOString()}::timestamptz`
}

/** `now` minus a number of seconds, as a bind value. */
export function ago(now: Date, seconds: number): SQL {
  return instant(earlier(now, seconds))
}

/** Seconds from a moment to now, as numeric. */
export function since(moment: SQL, now: Date): SQL {
  return sql`extract(epoch FROM ${instant(now)} - ${moment})`
}
