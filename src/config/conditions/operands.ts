import type { ASTNode } from '@marcbachmann/cel-js'
import type { Fact, FactCatalogue, FactType } from '../fact.ts'
import { parseInstant, parseSpan } from '../instants.ts'
import { nearest } from '../nearest-name.ts'
import type { Expression, Literal, Type } from './expression.ts'

// The leaves of a condition: constants and facts.

/** What a condition may name, and where its problems go. */
export interface Context {
  readonly catalogue: FactCatalogue
  readonly absent: ReadonlyMap<string, string>
  refuse(node: ASTNode, message: string, suggestion?: string, unknown?: string): undefined
  /** What has a meaning, and can only be a mistake. */
  doubt(node: ASTNode, message: string, suggestion?: string): void
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

/** A constant as it was written. */
export function checkLiteral(node: ASTNode, value: unknown, context: Context): Expression | undefined {
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

/** The value of a fact. */
export function checkFact(node: ASTNode, context: Context): Expression | undefined {
  const fact = findFact(node, context)
  return fact && { kind: 'fact', type: SQL_TYPE[fact.type], fact }
}

/** What other languages call the constants of CEL. */
const WORDS: Readonly<Record<string, string>> = {
  true: 'true',
  yes: 'true',
  false: 'false',
  no: 'false',
  null: 'null',
  none: 'null',
  nil: 'null',
  undefined: 'null',
}

/** The fact a node names; refused with the nearest name, or with the reason why it is not known here. */
export function findFact(node: ASTNode, context: Context): Fact | undefined {
  const name = dottedName(node)
  if (name === undefined) return context.refuse(node, 'expected the name of a fact, such as orders.total')
  const fact = context.catalogue.get(name)
  if (fact) return fact
  const start = rootOf(node)
  const reason = context.absent.get(name)
  if (reason !== undefined) return context.refuse(start, `${name} is not known here: ${reason}`)
  const suggestion = nearestFact(name, context.catalogue)
  const own = name.startsWith('contact.') ? '; attributes are declared in winback.yaml' : ''
  const word = WORDS[name.toLowerCase()]
  if (word !== undefined)
    return context.refuse(
      start,
      `unknown fact ${name}; write ${word}${/^(?:yes|no|on|off)$/i.test(name) ? `, or "${name}" for a text` : ''}`,
    )
  const text = name.includes('.') || suggestion !== undefined ? '' : `; a text stands in quotes: "${name}"`
  const there = name.includes('.') && suggestion === undefined ? factsBeside(name, context.catalogue) : ''
  return context.refuse(start, `unknown fact ${name}${own}${text}${there}`, suggestion, name)
}

/** Where no name is near: the facts of the same root, else the roots there are. */
function factsBeside(name: string, catalogue: FactCatalogue): string {
  const paths = [...catalogue.keys()]
  const beside = paths.filter((path) => path.startsWith(`${name.split('.')[0]}.`))
  const roots = paths.map((path) => path.replace(/\..*/, '.…'))
  return `; there are ${(beside.length > 0 ? beside : [...new Set(roots)]).join(', ')}`
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

/** A literal, or the negative of one. */
export function constant(value: Expression): Literal | undefined {
  if (value.kind === 'literal') return value
  if (value.kind !== 'negate' || value.operand.kind !== 'literal') return undefined
  const { operand } = value
  if (operand.type === 'number') return { ...operand, value: `-${operand.value}` }
  return operand.type === 'duration' ? { ...operand, value: -operand.value } : undefined
}

/** The text inside timestamp("…"). */
export function timestampLiteral(node: ASTNode, text: string, context: Context): Expression | undefined {
  const value = parseInstant(text)
  if (!value)
    return context.refuse(
      node,
      `"${text}" is not a moment of the years 1 to 9999 such as 2026-11-25T09:00:00+08:00`,
    )
  return { kind: 'literal', type: 'timestamp', value }
}

/** The text inside duration("…"). */
export function durationLiteral(node: ASTNode, text: string, context: Context): Expression | undefined {
  const value = parseSpan(text)
  if (value === undefined) return context.refuse(node, `"${text}" is not a duration such as 7d, 36h or 1h30m`)
  return { kind: 'literal', type: 'duration', value }
}
