import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { openNewSuppressions } from '../database/new-suppressions.ts'
import { addressHash, spellings } from './addresses.ts'
import type { Hooks } from './hooks.ts'

// Numbers of contacts held against the do-not-contact list as they are compared now, where it may have them in other
// spellings than it would have today (partial-numbers.ts).

interface Numbered {
  readonly contactId: number
  /** Normalised. */
  readonly phone: string
}

export interface Silencing {
  readonly addressKey: string
  /** Of numbers that have none. */
  readonly countries: readonly string[]
  readonly now: Date
  readonly hooks: Hooks
}

/**
 * Puts numbers of contacts on the list in all spellings where they stand there in one, and skips what waits for them.
 * @param options.besideErased the contacts may have been there as somebody with their number was erased, and stayed open
 *   then: what was kept of that says nothing of them
 */
export async function silenceSpelled(
  tx: Transaction,
  contacts: readonly Numbered[],
  { countries, addressKey, now, hooks, besideErased }: Silencing & { readonly besideErased: boolean },
): Promise<void> {
  const spelled = contacts.flatMap(({ contactId, phone }) =>
    spellings(phone, countries).map((each) => ({ contactId, key: addressHash(addressKey, 'phone', each) })),
  )
  await openNewSuppressions(tx)
  const added = await execute(
    tx,
    sql`WITH spelled AS (
          SELECT * FROM unnest(${bigints(spelled.map(({ contactId }) => contactId))},
            ${sql.param(spelled.map(({ key }) => key))}::bytea[]) AS k(contact_id, key)
        ), listed AS (
          SELECT DISTINCT ON (k.contact_id) k.contact_id, s.reason, s.source, s.suppressed_at
          FROM spelled k JOIN suppressions s ON s.kind = 'phone' AND s.key = k.key
          WHERE NOT (${besideErased} AND s.reason = 'erased') ORDER BY k.contact_id, s.suppressed_at
        ), inserted AS (
          INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT DISTINCT ON (k.key) 'phone', k.key, l.reason, l.source, l.suppressed_at
          FROM listed l JOIN spelled k USING (contact_id) ORDER BY k.key, l.suppressed_at
          ON CONFLICT DO NOTHING RETURNING kind, key
        )
        INSERT INTO new_suppressions SELECT kind, key FROM inserted`,
  )
  if (added === 0) return
  await hooks.onSuppressed?.(tx, now)
  await execute(tx, sql`TRUNCATE new_suppressions`)
}

/** {@link silenceSpelled} for all contacts there are, so many at a time: of a first import, for whom nothing waits yet. */
export async function silenceEverybody(tx: Transaction, options: Silencing): Promise<void> {
  const atOnce = 10_000
  for (let after = 0; ; ) {
    const found = await rows<Numbered>(
      tx,
      sql`SELECT contact_id AS "contactId", phone FROM contacts
          WHERE contact_id > ${after} AND phone IS NOT NULL ORDER BY contact_id LIMIT ${atOnce}`,
    )
    await silenceSpelled(tx, found, { ...options, besideErased: false })
    const last = found.at(atOnce - 1)
    if (!last) return
    after = last.contactId
  }
}
