import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { SyncSettings } from '../../config/sync-settings.ts'
import type { Transaction } from '../../database/connect.ts'
import { countReasons } from '../files/reject-reasons.ts'
import { openRejects, type RejectCollector } from '../files/rejects.ts'
import type { Merged } from '../files/row-counts.ts'
import type { Writer } from '../files/writers.ts'
import type { BoundColumns } from './columns.ts'
import { freshRejects, keepPosition, type Reject } from './progress.ts'
import type { Position, SourceRow } from './source.ts'
import type { Pulling } from './sync.ts'

/** Rows of a transaction, and characters of them: rows may be large. */
const CHUNK = 10_000
const LARGEST_TEXT = 8_000_000
/** Ends a dry run's transaction. */
const ROLLED_BACK = new Error('rolled back')

/** Rows into chunks, and chunks into the database: while one is written, the next is read. */
export function openChunks(
  { settle, settings, summary, options }: Pulling,
  begun: {
    readonly bound: BoundColumns
    readonly writer: Writer
    readonly fingerprint: string
    readonly addressKey: string
    readonly now: Date
    readonly began: Position | undefined
  },
) {
  const { bound, writer, fingerprint, addressKey, now } = begun
  const { where, rejectFile, clock } = options
  const { name } = where
  const limit = options.chunk ?? CHUNK
  let position = begun.began
  let pending = 0
  let text = 0
  let rejects: Reject[] = []
  let writing: Promise<void> = Promise.resolve()
  const [reasons, warningReasons] = [countReasons(), countReasons()]
  const collector: RejectCollector = {
    reject: (line, reason, raw) => {
      summary.rejected += 1
      reasons.add(line, reason)
      rejects.push({ line, reason, raw, warning: false })
    },
    warn: (line, without, raw) => {
      summary.warnings += 1
      for (const reason of without) {
        warningReasons.add(line, reason)
        rejects.push({ line, reason, raw, warning: true })
      }
    },
  }
  const keep = (tx: Transaction) => keepPosition(tx, name, { fingerprint, position, now: clock.now() })

  const flush = async () => {
    await writing
    const chunk = writer.release()
    const [taken, refused, reached] = [pending, rejects, position]
    pending = 0
    text = 0
    rejects = []
    let foreseen: Merged | undefined
    const write = async (tx: Transaction): Promise<Merged> => {
      const merged = taken > 0 ? await chunk.merge(tx) : { inserted: 0, updated: 0 }
      if (summary.dryRun) {
        foreseen = merged
        throw ROLLED_BACK
      }
      if (refused.length > 0) {
        const known = { addressKey, now, kind: settings.kind, file: rejectFile }
        summary.rejectFile =
          append(rejectFile, await freshRejects(tx, name, refused, known)) ?? summary.rejectFile
      }
      await keepPosition(tx, name, { fingerprint, position: reached, now: clock.now() })
      return merged
    }
    writing = settle(write)
      .catch((error: unknown) => {
        if (error === ROLLED_BACK && foreseen) return foreseen
        throw error
      })
      .then(({ inserted, updated, erased = 0, unknown = 0 }) => {
        summary.inserted += inserted
        summary.updated += updated
        summary.erased += erased
        summary.unknown += unknown
        summary.unchanged += taken - inserted - updated - erased
        summary.cursor = reached?.cursor ?? null
      })
    // Whoever waits for it next hears of a failure.
    writing.catch(() => {})
  }
  return {
    take: async (row: SourceRow) => {
      summary.rows += 1
      const raw = JSON.stringify(row)
      const line = summary.rows
      const cursor = row[bound.cursor.name]
      const known = cursor !== null && cursor !== undefined
      const problem = known
        ? (unkeyed(row, bound, settings) ?? writer.take({ line, raw, values: row }, row, collector))
        : `${bound.cursor.name} is NULL, so no later sync would see a change: give it a value in the query, such as coalesce(updated_at, created_at)`
      if (known) position = { cursor: String(cursor), type: bound.cursor.type }
      if (problem === undefined) pending += 1
      else collector.reject(line, problem, raw)
      text += raw.length
      if (pending + rejects.length >= limit || text >= LARGEST_TEXT) await flush()
    },
    finish: async () => {
      if (pending + rejects.length > 0) await flush()
      await writing
    },
    /** Also where nothing was read. */
    keep,
    /** Resolves when nothing is under way, whatever became of it; why rows were rejected is in the summary then. */
    idle: async () => {
      await writing.catch(() => {})
      summary.reasons = reasons.counted()
      summary.warningReasons = warningReasons.counted()
    },
  }
}

/** An event that nothing tells from another would count again with each reading. */
function unkeyed(row: SourceRow, { getters }: BoundColumns, settings: SyncSettings): string | undefined {
  if (settings.kind !== 'activity') return undefined
  const id = getters.get('message_id')?.(row)
  const missing = id === null || id === undefined || String(id).trim() === ''
  return missing
    ? `there is no ${settings.key ?? 'message_id'}, which tells one event from another`
    : undefined
}

function append(path: string, fresh: readonly Reject[]): string | undefined {
  if (fresh.length === 0) return undefined
  mkdirSync(dirname(path), { recursive: true })
  const file = openRejects(path, 'append')
  for (const { line, reason, raw, warning } of fresh) {
    if (warning) file.warn(line, [reason], raw)
    else file.reject(line, reason, raw)
  }
  return file.close()
}
