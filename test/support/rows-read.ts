import { sql } from 'drizzle-orm'
import { rows, type Transaction } from '../../src/database/connect.ts'

/** How many rows of each table `work` reads, be it by an index or from one end to the other, before it looks which of them it wants. */
export async function rowsRead(
  tx: Transaction,
  work: () => Promise<unknown>,
): Promise<Readonly<Record<string, number>>> {
  const before = await readUntilNow(tx)
  await work()
  const after = await readUntilNow(tx)
  return Object.fromEntries([...after].map(([table, read]) => [table, read - (before.get(table) ?? 0)]))
}

/** Of this connection; and of its earlier transactions too, as long as the server has not been told of them. */
async function readUntilNow(tx: Transaction): Promise<Map<string, number>> {
  const found = await rows<{ table: string; read: number }>(
    tx,
    sql`SELECT relname AS table, seq_tup_read + coalesce(idx_tup_fetch, 0) AS read FROM pg_stat_xact_user_tables`,
  )
  return new Map(found.map(({ table, read }) => [table, read]))
}
