import { sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { type ConsentRecord, recordConsents } from './consent.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import { externalIdProblem } from './external-ids.ts'
import { type Getters, textReader } from './files/mapping.ts'
import type { RowValues } from './files/rows.ts'
import type { Hooks } from './hooks.ts'
import { countErased } from './privacy/erased.ts'
import { makeUnknown } from './unknown-ids.ts'
import { type MomentReading, pastMoment } from './values/dates.ts'
import { unstorable } from './values/text.ts'
import { yesOrNo } from './values/yes-or-no.ts'

// What another system knew before Winback came: whom it wrote to, and who agreed to what. Both are kept as they were,
// under the time they happened at.

export const SEND_FIELDS = ['external_id', 'channel', 'sent_at', 'topic'] as const
export const CONSENT_FIELDS = [
  'external_id',
  'channel',
  'decision',
  'decided_at',
  'wording',
  'source',
  'proof',
] as const

export interface SendRow {
  readonly externalId: string
  readonly channel: string
  /** Epoch milliseconds. */
  readonly sentAt: number
  /** Empty where the file does not say. */
  readonly topic: string
}

export interface ConsentRow extends Omit<ConsentRecord, 'contactId'> {
  readonly externalId: string
}

/** What a row's moments and channels are read by. */
export type MigratedLimits = MomentReading & { readonly channels: readonly string[] }

/**
 * The words of other systems for a decision, beside yes and no; spaces and hyphens are underscores. Those that say neither
 * (`never_subscribed`, `pending`, `cleaned`) are not among them.
 */
const DECISIONS: Readonly<Record<ConsentRecord['decision'], readonly string[]>> = {
  given: ['given', 'granted', 'subscribed', 'opt_in', 'opted_in', 'optin'],
  withdrawn: ['withdrawn', 'revoked', 'denied', 'unsubscribed', 'opt_out', 'opted_out', 'optout'],
}

function decisionOf(said: string): ConsentRecord['decision'] | undefined {
  const agreed = yesOrNo(said)
  if (agreed !== undefined) return agreed ? 'given' : 'withdrawn'
  const word = said.toLowerCase().replace(/[\s-]+/g, '_')
  return (['given', 'withdrawn'] as const).find((decision) => DECISIONS[decision].includes(word))
}

/** Reads a send, or says why it cannot be one. @param limits.channels those of the workspace */
export function sendReader(
  getters: Getters,
  limits: MigratedLimits,
): (values: RowValues) => SendRow | string {
  const { text, moment, known } = fields(getters, limits)
  return (values) => {
    const place = known(values)
    if (typeof place === 'string') return place
    const sentAt = moment('sent_at', values)
    if (typeof sentAt === 'string') return sentAt
    const topic = text('topic', values)
    if (topic.length > 100) return 'topic: longer than 100 characters'
    return unstorable('topic', topic) ?? { ...place, sentAt, topic }
  }
}

/** Reads a consent, or says why it cannot be one. @param source where a row does not say where it was given */
export function consentReader(
  getters: Getters,
  limits: MigratedLimits,
  source: string,
): (values: RowValues) => ConsentRow | string {
  const { text, moment, known } = fields(getters, limits)
  return (values) => {
    const place = known(values)
    if (typeof place === 'string') return place
    const said = text('decision', values)
    // A list of those who agreed has no such column; in one that has it, an empty cell is nobody's consent.
    if (said === '' && getters.get('decision')?.(values) !== undefined) return 'there is no decision'
    const decision = said === '' ? 'given' : decisionOf(said)
    if (decision === undefined) return `decision: "${said}" is neither given nor withdrawn`
    const decidedAt = moment('decided_at', values)
    if (typeof decidedAt === 'string') return decidedAt
    const [wording, proof] = [text('wording', values) || null, text('proof', values) || null]
    const from = text('source', values) || source
    return (
      unstorable('wording', wording) ??
      unstorable('proof', proof) ??
      unstorable('source', from) ?? {
        ...place,
        decision,
        decidedAt: new Date(decidedAt),
        wording,
        source: from,
        proof,
      }
    )
  }
}

/** What both kinds of rows have: who, on which channel, when. */
function fields(getters: Getters, limits: MigratedLimits) {
  const { channels } = limits
  const text = textReader(getters)
  return {
    text,
    moment: (name: string, values: RowValues): number | string => {
      const given = getters.get(name)?.(values)
      if (given === undefined || given === null || given === '') return `there is no ${name}`
      const at = pastMoment(name, given, limits)
      return typeof at === 'number' && at < 0 ? `${name}: before 1970` : at
    },
    known: (values: RowValues): { externalId: string; channel: string } | string => {
      const externalId = text('external_id', values)
      const unsound = externalIdProblem(externalId)
      if (unsound !== undefined) return unsound
      const channel = text('channel', values)
      if (channel === '') return 'there is no channel'
      // A misspelt channel would be a consent that nothing asks for, or a message that no cap counts.
      if (!channels.includes(channel)) return `channel: "${channel}" is none of ${channels.join(', ')}`
      return { externalId, channel }
    },
  }
}

/**
 * Keeps a chunk (10,000 rows at most) of another system's sends, in the caller's transaction. The same contact,
 * channel, topic and moment is the same message. External ids nobody knows become contacts without a sign-up date.
 * @returns how many were new, how many of contacts that were erased, and how many contacts were made
 */
export async function mergeSends(
  tx: Transaction,
  chunk: readonly SendRow[],
  now: Date,
): Promise<{ inserted: number; erased: number; unknown: number }> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_sends (
      line int NOT NULL, external_id text NOT NULL, channel text NOT NULL, sent_at timestamptz NOT NULL, topic text NOT NULL
    ) ON COMMIT DELETE ROWS`)
  const lines = chunk.map(
    (row, line) =>
      `${line}\t${copyText(row.externalId)}\t${copyText(row.channel)}\t${copyTime(row.sentAt)}\t${copyText(row.topic)}\n`,
  )
  await copyInto(tx, 'incoming_sends', lines)
  const erased = await countErased(tx, 'incoming_sends')
  const unknown = await makeUnknown(tx, now, 'incoming_sends')
  await keepContacts(
    tx,
    sql`c.contact_id = ANY (ARRAY(SELECT x.contact_id FROM incoming_sends JOIN external_ids x USING (external_id)))`,
  )
  const inserted = await execute(
    tx,
    sql`INSERT INTO outside_sends (contact_id, sent_at, channel, topic, imported_at)
        SELECT DISTINCT x.contact_id, i.sent_at, i.channel, i.topic, ${now}::timestamptz
        FROM incoming_sends i JOIN external_ids x USING (external_id)
        ORDER BY 1, 2, 3, 4
        ON CONFLICT DO NOTHING`,
  )
  return { inserted, erased, unknown }
}

/**
 * Appends a chunk (10,000 rows at most) of consents, as {@link recordConsents} does: a withdrawal takes effect at
 * once. External ids nobody knows become contacts without a sign-up date: a consent is no less one for that.
 */
export async function mergeConsents(
  tx: Transaction,
  chunk: readonly ConsentRow[],
  options: { now: Date; hooks: Hooks },
): Promise<{ inserted: number; erased: number; unknown: number }> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_consents (
      line int NOT NULL, external_id text NOT NULL
    ) ON COMMIT DELETE ROWS`)
  await copyInto(
    tx,
    'incoming_consents',
    chunk.map((row, line) => `${line}\t${copyText(row.externalId)}\n`),
  )
  const erased = await countErased(tx, 'incoming_consents')
  const unknown = await makeUnknown(tx, options.now, 'incoming_consents')
  const found = await rows<{ line: number; contactId: number }>(
    tx,
    sql`SELECT i.line, x.contact_id AS "contactId" FROM incoming_consents i JOIN external_ids x USING (external_id)`,
  )
  const contacts = new Map(found.map(({ line, contactId }) => [line, contactId]))
  const records = chunk.flatMap(({ externalId: _, ...row }, line): ConsentRecord[] => {
    const contactId = contacts.get(line)
    return contactId === undefined ? [] : [{ ...row, contactId }]
  })
  return { ...(await recordConsents(tx, records, options)), erased, unknown }
}
