import { once } from 'node:events'
import { from as copyFrom } from 'pg-copy-streams'
import type { Transaction } from '../database/connect.ts'

/** One value in COPY's text format; null and undefined are NULL. */
export function copyText(value: string | null | undefined): string {
  if (value === null || value === undefined) return '\\N'
  return /[\\\t\n\r]/.test(value) ? value.replace(/[\\\t\n\r]/g, escaped) : value
}

function escaped(character: string): string {
  switch (character) {
    case '\t':
      return '\\t'
    case '\n':
      return '\\n'
    case '\r':
      return '\\r'
    default:
      return '\\\\'
  }
}

/** Epoch milliseconds as a timestamptz literal. */
export function copyTime(milliseconds: number | null | undefined): string {
  return milliseconds === null || milliseconds === undefined ? '\\N' : new Date(milliseconds).toISOString()
}

/** Sends `text`, lines of COPY's text format, into `target` (`table (columns)`), as one block. */
export async function copyInto(tx: Transaction, target: string, text: string): Promise<void> {
  const stream = tx.client.query(copyFrom(`COPY ${target} FROM STDIN`))
  stream.end(text)
  await once(stream, 'finish')
}
