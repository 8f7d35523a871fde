/** Text that PostgreSQL stores: no NUL, no lone surrogate. For words of others that are kept as well as they can be. */
export function storable(text: string): string {
  return text.replaceAll('\u0000', '').replace(/\p{Cs}/gu, '\uFFFD')
}
