import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, type Transaction } from '../database/connect.ts'
import { RELINKED } from '../database/permissions.ts'

// What persons have refused, as their accounts are linked anew: whoever was told that it holds is not written to again
// because an address has changed. Read of a person as it is at each look (database/permissions.ts), it would go with the
// account it was said with, or be outweighed by what another had said before anybody knew that they are one.

/** A contact, and the person it was. */
export interface Relinked {
  readonly contactId: number
  readonly personId: number
  /** Made in this very transaction: it was nobody before. */
  readonly isNew: boolean
}

/** The contacts as a table `r(contact_id, was, becomes)`, with the person of each until now and from now on. */
function relinkedTable(contacts: readonly Relinked[], persons: ReadonlyMap<number, number>): SQL {
  return sql`unnest(${bigints(contacts.map(({ contactId }) => contactId))},
    ${bigints(contacts.map(({ personId }) => personId))},
    ${bigints(contacts.map(({ contactId, personId }) => persons.get(contactId) ?? personId))}
  ) AS r(contact_id, was, becomes)`
}

/** How a choice is written over one that the contact made at the very same moment. */
const OVER_THE_SAME_MOMENT = sql`ON CONFLICT (contact_id, chosen_at) DO UPDATE SET channels_off = excluded.channels_off,
  topics_off = excluded.topics_off, at_most = excluded.at_most, within_days = excluded.within_days,
  paused_until = excluded.paused_until`

/**
 * Pure: the contacts of persons that fall apart, all of them.
 * @param persons the person of each contact from now on
 */
export function partedOf(members: readonly Relinked[], persons: ReadonlyMap<number, number>): Relinked[] {
  const becomes = new Map<number, Set<number | undefined>>()
  for (const { contactId, personId } of members) {
    becomes.set(personId, (becomes.get(personId) ?? new Set()).add(persons.get(contactId)))
  }
  return members.filter(({ personId }) => (becomes.get(personId)?.size ?? 0) > 1)
}

/**
 * What the person refused with an account goes on for those that part from it: they were told that it holds, and a new address
 * of one takes nothing back. At its own time, so that whatever they say later holds; beside what they had refused themselves;
 * without the words, wordings and proofs, which are the other account's. Expects the contacts to be locked, and to be the
 * persons they were.
 * @param persons the person of each contact from now on
 */
export async function handOnToParted(
  tx: Transaction,
  parted: readonly Relinked[],
  persons: ReadonlyMap<number, number>,
  now: Date,
): Promise<void> {
  const accounts = sql`WITH parted AS (
      SELECT * FROM ${relinkedTable(parted, persons)}
      -- Who was erased before they were locked is not there.
      WHERE (SELECT c.contact_id FROM contacts c WHERE c.contact_id = r.contact_id) IS NOT NULL)`
  // At the same moment the choice of the lower id is in force, as where it is read.
  await execute(
    tx,
    sql`${accounts}, latest AS (
          SELECT DISTINCT ON (a.was) a.was, a.becomes, p.* FROM parted a JOIN preferences p USING (contact_id)
          WHERE p.chosen_at <= ${now} ORDER BY a.was, p.chosen_at DESC, p.contact_id
        ), own AS (
          SELECT DISTINCT ON (p.contact_id) p.* FROM parted a JOIN preferences p USING (contact_id)
          WHERE p.chosen_at <= ${now} ORDER BY p.contact_id, p.chosen_at DESC
        )
        INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until,
          source)
        SELECT a.contact_id, l.chosen_at,
          ARRAY(SELECT DISTINCT unnest(l.channels_off || o.channels_off) ORDER BY 1),
          ARRAY(SELECT DISTINCT unnest(l.topics_off || o.topics_off) ORDER BY 1),
          CASE WHEN l.at_most IS NULL THEN o.at_most ELSE l.at_most END,
          CASE WHEN l.at_most IS NULL THEN o.within_days ELSE l.within_days END,
          greatest(l.paused_until, o.paused_until), ${RELINKED.parted}
        FROM parted a JOIN latest l ON l.was = a.was AND l.becomes <> a.becomes LEFT JOIN own o ON o.contact_id = a.contact_id
        WHERE cardinality(l.channels_off) + cardinality(l.topics_off) > 0 OR l.at_most IS NOT NULL OR l.paused_until > ${now}
        ORDER BY a.contact_id ${OVER_THE_SAME_MOMENT}`,
  )
  await execute(
    tx,
    sql`${accounts}
        INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
        SELECT a.contact_id, w.channel, 'withdrawn', max(w.decided_at), ${RELINKED.parted}, ${now}
        FROM parted a JOIN parted b ON b.was = a.was AND b.becomes <> a.becomes
        JOIN consents w ON w.contact_id = b.contact_id AND w.decision = 'withdrawn'
        GROUP BY a.contact_id, w.channel ORDER BY a.contact_id, w.channel
        ON CONFLICT DO NOTHING`,
  )
}

