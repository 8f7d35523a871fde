import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileCondition } from '../../../src/config/conditions/conditions.ts'
import { factCatalogue } from '../../../src/config/facts.ts'
import { workspace } from '../../../src/config/workspace.ts'
import { rows as query } from '../../../src/database/connect.ts'
import { freshDatabase } from '../../support/database.ts'
import { evaluateCondition } from '../support/oracle.ts'

// Compiled SQL against cel-js' evaluator: generated conditions over generated rows.

const RUNS = 1500
const ROWS = 12

const catalogue = factCatalogue(
  workspace.parse({
    version: 1,
    name: 'Shop',
    timezone: 'UTC',
    currency: 'CNY',
    locales: ['en'],
    attributes: { s: 'string', t: 'string', n: 'number', m: 'number', b: 'bool', at: 'timestamp' },
  }),
)

type Type = 'bool' | 'number' | 'string' | 'timestamp' | 'duration'
const FACTS: Record<Type, string[]> = {
  bool: ['contact.b'],
  number: ['contact.n', 'contact.m', 'orders.count', 'orders.total', 'activity.count'],
  string: ['contact.s', 'contact.t', 'contact.locale', 'contact.external_id'],
  timestamp: ['contact.at', 'contact.signed_up_at', 'orders.last_at', 'activity.last_at', 'now'],
  duration: ['orders.silence', 'activity.silence'],
}
/** Facts that are themselves formulas: their own SQL says what they are, and the condition around them is compared. */
const SIGNALS = [...catalogue.values()].filter(({ known }) => known !== undefined)
for (const { path, type } of SIGNALS) FACTS[type === 'money' ? 'number' : type].push(path)
const PATHS = Object.values(FACTS)
  .flat()
  .filter((path) => path !== 'now')

const TEXTS = [
  '',
  'a',
  'b',
  'ab',
  'aB',
  'B',
  'abab',
  'é',
  '会员',
  '😀',
  '😀a',
  "it's",
  'x"y\\',
  '%',
  '_',
  ' ',
  'null',
]
const MOMENTS = [
  '2026-01-01T00:00:00Z',
  '2026-02-28T23:59:59.999Z',
  '2024-02-29T12:00:00+08:00',
  '0001-01-01',
  '9999-12-31T23:59:59Z',
]

const literals: Record<Type, fc.Arbitrary<string>> = {
  bool: fc.constantFrom('true', 'false'),
  number: fc.oneof(
    fc.integer({ min: 0, max: 12 }).map(String),
    fc.constantFrom(
      '0.5',
      '0.1',
      '0.2',
      '0.3',
      '2000',
      '1e3',
      '1e29',
      '1e-29',
      '123456789012345678901234567890',
    ),
  ),
  string: fc.constantFrom(...TEXTS).map((text) => JSON.stringify(text)),
  timestamp: fc.constantFrom(...MOMENTS).map((text) => `timestamp("${text}")`),
  duration: fc.constantFrom(
    '0s',
    '7d',
    '90m',
    '3w',
    '36h',
    '9000000w',
    'duration("1h30m")',
    'duration("-0.5s")',
  ),
}

