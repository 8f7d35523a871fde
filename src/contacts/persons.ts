import { type SQL, sql } from 'drizzle-orm'
import { countriesOf } from '../channels/sms/phone.ts'
import { lockKey } from '../database/advisory-locks.ts'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { lookUpSingly } from '../database/look-ups.ts'
import type { IdentifierKind } from './addresses.ts'
import type { Hooks } from './hooks.ts'
import { latestChoice } from './preferences.ts'
import { handOnToParted, mergingOf, partedOf, type Relinked, uniteChoices } from './relinked.ts'

/** A contact with the identifiers that link it: those shared, and by no more contacts than the limit. */
export interface Linked extends Relinked {
  readonly links: readonly string[]
}

/** What persons are linked by. */
export interface Linking {
  /** An identifier that more contacts carry links nobody. */
  readonly sharedByAtMost: number
  /** Of numbers that have none. */
  readonly countries: readonly string[]
}

/** As winback.yaml says it. */
export function linkingOf(
  workspace: Parameters<typeof countriesOf>[0] & { readonly persons: { readonly shared_by_at_most: number } },
): Linking {
  return { sharedByAtMost: workspace.persons.shared_by_at_most, countries: countriesOf(workspace) }
}

/**
 * What a contact's number is compared by: with its country, where it is known.
 * @param contact an alias of something with phone_key and whole_key
 */
export function numberKey(contact: SQL): SQL {
  return sql`coalesce(${contact}.whole_key, ${contact}.phone_key)`
}

/** The ids of the contacts that carry an identifier, by the indexes on their keys. */
export function carriersOf(kind: IdentifierKind, key: SQL): SQL {
  if (kind === 'email') return sql`SELECT c.contact_id FROM contacts c WHERE c.email_key = ${key}`
  return sql`SELECT c.contact_id FROM contacts c WHERE c.phone_key = ${key} AND c.whole_key IS NULL
    UNION ALL SELECT c.contact_id FROM contacts c WHERE c.whole_key = ${key}`
}

/**
 * Serialises whoever makes contacts or changes their identifiers: two transactions that each add a contact with
 * the same address do not see one another's, and would leave them two persons for good.
 */
export async function lockContacts(tx: Transaction): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('identifiers')})`)
}

/**
 * {@link lockContacts} for whoever makes contacts under that lock. A chunk of a file makes its contacts before it asks
 * for the lock (see {@link shareNames}), so that two chunks go on side by side: who held the lock and then waited for
 * one of the chunk's external ids would be waited for by the chunk. Here the names come first, for both.
 */
export async function lockNames(tx: Transaction): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('externalIds')})`)
  await lockContacts(tx)
}

