import { sql } from 'drizzle-orm'
import { rows } from '../../src/database/connect.ts'
import type { CreditRequest } from '../../src/offers/provider.ts'
import { createSlots } from '../../src/touchpoints/sending/slots.ts'
import { createStandstill } from '../../src/touchpoints/sending/standstill.ts'
import type { TestChannel } from '../support/channel.ts'
import { openProvider } from '../support/provider.ts'
import type { Shop } from '../support/shop.ts'
import type { Asking, ShopMode } from './crediting.ts'

// The system under test and its far end: channels that remember what they were given, a shop with its accounts, and what of
// the system hangs in the air.

/** A worker that hangs. */
export interface Hanging {
  /** Lets it go on, to its end: its first sends have ended well, or nobody knows how. */
  readonly go: (mode: 'sent' | 'uncertain') => Promise<void>
  /** It has asked the shop and done nothing else. */
  readonly asking?: Asking
}

export interface Real {
  readonly shop: Shop
  readonly accounts: Accounts
  readonly email: TestChannel
  readonly log: TestChannel
  /** By the workers' numbers. */
  readonly hanging: Map<number, Hanging>
  /** When a touchpoint was dispatched last, by its id; and when each mail was, in the order they were sent. */
  readonly dispatchedAt: Map<number, number>
  readonly mailedAt: number[]
  /** Whoever was erased, by name and id: what the far end has of them belongs to nobody. */
  readonly erased: Set<number | string>
}

/** The accounts of a shop that is asked over HTTP to put something there. */
export interface Accounts {
  readonly url: string
  mode: ShopMode
  /** What it was asked, by key, as it came; another text for the same key is a mistake. */
  readonly asked: Map<string, Set<string>>
  readonly credited: Map<string, CreditRequest>
  stop(): Promise<void>
}

export async function openAccounts(): Promise<Accounts> {
  const asked = new Map<string, Set<string>>()
  const credited = new Map<string, CreditRequest>()
  const server = await openProvider(({ headers, body }) => {
    const text = body.toString('utf8')
    const request = JSON.parse(text) as CreditRequest
    asked.set(request.key, (asked.get(request.key) ?? new Set()).add(text))
    if (headers['idempotency-key'] !== request.key) return { status: 400 }
    const { mode } = accounts
    if (mode === 'credits' || mode === 'lost') credited.set(request.key, request)
    if (mode === 'lost') return 'hang up'
    if (mode === 'down') return { status: 500 }
    if (mode === 'closed') return { status: 503 }
    // What is there already is not refused.
    return { status: credited.has(request.key) ? 200 : 422 }
  })
  const accounts: Accounts = { url: server.url, mode: 'credits', asked, credited, stop: server.stop }
  return accounts
}

/**
 * Another worker process: it shares nothing with the others but the database and the channels' far end. None comes to a
 * standstill, which takes ten in doubt on a wide channel, and the provider takes eight mails: on a narrow one it takes three,
 * and which others are under way by then is a matter of milliseconds.
 */
export function anotherWorker(real: Real) {
  const { worker } = real.shop.runtime
  const slots = new Map(
    [...worker.channels].map(([name, { concurrency }]) => [
      name,
      createSlots(concurrency, createStandstill(Number.POSITIVE_INFINITY)),
    ]),
  )
  return { ...worker, slots }
}

export interface TouchRow {
  readonly campaign: string
  readonly contact: string
  readonly no: number
  readonly step: string
  readonly variant: string | null
  readonly state: string
  readonly reason: string | null
  readonly attempt: number
  readonly plannedFor: Date
  readonly dueAt: Date | null
  readonly id: number
}

export function readTouches(real: Real): Promise<TouchRow[]> {
  return rows<TouchRow>(
    real.shop.database,
    sql`
    SELECT e.campaign, c.external_id AS contact, e.episode_no AS no, s.step, t.variant, t.state, t.reason, t.attempt::int,
      t.planned_for AS "plannedFor", t.due_at AS "dueAt", t.touchpoint_id AS id
    FROM (
      SELECT contact_id, episode_id, touchpoint_id, step_id, variant, state, NULL AS reason, attempt, planned_for, due_at
      FROM touchpoints
      UNION ALL
      SELECT contact_id, episode_id, touchpoint_id, step_id, variant, state, reason, attempt, planned_for, NULL
      FROM touchpoint_records
    ) t JOIN steps s USING (step_id) JOIN contacts c USING (contact_id)
    JOIN episodes e USING (contact_id, episode_id)`,
  )
}

export interface GrantRow {
  readonly campaign: string
  readonly contact: string
  readonly no: number
  readonly offer: string
  readonly state: string
  readonly credit: string | null
  /** As the shop is told. */
  readonly key: string
}

export function readGrants(real: Real): Promise<GrantRow[]> {
  const { name } = real.shop.runtime.worker.installation
  return rows<GrantRow>(
    real.shop.database,
    sql`SELECT e.campaign, c.external_id AS contact, e.episode_no AS no, g.offer, g.state, g.credit, 'grant-' || ${name}::text || '-' || g.grant_id AS key
      FROM grants g JOIN contacts c USING (contact_id) JOIN episodes e USING (contact_id, episode_id)`,
  )
}

/** What is read once after each step of a story. */
export interface Seen {
  readonly touches: readonly TouchRow[]
  readonly grants: readonly GrantRow[]
}

export async function look(real: Real): Promise<Seen> {
  const [touches, grants] = await Promise.all([readTouches(real), readGrants(real)])
  return { touches, grants }
}