/** Typed expressions as CEL text, each fully parenthesised or not at random. */
const conditions = fc.letrec<Record<Type, string>>((tie) => {
  const pair = (type: Type) => fc.tuple(tie(type), tie(type))
  const leaf = (type: Type) => fc.oneof(fc.constantFrom(...FACTS[type]), literals[type])
  const comparison = (type: Type, operators: string[]) =>
    fc.tuple(pair(type), fc.constantFrom(...operators)).map(([[a, b], operator]) => `(${a} ${operator} ${b})`)
  const choice = (type: Type) =>
    fc.tuple(tie('bool'), tie(type), tie(type)).map(([c, a, b]) => `(${c} ? ${a} : ${b})`)
  const ordered = ['==', '!=', '<', '<=', '>', '>=']
  const member = (type: Type) =>
    fc
      .tuple(tie(type), fc.array(literals[type], { maxLength: 4 }))
      .map(([a, list]) => `(${a} in [${list.join(', ')}])`)
  const bounded = { maxDepth: 5, withCrossShrink: true }
  return {
    bool: fc.oneof(
      bounded,
      leaf('bool'),
      fc.constantFrom(...PATHS).map((path) => `has(${path})`),
      fc
        .tuple(fc.constantFrom(...PATHS), fc.constantFrom('==', '!='))
        .map(([path, operator]) => `(${path} ${operator} null)`),
      comparison('number', ordered),
      comparison('string', ordered),
      comparison('timestamp', ordered),
      comparison('duration', ordered),
      comparison('bool', ['==', '!=']),
      pair('bool').map(([a, b]) => `(${a} && ${b})`),
      pair('bool').map(([a, b]) => `(${a} || ${b})`),
      tie('bool').map((a) => `!(${a})`),
      member('number'),
      member('string'),
      member('timestamp'),
      fc
        .tuple(tie('string'), fc.constantFrom('startsWith', 'endsWith', 'contains'), tie('string'))
        .map(([a, method, b]) => `(${a}).${method}(${b})`),
      choice('bool'),
    ),
    number: fc.oneof(
      bounded,
      leaf('number'),
      leaf('number'),
      fc
        .tuple(pair('number'), fc.constantFrom('+', '-', '*', '/', '%'))
        .map(([[a, b], operator]) => `(${a} ${operator} ${b})`),
      tie('number').map((a) => `-(${a})`),
      tie('string').map((a) => `size(${a})`),
      choice('number'),
    ),
    string: fc.oneof(bounded, leaf('string'), leaf('string'), choice('string')),
    timestamp: fc.oneof(
      bounded,
      leaf('timestamp'),
      leaf('timestamp'),
      fc
        .tuple(tie('timestamp'), fc.constantFrom('+', '-'), tie('duration'))
        .map((parts) => `(${parts.join(' ')})`),
      fc.tuple(tie('duration'), tie('timestamp')).map((parts) => `(${parts.join(' + ')})`),
    ),
    duration: fc.oneof(
      bounded,
      leaf('duration'),
      leaf('duration'),
      pair('timestamp').map((parts) => `(${parts.join(' - ')})`),
      fc
        .tuple(pair('duration'), fc.constantFrom('+', '-'))
        .map(([[a, b], operator]) => `(${a} ${operator} ${b})`),
    ),
  }
}).bool

/** Any JSON an importer may have left in an attribute: right types, wrong types, null, or nothing at all. */
const json = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...TEXTS) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...MOMENTS,
      '2026-02-30',
      '2026-13-01T00:00:00Z',
      '0000-01-01',
      '2026-01-01T25:00:00Z',
    ),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      0,
      1,
      4,
      -3,
      0.1,
      0.5,
      7.25,
      2000,
      1e15,
      1e-7,
      1e29,
      1e31,
      5e-324,
      1.7e308,
      Number.POSITIVE_INFINITY,
    ),
  },
  { weight: 3, arbitrary: fc.boolean() },
  { weight: 2, arbitrary: fc.constant(null) },
  fc.constantFrom({}, [], { a: 1 }, [1]),
)
const instant = fc.option(
  fc.date({ min: new Date('2020-01-01'), max: new Date('2027-01-01'), noInvalidDate: true }),
)
const row = fc.record({
  attributes: fc.record({ s: json, t: json, n: json, m: json, b: json, at: json }, { requiredKeys: [] }),
  external_id: fc.constantFrom(...TEXTS),
  locale: fc.option(fc.constantFrom('en', 'zh-CN', '')),
  signed_up_at: instant,
  last_order_at: instant,
  last_active_at: instant,
  silent_since: instant,
  orders_count: fc.nat(5),
  orders_total: fc.oneof(fc.nat(1e9), fc.constant(9e15), fc.constant(-5_000_000)),
  activity_count: fc.nat(5),
  active_days: fc.nat(3),
  first_day: fc.constantFrom('2025-06-01', '2026-05-20'),
  last_day: fc.constantFrom('2026-05-20', '2026-05-31'),
  use_bits: fc.constantFrom('1'.padEnd(64, '01'), '1'.padEnd(64, '0'), '1'.repeat(64)),
  usual_pause: fc.option(fc.constantFrom(0, 86_400, 8_640_000)),
  sign_in_at: instant,
  orders: fc.nat(3),
  coupon_orders: fc.nat(3),
  cart_items: fc.nat(1),
  cart_at: instant,
  favourite_at: instant,
  nps: fc.option(fc.nat(10)),
  complaints_open: fc.nat(1),
  review_rating: fc.option(fc.constantFrom(1, 2.5, 5)),
  review_at: instant,
  membership_started_at: instant,
  membership_ends_at: instant,
  membership_ended_at: instant,
  activated_at: instant,
})
type Row = typeof row extends fc.Arbitrary<infer T> ? T : never

const now = new Date('2026-06-01T12:00:00.000Z')

