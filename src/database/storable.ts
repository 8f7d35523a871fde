import { type SQL, sql } from 'drizzle-orm'

/** At most this many characters of what a provider says are kept, and of its id for a message. */
export const PROVIDER_WORDS = 500

/**
 * Text that PostgreSQL stores: no NUL, no lone surrogate. For words of others that are kept as well as they can be.
 * @param most characters of it
 */
export function storable(text: string, most?: number): string {
  return text
    .slice(0, most)
    .replaceAll('\u0000', '')
    .replace(/\p{Cs}/gu, '\uFFFD')
}

// What a bigint holds. Amounts that are none, of another column, add up beyond it, and would keep all else out for ever.
const LOWEST = sql.raw(String(-(2n ** 63n)))
const HIGHEST = sql.raw(String(2n ** 63n - 1n))

/** A sum of amounts, numeric, as a column of bigint holds it. */
export function heldTotal(total: SQL): SQL {
  return sql`least(greatest(${total}, ${LOWEST}), ${HIGHEST})`
}
