import { type SQL, sql } from 'drizzle-orm'
import { execute, type Session } from './connect.ts'

// What a contact allows, as SQL over the append-only records. Derived at each look and kept nowhere: a record that
// comes late, twice or in another order ends at the same answer, and a rehearsal sees what held at its moment.
// Both look at the whole person: whoever says stop with one account means it for the others.
//
// Where nobody has ever recorded anything, one look a statement tells so, and none a contact is made: without it, a fifth
// of what reading a batch takes went into finding nothing.

const CONSENTS: SQL = sql`(SELECT EXISTS (SELECT FROM consents))`
const CHOICES: SQL = sql`(SELECT EXISTS (SELECT FROM preferences))`

/**
 * `given`, `withdrawn` or NULL: whether a contact's consent to a channel is in force. Its own latest consent has to be
 * younger than any withdrawal of the same person; at the same moment, the withdrawal holds.
 * @param contact an alias of `contacts`
 * @param channel a text expression
 */
export function consentSql(contact: SQL, channel: SQL, now: Date): SQL {
  // OFFSET 0: else PostgreSQL puts each of the two in where it is named, and looks for withdrawals twice.
  return sql`(SELECT CASE WHEN given > coalesce(withdrawn, '-infinity') THEN 'given'
      WHEN withdrawn IS NOT NULL THEN 'withdrawn' END
    FROM (SELECT
      (SELECT max(g.decided_at) FROM consents g WHERE g.contact_id = ${contact}.contact_id AND g.channel = ${channel}
        AND g.decision = 'given' AND g.decided_at <= ${now}) AS given,
      (SELECT max(w.decided_at) FROM contacts o JOIN consents w ON w.contact_id = o.contact_id
        WHERE o.person_id = ${contact}.person_id AND w.channel = ${channel}
          AND w.decision = 'withdrawn' AND w.decided_at <= ${now}) AS withdrawn OFFSET 0) decided
    WHERE ${CONSENTS})`
}

/**
 * What the person of a contact chose last, as jsonb; NULL of those who never chose. `lately` counts the messages to
 * the person within the time a frequency speaks of, those under way, those of unknown fate (though they are tried again) and
 * those that another system sent before included.
 * @param contact an alias of `contacts`
 * @param touchpointId an expression: the message that asks, which does not count itself; none by default
 */
export function choiceSql(contact: SQL, now: Date, touchpointId = sql`0`): SQL {
  return sql`(SELECT jsonb_build_object('channelsOff', p.channels_off, 'topicsOff', p.topics_off,
      'pausedUntil', extract(epoch FROM p.paused_until), 'atMost', p.at_most, 'withinDays', p.within_days,
      'lately', CASE WHEN p.at_most IS NOT NULL THEN (
        SELECT count(*) FROM contacts m
        CROSS JOIN LATERAL (
          SELECT FROM touchpoint_records r WHERE r.contact_id = m.contact_id AND r.state IN ('sent', 'uncertain')
            AND r.settled_at > ${now}::timestamptz - make_interval(secs => p.within_days * 86400)
          UNION ALL SELECT FROM touchpoints other WHERE other.contact_id = m.contact_id
            AND (other.state = 'sending' OR other.doubted) AND other.touchpoint_id <> ${touchpointId}
          UNION ALL SELECT FROM outside_sends b WHERE b.contact_id = m.contact_id
            AND b.sent_at > ${now}::timestamptz - make_interval(secs => p.within_days * 86400)) message
        WHERE m.person_id = ${contact}.person_id) END)
    FROM contacts o JOIN preferences p ON p.contact_id = o.contact_id
    WHERE o.person_id = ${contact}.person_id AND p.chosen_at <= ${now} AND ${CHOICES}
    ORDER BY p.chosen_at DESC, p.contact_id LIMIT 1)`
}

