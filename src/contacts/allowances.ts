import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import {
  aloneLifting,
  importSource,
  type Listing,
  type Voice,
  voicesOf,
  withoutVoices,
} from '../database/listings.ts'
import type { IdentifierKind } from './addresses.ts'

// Addresses taken off the do-not-contact list that were put there by mistake: by a wrong file, mostly. What the person did,
// what a mailbox said and an erasure are no mistakes of an operator's, and stay.

/** An address, by its key; a number by the keys of all its spellings. */
export interface AllowedAddress {
  readonly kind: IdentifierKind
  readonly keys: readonly Buffer[]
}

/** What is taken for a mistake. */
export interface Allowing {
  /** What files listed: all of them, or those of one name. */
  readonly imports: 'any' | { readonly of: string }
  /** What bounced, and wrong numbers, too. */
  readonly bounced: boolean
  /** Whether it is only looked what would come of it. */
  readonly dryRun: boolean
}

/** Why an address stays on the list. */
export type KeptBy = 'erasure' | 'complaint' | 'person' | 'bounce' | 'import' | 'other'

export type Allowed =
  | { readonly became: 'lifted'; readonly was: readonly Listing[] }
  /** It was not on the list. */
  | { readonly became: 'absent' }
  /** @param source of an import, its file */
  | { readonly became: 'kept'; readonly by: KeptBy; readonly source: string }

/** An entry of the list. */
type Entry = Listing & { readonly kind: IdentifierKind; readonly key: Buffer }

/** The weightiest reason is told. */
const WEIGHT: readonly KeptBy[] = ['erasure', 'complaint', 'person', 'bounce', 'other', 'import']

/**
 * Takes addresses off the list, in the caller's transaction, which does nothing else: those that nobody but a mistake has
 * put there. Of one that others name, too, the mistake alone is taken back: whoever unsubscribed before may take that back
 * again. What was skipped meanwhile stays so.
 * @returns what became of each
 */
export async function allow(
  tx: Transaction,
  addresses: readonly AllowedAddress[],
  allowing: Allowing,
): Promise<Allowed[]> {
  const { imports, bounced, dryRun } = allowing
  const taken = (voice: Voice) =>
    (voice.by === 'import' && (imports === 'any' || importSource(imports.of) === importSource(voice.file))) ||
    (voice.by === 'bounce' && bounced)
  await aloneLifting(tx)
  const asked = addresses.flatMap(({ kind, keys }) => keys.map((key) => ({ kind, key })))
  const entries = await rows<Entry>(
    tx,
    sql`SELECT kind, key, reason, source FROM suppressions WHERE (kind, key) IN (
          SELECT * FROM unnest(${keysOf(asked)})) ORDER BY kind, key FOR UPDATE`,
  )
  const idOf = (kind: IdentifierKind, key: Buffer) => `${kind} ${key.toString('hex')}`
  const listed = new Map(entries.map((entry) => [idOf(entry.kind, entry.key), entry]))
  const gone: Entry[] = []
  const left: Entry[] = []
  const became = addresses.map(({ kind, keys }): Allowed => {
    const found = keys.flatMap((key) => listed.get(idOf(kind, key)) ?? [])
    if (found.length === 0) return { became: 'absent' }
    const kept = found.flatMap((entry) => {
      const rest = withoutVoices(entry, taken)
      return rest ? [{ entry, rest }] : []
    })
    if (kept.length === 0) {
      gone.push(...found)
      return { became: 'lifted', was: found.map(({ reason, source }) => ({ reason, source })) }
    }
    left.push(
      ...kept.flatMap(({ entry, rest }) => (rest.source === entry.source ? [] : [{ ...entry, ...rest }])),
    )
    const voices = kept.flatMap(({ rest }) => voicesOf(rest))
    const [by = 'other'] = WEIGHT.filter((each) => voices.some((voice) => voice.by === each))
    const voice = voices.find((each) => each.by === by)
    return { became: 'kept', by, source: voice?.by === 'import' ? voice.file : (voice?.part ?? '') }
  })
  if (!dryRun) await write(tx, gone, left)
  return became
}

/** The key of entries as two arrays. */
function keysOf(entries: readonly Pick<Entry, 'kind' | 'key'>[]): SQL {
  return sql`${sql.param(entries.map(({ kind }) => kind))}::text[], ${sql.param(entries.map(({ key }) => key))}::bytea[]`
}

async function write(tx: Transaction, gone: readonly Entry[], left: readonly Entry[]): Promise<void> {
  if (gone.length > 0) {
    await execute(
      tx,
      sql`DELETE FROM suppressions WHERE (kind, key) IN (SELECT * FROM unnest(${keysOf(gone)}))`,
    )
  }
  if (left.length === 0) return
  await execute(
    tx,
    sql`UPDATE suppressions s SET reason = l.reason, source = l.source
        FROM unnest(${keysOf(left)}, ${sql.param(left.map(({ reason }) => reason))}::text[],
          ${sql.param(left.map(({ source }) => source))}::text[]) AS l(kind, key, reason, source)
        WHERE s.kind = l.kind AND s.key = l.key`,
  )
}

/** Why a row's address stays, for the reject file and its summary. */
export function keptReason({ by, source }: Extract<Allowed, { became: 'kept' }>): string {
  switch (by) {
    case 'erasure':
      return 'it stays on the list: it belonged to someone who was erased'
    case 'complaint':
      return 'it stays on the list: they complained about a message'
    case 'person':
      return 'it stays on the list: they unsubscribed themselves'
    case 'bounce':
      return 'it stays on the list: it bounced for good, or is a wrong number; see --bounced'
    case 'import':
      return `it stays on the list: "${source}" is another file, and put it there; see --any-import`
    case 'other':
      return `it stays on the list: "${source}" put it there`
  }
}
