import { sql } from 'drizzle-orm'
import { ingestActivity, prepareIngest } from '../contacts/ingest.ts'
import { bigints } from '../database/arrays.ts'
import { execute, rows, transaction } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import type { Runtime } from '../service/runtime.ts'
import type { SimulatedAct } from './acts.ts'
import type { Mailbox } from './mailbox.ts'
import type { World } from './world.ts'

const CHUNK = 10_000

/** What a replay brings to life. */
export interface Living {
  readonly world: World
  readonly mailbox: Pick<Mailbox, 'take'>
  /** The campaign whose mail moves people; that of any other is read and changes nothing. */
  readonly moving: string
  /** What people do beside visiting, in order of time. */
  readonly acts?: readonly SimulatedAct[]
  /** What providers have to tell of what was sent at `after`, taken in as they would post it. */
  report?(after: Date, upTo: Date): Promise<void>
}

/**
 * Joins a world to a replay: each call lets providers report, hands the world the mail that arrived, lets it live up to
 * `upTo`, and ingests what its people did, exactly as live events are.
 */
export async function openLiving(
  runtime: Runtime,
  { world, mailbox, moving, acts = [], report }: Living,
): Promise<(after: Date, upTo: Date) => Promise<void>> {
  const { database, hooks, workspace } = runtime
  const known = await rows<{ externalId: string; contactId: number }>(
    database,
    sql`SELECT external_id AS "externalId", contact_id AS "contactId" FROM external_ids`,
  )
  const contactIds = new Map(known.map((row) => [row.externalId, row.contactId]))
  let key = 0
  /** The first act that has not been done. */
  let next = 0
  return async (after, upTo) => {
    await report?.(after, upTo)
    for (const { externalId, at, campaign } of mailbox.take()) {
      if (campaign === moving) world.deliver(externalId, at)
    }
    const until = acts.findIndex((act) => act.at > upTo.getTime())
    const acted = acts.slice(next, until === -1 ? acts.length : until)
    next += acted.length
    const done = [
      ...world.advance(upTo.getTime()).map((activity) => ({ ...activity, properties: null })),
      ...acted.map((act) => ({ ...act, value: null, properties: JSON.stringify(act.properties) })),
    ]
      .sort((a, b) => a.at - b.at)
      .flatMap(({ externalId, at, type, value, properties }) => {
        const contactId = contactIds.get(externalId)
        const micros = value === null ? null : Math.round(value * 1e6)
        return contactId === undefined
          ? []
          : [{ contactId, at: new Date(at), type, value: micros, properties }]
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
          sql`INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties)
              SELECT * FROM unnest(${bigints(chunk.map((each) => each.contactId))},
                ${sql.param(chunk.map((each) => each.at.toISOString()))}::timestamptz[], ${bigints(keys)},
                ${sql.param(chunk.map((each) => each.type))}::text[],
                ${sql.param(chunk.map((each) => each.value))}::bigint[],
                ${sql.param(chunk.map((each) => each.properties))}::jsonb[])`,
        )
        await ingestActivity(tx, { now: upTo, workspace, hooks, last: true })
      })
    }
  }
}
