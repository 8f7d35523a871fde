import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { campaign } from '../../../src/config/campaign.ts'
import { knownToStep, selectionFacts } from '../../../src/config/checks/expressions.ts'
import { combineConditions, compileCondition } from '../../../src/config/conditions/conditions.ts'
import { expandDurations } from '../../../src/config/conditions/parser.ts'
import { readDocument } from '../../../src/config/documents/document.ts'
import type { Fact } from '../../../src/config/fact.ts'
import { factCatalogue, stepFacts } from '../../../src/config/facts.ts'
import { type Database, rows } from '../../../src/database/connect.ts'
import { freshDatabase } from '../../support/database.ts'
import { evaluateCondition } from '../support/oracle.ts'
import { ATTRIBUTES, CAMPAIGN_YAML, sampleWorkspace } from '../support/samples.ts'

const workspace = sampleWorkspace()
const catalogue = factCatalogue(
  sampleWorkspace({ attributes: { ...ATTRIBUTES, nick: 'string', wrong: 'number' } }),
)
const now = new Date('2026-11-25T01:00:00.000Z')

describe('refused, with the reason and the place', () => {
  test.each([
    ['orders.totl > 1', 0, 'unknown fact orders.totl', 'orders.total'],
    ['1 < order.total', 4, 'unknown fact order.total', 'orders.total'],
    [
      'contact.stauts == "a"',
      0,
      'unknown fact contact.stauts; attributes are declared in winback.yaml',
      'contact.status',
    ],
    [
      'orders.total',
      0,
      'a condition is true or false, this is a number; compare it with something',
      undefined,
    ],
    ['orders.total = 3', 13, 'a single =', undefined],
    ['orders.total >', 14, 'the condition ends too early', undefined],
    ['contact.vip && orders.count', 15, '&& needs true or false on both sides, this is a number', undefined],
    ['activity.silence > 7', 0, 'write a duration as 7d', undefined],
    ['orders.last_at > "2026-01-01"', 0, 'write timestamp(', undefined],
    ['orders.count == "4"', 0, 'a number stands without quotes', undefined],
    ['churn == false', 0, 'churn is a text, and a text stands in quotes: "false"', undefined],
    ['"4" != contact.status && contact.status == 4', 25, 'a text stands in quotes: "4"', undefined],
    ['contact.vip == "true"', 0, 'true and false stand without quotes', undefined],
    ['contact.vip > false', 0, 'no order', undefined],
    ['contact.status.matches("a+")', 0, 'regular expressions are not allowed', undefined],
    ['[1, 2].all(x, x > 1)', 0, 'loops over lists', undefined],
    ['contact.status in ["a", 1]', 24, 'the list is searched for a string', undefined],
    ['contact.status in contact.first_name', 18, '`in` needs a list', undefined],
    ['contact.status in [contact.first_name]', 19, 'constants only', undefined],
    ['contact.status.startWith("a")', 0, 'there is no function startWith()', 'startsWith'],
    ['has(contact.nobody)', 4, 'unknown fact contact.nobody', undefined],
    ['weather.rain', 0, 'unknown fact weather.rain; there are contact.…, ', undefined],
    ['orders.weather', 0, 'unknown fact orders.weather; there are orders.count, ', undefined],
    ['null == null', 0, 'null can only be compared with a fact', undefined],
    ['orders.total < null', 0, 'null can only be compared with a fact', undefined],
    ['timestamp("2026-02-30T00:00:00Z") < now', 10, 'is not a moment', undefined],
    ['timestamp("9999-12-31T23:59:59-05:00") > now', 10, 'is not a moment of the years 1 to 9999', undefined],
    ['timestamp("0001-01-01T00:00:00+08:00") < now', 10, 'is not a moment of the years 1 to 9999', undefined],
    ['activity.silence > 0.00001s', 19, 'not a whole number of seconds', undefined],
    ['{"a": 1} == {"a": 1}', 0, 'maps are not used', undefined],
    ['contact["status"] == "a"', 0, 'name facts with dots', undefined],
    ['orders.total > 1e31', 15, 'thirty digits', undefined],
    ['contact.status == "\\u0000"', 18, 'no stored text can hold', undefined],
    ['orders.count > 3u', 15, 'unsigned', undefined],
    [
      'contact.signed_up_at > today() - 30d',
      23,
      'there is no function today() in conditions; write now',
      undefined,
    ],
    ['contact.locale == no', 18, 'unknown fact no; write false, or "no" for a text', undefined],
  ])('%s', (source, offset, message, suggestion) => {
    const { problems } = compileCondition(source, catalogue)
    expect(problems[0]).toMatchObject({ offset, message: expect.stringContaining(message) })
    expect(problems[0]?.suggestion).toBe(suggestion)
  })

  test('what is longer, deeper or a longer list than there is room for, with its bound', () => {
    const list = (length: number) => Array.from({ length }, (_, no) => no)
    const first = (source: string) => compileCondition(source, catalogue).problems[0]
    const long = list(300).map((no) => `orders.count != ${no}`)
    expect(first(long.join(' && '))).toEqual({
      offset: `${long.slice(0, 200).join(' && ')} && orders.`.length,
      message:
        'this condition has more than 1000 names, values and signs; ask less in one, or keep the answer as an attribute of the contact',
    })
    const deep = 'this stands more than 60 brackets or signs deep; take some out'
    expect(first(`${'('.repeat(70)}true${')'.repeat(70)}`)).toEqual({ offset: 60, message: deep })
    expect(first(`${'!'.repeat(20_000)}true`)).toEqual({ offset: 0, message: deep })
    const values = `orders.count in [${list(500).join()}`
    expect(first(`${values},500]`)).toEqual({
      offset: values.length + 1,
      message: 'a list has at most 500 values; keep what they have in common as an attribute of the contact',
    })
  })

  test('all at once', () => {
    const { problems } = compileCondition(
      'order.count > 1 && contact.nam == "x" || orders.total == "y"',
      catalogue,
    )
    expect(problems.map(({ offset }) => offset)).toEqual([0, 19, 41])
  })

  test('at the right character behind durations, texts and comments', () => {
    const source =
      'activity.silence >= 7d && "7d" != "a 3w" && // 9d\n activity.silence < 15d && orders.nope > 1'
    const { problems } = compileCondition(source, catalogue)
    expect(problems).toMatchObject([{ offset: source.indexOf('orders.nope') }])
  })
})

