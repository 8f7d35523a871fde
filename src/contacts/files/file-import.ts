import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import type { Clock } from '../../clock.ts'
import { type Database, rows, type Transaction } from '../../database/connect.ts'
import { WinbackError } from '../../errors.ts'
import type { Attributes } from '../contact-rows.ts'
import type { Hooks } from '../hooks.ts'
import type { ActivityRules } from '../ingest.ts'
import type { UncountedType } from '../uncounted-types.ts'
import { type Exclusive, openExclusiveLane } from './exclusive-lane.ts'
import { type Lanes, openLanes } from './lanes.ts'
import type { Getters } from './mapping.ts'
import { bindFields, type FieldReader, type ImportMapping, type UnusedColumn } from './mapping.ts'
import { openRejects } from './rejects.ts'
import { type Merged, noRows, type RowCounts } from './row-counts.ts'
import { type FileRow, filledUp, openRows } from './rows.ts'
import type { Writer } from './writers.ts'

/** What an import must know of winback.yaml; a `Workspace` is one. */
export interface ImportWorkspace extends ActivityRules {
  /** ISO 4217: what values are in. */
  readonly currency: string
  readonly attributes: Attributes
  readonly persons: { readonly shared_by_at_most: number }
  /** By name; another system may have sent on others too. */
  readonly channels?: Readonly<Record<string, unknown>>
  /** Channels from outside the package, by name. */
  readonly outside?: ReadonlyMap<string, { readonly settings: unknown }>
}

export interface ImportOptions {
  readonly workspace: ImportWorkspace
  readonly clock: Clock
  readonly mapping?: ImportMapping
  /** What is read in the place of a file; `file` is only what it is called then. */
  readonly input?: Readable
  /** `<file>.rejects.csv` unless said. */
  readonly rejectFile?: string
  /** When the values were true: the file's own time (now, if that is later, or of an input) unless said. */
  readonly asOf?: Date
  readonly hooks?: Hooks
  readonly onProgress?: (progress: ImportProgress) => void
  /** Rows a transaction, 10,000 at most; large rows make a transaction earlier. */
  readonly chunk?: number
}

export interface ImportProgress {
  readonly rows: number
  readonly bytes: number
  readonly totalBytes: number | undefined
  /** Every row is read; what is left is to build the indexes over them. */
  readonly indexing?: true
}

export interface ImportSummary extends RowCounts {
  readonly kind:
    | 'contacts'
    | 'activity'
    | 'suppressions'
    | 'allowances'
    | 'consents'
    | 'sends'
    | 'codes'
    | 'redemptions'
    | 'interviews'
  readonly file: string
  seconds: number
  rejectFile: string | undefined
  /** Columns of the header that were left alone; of other formats none is known. */
  unused: readonly UnusedColumn[]
  /** Of activity: types that nothing is read of. */
  uncounted: readonly UncountedType[]
  /** The file was written to or replaced while it was read: it may have been half of what it was to be. */
  changed: boolean
}

/** What differs between the kinds of import. */
export interface Importer {
  readonly kind: ImportSummary['kind']
  readonly fields: readonly string[]
  readonly required: readonly string[]
  /** How many chunks may be merged at the same time, each on a connection of its own. */
  readonly lanes: number
  /** One transaction that has everything to itself, tried before the lanes. */
  readonly exclusive?: Exclusive
  /** Once, on the connection every chunk is merged on. */
  prepare?(tx: Transaction): Promise<void>
  open(getters: Getters): Writer
}

const LARGEST_CHUNK = 10_000
/** Where a chunk is no transaction: its rows are garbage before the collector has moved them, half the time of a row. */
const LOADED_CHUNK = 2000
/** Characters of the file in a chunk: rows may be large, and a chunk is one string on its way to PostgreSQL. */
const LARGEST_TEXT = 8_000_000

/**
 * Imports one file: reads it as a stream, merges a chunk while the next is read, sends bad rows to the reject file and
 * keeps a row in `imports`, which stays unfinished where the import fails.
 * @throws WinbackError `import.unreadable`, `import.mapping`, `import.options`, `import.rejects`
 */
