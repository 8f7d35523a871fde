import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { lockStripe, STRIPE_WIDTH, stripeOf } from '../database/stripes.ts'
import { advanceChunk, closeChunk, openVersions } from './advance.ts'
import { judgeFeed, readFeed } from './feed.ts'
import { openChunk } from './open.ts'
import { endSeeds, openSeeds } from './seeds.ts'
import { answersSql, type Selection } from './select.ts'

// A run of a campaign: end what is over, move what has aged, take in who has lapsed. Chunk by chunk, each in a
// transaction of its own with its stripe held exclusively, so that no return can be recorded unseen meanwhile.

export interface RunDependencies {
  readonly database: Database
  readonly book: CampaignBook
  readonly clock: Clock
  readonly workspaceSalt: string
  onProgress?(done: number, total: number): void
}

export interface RunResult {
  readonly runId: number
  readonly state: 'done' | 'refused' | 'paused' | 'stopped' | 'not_yet' | 'over' | 'already_done'
  readonly note: string | null
  readonly considered: number
  readonly answers: Readonly<Record<string, number>>
  readonly advanced: number
  readonly ended: number
}

interface RunRow {
  readonly runId: number
  readonly version: number
  readonly asOf: Date
  readonly state: 'running' | 'done' | 'refused'
  readonly cursor: number
  readonly intakeFrom: Date | null
  readonly intakeContact: number | null
}

/** Episodes opened at once from which the planner is told about them. */
const ANALYZE_FROM = 500

const NOTHING = { considered: 0, answers: {}, advanced: 0, ended: 0 }

/**
 * Runs a campaign once for a scheduled moment. Unique by (campaign, scheduledFor): a second call finds the run done,
 * or goes on with one that was interrupted, with the version and the time it began with.
 * @param scheduledFor the tick of the schedule this run answers to; two machines whose clocks differ name the same
 */
export async function runCampaign(
  dependencies: RunDependencies,
  campaign: CompiledCampaign,
  scheduledFor: Date,
): Promise<RunResult> {
  const { database, book, clock } = dependencies
  const held = await heldBack(database, campaign, clock.now())
  if (held) return { runId: 0, note: held.note, state: held.state, ...NOTHING }
  const run = await beginRun(database, campaign, scheduledFor, clock.now())
  if (run.state !== 'running') {
    return {
      runId: run.runId,
      state: run.state === 'done' ? 'already_done' : 'refused',
      note: null,
      ...NOTHING,
    }
  }
  const version =
    run.version === campaign.version ? campaign : await book.campaign(campaign.name, run.version)
  const now = run.asOf
  const ages = await ageEpisodes(dependencies, campaign.name, now)

  const verdict = judgeFeed(await readFeed(database, now), version.definition.feed, now)
  if (!verdict.ok) {
    await finishRun(database, run.runId, 'refused', verdict.reason, clock.now())
    return { runId: run.runId, state: 'refused', note: verdict.reason, ...NOTHING, ...ages }
  }
  await transaction(database, (tx) => endSeeds(tx, version, now))
  const opened = await openEpisodes(dependencies, version, run)
  if (opened.stopped) {
    return { runId: run.runId, state: 'stopped', note: 'stopped during the run', ...opened, ...ages }
  }
  await transaction(database, async (tx) => {
    await lockRun(tx, run.runId)
    await openSeeds(tx, version, now)
  })
  if ((opened.answers.opened ?? 0) >= ANALYZE_FROM) await refreshStatistics(database)
  await finishRun(database, run.runId, 'done', null, clock.now())
  return { runId: run.runId, state: 'done', note: null, ...opened, ...ages }
}

