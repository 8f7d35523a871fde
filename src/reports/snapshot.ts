import { sql } from 'drizzle-orm'
import { type Database, execute, type Session, type Transaction, transaction } from '../database/connect.ts'

/** Where a report reads: the database, or a transaction the caller holds (in the isolation the caller chose). */
export type Readable = Database | Transaction

/**
 * Runs `work` so that all its statements see one moment. While workers settle touchpoints, statements that each saw
 * their own moment would count a message twice or not at all, and the counts would not add up.
 */
export async function inSnapshot<T>(readable: Readable, work: (session: Session) => Promise<T>): Promise<T> {
  if (!('close' in readable)) return await work(readable)
  return await transaction(readable, async (tx) => {
    await execute(tx, sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY`)
    return await work(tx)
  })
}
