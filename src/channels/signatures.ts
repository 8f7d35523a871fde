import { createHmac, timingSafeEqual } from 'node:crypto'

/** Whether two texts are the same, in a time that does not tell where they differ. */
export function sameSecret(given: string, expected: string): boolean {
  // Equal lengths for the comparison, without giving the length away.
  const digest = (text: string) => createHmac('sha256', 'length').update(text).digest()
  return timingSafeEqual(digest(given), digest(expected))
}
