import { statSync } from 'node:fs'
import { basename } from 'node:path'
import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import { type Database, rows, type Transaction, transactionOn } from '../database/connect.ts'
import { settingsOf } from '../database/migrate.ts'
import { ensurePartitions } from '../database/partitions.ts'
import { WinbackError } from '../errors.ts'
import {
  ACTIVITY_FIELDS,
  type ActivityRow,
  activityReader,
  mergeActivity,
  prepareActivityImport,
} from './activity.ts'
import {
  type Attributes,
  type ContactRow,
  contactFields,
  contactReader,
  mergeContacts,
  mergeRows,
} from './contacts.ts'
import { dateReader } from './dates.ts'
import type { Hooks } from './hooks.ts'
import type { ActivityRules } from './ingest.ts'
import { bindFields, type FieldReader, type ImportMapping } from './mapping.ts'
import { openRejects, type Rejects } from './rejects.ts'
import { type FileRow, openRows } from './rows.ts'
import {
  mergeSuppressions,
  SUPPRESSION_FIELDS,
  type SuppressionRow,
  suppressionReader,
} from './suppressions.ts'

/** What an import must know of winback.yaml; a `Workspace` is one. */
export interface ImportWorkspace extends ActivityRules {
  readonly attributes: Attributes
  readonly persons: { readonly shared_by_at_most: number }
}

export interface ImportOptions {
  readonly workspace: ImportWorkspace
  readonly clock: Clock
  readonly mapping?: ImportMapping
  /** `<file>.rejects.csv` unless said. */
  readonly rejectFile?: string
  /** When the file's values were true: the file's own time (now, if that is later) unless said. */
  readonly asOf?: Date
  readonly hooks?: Hooks
  readonly onProgress?: (progress: { rows: number; bytes: number; totalBytes: number }) => void
  /** Rows a transaction, 10,000 at most. */
  readonly chunk?: number
}

/** rows = inserted + updated + unchanged + rejected, of this call. */
export interface ImportSummary {
  readonly kind: 'contacts' | 'activity' | 'suppressions'
  readonly file: string
  rows: number
  inserted: number
  updated: number
  unchanged: number
  rejected: number
  /** Rows that were taken without something; they are counted above as well. */
  warnings: number
  seconds: number
  rejectFile: string | undefined
}

/**
 * Imports contacts from a CSV or NDJSON file, perhaps gzipped: new ones are made, known ones get the columns the
 * file carries, persons are linked. The same file again changes nothing; an interrupted import is run again. Bad
 * rows go to the reject file and stop nothing.
 * @throws WinbackError `import.unreadable`, `import.mapping`, `import.options`
 */
export async function importContacts(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { workspace } = options
  const { addressKey } = await settingsOf(database)
  const now = options.clock.now()
  let chunk = new Map<string, ContactRow>()
  return runImport(database, file, options, {
    kind: 'contacts',
    fields: contactFields(workspace.attributes),
    required: ['external_id'],
    open: (getters) => {
      const read = contactReader(getters, {
        attributes: workspace.attributes,
        date: dateReader(dateOptions(options)),
        latest: now.getTime(),
      })
      return {
        take: (row, values, rejects) => {
          const contact = read(values, (reason) => rejects.warn(row.line, reason, row.raw))
          if (typeof contact === 'string') return contact
          const earlier = chunk.get(contact.externalId)
          if (earlier) mergeRows(earlier, contact)
          else chunk.set(contact.externalId, contact)
          return undefined
        },
        release: () => {
          const full = chunk
          chunk = new Map()
          const asOf = asOfOf(file, now, options.asOf)
          return (tx) =>
            mergeContacts(tx, full, {
              attributes: workspace.attributes,
              addressKey,
              asOf,
              now,
              sharedByAtMost: workspace.persons.shared_by_at_most,
              hooks: options.hooks ?? {},
            })
        },
      }
    },
  })
}

/**
 * Imports activity. An external id nobody knows becomes a contact without a sign-up date. Otherwise like
 * {@link importContacts}.
 */
export async function importActivity(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const now = options.clock.now()
  let chunk: ActivityRow[] = []
  return runImport(database, file, options, {
    kind: 'activity',
    fields: ACTIVITY_FIELDS,
    required: ['external_id', 'type', 'occurred_at'],
    prepare: prepareActivityImport,
    open: (getters) => {
      const read = activityReader(getters, { date: dateReader(dateOptions(options)), latest: now.getTime() })
      return {
        take: (_row, values) => {
          const event = read(values)
          if (typeof event === 'string') return event
          chunk.push(event)
          return undefined
        },
        release: () => {
          const full = chunk
          chunk = []
          return async (tx) => {
            await ensurePartitions(database, 'activity', monthsOf(full))
            const { inserted } = await mergeActivity(tx, full, {
              now,
              workspace: options.workspace,
              hooks: options.hooks ?? {},
            })
            return { inserted, updated: 0 }
          }
        },
      }
    },
  })
}

