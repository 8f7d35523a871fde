import { createHmac, hash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type { SyncSettings } from '../../config/sync-settings.ts'
import { execute, rows, type Session, type Transaction } from '../../database/connect.ts'
import type { Position } from './source.ts'

// How far each sync has come, and which rows it has rejected: written in the transactions that write what was read.

/** What is kept of a sync between two of them. */
export interface SyncState {
  readonly fingerprint: string
  /** Undefined before the first row. */
  readonly position: Position | undefined
  /** When the last sync that came to its end began. */
  readonly readAt: Date | null
}

/** Where a sync begins, and why from the start where it does. */
export interface Beginning {
  readonly from: Position | undefined
  readonly because: 'first' | 'full' | 'changed' | undefined
}

/** How far a sync has come; undefined of one that never wrote anything. */
export async function readState(session: Session, name: string): Promise<SyncState | undefined> {
  const [row] = await rows<{
    fingerprint: string
    cursor: string | null
    type: string | null
    readAt: Date | null
  }>(
    session,
    sql`SELECT fingerprint, cursor, cursor_type AS type, read_at AS "readAt" FROM sync_cursors WHERE sync = ${name}`,
  )
  if (!row) return undefined
  const { fingerprint, cursor, type, readAt } = row
  return { fingerprint, readAt, position: cursor === null || type === null ? undefined : { cursor, type } }
}

/**
 * Another query, another mapping, another type of cursor or of an attribute begins from the start: what was read, was read
 * differently.
 */
export function beginningOf(
  state: SyncState | undefined,
  wanted: { readonly fingerprint: string; readonly cursorType: string; readonly full: boolean },
): Beginning {
  if (!state) return { from: undefined, because: 'first' }
  if (wanted.full) return { from: undefined, because: 'full' }
  const { position, fingerprint } = state
  if (fingerprint !== wanted.fingerprint || (position && position.type !== wanted.cursorType)) {
    return { from: undefined, because: 'changed' }
  }
  return position ? { from: position, because: undefined } : { from: undefined, because: 'first' }
}

/**
 * A hash over what is read and what it is read as; neither the password nor the schedule changes it.
 * @param filled the attributes it fills, each with its type
 */
export function fingerprintOf(
  settings: SyncSettings,
  place: string,
  filled: Readonly<Record<string, string>>,
): string {
  const { kind, query, cursor, key, fields, set, timezone } = settings
  const sorted = (record: Readonly<Record<string, string>>) => Object.entries(record).toSorted()
  const said = [place, kind, query, cursor, key ?? null, sorted(fields), sorted(set), timezone]
  return hash('sha256', JSON.stringify([...said, ...sorted(filled)]))
}

/** Keeps how far the sync has come; without a position, that it has begun. */
export async function keepPosition(
  tx: Session,
  name: string,
  at: { readonly fingerprint: string; readonly position: Position | undefined; readonly now: Date },
): Promise<void> {
  const { fingerprint, position, now } = at
  await execute(
    tx,
    sql`INSERT INTO sync_cursors (sync, fingerprint, cursor, cursor_type, updated_at)
        VALUES (${name}, ${fingerprint}, ${position?.cursor ?? null}, ${position?.type ?? null}, ${now})
        ON CONFLICT (sync) DO UPDATE SET fingerprint = excluded.fingerprint, cursor = excluded.cursor,
          cursor_type = excluded.cursor_type, updated_at = excluded.updated_at`,
  )
}

/** A sync has come to its end: rejected rows it has not met again are mended, or were read long ago. */
export async function keepEnd(tx: Transaction, name: string, began: Date): Promise<void> {
  await execute(tx, sql`UPDATE sync_cursors SET read_at = ${began} WHERE sync = ${name}`)
  await execute(tx, sql`DELETE FROM sync_rejects WHERE sync = ${name} AND seen_at < ${began}`)
}

/** A row that was rejected, or taken without something. */
export interface Reject {
  readonly line: number
  readonly reason: string
  readonly raw: string
  readonly warning: boolean
}

/**
 * Which of a chunk's rejects were not known yet; all are now. Kept as keyed hashes: the table tells nobody's data. The
 * reject file is noted, for an erasure looks into it.
 */
export async function freshRejects(
  tx: Transaction,
  name: string,
  rejects: readonly Reject[],
  options: {
    readonly addressKey: string
    readonly now: Date
    readonly kind: SyncSettings['kind']
    readonly file: string
  },
): Promise<Reject[]> {
  const { addressKey, now, kind, file } = options
  const byKey = new Map(
    rejects.map((reject) => {
      const key = createHmac('sha256', addressKey).update(`${reject.reason}\0${reject.raw}`).digest('hex')
      return [key, reject]
    }),
  )
  const fresh = await rows<{ key: string }>(
    tx,
    // xmax is 0 of a row that this statement has made, and not of one it has only touched.
    sql`INSERT INTO sync_rejects (sync, row_key, seen_at)
        SELECT ${name}, decode(key, 'hex'), ${now} FROM unnest(${sql.param([...byKey.keys()])}::text[]) AS met (key)
        ON CONFLICT (sync, row_key) DO UPDATE SET seen_at = excluded.seen_at
        RETURNING CASE WHEN xmax = 0 THEN encode(row_key, 'hex') END AS key`,
  )
  await execute(
    tx,
    sql`INSERT INTO imports (kind, file, started_at, reject_file)
        SELECT ${kind}, ${`sync ${name}`}, ${now}, ${file}
        WHERE NOT EXISTS (SELECT FROM imports WHERE reject_file = ${file})`,
  )
  return fresh.flatMap(({ key }) => byKey.get(key) ?? [])
}
