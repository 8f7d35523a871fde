import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Session, type Transaction } from '../database/connect.ts'
import { consentSql } from '../database/permissions.ts'
import type { Hooks } from './hooks.ts'

/** One thing a contact decided about one channel. */
export interface ConsentRecord {
  readonly contactId: number
  readonly channel: string
  readonly decision: 'given' | 'withdrawn'
  readonly decidedAt: Date
  /** Version of the words that were agreed to. */
  readonly wording: string | null
  readonly source: string
  readonly proof: string | null
}

export interface ConsentState {
  readonly channel: string
  /** What holds now; a consent another account of the person withdrew later does not hold. */
  readonly state: 'given' | 'withdrawn'
}

/**
 * Appends records (10,000 at most) in the caller's transaction; a record that is known changes nothing. A withdrawal
 * that is in force takes effect on what was planned in the same transaction, for every account of the person.
 * @returns how many were new
 */
export async function recordConsents(
  tx: Transaction,
  records: readonly ConsentRecord[],
  options: { now: Date; hooks: Hooks },
): Promise<{ inserted: number }> {
  const contactIds = bigints(records.map((row) => row.contactId))
  const column = <K extends keyof ConsentRecord>(key: K) => sql.param(records.map((row) => row[key]))
  await prepareRefusals(tx)
  // Contacts before touchpoints, as everywhere; the other accounts are only read. Who was erased meanwhile is not there.
  await execute(
    tx,
    sql`SELECT FROM contacts WHERE contact_id = ANY (${contactIds})
        ORDER BY contact_id FOR NO KEY UPDATE`,
  )
  const inserted = await execute(
    tx,
    sql`INSERT INTO consents (contact_id, channel, decision, decided_at, wording, source, proof, recorded_at)
        SELECT contact_id, channel, decision, decided_at, wording, source, proof, ${options.now}
        FROM unnest(${contactIds}, ${column('channel')}::text[], ${column('decision')}::text[],
          ${sql.param(records.map((row) => row.decidedAt.toISOString()))}::timestamptz[], ${column('wording')}::text[],
          ${column('source')}::text[], ${column('proof')}::text[])
          AS r(contact_id, channel, decision, decided_at, wording, source, proof)
        WHERE (SELECT c.contact_id FROM contacts c WHERE c.contact_id = r.contact_id) IS NOT NULL
        ON CONFLICT DO NOTHING`,
  )
  const withdrawn = records.filter((row) => row.decision === 'withdrawn')
  if (inserted > 0 && withdrawn.length > 0) {
    const refused = await execute(
      tx,
      sql`INSERT INTO new_refusals (contact_id, channel, reason)
          SELECT DISTINCT o.contact_id, w.channel, 'no_consent'
          FROM unnest(${bigints(withdrawn.map((row) => row.contactId))},
            ${sql.param(withdrawn.map((row) => row.channel))}::text[]) AS w(contact_id, channel)
          JOIN contacts c ON c.contact_id = w.contact_id
          JOIN contacts o ON o.person_id = c.person_id
          WHERE ${consentSql(sql`o`, sql`w.channel`, options.now)} = 'withdrawn'`,
    )
    if (refused > 0) await options.hooks.onRefused?.(tx, options.now)
    await rows(tx, sql`TRUNCATE new_refusals`)
  }
  return { inserted }
}

/** Makes the temporary table of `onRefused`, empty, for this transaction. By contact, for each is asked what they refused. */
export async function prepareRefusals(tx: Transaction): Promise<void> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS new_refusals (
      contact_id bigint NOT NULL, channel text NOT NULL, reason text NOT NULL
    ) ON COMMIT DELETE ROWS;
    CREATE INDEX IF NOT EXISTS new_refusals_contact ON new_refusals (contact_id)`)
}

/** Everything a contact decided, oldest first. */
export async function consentHistory(session: Session, contactId: number): Promise<ConsentRecord[]> {
  return await rows<ConsentRecord>(
    session,
    sql`SELECT contact_id AS "contactId", channel, decision, decided_at AS "decidedAt", wording, source, proof
        FROM consents WHERE contact_id = ${contactId} ORDER BY decided_at, channel, decision`,
  )
}

/** What holds now, by channel; channels nothing was decided about are left out. */
export async function consentStates(session: Session, contactId: number, now: Date): Promise<ConsentState[]> {
  return await rows<ConsentState>(
    session,
    sql`SELECT channel, state FROM (
          SELECT d.channel, ${consentSql(sql`c`, sql`d.channel`, now)} AS state
          FROM contacts c, LATERAL (SELECT DISTINCT k.channel FROM contacts o JOIN consents k USING (contact_id)
            WHERE o.person_id = c.person_id) d
          WHERE c.contact_id = ${contactId}) s
        WHERE state IS NOT NULL ORDER BY channel`,
  )
}