/** Imports addresses nothing is to be sent to. Otherwise like {@link importContacts}. */
export async function importSuppressions(
  database: Database,
  file: string,
  options: ImportOptions,
): Promise<ImportSummary> {
  const { addressKey } = await settingsOf(database)
  const now = options.clock.now()
  let chunk: SuppressionRow[] = []
  return runImport(database, file, options, {
    kind: 'suppressions',
    fields: SUPPRESSION_FIELDS,
    required: [],
    open: (getters) => {
      if (!getters.has('email') && !getters.has('phone')) {
        throw new WinbackError('import.mapping', 'no column is mapped to email or phone', {
          location: { file, line: 1 },
          remedy: 'Map one with --map email=COLUMN.',
        })
      }
      const read = suppressionReader(getters, {
        date: dateReader(dateOptions(options)),
        latest: now.getTime(),
      })
      return {
        take: (_row, values) => {
          const suppression = read(values)
          if (typeof suppression === 'string') return suppression
          chunk.push(suppression)
          return undefined
        },
        release: () => {
          const full = chunk
          chunk = []
          const source = `import of ${basename(file)}`
          return async (tx) => {
            const { inserted } = await mergeSuppressions(tx, full, {
              now,
              addressKey,
              source,
              hooks: options.hooks ?? {},
            })
            return { inserted: Math.min(inserted, full.length), updated: 0 }
          }
        },
      }
    },
  })
}

type Merge = (tx: Transaction) => Promise<{ inserted: number; updated: number }>

/** What differs between the three imports. */
interface Importer {
  readonly kind: ImportSummary['kind']
  readonly fields: readonly string[]
  readonly required: readonly string[]
  /** Once, on the connection every chunk is merged on. */
  prepare?(tx: Transaction): Promise<void>
  open(getters: FieldReader['getters']): {
    /** Adds a row to the chunk. @returns why it was not, otherwise undefined */
    take(row: FileRow, values: NonNullable<FileRow['values']>, rejects: Rejects): string | undefined
    /** Hands the chunk out and begins another. */
    release(): Merge
  }
}

const LARGEST_CHUNK = 10_000

async function runImport(
  database: Database,
  file: string,
  options: ImportOptions,
  importer: Importer,
): Promise<ImportSummary> {
  const started = performance.now()
  const mapping = options.mapping ?? {}
  const source = openRows(file, {
    ...(mapping.format === undefined ? {} : { format: mapping.format }),
    ...(mapping.delimiter === undefined ? {} : { delimiter: mapping.delimiter }),
  })
  const limit = Math.max(1, Math.min(options.chunk ?? LARGEST_CHUNK, LARGEST_CHUNK))
  const summary: ImportSummary = {
    kind: importer.kind,
    file,
    rows: 0,
    inserted: 0,
    updated: 0,
    unchanged: 0,
    rejected: 0,
    warnings: 0,
    seconds: 0,
    rejectFile: undefined,
  }
  const csv = source.format === 'csv'
  const bind = (header: readonly string[] | undefined) => {
    const bound = bindFields(mapping, importer.fields, importer.required, header, csv, file)
    return { columns: bound.columns, ...importer.open(bound.getters) }
  }
  // Bound before the first row is read, or by the header: a mapping that does not fit stops here, and nothing is written.
  const headed = csv && mapping.header !== false
  let bound = headed ? undefined : bind(undefined)
  let rejects: Rejects | undefined
  const client = await database.client.connect()
  let broken: Error | undefined
  const onBroken = (cause: Error) => {
    broken = cause
  }
  let importId: number | undefined
  let finishedAt: Date | undefined
  let merging: Promise<void> = Promise.resolve()
  let pending = 0
  try {
    const begin = async () => {
      rejects = openRejects(options.rejectFile ?? `${file}.rejects.csv`)
      importId = await openRecord(database, importer.kind, file, options.clock.now())
      await transactionOn(client, async (tx) => importer.prepare?.(tx), onBroken)
      return rejects
    }
    /** Merges the chunk while the next one is read; one at a time, so that memory holds two. */
    const flush = async () => {
      const merge = bound?.release()
      const taken = pending
      pending = 0
      if (!merge || taken === 0) return
      await merging
      merging = retried(() => transactionOn(client, merge, onBroken)).then(({ inserted, updated }) => {
        summary.inserted += inserted
        summary.updated += updated
        summary.unchanged += taken - inserted - updated
        options.onProgress?.({
          rows: summary.rows,
          bytes: source.bytesRead(),
          totalBytes: source.totalBytes,
        })
      })
      // Awaited before the next chunk; a failure until then must not count as unhandled.
      merging.catch(() => {})
    }
    for await (const batch of source.batches()) {
      for (const row of batch) {
        if (Array.isArray(row.values) && row.values.length === 0) continue
        if (!bound) {
          bound = bind(headerOf(row, file))
          continue
        }
        rejects ??= await begin()
        summary.rows += 1
        const problem =
          row.problem ?? columnProblem(row, bound.columns) ?? bound.take(row, row.values ?? [], rejects)
        if (problem !== undefined) {
          rejects.reject(row.line, problem, row.raw)
          continue
        }
        pending += 1
        if (pending >= limit) await flush()
      }
    }
    if (!bound) {
      throw new WinbackError('import.mapping', `${file} is empty: it has no header`, {
        location: { file, line: 1 },
        remedy: 'Write a first line that names the columns, or say that there is no header.',
      })
    }
    rejects ??= await begin()
    await flush()
    await merging
    finishedAt = options.clock.now()
  } finally {
    // What was merged before a failure stays, and the record, unfinished, says how far it came.
    await merging.catch(() => {})
    client.release(broken)
    summary.rejected = rejects?.rejected ?? 0
    summary.warnings = rejects?.warnings ?? 0
    summary.rejectFile = rejects?.close()
    summary.seconds = (performance.now() - started) / 1000
    if (importId !== undefined) {
      await closeRecord(database, importId, summary, finishedAt)
    }
  }
  return summary
}