/** A pause, a stop, or the campaign's dates keep a run from starting; no row is written, so it is caught up later. */
export async function heldBack(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
): Promise<{ state: 'paused' | 'stopped' | 'not_yet' | 'over'; note: string } | undefined> {
  const [off] = await rows<{ state: 'paused' | 'stopped'; scope: string; reason: string }>(
    session,
    sql`SELECT state, scope, reason FROM switches
      WHERE scope = 'workspace' OR (scope = 'campaign' AND name = ${campaign.name}) ORDER BY state DESC LIMIT 1`,
  )
  if (off) return { state: off.state, note: `the ${off.scope} is ${off.state}: ${off.reason}` }
  const { starts, ends } = campaign.definition
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: campaign.timezone, dateStyle: 'short' }).format(
    now,
  )
  if (starts !== undefined && today < starts) return { state: 'not_yet', note: `starts ${starts}` }
  if (ends !== undefined && today > ends) return { state: 'over', note: `ended ${ends}` }
  return undefined
}

async function beginRun(
  database: Database,
  campaign: CompiledCampaign,
  scheduledFor: Date,
  now: Date,
): Promise<RunRow> {
  const find = sql`SELECT run_id AS "runId", version, as_of AS "asOf", state, cursor, intake_from AS "intakeFrom",
      intake_contact AS "intakeContact"
    FROM runs WHERE campaign = ${campaign.name} AND scheduled_for = ${scheduledFor}`
  const [found] = await rows<RunRow>(database, find)
  if (found) return found
  // The intake is settled before the first chunk and kept with the run: a resumed run takes in the same people.
  const intake = await intakeBound(database, { campaign, now })
  await execute(
    database,
    sql`INSERT INTO runs (campaign, scheduled_for, version, as_of, state, intake_from, intake_contact, started_at)
      VALUES (${campaign.name}, ${scheduledFor}, ${campaign.version}, ${now}, 'running',
        ${intake?.since ?? null}, ${intake?.contact ?? null}, ${now})
      ON CONFLICT (campaign, scheduled_for) DO NOTHING`,
  )
  const [begun] = await rows<RunRow>(database, find)
  if (!begun) throw new Error(`run of ${campaign.name} for ${scheduledFor.toISOString()} vanished`)
  return begun
}

/** Ends and advances open episodes, at a run's time or between runs. */
export async function ageEpisodes(
  dependencies: Pick<RunDependencies, 'database' | 'book'>,
  campaign: string,
  now: Date,
): Promise<{ advanced: number; ended: number }> {
  const { database, book } = dependencies
  const versions: CompiledCampaign[] = []
  for (const version of await openVersions(database, campaign))
    versions.push(await book.campaign(campaign, version))
  let advanced = 0
  let ended = 0
  for (const [from, to] of await chunks(database, 0)) {
    await transaction(database, async (tx) => {
      await lockStripe(tx, stripeOf(to))
      ended += await closeChunk(tx, campaign, now, from, to)
      for (const version of versions) advanced += await advanceChunk(tx, version, now, from, to)
    })
  }
  return { advanced, ended }
}

async function openEpisodes(
  dependencies: RunDependencies,
  campaign: CompiledCampaign,
  run: RunRow,
): Promise<{ considered: number; answers: Record<string, number>; stopped: boolean }> {
  const { database, workspaceSalt } = dependencies
  const intake =
    run.intakeFrom && run.intakeContact !== null
      ? { since: run.intakeFrom, contact: run.intakeContact }
      : undefined
  const opening = { campaign, now: run.asOf, intake, runId: run.runId, workspaceSalt }
  const todo = await chunks(database, run.cursor)
  let stopped = false
  for (const [index, [from, to]] of todo.entries()) {
    await transaction(database, async (tx) => {
      await lockStripe(tx, stripeOf(to))
      const { cursor } = await lockRun(tx, run.runId)
      stopped = await isStopped(tx, campaign.name)
      if (!stopped && cursor < to) await openChunk(tx, opening, from, to)
    })
    if (stopped) break
    dependencies.onProgress?.(index + 1, todo.length)
  }
  const counted = await rows<{ answer: string; contacts: number }>(
    database,
    sql`SELECT answer, sum(contacts)::bigint AS contacts FROM run_answers WHERE run_id = ${run.runId} GROUP BY answer`,
  )
  const answers = Object.fromEntries(counted.map((row) => [row.answer, row.contacts]))
  return { considered: counted.reduce((sum, row) => sum + row.contacts, 0), answers, stopped }
}

/**
 * Another process may be going on with the same run, or stopping the campaign: the row lock makes one of the two
 * wait and then see what the other did.
 */
