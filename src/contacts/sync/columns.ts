import type { Path } from '../../config/documents/document.ts'
import { ACTIVITY_FIELDS, contactFields, fieldCalled } from '../../config/import-fields.ts'
import type { SyncSettings } from '../../config/sync-settings.ts'
import type { Attributes } from '../contact-rows.ts'
import type { Getter, Getters } from '../files/mapping.ts'

// Which column of a query is which field. Pure: the columns are known from a probe, before anything is read.

/** A column of a query. */
export interface Column {
  readonly name: string
  /** As PostgreSQL calls it: `timestamp with time zone`. */
  readonly type: string
}

/** Where each field of a row is found, and the row’s cursor. */
export interface BoundColumns {
  readonly getters: Getters
  readonly cursor: Column
}

/** Something about a sync's settings that its query's columns show to be wrong; `path` begins below the sync's name. */
export interface ColumnTrouble {
  readonly path: Path
  readonly message: string
  /** What might have been meant, to find the nearest among. */
  readonly names: readonly string[]
  readonly found?: string
}

const REQUIRED = {
  contacts: ['external_id'],
  activity: ['external_id', 'type', 'occurred_at'],
} as const

/**
 * Binds the settings of a sync to the columns of its query: the columns that `fields` names, and those that are called
 * like a field. An event without a message id has one of the sync's name and its key, by which it is known again.
 */
export function bindColumns(
  name: string,
  settings: Pick<SyncSettings, 'kind' | 'fields' | 'set' | 'cursor' | 'key'>,
  columns: readonly Column[],
  attributes: Attributes,
): BoundColumns | readonly ColumnTrouble[] {
  const { kind } = settings
  const troubles: ColumnTrouble[] = []
  const names = columns.map((column) => column.name)
  const wanted = (column: string, path: Path) => {
    const found = columns.filter((each) => each.name === column)
    if (found.length === 1) return found[0]
    const message =
      found.length === 0
        ? `the query has no column \`${column}\`; there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ') || 'none'}`
        : `the query has ${found.length} columns called \`${column}\`; give one another name with AS`
    troubles.push({ path, message, names: found.length === 0 ? names : [], found: column })
    return undefined
  }
  const fields: readonly string[] = kind === 'contacts' ? contactFields(attributes) : ACTIVITY_FIELDS
  const mapped = new Map<string, { column: string; path: Path }>()
  for (const [given, column] of Object.entries(settings.fields)) {
    const field = fieldCalled(given, fields)
    if (field !== undefined) mapped.set(field, { column, path: ['fields', given] })
  }
  const constants = new Map(
    Object.entries(settings.set).map(([given, value]) => [fieldCalled(given, fields) ?? given, value]),
  )
  for (const field of fields) {
    if (mapped.has(field) || constants.has(field)) continue
    const short = field.replace(/^attributes\./, '')
    // An attribute may be called like a field of its own; the field goes first.
    const column = (fields.includes(short) && short !== field ? [field] : [field, short]).find((each) =>
      names.includes(each),
    )
    if (column !== undefined) mapped.set(field, { column, path: ['query'] })
  }
  const getters = new Map<string, Getter>()
  for (const [field, { column, path }] of mapped) {
    if (!wanted(column, path)) continue
    const get: Getter = (values) => (values as Readonly<Record<string, unknown>>)[column]
    // What a property does not have, it has not: null would be kept beside those that mean something.
    getters.set(field, field.startsWith('properties.') ? (values) => get(values) ?? undefined : get)
  }
  for (const [field, value] of constants) getters.set(field, () => value)
  for (const field of REQUIRED[kind]) {
    if (getters.has(field) || mapped.has(field)) continue
    troubles.push({
      path: ['query'],
      message: `no column is ${field}: call one so with AS, or name it under \`fields\`. There are ${names.join(', ')}`,
      names: [],
    })
  }
  if (kind === 'activity' && !getters.has('message_id')) {
    const key = settings.key
    if (key === undefined) {
      troubles.push({
        path: ['query'],
        message:
          'nothing tells one event from another: name the column that does as `key`, such as the row’s id',
        names: [],
      })
    } else if (wanted(key, ['key'])) getters.set('message_id', keyed(name, key))
  }
  const cursor = wanted(settings.cursor, ['cursor'])
  return cursor && troubles.length === 0 ? { getters, cursor } : troubles
}

function keyed(name: string, column: string): Getter {
  return (values) => {
    const key = (values as Readonly<Record<string, unknown>>)[column]
    return key === null || key === undefined ? null : `${name}:${String(key)}`
  }
}
