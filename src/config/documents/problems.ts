import type { Problem } from '../../errors.ts'
import { IN_CLEAR, shownLine } from './in-clear.ts'

// Problems in text, each with its place and, where there is one, the name that may have been meant.

/** One line: `campaigns/x.yaml:12:5  error  tiers[0].inactve: unknown key; did you mean `inactive`?` */
export function formatProblem(problem: Problem): string {
  return problemLine(problem, ENGLISH_PROBLEMS)
}

function problemLine(problem: Problem, words: ProblemWords): string {
  const { file, line, column } = problem.location
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  const path = problem.path === '' ? '' : `${problem.path}: `
  const hint = problem.suggestion === undefined ? '' : words.meant(problem.suggestion)
  return `${place}  ${words[problem.severity]}  ${path}${problem.message}${hint}`
}

/** What stands around the message of a problem; the message itself is English. */
export interface ProblemWords {
  readonly error: string
  readonly warning: string
  /** Behind the message: the name that may have been meant. */
  meant(suggestion: string): string
  /** Below the last: how many more there are. */
  more(count: number): string
}

export const ENGLISH_PROBLEMS: ProblemWords = {
  error: 'error',
  warning: 'warning',
  meant: (suggestion) => `; did you mean \`${suggestion}\`?`,
  more: (count) => `… and ${count} more: mend these first; \`winback validate --json\` has them all`,
}

/** Problems that are shown, errors first; of more, one mistake is mostly behind them all. */
const SHOWN = 100

/**
 * Every problem with the line it is about and a caret under the column. `sources` holds the text of each file;
 * a problem in a file it does not hold is shown without its line. A line is shown without what stands in it of a secret.
 */
export function formatProblems(
  problems: readonly Problem[],
  sources: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
  words: ProblemWords = ENGLISH_PROBLEMS,
): string {
  const text = (file: string) => (sources instanceof Map ? sources.get(file) : Reflect.get(sources, file))
  const split = new Map<string, readonly string[]>()
  const linesOf = (file: string) => {
    const source: unknown = text(file)
    const lines = split.get(file) ?? (typeof source === 'string' ? source.split(/\r?\n/) : [])
    split.set(file, lines)
    return lines
  }
  const left = problems.length - SHOWN
  const [errors, warnings] = ['error', 'warning'].map((each) =>
    problems.filter((one) => one.severity === each),
  )
  const first = new Set([...(errors ?? []), ...(warnings ?? [])].slice(0, SHOWN))
  const told = sortProblems(problems)
    .filter((problem) => first.has(problem))
    .map((problem) => {
      const { file, line, column } = problem.location
      if (line === undefined || linesOf(file).length < line) return problemLine(problem, words)
      const number = String(line)
      const whole = shown(linesOf(file), { file, line }, problems)
      const [excerpt, at] = around(whole, Math.min((column ?? 1) - 1, whole.length))
      const caret = `${' '.repeat(width(excerpt.slice(0, at)))}^`
      return `${problemLine(problem, words)}\n  ${number} | ${excerpt}\n  ${' '.repeat(number.length)} | ${caret}`
    })
  return [...told, ...(left > 0 ? [words.more(left)] : [])].join('\n\n')
}

/** A line without what is known for a secret by its name, or because a channel says so. In templates, a password is a word. */
function shown(
  lines: readonly string[],
  { file, line }: { readonly file: string; readonly line: number },
  problems: readonly Problem[],
): string {
  const whole = /\.ya?ml$/i.test(file) ? shownLine(lines, line - 1) : (lines[line - 1] ?? '')
  const from = problems.flatMap(({ message, location }) =>
    message === IN_CLEAR && location.file === file && location.line === line
      ? [(location.column ?? 1) - 1]
      : [],
  )
  const end = Math.min(...from, whole.length)
  return end < whole.length ? `${whole.slice(0, end)}…` : whole
}

/** Characters of a line that are shown: a file without line breaks is one line. */
const EXCERPT = 400

/** The part of a line that is shown around a place, and where the place is in it. */
function around(line: string, at: number): [excerpt: string, at: number] {
  if (line.length <= EXCERPT) return [line, at]
  const start = Math.max(0, at - EXCERPT / 2)
  const end = start + EXCERPT
  const before = start === 0 ? '' : '…'
  return [`${before}${line.slice(start, end)}${end < line.length ? '…' : ''}`, at - start + before.length]
}

/** In the order of the file, files in the order they first appear. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map((problem) => problem.location.file))]
  const place = ({ location }: Problem) =>
    [files.indexOf(location.file), location.line ?? 0, location.column ?? 0] as const
  return problems.toSorted((a, b) => {
    const [left, right] = [place(a), place(b)]
    return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
  })
}

/** Columns on a terminal: Chinese characters take two. */
function width(text: string): number {
  let columns = 0
  for (const character of text) {
    columns += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/.test(
      character,
    )
      ? 2
      : 1
  }
  return columns
}