test('durations are rewritten outside texts, names and numbers alone', () => {
  const { text, original } = expandDurations(`a.x7d > 7d && b == "3w" + r'2h' && c > 1.5h // 5m`)
  expect(text).toBe(`a.x7d > duration("604800s") && b == "3w" + r'2h' && c > duration("5400s") // 5m`)
  expect(original(text.indexOf('b =='))).toBe(14)
  expect(original(text.indexOf('"5400s"'))).toBe(39)
})

describe('on real rows', async () => {
  const database = await freshDatabase()
  await seed(database)

  async function ask(source: string): Promise<boolean | null | undefined> {
    const { condition, problems } = compileCondition(source, catalogue)
    if (!condition) throw new Error(JSON.stringify(problems))
    const [row] = await rows<{ answer: boolean | null }>(
      database,
      sql`SELECT ${condition.sql(now)} AS answer
            FROM contacts c LEFT JOIN contact_activity a USING (contact_id)
              LEFT JOIN contact_signals s USING (contact_id) WHERE c.external_id = 'ann'`,
    )
    return row?.answer
  }

  test.each<[string, boolean | null]>([
    ['orders.total >= 2000 && orders.count >= 4', true],
    ['orders.total == 2000.5', true],
    ['orders.average == 500.125', true],
    ['7 / 2 == 3.5 && 0.1 + 0.2 == 0.3', true],
    ['1 + 2 * 3 == 7 && !(false || true && false)', true],
    ['activity.silence == 7d && activity.silence >= 1w && orders.silence > 36h', true],
    ['now - orders.last_at == 10d', true],
    ['orders.last_at + 10d == now && orders.last_at == now - 240h', true],
    ['contact.status in ["active", "new"]', true],
    ['contact.status in []', false],
    ['contact.nick in []', null],
    ['contact.points / 0 > 1', null],
    ['contact.points / 0 > 1 || contact.vip', true],
    ['contact.points / 0 > 1 && !contact.vip', false],
    ['has(contact.first_name)', false],
    ['has(contact.nick)', false],
    ['has(contact.status)', true],
    ['contact.first_name == null', true],
    ['contact.first_name != "x"', null],
    ['contact.nick == null', null],
    ['contact.locale == null', true],
    ['contact.wrong > 1', null],
    ['contact.wrong == null', null],
    ['contact.born_at < timestamp("2000-01-01T00:00:00+08:00")', true],
    ['contact.status > "B" && "a" < "b" && "Z" < "a"', true],
    ['size("会员😀") == 3', true],
    [
      'contact.external_id.startsWith("a") && contact.external_id.endsWith("nn") && !contact.external_id.contains("%")',
      true,
    ],
    ['contact.vip ? orders.count == 4 : false', true],
    ['now + 9000000w > now', null],
    ['-contact.points == -12.5 && contact.points % 5 == 2.5', true],
  ])('%s is %s', async (source, expected) => {
    expect(await ask(source)).toBe(expected)
  })

  test('an attribute is stale when it is older than its limit, or of unknown age', async () => {
    const fact = catalogue.get('contact.points')
    if (!fact?.stale) throw new Error('points has a fresh limit')
    const stale = async (at: Date) => {
      const [row] = await rows<{ stale: boolean }>(
        database,
        sql`SELECT ${fact.stale?.(at)} AS stale FROM contacts c WHERE c.external_id = 'ann'`,
      )
      return row?.stale
    }
    // Supplied at 2026-11-20T00:00Z, fresh for seven days.
    expect(await stale(new Date('2026-11-27T00:00:00Z'))).toBe(false)
    expect(await stale(new Date('2026-11-27T00:00:01Z'))).toBe(true)
    await database.client.query(`UPDATE contacts SET attributes_at = '{}'`)
    expect(await stale(now)).toBe(true)
  })

  test('earlier steps by id, whatever version they ran under', async () => {
    const definition = campaign.parse(readDocument('c', CAMPAIGN_YAML).value)
    const { facts } = knownToStep(workspace, definition, 1, 0)
    const answer = async (source: string) => {
      const { condition, problems } = compileCondition(source, facts)
      if (!condition) throw new Error(JSON.stringify(problems))
      const [row] = await rows<{ answer: boolean }>(
        database,
        sql`SELECT ${condition.sql(now)} AS answer FROM contacts c JOIN episodes e USING (contact_id)`,
      )
      return row?.answer
    }
    expect(await answer('remind.sent')).toBe(true)
    expect(await answer('remind.failed || remind.skipped')).toBe(false)
    expect(await answer('coupon.skipped')).toBe(true)
    expect(await answer('coupon.sent')).toBe(false)
    expect(await answer('segment == "high_value"')).toBe(true)
  })
})