/**
 * True where a channel may not be used for a contact: consent withdrawn, or not given where the workspace asks for it,
 * or the channel refused or paused by the contact. For the last look, when `sending` is marked.
 *
 * Whoever chose how often they want to hear is refused unless `counted`: two workers that count at the same moment would
 * both find room for the last message.
 * @param message an alias of `touchpoints`
 * @param channel a text expression
 * @param required channels that need consent
 * @param counted the caller holds the lock on the person (person-locks.ts), and so what it counts stays true
 */
export function isRefused(
  message: SQL,
  channel: SQL,
  required: readonly string[],
  now: Date,
  counted: boolean,
): SQL {
  const tooOften = counted
    ? sql`(held.choice ->> 'lately')::int >= (held.choice ->> 'atMost')::int`
    : sql`held.choice ->> 'atMost' IS NOT NULL`
  const choice = choiceSql(sql`c`, now, sql`${message}.touchpoint_id`)
  return refusing(sql`${message}.contact_id`, channel, required, now, choice, tooOften)
}

/**
 * True where what has been sent already, and lies where it can be held back, may not be shown to a contact: as
 * {@link isRefused}, and where its topic is refused. How often somebody wants to hear was asked when it was sent.
 * @param topic a text expression, NULL without one
 */
export function isUnwanted(
  contactId: SQL,
  channel: SQL,
  topic: SQL,
  required: readonly string[],
  now: Date,
): SQL {
  const choice = choiceSql(sql`c`, now)
  return refusing(contactId, channel, required, now, choice, sql`held.choice -> 'topicsOff' ? ${topic}`)
}

/** True where consent or the `choice` of a contact, as `held`, speaks against a channel now, or `besides` does. */
function refusing(
  contactId: SQL,
  channel: SQL,
  required: readonly string[],
  now: Date,
  choice: SQL,
  besides: SQL,
): SQL {
  const state = consentSql(sql`c`, channel, now)
  const needed = sql`${channel} = ANY (${sql.param([...required])}::text[])`
  return sql`((${required.length > 0} OR ${CONSENTS} OR ${CHOICES})
    AND EXISTS (SELECT FROM contacts c
      -- OFFSET 0: else each is looked up again wherever it is named.
      CROSS JOIN LATERAL (SELECT ${state} AS consent, ${choice} AS choice OFFSET 0) held
      WHERE c.contact_id = ${contactId} AND (
        held.consent = 'withdrawn' OR (${needed} AND held.consent IS DISTINCT FROM 'given')
        OR held.choice -> 'channelsOff' ?| ARRAY[${channel}, '*']
        OR (held.choice ->> 'pausedUntil')::numeric > extract(epoch FROM ${now}::timestamptz)
        OR ${besides})))`
}

/** Where records come from that accounts are given as they are linked anew. */
export const RELINKED = { parted: 'parting of accounts', merged: 'merging of accounts' } as const

/** True of a record of consent or choice that somebody made, and that no account was given: what is counted of who opts out. */
export function isSaid(record: SQL): SQL {
  return sql`${record}.source NOT IN (${sql.raw(`'${RELINKED.parted}', '${RELINKED.merged}'`)})`
}

/** When somebody said what they allow, and since when an address is on the do-not-contact list. */
const SAID = [
  ['consents', 'decided_at'],
  ['preferences', 'chosen_at'],
  ['suppressions', 'suppressed_at'],
] as const

/**
 * Has what was said by a clock that was ahead hold from now on: it would be heeded only once that time has come. All of it goes
 * back by as much as the last of it, so that its order stays.
 */
export async function heedSaidAhead(session: Session, now: Date): Promise<void> {
  for (const [table, column] of SAID) {
    const at = sql.identifier(column)
    await execute(
      session,
      sql`UPDATE ${sql.identifier(table)} SET ${at} = ${at} - (ahead.last - ${now}::timestamptz)
        FROM (SELECT max(${at}) AS last FROM ${sql.identifier(table)}) ahead WHERE ${at} > ${now}`,
    )
  }
}
