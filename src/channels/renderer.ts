import { createRequire } from 'node:module'
import type { InlineImage } from './channel.ts'
import { HELPERS, type Helper, VALUE_HELPER } from './templates/helpers.ts'
import { loneEnd, tooDeep, unclosedBlock } from './templates/nesting.ts'

// The one file that knows Handlebars. Templates are compiled strictly, may call the listed helpers alone and
// never reach a prototype.

// Read at the first template: most verbs that could render one never do.
const require = createRequire(import.meta.url)
const handlebars = () => require('handlebars') as typeof import('handlebars')

export type Program = hbs.AST.Program
export type Node = hbs.AST.Node

export interface SyntaxProblem {
  readonly message: string
  /** 1-based, within the source that was parsed. */
  readonly line: number
  readonly column: number
}

/** Values beside the view that a template reads with `@`. */
export interface TemplateData {
  /** The language of the template itself. */
  readonly locale: string
  readonly subject: string
  readonly preheader: string
  /** What a layout is laid around. */
  readonly body: string
  /** Pictures the message shows, added as they are drawn. */
  readonly images: InlineImage[]
}

export type Render = (view: Readonly<Record<string, unknown>>, data: TemplateData) => string

/**
 * Parses a template. A fresh tree each time, since the compiler's own rewriting happens in place.
 * @param kind in plain text line breaks mean something: none is taken away around a block
 */
export function parseSource(source: string, kind: 'html' | 'text' = 'html'): Program | SyntaxProblem {
  const deep = tooDeep(source)
  if (deep) return { message: deep.message, ...placeOf(source, deep.offset) }
  try {
    return handlebars().parse(source, { ignoreStandalone: kind === 'text' })
  } catch (error) {
    return syntaxProblem(error, source)
  }
}

function placeOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

