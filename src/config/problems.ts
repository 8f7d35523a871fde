import { closest, distance } from 'fastest-levenshtein'
import type { z } from 'zod'
import type { Location, Problem } from '../errors.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from './document.ts'
import { keysAt } from './shape.ts'

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

/** Everything zod found wrong with a document, each with the place of the key or value it is about. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  document: SourceDocument,
  value: unknown,
  schema: z.core.$ZodType,
): Problem[] {
  const problems = issues.flatMap((issue) => translate(issue, [], document, value, schema))
  // A key that was misspelt is also missing: one mistake, told once.
  const meant = new Set(
    problems.flatMap(({ path, found, suggestion }) =>
      found !== undefined && suggestion !== undefined && path.endsWith(found)
        ? [path.slice(0, path.length - found.length) + suggestion]
        : [],
    ),
  )
  return problems.filter(({ path, found }) => found !== undefined || !meant.has(path))
}

function translate(
  issue: z.core.$ZodIssue,
  base: Path,
  document: SourceDocument,
  value: unknown,
  schema: z.core.$ZodType,
): Problem[] {
  const path = [...base, ...issue.path.filter((step) => typeof step !== 'symbol')]
  const found = valueAt(value, path)
  const problem = (message: string, extra: Partial<Problem> = {}, location?: Location): Problem => ({
    severity: 'error',
    location: location ?? document.locate(path),
    path: formatPath(path),
    message,
    ...(found === undefined ? {} : { found: show(found) }),
    ...extra,
  })

  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const place = [...path, key]
        const suggestion = nearest(key, keysAt(schema, value, path))
        return {
          severity: 'error',
          location: document.locate(place, 'key'),
          path: formatPath(place),
          message: 'unknown key',
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
        return translate(values, path, document, value, schema)
      }
      if (!shallow) return best.flatMap((each) => translate(each, path, document, value, schema))
      const kinds = issue.errors
        .flat()
        .flatMap((each) => (each.code === 'invalid_type' ? kind(each.expected) : []))
      return [
        problem(`expected ${kinds.join(' or ')}, found ${describe(found)}`, { expected: kinds.join(' or ') }),
      ]
    }
    case 'invalid_value':
      return [choice(issue.values.map(String))]
    case 'invalid_type': {
      const expected = kind(issue.expected)
      if (found === undefined) {
        const parent = document.locate(path.slice(0, -1))
        return [problem(`\`${String(path.at(-1))}\` is missing; expected ${expected}`, { expected }, parent)]
      }
      return [problem(`expected ${expected}, found ${describe(found)}`, { expected })]
    }
    case 'too_small':
    case 'too_big': {
      const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum
      const bound = issue.code === 'too_small' ? 'at least' : 'at most'
      const unit = issue.origin === 'string' ? ' characters' : issue.origin === 'array' ? ' entries' : ''
      const expected =
        limit === 1 && unit ? 'something here, not nothing' : `${bound} ${String(limit)}${unit}`
      return [problem(`expected ${expected}, found ${describe(found)}`, { expected })]
    }
    default: {
      const message = issue.message.replace(/^Invalid input: /, '')
      const says =
        issue.code === 'invalid_format' && issue.format !== 'regex' ? formats[issue.format] : undefined
      const text = says ?? message
      return [
        problem(
          text.includes('found') || found === undefined || typeof found === 'object'
            ? text
            : `${text}, found ${describe(found)}`,
        ),
      ]
    }
  }

  function choice(options: string[]): Problem {
    const suggestion = typeof found === 'string' ? nearest(found, options) : undefined
    const expected = options.join(', ').replace(/, ([^,]*)$/, ' or $1')
    return problem(
      found === undefined
        ? `\`${String(path.at(-1))}\` is missing; expected ${expected}`
        : `expected ${expected}, found ${describe(found)}`,
      { expected, ...(suggestion === undefined ? {} : { suggestion }) },
      found === undefined ? document.locate(path.slice(0, -1)) : undefined,
    )
  }
}

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
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value === null) return 'nothing'
  if (typeof value === 'object') return 'a block of keys'
  return `\`${show(value)}\``
}

/** One line: `campaigns/x.yaml:12:5  error  tiers[0].inactve: unknown key; did you mean `inactive`?` */
export function formatProblem(problem: Problem): string {
  const { file, line, column } = problem.location
  const place = [file, line, column].filter((part) => part !== undefined).join(':')
  const path = problem.path === '' ? '' : `${problem.path}: `
  const hint = problem.suggestion === undefined ? '' : `; did you mean \`${problem.suggestion}\`?`
  return `${place}  ${problem.severity}  ${path}${problem.message}${hint}`
}

/**
 * Every problem with the line it is about and a caret under the column. `sources` holds the text of each file;
 * a problem in a file it does not hold is shown without its line.
 */
export function formatProblems(
  problems: readonly Problem[],
  sources: Readonly<Record<string, string>> | ReadonlyMap<string, string>,
): string {
  const text = (file: string) => (sources instanceof Map ? sources.get(file) : Reflect.get(sources, file))
  return sortProblems(problems)
    .map((problem) => {
      const { file, line, column } = problem.location
      const source: unknown = line === undefined ? undefined : text(file)
      const excerpt = typeof source === 'string' ? source.split(/\r?\n/)[(line ?? 1) - 1] : undefined
      if (excerpt === undefined) return formatProblem(problem)
      const number = String(line)
      const caret = `${' '.repeat(width(excerpt.slice(0, (column ?? 1) - 1)))}^`
      return `${formatProblem(problem)}\n  ${number} | ${excerpt}\n  ${' '.repeat(number.length)} | ${caret}`
    })
    .join('\n\n')
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
