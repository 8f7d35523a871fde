import { closeSync, existsSync, openSync, rmSync, writeSync } from 'node:fs'
import { countReasons, type ReasonCount } from './reject-reasons.ts'

/** Hears of the rows that were not taken, or not taken whole, each with its line and the reason. */
export interface RejectCollector {
  /** The row was left out. */
  reject(line: number, reason: string, raw: string): void
  /** The row was taken without something: each of the reasons says without what. Once a row. */
  warn(line: number, reasons: readonly string[], raw: string): void
}

/** Writes them to a file, and counts. */
export interface Rejects extends RejectCollector {
  readonly rejected: number
  /** Rows that were taken without something. */
  readonly warnings: number
  /** Why rows were left out, the most frequent first. */
  readonly reasons: readonly ReasonCount[]
  /** What rows were taken without, the most frequent first. */
  readonly warningReasons: readonly ReasonCount[]
  /** The file's path where anything was written to it. */
  close(): string | undefined
}

/** What is kept of a row: one of a gigabyte must not fill the disk a second time. */
const RAW_LIMIT = 10_000
const FLUSH_AT = 64_000

/**
 * A CSV of `line,reason,row` at `path`; none is made while nothing is rejected.
 * @param mode whether an older one is removed, or gone on with
 */
export function openRejects(path: string, mode: 'anew' | 'append' = 'anew'): Rejects {
  if (mode === 'anew') rmSync(path, { force: true })
  let file: number | undefined
  let rejected = 0
  let warnings = 0
  const [reasons, warningReasons] = [countReasons(), countReasons()]
  let waiting = ''
  const flush = () => {
    if (waiting === '') return
    if (file === undefined) {
      const begun = mode === 'append' && existsSync(path)
      file = openSync(path, begun ? 'a' : 'w', 0o600)
      if (!begun) writeSync(file, 'line,reason,row\n')
    }
    writeSync(file, waiting)
    waiting = ''
  }
  const write = (line: number, reason: string, raw: string) => {
    waiting += `${line},${quote(reason)},${quote(raw.slice(0, RAW_LIMIT))}\n`
    if (waiting.length > FLUSH_AT) flush()
  }
  return {
    reject: (line, reason, raw) => {
      rejected += 1
      reasons.add(line, reason)
      write(line, reason, raw)
    },
    warn: (line, without, raw) => {
      warnings += 1
      for (const reason of without) {
        warningReasons.add(line, reason)
        write(line, `warning: ${reason}`, raw)
      }
    },
    get rejected() {
      return rejected
    },
    get warnings() {
      return warnings
    },
    get reasons() {
      return reasons.counted()
    },
    get warningReasons() {
      return warningReasons.counted()
    },
    close: () => {
      flush()
      if (file === undefined) return undefined
      closeSync(file)
      return path
    },
  }
}

function quote(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
