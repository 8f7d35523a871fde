import { type SQL, sql } from 'drizzle-orm/sql'
import type { Condition } from '../compiled.ts'
import { type FactCatalogue, instant } from '../fact.ts'
import { FIRST_INSTANT, LAST_INSTANT } from '../instants.ts'
import type { Expression, ExpressionProblem, Literal, ParsedCondition } from './expression.ts'
import { parseCondition } from './parser.ts'

// Conditions as SQL. The meaning is CEL's, with three rules of our own (evaluateCondition in test/config/support/oracle.ts has the same):
//   - numbers are exact decimals: 7 / 2 is 3.5 and 0.1 + 0.2 == 0.3;
//   - what CEL calls an error is unknown, NULL: a missing value, a wrong type, a division by zero, a date out of range;
//     && || ! treat it as SQL does, and whoever uses a condition puts IS TRUE above it;
//   - null is as unknown as missing, in every place but three: x == null is true where the data says null and unknown
//     where the data says nothing, x != null is its opposite, and has(x) is true where x has a value and false otherwise.

/**
 * Compiles a condition, or says everything that is wrong with it.
 * @param absent facts that exist but not here, with the reason
 */
export function compileCondition(
  source: string,
  catalogue: FactCatalogue,
  absent?: ReadonlyMap<string, string>,
):
  | { condition: Condition; problems: readonly []; doubts: readonly ExpressionProblem[] }
  | { condition?: undefined; problems: ParsedCondition['problems'] } {
  const parsed = parseCondition(source, catalogue, absent)
  if (!parsed.expression) return { problems: parsed.problems }
  const { expression, doubts } = parsed
  return { condition: { source, sql: (now) => compile(expression, now) }, problems: [], doubts }
}

/** `when` and not `unless`, three-valued; undefined where there is neither. */
export function combineConditions(
  when: Condition | undefined,
  unless: Condition | undefined,
): Condition | undefined {
  if (!unless) return when
  if (!when) return { source: `!(${unless.source})`, sql: (now) => sql`(NOT ${unless.sql(now)})` }
  return {
    source: `(${when.source}) && !(${unless.source})`,
    sql: (now) => sql`(${when.sql(now)} AND NOT ${unless.sql(now)})`,
  }
}

/** Always parenthesised, so that no operator around it can tear it apart. */
function compile(expression: Expression, now: Date): SQL {
  const part = (inner: Expression) => compile(inner, now)
  switch (expression.kind) {
    case 'literal':
      return literal(expression)
    case 'now':
      return instant(now)
    case 'fact':
      return sql`(${expression.fact.sql(now)})`
    case 'not':
      return sql`(NOT ${part(expression.operand)})`
    case 'negate':
      return sql`(- ${part(expression.operand)})`
    case 'logic': {
      const operator = expression.operator === '&&' ? sql`AND` : sql`OR`
      return sql`(${part(expression.left)} ${operator} ${part(expression.right)})`
    }
    case 'compare':
      return compare(expression.operator, expression.left.type, part(expression.left), part(expression.right))
    case 'arithmetic':
      return calculate(expression, part(expression.left), part(expression.right))
    case 'text':
      return search(expression.operator, part(expression.left), part(expression.right))
    case 'size':
      return sql`char_length(${part(expression.operand)})::numeric`
    case 'null': {
      const { fact } = expression
      const value = fact.sql(now)
      // A column is null where nothing is known; an attribute only where its JSON says null.
      const isNull = fact.isNull
        ? sql`(CASE WHEN ${fact.isNull(now)} THEN TRUE WHEN (${value}) IS NOT NULL THEN FALSE END)`
        : sql`((${value}) IS NULL)`
      return expression.negated ? sql`(NOT ${isNull})` : isNull
    }
    case 'has':
      return sql`((${expression.fact.sql(now)}) IS NOT NULL)`
    case 'in': {
      const item = part(expression.item)
      // An empty list does not make an unknown item known.
      if (expression.list.length === 0) return sql`(CASE WHEN ${item} IS NOT NULL THEN FALSE END)`
      const list = sql.join(expression.list.map(literal), sql`, `)
      return expression.item.type === 'string'
        ? sql`(${item} COLLATE "C" IN (${list}))`
        : sql`(${item} IN (${list}))`
    }
    case 'choose': {
      const condition = part(expression.condition)
      return sql`(CASE WHEN ${condition} THEN ${part(expression.yes)} WHEN NOT ${condition} THEN ${part(expression.no)} END)`
    }
  }
}

function literal(value: Literal): SQL {
  switch (value.type) {
    case 'bool':
      return value.value ? sql`TRUE` : sql`FALSE`
    case 'number':
    case 'duration':
      return sql`${String(value.value)}::numeric`
    case 'string':
      return sql`${value.value}::text`
    case 'timestamp':
      return instant(value.value)
  }
}

const COMPARISONS = {
  '==': sql`=`,
  '!=': sql`<>`,
  '<': sql`<`,
  '<=': sql`<=`,
  '>': sql`>`,
  '>=': sql`>=`,
} as const

function compare(operator: keyof typeof COMPARISONS, type: Expression['type'], left: SQL, right: SQL): SQL {
  // By code point, whatever the database's collation says of lower and upper case.
  const collation = type === 'string' ? sql` COLLATE "C"` : sql``
  return sql`(${left}${collation} ${COMPARISONS[operator]} ${right})`
}

function calculate(expression: Extract<Expression, { kind: 'arithmetic' }>, left: SQL, right: SQL): SQL {
  const { operator } = expression
  const types = `${expression.left.type} ${expression.right.type}`
  if (types === 'timestamp timestamp') return sql`extract(epoch FROM ${left} - ${right})`
  if (types === 'duration timestamp') return shift(right, left)
  if (types === 'timestamp duration') return shift(left, operator === '-' ? sql`(- ${right})` : right)
  switch (operator) {
    case '+':
      return sql`(${left} + ${right})`
    case '-':
      return sql`(${left} - ${right})`
    case '*':
      return sql`(${left} * ${right})`
    case '/':
      return sql`(${left} / nullif(${right}, 0))`
    case '%':
      return sql`mod(${left}, nullif(${right}, 0))`
  }
}

/**
 * A moment moved by seconds; NULL beyond the years 1 to 9999, seen in plain numbers before PostgreSQL's own limits are met.
 * The interval has a CASE of its own: of constant seconds the planner makes it before any row is looked at. Hours and
 * seconds apart, because a double that holds centuries has no room for the microsecond.
 */
function shift(moment: SQL, seconds: SQL): SQL {
  const interval = sql`CASE WHEN abs(${seconds}) < 4e11
    THEN make_interval(hours => div(${seconds}, 3600)::int, secs => mod(${seconds}, 3600)::float8) END`
  return sql`(CASE WHEN extract(epoch FROM ${moment}) + ${seconds} BETWEEN ${epoch(FIRST_INSTANT)} AND ${epoch(LAST_INSTANT)}
    THEN ${moment} + ${interval} END)`
}

function epoch(moment: Date): SQL {
  return sql`${moment.getTime() / 1000}::numeric`
}

function search(operator: 'startsWith' | 'endsWith' | 'contains', text: SQL, part: SQL): SQL {
  switch (operator) {
    case 'startsWith':
      return sql`starts_with(${text}, ${part})`
    case 'endsWith':
      return sql`(right(${text}, char_length(${part})) = ${part} COLLATE "C")`
    case 'contains':
      return sql`(strpos(${text}, ${part}) > 0)`
  }
}
