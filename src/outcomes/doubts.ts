import { sql } from 'drizzle-orm'
import type { Answer, Channel } from '../channels/channel.ts'
import { earlier } from '../clock.ts'
import { bigints } from '../database/arrays.ts'
import { type Database, rows, type Session } from '../database/connect.ts'
import { type Installation, named } from '../database/installation.ts'
import { messageOf } from '../errors.ts'
import type { TouchpointKey } from '../touchpoints/keys.ts'
import { settlementOf } from '../touchpoints/lifecycle.ts'
import { resolve } from '../touchpoints/recovery.ts'
import { knownByReport, recordReceipts } from './receipts.ts'
import { isAddressed, type ReportingChannel } from './reporting.ts'

// Sends of unknown outcome, cleared up: by a receipt that came before the doubt was recorded, or by asking the
// provider, where it can be asked. Nothing is ever sent again from here.

/** What clearing up brought. */
export interface ClearedUp {
  readonly sent: number
  readonly failed: number
}

/** Seconds after which a doubt is asked about again, by how often it was; then it is left to a late receipt. */
const PAUSES = [60, 300, 1800, 7200, 21_600, 86_400]
/** Seconds after which nobody asks any more: the last pause is over long before. */
const GIVEN_UP = 2 * 86_400
/** How many are asked about at a time. */
const BATCH = 50
/** Milliseconds of real time after which the rest is left to the next round: who asks has other things to do. */
const ROUND = 20_000

/** Remembers, for one process, which doubts it has asked about: asking once more after a restart does no harm. */
export interface Inquiries {
  /** By touchpoint: how often, and since when it was in doubt. */
  readonly asked: Map<number, { readonly times: number; readonly settledAt: Date }>
}

export function createInquiries(): Inquiries {
  return { asked: new Map() }
}

interface DoubtRow extends TouchpointKey {
  channel: string
  providerId: string | null
  plannedFor: Date
  settledAt: Date
  externalId: string
  email: string | null
  phone: string | null
  sentTo: Buffer | null
  emailKey: Buffer | null
}

/** Settles what receipts have told already, whichever came first. @returns how many */
export async function settleByEvents(session: Session, now: Date): Promise<number> {
  const known = await rows<TouchpointKey>(
    session,
    sql`
    SELECT r.contact_id AS "contactId", r.touchpoint_id AS "touchpointId"
    FROM touchpoint_records r
    WHERE r.state = 'uncertain' AND EXISTS (SELECT FROM delivery_events d
      WHERE d.contact_id = r.contact_id AND d.touchpoint_id = r.touchpoint_id)
    ORDER BY r.contact_id, r.touchpoint_id LIMIT 10000`,
  )
  if (known.length === 0) return 0
  return await resolve(
    session,
    now,
    known.map((key) => knownByReport(key)),
  )
}

/** Who can be asked, and what was asked before. */
export interface Asking {
  readonly channels: ReadonlyMap<string, Channel>
  readonly reporting: (channel: string) => ReportingChannel
  readonly inquiries: Inquiries
  readonly installation: Installation
  /** Milliseconds of real time after which the rest is left to the next round. */
  readonly round?: number
}

