import { type SQL, sql } from 'drizzle-orm'
import { earlier, later } from '../clock.ts'
import type { CampaignBook } from '../config/compiled.ts'
import type { ChannelRate } from '../config/rates.ts'
import { lockKey } from '../database/advisory-locks.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { isSaid } from '../database/permissions.ts'
import { recordOf } from './keys.ts'

// What stops by itself: a channel whose mail is complained of or bounces (a breaker), and a campaign that goes beyond the
// shares its own `stop` rules allow. Both are pauses like those of a person, with the figures as their reason.

/** Events that are too few to be a share of anything. */
const LEAST = { complaint: 2, hard_bounce: 5, unsubscribe: 3 } as const
export type Harm = keyof typeof LEAST

/** What a stretch of time brought: messages that went out, and what came of them. */
export interface HarmTally {
  readonly sent: number
  readonly harm: Readonly<Partial<Record<Harm, number>>>
}

/** The first rule that is broken, in words; undefined where none is. Pure. */
export function broken(
  tally: HarmTally,
  rules: Readonly<Partial<Record<Harm, number | undefined>>>,
): string | undefined {
  for (const kind of Object.keys(LEAST) as Harm[]) {
    const limit = rules[kind]
    const count = tally.harm[kind] ?? 0
    if (limit === undefined || count < LEAST[kind] || tally.sent === 0) continue
    // A quick provider reports before the batch of its messages is counted.
    const share = count / Math.max(count, tally.sent)
    if (share <= limit) continue
    return `${percent(share)} ${WORDS[kind]} (${count} of ${tally.sent}), more than ${percent(limit)}`
  }
  return undefined
}

const WORDS = { complaint: 'complaints', hard_bounce: 'hard bounces', unsubscribe: 'opt-outs' }

function percent(share: number): string {
  return `${Math.round(share * 1e4) / 100} %`
}

/** Counts a batch's messages for the breakers; one row, appended. */
export async function countSends(
  database: Database,
  batch: { campaign: string; channel: string; now: Date; sent: number },
): Promise<void> {
  await execute(
    database,
    sql`INSERT INTO send_counts (campaign, channel, sent_at, sent)
      VALUES (${batch.campaign}, ${batch.channel}, ${batch.now}, ${batch.sent})`,
  )
}

/**
 * Counts for the breakers what is recorded outside of any batch as possibly out: a part of a statement that ends in it. What
 * comes of such a message, a complaint or a bounce, counts as harm; so it counts as sent.
 * @param recorded a query of `step_id`, `channel` and `state`
 */
export function countedDoubts(recorded: SQL, now: Date): SQL {
  return sql`INSERT INTO send_counts (campaign, channel, sent_at, sent)
      SELECT s.campaign, r.channel, ${now}, count(*) FROM (${recorded}) r JOIN steps s USING (step_id)
      WHERE r.state = 'uncertain' AND r.channel IS NOT NULL GROUP BY s.campaign, r.channel`
}

const DEFAULTS = { complaint: 0.001, hard_bounce: 0.05, window: 86_400 }

/** What happened to breakers and campaigns in one look. */
export interface Tripped {
  readonly scope: 'channel' | 'campaign'
  readonly name: string
  readonly event: 'opened' | 'half_open' | 'closed' | 'stopped'
  readonly reason: string
}

/**
 * Looks at every channel that has sent lately. A closed breaker opens where a share is exceeded: the channel is paused. After its
 * window it is tried again with a few messages (half open); if they do no harm for as long after the first of them, it closes,
 * else it opens again. Where none went out, nothing was tried. A person who resumes the channel closes it as well. Any number of
 * processes may look at the same moment.
 */
