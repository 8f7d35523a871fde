import type pg from 'pg'
import type { Transaction } from '../../src/database/connect.ts'

/** How PostgreSQL means to answer each statement of `work`, in words of EXPLAIN. What `work` is given stands for the transaction. */
export async function plansOf(tx: Transaction, work: (tx: Transaction) => Promise<unknown>): Promise<string> {
  const plans: string[] = []
  const query = async (asked: string | { text: string }, values: unknown[] = []) => {
    const text = typeof asked === 'string' ? asked : asked.text
    const plan = await tx.client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values)
    plans.push(...plan.rows.map((line) => line['QUERY PLAN']))
    return await tx.client.query(text, values)
  }
  await work({ orm: tx.orm, client: { query } as unknown as pg.PoolClient })
  return plans.join('\n')
}
