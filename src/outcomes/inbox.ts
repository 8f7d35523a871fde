import { sql } from 'drizzle-orm'
import type { InappMessage } from '../channels/channel.ts'
import { isSwitchedOff } from '../config/switches.ts'
import { bigints } from '../database/arrays.ts'
import { type Database, execute, rows, type Transaction, transaction } from '../database/connect.ts'
import { isUnwanted } from '../database/permissions.ts'

// Messages that wait inside the user's own app: written when their send is settled, handed out until the app says that
// one was shown, and never after that.

/** A message to be kept, as its step said it. */
export interface Arriving {
  readonly contactId: number
  readonly touchpointId: number
  readonly episodeId: number
  readonly stepId: number
  /** The offer whose grant it promises. */
  readonly offer: string | null
  readonly message: InappMessage
}

/**
 * Keeps messages whose send has just been settled as sent, in the same transaction. A claim that was lost meanwhile has
 * no such record, and its message is not kept: it will be sent again.
 */
export async function keepMessages(tx: Transaction, now: Date, arriving: readonly Arriving[]): Promise<void> {
  if (arriving.length === 0) return
  const column = (key: 'locale' | 'title' | 'text' | 'html' | 'url') =>
    sql.param(arriving.map(({ message }) => message[key]))
  await execute(
    tx,
    sql`
    INSERT INTO inapp_messages (contact_id, touchpoint_id, episode_id, step_id, locale, title, text, html, url, offer,
      created_at)
    SELECT g.contact_id, g.touchpoint_id, g.episode_id, g.step_id, g.locale, g.title, g.text, g.html, g.url, g.offer, ${now}
    FROM unnest(${bigints(arriving.map((row) => row.contactId))},
      ${bigints(arriving.map((row) => row.touchpointId))},
      ${bigints(arriving.map((row) => row.episodeId))},
      ${sql.param(arriving.map((row) => row.stepId))}::int[],
      ${column('locale')}::text[], ${column('title')}::text[], ${column('text')}::text[], ${column('html')}::text[],
      ${column('url')}::text[], ${sql.param(arriving.map((row) => row.offer))}::text[]
    ) AS g(contact_id, touchpoint_id, episode_id, step_id, locale, title, text, html, url, offer)
    WHERE EXISTS (SELECT FROM touchpoint_records r
      WHERE r.contact_id = g.contact_id AND r.touchpoint_id = g.touchpoint_id AND r.state = 'sent')
    ON CONFLICT DO NOTHING`,
  )
}

/** A message as the app is given it. */
export interface WaitingMessage {
  readonly contactId: number
  readonly touchpointId: number
  readonly locale: string
  readonly title: string
  readonly text: string
  readonly html: string
  readonly url: string | null
  readonly createdAt: Date
  /** What it promises; null where it promises nothing. */
  readonly offer: {
    readonly name: string
    readonly kind: string
    readonly code: string | null
    readonly expiresAt: Date
  } | null
}

/**
 * What waits for a contact, newest first, and has not been shown; that it was fetched is noted as delivered. A message
 * whose promise is over is left out: it would no longer be true. So is one that the person has refused since it was
 * written, by channel or topic or by a pause, while they do; and one of what is paused or was stopped.
 * @param needsConsent channels nothing is shown on without consent
 * @returns undefined where there is no such contact
 */
export async function fetchMessages(
  database: Database,
  now: Date,
  externalId: string,
  needsConsent: readonly string[],
): Promise<WaitingMessage[] | undefined> {
  return await transaction(database, async (tx) => {
    const [contact] = await rows<{ contactId: number }>(
      tx,
      sql`SELECT contact_id AS "contactId" FROM external_ids WHERE external_id = ${externalId}`,
    )
    if (!contact) return undefined
    const waiting = await rows<Omit<WaitingMessage, 'offer'> & { offer: string | null } & Granted>(
      tx,
      sql`SELECT m.contact_id AS "contactId", m.touchpoint_id AS "touchpointId", m.locale, m.title, m.text, m.html,
            m.url, m.created_at AS "createdAt", m.offer, g.kind, g.code, g.expires_at AS "expiresAt"
          FROM inapp_messages m
          LEFT JOIN steps p ON p.step_id = m.step_id
          LEFT JOIN grants g ON g.contact_id = m.contact_id AND g.episode_id = m.episode_id AND g.campaign = p.campaign
            AND g.offer = m.offer AND g.state IN ('reserved', 'granted') AND g.expires_at > ${now}
          WHERE m.contact_id = ${contact.contactId} AND m.shown_at IS NULL AND m.created_at <= ${now}
            AND (m.offer IS NULL OR g.grant_id IS NOT NULL)
            AND NOT ${isUnwanted(sql`m.contact_id`, sql`'inapp'`, sql`p.topic`, needsConsent, now)}
            AND NOT ${isSwitchedOff(sql`p.campaign`, sql`'inapp'`)}
          ORDER BY m.created_at DESC, m.touchpoint_id DESC FOR UPDATE OF m`,
    )
    await noteAll(tx, now, contact.contactId, waiting, 'delivered')
    await execute(
      tx,
      sql`UPDATE inapp_messages SET fetched_at = ${now} WHERE contact_id = ${contact.contactId} AND fetched_at IS NULL
          AND touchpoint_id = ANY (${bigints(waiting.map((row) => row.touchpointId))})`,
    )
    return waiting.map(({ kind, code, expiresAt, offer, ...message }) => ({
      ...message,
      offer:
        offer === null || kind === null || expiresAt === null ? null : { name: offer, kind, code, expiresAt },
    }))
  })
}

interface Granted {
  readonly kind: string | null
  readonly code: string | null
  readonly expiresAt: Date | null
}

/**
 * The app has shown a message: it is handed out no more. A repeat changes nothing but that a tap may follow.
 * @returns false where the contact has no such message
 */
export async function acknowledgeMessage(
  database: Database,
  now: Date,
  message: { externalId: string; contactId: number; touchpointId: number; tapped: boolean },
): Promise<boolean> {
  const { contactId, touchpointId } = message
  return await transaction(database, async (tx) => {
    const found = await execute(
      tx,
      sql`UPDATE inapp_messages m SET shown_at = coalesce(m.shown_at, ${now}), fetched_at = coalesce(m.fetched_at, ${now})
          FROM external_ids x
          WHERE x.external_id = ${message.externalId} AND x.contact_id = m.contact_id
            AND m.contact_id = ${contactId} AND m.touchpoint_id = ${touchpointId}`,
    )
    if (found === 0) return false
    await noteAll(tx, now, contactId, [{ touchpointId }], 'opened')
    if (message.tapped) await noteAll(tx, now, contactId, [{ touchpointId }], 'clicked')
    return true
  })
}

/** Once for each message and kind: what steps and reports ask of a message in the app is asked as of any other. */
async function noteAll(
  tx: Transaction,
  now: Date,
  contactId: number,
  messages: readonly { readonly touchpointId: number }[],
  kind: 'delivered' | 'opened' | 'clicked',
): Promise<void> {
  if (messages.length === 0) return
  await execute(
    tx,
    // It was written as its send was settled.
    sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at, channel, step_id,
          settled_at)
        SELECT contact_id, touchpoint_id, ${`inapp ${kind}`}, ${kind}, ${now}, ${now}, 'inapp', step_id, created_at
        FROM inapp_messages WHERE contact_id = ${contactId}
          AND touchpoint_id = ANY (${bigints(messages.map((row) => row.touchpointId))})
        ON CONFLICT DO NOTHING`,
  )
}