function valuesOf(input: Row): Map<string, unknown> {
  const since = (moment: Date | null) => (moment ? (now.getTime() - moment.getTime()) / 1000 : null)
  return new Map<string, unknown>([
    ...Object.entries(input.attributes).map(([name, value]) => [`contact.${name}`, value] as const),
    ['contact.external_id', input.external_id],
    ['contact.locale', input.locale],
    ['contact.signed_up_at', input.signed_up_at],
    ['orders.count', input.orders_count],
    ['orders.total', input.orders_total / 1e6],
    ['orders.last_at', input.last_order_at],
    ['orders.silence', since(input.last_order_at)],
    ['activity.count', input.activity_count],
    ['activity.last_at', input.last_active_at],
    ['activity.silence', since(input.silent_since)],
  ])
}

/** JSON as text; 1e400 is a number to JSON and to PostgreSQL, though not to JavaScript. */
function toJson(inputs: Row[]): string {
  return JSON.stringify(inputs, (_, value) =>
    value === Number.POSITIVE_INFINITY ? '<huge>' : value,
  ).replaceAll('"<huge>"', '1e400')
}

/** The rows as the aliases that conditions are compiled over. */
function given(inputs: Row[]) {
  return sql`jsonb_array_elements(${toJson(inputs)}::jsonb) WITH ORDINALITY AS given(row, no),
    LATERAL (SELECT * FROM jsonb_to_record(given.row) AS it(contact_id bigint,
      attributes jsonb, external_id text, locale text, signed_up_at timestamptz)) c,
    LATERAL (SELECT * FROM jsonb_to_record(given.row) AS it(
      orders_count int, orders_total bigint, activity_count int, last_order_at timestamptz,
      last_active_at timestamptz, silent_since timestamptz)) a,
    LATERAL (SELECT * FROM jsonb_populate_record(NULL::contact_signals, given.row)) s`
}

/** The facts of signals that a condition names, as one object for each row. */
function signalFacts(source: string) {
  const asked = SIGNALS.filter(({ path }) => source.includes(path))
  // A function takes a hundred arguments.
  const parts = [asked.slice(0, 25), asked.slice(25)].map(
    (some) =>
      sql`jsonb_build_object(${sql.join(
        some.map((fact) => sql`${fact.path}::text, ${fact.sql(now)}`),
        sql`, `,
      )})`,
  )
  return sql.join(parts, sql` || `)
}

const SIGNAL_TYPES = new Map(SIGNALS.map(({ path, type }) => [path, type]))

function signalValues(facts: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(facts).map(([path, value]) => [
    path,
    SIGNAL_TYPES.get(path) === 'timestamp' && typeof value === 'string' ? new Date(value) : value,
  ])
}

test('compiled SQL and the CEL evaluator agree', { timeout: 120_000 }, async () => {
  const database = await freshDatabase()
  await query(
    database,
    sql`INSERT INTO signal_fits (fitted_at, buyers, recency, frequency, monetary, use, bgnbd, contacts, repeaters)
        VALUES (${new Date('2026-05-01')}, 100, '{1e6,3e6,1e7,3e7}', '{1,1,2,4}', '{0,1e6,1e8,1e9}', '{1,1,2,2}',
          '{0.2426,4.4135,0.7929,2.4258}', 100, 50)`,
  )
  const seen = { true: 0, false: 0, null: 0 }
  await fc.assert(
    fc.asyncProperty(
      conditions,
      fc.array(row, { minLength: ROWS, maxLength: ROWS }),
      async (source, inputs) => {
        const { condition, problems } = compileCondition(source, catalogue)
        if (!condition) throw new Error(`${source}: ${JSON.stringify(problems)}`)
        const found = await query<{ answer: boolean | null; facts: Record<string, unknown> }>(
          database,
          sql`SELECT ${condition.sql(now)} AS answer, ${signalFacts(source)} AS facts
              FROM ${given(inputs)}
             ORDER BY given.no`,
        )
        const expected = inputs.map((input, place) => {
          const values = new Map([...valuesOf(input), ...signalValues(found[place]?.facts ?? {})])
          return evaluateCondition(source, catalogue, values, now)
        })
        for (const answer of expected) seen[`${answer}`]++
        expect(found.map((each) => each.answer)).toEqual(expected)
      },
    ),
    { numRuns: RUNS, interruptAfterTimeLimit: 90_000 },
  )
  // All three answers are well represented, or the agreement would say little.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan((RUNS * ROWS) / 20)
})