/**
 * Pure: the contacts that become one person with others than before, all of them; those that are made alone have chosen nothing.
 * @param persons the person of each contact from now on
 */
export function mergingOf(members: readonly Relinked[], persons: ReadonlyMap<number, number>): Relinked[] {
  const known = members.filter(({ isNew }) => !isNew)
  const origins = new Map<number | undefined, Set<number>>()
  for (const { contactId, personId } of known) {
    const person = persons.get(contactId)
    origins.set(person, (origins.get(person) ?? new Set()).add(personId))
  }
  return known.filter(({ contactId }) => (origins.get(persons.get(contactId))?.size ?? 0) > 1)
}

/**
 * What accounts refused each while nobody knew that they are one person's holds for all of them: the later choice was made
 * on a page that did not show the earlier one, and takes nothing of it back. Written down as a choice of now, where the
 * latest lacks something, with the account that made that one; whatever is chosen from now on is chosen knowing all of it.
 * Expects the contacts to be locked, and to be the persons they were.
 * @param persons the person of each contact from now on
 */
export async function uniteChoices(
  tx: Transaction,
  merging: readonly Relinked[],
  persons: ReadonlyMap<number, number>,
  now: Date,
): Promise<void> {
  await execute(
    tx,
    sql`WITH merging AS (
          SELECT * FROM ${relinkedTable(merging, persons)}
        ), held AS (
          SELECT DISTINCT ON (m.becomes, m.was) m.becomes, p.* FROM merging m JOIN preferences p USING (contact_id)
          WHERE p.chosen_at <= ${now} ORDER BY m.becomes, m.was, p.chosen_at DESC, p.contact_id
        ), latest AS (
          SELECT DISTINCT ON (becomes) * FROM held ORDER BY becomes, chosen_at DESC, contact_id
        ), united AS (
          SELECT l.*, ARRAY(SELECT DISTINCT off FROM held h, unnest(h.channels_off) AS off WHERE h.becomes = l.becomes ORDER BY 1)
              AS channels, ARRAY(SELECT DISTINCT off FROM held h, unnest(h.topics_off) AS off WHERE h.becomes = l.becomes ORDER BY 1)
              AS topics,
            (SELECT max(h.paused_until) FROM held h WHERE h.becomes = l.becomes AND h.paused_until > ${now}) AS paused,
            rarest.at_most AS most, rarest.within_days AS days
          FROM latest l LEFT JOIN LATERAL (
            SELECT h.at_most, h.within_days FROM held h WHERE h.becomes = l.becomes AND h.at_most IS NOT NULL
            ORDER BY h.at_most::numeric / h.within_days, h.contact_id <> l.contact_id LIMIT 1) rarest ON true
        )
        INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, at_most, within_days, paused_until,
          source)
        SELECT contact_id, ${now}, channels, topics, most, days, paused, ${RELINKED.merged} FROM united
        WHERE NOT (channels <@ channels_off AND topics <@ topics_off AND (most, days) IS NOT DISTINCT FROM (at_most, within_days)
          AND (paused IS NULL OR paused IS NOT DISTINCT FROM paused_until))
        ORDER BY contact_id ${OVER_THE_SAME_MOMENT}`,
  )
}
