import { readFileSync } from 'node:fs'
import type { Database } from '../src/database/connect.ts'

/** Seconds the server processes of this database's connections have worked; known on Linux, beside the server. */
export async function serverCpu(database: Database): Promise<number | undefined> {
  const found = await database.client.query<{ pid: number }>(
    'SELECT pid FROM pg_stat_activity WHERE datname = current_database()',
  )
  try {
    // Fields 14 and 15 of proc(5), in ticks of a hundredth of a second; the name before them may hold blanks.
    return found.rows
      .map(({ pid }) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [])
      .reduce((sum, fields) => sum + (Number(fields[11]) + Number(fields[12])) / 100, 0)
  } catch {
    return undefined
  }
}

/** Processor time in words: `Node 5.1 s, PostgreSQL 7.6 s`. What a busy machine does to the clock, it does not to these. */
export function spent(seconds: { node?: number; postgres: number | undefined }): string {
  const part = (name: string, value: number | undefined) =>
    value === undefined ? [] : [`${name} ${value.toFixed(1)} s`]
  return [...part('Node', seconds.node), ...part('PostgreSQL', seconds.postgres)].join(', ')
}
