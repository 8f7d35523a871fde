import { sql } from 'drizzle-orm'
import { ingestActivity, prepareIngest } from '../contacts/ingest.ts'
import { execute, rows, transaction } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import type { Runtime } from '../service/runtime.ts'
import type { Mailbox } from './mailbox.ts'
import type { World } from './world.ts'

const CHUNK = 10_000

/**
 * Joins a world to a replay: each call lets providers report, hands the world the mail that arrived, lets it live up to
 * `upTo`, and ingests what its people did, exactly as live events are.
 * @param report what providers have to tell of what was sent at `after`, taken in as they would post it
 */
export async function openLiving(
  runtime: Runtime,
  world: World,
  mailbox: Pick<Mailbox, 'take'>,
  report: (after: Date, upTo: Date) => Promise<void> = async () => {},
): Promise<(after: Date, upTo: Date) => Promise<void>> {
  const { database, hooks, workspace } = runtime
  const known = await rows<{ externalId: string; contactId: number }>(
    database,
    sql`SELECT external_id AS "externalId", contact_id AS "contactId" FROM external_ids`,
  )
  const contactIds = new Map(known.map((row) => [row.externalId, row.contactId]))
  let key = 0
  return async (after, upTo) => {
    await report(after, upTo)
    for (const { externalId, at } of mailbox.take()) world.deliver(externalId, at)
    const done = world.advance(upTo.getTime()).flatMap(({ externalId, at, type, value }) => {
      const contactId = contactIds.get(externalId)
      return contactId === undefined
        ? []
        : [{ contactId, at: new Date(at), type, value: value === null ? null : Math.round(value * 1e6) }]
    })
    const [first, last] = [done[0], done.at(-1)]
    if (!first || !last) return
    await ensurePartitions(database, 'activity', { from: first.at, to: last.at })
    for (let from = 0; from < done.length; from += CHUNK) {
      const chunk = done.slice(from, from + CHUNK)
      const keys = chunk.map(() => {
        key += 1
        return key
      })
      await transaction(database, async (tx) => {
        await prepareIngest(tx)
        await execute(
          tx,
          sql`INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value)
              SELECT * FROM unnest(${sql.param(chunk.map((each) => each.contactId))}::bigint[],
                ${sql.param(chunk.map((each) => each.at.toISOString()))}::timestamptz[], ${sql.param(keys)}::bigint[],
                ${sql.param(chunk.map((each) => each.type))}::text[],
                ${sql.param(chunk.map((each) => each.value))}::bigint[])`,
        )
        await ingestActivity(tx, { now: upTo, workspace, hooks })
      })
    }
  }
}
