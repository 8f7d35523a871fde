import pc from 'picocolors'
import type { Clock } from '../clock.ts'
import { plainJson } from '../reports/plain-json.ts'
import type { Language } from '../reports/words.ts'
import { type Progress, type ProgressOptions, startProgress } from './progress.ts'

/** Where text goes: process.stdout and process.stderr, or a test's own. */
export interface Stream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

export type Colors = ReturnType<typeof pc.createColors>

/** What a verb came to: data for machines, text for people. */
export interface Outcome<Data = unknown> {
  /** Undefined for what ran on until it was ended: its events were all there is to say, and no document follows. */
  readonly data: Data
  readonly text: string
  /** The text is a file's: where it does not go to a terminal, every character of it stays. */
  readonly file?: boolean
  /** 0 unless the verb ran to its end and found something wrong. */
  readonly exitCode?: number
}

/** What happened while a process ran. */
export interface Happening {
  readonly at: Date
  readonly event: string
  readonly facts: Readonly<Record<string, unknown>>
  /** The same for people. */
  readonly words: string
  readonly warning?: boolean
}

/**
 * The two streams of a command: results on stdout, everything said on the way on stderr. With --json, stdout
 * carries one JSON document and nothing else, and stderr only warnings, and the events of what runs on.
 */
export interface Output {
  readonly json: boolean
  /** Of what is said on the way; of a result, its verb decides. */
  readonly language: Language
  readonly colors: Colors
  /** Columns available to text on stdout; 100 where it is not a terminal. */
  readonly width: number
  print(outcome: Outcome): void
  /** A remark on the way, for people alone. */
  note(text: string): void
  /** What is waited for: for somebody who sits at a terminal and wonders. */
  hint(text: string): void
  /** Something the user should know whatever the format. */
  warn(text: string): void
  /** A line with its moment; with --json a JSON line, so that a log collector can read it. */
  event(happening: Happening): void
  progress(title: string, options?: ProgressOptions): Progress
}

/** Opens the output of one command. Colours only where stdout is a terminal and `noColor` is not set. */
export function openOutput(options: {
  json: boolean
  noColor: boolean
  stdout: Stream
  stderr: Stream
  language?: Language
}): Output {
  const { json, stdout, stderr, language = 'en' } = options
  const colors = pc.createColors(!options.noColor && !json && stdout.isTTY === true)
  const told = pc.createColors(!options.noColor && stderr.isTTY === true)
  const warning = `${told.yellow(language === 'en' ? 'warning:' : '警告：')}${language === 'en' ? ' ' : ''}`
  return {
    json,
    language,
    colors,
    width: Math.max(40, Math.min(stdout.columns || 100, 160)),
    print: ({ data, text, file }) => {
      if (json && data === undefined) return
      const kept = file && stdout.isTTY !== true
      stdout.write(`${json ? toJson(data) : kept ? text : printable(text)}\n`)
    },
    note: (text) => {
      if (!json) stderr.write(`${printable(text)}\n`)
    },
    hint: (text) => {
      if (!json && stderr.isTTY === true) stderr.write(`${told.dim(printable(text))}\n`)
    },
    warn: (text) => stderr.write(`${warning}${printable(text)}\n`),
    event: ({ at, event, facts, words, ...happening }) => {
      const moment = at.toISOString()
      const line = json
        ? JSON.stringify({ at: moment, event, ...facts })
        : `${told.dim(moment)} ${happening.warning ? warning : ''}${printable(words).replaceAll('\n', '\n  ')}`
      stderr.write(`${line}\n`)
    },
    progress: (title, progress) => startProgress(stderr, title, { language, ...progress, silent: json }),
  }
}

/** What steers a terminal; of it, line ends (a table's as well), tabs and the colours we write ourselves may stay. */
const STEERING = /(\p{Cc}\[[\d;]*m)|(?!\r?\n|\t)\p{Cc}/gu
const ESCAPE = '\u001b'

/**
 * Text that may hold what others wrote (a reply, what a server said of a bounce), so that all a terminal does is show it:
 * a control character becomes �. Pure.
 */
function printable(text: string): string {
  return text.replace(STEERING, (found, colour?: string) =>
    colour?.startsWith(ESCAPE) ? colour : `\u{FFFD}${found.slice(1)}`,
  )
}

/** The output of a process that runs on: its warnings say when, and with --json are events like all it tells. */
export function timed(output: Output, clock: Clock): Output {
  return {
    ...output,
    warn: (text) =>
      output.event({
        at: clock.now(),
        event: 'warning',
        facts: { message: text },
        words: text,
        warning: true,
      }),
  }
}

/** Pretty JSON; maps become objects and big integers text, which JSON has no other way to say. */
export function toJson(data: unknown): string {
  return JSON.stringify(data, plainJson, 2) ?? 'null'
}

/** `1 error`, `2 errors`, `12,000 people`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`
}