/** Asks the providers that can be asked about the sends whose outcome nobody knows. */
export async function askProviders(
  database: Database,
  now: Date,
  { channels, reporting, inquiries, installation, round = ROUND }: Asking,
): Promise<ClearedUp> {
  const askable = [...channels.values()].filter((channel) => channel.query).map((channel) => channel.name)
  if (askable.length === 0) return { sent: 0, failed: 0 }
  const since = earlier(now, GIVEN_UP)
  for (const [id, { settledAt }] of inquiries.asked) if (settledAt <= since) inquiries.asked.delete(id)
  const doubts = await findDue(database, askable, { now, since }, inquiries)
  const due = doubts.filter((doubt) => isKnownBy(reporting(doubt.channel), doubt)).slice(0, BATCH)
  const result = { sent: 0, failed: 0 }
  const until = performance.now() + round
  for (const [place, doubt] of due.entries()) {
    if (place > 0 && performance.now() >= until) break
    const { touchpointId, settledAt } = doubt
    const times = (inquiries.asked.get(touchpointId)?.times ?? 0) + 1
    inquiries.asked.set(touchpointId, { times, settledAt })
    const answer = await ask(channels.get(doubt.channel), doubt, installation)
    if (answer.outcome === 'unknown') continue
    inquiries.asked.delete(touchpointId)
    if (answer.outcome === 'absent') {
      const failed = settlementOf(doubt, 'failed', 'refused', 'the provider never got it')
      result.failed += await resolve(database, now, [failed])
      continue
    }
    const { settled } = await recordReceipts(database, now, reporting(doubt.channel), answer.events)
    const sent = settlementOf(doubt, 'sent', null, 'known by asking the provider')
    result.sent += settled + (await resolve(database, now, [sent]))
  }
  return result
}

/** The doubts that it is time to ask about, the oldest first; those of which nobody can tell for now keep no others waiting. */
async function findDue(
  database: Database,
  channels: readonly string[],
  { now, since }: { readonly now: Date; readonly since: Date },
  { asked }: Inquiries,
): Promise<DoubtRow[]> {
  return await rows<DoubtRow>(
    database,
    sql`
    SELECT r.contact_id AS "contactId", r.touchpoint_id AS "touchpointId", r.channel, r.provider_id AS "providerId",
      r.planned_for AS "plannedFor", r.settled_at AS "settledAt", c.external_id AS "externalId", c.email, c.phone,
      r.address_key AS "sentTo", c.email_key AS "emailKey"
    FROM touchpoint_records r JOIN contacts c ON c.contact_id = r.contact_id
    LEFT JOIN unnest(${bigints([...asked.keys()])}, ${sql.param([...asked.values()].map(({ times }) => times))}::int[])
      AS k(touchpoint_id, times) ON k.touchpoint_id = r.touchpoint_id
    WHERE r.state = 'uncertain' AND r.channel = ANY (${sql.param(channels)}::text[]) AND r.settled_at > ${since}
      -- NULL, and so not due, once it was asked about as often as there are pauses.
      AND r.settled_at + make_interval(secs => (${sql.param(PAUSES)}::int[])[coalesce(k.times, 0) + 1]) <= ${now}
    ORDER BY r.settled_at, r.touchpoint_id LIMIT 1000`,
  )
}

/**
 * A provider knows a message by the address it went to, too. Asked by another, that the contact has got since, it would say
 * that it never had the message; then only a receipt can tell.
 */
function isKnownBy(channel: ReportingChannel, { sentTo, phone, emailKey }: DoubtRow): boolean {
  if (sentTo === null || !isAddressed(channel)) return true
  const present =
    channel.kind === 'phone' ? channel.phoneKeys(phone ?? '') : emailKey === null ? [] : [emailKey]
  return present.some((key) => key.equals(sentTo))
}

async function ask(
  channel: Channel | undefined,
  doubt: DoubtRow,
  installation: Installation,
): Promise<Answer> {
  const { contactId, touchpointId, externalId, email, phone, providerId, plannedFor, settledAt } = doubt
  // Neither language nor zone has a part in where a message goes.
  const address = channel?.addressOf({ contactId, externalId, email, phone, locale: 'en', timezone: 'UTC' })
  if (!channel?.query || address === undefined) return { outcome: 'unknown' }
  try {
    const message = { contactId, touchpointId, ...named(installation, touchpointId) }
    return await channel.query({ ...message, address, providerId, plannedFor, since: settledAt })
  } catch (cause) {
    throw new Error(`${channel.name}: asking about a send failed: ${messageOf(cause)}`, { cause })
  }
}
