import { type ASTNode, Environment, ParseError } from '@marcbachmann/cel-js'
import type { Fact, FactCatalogue, FactType } from './facts.ts'
import { parseInstant, parseSpan } from './instants.ts'
import { nearest } from './problems.ts'
import { parseDuration } from './quantities.ts'

// A CEL condition → a small typed tree that holds nothing but what has a meaning in SQL. Whatever CEL has beyond it
// is refused here, with its reason and its place.

export type Type = 'bool' | 'number' | 'string' | 'timestamp' | 'duration'

/** Numbers are kept as the digits that were written; durations are seconds, timestamps instants. */
export type Literal =
  | { readonly kind: 'literal'; readonly type: 'bool'; readonly value: boolean }
  | { readonly kind: 'literal'; readonly type: 'number' | 'string'; readonly value: string }
  | { readonly kind: 'literal'; readonly type: 'timestamp'; readonly value: Date }
  | { readonly kind: 'literal'; readonly type: 'duration'; readonly value: number }

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='
export type Arithmetic = '+' | '-' | '*' | '/' | '%'

export type Expression =
  | Literal
  | { readonly kind: 'now'; readonly type: 'timestamp' }
  | { readonly kind: 'fact'; readonly type: Type; readonly fact: Fact }
  | { readonly kind: 'not'; readonly type: 'bool'; readonly operand: Expression }
  | { readonly kind: 'negate'; readonly type: 'number' | 'duration'; readonly operand: Expression }
  | Binary<'logic', '&&' | '||', 'bool'>
  | Binary<'compare', Comparison, 'bool'>
  | Binary<'arithmetic', Arithmetic, 'number' | 'duration' | 'timestamp'>
  | Binary<'text', 'startsWith' | 'endsWith' | 'contains', 'bool'>
  | { readonly kind: 'size'; readonly type: 'number'; readonly operand: Expression }
  | { readonly kind: 'null'; readonly type: 'bool'; readonly fact: Fact; readonly negated: boolean }
  | { readonly kind: 'has'; readonly type: 'bool'; readonly fact: Fact }
  | {
      readonly kind: 'in'
      readonly type: 'bool'
      readonly item: Expression
      readonly list: readonly Literal[]
    }
  | {
      readonly kind: 'choose'
      readonly type: Type
      readonly condition: Expression
      readonly yes: Expression
      readonly no: Expression
    }

interface Binary<Kind extends string, Operator extends string, Result extends Type> {
  readonly kind: Kind
  readonly type: Result
  readonly operator: Operator
  readonly left: Expression
  readonly right: Expression
}

/** Something wrong with a condition; `offset` counts UTF-16 units of the source as written. */
export interface ExpressionProblem {
  readonly offset: number
  readonly message: string
  readonly suggestion?: string
}

export type ParsedCondition =
  | { readonly expression: Expression; readonly problems: readonly [] }
  | { readonly expression?: undefined; readonly problems: readonly ExpressionProblem[] }

/** Far below what a chain of operations on thirty-digit numbers would need to overflow PostgreSQL's numeric. */
const limits = { maxAstNodes: 1000, maxDepth: 60, maxListElements: 500, maxCallArguments: 4 }
const parser = new Environment({ limits })

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
    tree = parser.parse(text).ast
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    return { problems: [{ offset: original(error.range?.start ?? 0), message: syntaxMessage(error) }] }
  }

  const problems: ExpressionProblem[] = []
  const expression = check(tree, {
    catalogue,
    absent,
    refuse: (node, message, suggestion) => {
      problems.push({
        offset: original(node.start),
        message,
        ...(suggestion === undefined ? {} : { suggestion }),
      })
      return undefined
    },
  })
  if (expression && expression.type !== 'bool') {
    problems.push({
      offset: original(tree.start),
      message: `a condition is true or false, this is a ${expression.type}; compare it with something`,
    })
  }
  return problems.length > 0 || !expression ? { problems } : { expression, problems: [] }
}