async function lockRun(tx: Transaction, runId: number): Promise<{ cursor: number }> {
  const [run] = await rows<{ cursor: number }>(
    tx,
    sql`SELECT cursor FROM runs WHERE run_id = ${runId} FOR UPDATE`,
  )
  if (!run) throw new Error(`run ${runId} vanished`)
  return run
}

async function isStopped(session: Session, campaign: string): Promise<boolean> {
  const found = await rows(
    session,
    sql`SELECT FROM switches WHERE scope = 'campaign' AND name = ${campaign} AND state = 'stopped'`,
  )
  return found.length > 0
}

/**
 * The first run turns empty tables into full ones, and what follows it at once would be planned for empty ones:
 * autovacuum looks again only within a minute.
 */
async function refreshStatistics(database: Database): Promise<void> {
  await execute(database, sql`ANALYZE episodes, stages, touchpoints`)
}

async function finishRun(
  session: Session,
  runId: number,
  state: 'done' | 'refused',
  note: string | null,
  now: Date,
): Promise<void> {
  await execute(
    session,
    sql`UPDATE runs SET state = ${state}, note = ${note}, finished_at = ${now}
      WHERE run_id = ${runId} AND state = 'running'`,
  )
}

/** Ranges (from, to] of contact ids from a cursor on: one stripe each, at most 10,000 contacts. */
async function chunks(session: Session, cursor: number): Promise<[number, number][]> {
  const [top] = await rows<{ last: number | null }>(
    session,
    sql`SELECT max(contact_id) AS last FROM contact_activity`,
  )
  const last = top?.last ?? 0
  const ranges: [number, number][] = []
  // Stripe s holds the ids [s·width, (s+1)·width): (from, to] ends one below the next stripe's first id.
  for (
    let start = Math.floor((cursor + 1) / STRIPE_WIDTH) * STRIPE_WIDTH;
    start <= last;
    start += STRIPE_WIDTH
  ) {
    ranges.push([Math.max(start - 1, cursor), start + STRIPE_WIDTH - 1])
  }
  return ranges
}

/**
 * The last contact that today's intake still takes in, or undefined where all may come. Counts what this local day
 * has opened already. One pass over the considered, before the first chunk.
 */
export async function intakeBound(
  session: Session,
  selection: Selection,
): Promise<{ since: Date; contact: number } | undefined> {
  const { campaign, now } = selection
  const { backlog, order } = campaign.definition.intake
  if (!backlog) return undefined
  const [today] = await rows<{ opened: number }>(
    session,
    sql`SELECT coalesce(sum(a.contacts), 0)::bigint AS opened FROM run_answers a JOIN runs r USING (run_id)
      WHERE r.campaign = ${campaign.name} AND a.answer = 'opened' AND r.as_of <= ${now}
        AND (r.as_of AT TIME ZONE ${campaign.timezone})::date = (${now}::timestamptz AT TIME ZONE ${campaign.timezone})::date`,
  )
  const room = Math.max(0, backlog.count - (today?.opened ?? 0))
  const direction = order === 'newest' ? sql`DESC` : sql`ASC`
  const bounds = await rows<{ since: Date; contact: number; place: number }>(
    session,
    sql`
    SELECT since, contact_id AS contact, place FROM (
      SELECT date_trunc('milliseconds', silent_since) AS since, contact_id, row_number() OVER (
        ORDER BY date_trunc('milliseconds', silent_since) ${direction}, contact_id ${direction}) AS place
      FROM (${answersSql({ campaign, now }, sql`true`)}) everyone WHERE answer = 'opened'
    ) placed WHERE place IN (${room}, ${room + 1}) ORDER BY place`,
  )
  const beyond = bounds.find((row) => row.place === room + 1)
  if (!beyond) return undefined
  const last = bounds.find((row) => row.place === room)
  if (last) return { since: last.since, contact: last.contact }
  // No room at all: a bound that nobody meets.
  return order === 'newest'
    ? { since: new Date('9999-01-01T00:00:00Z'), contact: 0 }
    : { since: new Date('0001-01-01T00:00:00Z'), contact: 0 }
}
