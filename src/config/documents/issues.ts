import { z } from 'zod'
import type { Location, Problem } from '../../errors.ts'
import { nearest } from '../nearest-name.ts'
import { formatPath, type Path, type SourceDocument, valueAt } from './document.ts'
import { toldOnce, UNKNOWN_KEY } from './misplaced.ts'
import { isReference } from './references.ts'
import { branchesOf, keysAt, schemaAt } from './shape.ts'
import { asList, expectedAt, rewritten } from './wanted.ts'

// What zod finds wrong with a document, as problems in our words: what was wanted, what was found, what was probably meant.

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
  return toldOnce(own.flatMap((issue) => translate(issue, [], context))).map(withKeysThere)
}

/** Where no name is near what was written, all that may stand there. */
function withKeysThere(problem: Problem): Problem {
  const { message, suggestion, expected } = problem
  if (message !== UNKNOWN_KEY || suggestion !== undefined || expected === undefined) return problem
  return { ...problem, message: `${UNKNOWN_KEY}; expected ${expected}` }
}

/** What is held against what. */
interface Context {
  readonly document: SourceDocument
  readonly value: unknown
  readonly schema: z.core.$ZodType
  readonly currency: string | undefined
}

/** A place of the document that zod found something wrong with, and what is known of it. */
interface Fault {
  readonly context: Context
  readonly path: Path
  /** The value there. */
  readonly found: unknown
  /** What stands there in its place; what it stands for may be a secret: it is never repeated, only where it was written. */
  readonly reference: unknown
  /** The value in words. */
  readonly shown: string
  /** What the schema has there. */
  readonly wanted: ReturnType<typeof schemaAt>
}

/** @param base what the paths of a union's branches begin at */
function translate(issue: z.core.$ZodIssue, base: Path, context: Context): Problem[] {
  const fault = faultAt([...base, ...issue.path.filter((step) => typeof step !== 'symbol')], context)
  switch (issue.code) {
    case 'unrecognized_keys':
      return unknownKeys(fault, issue.keys)
    case 'invalid_key':
      return [wrongKey(fault, issue)]
    case 'invalid_union':
      return inUnion(fault, issue)
    case 'invalid_value':
      return [choice(fault, issue.values.map(String))]
    case 'invalid_type':
      return [wrongType(fault, issue)]
    case 'too_small':
    case 'too_big':
      return [outOfBounds(fault, issue)]
    default:
      return [malformed(fault, issue)]
  }
}

function faultAt(path: Path, context: Context): Fault {
  const found = valueAt(context.value, path)
  const written = valueAt(context.document.value, path)
  const reference = isReference(written) ? written : undefined
  const shown = reference === undefined ? describe(found) : `what \`${show(reference)}\` stands for`
  return { context, path, found, reference, shown, wanted: schemaAt(context.schema, context.value, path) }
}

function problemAt(
  { context, path, found, reference }: Fault,
  message: string,
  extra: Partial<Problem>,
  location: Location = context.document.locate(path),
): Problem {
  return {
    severity: 'error',
    location,
    path: formatPath(path),
    message,
    ...(found === undefined ? {} : { found: show(reference ?? found) }),
    ...extra,
  }
}

function missing(fault: Fault, expected: string): Problem {
  const { context, path } = fault
  const message = `\`${String(path.at(-1))}\` is missing; expected ${expected}`
  return problemAt(fault, message, { expected }, context.document.locate(path.slice(0, -1)))
}

/** What was wanted instead of the value, and the value as it should have been written, where that can be told. */
function instead(fault: Fault, expected: string, suggestion = rewrite(fault)): Problem {
  return problemAt(fault, `expected ${expected}, found ${fault.shown}`, {
    expected,
    suggestion,
  })
}

/** The value as it should have been written. */
function rewrite({ found, reference, wanted, context }: Fault): string | undefined {
  if (found === undefined || reference !== undefined) return undefined
  return rewritten(found, wanted?.schema, context.currency)
}

/** What types of a value are called elsewhere. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['text', 'string'],
  ['varchar', 'string'],
  ['date', 'timestamp'],
  ['datetime', 'timestamp'],
  ['time', 'timestamp'],
  ['int', 'number'],
  ['integer', 'number'],
  ['float', 'number'],
  ['decimal', 'number'],
  ['boolean', 'bool'],
])

function choice(fault: Fault, options: readonly string[]): Problem {
  const { found, reference } = fault
  const expected = oneOf(options)
  if (found === undefined) return missing(fault, expected)
  const near =
    typeof found === 'string' && reference === undefined
      ? (options.find((option) => option === SYNONYMS.get(found.toLowerCase())) ?? nearest(found, options))
      : undefined
  return instead(fault, expected, near ?? rewrite(fault))
}

function unknownKeys(fault: Fault, keys: readonly string[]): Problem[] {
  const lists = [...cutLists(fault, keys)]
  const told = new Set(lists.flatMap(({ entries }) => entries))
  return [
    ...lists.map(({ problem }) => problem),
    ...keys.filter((key) => !told.has(key)).map((key) => unknownKey(fault, key)),
  ]
}

/** `{ channel: push, sms }`: between braces a comma ends a value, and what follows passes for a key that has none. */
function* cutLists({ context, path, found }: Fault, unknown: readonly string[]) {
  if (typeof found !== 'object' || found === null) return
  const { document, schema, value } = context
  const keys = Object.entries(found)
  const lineOf = (key: string) => document.locate([...path, key], 'key').line
  for (const [no, [head, first]] of keys.entries()) {
    const after = keys.slice(no + 1)
    const end = after.findIndex(
      ([key, none]) => none !== null || !unknown.includes(key) || lineOf(key) !== lineOf(head),
    )
    const entries = after.slice(0, end === -1 ? undefined : end).map(([key]) => key)
    const place = [...path, head]
    const wanted = schemaAt(schema, value, place)?.schema
    const list = [first, ...entries]
    if (typeof first !== 'string' || entries.length === 0 || !wanted) continue
    if (!z.safeParse(wanted, list).success) continue
    const problem: Problem = {
      severity: 'error',
      location: document.locate(place),
      path: formatPath(place),
      message: 'a comma ends the value here; a list stands in brackets',
      found: first,
      suggestion: asList([first, ...entries]),
    }
    yield { entries, problem }
  }
}

