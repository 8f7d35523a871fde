import type { Fact } from '../fact.ts'

// A condition as a small typed tree: nothing but what has a meaning in SQL. parser.ts makes it, conditions.ts compiles it.

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
  readonly suggestion?: string | undefined
  /** The fact that was asked for, where there is none of that name. */
  readonly unknown?: string | undefined
}

export type ParsedCondition =
  | {
      readonly expression: Expression
      readonly problems: readonly []
      /** What it asks can only be a mistake, and yet it can be carried out: whoever applied it goes on. */
      readonly doubts: readonly ExpressionProblem[]
    }
  | { readonly expression?: undefined; readonly problems: readonly ExpressionProblem[] }