function headerOf(row: FileRow, file: string): string[] {
  if (row.problem !== undefined || !Array.isArray(row.values)) {
    throw new WinbackError('import.mapping', `the header cannot be read: ${row.problem ?? 'it is no row'}`, {
      location: { file, line: row.line },
      remedy: 'Write a first line that names the columns, or say that there is no header.',
    })
  }
  return row.values.map((name: string) => name.trim())
}

function columnProblem(row: FileRow, columns: FieldReader['columns']): string | undefined {
  if (columns === undefined || !Array.isArray(row.values)) return undefined
  const found = row.values.length
  if ('exactly' in columns) {
    return found === columns.exactly ? undefined : `expected ${columns.exactly} columns, found ${found}`
  }
  return found >= columns.atLeast ? undefined : `expected at least ${columns.atLeast} columns, found ${found}`
}

function dateOptions({ mapping = {} }: ImportOptions): { timezone?: string; format?: string } {
  return {
    ...(mapping.timezone === undefined ? {} : { timezone: mapping.timezone }),
    ...(mapping.date_format === undefined ? {} : { format: mapping.date_format }),
  }
}

function asOfOf(file: string, now: Date, given: Date | undefined): Date {
  if (given) return given
  const { mtime } = statSync(file)
  return mtime < now ? mtime : now
}

function monthsOf(events: readonly ActivityRow[]): Date[] {
  const months = new Map<number, Date>()
  for (const { occurredAt } of events) {
    const at = new Date(occurredAt)
    const month = at.getUTCFullYear() * 12 + at.getUTCMonth()
    if (!months.has(month)) months.set(month, at)
  }
  return [...months.values()]
}

/** Lock orders are kept, but not by everything a database may run: a deadlock costs one more try. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if (attempt >= 5 || (code !== '40P01' && code !== '40001')) throw error
    }
  }
}

async function openRecord(database: Database, kind: string, file: string, now: Date): Promise<number> {
  const [row] = await rows<{ import_id: number }>(
    database,
    sql`INSERT INTO imports (kind, file, started_at) VALUES (${kind}, ${file}, ${now}) RETURNING import_id`,
  )
  if (!row) throw new Error('INSERT … RETURNING returned nothing')
  return row.import_id
}

async function closeRecord(
  database: Database,
  importId: number,
  summary: ImportSummary,
  finishedAt: Date | undefined,
): Promise<void> {
  await rows(
    database,
    sql`UPDATE imports SET rows = ${summary.rows}, inserted = ${summary.inserted}, updated = ${summary.updated},
          unchanged = ${summary.unchanged}, rejected = ${summary.rejected}, finished_at = ${finishedAt ?? null}
        WHERE import_id = ${importId}`,
  ).catch((error: unknown) => {
    // The failure that brought us here is the one to tell of, not that it could not be recorded.
    if (finishedAt) throw error
  })
}
