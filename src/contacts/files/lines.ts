import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { WinbackError } from '../../errors.ts'

// A file's bytes as lines of text. One that cannot be text comes out as a line with a problem, so that it can be named.

/** Characters; a longer line is a broken file, not a row. */
export const LINE_LIMIT = 1_000_000

export interface Line {
  /** 1-based. */
  readonly line: number
  readonly text: string
  readonly problem?: string
  /** The file's last, and no line end after it: perhaps the half of one. */
  readonly unended?: true
}

export interface Encoding {
  /** As it is spoken of. */
  readonly name: string
  readonly decoder: TextDecoder
}

/** @throws WinbackError `import.options` for an encoding that does not exist */
export function openEncoding(label: string): Encoding {
  try {
    const decoder = new TextDecoder(label)
    const name = decoder.encoding
    // By the standard, too: what calls itself GBK has ¥, rare names and emoji as GB18030 writes them.
    return { name, decoder: name === 'gbk' ? new TextDecoder('gb18030') : decoder }
  } catch (cause) {
    throw new WinbackError('import.options', `there is no encoding "${label}"`, {
      remedy: 'Use a name such as gbk, gb18030, big5, shift_jis, windows-1252 or utf-16le.',
      cause,
    })
  }
}

/** The lines of a file in another encoding: as UTF-8 from here on, a block at a time. */
export async function* decodedLines(
  bytes: AsyncIterable<Buffer>,
  { name, decoder }: Encoding,
): AsyncGenerator<Line[]> {
  const blocks = async function* () {
    let first = true
    for await (const block of bytes) {
      if (first) refuseOther(block, name)
      first = false
      yield Buffer.from(decoder.decode(block, { stream: true }))
    }
    yield Buffer.from(decoder.decode())
  }
  // What is no character of the encoding was replaced; it must not be stored as if it had been read.
  const checked = (line: Line): Line =>
    line.problem === undefined && line.text.includes('\ufffd')
      ? { ...line, problem: `the line is not ${name}; see whether --encoding is right` }
      : line
  for await (const lines of linesOf(blocks())) yield lines.map(checked)
}

/** Bytes beyond ASCII, from which on text of another encoding is not UTF-8 by chance. */
const TELLING = 16

/**
 * Text of one encoding can mostly be read as another, and every name in it is wrong.
 * @throws Error where the file is UTF-8 or UTF-16 by its mark, or UTF-8 by every one of its characters
 */
function refuseOther(block: Buffer, encoding: string): void {
  if (encoding === 'utf-8') return
  const advice = 'leave --encoding away'
  if (block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) {
    throw new Error(`it is UTF-8 by its first bytes, not ${encoding}: ${advice}`)
  }
  const wide = markOf(block)
  if (wide !== undefined && wide !== encoding) {
    throw new Error(`it is UTF-16 by its first bytes, not ${encoding}: say --encoding ${wide}`)
  }
  if (encoding.startsWith('utf-16')) return
  const end = block.lastIndexOf(NEWLINE)
  const whole = end === -1 ? block : block.subarray(0, end)
  if (isUtf8(whole) && whole.filter((byte) => byte > 0x7f).length >= TELLING) {
    throw new Error(`it is UTF-8, not ${encoding}: ${advice}`)
  }
}

/** The UTF-16 that a file begins as, by its mark. */
function markOf(block: Buffer): 'utf-16le' | 'utf-16be' | undefined {
  if (block[0] === 0xff && block[1] === 0xfe) return 'utf-16le'
  return block[0] === 0xfe && block[1] === 0xff ? 'utf-16be' : undefined
}

const NEWLINE = 10
const TOO_LONG = 'the line is longer than a million characters'
const NOT_UTF8 =
  'the line is not UTF-8; name the encoding (--encoding gbk, or windows-1252 for Western Europe) or convert the file (iconv -f GBK -t UTF-8)'

/** Cut at newlines as bytes: a character that is cut in two by a block's end never reaches the decoder. */
export async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let rest: Buffer[] = []
  let restLength = 0
  let line = 1
  let skipping = false
  const take = (block: Buffer): Line[] => {
    const lines: Line[] = []
    const sound = isUtf8(block)
    const texts = block.toString(sound ? 'utf8' : 'latin1').split('\n')
    for (const found of texts) {
      const text = found.endsWith('\r') ? found.slice(0, -1) : found
      lines.push(lineOf(line, text, sound))
      line += 1
    }
    return lines
  }
  for await (const chunk of bytes) {
    let block = chunk
    if (line === 1 && restLength === 0) block = withoutMark(block)
    const end = block.lastIndexOf(NEWLINE)
    if (end === -1) {
      if (skipping) continue
      rest.push(block)
      restLength += block.length
      if (restLength > 4 * LINE_LIMIT) {
        const start = Buffer.concat(rest).toString('latin1', 0, 1000)
        yield [{ line, text: start, problem: TOO_LONG }]
        rest = []
        restLength = 0
        skipping = true
      }
      continue
    }
    let from = 0
    if (skipping) {
      from = block.indexOf(NEWLINE) + 1
      line += 1
      skipping = false
    }
    if (end + 1 > from) {
      rest.push(block.subarray(from, end))
      yield take(rest.length === 1 ? (rest[0] ?? block) : Buffer.concat(rest))
    }
    rest = [block.subarray(end + 1)]
    restLength = block.length - end - 1
  }
  if (restLength > 0) yield take(Buffer.concat(rest)).map((last) => ({ ...last, unended: true as const }))
}

/** @param sound the whole block was UTF-8; otherwise the line is looked at by itself, its text one character a byte */
function lineOf(line: number, text: string, sound: boolean): Line {
  let decoded = text
  if (!sound) {
    const bytes = Buffer.from(text, 'latin1')
    if (!isUtf8(bytes)) return { line, text, problem: NOT_UTF8 }
    decoded = bytes.toString('utf8')
  }
  if (decoded.length > LINE_LIMIT) return { line, text: decoded.slice(0, 1000), problem: TOO_LONG }
  if (decoded.includes('\0')) return { line, text: decoded, problem: 'the line holds a NUL byte' }
  return { line, text: decoded }
}

function withoutMark(block: Buffer): Buffer {
  if (block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) return block.subarray(3)
  const begins = (...bytes: number[]) => bytes.every((byte, at) => block[at] === byte)
  for (const encoding of ['utf-16le', 'utf-16be']) {
    if (markOf(block) === encoding || isWide(block, encoding === 'utf-16le' ? 1 : 0)) {
      throw new Error(`it is UTF-16: say so with --encoding ${encoding}, or save it as UTF-8`)
    }
  }
  if (begins(0x1f, 0x8b))
    throw new Error('it is gzip: let its name end in .gz, or unpack it on its way (gzip -dc)')
  if (begins(0x50, 0x4b, 0x03, 0x04) || begins(0xd0, 0xcf, 0x11, 0xe0)) {
    throw new Error('it is a spreadsheet or an archive: save it as CSV in UTF-8')
  }
  if (/^\s*\[\s*\{/.test(block.toString('latin1', 0, 1000))) {
    throw new Error(
      "it is one JSON array: write its objects as lines of a file .ndjson (jq -c '.[]' FILE > FILE.ndjson)",
    )
  }
  return block
}

/** Whether every other byte is NUL, from `first` on, as where letters take two: UTF-16 without its mark. */
function isWide(block: Buffer, first: 0 | 1): boolean {
  if (block.length < 8) return false
  return [0, 2, 4, 6].every((at) => block[at + first] === 0 && block[at + 1 - first] !== 0)
}
