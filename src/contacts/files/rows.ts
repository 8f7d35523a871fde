import { createReadStream, type Stats, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { codeOf, messageOf, WinbackError, whyUnreadable } from '../../errors.ts'
import { isObject, parseJson } from '../values/json.ts'
import { decodedLines, LINE_LIMIT, type Line, linesOf, openEncoding } from './lines.ts'

// A file as rows: decompressed, cut into lines (lines.ts) and columns, a batch at a time, whatever its size. What cannot be
// read as a row comes out as one with a problem, so that its line can be named and the rest goes on.

export type FileFormat = 'csv' | 'ndjson'

/** Columns of a CSV, or the object of an NDJSON line. */
export type RowValues = readonly string[] | Readonly<Record<string, unknown>>

export interface FileRow {
  /** 1-based line of the file the row starts on. */
  readonly line: number
  readonly raw: string
  /** Undefined where there is a problem. */
  readonly values: RowValues | undefined
  readonly problem?: string
  /** The file ends with it, without the end of a line: it may be the half of one. */
  readonly unended?: true
}

export interface RowSource {
  readonly format: FileFormat
  /** Undefined of what comes from another program: it ends when it ends. */
  readonly totalBytes: number | undefined
  /** Of the file as it is stored, compressed or not; 0 of what comes from another program. */
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

/**
 * The rows of `path`, which is opened once they are asked for. The format is taken from the name (`.csv`, `.tsv`,
 * `.txt`, `.ndjson`, `.jsonl`, each perhaps with `.gz`) unless given. A CSV's `delimiter` is one character, or
 * `whitespace` for runs of spaces and tabs. `encoding` is a label of the WHATWG Encoding Standard (`gbk`,
 * `windows-1252`, `utf-16le` …); UTF-8 unless given. With an `input`, that is read, and `path` is only what it is called.
 * @throws WinbackError `import.unreadable`, `import.options` for an encoding that does not exist
 */
export function openRows(
  path: string,
  options: {
    format?: FileFormat | undefined
    delimiter?: string | undefined
    encoding?: string | undefined
    input?: Readable | undefined
  } = {},
): RowSource {
  const plain = path.replace(/\.gz$/i, '')
  const format = options.format ?? (/\.(ndjson|jsonl)$/i.test(plain) ? 'ndjson' : 'csv')
  const delimiter = options.delimiter ?? (/\.tsv$/i.test(plain) ? '\t' : ',')
  const encoding = options.encoding === undefined ? undefined : openEncoding(options.encoding)
  const stored = options.input ? openInput(options.input) : openFile(path)
  const parser = format === 'csv' ? csvParser(delimiter) : eachLine(ndjsonRow)
  return {
    format,
    totalBytes: stored.totalBytes,
    bytesRead: stored.bytesRead,
    changed: stored.changed,
    batches: async function* () {
      const read = stored.open()
      try {
        const bytes = plain === path ? read : gunzip(read)
        const lineBatches = encoding ? decodedLines(bytes, encoding) : linesOf(bytes)
        for await (const lines of lineBatches) yield parser.rows(lines)
        yield parser.end()
      } catch (cause) {
        throw cause instanceof WinbackError ? cause : unreadable(path, cause)
      } finally {
        read.destroy()
      }
    },
  }
}

/** Bytes as they are stored, or come. */
interface Stored extends Pick<RowSource, 'totalBytes' | 'bytesRead' | 'changed'> {
  open(): Readable
}

/** @throws WinbackError `import.unreadable` */
function openFile(path: string): Stored {
  let opened: Stats
  try {
    opened = statSync(path)
    if (!opened.isFile()) throw new Error('it is not a file')
  } catch (cause) {
    throw unreadable(path, cause)
  }
  let bytesRead = () => 0
  return {
    totalBytes: opened.size,
    bytesRead: () => bytesRead(),
    changed: () => {
      const now = statSync(path, { throwIfNoEntry: false })
      return now?.ino !== opened.ino || now.size !== opened.size || now.mtimeMs !== opened.mtimeMs
    },
    open: () => {
      const file = createReadStream(path, { highWaterMark: BLOCK })
      bytesRead = () => file.bytesRead
      return file
    },
  }
}

/** What another program writes: how much is to come is not known, so how much has come tells nothing. */
function openInput(input: Readable): Stored {
  return { totalBytes: undefined, bytesRead: () => 0, changed: () => false, open: () => input }
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

interface RowParser {
  rows(lines: readonly Line[]): FileRow[]
  /** What an unclosed quote still held back. */
  end(): FileRow[]
}

function eachLine(parse: (line: Line) => FileRow): RowParser {
  return { rows: (lines) => lines.map(parse), end: () => [] }
}

function broken(line: number, raw: string, problem: string): FileRow {
  return { line, raw, values: undefined, problem }
}

function ndjsonRow({ line, text, problem }: Line): FileRow {
  if (problem !== undefined) return broken(line, text, problem)
  if (text.trim() === '') return { line, raw: text, values: [] }
  try {
    const value = parseJson(text)
    if (isObject(value)) return { line, raw: text, values: value }
    return broken(line, text, 'expected a JSON object')
  } catch (error) {
    return broken(line, text, `malformed JSON: ${messageOf(error)}`)
  }
}

function spacedRow({ line, text, problem }: Line): FileRow {
  if (problem !== undefined) return broken(line, text, problem)
  const trimmed = text.trim()
  return { line, raw: text, values: trimmed === '' ? [] : trimmed.split(/\s+/) }
}

/**
 * Rows of RFC 4180. Lines without a quote, nearly all of them, are split and done; a quoted field may go on over
 * the next lines. A quote that is never closed costs its own line alone: those after it are read again.
 */
function csvParser(delimiter: string): RowParser {
  if (delimiter === 'whitespace') return eachLine(spacedRow)
  let held: Line[] = []
  let heldLength = 0
  const letGo = (): Line[] => {
    const lines = held
    held = []
    heldLength = 0
    return lines
  }
  const rows = (lines: readonly Line[]): FileRow[] => {
    const found: FileRow[] = []
    let queue = lines
    for (let at = 0; at < queue.length; at += 1) {
      const next = queue[at]
      if (next === undefined) break
      const { line, text, problem, unended } = next
      const plain = problem === undefined && held.length === 0 ? plainCells(text, delimiter) : undefined
      if (plain !== undefined) {
        found.push({ line, raw: text, values: plain, ...(unended && { unended }) })
        continue
      }
      if (problem !== undefined && held.length === 0) {
        found.push(broken(line, text, problem))
        continue
      }
      held.push(next)
      heldLength += text.length
      const [first = next] = held
      const raw = held.length === 1 ? text : held.map((part) => part.text).join('\n')
      const parsed = problem === undefined ? splitQuoted(raw, delimiter) : 'open'
      if (parsed !== 'open') {
        found.push(
          typeof parsed === 'string'
            ? broken(first.line, raw, parsed)
            : { line: first.line, raw, values: parsed, ...(unended && { unended }) },
        )
        letGo()
      } else if (problem !== undefined || heldLength >= LINE_LIMIT || held.length >= 1000) {
        found.push(unclosed(first))
        queue = [...letGo().slice(1), ...queue.slice(at + 1)]
        at = -1
      }
    }
    return found
  }
  const end = (): FileRow[] => {
    const [first, ...again] = letGo()
    return first ? [unclosed(first), ...rows(again), ...end()] : []
  }
  return { rows, end }
}

function unclosed({ line, text }: Line): FileRow {
  return broken(line, text, 'a quote is never closed')
}

/**
 * The cells of a line in which no quote has a meaning; undefined where one may. A bill of WeChat Pay has a backtick before
 * each cell, and quotes and commas as they come within: '`2026-01-05 09:03:12,`4200001,`Tea, "green"'.
 */
function plainCells(text: string, delimiter: string): string[] | undefined {
  if (text[0] === '`' && text.includes(`${delimiter}\``)) return text.slice(1).split(`${delimiter}\``)
  if (text.includes('"')) return undefined
  return text === '' ? [] : text.split(delimiter)
}

/** A phone number as people part it, `+86 138 0013 8000`: of a list of those not to be written to, it is a whole row. */
const NUMBER = /^[+(]?\d[\d\s()./-]*$/

/** What a report has below its table, by itself in a line: `Confidential Information - Do Not Distribute`. */
function isNote([only = '', ...others]: readonly string[], columns: number): boolean {
  return columns > 2 && others.length === 0 && /\S\s+\S/.test(only) && !NUMBER.test(only.trim())
}

/**
 * A row's columns with the last ones that a spreadsheet leaves away where they are empty; as they are where it has as many
 * as it should or more, where it is not to be told which are missing, and where it is a note and no row.
 * @param columns of the header
 */
export function filledUp({ values, unended }: FileRow, columns: number): RowValues | undefined {
  if (!Array.isArray(values) || values.length === 0 || values.length >= columns || unended) return values
  if (isNote(values, columns)) return values
  return [...values, ...Array<string>(columns - values.length).fill('')]
}

/** The fields, `open` where the text ends inside quotes, or what is wrong with it. */
function splitQuoted(text: string, delimiter: string): string[] | string {
  const fields: string[] = []
  let at = 0
  for (;;) {
    // `="0138"`, as exports write numbers that a spreadsheet is to leave alone.
    if (text[at] === '=' && text[at + 1] === '"') at += 1
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
