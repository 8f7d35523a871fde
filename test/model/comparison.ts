import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import { RATE } from './campaigns.ts'
import { OFFERS } from './game.ts'
import { type Episode, everyEpisode, isOpen, type Model } from './model.ts'
import type { Real, Seen } from './real.ts'

// Everything the database says is everything the model says: arms, stages, ends, touchpoints, grants, money, what is held.

const time = (at: unknown) =>
  at instanceof Date || typeof at === 'number' ? new Date(at).toISOString() : '-'

interface Named {
  readonly campaign: string
  readonly contact: string
  readonly no: number
}

/** What an episode is called on both sides. */
const placeOf = ({ campaign, contact, no }: Named) => `${campaign} ${contact}#${no}`

/** What is to be the same on both sides, each a line of a list. */
type Lines = Readonly<Record<string, readonly string[]>>

const sorted = (lines: Lines) =>
  Object.fromEntries(Object.entries(lines).map(([name, list]) => [name, list.toSorted()]))

export async function compare(model: Model, real: Real, seen: Seen): Promise<void> {
  expect(sorted(await linesOf(real, seen, model.now))).toEqual(sorted(linesOfModel(model)))
}

async function linesOf(real: Real, { touches, grants }: Seen, now: number): Promise<Lines> {
  const { database } = real.shop
  const [episodes, stages, money, places] = await Promise.all([
    rows<Named & Record<string, string | number | boolean | Date | null>>(
      database,
      sql`SELECT c.external_id AS contact, e.episode_no AS no, e.*, (SELECT recalled_at FROM recalls r
          WHERE r.contact_id = e.contact_id AND r.episode_id = e.episode_id AND goal_no = 0) AS recalled_at
        FROM episodes e JOIN contacts c USING (contact_id)`,
    ),
    rows<Named & { tierNo: number; arm: string; drawn: boolean; enteredAt: Date }>(
      database,
      sql`SELECT e.campaign, c.external_id AS contact, e.episode_no AS no, s.tier_no AS "tierNo", s.arm, s.drawn,
          s.entered_at AS "enteredAt"
        FROM stages s JOIN episodes e USING (contact_id, episode_id) JOIN contacts c USING (contact_id)`,
    ),
    rows<{ what: string; kind: string; amount: number }>(
      database,
      sql`SELECT 'booked' AS what, kind, sum(amount)::bigint AS amount FROM ledger GROUP BY kind
        UNION ALL SELECT 'held', kind, sum(amount)::bigint FROM budget_holds GROUP BY kind`,
    ),
    readPlaces(real, now),
  ])
  const sumOf = (what: string, kind: string) =>
    money.find((row) => row.what === what && row.kind === kind)?.amount ?? 0
  return {
    episodes: episodes.map(
      (e) =>
        `${placeOf(e)} v${e.version} of ${e.exclusive} p${e.person_id} ${e.arm} ${e.entry_tier} tier ${e.tier_no} lapsed ${time(e.lapsed_at)} assigned ${time(e.assigned_at)} silenced ${e.silenced_by} ${time(e.silenced_at)} returned ${time(e.returned_at)} released ${time(e.released_at)} recalled ${time(e.recalled_at)} ended ${e.end_reason} ${time(e.ended_at)}${e.contaminated ? ' contaminated' : ''}`,
    ),
    stages: stages.map((s) => `${placeOf(s)} ${s.tierNo} ${s.arm} ${s.drawn} ${time(s.enteredAt)}`),
    touches: touches.map(
      (t) =>
        `${placeOf(t)} ${t.step} ${t.variant} ${t.state} ${t.reason} tries ${t.attempt} planned ${time(t.plannedFor)} due ${time(t.dueAt)}`,
    ),
    grants: grants.map((g) => `${placeOf(g)} ${g.offer} ${g.state} ${g.credit}`),
    money: ['booked', 'held'].flatMap((what) =>
      ['spend', 'liability'].map((kind) => `${what} ${kind} ${sumOf(what, kind)}`),
    ),
    rate: [`${places} places`],
  }
}

/** How many mails the rate would give at this moment. */
async function readPlaces(real: Real, now: number): Promise<number> {
  const [found] = await rows<{ taken: number; at: Date }>(
    real.shop.database,
    sql`SELECT -tokens - (SELECT coalesce(sum(places), 0) FROM freed_places WHERE channel = 'email') AS taken,
        refilled_at AS at FROM send_rates WHERE channel = 'email'`,
  )
  return found ? left({ taken: found.taken, at: found.at.getTime() }, now) : RATE.count
}

const left = ({ taken, at }: { readonly taken: number; readonly at: number }, now: number) =>
  RATE.count - (now - at >= RATE.per ? 0 : Math.max(0, taken))

function linesOfModel(model: Model): Lines {
  const { episodes, holds, bucket, now } = model
  const named = ({ campaign, contact: { name }, no }: Episode) => placeOf({ campaign, contact: name, no })
  const places = episodes.map((e) => [named(e), e] as const)
  const booked = {
    spend: everyEpisode(model)
      .flatMap((e) => e.touches)
      .reduce((sum, touch) => sum + touch.spent, 0),
    liability: everyEpisode(model)
      .flatMap((e) => e.grants)
      .filter(({ state }) => state === 'granted')
      .reduce((sum, { offer }) => sum + OFFERS[offer].expected, 0),
  }
  const held = (kind: 'spend' | 'liability') => [...holds.values()].reduce((sum, hold) => sum + hold[kind], 0)
  return {
    episodes: places.map(
      ([place, e]) =>
        `${place} v${e.version} of ${e.group} p${e.person} ${e.arm} ${e.entryTier} tier ${e.tierNo} lapsed ${time(e.lapsedAt)} assigned ${time(e.assignedAt)} silenced ${e.silencedBy} ${time(e.silencedAt)} returned ${time(e.returnedAt)} released ${time(e.releasedAt)} recalled ${time(e.recalledAt)} ended ${e.endReason} ${time(e.endedAt)}${e.contaminated ? ' contaminated' : ''}`,
    ),
    stages: places.flatMap(([place, e]) =>
      e.stages.map((s) => `${place} ${s.tierNo} ${s.arm} ${s.drawn} ${time(s.enteredAt)}`),
    ),
    touches: places.flatMap(([place, e]) =>
      e.touches.map(
        (t) =>
          `${place} ${t.step.id} ${t.variant} ${t.state} ${t.reason} tries ${t.attempt} planned ${time(t.plannedFor)} due ${isOpen(t) ? time(t.dueAt) : '-'}`,
      ),
    ),
    grants: places.flatMap(([place, e]) => e.grants.map((g) => `${place} ${g.offer} ${g.state} ${g.credit}`)),
    money: [
      `booked spend ${booked.spend}`,
      `booked liability ${booked.liability}`,
      `held spend ${held('spend')}`,
      `held liability ${held('liability')}`,
    ],
    rate: [`${bucket ? left(bucket, now) : RATE.count} places`],
  }
}
