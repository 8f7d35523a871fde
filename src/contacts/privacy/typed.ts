import { sql } from 'drizzle-orm'
import { NAME } from '../../config/masking.ts'
import { execute, rows, type Transaction } from '../../database/connect.ts'

// What operators typed: reasons of pauses and stops, and notes beside the curves. It is no row of anybody's, and may
// name somebody all the same.

/** Stands where a person stood. */
const BLOT = '***'

/**
 * Blots a person out of what operators typed: every external id, the addresses, and what the attributes give as a name.
 * To be called while the contact is there. Somebody else of the same name is blotted too: who was meant, nobody can say.
 * @returns how many texts named the person
 */
export async function blotTyped(tx: Transaction, contactId: number): Promise<number> {
  const found = await rows<{ word: string }>(
    tx,
    sql`
    SELECT external_id AS word FROM external_ids WHERE contact_id = ${contactId}
    UNION SELECT w.word FROM contacts c, LATERAL (VALUES (c.external_id), (c.email), (c.phone)) AS w(word)
      WHERE c.contact_id = ${contactId} AND w.word IS NOT NULL
    UNION SELECT a.value FROM contacts c, LATERAL jsonb_each_text(c.attributes) a
      WHERE c.contact_id = ${contactId} AND a.key ~ ${NAME.source} AND a.value IS NOT NULL`,
  )
  const pattern = patternOf(found.map(({ word }) => word))
  if (pattern === undefined) return 0
  const blotted = (text: ReturnType<typeof sql>) => sql`regexp_replace(${text}, ${pattern}, ${BLOT}, 'gi')`
  const switched = await execute(
    tx,
    sql`UPDATE switches SET reason = ${blotted(sql`reason`)} WHERE reason ~* ${pattern}`,
  )
  const noted = await execute(
    tx,
    sql`UPDATE annotations SET label = ${blotted(sql`label`)} WHERE label ~* ${pattern}`,
  )
  // All else in an entry was chosen from a list, or names what has a name of its own.
  const audited = await execute(
    tx,
    sql`UPDATE audit SET detail = jsonb_set(detail, '{reason}', to_jsonb(${blotted(sql`detail ->> 'reason'`)}))
      WHERE detail ->> 'reason' ~* ${pattern}`,
  )
  return switched + noted + audited
}

/**
 * A regular expression of PostgreSQL for any of some words, the longest first; undefined where there is none. Words of
 * letters and digits stand by themselves (`Li` is not in `list`); a Chinese name may stand in the midst of a sentence.
 * Names of one character are left: they are in every other word. Pure.
 */
export function patternOf(words: readonly string[]): string | undefined {
  const trimmed = words.map((word) => word.trim()).filter((word) => [...word].length > 1)
  const longest = [...new Set(trimmed)].toSorted((a, b) => b.length - a.length || (a < b ? -1 : 1))
  if (longest.length === 0) return undefined
  return longest
    .map((word) => {
      const plain = word.replace(/[^\p{L}\p{N}\s]/gu, '\\$&').replace(/\s+/g, '\\s+')
      const before = /^[A-Za-z\d]/.test(word) ? '(?<![A-Za-z0-9])' : ''
      const after = /[A-Za-z\d]$/.test(word) ? '(?![A-Za-z0-9])' : ''
      return `${before}${plain}${after}`
    })
    .join('|')
}
