import { type SQL, sql } from 'drizzle-orm'

/**
 * How many messages another system sent to a contact, as an SQL expression: (after, upTo], through the primary key.
 * @param of.channel an SQL text; every channel where it is left out
 * @param of.topic likewise
 */
export function outsideSendsSql(
  contactId: SQL,
  of: { after: SQL; upTo: Date; channel?: SQL; topic?: SQL },
): SQL {
  const channel = of.channel === undefined ? sql`` : sql` AND o.channel = ${of.channel}`
  const topic = of.topic === undefined ? sql`` : sql` AND o.topic = ${of.topic}`
  return sql`(SELECT count(*) FROM outside_sends o WHERE o.contact_id = ${contactId}
    AND o.sent_at > ${of.after} AND o.sent_at <= ${of.upTo}::timestamptz${channel}${topic})`
}

/** Messages to a contact since a moment that nothing came of: another system's and Winback's own, for `reentry.unanswered`. */
export function unansweredSendsSql(contactId: SQL, after: SQL, upTo: Date): SQL {
  return sql`(${outsideSendsSql(contactId, { after, upTo })} + (SELECT count(*) FROM touchpoint_records r
    WHERE r.contact_id = ${contactId} AND r.state IN ('sent', 'uncertain')
      AND r.settled_at > ${after} AND r.settled_at <= ${upTo}::timestamptz))`
}