function unknownKey({ context, path }: Fault, key: string): Problem {
  const { document, schema, value } = context
  const place = [...path, key]
  const keys = [...new Set(keysAt(schema, value, path))]
  const suggestion = nearest(key, keys)
  return {
    severity: 'error',
    location: document.locate(place, 'key'),
    path: formatPath(place),
    message: UNKNOWN_KEY,
    found: key,
    ...(keys.length === 0 ? {} : { expected: oneOf(keys) }),
    suggestion,
  }
}

function oneOf(names: readonly string[]): string {
  return names.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

function wrongKey(fault: Fault, issue: z.core.$ZodIssueInvalidKey): Problem {
  const { context, path } = fault
  const [first] = issue.issues
  const location = context.document.locate(path, 'key')
  return problemAt(fault, first?.message ?? issue.message, { found: String(path.at(-1)) }, location)
}

/** Of a value that fits none of several branches: what the branch says that was meant, else what each of them wants. */
function inUnion(fault: Fault, issue: z.core.$ZodIssueInvalidUnion): Problem[] {
  const { context, path, found, wanted } = fault
  if (issue.errors.length === 0) {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : []
    return [choice(fault, options)]
  }
  const within = (issues: readonly z.core.$ZodIssue[]) =>
    issues.flatMap((each) => translate(each, path, context))
  // The branch that got furthest into the value is the one that was meant.
  const depth = (errors: readonly z.core.$ZodIssue[]) => Math.max(...errors.map((each) => each.path.length))
  const shallow = issue.errors.every((errors) => depth(errors) === 0)
  const best = issue.errors.reduce((a, b) => (depth(b) > depth(a) ? b : a))
  const values = issue.errors.flat().find((each) => each.code === 'invalid_value')
  if (shallow && typeof found === 'string' && values) return within([values])
  if (!shallow) return within(best)
  // Of the right type, and wrong as such: the branch says what it wants.
  const meant = issue.errors.filter((errors) => errors.every((each) => each.code !== 'invalid_type'))
  if (meant.length === 1) return within(meant.flat())
  const branches = wanted ? branchesOf(wanted.schema) : []
  const kinds = issue.errors.flatMap((errors, at) =>
    errors.flatMap((each) =>
      each.code === 'invalid_type' ? (expectedAt(branches[at]) ?? kind(each.expected)) : [],
    ),
  )
  const expected = [...new Set(kinds)].join(' or ') || 'something else'
  return [found === undefined ? missing(fault, expected) : instead(fault, expected)]
}

function wrongType(fault: Fault, issue: z.core.$ZodIssueInvalidType): Problem {
  const { path, found, wanted } = fault
  const expected = expectedAt(wanted?.schema) ?? `${kind(issue.expected)}${keysOf(fault, issue.expected)}`
  return found === undefined && path.length > 0 ? missing(fault, expected) : instead(fault, expected)
}

/** The keys of a block, where they are few enough to be read. */
function keysOf({ context, path }: Fault, type: string): string {
  const keys = type === 'object' ? keysAt(context.schema, context.value, path) : []
  return keys.length === 0 || keys.length > FEW_KEYS ? '' : ` (${keys.join(', ')})`
}

function outOfBounds(fault: Fault, issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): Problem {
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum
  const least = issue.inclusive === false ? 'more than' : 'at least'
  const bound = issue.code === 'too_small' ? least : 'at most'
  const some = limit === 1 && issue.code === 'too_small'
  const counted: Record<string, string> = {
    string: some ? 'a text' : `${bound} ${limit} characters`,
    array: some ? 'at least one entry' : `${bound} ${limit} entries`,
  }
  const expected = counted[issue.origin] ?? `${bound} ${String(limit)}`
  return problemAt(fault, `expected ${expected}, found ${fault.shown}`, { expected })
}

/** Of the right type, and not written as it should be: the schema's own words, or those for the format. */
function malformed(fault: Fault, issue: z.core.$ZodIssue): Problem {
  const { found, shown } = fault
  const says = issue.code === 'invalid_format' && issue.format !== 'regex' ? formats[issue.format] : undefined
  const text = says ?? issue.message.replace(/^Invalid input: /, '')
  const [, expected] = /^expected (.*?)(?:, found .*)?$/s.exec(text) ?? []
  const suggestion = rewrite(fault)
  const told = text.includes('found') || found === undefined || typeof found === 'object'
  return problemAt(fault, told ? text : `${text}, found ${shown}`, {
    expected,
    suggestion,
  })
}

const FEW_KEYS = 8

const formats: Record<string, string> = {
  email: 'expected an e-mail address',
  date: 'expected a date such as 2026-11-25',
  datetime: 'expected a moment with its zone such as 2026-11-25T09:00:00+08:00',
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