test('texts are compared by code point, whatever the collation of the database', async () => {
  const database = await freshDatabase()
  const [english] = await rows<{ name: string }>(
    database,
    sql`SELECT quote_ident(collname) AS name FROM pg_collation WHERE collname IN ('en-x-icu', 'en_US.utf8') LIMIT 1`,
  )
  const text = (path: string, value: string): [string, Fact] => [
    path,
    {
      path,
      type: 'string',
      description: '',
      from: 'anywhere',
      sql: () =>
        // Out of a subquery, a collation is a default that another may override, as a column's is.
        sql.raw(`(SELECT v FROM (SELECT '${value}'::text COLLATE ${english?.name ?? '"C"'} AS v) AS t)`),
    },
  ]
  const { condition } = compileCondition(
    'a.b > a.c && a.b in ["a"]',
    new Map([text('a.b', 'a'), text('a.c', 'B')]),
  )
  if (!condition) throw new Error('it compiles')
  const [row] = await rows<{ v: boolean }>(database, sql`SELECT ${condition.sql(now)} AS v`)
  expect(row?.v).toBe(true)
})

test('the facts of a workspace are described once, however many steps ask for them', () => {
  expect(factCatalogue(workspace)).toBe(factCatalogue(workspace))
  expect(factCatalogue(sampleWorkspace())).not.toBe(factCatalogue(workspace))
})

test('steps see earlier steps only, and selection sees none', () => {
  const definition = campaign.parse(readDocument('c', CAMPAIGN_YAML).value)
  const problem = (source: string, tier: number, step: number) => {
    const { facts, absent } = knownToStep(workspace, definition, tier, step)
    return compileCondition(source, facts, absent).problems[0]?.message
  }
  expect(problem('remind.sent', 0, 1)).toBeUndefined()
  expect(problem('coupon.sent', 0, 1)).toMatch(/this very step/)
  expect(problem('coupon.sent', 0, 0)).toMatch(/comes later/)
  expect(problem('letter.sent', 0, 1)).toMatch(/comes later/)
  const { facts, absent } = selectionFacts(workspace, definition)
  expect(compileCondition('segment == "a"', facts, absent).problems[0]?.message).toMatch(
    /once an episode is open/,
  )
  expect(compileCondition('remind.sent', facts, absent).problems[0]?.message).toMatch(
    /once an episode is open/,
  )
})

