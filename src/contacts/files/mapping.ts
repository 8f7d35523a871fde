import { closest } from 'fastest-levenshtein'
import { z } from 'zod'
import { EVENTS } from '../../config/event-names.ts'
import { fieldCalled } from '../../config/import-fields.ts'
import { nearest } from '../../config/nearest-name.ts'
import { WinbackError } from '../../errors.ts'
import { standsForNothing } from '../values/nothing.ts'
import type { RowValues } from './rows.ts'

// Which column of the file is which field. A field is what Winback knows (`external_id`, `attributes.plan`); a
// column is a name from the header, a number from 1 where there is none, or a dotted path into an NDJSON object.

/** How a file is written, as flags or a mapping file (YAML or JSON) say it. */
export const importMapping = z.strictObject({
  format: z.enum(['csv', 'ndjson'], 'expected csv or ndjson').optional(),
  delimiter: z
    .union([z.literal('whitespace'), z.string().length(1, 'expected one character, or whitespace')])
    .optional()
    .describe('One character, or `whitespace`'),
  header: z
    .boolean()
    .optional()
    .describe('Whether the first line of a CSV names the columns; true unless said'),
  encoding: z.string().optional().describe('Such as gbk, windows-1252 or utf-16le; UTF-8 unless said'),
  timezone: z.string().optional().describe('IANA zone of dates without one; the workspace’s unless said'),
  decimal: z
    .enum(['.', ','], 'expected . or ,')
    .optional()
    .describe('What stands before the cents; a point unless said'),
  date_format: z.string().optional().describe('Such as yyyymmdd; ISO 8601 unless said'),
  fields: z
    .record(z.string(), z.union([z.string(), z.int().min(1)]))
    .optional()
    .describe(
      'Field to column: its name in the header, its number, or a path into an NDJSON object; `Date+Time` for a value that ' +
        'stands in two columns of a CSV',
    ),
  set: z.record(z.string(), z.string()).optional().describe('Fields that are the same in every row'),
})

export type ImportMapping = z.output<typeof importMapping>

/** The value of one field in one row: undefined where the row does not carry the field. */
export type Getter = (values: RowValues) => unknown

/** How to read each field that a file carries. */
export type Getters = ReadonlyMap<string, Getter>

/** How to read one field, whether a row carries it or not. */
export function getterIn(getters: Getters): (name: string) => Getter {
  return (name) => getters.get(name) ?? (() => undefined)
}

/** Reads a field as text, trimmed; '' where the row does not carry it, or carries a word for nothing. */
export function textReader(getters: Getters): (name: string, values: RowValues) => string {
  return (name, values) => {
    const value = getters.get(name)?.(values)
    // A list or an object is no text: all of them would be one.
    if (value === undefined || value === null || typeof value === 'object') return ''
    return standsForNothing(value) ? '' : String(value).trim()
  }
}

export interface FieldReader {
  /** Fields this file carries, each with how to read it. */
  readonly getters: Getters
  /**
   * Columns every row must have: as many as the header, of which the last may be left away where they are empty, exactly as
   * many, or at least as many as the mapping names.
   */
  readonly columns:
    | { readonly upTo: number }
    | { readonly exactly: number }
    | { readonly atLeast: number }
    | undefined
  /** Columns of the header that no field is read from. */
  readonly unused: readonly UnusedColumn[]
}

/** A column that is left alone, and the field that may have been meant by it. */
export interface UnusedColumn {
  readonly column: string
  readonly meant?: string
  /** Its place from 1, where one before it has the same name and is the one that is read. */
  readonly number?: number
}

/** What a mapping is bound to. */
export interface Binding {
  /** Every field there is; `attributes.*` by the workspace's names. */
  readonly fields: readonly string[]
  readonly required: readonly string[]
  /** The first line's columns; undefined for NDJSON and for a CSV without one. */
  readonly header: readonly string[] | undefined
  readonly csv: boolean
  readonly file: string
}