export async function watchChannels(
  database: Database,
  now: Date,
  rules: Readonly<Record<string, Pick<ChannelRate, 'breaker'>>>,
): Promise<Tripped[]> {
  return await transaction(database, async (tx) => {
    await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('breakers')})`)
    const known = await rows<Breaker>(
      tx,
      sql`SELECT b.channel, b.state, b.since, w.name IS NOT NULL AS paused FROM breakers b
        LEFT JOIN switches w ON w.scope = 'channel' AND w.name = b.channel`,
    )
    const active = await rows<{ channel: string }>(
      tx,
      sql`SELECT DISTINCT channel FROM send_counts WHERE sent_at > ${earlier(now, 7 * 86_400)}`,
    )
    const events: Tripped[] = []
    for (const channel of new Set([...known, ...active].map((row) => row.channel))) {
      const limits = rules[channel]?.breaker ?? DEFAULTS
      const breaker = known.find((row) => row.channel === channel)
      const turn =
        breaker?.state === 'open'
          ? await tryAgain(tx, now, breaker, limits)
          : await watchChannel(tx, now, channel, breaker, limits)
      if (turn) events.push({ scope: 'channel', name: channel, ...turn })
    }
    return events
  })
}

/** Of a channel that is not merely closed. */
interface Breaker {
  readonly channel: string
  readonly state: 'open' | 'half_open'
  readonly since: Date
  /** The channel is switched off, by the breaker or by somebody. */
  readonly paused: boolean
}

type Limits = NonNullable<ChannelRate['breaker']>
type Turn = Pick<Tripped, 'event' | 'reason'>

/** Half opens a breaker that is open, once its window is over or somebody has resumed the channel. */
async function tryAgain(
  tx: Transaction,
  now: Date,
  { channel, since, paused }: Breaker,
  { window }: Limits,
): Promise<Turn | undefined> {
  if (paused && later(since, window) > now) return undefined
  await execute(
    tx,
    sql`DELETE FROM switches WHERE scope = 'channel' AND name = ${channel} AND reason LIKE 'breaker: %'`,
  )
  await execute(tx, sql`UPDATE breakers SET state = 'half_open', since = ${now} WHERE channel = ${channel}`)
  return { event: 'half_open', reason: 'tried again with a few messages' }
}

/** Opens the breaker of a channel that does harm, and closes one that is half open once a few messages did none. */
async function watchChannel(
  tx: Transaction,
  now: Date,
  channel: string,
  halfOpen: Breaker | undefined,
  { window, ...limits }: Limits,
): Promise<Turn | undefined> {
  const windowStart = earlier(now, window)
  const since = halfOpen && halfOpen.since > windowStart ? halfOpen.since : windowStart
  const reason = broken(await tallyOf(tx, { channel, since }), limits)
  if (reason !== undefined) {
    await execute(
      tx,
      sql`INSERT INTO breakers (channel, state, since, reason) VALUES (${channel}, 'open', ${now}, ${reason})
        ON CONFLICT (channel) DO UPDATE SET state = 'open', since = excluded.since, reason = excluded.reason`,
    )
    await pause(tx, now, 'channel', channel, `breaker: ${reason}`)
    return { event: 'opened', reason }
  }
  if (!halfOpen || !(await wasTried(tx, channel, halfOpen.since, windowStart))) return undefined
  await execute(tx, sql`DELETE FROM breakers WHERE channel = ${channel}`)
  return { event: 'closed', reason: 'a few messages did no harm' }
}

/** Whether a message went out since a breaker is half open, so long ago that its window is over. */
async function wasTried(tx: Transaction, channel: string, since: Date, before: Date): Promise<boolean> {
  const [first] = await rows(
    tx,
    sql`SELECT FROM send_counts WHERE channel = ${channel} AND sent_at > ${since} AND sent_at <= ${before} AND sent > 0 LIMIT 1`,
  )
  return first !== undefined
}

/** Days over which a campaign's `stop` rules count. */
const STOP_WINDOW = 7 * 86_400

/** Pauses campaigns that go beyond what their `stop` rules allow, over the last seven days. */
export async function watchCampaigns(database: Database, now: Date, book: CampaignBook): Promise<Tripped[]> {
  const since = earlier(now, STOP_WINDOW)
  const active = await rows<{ campaign: string }>(
    database,
    sql`SELECT DISTINCT s.campaign FROM send_counts s WHERE s.sent_at > ${since}
      AND NOT EXISTS (SELECT FROM switches w WHERE w.scope = 'campaign' AND w.name = s.campaign)`,
  )
  const events: Tripped[] = []
  for (const { campaign } of active) {
    const rules = (await book.currentText(campaign))?.definition.stop
    if (!rules || Object.keys(rules).length === 0) continue
    const reason = broken(
      await tallyOf(database, { campaign, since: await watchedSince(database, campaign, since) }),
      rules,
    )
    if (reason === undefined) continue
    await transaction(database, async (tx) => {
      await execute(
        tx,
        sql`INSERT INTO stop_marks (campaign, stopped_at) VALUES (${campaign}, ${now})
          ON CONFLICT (campaign) DO UPDATE SET stopped_at = excluded.stopped_at`,
      )
      await pause(tx, now, 'campaign', campaign, `stop rule: ${reason}`)
    })
    events.push({ scope: 'campaign', name: campaign, event: 'stopped', reason })
  }
  return events
}

/** What was counted when the campaign was paused is not held against it again once somebody has resumed it. */
async function watchedSince(database: Database, campaign: string, since: Date): Promise<Date> {
  const [mark] = await rows<{ at: Date }>(
    database,
    sql`SELECT stopped_at AS at FROM stop_marks WHERE campaign = ${campaign}`,
  )
  return mark && mark.at > since ? mark.at : since
}

async function pause(
  tx: Transaction,
  now: Date,
  scope: 'channel' | 'campaign',
  name: string,
  reason: string,
): Promise<void> {
  await execute(
    tx,
    sql`INSERT INTO switches (scope, name, state, reason, since) VALUES (${scope}, ${name}, 'paused', ${reason}, ${now})
      ON CONFLICT DO NOTHING`,
  )
}

/**
 * Messages of a channel or a campaign since a moment, and the harm heard of these: of those before, people complain for days, and
 * that is no share of what went out since.
 */
async function tallyOf(
  session: Database | Transaction,
  of: { channel?: string; campaign?: string; since: Date },
): Promise<HarmTally> {
  const { channel = null, campaign = null, since } = of
  const [sent] = await rows<{ sent: number }>(
    session,
    sql`SELECT coalesce(sum(sent), 0)::bigint AS sent FROM send_counts
      WHERE sent_at > ${since} AND (${channel}::text IS NULL OR channel = ${channel})
        AND (${campaign}::text IS NULL OR campaign = ${campaign})`,
  )
  const harm = await rows<{ kind: Harm; count: number }>(
    session,
    sql`
    WITH heard AS MATERIALIZED (
      SELECT d.kind, d.contact_id, d.touchpoint_id, d.channel, d.step_id, coalesce(d.settled_at, d.received_at) AS sent_at
      FROM delivery_events d
      WHERE d.kind IN ('complaint', 'hard_bounce') AND d.received_at > ${since}
    ), told AS (
      SELECT * FROM heard WHERE step_id IS NOT NULL UNION ALL
      -- An older version did not write down of what it is.
      SELECT h.kind, h.contact_id, h.touchpoint_id, r.channel, r.step_id, r.settled_at FROM heard h
      CROSS JOIN LATERAL ${recordOf(sql`h`, sql`r.channel, r.step_id, r.settled_at`)} r WHERE h.step_id IS NULL
    )
    SELECT kind, count(*) AS count FROM (
      SELECT DISTINCT d.kind, d.contact_id, d.touchpoint_id FROM told d JOIN steps s ON s.step_id = d.step_id
      WHERE d.sent_at > ${since} AND (${channel}::text IS NULL OR d.channel = ${channel})
        AND (${campaign}::text IS NULL OR s.campaign = ${campaign} AND NOT (${isSeeds(sql`d`)}))
    ) e GROUP BY kind`,
  )
  const left = campaign === null ? 0 : await optOuts(session, campaign, since)
  return {
    sent: sent?.sent ?? 0,
    harm: { ...Object.fromEntries(harm.map(({ kind, count }) => [kind, count])), unsubscribe: left },
  }
}

/** True of a message of a seed, by its ids: looked up of the few who are one alone. */
function isSeeds(message: SQL): SQL {
  return sql`${message}.contact_id IN (SELECT e.contact_id FROM episodes e WHERE e.arm = 'seed')
    AND NOT EXISTS (SELECT FROM ${recordOf(message, sql`r.contact_id, r.episode_id`)} r WHERE ${isCounted(sql`r`)})`
}

/** True of a message that is no seed's: a colleague who tries the link says nothing of the campaign. */
function isCounted(record: SQL): SQL {
  return sql`NOT EXISTS (SELECT FROM episodes e
    WHERE e.contact_id = ${record}.contact_id AND e.episode_id = ${record}.episode_id AND e.arm = 'seed')`
}

/** Contacts who refused a channel, or were put on the do-not-contact list as unsubscribed, after a message of the campaign. */
async function optOuts(session: Database | Transaction, campaign: string, since: Date): Promise<number> {
  const [left] = await rows<{ count: number }>(
    session,
    sql`
    SELECT count(DISTINCT gone.contact_id) AS count FROM (
      SELECT p.contact_id, p.chosen_at AS at FROM preferences p
      WHERE p.chosen_at > ${since} AND cardinality(p.channels_off) > 0 AND ${isSaid(sql`p`)}
      UNION ALL
      SELECT c.contact_id, x.suppressed_at FROM suppressions x
      JOIN contacts c ON (x.kind = 'email' AND c.email_key = x.key) OR (x.kind = 'phone' AND c.phone_key = x.key)
      WHERE x.reason = 'unsubscribe' AND x.suppressed_at > ${since}
    ) gone
    WHERE EXISTS (SELECT FROM touchpoint_records r JOIN steps s USING (step_id)
      WHERE r.contact_id = gone.contact_id AND s.campaign = ${campaign} AND r.state IN ('sent', 'uncertain')
        AND ${isCounted(sql`r`)}
        AND r.settled_at > ${since} AND r.settled_at <= gone.at AND r.settled_at > gone.at - interval '604800 seconds')`,
  )
  return left?.count ?? 0
}
