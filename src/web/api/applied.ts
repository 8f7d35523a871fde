import { sql } from 'drizzle-orm'
import { type Database, rows } from '../../database/connect.ts'
import { RefusedError } from '../answers.ts'

/** @throws RefusedError 404 for a campaign that there is not: a list without anything would be taken for its own */
export async function assertApplied(database: Database, campaign: string): Promise<void> {
  const known = await rows(database, sql`SELECT FROM campaigns WHERE campaign = ${campaign}`)
  if (known.length > 0) return
  throw new RefusedError(404, 'not_found', `no campaign named ${campaign} was ever applied`)
}
