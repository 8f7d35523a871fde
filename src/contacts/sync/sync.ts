import { sql } from 'drizzle-orm'
import type { Clock } from '../../clock.ts'
import { eventNamer } from '../../config/event-names.ts'
import type { SyncSettings } from '../../config/sync-settings.ts'
import { lockKey } from '../../database/advisory-locks.ts'
import { type Database, rows, type Transaction } from '../../database/connect.ts'
import { settingsOf } from '../../database/migrate.ts'
import { ensurePartitionsWithin } from '../../database/partitions.ts'
import { WinbackError } from '../../errors.ts'
import { prepareActivityImport } from '../activity.ts'
import type { Attributes } from '../contact-rows.ts'
import type { ImportWorkspace } from '../files/file-import.ts'
import { settledOn } from '../files/lanes.ts'
import { noRows, type RowCounts } from '../files/row-counts.ts'
import { activityWriter, contactWriter, partitionsOf, type Writer } from '../files/writers.ts'
import type { Hooks } from '../hooks.ts'
import { linkingOf } from '../persons.ts'
import { dateReader } from '../values/dates.ts'
import { compareNumbers } from '../whole-numbers.ts'
import { overlapTrouble } from './bound.ts'
import { openChunks } from './chunks.ts'
import { type BoundColumns, bindColumns } from './columns.ts'
import { columnProblems, type SyncPlace } from './failures.ts'
import { type Beginning, beginningOf, fingerprintOf, keepEnd, readState } from './progress.ts'
import { openSource, type Source } from './source.ts'

// A sync: rows of somebody's own database, from where the last one had come to, through the writers that files go
// through. The position is written in the transaction that writes the rows, and a row that is written twice changes
// nothing: whatever is killed, wherever, nothing is lost and nothing doubled.

export interface SyncOptions {
  readonly workspace: ImportWorkspace & {
    readonly events: { readonly names: Readonly<Record<string, string>> }
    readonly sync: Readonly<Record<string, SyncSettings>>
  }
  readonly clock: Clock
  readonly hooks: Hooks
  readonly where: SyncPlace
  /** Absolute: rejected rows are appended, run after run. */
  readonly rejectFile: string
  /** Everything is rolled back: the counts are those of the real thing, and nothing stays. */
  readonly dryRun?: boolean
  /** From the start, whatever was read before. */
  readonly full?: boolean
  /** Stops after the chunk that is under way. */
  readonly signal?: AbortSignal
  /** `total` is PostgreSQL's guess. */
  readonly onProgress?: (progress: { readonly rows: number; readonly total: number }) => void
  /** Rows a transaction; 10,000 unless a test says otherwise. */
  readonly chunk?: number
}

export interface SyncSummary extends RowCounts {
  readonly sync: string
  readonly kind: SyncSettings['kind']
  /** `busy`: another process is at it, and nothing was read. */
  state: 'done' | 'busy' | 'interrupted'
  readonly dryRun: boolean
  /** Host, port and database. */
  place: string
  /** Why everything was read; absent where only what is new was. */
  because?: NonNullable<Beginning['because']>
  seconds: number
  /** Where the sync has come to: the cursor column's value, as PostgreSQL writes it. */
  cursor: string | null
  /** Where rejected rows that were not told of before went. */
  rejectFile: string | undefined
}

/**
 * Runs one sync to its end.
 * @throws WinbackError `unavailable.source`, `sync.permission`; ConfigError where the settings do not fit the query's
 *   columns, or the query is wrong
 */
export async function runSync(database: Database, name: string, options: SyncOptions): Promise<SyncSummary> {
  const settings = options.workspace.sync[name]
  if (!settings) throw new WinbackError('sync.unknown', `there is no sync "${name}" in winback.yaml`)
  const started = performance.now()
  const summary = emptySummary(name, settings, options.dryRun === true)
  const client = await database.client.connect()
  let broken: Error | undefined
  const settle = <Result>(work: (tx: Transaction) => Promise<Result>) =>
    settledOn(client, work, (cause) => {
      broken = cause
    })
  try {
    // Held by the connection that writes: should it break, neither is there any more.
    if (!summary.dryRun && !(await settle((tx) => tryLock(tx, name)))) return { ...summary, state: 'busy' }
    try {
      await pull({ database, settle, settings, summary, options })
    } finally {
      if (!summary.dryRun && !broken) await settle((tx) => unlock(tx, name))
    }
  } catch (error) {
    // What a connection holds that failed in between is not worth finding out.
    broken ??= error instanceof WinbackError ? undefined : new Error('failed within a sync', { cause: error })
    throw error
  } finally {
    client.release(broken)
  }
  return { ...summary, seconds: (performance.now() - started) / 1000 }
}

/** What the parts of one sync share; the summary is filled on the way. */
export interface Pulling {
  readonly database: Database
  readonly settle: <Result>(work: (tx: Transaction) => Promise<Result>) => Promise<Result>
  readonly settings: SyncSettings
  readonly summary: SyncSummary
  readonly options: SyncOptions
}

