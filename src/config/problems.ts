import { closest, distance } from 'fastest-levenshtein'
import type { z } from 'zod'
import type { Location, Problem } from '../errors.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from './document.ts'
import { toldOnce, UNKNOWN_KEY } from './misplaced.ts'
import { isReference } from './references.ts'
import { branchesOf, keysAt, schemaAt } from './shape.ts'
import { expectedAt, rewritten } from './wanted.ts'

/** The name that was most likely meant, where one is near enough to be a slip. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const known = [...names]
  if (known.length === 0) return undefined
  const found = closest(name, known)
  const edits = distance(name.toLowerCase(), found.toLowerCase())
  if (edits <= Math.max(1, Math.floor(Math.max(name.length, found.length) * 0.4))) return found
  // Two letters exchanged are two edits, and one slip.
  const letters = (text: string) => [...text.toLowerCase()].toSorted().join('')
  if (edits === 2 && letters(name) === letters(found)) return found
  // `boolean` for `bool`, `rollout_share` for `rollout`.
  return known.find(
    (each) => Math.min(each.length, name.length) >= 3 && (name.startsWith(each) || each.startsWith(name)),
  )
}

/**
 * Everything zod found wrong with a document, each with the place of the key or value it is about.
 * @param currency of the workspace, for the amounts that are suggested
 */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  document: SourceDocument,
  value: unknown,
  schema: z.core.$ZodType,
  currency?: string,
): Problem[] {
  const context: Context = { document, value, schema, currency }
  // Of a list where a text belongs, zod finds the length wrong, too.
  const unlike = new Set(
    issues.flatMap(({ code, path }) => (code === 'invalid_type' ? [path.join('\n')] : [])),
  )
  const own = issues.filter(({ code, path }) => !(code === 'too_small' && unlike.has(path.join('\n'))))
  return toldOnce(own.flatMap((issue) => translate(issue, [], context)))
}

/** What is held against what. */
interface Context {
  readonly document: SourceDocument
  readonly value: unknown
  readonly schema: z.core.$ZodType
  readonly currency: string | undefined
}

