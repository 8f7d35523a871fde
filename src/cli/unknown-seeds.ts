import { sql } from 'drizzle-orm'
import type { LoadedCampaign } from '../config/load.ts'
import { rows } from '../database/connect.ts'
import type { Say } from './locale.ts'
import type { DatabaseContext } from './workspace.ts'

/** Warns of seeds that no contact has the id of: a colleague who waits for the messages would get none. */
export async function warnOfUnknownSeeds(
  { database, output }: DatabaseContext,
  { file, definition }: LoadedCampaign,
  say: Say,
): Promise<void> {
  const unknown = await rows<{ id: string }>(
    database,
    sql`SELECT id FROM unnest(${sql.param(definition.seeds)}::text[]) AS seed (id)
      WHERE (SELECT c.external_id FROM external_ids x JOIN contacts c USING (contact_id) WHERE x.external_id = seed.id)
        IS DISTINCT FROM seed.id`,
  )
  if (unknown.length === 0) return
  const ids = unknown.map(({ id }) => id)
  output.warn(
    say(
      `${file}: seeds: no contact has the id ${ids.join(', ')}, so nothing of the campaign goes there`,
      `${file}：seeds：没有编号为 ${ids.join('、')} 的联系人，收不到该活动的消息`,
    ),
  )
}
