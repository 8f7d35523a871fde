/** Replies that mean: no more. English ones as US carriers and the FCC list them, Chinese ones as its carriers do. */
const OPT_OUT_WORDS: readonly string[] = [
  'STOP',
  'STOPALL',
  'QUIT',
  'END',
  'REVOKE',
  'OPT OUT',
  'OPTOUT',
  'CANCEL',
  'UNSUBSCRIBE',
  'R',
  'T',
  'TD',
  '拒收',
]
/** Wherever they stand, in either script. */
const LEAVING = /退订|退訂/

/**
 * Whether a reply opts out: one of the words alone, in any case or width and with any punctuation around it; 退订 or 退訂
 * anywhere.
 */
export function isOptOut(text: string): boolean {
  const words = text
    .normalize('NFKC')
    .toUpperCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
  return OPT_OUT_WORDS.includes(words) || LEAVING.test(words)
}
