import { crc32, deflateSync } from 'node:zlib'

/** Of bars on a plain ground: faster than 1, for there is less to write, and hardly more than 6. */
const LEVEL = 3
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/**
 * RGBA pixels as a PNG file (ISO/IEC 15948): one IDAT, lines unfiltered but for those that repeat the one above; a byte
 * a pixel where there are few enough colours, as in a chart, else four. A letter carries a picture of its own for each
 * reader: with the renderer's encoder the picture was most of what a letter cost, and this is a third of what was
 * packed, sent and stored without the palette and the lines that repeat.
 * @param pixels row by row, four bytes each, with the colours multiplied by alpha as the renderer leaves them
 */
export function encodePng(width: number, height: number, pixels: Uint8Array): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  const indexed = indexColours(width, height, pixels)
  // Eight bits a channel; a palette, or colour with alpha.
  head.set(indexed ? [8, 3, 0, 0, 0] : [8, 6, 0, 0, 0], 8)
  const rows = indexed?.rows ?? wholeColours(width, height, pixels)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    ...(indexed ? [chunk('PLTE', indexed.colours), chunk('tRNS', indexed.alphas)] : []),
    chunk('IDAT', deflateSync(rows, { level: LEVEL })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const LARGEST_PALETTE = 256
/** The filter by which a line holds what is different from the line above: zeros where nothing is. */
const UP = 2

/** Rows of places in a palette; undefined where there are more colours than it holds. */
function indexColours(width: number, height: number, pixels: Uint8Array) {
  const words = new Uint32Array(pixels.buffer, pixels.byteOffset, width * height)
  const bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength)
  const rows = Buffer.alloc((width + 1) * height)
  const places = new Map<number, number>()
  const palette = Buffer.alloc(LARGEST_PALETTE * 4)
  // Neighbours are mostly of one colour: it is looked up where it changes.
  let last = -1
  let place = 0
  const line = width * 4
  for (let y = 0; y < height; y += 1) {
    const row = y * (width + 1) + 1
    // Bars stand upright: most lines are the one above, and that is all that is said of them.
    const [above, start, end] = [(y - 1) * line, y * line, (y + 1) * line]
    if (y > 0 && bytes.compare(bytes, above, start, start, end) === 0) {
      rows[row - 1] = UP
      continue
    }
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x
      const word = words[at] ?? 0
      if (word !== last) {
        last = word
        const known = places.get(word)
        if (known === undefined) {
          if (places.size === LARGEST_PALETTE) return undefined
          place = places.size
          places.set(word, place)
          palette.set(pixels.subarray(at * 4, at * 4 + 4), place * 4)
        } else place = known
      }
      rows[row + x] = place
    }
  }
  divideByAlpha(palette, 0, places.size * 4)
  const colours = Buffer.alloc(places.size * 3)
  const alphas = Buffer.alloc(places.size)
  for (let no = 0; no < places.size; no += 1) {
    colours.set(palette.subarray(no * 4, no * 4 + 3), no * 3)
    alphas[no] = palette[no * 4 + 3] ?? 0
  }
  return { rows, colours, alphas }
}

function wholeColours(width: number, height: number, pixels: Uint8Array): Buffer {
  const line = width * 4
  const rows = Buffer.alloc((line + 1) * height)
  for (let y = 0; y < height; y += 1) rows.set(pixels.subarray(y * line, (y + 1) * line), y * (line + 1) + 1)
  for (let y = 0; y < height; y += 1) divideByAlpha(rows, y * (line + 1) + 1, line)
  return rows
}

function divideByAlpha(rows: Buffer, from: number, length: number): void {
  for (let at = from; at < from + length; at += 4) {
    const alpha = rows[at + 3] ?? 0
    if (alpha === 0 || alpha === 255) continue
    for (let channel = at; channel < at + 3; channel += 1) {
      rows[channel] = Math.min(255, Math.round(((rows[channel] ?? 0) * 255) / alpha))
    }
  }
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}