/** Before a chunk makes contacts: beside other chunks, and not beside those of {@link lockNames}. */
export async function shareNames(tx: Transaction): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock_shared(${lockKey('externalIds')})`)
}

/** Makes the temporary tables of this file, empty. Needed once a transaction, before {@link linkPersons}. */
export async function prepareLinks(tx: Transaction): Promise<void> {
  await tx.client.query(`
    CREATE TEMP TABLE IF NOT EXISTS touched_identifiers (
      kind text NOT NULL, key bytea NOT NULL, contact_id bigint NOT NULL, added boolean NOT NULL
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS made_contacts (
      contact_id bigint NOT NULL, email_key bytea, phone_key bytea
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS merged_persons (
      old_person bigint NOT NULL, new_person bigint NOT NULL
    ) ON COMMIT DELETE ROWS`)
}

/**
 * Assigns persons anew around the identifiers in `touched_identifiers`, which the transaction has added to
 * contacts or taken from them (contacts it has made stand in `made_contacts`; `phone` is a number by {@link numberKey}): a person is a connected component
 * over shared identifiers, named after its first contact. An identifier that more than `sharedByAtMost` contacts carry
 * links nobody. Expects {@link lockContacts}, and all stripes: a selection that draws an arm for anybody of a merged
 * person, moved or not, comes wholly before or wholly after.
 */
export async function linkPersons(
  tx: Transaction,
  options: { sharedByAtMost: number; now: Date; hooks: Hooks },
): Promise<void> {
  const members = await lookUpSingly(tx, () => readMembers(tx, options.sharedByAtMost))
  const persons = namedAsBefore(members, componentsOf(members))
  const moved = members.filter((member) => persons.get(member.contactId) !== member.personId)
  if (moved.length === 0) return
  const ids = moved.map((member) => member.contactId)
  const targets = moved.map((member) => persons.get(member.contactId) ?? member.personId)
  const parted = partedOf(members, persons)
  const merging = mergingOf(members, persons)
  // Those that stay who they were, too: what one of them is refusing at this moment is then to be seen.
  const others = [...parted, ...merging].map(({ contactId }) => contactId)
  await execute(
    tx,
    sql`SELECT FROM contacts WHERE contact_id = ANY(${bigints([...ids, ...others])})
        ORDER BY contact_id FOR NO KEY UPDATE`,
  )
  // What was chosen while we waited for the locks is heeded: the merge comes after it.
  const chosen = await latestChoice(tx, sql`SELECT unnest(${bigints(others)}) AS contact_id`, options.now)
  const now = chosen && chosen > options.now ? new Date(chosen.getTime() + 1) : options.now
  if (parted.length > 0) await handOnToParted(tx, parted, persons, now)
  if (merging.length > 0) await uniteChoices(tx, merging, persons, now)
  await execute(
    tx,
    sql`UPDATE contacts SET person_id = moved.person_id
        FROM unnest(${bigints(ids)}, ${bigints(targets)}) AS moved (contact_id, person_id)
        WHERE contacts.contact_id = moved.contact_id`,
  )
  const merged = mergesOf(members, persons)
  if (merged.length === 0 || !options.hooks.onMerged) return
  await execute(
    tx,
    sql`INSERT INTO merged_persons SELECT * FROM unnest(
          ${bigints(merged.map(({ from }) => from))}, ${bigints(merged.map(({ to }) => to))})`,
  )
  await options.hooks.onMerged(tx, now)
  await execute(tx, sql`DELETE FROM merged_persons`)
}

/**
 * Everyone whose person may change: the contacts touched, those that share a touched identifier, and the rest of
 * all their persons. An identifier that was over the limit before and still is changes nothing, and is read only
 * as far as it takes to see that: `none@example.com` may stand at a hundred thousand contacts.
 */
async function readMembers(tx: Transaction, limit: number): Promise<Linked[]> {
  const shared = (kind: IdentifierKind) => {
    const key = kind === 'email' ? sql`m.email_key` : numberKey(sql`m`)
    return sql`(
      SELECT encode(${key}, 'hex') WHERE 2 <= (
        SELECT CASE WHEN count(*) <= ${limit} THEN count(*) ELSE 0 END FROM (
          SELECT FROM (${carriersOf(kind, key)}) AS c LIMIT ${limit + 1}
        ) AS carriers
      ))`
  }
  const found = await rows<{
    contact_id: number
    person_id: number
    email: string | null
    phone: string | null
    is_new: boolean
  }>(
    tx,
    sql`WITH keys AS (
          SELECT kind, key, count(*) FILTER (WHERE added) AS added FROM touched_identifiers GROUP BY kind, key
        ), carriers AS (
          SELECT c.contact_id, k.added, count(*) OVER (PARTITION BY k.kind, k.key) AS carried_by
          FROM keys k CROSS JOIN LATERAL (
            SELECT * FROM (${carriersOf('email', sql`k.key`)}) AS e WHERE k.kind = 'email'
            UNION ALL SELECT * FROM (${carriersOf('phone', sql`k.key`)}) AS p WHERE k.kind = 'phone'
            LIMIT ${limit} + k.added + 1
          ) AS c
        ), affected AS (
          SELECT contact_id FROM carriers WHERE carried_by <= ${limit} + added
          UNION SELECT contact_id FROM touched_identifiers
        ), persons AS (
          SELECT DISTINCT (SELECT c.person_id FROM contacts c WHERE c.contact_id = a.contact_id) AS person_id
          FROM affected a
        )
        SELECT m.contact_id, m.person_id, ${shared('email')} AS email, ${shared('phone')} AS phone,
          m.contact_id IN (SELECT contact_id FROM made_contacts) AS is_new
        FROM persons p CROSS JOIN LATERAL (SELECT * FROM contacts WHERE person_id = p.person_id OFFSET 0) m`,
  )
  return found.map((row) => ({
    contactId: row.contact_id,
    personId: row.person_id,
    isNew: row.is_new,
    links: [
      ...(row.email === null ? [] : [`email ${row.email}`]),
      ...(row.phone === null ? [] : [`phone ${row.phone}`]),
    ],
  }))
}

/** The person of each contact: the smallest contact_id it is connected to, directly or through others. */
function componentsOf(members: readonly Linked[]): Map<number, number> {
  const parents = new Map<number, number>()
  const rootOf = (contactId: number): number => {
    let root = contactId
    for (let parent = parents.get(root) ?? root; parent !== root; parent = parents.get(root) ?? root)
      root = parent
    for (let at = contactId; at !== root; ) {
      const parent = parents.get(at) ?? root
      parents.set(at, root)
      at = parent
    }
    return root
  }
  const carrier = new Map<string, number>()
  for (const { contactId, links } of members) {
    parents.set(contactId, parents.get(contactId) ?? contactId)
    for (const link of links) {
      const other = carrier.get(link)
      if (other === undefined) {
        carrier.set(link, contactId)
        continue
      }
      const [one, two] = [rootOf(contactId), rootOf(other)]
      parents.set(Math.max(one, two), Math.min(one, two))
    }
  }
  return new Map(members.map(({ contactId }) => [contactId, rootOf(contactId)]))
}

/**
 * Of a person whose first contact was erased, the name stays as long as they neither merge nor fall apart: whether they are in
 * the control group is drawn by it.
 */
function namedAsBefore(
  members: readonly Linked[],
  components: ReadonlyMap<number, number>,
): Map<number, number> {
  const origins = new Map<number, Set<number>>()
  const parts = new Map<number, Set<number>>()
  for (const { contactId, personId, isNew } of members) {
    if (isNew) continue
    const component = components.get(contactId) ?? contactId
    origins.set(component, (origins.get(component) ?? new Set()).add(personId))
    parts.set(personId, (parts.get(personId) ?? new Set()).add(component))
  }
  return new Map(
    [...components].map(([contactId, component]) => {
      const [only = component, ...others] = origins.get(component) ?? []
      const stays = !components.has(only) && others.length === 0 && parts.get(only)?.size === 1
      return [contactId, stays ? only : component]
    }),
  )
}

/** Persons that became part of another; contacts made in this very transaction were nobody before. */
function mergesOf(
  members: readonly Linked[],
  persons: ReadonlyMap<number, number>,
): { from: number; to: number }[] {
  const origins = new Map<number, Set<number>>()
  for (const { contactId, personId, isNew } of members) {
    if (isNew) continue
    const person = persons.get(contactId) ?? personId
    const origin = origins.get(person) ?? new Set()
    origins.set(person, origin.add(personId))
  }
  return [...origins].flatMap(([to, origin]) =>
    origin.size < 2 ? [] : [...origin].filter((from) => from !== to).map((from) => ({ from, to })),
  )
}
