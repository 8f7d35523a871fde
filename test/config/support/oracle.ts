import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { dottedName } from '../../../src/config/conditions/operands.ts'
import { expandDurations } from '../../../src/config/conditions/parser.ts'
import type { Fact, FactCatalogue } from '../../../src/config/fact.ts'
import { FIRST_INSTANT, LAST_INSTANT, parseInstant, parseSpan } from '../../../src/config/instants.ts'
import { add, compare, Decimal, divide, multiply, negate, parseDecimal, remainder } from './decimal.ts'

// The meaning of a condition a second time, by cel-js' own evaluator, to hold the compiled SQL against. cel-js does the
// logic, the types, the texts and the dispatch; numbers and times are types of our own, since CEL's whole numbers divide
// without a rest and its floating ones are inexact. (Texts are ordered by UTF-16 unit here, by code point in SQL: they differ
// only between U+E000–U+FFFF and the characters beyond.)

class Instant {
  readonly milliseconds: number
  constructor(milliseconds: number) {
    if (!(milliseconds >= FIRST_INSTANT.getTime() && milliseconds <= LAST_INSTANT.getTime())) {
      throw new RangeError('beyond the years 1 to 9999')
    }
    this.milliseconds = milliseconds
  }
}

class Span {
  readonly seconds: Decimal
  constructor(seconds: Decimal) {
    this.seconds = seconds
  }
}

const TYPES: Record<Fact['type'], string> = {
  string: 'string',
  number: 'Decimal',
  money: 'Decimal',
  bool: 'bool',
  timestamp: 'Instant',
  duration: 'Span',
}

const milliseconds = (span: Span) => Number(span.seconds.coefficient) * 10 ** (3 - span.seconds.scale)
const decimal = (value: number | bigint) => parseDecimal(String(value)) ?? new Decimal(0n, 0)
const seconds = (value: number) => new Span(decimal(value))
const moved = (moment: Instant, span: Span, sign: 1 | -1) => {
  if (Math.abs(milliseconds(span)) >= 1e15) throw new RangeError('too long')
  return new Instant(moment.milliseconds + sign * milliseconds(span))
}

function environment(): Environment {
  const cel = new Environment()
    .registerType('Decimal', { ctor: Decimal, fields: {} })
    .registerType('Instant', { ctor: Instant, fields: {} })
    .registerType('Span', { ctor: Span, fields: {} })
    .registerFunction('decimal(int): Decimal', (value: bigint) => decimal(value))
    .registerOperator('-Decimal', negate)
    .registerOperator('-Span', (a: Span) => new Span(negate(a.seconds)))
    .registerOperator('Decimal + Decimal', add)
    .registerOperator('Decimal - Decimal', (a: Decimal, b: Decimal) => add(a, negate(b)))
    .registerOperator('Decimal * Decimal', multiply)
    .registerOperator('Decimal / Decimal', divide)
    .registerOperator('Decimal % Decimal', remainder)
    .registerOperator('Span + Span', (a: Span, b: Span) => new Span(add(a.seconds, b.seconds)))
    .registerOperator('Span - Span', (a: Span, b: Span) => new Span(add(a.seconds, negate(b.seconds))))
    .registerOperator('Instant + Span', (a: Instant, b: Span) => moved(a, b, 1))
    .registerOperator('Span + Instant: Instant', (a: Span, b: Instant) => moved(b, a, 1))
    .registerOperator('Instant - Span', (a: Instant, b: Span) => moved(a, b, -1))
    .registerOperator('Instant - Instant: Span', (a: Instant, b: Instant) =>
      seconds((a.milliseconds - b.milliseconds) / 1000),
    )
  registerOrder(cel, 'Decimal', compare)
  registerOrder<Span>(cel, 'Span', (a, b) => compare(a.seconds, b.seconds))
  registerOrder<Instant>(cel, 'Instant', (a, b) => a.milliseconds - b.milliseconds)
  return cel
}

function registerOrder<T>(cel: Environment, type: string, order: (a: T, b: T) => number): void {
  cel
    .registerOperator(`${type} == ${type}`, (a: T, b: T) => order(a, b) === 0)
    .registerOperator(`${type} < ${type}`, (a: T, b: T) => order(a, b) < 0)
    .registerOperator(`${type} <= ${type}`, (a: T, b: T) => order(a, b) <= 0)
    .registerOperator(`${type} > ${type}`, (a: T, b: T) => order(a, b) > 0)
    .registerOperator(`${type} >= ${type}`, (a: T, b: T) => order(a, b) >= 0)
}

const cel = environment()

// One environment for all conditions: it keeps what it found out about the operators, which is most of its work. A
// variable is of one type for good, so it is named by its type.
const variables = new Set<string>()

/** The n-th variable of the type. */
function variableOf(type: string, n: number): string {
  const name = `${type}_${n}`
  if (!variables.has(name)) {
    cel.registerVariable(name, type)
    variables.add(name)
  }
  return name
}

/**
 * Evaluates a condition with cel-js: true, false, or null where it is unknown, as the SQL would.
 * @param values by fact path, as JSON has them: instants as Date or ISO text, durations in seconds, amounts in currency units.
 *   An absent path is a missing value, null is a null, a value of another type than the fact's is unknown.
 * @throws what cel-js throws for a condition that parseCondition refuses
 */
