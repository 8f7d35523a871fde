import { isUtf8 } from 'node:buffer'
import { createReadStream, type Stats, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import { codeOf, messageOf, WinbackError, whyUnreadable } from '../errors.ts'
import { parseJson } from './json.ts'

// A file as rows: decompressed, cut into lines and columns, a batch at a time, whatever its size. What cannot be
// read as a row comes out as one with a problem, so that its line can be named and the rest goes on.

export type FileFormat = 'csv' | 'ndjson'

export interface FileRow {
  /** 1-based line of the file the row starts on. */
  readonly line: number
  readonly raw: string
  /** Columns of a CSV; the object of an NDJSON line; undefined where there is a problem. */
  readonly values: readonly string[] | Readonly<Record<string, unknown>> | undefined
  readonly problem?: string
}

export interface RowSource {
  readonly format: FileFormat
  readonly totalBytes: number
  /** Of the file as it is stored, compressed or not. */
  bytesRead(): number
  /** Whether the file is another by now than the one that was opened: written to, or replaced. */
  changed(): boolean
  batches(): AsyncIterable<FileRow[]>
}

/**
 * Bytes read at a time. The rows of a block are alive together: of large ones the collector has to move them all. And
 * while a block is cut into rows, what PostgreSQL answers waits.
 */
const BLOCK = 1 << 15
/** Characters; a longer line is a broken file, not a row. */
const LINE_LIMIT = 1_000_000

/**
 * Opens `path`. The format is taken from the name (`.csv`, `.tsv`, `.txt`, `.ndjson`, `.jsonl`, each perhaps with
 * `.gz`) unless given. A CSV's `delimiter` is one character, or `whitespace` for runs of spaces and tabs. `encoding` is
 * a label of the WHATWG Encoding Standard (`gbk`, `windows-1252`, `utf-16le` …); UTF-8 unless given.
 * @throws WinbackError `import.unreadable`, `import.options` for an encoding that does not exist
 */
export function openRows(
  path: string,
  options: {
    format?: FileFormat | undefined
    delimiter?: string | undefined
    encoding?: string | undefined
  } = {},
): RowSource {
  const plain = path.replace(/\.gz$/i, '')
  const format = options.format ?? (/\.(ndjson|jsonl)$/i.test(plain) ? 'ndjson' : 'csv')
  const delimiter = options.delimiter ?? (/\.tsv$/i.test(plain) ? '\t' : ',')
  const decoder = options.encoding === undefined ? undefined : openDecoder(options.encoding)
  let opened: Stats
  try {
    opened = statSync(path)
    if (!opened.isFile()) throw new Error('it is not a file')
  } catch (cause) {
    throw unreadable(path, cause)
  }
  const file = createReadStream(path, { highWaterMark: BLOCK })
  const parse = format === 'csv' ? csvParser(delimiter) : ndjsonRow
  return {
    format,
    totalBytes: opened.size,
    bytesRead: () => file.bytesRead,
    changed: () => {
      const now = statSync(path, { throwIfNoEntry: false })
      return now?.ino !== opened.ino || now.size !== opened.size || now.mtimeMs !== opened.mtimeMs
    },
    batches: async function* () {
      try {
        const stored = plain === path ? file : gunzip(file)
        const lineBatches = decoder ? decodedLines(stored, decoder) : linesOf(stored)
        if (typeof parse === 'function') {
          for await (const lines of lineBatches) yield lines.map(parse)
        } else {
          for await (const lines of lineBatches) yield parse.rows(lines)
          yield parse.end()
        }
      } catch (cause) {
        throw cause instanceof WinbackError ? cause : unreadable(path, cause)
      } finally {
        file.destroy()
      }
    },
  }
}

function openDecoder(label: string): TextDecoder {
  try {
    return new TextDecoder(label)
  } catch (cause) {
    throw new WinbackError('import.options', `there is no encoding "${label}"`, {
      remedy: 'Use a name such as gbk, gb18030, big5, shift_jis, windows-1252 or utf-16le.',
      cause,
    })
  }
}

/** The lines of a file in another encoding: as UTF-8 from here on, a block at a time. */
async function* decodedLines(bytes: AsyncIterable<Buffer>, decoder: TextDecoder): AsyncGenerator<Line[]> {
  const blocks = async function* () {
    for await (const block of bytes) yield Buffer.from(decoder.decode(block, { stream: true }))
    yield Buffer.from(decoder.decode())
  }
  // What is no character of the encoding was replaced; it must not be stored as if it had been read.
  const checked = (line: Line): Line =>
    line.problem === undefined && line.text.includes('\ufffd')
      ? { ...line, problem: `the line is not ${decoder.encoding}; see whether --encoding is right` }
      : line
  for await (const lines of linesOf(blocks())) yield lines.map(checked)
}

function gunzip(file: Readable): Readable {
  const gunzipped = createGunzip({ chunkSize: BLOCK })
  file.on('error', (error) => gunzipped.destroy(error))
  return file.pipe(gunzipped)
}

function unreadable(path: string, cause: unknown): WinbackError {
  // Such a file was never begun.
  const closed = ['ENOENT', 'EISDIR', 'EACCES'].includes(codeOf(cause))
  return new WinbackError('import.unreadable', `${path} cannot be read: ${whyBroken(cause)}`, {
    location: { file: path },
    remedy: closed
      ? 'Check the path, and that the file may be read.'
      : 'Check the path and the file; what was imported before stays and is not imported twice.',
    cause,
  })
}

function whyBroken(cause: unknown): string {
  switch (codeOf(cause)) {
    case 'Z_BUF_ERROR':
      return 'its gzip ends in the middle, as of a copy that broke off'
    case 'Z_DATA_ERROR':
      return `it is no gzip, or a damaged one (${messageOf(cause)})`
    default:
      return whyUnreadable(cause)
  }
}

interface Line {
  readonly line: number
  readonly text: string
  readonly problem?: string
}

const NEWLINE = 10
const NOT_UTF8 =
  'the line is not UTF-8; name the encoding (--encoding gbk, or windows-1252 for Western Europe) or convert the file (iconv -f GBK -t UTF-8)'

/** Cut at newlines as bytes: a character that is cut in two by a block's end never reaches the decoder. */
async function* linesOf(bytes: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
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
      const problem = problemOf(sound ? text : undefined, text)
      lines.push(
        problem.problem === undefined
          ? { line, text: problem.text }
          : { line, text: problem.text, problem: problem.problem },
      )
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
        yield [{ line, text: start, problem: 'the line is longer than a million characters' }]
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
  if (restLength > 0) yield take(Buffer.concat(rest))
}

/** `sound` is the text where the whole block was UTF-8; otherwise the line is looked at by itself. */
function problemOf(sound: string | undefined, text: string): { text: string; problem?: string } {
  let decoded = text
  if (sound === undefined) {
    const bytes = Buffer.from(text, 'latin1')
    if (!isUtf8(bytes)) return { text, problem: NOT_UTF8 }
    decoded = bytes.toString('utf8')
  }
  if (decoded.length > LINE_LIMIT) {
    return { text: decoded.slice(0, 1000), problem: 'the line is longer than a million characters' }
  }
  if (decoded.includes('\0')) return { text: decoded, problem: 'the line holds a NUL byte' }
  return { text: decoded }
}

function withoutMark(block: Buffer): Buffer {
  if (block[0] === 0xef && block[1] === 0xbb && block[2] === 0xbf) return block.subarray(3)
  const begins = (...bytes: number[]) => bytes.every((byte, at) => block[at] === byte)
  for (const [encoding, mark] of Object.entries({ 'utf-16le': [0xff, 0xfe], 'utf-16be': [0xfe, 0xff] })) {
    if (begins(...mark) || isWide(block, encoding === 'utf-16le' ? 1 : 0)) {
      throw new Error(`it is UTF-16: say so with --encoding ${encoding}, or save it as UTF-8`)
    }
  }
  if (begins(0x1f, 0x8b)) throw new Error('it is gzip: let its name end in .gz')
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

function ndjsonRow({ line, text, problem }: Line): FileRow {
  if (problem !== undefined) return { line, raw: text, values: undefined, problem }
  if (text.trim() === '') return { line, raw: text, values: [] }
  try {
    const value = parseJson(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return { line, raw: text, values: value as Record<string, unknown> }
    }
    return { line, raw: text, values: undefined, problem: 'expected a JSON object' }
  } catch (error) {
    return { line, raw: text, values: undefined, problem: `malformed JSON: ${messageOf(error)}` }
  }
}

interface CsvParser {
  rows(lines: Line[]): FileRow[]
  /** What an unclosed quote still held back. */
  end(): FileRow[]
}

/**
 * Rows of RFC 4180. Lines without a quote, nearly all of them, are split and done; a quoted field may go on over
 * the next lines. A quote that is never closed costs its own line alone.
 */
function csvParser(delimiter: string): CsvParser | ((line: Line) => FileRow) {
  if (delimiter === 'whitespace') {
    return ({ line, text, problem }) => {
      if (problem !== undefined) return { line, raw: text, values: undefined, problem }
      const trimmed = text.trim()
      return { line, raw: text, values: trimmed === '' ? [] : trimmed.split(/\s+/) }
    }
  }
  let held: Line[] = []
  let heldLength = 0
  const rows = (lines: Line[], atEnd: boolean): FileRow[] => {
    const found: FileRow[] = []
    let queue = lines
    for (let at = 0; at < queue.length; at += 1) {
      const next = queue[at]
      if (next === undefined) break
      if (held.length === 0 && next.problem !== undefined) {
        found.push({ line: next.line, raw: next.text, values: undefined, problem: next.problem })
        continue
      }
      if (held.length === 0 && !next.text.includes('"')) {
        found.push({ line: next.line, raw: next.text, values: splitPlain(next.text, delimiter) })
        continue
      }
      held.push(next)
      heldLength += next.text.length
      const [first = next] = held
      const raw = held.length === 1 ? next.text : held.map((part) => part.text).join('\n')
      const parsed = next.problem === undefined ? splitQuoted(raw, delimiter) : 'open'
      if (parsed === 'open' && next.problem === undefined && heldLength < LINE_LIMIT && held.length < 1000)
        continue
      const again = parsed === 'open' ? held.slice(1) : []
      found.push(
        typeof parsed === 'string'
          ? {
              line: first.line,
              raw: parsed === 'open' ? first.text : raw,
              values: undefined,
              problem: parsed === 'open' ? 'a quote is never closed' : parsed,
            }
          : { line: first.line, raw, values: parsed },
      )
      held = []
      heldLength = 0
      if (again.length > 0) {
        queue = [...again, ...queue.slice(at + 1)]
        at = -1
      }
    }
    if (atEnd && held.length > 0) {
      const [first, ...again] = held
      held = []
      heldLength = 0
      if (first) {
        found.push({
          line: first.line,
          raw: first.text,
          values: undefined,
          problem: 'a quote is never closed',
        })
      }
      if (again.length > 0) found.push(...rows(again, true))
    }
    return found
  }
  return { rows: (lines) => rows(lines, false), end: () => rows([], true) }
}

function splitPlain(text: string, delimiter: string): string[] {
  return text === '' ? [] : text.split(delimiter)
}

/** The fields, `open` where the text ends inside quotes, or what is wrong with it. */
function splitQuoted(text: string, delimiter: string): string[] | string {
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (text[at] === '"') {
      let field = ''
      let from = at + 1
      for (;;) {
        const quote = text.indexOf('"', from)
        if (quote === -1) return 'open'
        field += text.slice(from, quote)
        if (text[quote + 1] !== '"') {
          at = quote + 1
          break
        }
        field += '"'
        from = quote + 2
      }
      fields.push(field)
      if (at < text.length && text[at] !== delimiter) return 'text follows a closing quote'
    } else {
      const end = text.indexOf(delimiter, at)
      const field = end === -1 ? text.slice(at) : text.slice(at, end)
      if (field.includes('"')) return 'a quote stands inside an unquoted field'
      fields.push(field)
      at = end === -1 ? text.length : end
    }
    if (at >= text.length) return fields
    at += 1
  }
}
