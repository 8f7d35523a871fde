import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { createSlots } from '../../src/touchpoints/slots.ts'
import { brokenPromises } from '../invariants/promises.ts'
import type { TestChannel } from '../support/channel.ts'
import type { Shop } from '../support/shop.ts'
import { isOpen, LIABILITY, type Model, PRICE } from './model.ts'

/** The system under test, and what of it is hanging in the air. */
export interface Real {
  readonly shop: Shop
  readonly email: TestChannel
  readonly log: TestChannel
  /** Ways to let a hanging worker go on, by its number. */
  readonly hanging: Map<number, () => Promise<void>>
}

/** Another worker process: it shares nothing with the others but the database and the channels' far end. */
export function anotherWorker(real: Real) {
  const { worker } = real.shop.runtime
  const slots = new Map(
    [...worker.channels].map(([name, { concurrency }]) => [name, createSlots(concurrency)]),
  )
  return { ...worker, slots }
}

export interface TouchRow {
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
    SELECT c.external_id AS contact, e.episode_no AS no, s.step, t.variant, t.state, t.reason, t.attempt::int,
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

const sorted = (lines: string[]) => lines.toSorted()
const time = (at: Date | number | null) => (at === null ? '-' : new Date(at).toISOString())

/** Everything the database says is everything the model says: arms, stages, ends, touchpoints, recalls, money. */
export async function compare(model: Model, real: Real): Promise<void> {
  const { database } = real.shop
  const [episodes, stages, touches, money] = await Promise.all([
    rows<Record<string, string | number | boolean | Date | null>>(
      database,
      sql`SELECT c.external_id AS contact, e.*, (SELECT recalled_at FROM recalls r
          WHERE r.contact_id = e.contact_id AND r.episode_id = e.episode_id AND goal_no = 0) AS recalled_at
        FROM episodes e JOIN contacts c USING (contact_id)`,
    ),
    rows<{ contact: string; no: number; tierNo: number; arm: string; drawn: boolean; enteredAt: Date }>(
      database,
      sql`SELECT c.external_id AS contact, e.episode_no AS no, s.tier_no AS "tierNo", s.arm, s.drawn,
          s.entered_at AS "enteredAt"
        FROM stages s JOIN episodes e USING (contact_id, episode_id) JOIN contacts c USING (contact_id)`,
    ),
    readTouches(real),
    rows<{ kind: string; amount: number }>(
      database,
      sql`SELECT kind, sum(amount)::bigint AS amount FROM ledger GROUP BY kind`,
    ),
  ])
  const at = (value: unknown) => time(value instanceof Date ? value : null)
  expect(
    sorted(
      episodes.map(
        (e) =>
          `${e.contact}#${e.episode_no} v${e.version} p${e.person_id} ${e.arm} ${e.entry_tier} tier ${e.tier_no} lapsed ${at(e.lapsed_at)} assigned ${at(e.assigned_at)} silenced ${e.silenced_by} ${at(e.silenced_at)} returned ${at(e.returned_at)} recalled ${at(e.recalled_at)} ended ${e.end_reason} ${at(e.ended_at)}${e.contaminated ? ' contaminated' : ''}`,
      ),
    ),
  ).toEqual(
    sorted(
      model.episodes.map(
        (e) =>
          `${e.contact.name}#${e.no} v${e.version} p${e.person} ${e.arm} ${e.entryTier} tier ${e.tierNo} lapsed ${time(e.lapsedAt)} assigned ${time(e.assignedAt)} silenced ${e.silencedBy} ${time(e.silencedAt)} returned ${time(e.returnedAt)} recalled ${time(e.recalledAt)} ended ${e.endReason} ${time(e.endedAt)}${e.contaminated ? ' contaminated' : ''}`,
      ),
    ),
  )
  expect(
    sorted(stages.map((s) => `${s.contact}#${s.no} ${s.tierNo} ${s.arm} ${s.drawn} ${time(s.enteredAt)}`)),
  ).toEqual(
    sorted(
      model.episodes.flatMap((e) =>
        e.stages.map((s) => `${e.contact.name}#${e.no} ${s.tierNo} ${s.arm} ${s.drawn} ${time(s.enteredAt)}`),
      ),
    ),
  )
  expect(
    sorted(
      touches.map(
        (t) =>
          `${t.contact}#${t.no} ${t.step} ${t.variant} ${t.state} ${t.reason} tries ${t.attempt} planned ${time(t.plannedFor)} due ${time(t.dueAt)}`,
      ),
    ),
  ).toEqual(
    sorted(
      model.episodes.flatMap((e) =>
        e.touches.map(
          (t) =>
            `${e.contact.name}#${e.no} ${t.step.id} ${t.variant} ${t.state} ${t.reason} tries ${t.attempt} planned ${time(t.plannedFor)} due ${isOpen(t) ? time(t.dueAt) : '-'}`,
        ),
      ),
    ),
  )
  const all = model.episodes.flatMap((e) => e.touches)
  const expected = {
    spend: all.reduce((sum, touch) => sum + touch.spent, 0),
    liability: model.episodes.filter((e) => e.liable).length * LIABILITY,
  }
  const booked = { spend: 0, liability: 0, ...Object.fromEntries(money.map((row) => [row.kind, row.amount])) }
  expect(booked).toEqual(expected)
  expect(expected.spend % PRICE).toBe(0)
}

/** What must hold whatever happened, read from the database and from what the far end received. */
export async function checkInvariants(real: Real): Promise<void> {
  const { database } = real.shop
  expect(await brokenPromises(database)).toEqual([])
  // I1: at most one handover where repeats are not recognised.
  const handed = real.email.sent.filter((message) => !refused.has(message)).map((message) => message.key)
  expect(new Set(handed).size).toBe(handed.length)
  // I11: whatever is sent says what was drawn.
  const texts = new Map(real.email.sent.map(({ touchpointId, content }) => [touchpointId, content]))
  for (const { id, variant } of await readTouches(real)) {
    const text = variant === null ? undefined : texts.get(id)
    if (text !== undefined) expect(text.includes('Once upon a time')).toBe(variant === 'story')
  }
  // I9: no blank.
  for (const { content } of [...real.email.sent, ...real.log.sent]) expect(content).not.toContain('[]')
}

/** Messages the far end did not take: not handovers. */
export const refused = new WeakSet<object>()
