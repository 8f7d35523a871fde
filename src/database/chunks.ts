import { sql } from 'drizzle-orm'
import { rows, type Session } from './connect.ts'
import { STRIPE_WIDTH } from './stripes.ts'

// A pass over contacts goes chunk by chunk: ranges (from, to] of contact ids within one stripe, at most 10,000 of them.

export type Chunk = readonly [from: number, to: number]

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

/** The chunks in which a campaign has open episodes: what a campaign that is over still costs is nothing. */
export async function chunksWithOpen(session: Session, campaign: string): Promise<Chunk[]> {
  const found = await rows<{ place: number }>(
    session,
    sql`SELECT DISTINCT contact_id / ${STRIPE_WIDTH}::int AS place FROM episodes
      WHERE campaign = ${campaign} AND ended_at IS NULL ORDER BY place`,
  )
  return found.map(({ place }) => chunkOf(place))
}

function chunkOf(place: number): Chunk {
  // Ids from place × width on: the range is open below, so it begins one before.
  return [place * STRIPE_WIDTH - 1, (place + 1) * STRIPE_WIDTH - 1]
}
