import { sql } from 'drizzle-orm'
import { ifReadable } from '../config/book.ts'
import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import { chunksWithOpen, chunksWithOver } from '../database/chunks.ts'
import { type Database, transaction } from '../database/connect.ts'
import { lockStripe, stripeOf } from '../database/stripes.ts'
import { advanceChunk, closeChunk, openVersions } from './advance.ts'

/**
 * Ends what is over and advances what has aged, in one campaign: at a run's time, or between runs. What a version began that
 * can no longer be read goes no further, as `winback doctor` says; it ends all the same.
 */
export async function ageEpisodes(
  dependencies: { readonly database: Database; readonly book: CampaignBook },
  campaign: string,
  now: Date,
): Promise<{ advanced: number; ended: number }> {
  const { database, book } = dependencies
  const versions: CompiledCampaign[] = []
  for (const version of await openVersions(database, campaign)) {
    const compiled = await ifReadable(book.campaign(campaign, version))
    if (compiled) versions.push(compiled)
  }
  let advanced = 0
  let ended = 0
  for (const chunk of await chunksWithOpen(database, campaign)) {
    await transaction(database, async (tx) => {
      const [, to] = chunk
      await lockStripe(tx, stripeOf(to))
      ended += await closeChunk(tx, sql`e.campaign = ${campaign}`, chunk, now)
      for (const version of versions) advanced += await advanceChunk(tx, version, chunk, now)
    })
  }
  return { advanced, ended }
}

/**
 * Ends what is over in all campaigns of an exclusive group, before one of them takes anybody in: the next run of their own may
 * be days away, and until then nobody whom they are done with could be in another.
 */
export async function endOver(database: Database, exclusive: string, now: Date): Promise<void> {
  for (const chunk of await chunksWithOver(database, exclusive, now)) {
    await transaction(database, async (tx) => {
      const [, to] = chunk
      await lockStripe(tx, stripeOf(to))
      await closeChunk(tx, sql`e.exclusive = ${exclusive}`, chunk, now)
    })
  }
}