export function evaluateCondition(
  source: string,
  catalogue: FactCatalogue,
  values: ReadonlyMap<string, unknown>,
  now: Date,
): boolean | null {
  const context: Record<string, unknown> = {}
  let names = 0
  /** A variable of the type; one without a value makes cel-js fail where it is read, which is "unknown". */
  const variable = (type: string, value: unknown): string => {
    const name = variableOf(type, names++)
    if (value !== undefined) context[name] = value
    return name
  }
  const text = print(cel.parse(expandDurations(source).text).ast, {
    variable,
    now,
    catalogue,
    values,
  })
  const evaluate = cel.parse(text)
  const checked = evaluate.check()
  if (!checked.valid) throw checked.error ?? new Error(`cel-js refuses ${text}`)
  try {
    const result: unknown = evaluate(context)
    return typeof result === 'boolean' ? result : null
  } catch {
    return null
  }
}

interface Printer {
  variable(type: string, value: unknown): string
  readonly now: Date
  readonly catalogue: FactCatalogue
  readonly values: ReadonlyMap<string, unknown>
}

/** The condition in cel-js' words: constants, facts, and the questions about presence become variables. */
function print(node: ASTNode, printer: Printer): string {
  const part = (inner: ASTNode) => print(inner, printer)
  const name = dottedName(node)
  if (name === 'now') return printer.variable('Instant', new Instant(printer.now.getTime()))
  if (name !== undefined) {
    const fact = printer.catalogue.get(name)
    if (!fact) throw new Error(`unknown fact ${name}`)
    return printer.variable(TYPES[fact.type], typed(fact, printer.values.get(name)))
  }
  switch (node.op) {
    case 'value':
      return typeof node.args === 'number' || typeof node.args === 'bigint'
        ? printer.variable('Decimal', decimal(node.args))
        : typeof node.args === 'string'
          ? JSON.stringify(node.args)
          : String(node.args)
    case '!_':
      return `!(${part(node.args)})`
    case '-_':
      return `-(${part(node.args)})`
    case '?:':
      return `((${part(node.args[0])}) ? (${part(node.args[1])}) : (${part(node.args[2])}))`
    case 'list':
      return `[${node.args.map(part).join(', ')}]`
    case 'call':
      return printCall(node.args[0], node.args[1], printer)
    case 'rcall': {
      const [method, receiver, args] = node.args
      if (method === 'size') return `decimal(size(${part(receiver)}))`
      return `(${part(receiver)}).${method}(${args.map(part).join(', ')})`
    }
    case '==':
    case '!=': {
      const [left, right] = node.args
      const isNull = (side: ASTNode) => side.op === 'value' && side.args === null
      if (isNull(left) || isNull(right)) {
        return printer.variable('bool', nullness(isNull(left) ? right : left, node.op === '!=', printer))
      }
      return `((${part(left)}) ${node.op} (${part(right)}))`
    }
    case '&&':
    case '||':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case 'in':
      return `((${part(node.args[0])}) ${node.op} (${part(node.args[1])}))`
    default:
      throw new Error(`conditions have no ${node.op}`)
  }
}

function printCall(name: string, args: readonly ASTNode[], printer: Printer): string {
  const [first] = args
  const text = first?.op === 'value' ? String(first.args) : ''
  switch (name) {
    case 'has': {
      const path = first && dottedName(first)
      const fact = path === undefined ? undefined : printer.catalogue.get(path)
      return String(fact !== undefined && typed(fact, printer.values.get(fact.path)) !== undefined)
    }
    case 'timestamp':
      return printer.variable('Instant', new Instant(parseInstant(text)?.getTime() ?? Number.NaN))
    case 'duration':
      return printer.variable('Span', seconds(parseSpan(text) ?? Number.NaN))
    case 'size':
      return `decimal(size(${first ? print(first, printer) : ''}))`
    default:
      throw new Error(`conditions have no ${name}()`)
  }
}

function nullness(node: ASTNode, negated: boolean, printer: Printer): boolean | undefined {
  const path = dottedName(node) ?? ''
  const fact = printer.catalogue.get(path)
  const value = printer.values.get(path)
  if (!fact) throw new Error(`unknown fact ${path}`)
  // A column is never missing: what it does not know is null.
  if (value === null || (value === undefined && !fact.isNull)) return !negated
  return typed(fact, value) === undefined ? undefined : negated
}

/** The value as the fact's type has it, or undefined where it is unknown. */
function typed(fact: Fact, value: unknown): unknown {
  switch (fact.type) {
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'bool':
      return typeof value === 'boolean' ? value : undefined
    case 'number':
    case 'money': {
      if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
      const size = Math.abs(Number(value))
      return size === 0 || (size >= 1e-30 && size <= 1e30) ? decimal(value) : undefined
    }
    case 'timestamp': {
      const moment = typeof value === 'string' ? parseInstant(value) : value
      return moment instanceof Date ? new Instant(moment.getTime()) : undefined
    }
    case 'duration':
      return typeof value === 'number' ? seconds(value) : undefined
  }
}
