// How many messages a text is charged as. GSM 03.38: 160 septets, or 153 each where a header joins several; other
// scripts in UCS-2: 70 units of 16 bits, or 67. Chinese carriers count every text as UCS-2.

export interface Segments {
  readonly encoding: 'gsm7' | 'ucs2'
  /** Septets, or UTF-16 units. */
  readonly units: number
  readonly segments: number
}

const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà'
const EXTENDED = '\f^{}\\[~]|€'
const SEPTETS = new Map([
  ...[...BASIC].map((c) => [c, 1] as const),
  ...[...EXTENDED].map((c) => [c, 2] as const),
])

/** @param options.ucs2 counts every text as UCS-2, as carriers in China do */
export function countSegments(text: string, options: { ucs2?: boolean } = {}): Segments {
  const characters = [...text]
  const gsm = options.ucs2 !== true && characters.every((character) => SEPTETS.has(character))
  const widths = characters.map((character) => (gsm ? (SEPTETS.get(character) ?? 2) : character.length))
  const units = widths.reduce((sum, width) => sum + width, 0)
  const [single, joined] = gsm ? [160, 153] : [70, 67]
  const segments = units <= single ? 1 : fill(widths, joined)
  return { encoding: gsm ? 'gsm7' : 'ucs2', units, segments }
}

/** A character of two units is never split over two segments: it begins the next. */
function fill(widths: readonly number[], capacity: number): number {
  let segments = 1
  let used = 0
  for (const width of widths) {
    if (used + width > capacity) {
      segments += 1
      used = 0
    }
    used += width
  }
  return segments
}
