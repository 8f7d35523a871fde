import { hostname } from 'node:os'
import { sql } from 'drizzle-orm'
import { type Database, execute } from '../../database/connect.ts'
import { type Engine, queuePlace } from './engine.ts'

// Who has which queue. It stands in the database, which all of them have in common: asked by its own queue, each would find
// all in order.

/** A scheduler or a worker that runs. */
export interface QueueProcess {
  /** A UUID, drawn at its start. */
  readonly processId: string
  readonly role: 'scheduler' | 'worker'
  readonly engine: Engine
  /** What its queue is known by. */
  readonly queueId: string
}

/** Seconds after which a process that has not been seen is forgotten: it was killed. */
const FORGOTTEN = 3600

/** Writes down that it runs, by the database's time, and forgets those that were killed. */
export async function noteQueueProcess(database: Database, process: QueueProcess): Promise<void> {
  const { processId, role, engine, queueId } = process
  await execute(
    database,
    sql`WITH gone AS (
        DELETE FROM queue_processes
        WHERE process_id <> ${processId} AND seen_at < clock_timestamp() - make_interval(secs => ${FORGOTTEN})
      )
      INSERT INTO queue_processes (process_id, role, host, engine, place, queue_id, seen_at)
      VALUES (${processId}, ${role}, ${hostname()}, ${engine.kind}, ${queuePlace(engine)}, ${queueId}, clock_timestamp())
      ON CONFLICT (process_id) DO UPDATE SET queue_id = excluded.queue_id, seen_at = excluded.seen_at`,
  )
}

/** It has ended. */
export async function forgetQueueProcess(database: Database, processId: string): Promise<void> {
  await execute(database, sql`DELETE FROM queue_processes WHERE process_id = ${processId}`)
}
