import { sql } from 'drizzle-orm'
import type { Reply } from '../channels/channel.ts'
import { reasonSaid } from '../config/reasons.ts'
import { type Database, execute, type Transaction, transaction } from '../database/connect.ts'
import { keepContacts } from '../database/person-locks.ts'
import { storable } from '../database/storable.ts'
import { suppress } from './do-not-contact.ts'
import { type Addressed, isAddressed, type ReportingChannel } from './reporting.ts'

/** A reply with the keys its sender's number or address is compared by: a number has several spellings. */
export interface KeyedReply extends Reply {
  readonly keys: readonly Buffer[]
}

/** At most this many characters of a reply are kept. */
const LENGTH = 2000

/**
 * Records what people answered; an opt-out puts their number on the do-not-contact list in the same transaction, and
 * skips what waits for it. A reply that is one of the reasons for staying away is kept as such, too. One number of several contacts answers for each of them.
 * @returns those whose opt-out was not known before, of a contact: each is confirmed once, whatever is repeated
 */
export async function recordReplies(
  database: Database,
  now: Date,
  channel: ReportingChannel,
  replies: readonly KeyedReply[],
): Promise<readonly KeyedReply[]> {
  const keyed = replies.flatMap((reply) => reply.keys.map((key) => ({ ...reply, key })))
  if (keyed.length === 0 || !isAddressed(channel)) return []
  const key = sql.identifier(`${channel.kind}_key`)
  const keys = sql.param(keyed.map((reply) => reply.key))
  return await transaction(database, async (tx) => {
    await keepContacts(tx, sql`c.${key} = ANY (${keys}::bytea[])`)
    await execute(
      tx,
      sql`
      WITH given AS (
        SELECT DISTINCT ON (key, event_id) * FROM unnest(${keys}::bytea[],
          ${sql.param(keyed.map((reply) => storable(reply.eventId)))}::text[],
          ${sql.param(keyed.map((reply) => storable(reply.text, LENGTH)))}::text[],
          ${sql.param(keyed.map((reply) => reply.optOut))}::boolean[],
          ${sql.param(keyed.map((reply) => reply.at.toISOString()))}::timestamptz[],
          ${sql.param(keyed.map((reply) => reasonSaid(reply.text) ?? null))}::text[]
        ) AS g(key, event_id, text, opt_out, replied_at, reason)
      ), kept AS (
        INSERT INTO replies (contact_id, channel, event_id, text, opt_out, replied_at)
        SELECT c.contact_id, ${channel.name}, g.event_id, g.text, g.opt_out, least(g.replied_at, ${now})
        FROM given g JOIN contacts c ON c.${key} = g.key
        ORDER BY c.contact_id, g.event_id
        ON CONFLICT DO NOTHING RETURNING contact_id, event_id, replied_at
      )
      INSERT INTO reasons_given (contact_id, source, reason, said_at, recorded_by)
      SELECT k.contact_id, 'reply', g.reason, k.replied_at, ${channel.name}
      FROM kept k JOIN contacts c USING (contact_id)
      JOIN given g ON g.event_id = k.event_id AND g.key = c.${key}
      WHERE g.reason IS NOT NULL
      ORDER BY k.contact_id`,
    )
    return await optOut(tx, now, channel, replies)
  })
}

async function optOut(
  tx: Transaction,
  now: Date,
  channel: Addressed,
  replies: readonly KeyedReply[],
): Promise<KeyedReply[]> {
  const leaving = replies.filter((reply) => reply.optOut)
  if (leaving.length === 0) return []
  const added = await suppress(tx, now, channel, {
    source: `reply to ${channel.name}`,
    found: leaving.flatMap((reply) => reply.keys.map((key) => ({ key, reason: 'unsubscribe' }))),
  })
  return leaving.filter(
    (reply, index) =>
      reply.keys.some((key) => added.some((each) => each.carried && each.key.equals(key))) &&
      leaving.findIndex(({ from }) => from === reply.from) === index,
  )
}
