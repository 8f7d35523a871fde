import { type SQL, sql } from 'drizzle-orm'
import type { AddressKind } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import { rows, type Transaction } from '../database/connect.ts'
import { choiceSql, consentSql } from '../database/permissions.ts'

// How a step would reach those whom a run would take in: address, suppression, consent, choice, condition, as the guards
// will ask. Over the temporary table `plan_answers` of plan.ts.

/** How one step would go for the contacts that enter its tier now. */
export interface StepOutlook {
  readonly tier: string
  readonly step: string
  readonly channels: readonly string[]
  /** Those of them that are not set up. A plan that was kept before this was known has none. */
  readonly closed?: readonly string[]
  /** Those of them that reach a telephone. A plan that was kept before this was told has none. */
  readonly phones?: readonly string[]
  readonly contacts: number
  /** No address for any of the step's channels. */
  readonly noAddress: number
  readonly suppressed: number
  /** Consent is needed and was not given, or was withdrawn. */
  readonly noConsent: number
  /** The contact’s own choice of channel, topic or a pause; a frequency depends on the messages before. */
  readonly optedOut: number
  /** The condition is false. */
  readonly condition: number
  /** The condition is unknown. */
  readonly unknown: number
  /** What is left: messages, were all of them treated and none returned first. */
  readonly messages: number
  /** The same by the channel each would go by: the first of the step's on which the contact can be reached. */
  readonly byChannel: readonly ChannelShare[]
}

/** Messages of a step by one of its channels. */
export interface ChannelShare {
  readonly channel: string
  readonly messages: number
}

/** An episode as it would be opened, for conditions over `e`: earlier steps have not been sent. */
function imaginedEpisode(campaign: CompiledCampaign, now: Date) {
  return sql`LATERAL (SELECT p.contact_id, 0::bigint AS episode_id, ${campaign.name}::text AS campaign,
    ${campaign.version}::int AS version, 'treated'::text AS arm, p.segment, ${now}::timestamptz AS assigned_at) e`
}

/** How one step would go for those who enter its tier now; within the transaction that holds `plan_answers`. */
export async function foreseeStep(
  tx: Transaction,
  campaign: CompiledCampaign,
  step: CompiledStep,
  now: Date,
  reach: Reach,
): Promise<StepOutlook> {
  const { addressKinds } = reach
  const channels = step.channels.filter((channel) => !reach.closed?.has(channel))
  const kinds = new Set(channels.map((channel) => addressKinds.get(channel) ?? 'none'))
  const addressed = anyOf(kinds.has('none') ? [sql`true`] : [...kinds].map(hasAddress))
  const open = anyOf(kinds.has('none') ? [sql`true`] : [...kinds].map(isOpen))
  const condition = step.condition ? step.condition.sql(now) : sql`true`
  const allowed = allowedSql(campaign, channels, now, reach)
  const counted = await rows<
    Omit<StepOutlook, 'tier' | 'step' | 'channels' | 'closed' | 'phones' | 'byChannel'> & { channel: number }
  >(
    tx,
    sql`
    SELECT coalesce(channel, 0) AS channel, count(*) AS contacts,
      count(*) FILTER (WHERE NOT addressed) AS "noAddress",
      count(*) FILTER (WHERE addressed AND NOT open) AS suppressed,
      count(*) FILTER (WHERE open AND NOT consented) AS "noConsent",
      count(*) FILTER (WHERE open AND consented AND NOT wanted) AS "optedOut",
      count(*) FILTER (WHERE open AND consented AND wanted AND condition IS FALSE) AS condition,
      count(*) FILTER (WHERE open AND consented AND wanted AND condition IS NULL) AS unknown,
      count(*) FILTER (WHERE open AND consented AND wanted AND condition IS TRUE) AS messages
    FROM (
      SELECT (${addressed}) AS addressed, (${open}) AS open, (${condition}) AS condition,
        (${allowed.consented}) AS consented, (${allowed.wanted}) AS wanted, ${allowed.first} AS channel
      FROM plan_answers p
      JOIN contacts c ON c.contact_id = p.contact_id
      JOIN contact_activity a ON a.contact_id = p.contact_id
      LEFT JOIN contact_signals s ON s.contact_id = p.contact_id
      CROSS JOIN ${imaginedEpisode(campaign, now)}
      CROSS JOIN LATERAL (SELECT ${reach.choices ? choiceSql(sql`c`, now) : sql`NULL::jsonb`} AS choice) held
      WHERE p.answer = 'opened' AND p.tier_no = ${step.tierNo}
    ) reached GROUP BY 1`,
  )
  const sum = (key: Exclude<keyof (typeof counted)[number], 'channel'>) =>
    counted.reduce((total, row) => total + row[key], 0)
  return {
    tier: step.tier,
    step: step.id,
    channels: step.channels,
    closed: step.channels.filter((channel) => !channels.includes(channel)),
    phones: step.channels.filter((channel) => addressKinds.get(channel) === 'phone'),
    contacts: sum('contacts'),
    noAddress: sum('noAddress'),
    suppressed: sum('suppressed'),
    noConsent: sum('noConsent'),
    optedOut: sum('optedOut'),
    condition: sum('condition'),
    unknown: sum('unknown'),
    messages: sum('messages'),
    byChannel: step.channels.map((channel) => {
      const place = channels.indexOf(channel) + 1
      return { channel, messages: counted.find((row) => place > 0 && row.channel === place)?.messages ?? 0 }
    }),
  }
}

