import { closeSync, existsSync, fstatSync, lstatSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { WinbackError, whyUnwritable } from '../../errors.ts'
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
  /** The file's path where anything was written to it; the same when asked again. */
  close(): string | undefined
}

/** What is kept of a row: one of a gigabyte must not fill the disk a second time. */
const RAW_LIMIT = 10_000
const FLUSH_AT = 64_000

/**
 * A CSV of `line,reason,row` at `path`; none is made while nothing is rejected.
 * @param mode whether an older one is removed, or gone on with
 * @throws WinbackError `import.rejects` where it cannot be written, from the first row on
 */
export function openRejects(path: string, mode: 'anew' | 'append' = 'anew'): Rejects {
  const attempt = <T>(act: () => T): T => {
    try {
      return act()
    } catch (cause) {
      // What cannot be written now cannot be at the end, which is to tell of the first failure.
      waiting = ''
      throw unwritable(path, cause)
    }
  }
  let file: number | undefined
  let open = false
  let rejected = 0
  let warnings = 0
  const [reasons, warningReasons] = [countReasons(), countReasons()]
  let waiting = ''
  if (mode === 'anew') attempt(() => removeOlder(path))
  const begin = (): number => {
    const begun = mode === 'append' && existsSync(path)
    const opened = openSync(path, begun ? 'a' : 'w', 0o600)
    open = true
    if (!begun) waiting = `line,reason,row\n${waiting}`
    return opened
  }
  const flush = () => {
    if (waiting === '') return
    attempt(() => {
      file ??= begin()
      if (isReplaced(path, file)) {
        closeSync(file)
        file = openSync(path, 'a', 0o600)
      }
      writeSync(file, waiting)
      waiting = ''
    })
  }
  const write = (line: number, reason: string, raw: string) => {
    waiting += `${line},${quote(reason)},${quote(raw.slice(0, RAW_LIMIT))}\n`
    // The first at once: that there is no room for it is better known before a million rows than after.
    if (file === undefined || waiting.length > FLUSH_AT) flush()
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
      if (open) closeSync(file)
      open = false
      return path
    },
  }
}

/** An erasure that comes meanwhile puts another file in its place: what went on into the old one, nobody would find. */
function isReplaced(path: string, file: number): boolean {
  const opened = fstatSync(file)
  return opened.isFile() && statSync(path, { throwIfNoEntry: false })?.ino !== opened.ino
}

/** What keeps nothing is no older file and has to stay, whatever leads to it: /dev/null, /dev/stdout, a named pipe. */
function removeOlder(path: string): void {
  const itself = lstatSync(path, { throwIfNoEntry: false })
  const led = statSync(path, { throwIfNoEntry: false })
  const keeps = led === undefined || led.isFile() || led.isDirectory()
  const isOfSystem = itself?.isSymbolicLink() && /^\/(dev|proc)\//.test(resolve(path))
  if (keeps && !isOfSystem) rmSync(path, { force: true })
}

function unwritable(path: string, cause: unknown): WinbackError {
  const why = whyUnwritable(cause)
  return new WinbackError('import.rejects', `${path} cannot be written, where the bad rows go: ${why}`, {
    location: { file: path },
    remedy:
      'See to it, or name another file (import --reject-file), and begin again: what was taken in before stays and is not taken in twice.',
    cause,
  })
}

function quote(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
