import { sql } from 'drizzle-orm'
import { earlier } from '../clock.ts'
import { ofAnyLength, texts } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import { externalIdProblem } from './external-ids.ts'
import { type Getter, type Getters, getterIn } from './files/mapping.ts'
import type { RowValues } from './files/rows.ts'
import type { Hooks } from './hooks.ts'
import { type ActivityRules, activityKeySql, ingestActivity, messageKeySql, prepareIngest } from './ingest.ts'
import { countErased } from './privacy/erased.ts'
import { makeUnknown } from './unknown-ids.ts'
import { type AmountWriting, amountReader } from './values/amounts.ts'
import { type MomentReading, pastMoment } from './values/dates.ts'
import { isObject, parseJson } from './values/json.ts'
import { standsForNothing } from './values/nothing.ts'
import { jsonText, unstorable } from './values/text.ts'

/** One event as a row gave it. */
export interface ActivityRow {
  readonly externalId: string
  readonly type: string
  /** Epoch milliseconds. */
  readonly occurredAt: number
  /** Integer micros. */
  readonly value: number | null
  readonly messageId: string | null
  /** JSON text. */
  readonly properties: string | null
}

/** Reads one row: the event, or why there is none. `warn` hears of what the event had to be kept without. */
export type ActivityReader = (values: RowValues, warn: (reason: string) => void) => ActivityRow | string

/**
 * @param moments.latest epoch milliseconds; an event after it is rejected
 * @param written.currency the workspace's: a value of an event that names another, or has its sign, is none of ours, as over HTTP
 */
export function activityReader(
  getters: Getters,
  moments: MomentReading,
  written: AmountWriting,
): ActivityReader {
  const { currency } = written
  const amountOf = amountReader(written)
  const getter = getterIn(getters)
  const [getId, getType, getTime, getValue, getMessage, getProperties] = [
    getter('external_id'),
    getter('type'),
    getter('occurred_at'),
    getter('value'),
    getter('message_id'),
    getter('properties'),
  ]
  const named = [...getters].flatMap(([field, get]) =>
    field.startsWith('properties.') ? [{ name: field.slice('properties.'.length), get }] : [],
  )
  return (values, warn) => {
    const externalId = textOf(getId(values)) ?? ''
    const unsound = externalIdProblem(externalId)
    if (unsound !== undefined) return unsound
    const type = textOf(getType(values))
    if (type === null) return 'there is no type'
    if (type.length > 100) return 'the type is longer than 100 characters'
    const time = getTime(values)
    if (time === undefined || time === null || time === '') return 'there is no occurred_at'
    const occurredAt = pastMoment('occurred_at', time, moments)
    if (typeof occurredAt === 'string') return occurredAt
    if (occurredAt < 0) return 'occurred_at: before 1970'
    const amount = amountOf(getValue(values))
    if (typeof amount === 'string') return amount
    const given = propertiesOf(getProperties(values), named, values)
    if (typeof given === 'string') return given
    const json = given && jsonText('properties', given)
    if (typeof json === 'string') return json
    const properties = json?.text ?? null
    const foreign =
      'foreign' in amount
        ? amount.foreign
        : amount.micros === null
          ? undefined
          : foreignCurrency(given?.currency, currency)
    if (foreign !== undefined) warn(foreignValue(foreign, currency))
    const value = foreign === undefined && 'micros' in amount ? amount.micros : null
    const message = getMessage(values)
    if (typeof message === 'object' && message !== null) return 'message_id: {…} is not a string'
    // As an id, it would make one event of all that have none.
    const messageId = standsForNothing(message) ? null : textOf(message)
    return (
      unstorable('external_id', externalId) ??
      unstorable('type', type) ??
      unstorable('message_id', messageId) ?? { externalId, type, occurredAt, value, messageId, properties }
    )
  }
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.trim() || null
  return typeof value === 'number' ? String(value) : null
}

/** What a row is told that is kept without its value. */
export function foreignValue(foreign: string, currency: string): string {
  return `kept without value: "${foreign}" is not the workspace’s currency, ${currency}`
}

/** What an event says its value is in, where that is not the workspace's currency; in any case of letters. */
export function foreignCurrency(said: unknown, currency: string): string | undefined {
  if (typeof said !== 'string' || said.trim() === '') return undefined
  return said.trim().toUpperCase() === currency ? undefined : said
}

