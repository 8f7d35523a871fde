import { randomInt } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { lockStripesShared } from '../database/stripes.ts'
import { externalIdHashSql } from './erased.ts'
import { HOLDINGS, type Holding, rowsOf } from './holdings.ts'
import type { Hooks } from './hooks.ts'
import { blotTyped } from './typed.ts'

/** What an erasure did, in numbers; it names nobody. */
export interface Erased {
  /** Rows removed, by table. */
  readonly removed: Readonly<Record<string, number>>
  /** Rows that stay under a random id, by table. */
  readonly kept: Readonly<Record<string, number>>
  /** Addresses that were put on the do-not-contact list as keyed hashes. */
  readonly suppressed: number
  /** Texts that operators typed and that named the person: blotted. */
  readonly blotted: number
}

/**
 * Erases one contact in the caller's transaction (I12). What names the person goes. Arm and outcome stay under an id
 * drawn at random and written down nowhere, so that the counts of reports hold. Keyed hashes of the external id and of
 * addresses nobody else carries stay, so that tonight's import brings nobody back.
 * @returns undefined where there is no such contact
 * @throws WinbackError of the hook, where a message is being handed over at this very moment
 */
export async function eraseContact(
  tx: Transaction,
  contactId: number,
  options: { now: Date; hooks: Hooks },
): Promise<Erased | undefined> {
  const { now, hooks } = options
  await lockStripesShared(tx, sql`SELECT ${contactId}::bigint AS contact_id`)
  const found = await execute(tx, sql`SELECT FROM contacts WHERE contact_id = ${contactId} FOR UPDATE`)
  if (found === 0) return undefined
  // Before the episodes, as whoever records activity locks them.
  await execute(tx, sql`SELECT FROM contact_activity WHERE contact_id = ${contactId} FOR UPDATE`)
  await tx.client.query(
    'CREATE TEMP TABLE IF NOT EXISTS erased_contacts (contact_id bigint NOT NULL) ON COMMIT DELETE ROWS',
  )
  await execute(tx, sql`INSERT INTO erased_contacts VALUES (${contactId})`)
  await hooks.onErased?.(tx, now)
  const suppressed = await rememberHashes(tx, contactId, now)
  const blotted = await blotTyped(tx, contactId)
  const removed: Record<string, number> = {}
  const kept: Record<string, number> = {}
  const stranger = drawStranger()
  // Hides the ids a provider was told.
  const distance = sql`${randomInt(2 ** 46, 2 ** 47)}::bigint`
  for (const holding of HOLDINGS) {
    if (holding.fate === 'stays' || (holding.rehearsal && !(await exists(tx, holding.table)))) continue
    const table = sql.identifier(holding.table)
    const which = rowsOf(holding, contactId)
    if (holding.fate === 'removed') {
      removed[holding.table] = await execute(tx, sql`DELETE FROM ${table} WHERE ${which}`)
    } else {
      kept[holding.table] = await execute(
        tx,
        sql`UPDATE ${table} SET ${estranged(holding, holding.alone ? drawStranger() : stranger, distance)} WHERE ${which}`,
      )
    }
  }
  await rows(tx, sql`TRUNCATE erased_contacts`)
  return { removed, kept, suppressed, blotted }
}

/** Below zero no identity column and no sequence ever comes. */
function drawStranger(): SQL {
  return sql`${-randomInt(1, 2 ** 47)}::bigint`
}

/** The assignments that leave a kept row without a way back. */
function estranged(holding: Holding, stranger: SQL, distance: SQL): SQL {
  const ids = (holding.shifted ?? []).map((name) => {
    const column = sql.identifier(name)
    return sql`${column} = ${column} - ${distance}`
  })
  const blanks = Object.entries(holding.blanked ?? {}).map(
    ([name, value]) => sql`${sql.identifier(name)} = ${value}`,
  )
  const person = holding.table === 'episodes' ? [sql`person_id = ${stranger}`] : []
  return sql.join([sql`contact_id = ${stranger}`, ...person, ...ids, ...blanks], sql`, `)
}

/** Every name the contact had, aliases too. An address that another account carries stays open for that account. */
async function rememberHashes(tx: Transaction, contactId: number, now: Date): Promise<number> {
  await execute(
    tx,
    sql`INSERT INTO erased_ids (key, erased_at)
        SELECT ${externalIdHashSql(sql`x.external_id`)}, ${now} FROM external_ids x WHERE x.contact_id = ${contactId}
        ON CONFLICT DO NOTHING`,
  )
  return await execute(
    tx,
    sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
        SELECT k.kind, k.key, 'erased', 'erasure', ${now}
        FROM contacts c, LATERAL (VALUES ('email', c.email_key), ('phone', c.phone_key)) AS k(kind, key)
        WHERE c.contact_id = ${contactId} AND k.key IS NOT NULL AND NOT EXISTS (
          SELECT FROM contacts o WHERE o.contact_id <> c.contact_id
            AND ((k.kind = 'email' AND o.email_key = k.key) OR (k.kind = 'phone' AND o.phone_key = k.key)))
        ON CONFLICT DO NOTHING`,
  )
}

async function exists(tx: Transaction, table: string): Promise<boolean> {
  const [row] = await rows<{ there: boolean }>(
    tx,
    sql`SELECT to_regclass(${`${table}`}) IS NOT NULL AS there`,
  )
  return row?.there ?? false
}
