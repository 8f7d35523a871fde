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
