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
import { HELPERS } from './helpers.ts'

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
 * source's language; its own problems are left to its own reading.
 */
export function readProgram(
  program: Program,
  origin: Origin,
  partial: (name: string) => PartialSource | 'unreadable' | undefined,
  partialNames: readonly string[],
): Reading {
  const variables: TemplateVariable[] = []
  const problems: Problem[] = []

  const place = (node: Node, at: Origin) => ({
    file: at.file,
    line: at.linesBefore + node.loc.start.line,
    column: node.loc.start.column + 1 + (node.loc.start.line === 1 ? at.columnsBefore : 0),
  })

  const walk = (root: Program, from: Origin, outermost: Scope, within: readonly string[]): void => {
    const complain = (
      node: Node,
      path: string,
      message: string,
      more: Partial<Pick<Problem, 'found' | 'expected' | 'suggestion'>> = {},
    ) => {
      if (within.length > 0) return
      problems.push({ severity: 'error', location: place(node, from), path, message, ...more })
    }

    const unknownHelper = (node: Node, name: string) => {
      const suggestion = nearest(name, HELPERS)
      complain(node, name, `unknown helper \`${name}\``, {
        found: name,
        expected: HELPERS.join(', '),
        ...(suggestion === undefined ? {} : { suggestion }),
      })
    }
    const isHelper = (name: string) => HELPERS.some((known) => known === name)

    const expression = (node: Node, scope: Scope, asked = false, enters = false): void => {
      if (isPath(node)) {
        if (node.data && !DATA.includes(node.parts[0] ?? '')) {
          complain(node, node.original, `unknown value \`${node.original}\``, {
            expected: DATA.map((name) => `@${name}`).join(', '),
          })
          return
        }
        const path = resolve(node, scope)
        if (path === undefined) return
        const optional = asked || scope.sure.has(path) ? { optional: true as const } : {}
        variables.push({
          path,
          ...place(node, from),
          ...optional,
          ...(enters ? { entered: true as const } : {}),
        })
      } else if (isCall(node)) {
        const name = node.path.original
        if (!isHelper(name)) unknownHelper(node, name)
        call(node.params, node.hash, scope)
      }
    }
    const call = (params: readonly Node[], hash: Hash | undefined, scope: Scope): void => {
      for (const param of params) expression(param, scope)
      for (const pair of hash?.pairs ?? []) expression(pair.value, scope)
    }

    const statement = (node: Node, scope: Scope): void => {
      if (isProgram(node)) {
        for (const inner of node.body) statement(inner, scope)
      } else if (isMustache(node)) {
        const { path } = node
        if (!isPath(path)) {
          complain(node, '', 'a literal between {{ and }} prints nothing of the contact: write it as text')
          return
        }
        if (!node.escaped && path.original !== '@body') {
          complain(
            node,
            path.original,
            `{{{${path.original}}}} would put a value into the HTML unescaped: use {{${path.original}}}`,
          )
        }
        const isCallee = node.params.length > 0 || (node.hash?.pairs.length ?? 0) > 0
        if (isCallee) {
          if (!isHelper(path.original)) unknownHelper(node, path.original)
          call(node.params, node.hash, scope)
        } else if (isHelper(path.original)) {
          complain(node, path.original, `the helper \`${path.original}\` needs a value`)
        } else expression(path, scope)
      } else if (isBlock(node)) {
        block(node, scope)
      } else if (isPartial(node)) {
        include(node, scope)
      } else if (node.type !== 'ContentStatement' && node.type !== 'CommentStatement') {
        complain(
          node,
          '',
          node.type === 'PartialBlockStatement'
            ? '{{#> …}} is not supported: name a layout in the front matter, or use {{> partial}}'
            : 'decorators are not supported',
        )
      }
    }

    const block = (node: hbs.AST.BlockStatement, scope: Scope): void => {
      const name = node.path.original
      if (!['if', 'unless', 'each', 'with'].includes(name)) {
        const suggestion = nearest(name, ['if', 'unless', 'each', 'with'])
        complain(node, name, `unknown block {{#${name}}}`, {
          expected: 'if, unless, each, with',
          ...(suggestion === undefined ? {} : { suggestion }),
        })
      }
      const [subject] = node.params
      const asks = (name === 'if' || name === 'unless') && subject !== undefined && isPath(subject)
      const enters = name === 'with' && subject !== undefined && isPath(subject)
      if (asks || enters) expression(subject, scope, true, enters)
      else call(node.params, node.hash, scope)
      const found = asks ? resolve(subject, scope) : undefined
      const sure = found === undefined ? scope : { ...scope, sure: new Set([...scope.sure, found]) }
      let inner = name === 'if' ? sure : scope
      if ((name === 'each' || name === 'with') && subject && isPath(subject)) {
        const list = resolve(subject, scope)
        const prefix = list === undefined ? '' : name === 'each' ? `${list}[]` : list
        const [item, position] = node.program.blockParams ?? []
        inner = {
          prefix,
          locals: new Set(position === undefined ? [] : [position]),
          aliases: new Map(item === undefined ? [] : [[item, prefix]]),
          // An empty value has no inside: what the block reads of it is there.
          sure: enters && list !== undefined ? new Set([...scope.sure, list]) : scope.sure,
          outer: scope,
        }
      }
      statement(node.program, inner)
      const inverse: Program | undefined = node.inverse
      if (inverse) statement(inverse, name === 'unless' ? sure : scope)
    }

    const include = (node: hbs.AST.PartialStatement, scope: Scope): void => {
      if (!isPath(node.name)) {
        complain(node, '', 'the name of a partial must be written out')
        return
      }
      const name = node.name.original
      call(node.params, node.hash, scope)
      const found = partial(name)
      if (!found) {
        const suggestion = nearest(name, partialNames)
        complain(node, name, `no partial \`${name}\` in templates/partials`, {
          found: name,
          ...(suggestion === undefined ? {} : { suggestion }),
        })
        return
      }
      if (found === 'unreadable') return
      if (within.includes(name)) {
        problems.push({
          severity: 'error',
          location: place(node, from),
          path: name,
          message: `the partial \`${name}\` takes itself in: ${[...within, name].join(' → ')}`,
        })
        return
      }
      const [context] = node.params
      const prefix = context && isPath(context) ? (resolve(context, scope) ?? '') : scope.prefix
      const locals = new Set([...scope.locals, ...(node.hash?.pairs ?? []).map((pair) => pair.key)])
      walk(found.program, found.origin, { ...scope, prefix, locals }, [...within, name])
    }

    statement(root, outermost)
  }

  walk(program, origin, rootScope, [])
  return { variables, problems }
}
