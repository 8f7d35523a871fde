import { type SQL, sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { type Chunk, chunksWithOpen, inChunk } from '../database/chunks.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { isUnwanted } from '../database/permissions.ts'
import { lockStripesShared } from '../database/stripes.ts'
import { WinbackError } from '../errors.ts'
import { grantAsked } from '../offers/conclusion.ts'
import { cancel, lockWaiting, unclaim } from '../touchpoints/interruptions.ts'
import { CAMPAIGN_CALLS, closeCalls } from './calls.ts'
import { isReleased } from './returns.ts'

// Other causes that end the sending to somebody, each inside the transaction that records it.

/**
 * Skips what was planned to addresses that were just suppressed (temp table `new_suppressions(kind, key)`), on
 * steps that have no other way to reach the person. On steps that have one, a worker may have chosen the address
 * a moment ago: its claim is taken back, and the guards choose again.
 * @param channelsOf the channels that deliver to each kind of address
 */
export async function recordSuppressions(
  tx: Transaction,
  now: Date,
  channelsOf: { email: readonly string[]; phone: readonly string[] },
): Promise<void> {
  // No episode opens meanwhile for those it reaches: its touchpoints would be planned unseen.
  const carriers = suppressedCarriers()
  await lockStripesShared(tx, carriers)
  await lockWaiting(tx, sql`t.contact_id IN (${carriers})`)
  for (const kind of ['email', 'phone'] as const) {
    const reached = sql`t.contact_id IN (${carriersOf(kind)})`
    await cancel(tx, {
      which: sql`${reached} AND EXISTS (SELECT FROM steps s WHERE s.step_id = t.step_id
          AND s.channels <@ ${sql.param(channelsOf[kind])}::text[])`,
      reason: 'suppressed',
      state: 'skipped',
      now,
    })
    await unclaim(tx, reached)
  }
  await closeCalls(tx, now, {
    which: sql`c.contact_id IN (${carriersOf('phone')})`,
    by: 'suppressed',
    kinds: CAMPAIGN_CALLS,
  })
}

/** Contacts, as a query of `contact_id`, that carry an address which was just suppressed. */
export function suppressedCarriers(): SQL {
  return sql`${carriersOf('email')} UNION ALL ${carriersOf('phone')}`
}

/** Contacts that carry an address which was just suppressed, by the indexes on their keys. */
function carriersOf(kind: 'email' | 'phone'): SQL {
  const key = sql.identifier(`${kind}_key`)
  return sql`SELECT c.contact_id FROM new_suppressions n
    JOIN contacts c ON c.${key} = n.key
    WHERE n.kind = ${kind}`
}

/**
 * Skips what was planned on channels that somebody has just refused (temp table `new_refusals(contact_id, channel,
 * reason)`; `*` is every channel), where a step has no other. What a worker holds of anything else to them is taken
 * back, and the guards look again: a refused topic, another frequency.
 */
export async function recordRefusals(tx: Transaction, now: Date): Promise<void> {
  const reached = sql`SELECT contact_id FROM new_refusals`
  await lockStripesShared(tx, reached)
  await lockWaiting(tx, sql`t.contact_id IN (${reached})`)
  for (const reason of ['no_consent', 'opted_out'] as const) {
    await cancel(tx, {
      which: sql`t.contact_id IN (SELECT contact_id FROM new_refusals WHERE reason = ${reason})
        AND EXISTS (SELECT FROM steps s,
          LATERAL (SELECT array_agg(r.channel) AS channels FROM new_refusals r
            WHERE r.contact_id = t.contact_id AND r.reason = ${reason}) refused
          WHERE s.step_id = t.step_id AND (s.channels <@ refused.channels OR '*' = ANY (refused.channels)))`,
      reason,
      state: 'skipped',
      now,
    })
  }
  await unclaim(tx, sql`t.contact_id IN (${reached})`)
  await closeCalls(tx, now, {
    // By contact first: as alternatives of their own, all calls there are were read for each choice.
    which: sql`c.contact_id IN (${reached}) AND (EXISTS (SELECT FROM new_refusals r
        WHERE r.contact_id = c.contact_id AND r.channel IN ('*', 'callback')) OR ${unwantedCall(now)})`,
    by: 'opted_out',
    kinds: CAMPAIGN_CALLS,
  })
}

/**
 * True of a call `c` that its person has refused, by channel, topic or a pause. A call is made when somebody takes it, long
 * after the guards have let it go.
 */
function unwantedCall(now: Date): SQL {
  return sql`EXISTS (SELECT FROM steps s
    WHERE s.step_id = c.step_id AND ${isUnwanted(sql`c.contact_id`, sql`'callback'`, sql`s.topic`, [], now)})`
}

/**
 * Somebody is being erased (temp table `erased_contacts(contact_id)`): their open episodes end, and what was planned is
 * skipped. A message that is being handed over cannot be called back, and its worker has to be able to say what became
 * of it: then nothing is erased yet.
 * @throws WinbackError `erase.sending`
 */
export async function recordErasure(tx: Transaction, now: Date): Promise<void> {
  await execute(
    tx,
    sql`SELECT FROM episodes WHERE contact_id IN (SELECT contact_id FROM erased_contacts)
        ORDER BY contact_id, episode_id FOR UPDATE`,
  )
  const chosen = sql`t.contact_id IN (SELECT contact_id FROM erased_contacts)`
  await cancel(tx, { which: chosen, reason: 'erased', state: 'skipped', now })
  const left = await execute(
    tx,
    sql`SELECT FROM touchpoints t WHERE ${chosen} ORDER BY t.contact_id, t.touchpoint_id FOR UPDATE`,
  )
  if (left > 0) {
    throw new WinbackError('erase.sending', 'a message to the contact is being handed over at this moment', {
      remedy: 'Try again in two minutes: then it has ended, one way or another.',
    })
  }
  await grantAsked(tx, now, sql`SELECT contact_id FROM erased_contacts`)
  await execute(
    tx,
    sql`UPDATE episodes SET silenced_at = coalesce(silenced_at, ${now}), silenced_by = coalesce(silenced_by, 'erased'),
          ended_at = ${now}, end_reason = 'erased'
        WHERE contact_id IN (SELECT contact_id FROM erased_contacts) AND ended_at IS NULL`,
  )
}

/**
 * Two persons turned out to be one (temp table `merged_persons(old_person, new_person)`, contacts already moved).
 * Open episodes of one campaign with different arms are contaminated: no new touches, counted, kept in their arms.
 * With the same arm the later one falls silent, so that nobody gets every message twice; so does that of another campaign of
 * an exclusive group, whatever the arms. What their returns have released falls silent with them, though what silenced them
 * before stays. One whose time is over stays as it is and is in nobody's way, though its campaign has not ended it yet.
 */
export async function recordMerges(tx: Transaction, now: Date): Promise<void> {
  // Looked up once, and named in each statement: asked for by person, each would look through everybody's open episodes.
  const merged = await rows<{ id: number }>(
    tx,
    sql`SELECT c.contact_id AS id FROM (SELECT DISTINCT new_person FROM merged_persons) m
        CROSS JOIN LATERAL (SELECT contact_id FROM contacts WHERE person_id = m.new_person OFFSET 0) c`,
  )
  const theirs = (contactId: SQL) => sql`${contactId} = ANY (${bigints(merged.map(({ id }) => id))})`
  const isLive = (episode: SQL) =>
    sql`${episode}.ended_at IS NULL AND ${episode}.outcome_until > ${now} AND ${episode}.arm <> 'seed'`
  const open = (episode: SQL) => sql`${theirs(sql`${episode}.contact_id`)} AND ${isLive(episode)}`
  // Locked first; the next statement decides on what it then sees.
  await execute(
    tx,
    sql`SELECT FROM episodes e WHERE ${open(sql`e`)} ORDER BY e.contact_id, e.episode_id FOR UPDATE OF e`,
  )
  await execute(
    tx,
    sql`
    WITH open AS (
      SELECT e.contact_id, e.episode_id, e.arm, c.person_id, e.campaign, greatest(
        row_number() OVER (PARTITION BY c.person_id, e.campaign ORDER BY e.assigned_at, e.episode_id),
        row_number() OVER (PARTITION BY c.person_id, e.exclusive ORDER BY e.assigned_at, e.episode_id)) AS place
      FROM episodes e JOIN contacts c ON c.contact_id = e.contact_id
      WHERE ${open(sql`e`)}
    ), mixed AS (
      SELECT person_id, campaign FROM open GROUP BY person_id, campaign HAVING count(DISTINCT arm) > 1
    )
    UPDATE episodes e SET
      contaminated = e.contaminated OR o.mixed,
      silenced_at = coalesce(e.silenced_at, ${now}),
      silenced_by = coalesce(e.silenced_by, CASE WHEN o.mixed THEN 'contaminated' ELSE 'merged' END)
    FROM (
      SELECT open.*, EXISTS (SELECT FROM mixed m WHERE (m.person_id, m.campaign) = (open.person_id, open.campaign))
        AS mixed
      FROM open
    ) o
    WHERE e.contact_id = o.contact_id AND e.episode_id = o.episode_id AND (o.mixed OR o.place > 1)`,
  )
  const earlier = sql`SELECT FROM contacts b JOIN episodes f USING (contact_id)
    WHERE b.person_id = o.person_id AND (f.campaign = e.campaign OR f.exclusive = e.exclusive)
      AND ${isLive(sql`f`)}
      AND (f.assigned_at, f.episode_id) < (e.assigned_at, e.episode_id)`
  /** Of a touchpoint or call whose episode is one of theirs and is so. */
  const among = (row: SQL, condition: SQL) => sql`${theirs(sql`${row}.contact_id`)}
    AND (${row}.contact_id, ${row}.episode_id) IN (
      SELECT e.contact_id, e.episode_id FROM episodes e JOIN contacts o ON o.contact_id = e.contact_id
      WHERE ${condition} AND ${open(sql`e`)})`
  await lockWaiting(tx, theirs(sql`t.contact_id`))
  for (const [reason, returned] of [
    ['contaminated', sql`e.contaminated`],
    ['merged', sql`NOT e.contaminated AND EXISTS (${earlier})`],
  ] as const) {
    const silenced = sql`e.silenced_by = ${reason}`
    const released = sql`e.silenced_by = 'returned' AND ${returned}`
    // One after the other: as one condition, the whole work table was read for either.
    await cancel(tx, { which: among(sql`t`, silenced), reason, now })
    await cancel(tx, {
      which: sql`${among(sql`t`, released)} AND ${isReleased(sql`t.step_id`)}`,
      reason,
      now,
    })
    await closeCalls(tx, now, { which: among(sql`c`, silenced), by: reason, kinds: CAMPAIGN_CALLS })
    await closeCalls(tx, now, { which: among(sql`c`, released), by: reason, kinds: ['welcome'] })
  }
  // What the one has refused holds for the other's calls; of messages the guards are asked before they go.
  await closeCalls(tx, now, {
    which: sql`${theirs(sql`c.contact_id`)} AND ${unwantedCall(now)}`,
    by: 'opted_out',
    kinds: CAMPAIGN_CALLS,
  })
}

/**
 * A campaign was stopped for good: what it had planned is cancelled; what it did is measured to the end. The switch
 * has been committed before, so nothing is dispatched and nobody taken in meanwhile, and this goes chunk by chunk: an
 * ingest beside it waits for ten thousand contacts, not for all of them. Run again after an interruption, it goes on.
 * @returns how many touchpoints were cancelled
 */
export async function recordStop(database: Database, now: Date, campaign: string): Promise<number> {
  await awaitRun(database, campaign)
  let cancelled = 0
  for (const chunk of await chunksWithOpen(database, campaign)) {
    cancelled += await transaction(database, (tx) => stopChunk(tx, now, campaign, chunk))
  }
  return cancelled
}

/** A run under way holds its row while it opens a chunk. Once we have had it, the run sees the stop and opens no more. */
async function awaitRun(database: Database, campaign: string): Promise<void> {
  await transaction(database, (tx) =>
    execute(
      tx,
      sql`SELECT FROM runs WHERE campaign = ${campaign} AND state = 'running' ORDER BY run_id FOR UPDATE`,
    ),
  )
}

async function stopChunk(tx: Transaction, now: Date, campaign: string, chunk: Chunk): Promise<number> {
  await execute(
    tx,
    sql`
    WITH open AS (
      SELECT contact_id, episode_id FROM episodes e
      WHERE e.campaign = ${campaign} AND e.ended_at IS NULL AND e.silenced_at IS NULL
        AND ${inChunk(chunk, sql`e.contact_id`)}
      ORDER BY contact_id, episode_id FOR UPDATE
    )
    UPDATE episodes e SET silenced_at = ${now}, silenced_by = 'stopped'
    FROM open WHERE e.contact_id = open.contact_id AND e.episode_id = open.episode_id`,
  )
  await closeCalls(tx, now, {
    which: sql`${inChunk(chunk, sql`c.contact_id`)} AND c.campaign = ${campaign}`,
    by: 'stopped',
    kinds: CAMPAIGN_CALLS,
  })
  return await cancel(tx, {
    which: sql`${inChunk(chunk, sql`t.contact_id`)}
      AND t.step_id IN (SELECT step_id FROM steps WHERE campaign = ${campaign})`,
    reason: 'stopped',
    now,
  })
}
