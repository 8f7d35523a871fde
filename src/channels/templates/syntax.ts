import type { Problem } from '../../errors.ts'
import {
  type Hash,
  isBlock,
  isCall,
  isMustache,
  isPartial,
  isPath,
  isProgram,
  type Node,
  type Path,
  type Program,
} from '../renderer.ts'
import { nearest } from './front-matter.ts'
import { DATE_STYLE_NAMES, HELPER_OPTIONS, HELPERS } from './helpers.ts'

// What a template says, read from its syntax tree: the variables it needs and what is wrong with it.

/** Where a source begins in its file. Both are added to the parser's own place. */
export interface Origin {
  readonly file: string
  readonly linesBefore: number
  /** Columns before the source on its first line. */
  readonly columnsBefore: number
}

export interface TemplateVariable {
  /** Dotted, as a fact's path; an item of a list is `list[]`. */
  readonly path: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** Asked about by {{#if}} or {{#unless}}, or printed only where it was found there: the template does without. */
  readonly optional?: true
  /** Stepped into by {{#with}}, which prints nothing of it: may be a group of values, such as `contact`. */
  readonly entered?: true
}

/** A source that was read. */
export interface PartialSource {
  readonly program: Program
  readonly origin: Origin
}

export interface Reading {
  readonly variables: TemplateVariable[]
  readonly problems: Problem[]
}

/** What a dotted path means at some place: where `this` stands, and the names that are no variables there. */
interface Scope {
  readonly prefix: string
  readonly locals: ReadonlySet<string>
  readonly aliases: ReadonlyMap<string, string>
  /** Variables that an {{#if}} around has found to be there. */
  readonly sure: ReadonlySet<string>
  readonly outer: Scope | undefined
}

const rootScope: Scope = {
  prefix: '',
  locals: new Set(),
  aliases: new Map(),
  sure: new Set(),
  outer: undefined,
}

/** Names a template reads with `@`. */
const DATA = ['root', 'locale', 'subject', 'preheader', 'body', 'index', 'key', 'first', 'last']

function join(prefix: string, path: string): string {
  if (prefix === '') return path
  return path === '' ? prefix : `${prefix}.${path}`
}

/** The variable a path names, or undefined where it names none: a local, a meta value, the item itself. */
function resolve(path: Path, scope: Scope): string | undefined {
  const parts = [...path.parts]
  if (path.data) {
    if (parts[0] !== 'root') return undefined
    const inside = parts.slice(1).join('.')
    return inside === '' || inside.startsWith('$') ? undefined : inside
  }
  let from: Scope = scope
  for (let up = 0; up < path.depth && from.outer; up++) from = from.outer
  const [head] = parts
  if (head === undefined) return from.prefix === '' || from.prefix.endsWith('[]') ? undefined : from.prefix
  if (!path.original.startsWith('this.') && path.depth === 0) {
    const alias = from.aliases.get(head)
    if (alias !== undefined) return join(alias, parts.slice(1).join('.'))
    if (from.locals.has(head)) return undefined
  }
  if (from.prefix === '' && head.startsWith('$')) return undefined
  return join(from.prefix, parts.join('.'))
}

/**
 * Reads a source and every partial it takes in. `partial` gives the one of that name in the
 * source's language, `locale`; its own problems are left to its own reading.
 */
export function readProgram(
  program: Program,
  origin: Origin,
  partial: (name: string) => PartialSource | 'unreadable' | undefined,
  partialNames: readonly string[],
  locale: string,
): Reading {
  const reading: Reading = { variables: [], problems: [] }
  const left = { places: MOST_PLACES, told: false }
  const walk = { reading, origin, within: [], partial, partialNames, locale, left, times: 1 }
  readStatement(program, rootScope, walk)
  return reading
}

/** Mustaches of one text, with its partials and loops written out: one that takes in others ten times over has no end. */
const MOST_PLACES = 20_000
/** Items of a list: the months of a report are all there are. */
const ITEMS = 12
/** Digits after the point that every Node.js writes. */
const MOST_DIGITS = 20

/** A source that is being read, and what was found so far. */
interface Walk {
  readonly reading: Reading
  readonly origin: Origin
  /** Partials it was come to by, the outermost first; empty in the source itself. */
  readonly within: readonly string[]
  readonly partial: (name: string) => PartialSource | 'unreadable' | undefined
  readonly partialNames: readonly string[]
  readonly locale: string
  /** How many places may still be read. */
  readonly left: { places: number; told: boolean }
  /** How often each place is filled in, by the loops around it. */
  readonly times: number
}

function placeOf({ loc }: Node, { file, linesBefore, columnsBefore }: Origin) {
  return {
    file,
    line: linesBefore + loc.start.line,
    column: loc.start.column + 1 + (loc.start.line === 1 ? columnsBefore : 0),
  }
}

type Hints = Partial<Pick<Problem, 'found' | 'expected' | 'suggestion'>>

/** A problem of the source itself. */
function complain(walk: Walk, node: Node, path: string, message: string, hints: Hints = {}): void {
  const { reading, origin, within } = walk
  if (within.length > 0) return
  reading.problems.push({ severity: 'error', location: placeOf(node, origin), path, message, ...hints })
}

function meant(name: string, names: readonly string[]): Hints {
  const suggestion = nearest(name, names)
  return suggestion === undefined ? {} : { suggestion }
}

function isHelper(name: string): boolean {
  return HELPERS.some((known) => known === name)
}

function complainOfHelper(walk: Walk, node: Node, name: string): void {
  const hints = meant(name, HELPERS)
  const all = /^else_?if$/i.test(name)
    ? '; write {{else if …}}'
    : hints.suggestion === undefined
      ? `; there are ${HELPERS.join(', ')}`
      : ''
  complain(walk, node, name, `unknown helper \`${name}\`${all}`, {
    found: name,
    expected: HELPERS.join(', '),
    ...hints,
  })
}

function readStatement(node: Node, scope: Scope, walk: Walk): void {
  if (isProgram(node)) {
    for (const inner of node.body) {
      if (walk.left.places < 0) break
      readStatement(inner, scope, walk)
      // Said once, and of the text that takes the others in.
      if (walk.left.places >= 0 || walk.within.length > 0 || walk.left.told) continue
      walk.left.told = true
      complain(
        walk,
        inner,
        '',
        `up to here, partials and loops included, the text fills in more than ${MOST_PLACES.toLocaleString('en')} values; shorten it`,
      )
    }
    return
  }
  if (node.type !== 'ContentStatement' && node.type !== 'CommentStatement') walk.left.places -= walk.times
  if (isMustache(node)) readMustache(node, scope, walk)
  else if (isBlock(node)) readBlock(node, scope, walk)
  else if (isPartial(node)) readPartial(node, scope, walk)
  else if (node.type !== 'ContentStatement' && node.type !== 'CommentStatement') {
    complain(
      walk,
      node,
      '',
      node.type === 'PartialBlockStatement'
        ? '{{#> …}} is not supported: name a layout in the front matter, or use {{> partial}}'
        : 'decorators are not supported',
    )
  }
}

type Callee = hbs.AST.MustacheStatement | hbs.AST.SubExpression

/** An option that is none would do nothing, and one of no value that it takes keep every message from going. */
function complainOfOptions(name: string, node: Callee, walk: Walk): void {
  const known = HELPER_OPTIONS[name]
  const unknown = known ? (node.hash?.pairs ?? []).filter(({ key }) => !known.includes(key)) : []
  for (const pair of unknown) complainOfOption(name, pair, known ?? [], walk)
  if (name === 'date') complainOfStyle(node, walk)
  if (name === 'number') complainOfDigits(node, walk)
}

function complainOfOption(
  helper: string,
  pair: hbs.AST.HashPair,
  known: readonly string[],
  walk: Walk,
): void {
  const { key } = pair
  const expected = known.join(', ')
  const there = expected ? `; there is ${expected}` : ''
  complain(walk, pair, key, `{{${helper}}} has no option \`${key}\`${there}`, {
    found: key,
    ...(expected ? { expected } : {}),
    ...meant(key, known),
  })
}

function optionOf(node: Callee, name: string): hbs.AST.Expression | undefined {
  return node.hash?.pairs.find(({ key }) => key === name)?.value
}

function complainOfDigits(node: Callee, walk: Walk): void {
  const given = optionOf(node, 'digits')
  if (!given || !('value' in given) || typeof given.value === 'object') return
  const digits = given.value === '' ? Number.NaN : Number(given.value)
  if (typeof given.value !== 'boolean' && digits >= 0 && digits <= MOST_DIGITS) return
  const found = String(given.value)
  const expected = `0 to ${MOST_DIGITS}`
  complain(walk, given, 'number', `{{number}} has no \`${found}\` digits; there are ${expected}`, {
    found,
    expected,
  })
}

function complainOfStyle(node: Callee, walk: Walk): void {
  const given = optionOf(node, 'style')
  if (given?.type !== 'StringLiteral' || !('value' in given) || typeof given.value !== 'string') return
  if (DATE_STYLE_NAMES.includes(given.value)) return
  const expected = DATE_STYLE_NAMES.join(', ')
  complain(walk, given, 'date', `{{date}} has no style \`${given.value}\`; there are ${expected}`, {
    found: given.value,
    expected,
    ...meant(given.value, DATE_STYLE_NAMES),
  })
}

/** `{{…}}`: a variable, or a helper with what it is given. */
function readMustache(node: hbs.AST.MustacheStatement, scope: Scope, walk: Walk): void {
  const { path } = node
  if (!isPath(path)) {
    complain(walk, node, '', 'a literal between {{ and }} prints nothing of the contact: write it as text')
    return
  }
  const name = path.original
  if (!node.escaped && name !== '@body') {
    complain(walk, node, name, `{{{${name}}}} would put a value into the HTML unescaped: use {{${name}}}`)
  }
  const isCallee = node.params.length > 0 || (node.hash?.pairs.length ?? 0) > 0
  if (isCallee) {
    if (!isHelper(name)) complainOfHelper(walk, node, name)
    complainOfOptions(name, node, walk)
    readArguments(node, scope, walk)
  } else if (isHelper(name)) complain(walk, node, name, `the helper \`${name}\` needs a value`)
  else readExpression(path, scope, walk)
}

/** What a helper, a block or a partial is given. */
function readArguments(
  { params, hash }: { readonly params: readonly Node[]; readonly hash: Hash | undefined },
  scope: Scope,
  walk: Walk,
): void {
  for (const param of params) readExpression(param, scope, walk)
  for (const pair of hash?.pairs ?? []) readExpression(pair.value, scope, walk)
}

/** @param as how a block uses the variable it is given */
function readExpression(
  node: Node,
  scope: Scope,
  walk: Walk,
  as: Pick<TemplateVariable, 'optional' | 'entered'> = {},
): void {
  if (isPath(node)) {
    if (node.data && !DATA.includes(node.parts[0] ?? '')) {
      const expected = DATA.map((name) => `@${name}`).join(', ')
      complain(walk, node, node.original, `unknown value \`${node.original}\``, { expected })
      return
    }
    const path = resolve(node, scope)
    if (path === undefined) return
    const sure = scope.sure.has(path) ? { optional: true as const } : {}
    walk.reading.variables.push({ path, ...placeOf(node, walk.origin), ...sure, ...as })
  } else if (isCall(node)) {
    const name = node.path.original
    if (!isHelper(name)) complainOfHelper(walk, node, name)
    complainOfOptions(name, node, walk)
    readArguments(node, scope, walk)
  }
}

const BLOCKS = ['if', 'unless', 'each', 'with']

function readBlock(node: hbs.AST.BlockStatement, scope: Scope, walk: Walk): void {
  const name = node.path.original
  if (!BLOCKS.includes(name)) {
    const expected = BLOCKS.join(', ')
    complain(walk, node, name, `unknown block {{#${name}}}`, { expected, ...meant(name, BLOCKS) })
  }
  const [subject] = node.params
  const asks = (name === 'if' || name === 'unless') && subject !== undefined && isPath(subject)
  const enters = name === 'with' && subject !== undefined && isPath(subject)
  if (asks) readExpression(subject, scope, walk, { optional: true })
  else if (enters) readExpression(subject, scope, walk, { optional: true, entered: true })
  else readArguments(node, scope, walk)
  const found = asks ? resolve(subject, scope) : undefined
  const sure = found === undefined ? scope : { ...scope, sure: new Set([...scope.sure, found]) }
  const steps = (name === 'each' || name === 'with') && subject !== undefined && isPath(subject)
  const inner = steps ? scopeWithin(node, subject, scope) : name === 'if' ? sure : scope
  readStatement(node.program, inner, name === 'each' ? { ...walk, times: walk.times * ITEMS } : walk)
  const inverse: Program | undefined = node.inverse
  if (inverse) readStatement(inverse, name === 'unless' ? sure : scope, walk)
}

/** Inside {{#each}} and {{#with}}, where `this` is an item of the list, or the value. */
function scopeWithin(node: hbs.AST.BlockStatement, subject: Path, scope: Scope): Scope {
  const list = resolve(subject, scope)
  const each = node.path.original === 'each'
  const prefix = list === undefined ? '' : each ? `${list}[]` : list
  const [item, position] = node.program.blockParams ?? []
  return {
    prefix,
    locals: new Set(position === undefined ? [] : [position]),
    aliases: new Map(item === undefined ? [] : [[item, prefix]]),
    // An empty value has no inside: what the block reads of it is there.
    sure: !each && list !== undefined ? new Set([...scope.sure, list]) : scope.sure,
    outer: scope,
  }
}

function readPartial(node: hbs.AST.PartialStatement, scope: Scope, walk: Walk): void {
  const { reading, origin, within, partialNames, locale } = walk
  if (!isPath(node.name)) {
    complain(walk, node, '', 'the name of a partial must be written out')
    return
  }
  const name = node.name.original
  readArguments(node, scope, walk)
  const found = walk.partial(name)
  if (!found && partialNames.includes(name)) {
    const message = `the partial \`${name}\` is not there in ${locale}; write partials/${name}.${locale}.hbs, or partials/${name}.hbs for every language`
    complain(walk, node, name, message, { found: name })
    return
  }
  if (!found) {
    complain(walk, node, name, `no partial \`${name}\` in templates/partials`, {
      found: name,
      ...meant(name, partialNames),
    })
    return
  }
  if (found === 'unreadable') return
  if (within.includes(name)) {
    reading.problems.push({
      severity: 'error',
      location: placeOf(node, origin),
      path: name,
      message: `the partial \`${name}\` takes itself in: ${[...within, name].join(' → ')}`,
    })
    return
  }
  const [context] = node.params
  const prefix = context && isPath(context) ? (resolve(context, scope) ?? '') : scope.prefix
  const locals = new Set([...scope.locals, ...(node.hash?.pairs ?? []).map((pair) => pair.key)])
  const inside = { ...walk, origin: found.origin, within: [...within, name] }
  readStatement(found.program, { ...scope, prefix, locals }, inside)
}
