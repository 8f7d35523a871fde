import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { connect, type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { generateCode, normaliseCode } from '../../src/offers/codes.ts'
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

/** What the last step gives: a generated code for each touchpoint, worth and expected to cost as the campaign says. */
const OFFER = { campaign: 'guarded', name: 'five_off', face: 5_000_000, expected: 400_000, days: 7 }

serve<Task, Answer>(async (task) => {
  const database = connect(task.url)
  await ensurePartitions(database, 'touchpoint_records', [NOW])
  const due = await rows<Row>(
    database,
    sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId", episode_id AS "episodeId",
          step_id AS "stepId"
        FROM touchpoints ORDER BY step_id, due_at`,
  )
  const last = due.at(-1)?.stepId
  const batches: Row[][] = []
  for (let at = 0; at < due.length; at += task.batch) batches.push(due.slice(at, at + task.batch))
  const codes = batches.map((batch) => (batch[0]?.stepId === last ? batch.map(() => generateCode()) : []))
  await execute(
    database,
    sql`INSERT INTO offer_stocks (campaign, offer) VALUES (${OFFER.campaign}, ${OFFER.name})`,
  )
  const started = performance.now()
  let next = 0
  const loop = async () => {
    for (let place = next++; place < batches.length; place = next++) {
      await writeBatch(database, batches[place] ?? [], codes[place] ?? [])
    }
  }
  await Promise.all(Array.from({ length: task.concurrency }, loop))
  const seconds = (performance.now() - started) / 1000
  const postgresCpu = await serverCpu(database)
  await database.close()
  return { seconds, settled: due.length, postgresCpu }
})

/** @param codes one for each touchpoint of a batch with the offer, none for another */
async function writeBatch(
  database: Database,
  batch: readonly Row[],
  codes: readonly string[],
): Promise<void> {
  const offers = codes.length > 0
  const column = (key: keyof Row) => sql.param(batch.map((row) => row[key]))
  const keys = sql`unnest(${column('contactId')}::bigint[], ${column('touchpointId')}::bigint[])
    AS k(contact_id, touchpoint_id)`
  const mine = sql`t.contact_id = k.contact_id AND t.touchpoint_id = k.touchpoint_id`
  const lease = sql`clock_timestamp() + interval '60 seconds'`
  const claim = randomUUID()
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'queued', lease_until = ${lease} FROM ${keys} WHERE ${mine}`,
  )
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'claimed', claim_id = ${claim}::uuid, lease_until = ${lease}
        FROM ${keys} WHERE ${mine}`,
  )
  if (offers) {
    const wanted = sql`unnest(${column('contactId')}::bigint[], ${column('touchpointId')}::bigint[],
      ${column('episodeId')}::bigint[], ${column('stepId')}::int[], ${sql.param(codes)}::text[],
      ${sql.param(codes.map(normaliseCode))}::text[]) AS w(contact_id, touchpoint_id, episode_id, step_id, shown, code)`
    await execute(
      database,
      sql`
      WITH made AS (
        INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, claim_id, state,
          code, face, expected, reserved_at, expires_at)
        SELECT contact_id, episode_id, ${OFFER.campaign}, ${OFFER.name}, 'coupon', step_id, touchpoint_id,
          ${claim}::uuid, 'reserved', shown, ${OFFER.face}::bigint, ${OFFER.expected}::bigint, ${NOW}::timestamptz,
          ${NOW}::timestamptz + make_interval(days => ${OFFER.days})
        FROM ${wanted} RETURNING contact_id, grant_id, code
      ), taken AS (
        UPDATE offer_stocks SET taken = taken + ${codes.length}
        WHERE campaign = ${OFFER.campaign} AND offer = ${OFFER.name}
      )
      INSERT INTO offer_codes (code, shown, campaign, offer, contact_id, grant_id)
      SELECT w.code, w.shown, ${OFFER.campaign}, ${OFFER.name}, m.contact_id, m.grant_id
      FROM made m JOIN ${wanted} ON w.shown = m.code`,
    )
  }
  await execute(
    database,
    sql`UPDATE touchpoints t SET state = 'sending', channel = 'log', lease_until = ${lease}
        FROM ${keys} WHERE ${mine}`,
  )
  const granted = offers
    ? sql`granted AS (
        UPDATE grants g SET state = 'granted', granted_at = ${NOW}, claim_id = NULL FROM gone
        WHERE g.contact_id = gone.contact_id AND g.claim_id = ${claim}::uuid
        RETURNING g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.expected
      ), owed AS (
        INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'liability', expected, ${NOW} FROM granted
      ),`
    : sql``
  await execute(
    database,
    sql`
    WITH gone AS (
      DELETE FROM touchpoints t USING ${keys} WHERE ${mine}
      RETURNING t.contact_id, t.touchpoint_id, t.episode_id, t.step_id, t.planned_for
    ), ${granted} recorded AS (
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, template,
        provider_id, attempt, cost, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, 'sent', 'log', 'coupon', 'log:' || touchpoint_id, 1,
        1000, planned_for, ${NOW}
      FROM gone
    )
    INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
    SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'log', 1000, ${NOW} FROM gone`,
  )
}
