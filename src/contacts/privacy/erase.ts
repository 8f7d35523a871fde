import { randomInt } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import { execute, rows, type Transaction } from '../../database/connect.ts'
import { joinVoices } from '../../database/listings.ts'
import { lockStripesShared } from '../../database/stripes.ts'
import type { Hooks } from '../hooks.ts'
import { momentOfChoice } from '../preferences.ts'
import { externalIdHashSql } from './erased.ts'
import { HOLDINGS, type Holding, rowsOf } from './holdings.ts'
import { blotTyped } from './typed.ts'

/** Where a record of refusal came from that an erased account left to the person's others. */
const HANDED_ON = 'erasure of another account'

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
  options: { now: Date; hooks: Hooks; phoneKeys: (phone: string) => readonly Buffer[] },
): Promise<Erased | undefined> {
  const { now, hooks, phoneKeys } = options
  await lockStripesShared(tx, sql`SELECT ${contactId}::bigint AS contact_id`)
  if (!(await lockPerson(tx, contactId))) return undefined
  // Before the episodes, as whoever records activity locks them.
  await execute(tx, sql`SELECT FROM contact_activity WHERE contact_id = ${contactId} FOR UPDATE`)
  await tx.client.query(
    'CREATE TEMP TABLE IF NOT EXISTS erased_contacts (contact_id bigint NOT NULL) ON COMMIT DELETE ROWS',
  )
  await execute(tx, sql`INSERT INTO erased_contacts VALUES (${contactId})`)
  // Before the touchpoints, as a bounce puts an address on the list and then skips what waits for it.
  const suppressed = await rememberHashes(tx, contactId, now, phoneKeys)
  await hooks.onErased?.(tx, now)
  await handOnRefusals(tx, contactId, now)
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
    if (holding.locked) {
      await execute(tx, sql`SELECT FROM ${table} WHERE ${which} ORDER BY ${holding.locked} FOR UPDATE`)
    }
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

/**
 * Locks all accounts of the person, in the order of their ids: of two that are erased at once, the second hands on
 * what the first left it, and neither hands on to one that goes.
 * @returns whether the contact is there
 */
async function lockPerson(tx: Transaction, contactId: number): Promise<boolean> {
  const locked = await rows<{ asked: boolean }>(
    tx,
    sql`SELECT l.contact_id = ${contactId} AS asked FROM contacts l WHERE l.contact_id IN (
          SELECT o.contact_id FROM contacts c JOIN contacts o ON o.person_id = c.person_id
          WHERE c.contact_id = ${contactId})
        ORDER BY l.contact_id FOR UPDATE OF l`,
  )
  return locked.some(({ asked }) => asked)
}

/**
 * What the person refused with this account goes on for its other accounts: the choice in force, if it was made here,
 * and the latest withdrawal a channel. At their own times, so that whatever the others said later still holds; without
 * the words, wordings and proofs, which are the erased account's.
 */
async function handOnRefusals(tx: Transaction, contactId: number, now: Date): Promise<void> {
  const others = sql`contacts c JOIN contacts o ON o.person_id = c.person_id AND o.contact_id <> c.contact_id`
  // Made while the erasure was looking through files, or waited for it: nobody would read it afterwards.
  const heeded = await momentOfChoice(tx, contactId, now)
  // At the same moment the choice of the lower id is in force, as where it is read.
  await execute(
    tx,
    sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until,
          source, reason)
        SELECT o.contact_id, held.chosen_at, held.channels_off, held.topics_off, held.at_most, held.within_days,
          held.paused_until, ${HANDED_ON}, NULL
        FROM ${others} CROSS JOIN LATERAL (
          SELECT p.* FROM contacts m JOIN preferences p ON p.contact_id = m.contact_id
          WHERE m.person_id = c.person_id AND p.chosen_at <= ${heeded}
          ORDER BY p.chosen_at DESC, p.contact_id LIMIT 1) held
        WHERE c.contact_id = ${contactId} AND held.contact_id = c.contact_id
        ON CONFLICT (contact_id, chosen_at) DO UPDATE SET channels_off = excluded.channels_off,
          topics_off = excluded.topics_off, at_most = excluded.at_most, within_days = excluded.within_days,
          paused_until = excluded.paused_until, source = excluded.source, reason = excluded.reason`,
  )
  await execute(
    tx,
    sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
        SELECT o.contact_id, w.channel, 'withdrawn', max(w.decided_at), ${HANDED_ON}, ${now}
        FROM ${others} JOIN consents w ON w.contact_id = c.contact_id AND w.decision = 'withdrawn'
        WHERE c.contact_id = ${contactId} GROUP BY o.contact_id, w.channel
        ON CONFLICT DO NOTHING`,
  )
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

/**
 * Every name the contact had, aliases too, and its number in every spelling. An address that another account carries
 * stays open for that account.
 */
async function rememberHashes(
  tx: Transaction,
  contactId: number,
  now: Date,
  phoneKeys: (phone: string) => readonly Buffer[],
): Promise<number> {
  await execute(
    tx,
    sql`INSERT INTO erased_ids (key, erased_at)
        SELECT ${externalIdHashSql(sql`x.external_id`)}, ${now} FROM external_ids x WHERE x.contact_id = ${contactId}
        ON CONFLICT DO NOTHING`,
  )
  const [contact] = await rows<{ email: Buffer | null; phone: string | null }>(
    tx,
    sql`SELECT email_key AS email, phone FROM contacts WHERE contact_id = ${contactId}`,
  )
  const kinds = { email: contact?.email ? [contact.email] : [], phone: phoneKeys(contact?.phone ?? '') }
  let suppressed = 0
  for (const [kind, keys] of Object.entries(kinds)) {
    const carried = sql.identifier(`${kind}_key`)
    const list = sql`${sql.param([...keys])}::bytea[]`
    const entries = sql`SELECT ${kind}::text AS kind, k.key, 'erased' AS reason, 'erasure' AS source
      FROM unnest(${list}) AS k(key)
      WHERE NOT EXISTS (SELECT FROM contacts o
        WHERE o.contact_id <> ${contactId} AND o.${carried} = ANY (${list}))`
    const insert = () =>
      execute(
        tx,
        sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
            SELECT kind, key, reason, source, ${now} FROM (${entries}) e ORDER BY key
            ON CONFLICT DO NOTHING`,
      )
    const first = await insert()
    // Whoever has the address next takes nothing back of this, nor does who takes back what a file put there.
    await execute(tx, joinVoices(entries))
    // An entry may have been taken off while that waited for it.
    const added = first + (await insert())
    if (added > 0) suppressed += 1
  }
  return suppressed
}

async function exists(tx: Transaction, table: string): Promise<boolean> {
  const [row] = await rows<{ there: boolean }>(
    tx,
    sql`SELECT to_regclass(${`${table}`}) IS NOT NULL AS there`,
  )
  return row?.there ?? false
}