function translate(issue: z.core.$ZodIssue, base: Path, context: Context): Problem[] {
  const { document, value, schema } = context
  const path = [...base, ...issue.path.filter((step) => typeof step !== 'symbol')]
  const found = valueAt(value, path)
  // What a reference stands for may be a secret: it is never repeated, only where it was written.
  const written = valueAt(document.value, path)
  const reference = isReference(written) ? written : undefined
  const shown = reference === undefined ? describe(found) : `what \`${show(reference)}\` stands for`
  const problem = (message: string, extra: Partial<Problem> = {}, location?: Location): Problem => ({
    severity: 'error',
    location: location ?? document.locate(path),
    path: formatPath(path),
    message,
    ...(found === undefined ? {} : { found: show(reference ?? found) }),
    ...extra,
  })
  const missing = (expected: string): Problem =>
    problem(
      `\`${String(path.at(-1))}\` is missing; expected ${expected}`,
      { expected },
      document.locate(path.slice(0, -1)),
    )
  /** What was wanted instead of the value, and the value as it should have been written, where that can be told. */
  const instead = (expected: string): Problem => {
    const suggestion = rewrite()
    return problem(`expected ${expected}, found ${shown}`, {
      expected,
      ...(suggestion === undefined ? {} : { suggestion }),
    })
  }
  const wanted = schemaAt(schema, value, path)

  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const place = [...path, key]
        const suggestion = nearest(key, keysAt(schema, value, path))
        return {
          severity: 'error',
          location: document.locate(place, 'key'),
          path: formatPath(place),
          message: UNKNOWN_KEY,
          found: key,
          ...(suggestion === undefined ? {} : { suggestion }),
        }
      })
    case 'invalid_key': {
      const [first] = issue.issues
      const name = String(path.at(-1))
      return [problem(first?.message ?? issue.message, { found: name }, document.locate(path, 'key'))]
    }
    case 'invalid_union': {
      if (issue.errors.length === 0) {
        const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : []
        return [choice(options)]
      }
      // The branch that got furthest into the value is the one that was meant.
      const depth = (errors: readonly z.core.$ZodIssue[]) =>
        Math.max(...errors.map((each) => each.path.length))
      const shallow = issue.errors.every((errors) => depth(errors) === 0)
      const best = issue.errors.reduce((a, b) => (depth(b) > depth(a) ? b : a))
      const values = issue.errors.flat().find((each) => each.code === 'invalid_value')
      if (shallow && typeof found === 'string' && values) {
        return translate(values, path, context)
      }
      if (!shallow) return best.flatMap((each) => translate(each, path, context))
      // Of the right type, and wrong as such: the branch says what it wants.
      const meant = issue.errors.filter((errors) => errors.every((each) => each.code !== 'invalid_type'))
      if (meant.length === 1) return meant.flat().flatMap((each) => translate(each, path, context))
      const branches = wanted ? branchesOf(wanted.schema) : []
      const kinds = issue.errors.flatMap((errors, at) =>
        errors.flatMap((each) =>
          each.code === 'invalid_type' ? (expectedAt(branches[at]) ?? kind(each.expected)) : [],
        ),
      )
      const expected = [...new Set(kinds)].join(' or ') || 'something else'
      return [found === undefined ? missing(expected) : instead(expected)]
    }
    case 'invalid_value':
      return [choice(issue.values.map(String))]
    case 'invalid_type': {
      const expected = expectedAt(wanted?.schema) ?? `${kind(issue.expected)}${keysOf(issue.expected, path)}`
      return [found === undefined && path.length > 0 ? missing(expected) : instead(expected)]
    }
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum
      const bound = issue.code === 'too_small' ? 'at least' : 'at most'
      const some = limit === 1 && issue.code === 'too_small'
      const counted: Record<string, string> = {
        string: some ? 'a text' : `${bound} ${limit} characters`,
        array: some ? 'at least one entry' : `${bound} ${limit} entries`,
      }
      const expected = counted[issue.origin] ?? `${bound} ${String(limit)}`
      return [problem(`expected ${expected}, found ${shown}`, { expected })]
    }
    default: {
      const message = issue.message.replace(/^Invalid input: /, '')
      const says =
        issue.code === 'invalid_format' && issue.format !== 'regex' ? formats[issue.format] : undefined
      const text = says ?? message
      const [, expected] = /^expected (.*?)(?:, found .*)?$/s.exec(text) ?? []
      const suggestion = rewrite()
      return [
        problem(
          text.includes('found') || found === undefined || typeof found === 'object'
            ? text
            : `${text}, found ${shown}`,
          {
            ...(expected === undefined ? {} : { expected }),
            ...(suggestion === undefined ? {} : { suggestion }),
          },
        ),
      ]
    }
  }

  /** The keys of a block, where they are few enough to be read. */
  function keysOf(type: string, place: Path): string {
    const keys = type === 'object' ? keysAt(schema, value, place) : []
    return keys.length === 0 || keys.length > FEW_KEYS ? '' : ` (${keys.join(', ')})`
  }

  /** The value as it should have been written. */
  function rewrite(): string | undefined {
    if (found === undefined || reference !== undefined) return undefined
    return rewritten(found, wanted?.schema, context.currency)
  }

  function choice(options: string[]): Problem {
    const expected = options.join(', ').replace(/, ([^,]*)$/, ' or $1')
    if (found === undefined) return missing(expected)
    const near = typeof found === 'string' && reference === undefined ? nearest(found, options) : undefined
    const suggestion = near ?? rewrite()
    return problem(`expected ${expected}, found ${shown}`, {
      expected,
      ...(suggestion === undefined ? {} : { suggestion }),
    })
  }
}

const FEW_KEYS = 8

const formats: Record<string, string> = {
  email: 'expected an e-mail address',
  date: 'expected a date such as 2026-11-25',
}

function kind(expected: string): string {
  const named: Record<string, string> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    object: 'a block of keys',
    record: 'a block of keys',
    array: 'a list',
  }
  return named[expected] ?? expected
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (value === null || value === undefined) return 'nothing'
  if (value === '') return 'an empty text'
  if (typeof value === 'object') return 'a block of keys'
  // A text that would be something else without its quotes is shown with them.
  const quoted = typeof value === 'string' && /^(true|false|null|[-+]?\d+(\.\d+)?)$/.test(value)
  return `\`${quoted ? JSON.stringify(value) : show(value)}\``
}

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
}

export const ENGLISH_PROBLEMS: ProblemWords = {
  error: 'error',
  warning: 'warning',
  meant: (suggestion) => `; did you mean \`${suggestion}\`?`,
}

/**
 * Every problem with the line it is about and a caret under the column. `sources` holds the text of each file;
 * a problem in a file it does not hold is shown without its line.
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
  return sortProblems(problems)
    .map((problem) => {
      const { file, line, column } = problem.location
      const whole = line === undefined ? undefined : linesOf(file)[line - 1]
      if (whole === undefined) return problemLine(problem, words)
      const number = String(line)
      const [excerpt, at] = around(whole, (column ?? 1) - 1)
      const caret = `${' '.repeat(width(excerpt.slice(0, at)))}^`
      return `${problemLine(problem, words)}\n  ${number} | ${excerpt}\n  ${' '.repeat(number.length)} | ${caret}`
    })
    .join('\n\n')
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