async function pull(pulling: Pulling): Promise<void> {
  const { database, settle, settings, summary, options } = pulling
  const { where, clock } = options
  const now = clock.now()
  const own = settings.url !== undefined
  const source = await openSource({ url: settings.url ?? database.url, own, settings, where, now })
  try {
    summary.place = source.place
    const bound = bind(source, pulling)
    const fingerprint = fingerprintOf(settings, source.place, filledBy(bound, options.workspace.attributes))
    const { from, because } = beginningOf(await readState(database, where.name), {
      fingerprint,
      cursorType: bound.cursor.type,
      full: options.full === true,
    })
    if (because) summary.because = because
    summary.cursor = from?.cursor ?? null
    const { addressKey } = await settingsOf(database)
    if (settings.kind === 'contacts' && !summary.dryRun) await compareAll(pulling)
    const writer = openWriter(bound, pulling, now, addressKey)
    if (settings.kind === 'activity') await settle(prepareActivityImport)
    const chunks = openChunks(pulling, { bound, writer, fingerprint, addressKey, now, began: from })
    const total = options.onProgress ? await source.estimate(from) : 0
    try {
      for await (const batch of ahead(source.read(from))) {
        if (options.signal?.aborted) break
        for (const row of batch) await chunks.take(row)
        options.onProgress?.({ rows: summary.rows, total: Math.max(total, summary.rows) })
      }
      await chunks.finish()
    } finally {
      await chunks.idle()
    }
    if (options.signal?.aborted) {
      summary.state = 'interrupted'
    } else if (!summary.dryRun) {
      await settle(async (tx) => {
        await chunks.keep(tx)
        await keepEnd(tx, where.name, now)
      })
    }
  } finally {
    await source.close()
  }
}

async function compareAll({ database, options: { workspace, clock, hooks } }: Pulling): Promise<void> {
  await compareNumbers(database, { ...linkingOf(workspace), clock, hooks })
}

function bind(source: Source, { settings, options }: Pulling): BoundColumns {
  const { where, workspace } = options
  const bound = bindColumns(where.name, settings, source.columns, workspace.attributes)
  if (!('getters' in bound)) throw columnProblems(where, bound)
  const trouble = overlapTrouble(settings.overlap, bound.cursor.type)
  if (trouble !== undefined) {
    throw columnProblems(where, [{ path: ['overlap'], message: trouble, names: [] }])
  }
  return bound
}

/** The attributes that a query fills, each with its type. */
function filledBy({ getters }: BoundColumns, attributes: Attributes): Record<string, string> {
  const filled = Object.entries(attributes).filter(([name]) => getters.has(`attributes.${name}`))
  return Object.fromEntries(filled.map(([name, { type }]) => [name, type]))
}

function openWriter(
  { getters }: BoundColumns,
  { database, settings, summary, options }: Pulling,
  now: Date,
  addressKey: string,
): Writer {
  const { workspace, clock, hooks } = options
  const written = { date: dateReader({ timezone: settings.timezone, alone: true }), decimal: '.' } as const
  if (settings.kind === 'contacts') {
    const { attributes } = workspace
    const linking = linkingOf(workspace)
    return contactWriter(getters, { attributes, ...written, addressKey, asOf: now, clock, ...linking, hooks })
  }
  const nameOf = eventNamer(workspace.events.names)
  const type = getters.get('type')
  const named = new Map(getters).set('type', (values) => {
    const theirs = type?.(values)
    return typeof theirs === 'string' ? nameOf(theirs.trim()) : theirs
  })
  const partition = summary.dryRun
    ? (tx: Transaction, months: readonly Date[]) => ensurePartitionsWithin(tx, 'activity', months)
    : partitionsOf(database)
  return activityWriter(named, { ...written, clock, workspace, hooks, partition })
}

/** Asks for the next before the last is worked on. */
async function* ahead<Item>(items: AsyncGenerator<Item>): AsyncGenerator<Item> {
  let next = items.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = items.next()
      // Whoever asks for it hears of its failure; nobody may.
      next.catch(() => {})
      yield value
    }
  } finally {
    await next.catch(() => {})
    await items.return(undefined)
  }
}

/** For as long as the connection holds it: a transaction's end does not give it back. */
async function tryLock(tx: Transaction, name: string): Promise<boolean> {
  const [lock] = await rows<{ mine: boolean }>(tx, sql`SELECT pg_try_advisory_lock(${keyOf(name)}) AS mine`)
  return lock?.mine === true
}

async function unlock(tx: Transaction, name: string): Promise<void> {
  await rows(tx, sql`SELECT pg_advisory_unlock(${keyOf(name)})`)
}

const keyOf = (name: string) => lockKey('sync', sql`'sync.' || ${name}::text`)

function emptySummary(name: string, settings: SyncSettings, dryRun: boolean): SyncSummary {
  return {
    sync: name,
    kind: settings.kind,
    state: 'done',
    dryRun,
    place: '',
    ...noRows(),
    seconds: 0,
    cursor: null,
    rejectFile: undefined,
  }
}
