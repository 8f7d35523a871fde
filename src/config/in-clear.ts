import type { Problem } from '../errors.ts'

// Secrets that somebody wrote into a file in clear. They are refused, and what is said of the file does not repeat them: it
// ends in logs, in the pages of a build server, and in what is sent to whoever is asked for help. The file may be none that
// can be parsed, so its lines are read as they stand, and rather too much is left out than too little.

/** What is said of one. */
export const IN_CLEAR = 'a secret stands here in clear; write it as ${NAME} or ${file:path}'

const SECRET_KEY =
  /(?:(?:^|[._-])(?:pass|pwd)|password|passwd|passphrase|secret|token|private_?key|api_?key|credentials?)$/i

/** Whether a key is called as secrets are, also where it is none that is known here. */
export function looksSecret(key: string): boolean {
  return SECRET_KEY.test(key)
}

/** A key, or the end of a path, and the sign behind it, which may be full-width or miss its space. */
const KEY = /(?<![\w.?&-])(["']?)([\w.-]{1,200})\1[ \t]{0,20}[:：=]/g
/** References without a default in the place of a value: they say nothing. */
const REFERENCES = /^["']?(?:\$\{(?:\w+|file:[^}"']*)\})+["']?(?=[ \t]*(?:[,}\]#]|$))/
/** The password of a url; digits alone are a port. One that was shortened ends in the midst of it. */
const URL_PASSWORD =
  /(?<=[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/@:"']{0,200}:)(?!\d+(?:[/?#\s"'`]|$))(?!\$\{\w+\}@)[^\s@"'…]+(?=@|…)|(?<=[?&]password=)(?!\$\{\w+\})[^&\s"'`]+/gi
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const PEM_END = /-----END [A-Z ]*PRIVATE KEY-----/

/** A line as it may be shown. */
export interface ShownLine {
  readonly text: string
  /** Where in it an offset of the line as written is. */
  at(offset: number): number
}

type Span = readonly [from: number, to: number]

/**
 * The lines of a YAML file, each without what stands in it of a secret.
 * @param names keys that are secrets, beside those that are called so
 */
export function shownLines(lines: readonly string[], names: ReadonlySet<string> = new Set()): ShownLine[] {
  const isSecret = (key: string) => looksSecret(key) || names.has(key)
  /** The value of a secret goes on below, in all lines that are indented deeper; `anyhow`: also in what looks like a key. */
  let open: { readonly indent: number; readonly anyhow: boolean } | undefined
  let inKey = false
  return lines.map((line) => {
    const indent = line.search(/\S|$/)
    if (inKey || PEM.test(line)) {
      const from = inKey ? indent : line.search(PEM)
      inKey = !PEM_END.test(line)
      return without(line, [...spansOf(line, isSecret).spans, [from, line.length]])
    }
    if (open && indent < line.length) {
      const goesOn = indent > open.indent && (open.anyhow || !/^\s*["']?[\w.-]+["']?:(?:\s|$)/.test(line))
      if (goesOn) return without(line, [[indent, line.length]])
      open = undefined
    }
    const { spans, goesOn } = spansOf(line, isSecret)
    if (goesOn !== undefined) open = { indent, anyhow: goesOn === 'anyhow' }
    return without(line, spans)
  })
}

/** A text of one line, such as a message, without what it quotes of a secret. */
function withoutSecrets(text: string): string {
  return without(text, spansOf(text, looksSecret).spans).text
}

/** A problem that repeats nothing of a secret, whichever way it was written. */
export function untold(problem: Problem): Problem {
  const { path, message, found, suggestion } = problem
  return {
    ...problem,
    path: withoutSecrets(path),
    message: withoutSecrets(message),
    ...(found === undefined ? {} : { found: withoutSecrets(found) }),
    ...(suggestion === undefined ? {} : { suggestion: withoutSecrets(suggestion) }),
  }
}

/** Where a line has what is secret, and whether it goes on in the next. */
function spansOf(line: string, isSecret: (key: string) => boolean) {
  const spans: Span[] = [...line.matchAll(URL_PASSWORD)].map(({ index, 0: { length } }) => [
    index,
    index + length,
  ])
  let goesOn: 'anyhow' | 'unless a key' | undefined
  let read = 0
  let within = false
  for (const match of line.matchAll(KEY)) {
    const [whole, , key = ''] = match
    if (match.index < read || !isSecret(key)) continue
    const behind = match.index + whole.length
    const from = behind + line.slice(behind).search(/\S|$/)
    const rest = line.slice(from)
    if (REFERENCES.test(rest)) continue
    const between = line.slice(read, match.index)
    const brace = /[{}](?=[^{}]*$)/.exec(between)?.[0]
    if (brace !== undefined) within = brace === '{'
    const [value, ended] = valueIn(rest, within)
    read = from + value.length
    if (value !== '') spans.push([from, read])
    if (!ended) goesOn = /^(?:[|>]|["'])/.test(value) ? 'anyhow' : 'unless a key'
  }
  return { spans, goesOn }
}

/** The value that a text begins with, and whether it ends on this line. @param within whether between braces */
function valueIn(text: string, within: boolean): [value: string, ended: boolean] {
  const [quoted] = /^"(?:[^"\\]|\\.)*"|^'(?:[^']|'')*'/.exec(text) ?? []
  if (quoted !== undefined) return [quoted, true]
  if (/^["']/.test(text)) return [text, false]
  // Between braces the next key ends it, or the brace: a comma may be part of what was meant.
  const end = within ? text.search(/,\s*["']?[\w.-]+["']?\s*:|\}/) : -1
  return [text.slice(0, end === -1 ? undefined : end).trimEnd(), end !== -1]
}

/** In their order, those that meet as one. */
function merged(spans: readonly Span[]): Span[] {
  return spans
    .toSorted((a, b) => a[0] - b[0])
    .reduce<Span[]>((done, [from, to]) => {
      const last = done.at(-1)
      if (last === undefined || from > last[1]) done.push([from, to])
      else done[done.length - 1] = [last[0], Math.max(last[1], to)]
      return done
    }, [])
}

/** The line with `…` in the place of each span. */
function without(line: string, spans: readonly Span[]): ShownLine {
  const parts: { readonly at: number; readonly text: string; readonly to: number }[] = []
  let text = ''
  let done = 0
  const add = (part: string, to: number) => {
    parts.push({ at: text.length, text: part, to })
    text += part
    done = to
  }
  for (const [from, to] of merged(spans)) {
    if (from > done) add(line.slice(done, from), from)
    add('…', to)
  }
  if (done < line.length) add(line.slice(done), line.length)
  return {
    text,
    at: (offset) => {
      const part = parts.find(({ to }) => offset < to)
      return part ? Math.max(part.at, part.at + part.text.length - (part.to - offset)) : text.length
    },
  }
}