function syntaxMessage(error: ParseError): string {
  if (error.code === 'unexpected_token' && error.summary.endsWith('EOF'))
    return 'the condition ends too early'
  if (error.summary === 'Unexpected character: =')
    return 'not a CEL condition: a single =; write == to compare'
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

interface Context {
  readonly catalogue: FactCatalogue
  readonly absent: ReadonlyMap<string, string>
  refuse(node: ASTNode, message: string, suggestion?: string): undefined
}

/** The dotted name an identifier or a chain of fields spells. */
export function dottedName(node: ASTNode): string | undefined {
  if (node.op === 'id') return node.args
  if (node.op !== '.') return undefined
  const [owner, field] = node.args
  const name = dottedName(owner)
  return name === undefined ? undefined : `${name}.${field}`
}

const SQL_TYPE: Record<FactType, Type> = {
  string: 'string',
  number: 'number',
  money: 'number',
  bool: 'bool',
  timestamp: 'timestamp',
  duration: 'duration',
}

function check(node: ASTNode, context: Context): Expression | undefined {
  switch (node.op) {
    case 'value':
      return checkLiteral(node, node.args, context)
    case 'id':
      if (node.args === 'now') return { kind: 'now', type: 'timestamp' }
      return checkFact(node, context)
    case '.':
      return checkFact(node, context)
    case '!_': {
      const operand = check(node.args, context)
      if (!operand) return undefined
      if (operand.type !== 'bool') return context.refuse(node, `! needs true or false, not a ${operand.type}`)
      return { kind: 'not', type: 'bool', operand }
    }
    case '-_': {
      const operand = check(node.args, context)
      if (!operand) return undefined
      if (operand.type !== 'number' && operand.type !== 'duration') {
        return context.refuse(node, `- needs a number, not a ${operand.type}`)
      }
      return { kind: 'negate', type: operand.type, operand }
    }
    case '&&':
    case '||':
      return checkLogic(node, node.op, node.args, context)
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return checkComparison(node, node.op, node.args, context)
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return checkArithmetic(node, node.op, node.args, context)
    case 'in':
      return checkIn(node.args, context)
    case '?:':
      return checkChoice(node, node.args, context)
    case 'call':
      return checkCall(node, node.args[0], undefined, node.args[1], context)
    case 'rcall':
      return checkCall(node, node.args[0], node.args[1], node.args[2], context)
    case 'list':
      return context.refuse(node, 'a list may only stand behind `in`')
    case 'map':
      return context.refuse(node, 'maps are not used in conditions')
    default:
      return context.refuse(node, 'name facts with dots: contact.name')
  }
}

function checkLiteral(node: ASTNode, value: unknown, context: Context): Expression | undefined {
  switch (typeof value) {
    case 'boolean':
      return { kind: 'literal', type: 'bool', value }
    case 'bigint':
    case 'number':
      if (value !== 0 && (abs(value) > 1e30 || abs(value) < 1e-30) && value !== 0n) {
        return context.refuse(node, 'numbers in conditions have at most thirty digits')
      }
      return { kind: 'literal', type: 'number', value: String(value) }
    case 'string':
      if (value.includes('\0') || /\p{Surrogate}/u.test(value)) {
        return context.refuse(node, 'this text holds a character that no stored text can hold')
      }
      return { kind: 'literal', type: 'string', value }
    default:
      if (value === null)
        return context.refuse(node, 'null can only be compared with a fact: contact.x == null')
      return context.refuse(node, 'bytes and unsigned numbers are not used in conditions')
  }
}

function abs(value: number | bigint): number {
  return Math.abs(Number(value))
}

function checkFact(node: ASTNode, context: Context): Expression | undefined {
  const fact = findFact(node, context)
  return fact && { kind: 'fact', type: SQL_TYPE[fact.type], fact }
}

function findFact(node: ASTNode, context: Context): Fact | undefined {
  const name = dottedName(node)
  if (name === undefined) return context.refuse(node, 'expected the name of a fact, such as orders.total')
  const fact = context.catalogue.get(name)
  if (fact) return fact
  const start = rootOf(node)
  const reason = context.absent.get(name)
  if (reason !== undefined) return context.refuse(start, `${name} is not known here: ${reason}`)
  const suggestion = nearestFact(name, context.catalogue)
  const own = name.startsWith('contact.') ? '; attributes are declared in winback.yaml' : ''
  return context.refuse(start, `unknown fact ${name}${own}`, suggestion)
}

/** Root and field are looked for apart: `contact.` alone would make any two attributes look alike. */
function nearestFact(name: string, catalogue: FactCatalogue): string | undefined {
  const [root = '', ...rest] = name.split('.')
  const paths = [...catalogue.keys()]
  if (rest.length === 0) return nearest(name, paths)
  const meant = nearest(root, new Set(paths.map((path) => path.split('.')[0] ?? '')))
  const fields = paths.flatMap((path) =>
    path.startsWith(`${meant}.`) ? [path.slice(`${meant}.`.length)] : [],
  )
  const field = nearest(rest.join('.'), fields)
  return field === undefined ? undefined : `${meant}.${field}`
}

/** cel-js puts the place of a field access at the field; people look for the beginning of the name. */
function rootOf(node: ASTNode): ASTNode {
  return node.op === '.' ? rootOf(node.args[0]) : node
}

type Pair = readonly [ASTNode, ASTNode]

function checkBoth(pair: Pair, context: Context): [Expression, Expression] | undefined {
  const left = check(pair[0], context)
  const right = check(pair[1], context)
  return left && right ? [left, right] : undefined
}

function checkLogic(
  node: ASTNode,
  operator: '&&' | '||',
  pair: Pair,
  context: Context,
): Expression | undefined {
  const both = checkBoth(pair, context)
  if (!both) return undefined
  for (const [index, side] of both.entries()) {
    if (side.type !== 'bool') {
      return context.refuse(
        pair[index] ?? node,
        `${operator} needs true or false on both sides, this is a ${side.type}`,
      )
    }
  }
  return { kind: 'logic', type: 'bool', operator, left: both[0], right: both[1] }
}

function checkComparison(
  node: ASTNode,
  operator: Comparison,
  pair: Pair,
  context: Context,
): Expression | undefined {
  const nulls = pair.filter((side) => side.op === 'value' && side.args === null)
  if (nulls.length > 0) {
    const other = pair.find((side) => !nulls.includes(side))
    if (!other || dottedName(other) === undefined || (operator !== '==' && operator !== '!=')) {
      return context.refuse(node, 'null can only be compared with a fact, by == or !=')
    }
    const fact = findFact(other, context)
    return fact && { kind: 'null', type: 'bool', fact, negated: operator === '!=' }
  }
  const both = checkBoth(pair, context)
  if (!both) return undefined
  const [left, right] = both
  if (left.type !== right.type) {
    return context.refuse(
      node,
      `${operator} compares like with like, not a ${left.type} with a ${right.type}${hint(left, right)}`,
    )
  }
  if (left.type === 'bool' && operator !== '==' && operator !== '!=') {
    return context.refuse(node, `true and false have no order; ${operator} needs numbers, texts or times`)
  }
  return { kind: 'compare', type: 'bool', operator, left, right }
}

function hint(left: Expression, right: Expression): string {
  const types = [left.type, right.type]
  if (types.includes('duration') && types.includes('number')) return '; write a duration as 7d'
  if (types.includes('timestamp') && types.includes('string'))
    return '; write timestamp("2026-11-25T00:00:00Z")'
  if (types.includes('number') && types.includes('string')) return '; a number stands without quotes'
  if (types.includes('bool') && types.includes('string')) return '; true and false stand without quotes'
  return ''
}

function checkArithmetic(
  node: ASTNode,
  operator: Arithmetic,
  pair: Pair,
  context: Context,
): Expression | undefined {
  const both = checkBoth(pair, context)
  if (!both) return undefined
  const [left, right] = both
  const type = resultOf(operator, left.type, right.type)
  if (!type) return context.refuse(node, `there is no ${left.type} ${operator} ${right.type}`)
  return { kind: 'arithmetic', type, operator, left, right }
}

function resultOf(
  operator: Arithmetic,
  left: Type,
  right: Type,
): 'number' | 'duration' | 'timestamp' | undefined {
  if (left === 'number' && right === 'number') return 'number'
  if (operator !== '+' && operator !== '-') return undefined
  if (left === 'timestamp' && right === 'duration') return 'timestamp'
  if (left === 'duration' && right === 'duration') return 'duration'
  if (operator === '-' && left === 'timestamp' && right === 'timestamp') return 'duration'
  if (operator === '+' && left === 'duration' && right === 'timestamp') return 'timestamp'
  return undefined
}

function checkIn(pair: Pair, context: Context): Expression | undefined {
  const [itemNode, listNode] = pair
  const item = check(itemNode, context)
  if (listNode.op !== 'list')
    return context.refuse(listNode, '`in` needs a list: contact.city in ["Beijing", "Wuhan"]')
  const list: Literal[] = []
  for (const element of listNode.args) {
    const value = check(element, context)
    if (!value || !item) continue
    const literal = constant(value)
    if (!literal) context.refuse(element, 'a list holds constants only')
    else if (literal.type !== item.type) {
      context.refuse(element, `the list is searched for a ${item.type}, this is a ${literal.type}`)
    } else list.push(literal)
  }
  return item && list.length === listNode.args.length ? { kind: 'in', type: 'bool', item, list } : undefined
}

/** A literal, or the negative of one. */
function constant(value: Expression): Literal | undefined {
  if (value.kind === 'literal') return value
  if (value.kind !== 'negate' || value.operand.kind !== 'literal') return undefined
  const { operand } = value
  if (operand.type === 'number') return { ...operand, value: `-${operand.value}` }
  return operand.type === 'duration' ? { ...operand, value: -operand.value } : undefined
}

function checkChoice(
  node: ASTNode,
  [conditionNode, yesNode, noNode]: readonly [ASTNode, ASTNode, ASTNode],
  context: Context,
): Expression | undefined {
  const condition = check(conditionNode, context)
  const both = checkBoth([yesNode, noNode], context)
  if (!condition || !both) return undefined
  if (condition.type !== 'bool') {
    return context.refuse(conditionNode, `? needs true or false before it, this is a ${condition.type}`)
  }
  const [yes, no] = both
  if (yes.type !== no.type) {
    return context.refuse(node, `both results of ? : must be of one type, not ${yes.type} and ${no.type}`)
  }
  return { kind: 'choose', type: yes.type, condition, yes, no }
}

const MACROS = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind'])
const FUNCTIONS = ['startsWith', 'endsWith', 'contains', 'size', 'has', 'timestamp', 'duration']

function checkCall(
  node: ASTNode,
  name: string,
  receiver: ASTNode | undefined,
  args: readonly ASTNode[],
  context: Context,
): Expression | undefined {
  const [first] = args
  switch (name) {
    case 'has': {
      if (receiver || !first || args.length > 1) return context.refuse(node, 'write has(contact.x)')
      const fact = findFact(first, context)
      return fact && { kind: 'has', type: 'bool', fact }
    }
    case 'timestamp':
    case 'duration': {
      const text = first?.op === 'value' && args.length === 1 && !receiver ? first.args : undefined
      if (!first || typeof text !== 'string')
        return context.refuse(node, `${name}() takes one text in quotes`)
      return name === 'timestamp'
        ? timestampLiteral(first, text, context)
        : durationLiteral(first, text, context)
    }
    case 'size': {
      const subject = receiver ?? first
      if (!subject || args.length !== (receiver ? 0 : 1)) return context.refuse(node, 'write size(contact.x)')
      const operand = check(subject, context)
      if (!operand) return undefined
      if (operand.type !== 'string')
        return context.refuse(node, `size() counts the characters of a text, not of a ${operand.type}`)
      return { kind: 'size', type: 'number', operand }
    }
    case 'startsWith':
    case 'endsWith':
    case 'contains': {
      if (!receiver || !first || args.length > 1) return context.refuse(node, `write contact.x.${name}("…")`)
      const both = checkBoth([receiver, first], context)
      if (!both) return undefined
      const wrong = both.find((side) => side.type !== 'string')
      if (wrong) return context.refuse(node, `${name}() looks at texts, not at a ${wrong.type}`)
      return { kind: 'text', type: 'bool', operator: name, left: both[0], right: both[1] }
    }
    case 'matches':
      return context.refuse(
        node,
        'regular expressions are not allowed: their cost has no bound; use startsWith, endsWith or contains',
      )
    default:
      if (MACROS.has(name))
        return context.refuse(node, `${name}() loops over lists, which conditions do not have`)
      return context.refuse(node, `there is no function ${name}() in conditions`, nearest(name, FUNCTIONS))
  }
}

function timestampLiteral(node: ASTNode, text: string, context: Context): Expression | undefined {
  const value = parseInstant(text)
  if (!value) return context.refuse(node, `"${text}" is not a moment such as 2026-11-25T09:00:00+08:00`)
  return { kind: 'literal', type: 'timestamp', value }
}

function durationLiteral(node: ASTNode, text: string, context: Context): Expression | undefined {
  const value = parseSpan(text)
  if (value === undefined) return context.refuse(node, `"${text}" is not a duration such as 7d, 36h or 1h30m`)
  return { kind: 'literal', type: 'duration', value }
}
