import { sql } from 'drizzle-orm'
import { type Erased, eraseContact } from '../contacts/privacy/erase.ts'
import { scrubRejects, type Traces } from '../contacts/privacy/scrub.ts'
import { connect, type Database, rows, type Transaction, transaction } from '../database/connect.ts'
import { migrate } from '../database/migrate.ts'
import type { Runtime } from './runtime.ts'

/** What an erasure came to; it names nobody. */
export interface Erasure extends Erased {
  /** Rehearsals the contact stood in too. */
  readonly rehearsals: readonly string[]
  readonly files: {
    /** Rows taken out of reject files. */
    readonly rows: number
    /** Reject files that are not on this machine: to be looked into where the import ran, or deleted there. */
    readonly elsewhere: readonly string[]
  }
}

/**
 * Erases a contact wherever Winback holds something: the tables, those of rehearsals, reject files. The queue holds
 * internal ids alone, which then lead nowhere.
 * @param also what else belongs to it, in the transaction that erases: the audit's entry
 * @returns undefined where there is no such contact
 * @throws WinbackError `erase.sending`: try again in two minutes
 */
export async function eraseEverywhere(
  runtime: Pick<Runtime, 'database' | 'hooks' | 'clock' | 'addressKeys' | 'spellingsOf'>,
  externalId: string,
  also?: (tx: Transaction) => Promise<void>,
): Promise<Erasure | undefined> {
  const { database, hooks, clock, addressKeys, spellingsOf } = runtime
  const erase = (tx: Transaction, contactId: number) =>
    eraseContact(tx, contactId, {
      now: clock.now(),
      hooks,
      phoneKeys: (phone) => addressKeys('phone', phone),
    })
  const found = await findTraces(database, externalId, spellingsOf)
  if (!found) return undefined
  // Files and rehearsals first: should the process die between, the contact is still there to be erased again.
  const files = await scrubFiles(database, found)
  const rehearsals: string[] = []
  for (const schema of await rehearsalsOf(database)) {
    const other = connect(database.url, { schema, max: 1 })
    try {
      // One from before an upgrade lacks what an erasure asks for since.
      await migrate(other)
      const done = await transaction(other, (tx) => erase(tx, found.contactId))
      if (done) rehearsals.push(schema)
    } finally {
      await other.close()
    }
  }
  const erased = await transaction(database, async (tx) => {
    const done = await erase(tx, found.contactId)
    if (done) await also?.(tx)
    return done
  })
  return erased && { ...erased, rehearsals, files }
}

/** How many other contacts share the person, and an address: what somebody about to erase wants to know. */
export async function countSharing(database: Database, externalId: string): Promise<number> {
  const [row] = await rows<{ others: number }>(
    database,
    sql`SELECT count(*) - 1 AS others FROM contacts o
        WHERE o.person_id = (SELECT person_id FROM contacts JOIN external_ids x USING (contact_id)
          WHERE x.external_id = ${externalId})`,
  )
  return Math.max(0, row?.others ?? 0)
}

async function findTraces(
  database: Database,
  externalId: string,
  spellingsOf: Runtime['spellingsOf'],
): Promise<(Traces & { contactId: number }) | undefined> {
  const [row] = await rows<Omit<Traces, 'phones'> & { contactId: number; phone: string | null }>(
    database,
    sql`SELECT c.contact_id AS "contactId", c.email, c.phone,
          ARRAY(SELECT i.external_id FROM external_ids i WHERE i.contact_id = c.contact_id
            UNION SELECT a.anonymous_id FROM anonymous_ids a WHERE a.contact_id = c.contact_id) AS names
        FROM external_ids x JOIN contacts c USING (contact_id) WHERE x.external_id = ${externalId}`,
  )
  return row && { ...row, phones: row.phone === null ? [] : spellingsOf(row.phone) }
}

async function scrubFiles(database: Database, traces: Traces): Promise<Erasure['files']> {
  const known = await rows<{ file: string }>(
    database,
    sql`SELECT DISTINCT reject_file AS file FROM imports WHERE reject_file IS NOT NULL ORDER BY file`,
  )
  let gone = 0
  const elsewhere: string[] = []
  for (const { file } of known) {
    const scrubbed = await scrubRejects(file, traces)
    if (scrubbed === undefined) elsewhere.push(file)
    else gone += scrubbed
  }
  return { rows: gone, elsewhere }
}

/** Schemas beside ours that were made from it: they carry our key. */
async function rehearsalsOf(database: Database): Promise<string[]> {
  const candidates = await rows<{ schema: string }>(
    database,
    sql`SELECT n.nspname AS schema FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relname = 'erased_ids' AND c.relkind = 'r' AND n.nspname <> current_schema() ORDER BY n.nspname`,
  )
  const ours: string[] = []
  for (const { schema } of candidates) {
    const [same] = await rows<{ same: boolean }>(
      database,
      sql`SELECT EXISTS (SELECT FROM ${sql.identifier(schema)}.settings o JOIN settings s USING (name, value)
          WHERE s.name = 'address_key') AS same`,
    )
    if (same?.same) ours.push(schema)
  }
  return ours
}