export async function importFile(
  database: Database,
  file: string,
  options: ImportOptions,
  importer: Importer,
): Promise<ImportSummary> {
  const started = performance.now()
  const mapping = options.mapping ?? {}
  const rejectFile = rejectFileOf(file, options)
  const source = openRows(file, { ...mapping, input: options.input })
  const summary = emptySummary(importer.kind, file)
  const csv = source.format === 'csv'
  const bind = (header: readonly string[] | undefined): Bound => {
    const bound = bindFields(mapping, { ...importer, header, csv, file })
    summary.unused = bound.unused
    return { columns: bound.columns, ...importer.open(bound.getters) }
  }
  // Bound before the first row is read, or by the header: a mapping that does not fit stops here, and nothing is written.
  const headed = csv && mapping.header !== false
  let bound = headed ? undefined : bind(undefined)
  const tell = (more?: { indexing: true }) =>
    options.onProgress?.({
      rows: summary.rows,
      bytes: source.bytesRead(),
      totalBytes: source.totalBytes,
      ...more,
    })
  const open = (to: Bound) =>
    openIntake(database, { importer, options, bound: to, summary, rejectFile, tell })
  let intake: Intake | undefined
  let finishedAt: Date | undefined
  try {
    for await (const batch of source.batches()) {
      for (const row of batch) {
        if (Array.isArray(row.values) && row.values.length === 0) continue
        if (!bound) {
          bound = bind(headerOf(row, file))
          continue
        }
        intake ??= await open(bound)
        if (intake.take(row)) await intake.flush()
      }
    }
    if (!bound) {
      throw new WinbackError('import.mapping', `${file} is empty: it has no header`, {
        location: { file, line: 1 },
        remedy: 'Export it again; its first line should name the columns.',
      })
    }
    summary.changed = source.changed()
    intake ??= await open(bound)
    await intake.finish()
    finishedAt = options.clock.now()
  } finally {
    await intake?.close(finishedAt)
    summary.seconds = (performance.now() - started) / 1000
  }
  return summary
}

/** @throws WinbackError `import.options` where bad rows would be written over the file itself */
function rejectFileOf(file: string, options: ImportOptions): string {
  const rejectFile = options.rejectFile ?? `${file}.rejects.csv`
  if (!isSameFile(rejectFile, file)) return rejectFile
  throw new WinbackError('import.options', `bad rows would be written over ${file} itself`, {
    remedy: 'Name another --reject-file.',
  })
}

function emptySummary(kind: ImportSummary['kind'], file: string): ImportSummary {
  return {
    kind,
    file,
    ...noRows(),
    seconds: 0,
    rejectFile: undefined,
    unused: [],
    uncounted: [],
    changed: false,
  }
}

/** A writer, and the columns every row must have for it. */
type Bound = Writer & Pick<FieldReader, 'columns'>

/** Where the rows of a file go: into chunks and lanes, or into the reject file. The summary is counted on the way. */
interface Intake {
  /** @returns whether the chunk is full: to be flushed before the next row */
  take(row: FileRow): boolean
  /** Merges the chunk while the next one is read. */
  flush(): Promise<void>
  /** Merges the last chunk and waits until all are. */
  finish(): Promise<void>
  /** What was merged before a failure stays, and the record, unfinished, says how far it came. */
  close(finishedAt: Date | undefined): Promise<void>
}

/** Once the mapping is known to fit: until then nothing is written. */
async function openIntake(
  database: Database,
  what: {
    readonly importer: Importer
    readonly options: ImportOptions
    readonly bound: Bound
    readonly summary: ImportSummary
    readonly rejectFile: string
    tell(more?: { indexing: true }): void
  },
): Promise<Intake> {
  const { importer, options, bound, summary, tell } = what
  const limit = Math.max(1, Math.min(options.chunk ?? LARGEST_CHUNK, LARGEST_CHUNK))
  const rejects = openRejects(what.rejectFile)
  const importId = await openRecord(
    database,
    importer.kind,
    summary.file,
    what.rejectFile,
    options.clock.now(),
  )
  const lanes = await lanesFor(database, importer)
  const most = lanes.isExclusive ? Math.min(limit, LOADED_CHUNK) : limit
  let pending = 0
  let pendingText = 0
  const flush = async () => {
    const chunk = bound.release()
    const taken = pending
    pending = 0
    pendingText = 0
    if (taken === 0) return
    await lanes.begin({
      keys: chunk.keys,
      run: chunk.merge,
      compose: chunk.compose,
      done: ({ inserted, updated, erased = 0, unknown = 0, refused = [], without = [] }: Merged) => {
        for (const { line, reason, raw } of refused) rejects.reject(line, reason, raw)
        for (const { line, reason, raw } of without) rejects.warn(line, [reason], raw)
        summary.inserted += inserted
        summary.updated += updated
        summary.erased += erased
        summary.unknown += unknown
        summary.unchanged += taken - inserted - updated - erased - refused.length
      },
      ran: () => tell(),
    })
  }
  return {
    take: (row) => {
      summary.rows += 1
      const { columns } = bound
      const values = columns && 'upTo' in columns ? filledUp(row, columns.upTo) : row.values
      const problem =
        row.problem ?? columnProblem(row, values, columns) ?? bound.take(row, values ?? [], rejects)
      if (problem !== undefined) {
        rejects.reject(row.line, problem, row.raw)
        return false
      }
      pending += 1
      pendingText += row.raw.length
      return pending >= most || pendingText >= LARGEST_TEXT
    },
    flush,
    finish: async () => {
      await flush()
      await lanes.finish(() => tell({ indexing: true }))
      rejects.close()
    },
    close: async (finishedAt) => {
      await lanes.close()
      const { rejected, warnings, reasons, warningReasons } = rejects
      Object.assign(summary, { rejected, warnings, reasons, warningReasons, rejectFile: rejects.close() })
      await closeRecord(database, importId, summary, finishedAt)
    },
  }
}

