import { type SQL, sql } from 'drizzle-orm'
import { lockKey } from './advisory-locks.ts'
import { execute, type Transaction } from './connect.ts'

// Who says that an address gets nothing more. An entry of the do-not-contact list says why and since when the address is
// silent as it was first said, for reports have counted it; whoever says so afterwards joins the entry's source. So one can
// be taken at their word that it was a mistake, and what the others said stands.

/** How somebody unsubscribes by what we sent them; a provider or a file is another source. */
export type OwnWay = 'one-click' | 'page' | 'mail'
const OWN_WAYS = ['one-click', 'page', 'mail'] as const satisfies readonly OwnWay[]
const OWN = sql.param([...OWN_WAYS])

/** Between those who say so. */
const AND = '; '
/** What an import's voice begins with; then comes the name of its file. */
const IMPORT = 'import of '
/** What the voice of a provider begins with that took nothing for an address; then comes the name of its channel. */
const REFUSED = 'refused by '
/** Of an export with a new name each night, the list would grow by a voice a night. */
const IMPORTS = 2

/** True of an entry that its own person made, and may take back. @param entry the row of `suppressions` */
export function isOwnListing(entry: SQL): SQL {
  return sql`(${entry}.kind = 'email' AND ${entry}.reason = 'unsubscribe' AND ${entry}.source = ANY (${OWN}::text[]))`
}

/** The source of what a provider refused at the handover, as the address of nobody. */
export function refusalSource(channel: string): string {
  return `${REFUSED}${channel}`
}

/** The source of what a file lists. @param name the file's, without its folder */
export function importSource(name: string): string {
  return `${IMPORT}${name.replaceAll(';', ',')}`
}

/**
 * A statement that has others join what is on the list already: each once, a person once however often they leave, and
 * two files at most.
 * @param others a query of kind, key, reason, source; a key once
 */
export function joinVoices(others: SQL): SQL {
  // What a provider says is known by its reason alone: a bounce is no complaint.
  const voice = sql`CASE WHEN o.source LIKE 'receipt%' THEN o.source || ' (' || o.reason || ')' ELSE o.source END`
  const voices = sql`string_to_array(s.source, ${AND})`
  const isImport = sql`o.source LIKE ${`${IMPORT}%`}`
  return sql`UPDATE suppressions s SET source = s.source || ${AND} || ${voice} FROM (${others}) o
    WHERE s.kind = o.kind AND s.key = o.key
      AND NOT ((${voices})[1] = o.source AND (s.reason = o.reason OR ${isImport}))
      AND NOT ${voice} = ANY (${voices})
      AND NOT (o.source = ANY (${OWN}::text[]) AND ${voices} && ${OWN}::text[])
      AND NOT (${isImport} AND s.source LIKE ${`%${`${IMPORT}%`.repeat(IMPORTS)}`})`
}

/** Who says that an address gets nothing more, as far as it decides what may be taken back. */
export type Voice =
  | { readonly by: 'import'; readonly file: string }
  | { readonly by: 'person' | 'complaint' | 'bounce' | 'erasure' }
  | { readonly by: 'other'; readonly source: string }

/** An entry as it stands. */
export interface Listing {
  readonly reason: string
  readonly source: string
}

/** All who say so, the first first, each with their part of the source. */
export function voicesOf({ reason, source }: Listing): (Voice & { readonly part: string })[] {
  return source.split(AND).map((part, at) => {
    const [, name = part, its] = /^(.*?)(?: \((\w+)\))?$/s.exec(part) ?? []
    return { ...voiceOf(name, its ?? (at === 0 ? reason : undefined), part), part }
  })
}

function voiceOf(name: string, reason: string | undefined, part: string): Voice {
  if (part.startsWith(IMPORT)) return { by: 'import', file: part.slice(IMPORT.length) }
  if (OWN_WAYS.some((way) => way === name) || name.startsWith('reply to ')) return { by: 'person' }
  if (name === 'erasure' || reason === 'erased') return { by: 'erasure' }
  if (name === 'call: wrong number' || name.startsWith(REFUSED)) return { by: 'bounce' }
  if (!name.startsWith('receipt')) return { by: 'other', source: part }
  if (reason === 'unsubscribe') return { by: 'person' }
  if (reason === 'hard_bounce') return { by: 'bounce' }
  return reason === 'complaint' ? { by: 'complaint' } : { by: 'other', source: part }
}

/** What is left of an entry when some who say so have taken it back; undefined where nobody is left. */
export function withoutVoices(listing: Listing, taken: (voice: Voice) => boolean): Listing | undefined {
  const left = voicesOf(listing).filter((voice) => !taken(voice))
  const [first] = left
  if (!first) return undefined
  const source = left.map(({ part }) => part).join(AND)
  return listing.source.startsWith(first.part) ? { ...listing, source } : { reason: reasonOf(first), source }
}

/** Why it is on the list, by whoever is the first to say so now. */
function reasonOf(voice: Voice): string {
  if (voice.by === 'person') return 'unsubscribe'
  if (voice.by === 'erasure') return 'erased'
  if (voice.by === 'complaint') return 'complaint'
  return voice.by === 'bounce' ? 'hard_bounce' : 'manual'
}

/** Whoever takes entries off does it alone; {@link besideLifting} beside others who list. Until the transaction ends. */
export async function aloneLifting(tx: Transaction): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('named', sql`'lifting'`)})`)
}

/** Before a file's rows are listed: an entry that is being taken off is no entry to join. */
export async function besideLifting(tx: Transaction): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock_shared(${lockKey('named', sql`'lifting'`)})`)
}
