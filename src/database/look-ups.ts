import type { Transaction } from './connect.ts'

/**
 * Runs statements that look single rows up in tables which may just have been filled: of these the planner knows nothing,
 * and takes reading all of one, or all that carry one address, for the quicker way to a first match. Not for joins of whole
 * chunks: a temporary table that must be read all the same outweighs everything else there, and any plan is as good.
 */
export async function lookUpSingly<T>(tx: Transaction, work: () => Promise<T>): Promise<T> {
  await tx.client.query('SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off')
  const found = await work()
  await tx.client.query('SET LOCAL enable_seqscan TO DEFAULT; SET LOCAL enable_bitmapscan TO DEFAULT')
  return found
}