function anyOf(parts: readonly SQL[]): SQL {
  return parts.length === 0 ? sql`false` : sql`(${sql.join([...parts], sql` OR `)})`
}

/** What of the records that grow with contacts there is at all: asking a million contacts about nothing takes time. */
interface Known {
  readonly consents: boolean
  readonly choices: boolean
}

/** What is known of the channels. */
export interface Reachable {
  readonly addressKinds: ReadonlyMap<string, AddressKind>
  readonly needsConsent: ReadonlySet<string>
  /** Channels that are not set up: nobody is reached on them. */
  readonly closed?: ReadonlySet<string>
}

type Reach = Known & Reachable

/** Asked once, for all steps. */
export async function readKnown(tx: Transaction): Promise<Known> {
  const [known] = await rows<Known>(
    tx,
    sql`SELECT EXISTS (SELECT FROM consents) AS consents, EXISTS (SELECT FROM preferences) AS choices`,
  )
  return known ?? { consents: false, choices: false }
}

/** Over `c` and `held.choice`: some channel that is open has consent; some that has it is wanted, as the guards see it. */
function allowedSql(campaign: CompiledCampaign, channels: readonly string[], now: Date, reach: Reach) {
  const each = channels.map((channel) => {
    const open = isOpen(reach.addressKinds.get(channel) ?? 'none')
    const state = consentSql(sql`c`, sql`${channel}::text`, now)
    const consented = reach.needsConsent.has(channel)
      ? sql`${state} IS NOT DISTINCT FROM 'given'`
      : reach.consents
        ? sql`${state} IS DISTINCT FROM 'withdrawn'`
        : sql`true`
    const off = sql`coalesce(held.choice -> 'channelsOff' ?| ARRAY[${channel}::text, '*'], false)`
    return {
      consented: sql`(${open} AND ${consented})`,
      wanted: sql`(${open} AND ${consented} AND NOT ${off})`,
    }
  })
  const { topic } = campaign.definition
  const refused = topic === undefined ? sql`false` : sql`held.choice -> 'topicsOff' ? ${topic}::text`
  const paused = sql`(held.choice ->> 'pausedUntil')::numeric > extract(epoch FROM ${now}::timestamptz)`
  const first = each.map(({ wanted }, place) => sql`WHEN ${wanted} THEN ${place + 1}::int`)
  return {
    /** The place of the channel it goes by, from 1; NULL without one. */
    first: first.length === 0 ? sql`NULL::int` : sql`CASE ${sql.join(first, sql` `)} END`,
    consented: anyOf(each.map((one) => one.consented)),
    wanted: sql`${anyOf(each.map((one) => one.wanted))} AND NOT coalesce(${refused}, false) AND NOT coalesce(${paused}, false)`,
  }
}

function hasAddress(kind: AddressKind) {
  if (kind === 'device') return sql`EXISTS (SELECT FROM devices d WHERE d.contact_id = c.contact_id)`
  return kind === 'email' ? sql`c.email IS NOT NULL` : kind === 'phone' ? sql`c.phone IS NOT NULL` : sql`true`
}

function isOpen(kind: AddressKind) {
  if (kind === 'none') return sql`true`
  if (kind === 'device') return hasAddress(kind)
  const key = kind === 'email' ? sql`c.email_key` : sql`c.phone_key`
  return sql`(${hasAddress(kind)} AND NOT EXISTS (
    SELECT FROM suppressions s WHERE s.kind = ${kind} AND s.key = ${key}))`
}