/**
 * Binds a mapping to a file. Columns that are called like a field are taken for it unless the mapping takes them for
 * another than `external_id`; the rest is left alone.
 * @throws WinbackError `import.mapping` naming the column or field that does not exist, or that is required
 */
export function bindFields(
  mapping: ImportMapping,
  { fields, required, header, csv, file }: Binding,
): FieldReader {
  const fail = (message: string, remedy: string) =>
    new WinbackError('import.mapping', message, {
      location: { file, line: 1 },
      remedy: delimiterHint(header) ?? noteHint(header) ?? remedy,
    })
  const known = (name: string) => {
    const field = fieldCalled(name, fields)
    if (field !== undefined) return field
    throw fail(
      `there is no field "${name}"`,
      `Use one of ${fields.join(', ')}${fields.length > 0 ? ` (did you mean ${closest(name, [...fields])}?)` : ''}; attributes are declared in winback.yaml.`,
    )
  }
  const getters = new Map<string, Getter>()
  let highest = 0
  const read = new Map<number, string>()
  const named = Object.entries(mapping.fields ?? {}).map(([name, column]) => [known(name), column] as const)
  // A column that tells who somebody is stays what it is called: who is known by their e-mail has that e-mail.
  const used = new Set(
    named.flatMap(([field, column]) =>
      field === 'external_id' ? [] : columnsOf(column, header).map(String),
    ),
  )
  const chosen = new Map([
    ...defaultFields(fields, header, csv).filter(([, column]) => !used.has(column)),
    ...named,
  ])
  for (const [field, column] of chosen) {
    if (!csv) {
      getters.set(field, pathGetter(String(column)))
      continue
    }
    const indexes = columnsOf(column, header).map((name) => {
      const index = columnIndex(name, header)
      if (index !== undefined) return index
      throw fail(
        header
          ? `the file has no column "${name}" for ${field}`
          : `column "${name}" for ${field} is not a number, and the file has no header`,
        header
          ? `Its columns are ${header.join(', ')} (did you mean "${closest(String(name), [...header])}"?).`
          : 'Name columns by their number, the first is 1; or drop --no-header.',
      )
    })
    highest = Math.max(highest, ...indexes.map((index) => index + 1))
    for (const index of indexes) read.set(index, field)
    getters.set(field, cellGetter(indexes))
  }
  for (const [name, value] of Object.entries(mapping.set ?? {})) getters.set(known(name), () => value)
  for (const field of required) {
    if (getters.has(field)) continue
    throw fail(
      `no column is mapped to ${field}`,
      `${header ? `The file's columns are ${header.join(', ')}. ` : ''}Map one with --map ${field}=COLUMN, or --set ${field}=VALUE.${header ? ` Are these no names but the first row? Then say --no-header and --map ${field}=1.` : ''}`,
    )
  }
  return {
    getters,
    columns: !csv ? undefined : header ? headed(header.length, mapping) : { atLeast: highest },
    unused: unusedOf(header ?? [], read, fields, getters),
  }
}

/** Between runs of spaces no cell is empty: which one is missing, nobody can tell. */
function headed(columns: number, { delimiter }: ImportMapping): FieldReader['columns'] {
  return delimiter === 'whitespace' ? { exactly: columns } : { upTo: columns }
}

/** Properties that are read of events: a column called so was hardly meant for nothing. */
const PROPERTIES = new Set([
  'currency',
  ...Object.values(EVENTS).flatMap(({ properties }) => Object.keys(properties)),
])

function unusedOf(
  header: readonly string[],
  read: ReadonlyMap<number, string>,
  fields: readonly string[],
  getters: Getters,
): UnusedColumn[] {
  const free = fields.filter((field) => !getters.has(field) && !field.endsWith('.*'))
  return header.flatMap((column, index) => {
    if (read.has(index) || column.trim() === '') return []
    const namesake = read.get(header.indexOf(column))
    if (namesake !== undefined) return [{ column, meant: namesake, number: index + 1 }]
    const property = fields.includes('properties.*') && PROPERTIES.has(column)
    const meant = property ? `properties.${column}` : nearest(column, free)
    return [meant === undefined ? { column } : { column, meant }]
  })
}