test('a step whose id has a hyphen, written as it is called', () => {
  const known = new Map([
    ...catalogue,
    ...stepFacts({ tiers: [{ steps: [{ id: 'high-five' }] }, {}] }, 1, 0).facts,
  ])
  const first = (source: string) => compileCondition(source, known).problems
  expect(first('contact.vip && !high-five.sent')).toEqual([
    { offset: 16, message: 'a hyphen is a minus here; write high_five.sent' },
  ])
  expect(first('!high_five.sent && contact.first_name != "high-five.sent"')).toEqual([])
})

test('when and not unless, three-valued', async () => {
  const database = await freshDatabase()
  const of = (value: string) => ({ source: value, sql: () => sql.raw(`(${value}::boolean)`) })
  const values = ['TRUE', 'FALSE', 'NULL']
  const found = await Promise.all(
    values.flatMap((when) =>
      values.map(async (unless) => {
        const combined = combineConditions(of(when), of(unless))
        const [row] = await rows<{ v: boolean | null }>(database, sql`SELECT ${combined?.sql(now)} AS v`)
        return row?.v
      }),
    ),
  )
  expect(found).toEqual([false, true, null, false, false, false, false, null, null])
  expect(combineConditions(undefined, undefined)).toBeUndefined()
})

test('the oracle has the same three values', () => {
  const values = new Map<string, unknown>([['contact.vip', true]])
  const ask = (source: string) => evaluateCondition(source, catalogue, values, now)
  expect(ask('contact.vip')).toBe(true)
  expect(ask('false && contact.points > 1')).toBe(false)
  expect(ask('contact.points > 1 && false')).toBe(false)
  expect(ask('contact.points > 1 || contact.vip')).toBe(true)
  expect(ask('contact.points > 1')).toBe(null)
  expect(ask('!(contact.points > 1)')).toBe(null)
  expect(ask('1 / 3 * 3 == 1')).toBe(false)
})

async function seed(database: Database): Promise<void> {
  const month = (table: string) =>
    `CREATE TABLE ${table}_all PARTITION OF ${table} FOR VALUES FROM ('2000-01-01') TO ('2100-01-01')`
  await database.client.query(month('touchpoint_records'))
  const attributes = {
    status: 'active',
    points: 12.5,
    vip: true,
    first_name: null,
    wrong: 'abc',
    born_at: '1999-12-31',
  }
  await database.client.query(
    `INSERT INTO contacts (contact_id, person_id, external_id, attributes, attributes_at, imported_at)
     OVERRIDING SYSTEM VALUE VALUES (1, 1, 'ann', $1, $2, '2026-11-20')`,
    [attributes, { points: Date.parse('2026-11-20T00:00:00Z') / 1000 }],
  )
  await database.client.query(
    `INSERT INTO contact_activity (contact_id, silent_since, orders_count, orders_total, last_order_at)
     VALUES (1, '2026-11-18T01:00Z', 4, 2000500000, '2026-11-15T01:00Z')`,
  )
  await database.client.query(
    `INSERT INTO episodes (contact_id, episode_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier,
       segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
     VALUES (1, 7, 'graded', 2, 'x', 1, 1, 'treated', 'coupon', 'high_value', '2026-11-18', '2026-11-19', now(), now(), 2)`,
  )
  await database.client.query(
    `INSERT INTO steps (step_id, campaign, version, tier_no, tier, step_no, step, channels) VALUES
       (1, 'graded', 1, 1, 'coupon', 1, 'remind', '{email}'), (2, 'graded', 1, 1, 'coupon', 2, 'coupon', '{email}'),
       (3, 'other', 1, 1, 'coupon', 1, 'coupon', '{email}')`,
  )
  await database.client.query(
    `INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, attempt, planned_for, settled_at)
     VALUES (1, 1, 7, 1, 'sent', NULL, 1, now(), '2026-11-19'), (1, 2, 7, 2, 'skipped', 'condition', 1, now(), '2026-11-20'),
            (1, 3, 7, 3, 'sent', NULL, 1, now(), '2026-11-20'), (1, 4, 6, 2, 'sent', NULL, 1, now(), '2026-10-01')`,
  )
}
