import type { ASTNode } from '@marcbachmann/cel-js'
import { nearest } from '../nearest-name.ts'
import type { Arithmetic, Comparison, Expression, Literal, Type } from './expression.ts'
import {
  type Context,
  checkFact,
  checkLiteral,
  constant,
  dottedName,
  durationLiteral,
  findFact,
  timestampLiteral,
} from './operands.ts'

// Which operations conditions have, and on which types. Whatever else CEL has is refused, with its reason and its place.

/** A node of cel-js' tree as a typed expression, or undefined where something in it was refused. */
export function checkNode(node: ASTNode, context: Context): Expression | undefined {
  switch (node.op) {
    case 'value':
      return checkLiteral(node, node.args, context)
    case 'id':
      if (node.args === 'now') return { kind: 'now', type: 'timestamp' }
      return checkFact(node, context)
    case '.':
      return checkFact(node, context)
    case '!_': {
      const operand = checkNode(node.args, context)
      if (!operand) return undefined
      if (operand.type !== 'bool') return context.refuse(node, `! needs true or false, not a ${operand.type}`)
      return { kind: 'not', type: 'bool', operand }
    }
    case '-_': {
      const operand = checkNode(node.args, context)
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

type Pair = readonly [ASTNode, ASTNode]

function checkBoth(pair: Pair, context: Context): [Expression, Expression] | undefined {
  const left = checkNode(pair[0], context)
  const right = checkNode(pair[1], context)
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
  if (left.kind === 'compare' && /^[<>]/.test(operator) && /^[<>]/.test(left.operator)) {
    return context.refuse(node, `one comparison at a time; write 3 ${left.operator} x && x ${operator} 6`)
  }
  if (left.type !== right.type) {
    return context.refuse(
      node,
      `${operator} compares like with like, not a ${left.type} with a ${right.type}${hint(left, right)}`,
    )
  }
  if (left.type === 'bool' && operator !== '==' && operator !== '!=') {
    return context.refuse(node, `true and false have no order; ${operator} needs numbers, texts or times`)
  }
  if (operator === '==' || operator === '!=') {
    doubtValue(left, right, pair[1], context)
    doubtValue(right, left, pair[0], context)
  }
  return { kind: 'compare', type: 'bool', operator, left, right }
}

/** A fact of which all values are known is none other: the condition would be the same for everybody. */
function doubtValue(fact: Expression, value: Expression, node: ASTNode, context: Context): void {
  const values = fact.kind === 'fact' ? fact.fact.values : undefined
  if (fact.kind !== 'fact' || !values || value.kind !== 'literal' || value.type !== 'string') return
  if (values.includes(value.value)) return
  const known = values.map((each) => `"${each}"`).join(', ')
  context.doubt(
    node,
    `${fact.fact.path} is never "${value.value}"; it is one of ${known}`,
    nearest(value.value, values),
  )
}

function hint(left: Expression, right: Expression): string {
  const unquoted = textUnquoted(left, right) ?? textUnquoted(right, left)
  if (unquoted !== undefined) return unquoted
  const types = [left.type, right.type]
  if (types.includes('duration') && types.includes('number')) return '; write a duration as 7d'
  if (types.includes('duration') && types.includes('string')) return '; a duration stands without quotes: 30d'
  if (types.includes('timestamp') && (types.includes('string') || types.includes('number')))
    return '; write timestamp("2026-11-25T00:00:00Z")'
  if (types.includes('number') && types.includes('string')) return '; a number stands without quotes'
  if (types.includes('bool') && types.includes('string')) return '; true and false stand without quotes'
  return ''
}

/** `churn == false`: of a fact that is a text, it is the value that is written wrongly. */
function textUnquoted(fact: Expression, value: Expression): string | undefined {
  if (fact.kind !== 'fact' || fact.type !== 'string' || value.kind !== 'literal') return undefined
  if (value.type !== 'bool' && value.type !== 'number') return undefined
  return `; ${fact.fact.path} is a text, and a text stands in quotes: "${value.value}"`
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
  if (!type) {
    const days = left.type === 'timestamp' && right.type === 'number' ? '; write a duration as 7d' : ''
    return context.refuse(node, `there is no ${left.type} ${operator} ${right.type}${days}`)
  }
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
  const item = checkNode(itemNode, context)
  if (listNode.op !== 'list')
    return context.refuse(listNode, '`in` needs a list: contact.city in ["Beijing", "Wuhan"]')
  const list: Literal[] = []
  for (const element of listNode.args) {
    const value = checkNode(element, context)
    if (!value || !item) continue
    const literal = constant(value)
    if (!literal) context.refuse(element, 'a list holds constants only')
    else if (literal.type !== item.type) {
      context.refuse(element, `the list is searched for a ${item.type}, this is a ${literal.type}`)
    } else {
      doubtValue(item, literal, element, context)
      list.push(literal)
    }
  }
  return item && list.length === listNode.args.length ? { kind: 'in', type: 'bool', item, list } : undefined
}

function checkChoice(
  node: ASTNode,
  [conditionNode, yesNode, noNode]: readonly [ASTNode, ASTNode, ASTNode],
  context: Context,
): Expression | undefined {
  const condition = checkNode(conditionNode, context)
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
      const operand = checkNode(subject, context)
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
      if (/^(?:today|now|current_date|current_timestamp|date)$/i.test(name)) {
        return context.refuse(node, `there is no function ${name}() in conditions; write now for this moment`)
      }
      return context.refuse(node, `there is no function ${name}() in conditions`, nearest(name, FUNCTIONS))
  }
}