/** A header of one column is mostly one of several, by a delimiter that was not the one expected. */
export function delimiterHint(header: readonly string[] | undefined): string | undefined {
  const [only = '', ...more] = header ?? []
  const delimiter = more.length > 0 ? undefined : [';', '\t', '|', ','].find((each) => only.includes(each))
  if (delimiter === undefined) return undefined
  const flag = delimiter === '\t' ? 'tab' : `'${delimiter}'`
  return `The header is one column, "${only.replaceAll('\t', ' ')}": say what stands between them with --delimiter ${flag}.`
}

/** A first line that says one thing is mostly a note above the table: `#支付宝业务明细查询`, or `微信支付账单明细,,,,`. */
function noteHint(header: readonly string[] = []): string | undefined {
  const [only, ...more] = header.filter((cell) => cell !== '')
  if (only === undefined || more.length > 0) return undefined
  if (header.length === 1 && !/^#|[:：]/.test(only)) return undefined
  return `Its first line says "${only}" alone: where that is a note above the table, take out what stands before the line that names the columns (tail -n +2).`
}

function defaultFields(
  fields: readonly string[],
  header: readonly string[] | undefined,
  csv: boolean,
): [field: string, column: string][] {
  return fields.flatMap((field): [string, string][] => {
    if (field.endsWith('.*')) return []
    const short = field.replace(/^attributes\./, '')
    // An attribute may be called like a field of its own; the field goes first.
    const names = fields.includes(short) && short !== field ? [field] : [field, short]
    if (!csv) return [[field, [...new Set(names)].join('|')]]
    const column = names.find((name) => header?.includes(name))
    return column === undefined ? [] : [[field, column]]
  })
}

/**
 * A cell without the marks by which spreadsheets are told to keep a number as text: an apostrophe before it, or `="…"`
 * around it. They are no part of an id or a telephone number; of a name (’t Hooft) an apostrophe is.
 */
function written(cell: string | undefined): string | undefined {
  if (cell === undefined || (cell[0] !== "'" && cell[0] !== '=')) return cell
  if (cell[0] === "'") return /^'[+-]?\d[\d .()/-]*$/.test(cell) ? cell.slice(1) : cell
  return /^="[^"]*"$/.test(cell) ? cell.slice(2, -1) : cell
}

/** The columns that a field is read from: `Date+Time` is two, unless one is called so. */
function columnsOf(column: string | number, header: readonly string[] | undefined): (string | number)[] {
  if (typeof column === 'number' || columnIndex(column, header) !== undefined) return [column]
  return column.split('+').map((part) => part.trim())
}

/** One cell; of several, what stands in them, with a space between. */
function cellGetter([index = 0, ...others]: readonly number[]): Getter {
  if (others.length === 0) return (values) => written((values as readonly string[])[index])
  return (values) => {
    const cells = [index, ...others].map((at) => written((values as readonly string[])[at])?.trim() ?? '')
    return cells.filter((cell) => cell !== '').join(' ')
  }
}

function columnIndex(column: string | number, header: readonly string[] | undefined): number | undefined {
  const named = header?.indexOf(String(column)) ?? -1
  if (named !== -1) return named
  const number = Number(column)
  if (!Number.isInteger(number) || number < 1) return undefined
  return header && number > header.length ? undefined : number - 1
}

/** `a.b|c`: the key called exactly so, else the path; the first alternative that the object carries. */
function pathGetter(text: string): Getter {
  const paths = text.split('|').map((path) => path.split('.'))
  return (values) => {
    for (const path of paths) {
      let value: unknown = values
      const whole = path.join('.')
      if (path.length > 1 && Object.hasOwn(values, whole)) {
        return (values as Record<string, unknown>)[whole]
      }
      for (const key of path) {
        value =
          typeof value === 'object' && value !== null && Object.hasOwn(value, key)
            ? (value as Record<string, unknown>)[key]
            : undefined
      }
      if (value !== undefined) return value
    }
    return undefined
  }
}
