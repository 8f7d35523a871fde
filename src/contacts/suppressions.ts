import { sql } from 'drizzle-orm'
import { rows, type Transaction } from '../database/connect.ts'
import { besideLifting, joinVoices } from '../database/listings.ts'
import { openNewSuppressions } from '../database/new-suppressions.ts'
import {
  addressHashSql,
  emailProblem,
  type IdentifierKind,
  normaliseEmail,
  normalisePhone,
  phoneProblem,
  spellings,
} from './addresses.ts'
import { copyInto, copyText, copyTime } from './copy.ts'
import { type Getters, textReader } from './files/mapping.ts'
import type { RowValues } from './files/rows.ts'
import type { Hooks } from './hooks.ts'
import { type MomentReading, pastMoment } from './values/dates.ts'
import { unstorable } from './values/text.ts'

export const SUPPRESSION_FIELDS = ['email', 'phone', 'reason', 'suppressed_at'] as const

/** Reasons, each with the words of other systems for it, as lower case letters alone. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  hard_bounce: ['hardbounce', 'bounce', 'bounced', 'invalid', 'invalidemail', 'cleaned'],
  complaint: ['complaint', 'spamcomplaint', 'spam', 'spamreport', 'abuse'],
  unsubscribe: ['unsubscribe', 'unsubscribed', 'unsub', 'optout', 'optedout'],
  manual: ['manual', 'manualsuppression', 'usersuppressed'],
}

/** What a list of everybody says of those who may be written to, in the same spelling. */
const WELCOME: readonly string[] = ['subscribed', 'active', 'optin', 'optedin']

export interface SuppressionRow {
  readonly addresses: readonly { readonly kind: IdentifierKind; readonly address: string }[]
  readonly reason: string
  /** Epoch milliseconds; null where the row does not say. */
  readonly suppressedAt: number | null
}

/** Reads one row, or says why it is none. `warn` hears which of two addresses it had to be kept without. */
export type SuppressionReader = (values: RowValues, warn: (reason: string) => void) => SuppressionRow | string

export function suppressionReader(getters: Getters, moments: MomentReading): SuppressionReader {
  const text = textReader(getters)
  return (values, warn) => {
    const unread: { said: string; alone: string }[] = []
    const addresses: { kind: IdentifierKind; address: string }[] = []
    for (const [kind, normalise] of [
      ['email', normaliseEmail],
      ['phone', normalisePhone],
    ] as const) {
      const given = text(kind, values)
      if (given === '') continue
      const problem = unstorable(kind, given)
      if (problem !== undefined) return problem
      const address = normalise(given)
      if (address === undefined) {
        const why = kind === 'email' ? emailProblem(given) : phoneProblem(given)
        const said = kind === 'email' ? `kept without e-mail: ${why}` : `kept without phone: ${why}`
        unread.push({ alone: `${kind}: ${why}`, said })
        continue
      }
      addresses.push({ kind, address })
    }
    if (addresses.length === 0) return unread[0]?.alone ?? 'there is neither e-mail nor phone'
    for (const { said } of unread) warn(said)
    const said = text('reason', values)
    if (WELCOME.includes(lettersOf(said))) {
      return `reason: "${said}" is said of whom one may write to; a list of both goes by import consents`
    }
    const known = said === '' ? 'manual' : reasonOf(said)
    // Whoever is on the list is on it, by whatever words another system says why.
    if (known === undefined) warn(`kept as manual: "${said}" is none of ${Object.keys(REASONS).join(', ')}`)
    const reason = known ?? 'manual'
    const time = getters.get('suppressed_at')?.(values)
    if (time === undefined || time === null || time === '') return { addresses, reason, suppressedAt: null }
    const at = pastMoment('suppressed_at', time, moments)
    return typeof at === 'string' ? at : { addresses, reason, suppressedAt: at }
  }
}

function reasonOf(said: string): string | undefined {
  const word = lettersOf(said)
  return Object.keys(REASONS).find((reason) => REASONS[reason]?.includes(word))
}

function lettersOf(said: string): string {
  return said.toLowerCase().replaceAll(/[^a-z]/g, '')
}

/**
 * Adds a chunk to the suppressions, in the caller's transaction. An address that is suppressed already keeps its
 * first reason, and the file joins those who say so. Addresses are stored as keyed hashes alone, a number's in each of its spellings.
 * @param options.countries of numbers that have none
 * @returns how many rows brought something new: each new address counts for the first row that lists it
 */
export async function mergeSuppressions(
  tx: Transaction,
  chunk: readonly SuppressionRow[],
  options: { now: Date; addressKey: string; countries: readonly string[]; source: string; hooks: Hooks },
): Promise<{ inserted: number }> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS incoming_suppressions (
      kind text NOT NULL, address text NOT NULL, whole text NOT NULL, reason text NOT NULL, suppressed_at timestamptz,
      row_no int NOT NULL
    ) ON COMMIT DELETE ROWS`)
  await openNewSuppressions(tx)
  await besideLifting(tx)
  const lines = chunk.flatMap(({ addresses, reason, suppressedAt }, rowNo) =>
    addresses.flatMap(({ kind, address }) => {
      const written = kind === 'phone' ? spellings(address, options.countries) : [address]
      // The first spelling is the same whichever of them the file has: numbers are counted by it.
      const end = `${copyText(written[0] ?? address)}\t${reason}\t${copyTime(suppressedAt)}\t${rowNo}\n`
      return written.map((each) => `${kind}\t${copyText(each)}\t${end}`)
    }),
  )
  await copyInto(tx, 'incoming_suppressions', lines)
  const { addressKey } = options
  const [counted] = await rows<{ inserted: number }>(
    tx,
    sql`WITH hashed AS (
          SELECT kind, whole, CASE kind WHEN 'email' THEN ${addressHashSql(addressKey, 'email', sql`address`)}
                                 ELSE ${addressHashSql(addressKey, 'phone', sql`address`)} END AS key,
            reason, coalesce(suppressed_at, ${options.now}) AS suppressed_at, row_no
          FROM incoming_suppressions
        ), inserted AS (
          INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT DISTINCT ON (kind, key) kind, key, reason, ${options.source}, suppressed_at
          FROM hashed ORDER BY kind, key, suppressed_at
          ON CONFLICT DO NOTHING
          RETURNING kind, key
        ), outweighed AS (
          ${joinVoices(sql`SELECT DISTINCT ON (kind, key) kind, key, reason, ${options.source}::text AS source
            FROM hashed ORDER BY kind, key, suppressed_at`)}
        ), told AS (
          INSERT INTO new_suppressions SELECT kind, key FROM inserted
        )
        SELECT count(DISTINCT first_row)::int AS inserted FROM (
          SELECT min(row_no) AS first_row FROM inserted JOIN hashed USING (kind, key) GROUP BY kind, whole
        ) AS new_addresses`,
  )
  const inserted = counted?.inserted ?? 0
  if (inserted > 0) await options.hooks.onSuppressed?.(tx, options.now)
  await rows(tx, sql`TRUNCATE new_suppressions`)
  return { inserted }
}