/** The row's properties, or why they are none; undefined where it has none. */
function propertiesOf(
  whole: unknown,
  named: readonly { name: string; get: Getter }[],
  values: RowValues,
): Record<string, unknown> | string | undefined {
  let properties: Record<string, unknown> | undefined
  if (whole !== undefined && whole !== null && whole !== '') {
    let value: unknown = whole
    if (typeof whole === 'string') {
      try {
        value = parseJson(whole)
      } catch {
        return 'properties: malformed JSON'
      }
    }
    if (!isObject(value)) return 'properties: expected a JSON object'
    properties = { ...value }
  }
  for (const { name, get } of named) {
    const value = get(values)
    if (value === undefined || standsForNothing(value)) continue
    if (typeof value === 'string' && value.trim() === '') continue
    properties ??= {}
    properties[name] = value
  }
  return properties
}

/** Makes what {@link mergeActivity} keeps from chunk to chunk. Once an import, on the connection it runs on. */
export async function prepareActivityImport(tx: Transaction): Promise<void> {
  // How often each content has been seen in the file: in PostgreSQL, for a file may have more rows than Node has memory.
  await tx.client.query(`
    DROP TABLE IF EXISTS seen_activity;
    CREATE TEMP TABLE seen_activity (content bigint PRIMARY KEY, times bigint NOT NULL) WITH (fillfactor = 80)`)
}

/**
 * Records a chunk (10,000 rows at most) of a file in the caller's transaction. External ids that nobody knows
 * become contacts without a sign-up date. The months must have their partitions.
 * @returns how many rows were new, how many of contacts that were erased, how many contacts were made, and why a row of the
 *   chunk, by its place, is none that is known already
 */