function syntaxProblem(error: unknown, source: string): SyntaxProblem {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof handlebars().Exception && typeof error.lineNumber === 'number') {
    return {
      message: message
        .replace(/ - \d+:\d+$/, '')
        .replace(/^(\S+) doesn't match (\S+)$/, '{{#$1}} is closed by {{/$2}}; write {{/$1}}'),
      line: error.lineNumber,
      column: (error.column ?? 0) + 1,
    }
  }
  // The parser itself gives its place only in words: the line's number, an excerpt of what was read so far,
  // and an arrow under the token it stumbled on. The excerpt is cut at 20 characters and folds line breaks.
  const match = /^Parse error on line (\d+):\n(.*)\n(-*)\^\n?([\s\S]*)$/.exec(message)
  if (!match) return { message, line: 1, column: 1 }
  const [, lineText = '1', excerpt = '', arrow = '', words = ''] = match
  const line = Math.min(Number(lineText), source.split('\n').length)
  const text = source.split('\n')[line - 1] ?? ''
  const before = excerpt.slice(0, arrow.length).replace(/^\.\.\./, '')
  let column = text.length
  for (let length = Math.min(before.length, 20); length > 0; length--) {
    const found = text.lastIndexOf(before.slice(-length))
    if (found !== -1) {
      column = found + length
      break
    }
  }
  const expected = /^Expecting (.*), got '(.*)'$/.exec(words.trim())
  const open = expected?.[2] === 'EOF' ? unclosedBlock(source) : undefined
  if (open) {
    const message = `{{#${open.name}}} is closed nowhere; end it with {{/${open.name}}}`
    return { message, ...placeOf(source, open.offset) }
  }
  const lone =
    expected && /^(?:INVERSE|OPEN_ENDBLOCK|OPEN_INVERSE_CHAIN)$/.test(expected[2] ?? '')
      ? loneEnd(source)
      : undefined
  if (lone) return { message: lone.message, ...placeOf(source, lone.offset) }
  const sign =
    expected?.[2] === 'INVALID' || expected?.[2] === 'EQUALS'
      ? /^\s*([<>!]=?|={1,3})/.exec(text.slice(column - 1))
      : null
  if (sign) {
    const message = `\`${sign[1]}\` compares nothing here; {{#if (eq a b)}} tells whether two are alike, all else is for the step's condition`
    return { message, line, column: column + sign[0].length - (sign[1]?.length ?? 0) }
  }
  return {
    message: expected
      ? `cannot be read: found ${tokenName(expected[2] ?? '')} where something else belongs`
      : `cannot be read: ${words.trim() || 'unexpected text'}`,
    line,
    column: Math.max(1, column),
  }
}

const TOKEN_NAMES: Record<string, string> = {
  EOF: 'the end of the text (is a `}}` missing?)',
  CLOSE: '`}}`',
  INVALID: 'a character that cannot stand here (is a `}}` missing?)',
  OPEN_ENDBLOCK: '`{{/`',
  OPEN: '`{{`',
  OPEN_BLOCK: '`{{#`',
  OPEN_INVERSE_CHAIN: '`{{else`',
  OPEN_PARTIAL: '`{{>`',
  OPEN_RAW_BLOCK: '`{{{{`',
  OPEN_UNESCAPED: '`{{{`',
  CLOSE_UNESCAPED: '`}}}`',
  ID: 'a name',
  NUMBER: 'a number',
  STRING: 'a text in quotes',
  EQUALS: '`=`',
  SEP: '`.` or `/`',
  OPEN_BLOCK_PARAMS: '`as |`',
  CLOSE_BLOCK_PARAMS: '`|` (there are no filters; {{#if x}}…{{else}}…{{/if}} does without a value)',
  INVERSE: '`{{else}}`',
}

function tokenName(token: string): string {
  return TOKEN_NAMES[token] ?? token
}

/** Every value that is printed goes through the helper that refuses a blank. */
function requireValues(node: Node): void {
  if (isMustache(node) && isPath(node.path) && node.params.length === 0 && !node.path.data) {
    const path = node.path
    node.params = [path, literal(path.original, path.loc)]
    node.path = {
      type: 'PathExpression',
      data: false,
      depth: 0,
      parts: [VALUE_HELPER],
      original: VALUE_HELPER,
      loc: path.loc,
    }
    return
  }
  if (isProgram(node)) node.body.forEach(requireValues)
  else if (isBlock(node)) {
    requireValues(node.program)
    // The types promise an `{{else}}`; the parser gives none where none is written.
    const inverse: Program | undefined = node.inverse
    if (inverse) requireValues(inverse)
  }
}

function literal(value: string, loc: hbs.AST.SourceLocation): hbs.AST.StringLiteral {
  return { type: 'StringLiteral', value, original: value, loc }
}

export interface Engine {
  compile(program: Program): Render
  /** Makes a compiled source available to `{{> name}}`. */
  addPartial(name: string, program: Program): void
}

/** A compiler for one language and one kind of output: HTML, whose values are escaped, or plain text. */
export function createEngine(kind: 'html' | 'text', helpers: Record<string, Helper>): Engine {
  const engine = handlebars().create()
  for (const [name, helper] of Object.entries(helpers)) engine.registerHelper(name, helper)
  const known = Object.fromEntries([...HELPERS, VALUE_HELPER].map((name) => [name, true]))
  const compileProgram = (program: Program) => {
    requireValues(program)
    return engine.compile<Readonly<Record<string, unknown>>>(program, {
      strict: true,
      noEscape: kind === 'text',
      // The compiler treats a tree's white space once more, by its own options.
      ignoreStandalone: kind === 'text',
      knownHelpersOnly: true,
      knownHelpers: {
        helperMissing: false,
        blockHelperMissing: false,
        log: false,
        lookup: false,
        each: true,
        if: true,
        unless: true,
        with: true,
        ...known,
      },
    })
  }
  return {
    compile: (program) => {
      const template = compileProgram(program)
      return (view, data) =>
        template(view, {
          data,
          allowProtoPropertiesByDefault: false,
          allowProtoMethodsByDefault: false,
        })
    },
    addPartial: (name, program) => engine.registerPartial(name, compileProgram(program)),
  }
}

export function isProgram(node: Node): node is hbs.AST.Program {
  return node.type === 'Program'
}
export function isMustache(node: Node): node is hbs.AST.MustacheStatement {
  return node.type === 'MustacheStatement'
}
export function isBlock(node: Node): node is hbs.AST.BlockStatement {
  return node.type === 'BlockStatement'
}
export function isPartial(node: Node): node is hbs.AST.PartialStatement {
  return node.type === 'PartialStatement'
}
export function isCall(node: Node): node is hbs.AST.SubExpression {
  return node.type === 'SubExpression'
}
export function isPath(node: Node): node is hbs.AST.PathExpression {
  return node.type === 'PathExpression'
}
export type Hash = hbs.AST.Hash
export type Path = hbs.AST.PathExpression