/** An exclusive lane where the importer has one and it can be had, else as many as it asks for. */
async function lanesFor(database: Database, { exclusive, lanes, prepare }: Importer): Promise<Lanes> {
  const alone = exclusive && (await openExclusiveLane(database, exclusive))
  if (alone) return alone
  // One connection is left for whoever else works in this process.
  const count = Math.max(1, Math.min(lanes, (database.client.options.max ?? 10) - 1))
  return await openLanes(database, count, prepare)
}

/** Whatever each is called: a link is what it leads to. */
function isSameFile(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => statSync(path, { throwIfNoEntry: false }))
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev
}

function headerOf(row: FileRow, file: string): string[] {
  if (row.problem !== undefined || !Array.isArray(row.values)) {
    const remedy = 'Write a first line that names the columns, or say --no-header and map columns by number.'
    throw new WinbackError('import.mapping', `the header cannot be read: ${row.problem ?? 'it is no row'}`, {
      location: { file, line: row.line },
      // A line that is damaged may well be the header: what is wrong with it is what to mend.
      ...(row.problem === undefined ? { remedy } : {}),
    })
  }
  if (row.values.some((name: string) => name.trim().includes('\r'))) {
    throw new WinbackError('import.mapping', 'its lines end with a carriage return alone, as on old Macs', {
      location: { file, line: row.line },
      remedy: `Save it with line ends of Windows or Unix, or convert it: tr '\\r' '\\n'.`,
    })
  }
  const [, separator] = /^sep=(.)\s*$/i.exec(row.raw) ?? []
  if (separator !== undefined) {
    throw new WinbackError(
      'import.mapping',
      `its first line, \`sep=${separator}\`, is a word to Excel and no header`,
      {
        location: { file, line: row.line },
        remedy: `Take that line out (tail -n +2), and say --delimiter '${separator}'.`,
      },
    )
  }
  return row.values.map((name: string) => name.trim())
}

function columnProblem(
  { unended }: FileRow,
  values: FileRow['values'],
  columns: FieldReader['columns'],
): string | undefined {
  if (columns === undefined || !Array.isArray(values)) return undefined
  const found = values.length
  if ('atLeast' in columns) {
    return found >= columns.atLeast
      ? undefined
      : `expected at least ${columns.atLeast} columns, found ${found}`
  }
  if ('exactly' in columns) {
    return found === columns.exactly ? undefined : `expected ${columns.exactly} columns, found ${found}`
  }
  if (found === columns.upTo) return undefined
  return unended && found < columns.upTo
    ? `the file ends within this row: expected ${columns.upTo} columns, found ${found}`
    : `expected ${columns.upTo} columns, found ${found}`
}

/** Names the file of bad rows before the first is written: an erasure has to know of it, should the process be killed. */
async function openRecord(
  database: Database,
  kind: string,
  file: string,
  rejectFile: string,
  now: Date,
): Promise<number> {
  const [row] = await rows<{ import_id: number }>(
    database,
    sql`INSERT INTO imports (kind, file, started_at, reject_file)
        VALUES (${kind}, ${file}, ${now}, ${resolve(rejectFile)}) RETURNING import_id`,
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
          unchanged = ${summary.unchanged + summary.erased}, rejected = ${summary.rejected},
          reject_file = ${summary.rejectFile === undefined ? null : resolve(summary.rejectFile)}, finished_at = ${finishedAt ?? null}
        WHERE import_id = ${importId}`,
  ).catch((error: unknown) => {
    // The failure that brought us here is the one to tell of, not that it could not be recorded.
    if (finishedAt) throw error
  })
}