export async function mergeActivity(
  tx: Transaction,
  chunk: readonly ActivityRow[],
  options: { now: Date; workspace: ActivityRules; hooks: Hooks },
): Promise<{ inserted: number; erased: number; unknown: number; problems: ReadonlyMap<number, string> }> {
  await prepareIngest(tx)
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_events (
      line int NOT NULL, external_id text NOT NULL, type text NOT NULL, occurred_at timestamptz NOT NULL,
      value bigint, message_id text, properties jsonb
    ) ON COMMIT DELETE ROWS`)
  await copyInto(tx, 'incoming_events', eventLines(chunk))
  const erased = await countErased(tx, 'incoming_events')
  if (chunk.some(({ messageId }) => messageId !== null)) {
    await claimNamed(tx, options.now, options.workspace.events.horizon)
  }
  const unknown = await makeUnknown(tx, options.now, 'incoming_events')
  await keyEvents(tx)
  const { inserted } = await ingestActivity(tx, { ...options, named: true })
  const problems = inserted + erased < chunk.length ? await findOtherTypes(tx, chunk) : new Map()
  return { inserted, erased, unknown, problems }
}

/** Rows looked up to see whether a chunk has any: of one file, it is nearly all of them or none. */
const SAMPLE = 100

/**
 * Rows whose message id an event of another type has: a refund that comes under the number of its order is no repeat, and
 * would be missed by nobody. Looked up as `dropRepeats` does, for what is known already is not told from what is new; all of
 * them would cost an export that comes again half as much time once more.
 */
async function findOtherTypes(
  tx: Transaction,
  chunk: readonly ActivityRow[],
): Promise<ReadonlyMap<number, string>> {
  const named = [...chunk.entries()].filter(([, { messageId }]) => messageId !== null)
  const step = Math.ceil(named.length / SAMPLE)
  const found = await lookUpTypes(
    tx,
    named.filter((_, at) => at % step === 0),
  )
  return found.size === 0 || step === 1 ? found : await lookUpTypes(tx, named)
}

async function lookUpTypes(
  tx: Transaction,
  named: readonly (readonly [at: number, row: ActivityRow])[],
): Promise<ReadonlyMap<number, string>> {
  if (named.length === 0) return new Map()
  const column = (name: 'externalId' | 'type' | 'messageId') => texts(named.map(([, row]) => row[name]))
  const found = await rows<{ place: number; type: string }>(
    tx,
    sql`SELECT place, other AS type FROM (
          SELECT n.place::int, n.type, (
            SELECT a.type FROM activity a
            WHERE a.contact_id = x.contact_id AND a.key = ${activityKeySql(sql`n.message_id`)} LIMIT 1) AS other
          FROM unnest(${ofAnyLength(column('externalId'))}, ${column('type')}, ${column('messageId')})
            WITH ORDINALITY AS n (external_id, type, message_id, place)
          JOIN external_ids x USING (external_id)
        ) AS f WHERE other <> type`,
  )
  return new Map(
    found.map(({ place, type }) => {
      const [at, row] = named[place - 1] ?? []
      return [
        at ?? -1,
        `message_id: "${row?.messageId}" is that of another event, of type ${type}; give each an id of its own`,
      ]
    }),
  )
}

function* eventLines(chunk: readonly ActivityRow[]): Generator<string> {
  for (const [line, row] of chunk.entries()) {
    yield `${line}\t${copyText(row.externalId)}\t${copyText(row.type)}\t${copyTime(row.occurredAt)}\t${row.value ?? '\\N'}\t${copyText(row.messageId)}\t${copyText(row.properties)}\n`
  }
}

/**
 * A message id that was taken within the horizon, over HTTP or by a file, is the same event whoever it is said of; the
 * first stays. Rows older than the horizon claim nothing, and a file of ten years does not fill the table with ids that
 * nobody will repeat: theirs are known again by contact.
 */
async function claimNamed(tx: Transaction, now: Date, horizon: number): Promise<void> {
  const since = earlier(now, horizon)
  const message = messageKeySql(sql`i.message_id`)
  await execute(
    tx,
    sql`WITH named AS MATERIALIZED (
          SELECT i.ctid AS place, ${message} AS message, i.occurred_at > ${since} AS recent,
            row_number() OVER (PARTITION BY i.message_id ORDER BY i.line) AS time
          FROM incoming_events i WHERE i.message_id IS NOT NULL
        ), claimed AS (
          INSERT INTO ingest_keys (source, message_id, received_at)
          SELECT DISTINCT 'events', message, ${now}::timestamptz FROM named WHERE recent ORDER BY message
          ON CONFLICT DO NOTHING RETURNING message_id
        )
        DELETE FROM incoming_events i USING named n
        WHERE i.ctid = n.place AND CASE
          WHEN n.recent THEN n.message NOT IN (SELECT message_id FROM claimed) OR n.time > 1
          ELSE (SELECT k.message_id FROM ingest_keys k WHERE k.source = 'events' AND k.message_id = n.message) IS NOT NULL
        END`,
  )
}

/**
 * Gives each event its key: the hash of its message id, or of its content and its ordinal among the identical rows
 * of the file. So the same file again adds nothing, and two equal purchases of one day stay two. An event that once
 * came without its message id and then with it counts twice: nothing says that the two are one.
 */
async function keyEvents(tx: Transaction): Promise<void> {
  await execute(
    tx,
    sql`WITH hashed AS MATERIALIZED (
          SELECT i.*, hashtextextended(concat_ws(chr(31), external_id, type, extract(epoch FROM occurred_at),
            coalesce(value::text, '-'), coalesce(properties::text, '-')), 0) AS content
          FROM incoming_events i
        ), counted AS (
          SELECT content, count(*) AS times FROM hashed WHERE message_id IS NULL GROUP BY content
        ), seen AS (
          INSERT INTO seen_activity AS s (content, times) SELECT content, times FROM counted
          ON CONFLICT (content) DO UPDATE SET times = s.times + excluded.times
          RETURNING s.content, s.times
        ), before AS (
          SELECT content, s.times - c.times AS times FROM seen s JOIN counted c USING (content)
        )
        INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties, named)
        SELECT x.contact_id, h.occurred_at,
          CASE WHEN h.message_id IS NOT NULL THEN ${activityKeySql(sql`h.message_id`)}
               ELSE hashint8extended(h.content, coalesce(b.times, 0)
                 + row_number() OVER (PARTITION BY h.message_id IS NULL, h.content ORDER BY h.line)) END,
          h.type, h.value, h.properties, h.message_id IS NOT NULL
        FROM hashed h JOIN external_ids x USING (external_id) LEFT JOIN before b USING (content)
        ORDER BY h.line`,
  )
}
