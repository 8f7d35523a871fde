import type { Clock } from '../../clock.ts'
import type { Database, Transaction } from '../../database/connect.ts'
import { ensurePartitions, monthsWith } from '../../database/partitions.ts'
import { activityReader, mergeActivity } from '../activity.ts'
import { type ContactRow, contactReader, mergeRows } from '../contact-rows.ts'
import { type ContactMerge, mergeContacts } from '../contacts.ts'
import type { FirstImport } from '../first-import.ts'
import type { Hooks } from '../hooks.ts'
import type { ActivityRules } from '../ingest.ts'
import type { DateReader } from '../values/dates.ts'
import type { Getters } from './mapping.ts'
import type { RejectCollector } from './rejects.ts'
import type { Merged } from './row-counts.ts'
import type { FileRow, RowValues } from './rows.ts'

// Rows on their way into the database, a chunk at a time, whether a file or a query of a sync brought them.

/** Rows that are merged together. */
export interface RowChunk {
  merge(tx: Transaction): Promise<Merged>
  /** Instead, in the transaction that an exclusive lane has opened: see `LaneWork`. */
  readonly compose?: (() => (tx: Transaction) => Promise<Merged>) | undefined
  /** What the chunk may share with the one before, which has to be merged first then; absent where nothing can. */
  readonly keys?: ReadonlyMap<string, unknown>
}

/** Collects rows, and hands them out as chunks that know how they are merged. */
export interface Writer {
  /** Adds a row to the chunk. @returns why it was not, otherwise undefined */
  take(row: FileRow, values: RowValues, rejects: RejectCollector): string | undefined
  /** Hands the chunk out and begins another. */
  release(): RowChunk
}

/**
 * Rows that are kept as they come, each an entry of the chunk.
 * @param read an entry of a row, or why it is none; tells `warn` what it had to be kept without
 */
export function listWriter<Entry extends object>(
  read: (values: RowValues, row: FileRow, warn: (reason: string) => void) => Entry | string,
  merge: (tx: Transaction, chunk: readonly Entry[]) => Promise<Merged>,
): Writer {
  let chunk: Entry[] = []
  return {
    take: (row, values, rejects) => {
      const without: string[] = []
      const entry = read(values, row, (reason) => without.push(reason))
      if (typeof entry === 'string') return entry
      if (without.length > 0) rejects.warn(row.line, without, row.raw)
      chunk.push(entry)
      return undefined
    },
    release: () => {
      const full = chunk
      chunk = []
      return { merge: (tx) => merge(tx, full) }
    },
  }
}

/**
 * Contacts. Several rows of one contact in a chunk are one, the later over the earlier; a later one that says something
 * else counts as an update, as it would in the next chunk.
 */
export function contactWriter(
  getters: Getters,
  options: Omit<ContactMerge, 'now'> & {
    /** Asked for each chunk: of a file that takes an hour, what people chose meanwhile is heeded. */
    readonly clock: Clock
    readonly date: DateReader
    readonly decimal?: '.' | ',' | undefined
  },
  first?: FirstImport,
): Writer {
  const { attributes, date, decimal, clock } = options
  const read = contactReader(getters, { attributes, date, decimal, latest: () => clock.now().getTime() })
  const current = () => ({ ...options, now: clock.now() })
  let chunk = new Map<string, ContactRow>()
  let corrections = 0
  return {
    take: (row, values, rejects) => {
      const without: string[] = []
      const contact = read(values, (reason) => without.push(reason))
      if (typeof contact === 'string') return contact
      if (without.length > 0) rejects.warn(row.line, without, row.raw)
      const earlier = chunk.get(contact.externalId)
      if (!earlier) chunk.set(contact.externalId, contact)
      else if (mergeRows(earlier, contact)) corrections += 1
      return undefined
    },
    release: () => {
      const [full, corrected] = [chunk, corrections]
      chunk = new Map()
      corrections = 0
      const counted = (merged: Merged) => ({ ...merged, updated: merged.updated + corrected })
      return {
        keys: full,
        merge: async (tx) => counted(await mergeContacts(tx, full, current())),
        compose:
          first &&
          (() => {
            const write = first.compose(full, current())
            return async (tx) => counted(await write(tx))
          }),
      }
    },
  }
}

export interface ActivityWriterOptions {
  readonly date: DateReader
  readonly clock: Clock
  readonly workspace: ActivityRules & { readonly currency: string }
  readonly decimal?: '.' | ',' | undefined
  readonly hooks: Hooks
  /** Hears the type of each row that is taken. */
  readonly heard?: ((type: string) => void) | undefined
  /** Makes the partitions of months that have none. */
  readonly partition: (tx: Transaction, months: readonly Date[]) => Promise<void>
}

/** What people did. */
export function activityWriter(getters: Getters, options: ActivityWriterOptions): Writer {
  const { date, clock, workspace, decimal, hooks, heard, partition } = options
  const written = { currency: workspace.currency, decimal }
  const read = activityReader(getters, { date, latest: () => clock.now().getTime() }, written)
  return listWriter(
    (values, { line, raw }, warn) => {
      const event = read(values, warn)
      if (typeof event === 'string') return event
      heard?.(event.type)
      return { event, line, raw }
    },
    async (tx, chunk) => {
      const events = chunk.map(({ event }) => event)
      await partition(tx, monthsWith(events.map(({ occurredAt }) => occurredAt)))
      const { problems, ...merged } = await mergeActivity(tx, events, { now: clock.now(), workspace, hooks })
      const refused = chunk.flatMap(({ line, raw }, at) => {
        const reason = problems.get(at)
        return reason === undefined ? [] : [{ line, reason, raw }]
      })
      return { ...merged, updated: 0, refused }
    },
  )
}

/** Partitions in transactions of their own: for who means to commit. */
export function partitionsOf(database: Database): ActivityWriterOptions['partition'] {
  return (_tx, months) => ensurePartitions(database, 'activity', months)
}
