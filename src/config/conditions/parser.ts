import { createRequire } from 'node:module'
import type { ASTNode, Environment, ParseError } from '@marcbachmann/cel-js'
import { firstFullWidth, fullWidthHint } from '../documents/full-width.ts'
import type { FactCatalogue } from '../fact.ts'
import { parseDuration } from '../quantities.ts'
import type { ExpressionProblem, ParsedCondition } from './expression.ts'
import { findSlip, loneBracket } from './slips.ts'
import { checkNode } from './typing.ts'

// A CEL condition → a typed tree. cel-js reads the text; what its tree may hold is decided in typing.ts.

/** Far below what a chain of operations on thirty-digit numbers would need to overflow PostgreSQL's numeric. */
const limits = { maxAstNodes: 1000, maxDepth: 60, maxListElements: 500, maxCallArguments: 4 }

// Read at the first condition: every verb reads the workspace, and many look at no campaign.
const require = createRequire(import.meta.url)
const cel = () => require('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')
let parser: Environment | undefined

function parse(text: string): ASTNode {
  parser ??= new (cel().Environment)({ limits })
  return parser.parse(text).ast
}

const LIMIT_WORDS: Readonly<Record<keyof typeof limits, string>> = {
  maxAstNodes: `this condition has more than ${limits.maxAstNodes} names, values and signs; ask less in one, or keep the answer as an attribute of the contact`,
  maxDepth: `this stands more than ${limits.maxDepth} brackets or signs deep; take some out`,
  maxListElements: `a list has at most ${limits.maxListElements} values; keep what they have in common as an attribute of the contact`,
  maxCallArguments: `nothing here takes more than ${limits.maxCallArguments} values in its brackets`,
}

/**
 * Parses a condition and checks its types against `catalogue`. All problems are found at once.
 * @param absent facts that exist but not here, with the reason: `remind.sent` → `remind comes later in the campaign`
 */
export function parseCondition(
  source: string,
  catalogue: FactCatalogue,
  absent: ReadonlyMap<string, string> = new Map(),
): ParsedCondition {
  const { text, original, invalid } = expandDurations(source)
  if (invalid.length > 0) return { problems: invalid }

  let tree: ASTNode
  try {
    tree = parse(text)
  } catch (error) {
    // A chain of `!` or `-` is not counted by the parser, and followed until there is no room left.
    if (error instanceof RangeError) return { problems: [{ offset: 0, message: LIMIT_WORDS.maxDepth }] }
    if (!(error instanceof cel().ParseError)) throw error
    return { problems: [syntaxProblem(error, source, original(error.range?.start ?? 0))] }
  }

  const hyphenated = findHyphenated(source, (path) => catalogue.has(path) || absent.has(path))
  if (hyphenated) return { problems: [hyphenated] }

  const problems: ExpressionProblem[] = []
  const doubts: ExpressionProblem[] = []
  const expression = checkNode(tree, {
    catalogue,
    absent,
    refuse: (node, message, suggestion, unknown) => {
      problems.push({
        offset: original(node.start),
        message,
        suggestion,
        unknown,
      })
      return undefined
    },
    doubt: (node, message, suggestion) => {
      doubts.push({
        offset: original(node.start),
        message,
        suggestion,
      })
    },
  })
  if (expression && expression.type !== 'bool') {
    problems.push({
      offset: original(tree.start),
      message: `a condition is true or false, this is a ${expression.type}; compare it with something`,
    })
  }
  return problems.length > 0 || !expression ? { problems } : { expression, problems: [], doubts }
}

/** `high-five.sent` of the step high-five: two facts there are not, and a minus between them. */
function findHyphenated(source: string, isFact: (path: string) => boolean): ExpressionProblem | undefined {
  for (const { 0: written, index: offset } of source.matchAll(
    /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?<![\w.])[a-z]\w*(?:-[a-z_]\w*)+\.\w+/g,
  )) {
    const path = written.replaceAll('-', '_')
    if (written !== path && isFact(path))
      return { offset, message: `a hyphen is a minus here; write ${path}` }
  }
  return undefined
}

/** A full-width character is what is wrong where the parser stopped at one, or where it ran on after an opening quote. */
function syntaxProblem(error: ParseError, source: string, stopped: number): ExpressionProblem {
  if (error.code === 'limit_exceeded') {
    const exceeded = Object.entries(LIMIT_WORDS).find(([limit]) => error.summary.includes(limit))
    if (exceeded) return { offset: stopped, message: exceeded[1] }
  }
  const found = firstFullWidth(source.slice(stopped))
  const offset = found === 0 || error.code === 'unterminated_string' ? stopped + (found ?? 0) : undefined
  const hint = offset === undefined ? undefined : fullWidthHint(source.charAt(offset))
  if (offset !== undefined && hint !== undefined) return { offset, message: `not a CEL condition: ${hint}` }
  const slip = findSlip(source) ?? loneBracket(source)
  if (slip) return { offset: slip.offset, message: `not a CEL condition: ${slip.message}` }
  return { offset: stopped, message: syntaxMessage(error, source.slice(stopped)) }
}

function syntaxMessage(error: ParseError, rest: string): string {
  if (error.code === 'unexpected_token' && error.summary.endsWith('EOF'))
    return 'the condition ends too early; something is missing after the last sign'
  if (error.code === 'unterminated_string')
    return 'not a CEL condition: this quote is closed nowhere; close it where the text ends'
  // One thing after another, and nothing to say how they belong together.
  const next = /^(?:[\w.]+|["'])/.exec(rest)?.[0]
  if (next !== undefined && error.summary.startsWith('Unexpected character'))
    return `not a CEL condition: \`${next}\` follows on something that is complete; join the two with && or ||`
  return `not a CEL condition: ${error.summary.charAt(0).toLowerCase()}${error.summary.slice(1)}`
}

/**
 * Rewrites the short form `7d` to `duration("604800s")`, which CEL knows, outside of texts and comments, and keeps
 * where each character came from.
 */
export function expandDurations(source: string): {
  text: string
  original(offset: number): number
  invalid: ExpressionProblem[]
} {
  // Texts (raw and triple-quoted too), comments and words are matched first, so that no duration is seen in them.
  const token =
    /(?:[rRbB]{0,2})("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\/\/[^\n]*|[A-Za-z_]\w*|(\d+(?:\.\d+)?)(s|m|h|d|w)(?!\w)|\d[\w.]*/g
  const invalid: ExpressionProblem[] = []
  const shifts: { from: number; until: number; at: number }[] = []
  let text = ''
  let copied = 0
  for (const match of source.matchAll(token)) {
    if (match[3] === undefined) continue
    const seconds = parseDuration(match[0])
    if (seconds === undefined) {
      invalid.push({ offset: match.index, message: `${match[0]} is not a whole number of seconds` })
      continue
    }
    text += source.slice(copied, match.index)
    const from = text.length
    text += `duration("${seconds}s")`
    copied = match.index + match[0].length
    shifts.push({ from, until: text.length, at: match.index })
  }
  text += source.slice(copied)
  const original = (offset: number): number => {
    let moved = 0
    for (const { from, until, at } of shifts) {
      if (offset < from) break
      if (offset < until) return at
      // `until` in the text is the end of the short form in the source.
      moved = until - (at + shortLength(source, at))
    }
    return offset - moved
  }
  return { text, original, invalid }
}

function shortLength(source: string, at: number): number {
  return /^[\d.]+[smhdw]/.exec(source.slice(at))?.[0].length ?? 0
}
