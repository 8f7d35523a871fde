import { bigint, customType, timestamp } from 'drizzle-orm/pg-core'

// Column types that every file of the schema uses.
//
// Table names are unqualified: every connection's search_path names the one schema Winback lives in
// (`winback` by default, another for a replay or a test), so one set of migrations serves them all.
//
// Tables that grow with contacts carry contact_id in the primary key and in unique constraints, so that
// they can be partitioned or distributed later. Lookup tables are keyed by what they look up.

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
export const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })
export const id = (name: string) => bigint(name, { mode: 'number' })
export const micros = (name: string) => bigint(name, { mode: 'number' })
