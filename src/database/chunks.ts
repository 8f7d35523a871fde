import { type SQL, sql } from 'drizzle-orm'
import { rows, type Session } from './connect.ts'
import { STRIPE_WIDTH } from './stripes.ts'

// A pass over contacts goes chunk by chunk: ranges (from, to] of contact ids within one stripe, at most 10,000 of them.

export type Chunk = readonly [from: number, to: number]

/** Whether a contact id lies in the chunk, as SQL. */
export function inChunk([from, to]: Chunk, contactId: SQL): SQL {
  return sql`${contactId} > ${from} AND ${contactId} <= ${to}`
}

/** Every chunk after a cursor, whether or not anybody in it concerns the pass. */
export async function chunksAfter(session: Session, cursor: number): Promise<Chunk[]> {
  const [top] = await rows<{ last: number | null }>(
    session,
    sql`SELECT max(contact_id) AS last FROM contact_activity`,
  )
  const first = Math.floor((cursor + 1) / STRIPE_WIDTH)
  const last = Math.floor((top?.last ?? -1) / STRIPE_WIDTH)
  const count = Math.max(0, last - first + 1)
  return Array.from({ length: count }, (_, index) => {
    const [from, to] = chunkOf(first + index)
    return [Math.max(from, cursor), to]
  })
}

/** How far a pass has come whose chunks end in any order. */
export interface PassProgress {
  /** Everything up to this contact id is done. */
  readonly cursor: number
  /** The ends of the chunks beyond it that are done. */
  readonly ahead: readonly number[]
}

/** Whether the chunk that ends at `to` is done. Pure. */
export function isDone({ cursor, ahead }: PassProgress, to: number): boolean {
  return to <= cursor || ahead.includes(to)
}

/** How far a pass has come once the chunk that ends at `to` is done, too: the cursor goes on over all that are. Pure. */
export function withDone({ cursor, ahead }: PassProgress, to: number): PassProgress {
  const beyond = new Set([...ahead, to])
  let reached = cursor
  for (let next = endAfter(reached); beyond.delete(next); next = endAfter(reached)) reached = next
  return { cursor: reached, ahead: [...beyond].filter((end) => end > reached).toSorted((a, b) => a - b) }
}

/** The end of the chunk that the contact id after `cursor` is in. */
function endAfter(cursor: number): number {
  return chunkOf(Math.floor((cursor + 1) / STRIPE_WIDTH))[1]
}

/** The chunks in which a campaign has open episodes: what a campaign that is over still costs is nothing. */
export async function chunksWithOpen(session: Session, campaign: string): Promise<Chunk[]> {
  const found = await rows<{ place: number }>(
    session,
    sql`SELECT DISTINCT contact_id / ${STRIPE_WIDTH}::int AS place FROM episodes
      WHERE campaign = ${campaign} AND ended_at IS NULL ORDER BY place`,
  )
  return found.map(({ place }) => chunkOf(place))
}

/** The chunks in which an exclusive group has episodes whose time is over and that nothing has ended yet. */
export async function chunksWithOver(session: Session, exclusive: string, now: Date): Promise<Chunk[]> {
  const found = await rows<{ place: number }>(
    session,
    sql`SELECT DISTINCT contact_id / ${STRIPE_WIDTH}::int AS place FROM episodes
      WHERE exclusive = ${exclusive} AND ended_at IS NULL AND outcome_until <= ${now} ORDER BY place`,
  )
  return found.map(({ place }) => chunkOf(place))
}

function chunkOf(place: number): Chunk {
  // Ids from place × width on: the range is open below, so it begins one before.
  return [place * STRIPE_WIDTH - 1, (place + 1) * STRIPE_WIDTH - 1]
}
