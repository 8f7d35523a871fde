import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { connect, type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { serve } from '../child.ts'
import { serverCpu } from '../server-cpu.ts'
import { NOW } from '../workspace.ts'

// The floor of the touchpoint measurement: the same rows through the same states into the same tables, as plain
// statements over keys that are already in memory. Nothing is decided, guarded, rendered or queued.

export interface Task {
  readonly url: string
  readonly batch: number
  readonly concurrency: number
}
export interface Answer {
  readonly seconds: number
  readonly settled: number
  /** Seconds of processor time of the server processes; undefined where they cannot be seen. */
  readonly postgresCpu: number | undefined
}

interface Row {
  readonly contactId: number
  readonly touchpointId: number
  readonly episodeId: number
  readonly stepId: number
}

serve<Task, Answer>(async (task) => {
  const database = connect(task.url)
  await ensurePartitions(database, 'touchpoint_records', [NOW])
  const due = await rows<Row & { spend: number; liability: number }>(
    database,
    sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId", episode_id AS "episodeId",
          step_id AS "stepId"
        FROM touchpoints ORDER BY step_id, due_at`,
  )
  const last = due.at(-1)?.stepId
  const batches: Row[][] = []
  for (let at = 0; at < due.length; at += task.batch) batches.push(due.slice(at, at + task.batch))
  const started = performance.now()
  let next = 0
  const loop = async () => {
    for (let batch = batches[next++]; batch; batch = batches[next++]) {
      // The last step is the one with the offer.
      await writeBatch(database, batch, batch[0]?.stepId === last)
    }
  }
  await Promise.all(Array.from({ length: task.concurrency }, loop))
  const seconds = (performance.now() - started) / 1000
  const postgresCpu = await serverCpu(database)
  await database.close()
  return { seconds, settled: due.length, postgresCpu }
})

async function writeBatch(database: Database, batch: readonly Row[], offers: boolean): Promise<void> {
  const column = (key: keyof Row) => sql.param(batch.map((row) => row[key]))
  const keys = sql`unnest(${column('contactId')}::bigint[], ${column('touchpointId')}::bigint[])
    AS k(contact_id, touchpoint_id)`
  const mine = sql`t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id`
  const lease = sql`clock_timestamp() + interval '60 seconds'`
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'queued', lease_until = ${lease} FROM ${keys} WHERE ${mine}`,
  )
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'claimed', claim_id = ${randomUUID()}::uuid, lease_until = ${lease}
        FROM ${keys} WHERE ${mine}`,
  )
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'sending', channel = 'log', lease_until = ${lease}
        FROM ${keys} WHERE ${mine}`,
  )
  const liability = offers ? sql`UNION ALL SELECT *, 'liability', 400000 FROM gone` : sql``
  await execute(
    database,
    sql`
    WITH gone AS (
      DELETE FROM touchpoints t USING ${keys} WHERE ${mine}
      RETURNING t.contact_id, t.touchpoint_id, t.episode_id, t.step_id, t.planned_for
    ), recorded AS (
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, template,
        provider_id, attempt, cost, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'sent', 'log', 'coupon', 'log:' || touchpoint_id, 1,
        1000, planned_for, ${NOW}
      FROM gone
    )
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    SELECT contact_id, touchpoint_id, episode_id, step_id, kind, 'log', amount, ${NOW}
    FROM (SELECT *, 'spend' AS kind, 1000 AS amount FROM gone ${liability}) AS entries`,
  )
}
