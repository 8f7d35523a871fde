import { sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import { chunksAfter } from '../database/chunks.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { lockStripe, stripeOf } from '../database/stripes.ts'
import { ageEpisodes } from './age.ts'
import { judgeFeed, readFeed } from './feed.ts'
import { intakeBound } from './intake.ts'
import { openChunk } from './open.ts'
import { endSeeds, openSeeds } from './seeds.ts'

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
  // A run that was interrupted goes on as of now: nobody is assigned to a moment that has passed.
  const now = new Date(Math.max(run.asOf.getTime(), clock.now().getTime()))
  const ages = await ageEpisodes(dependencies, campaign.name, now)

  const verdict = judgeFeed(await readFeed(database, now), version.definition.feed, now)
  if (!verdict.ok) {
    await finishRun(database, run.runId, 'refused', verdict.reason, clock.now())
    return { runId: run.runId, state: 'refused', note: verdict.reason, ...NOTHING, ...ages }
  }
  await transaction(database, (tx) => endSeeds(tx, version, now))
  const opened = await openEpisodes(dependencies, version, run, now)
  if (opened.ended === 'stopped') {
    return { runId: run.runId, state: 'stopped', note: 'stopped during the run', ...opened, ...ages }
  }
  if (opened.ended === 'elsewhere') {
    return { runId: run.runId, state: 'already_done', note: 'ended by another process', ...opened, ...ages }
  }
  await transaction(database, async (tx) => {
    await lockRun(tx, run.runId)
    await openSeeds(tx, version, now)
  })
  if ((opened.answers.opened ?? 0) >= ANALYZE_FROM) await refreshStatistics(database)
  await finishRun(database, run.runId, 'done', null, clock.now())
  return { runId: run.runId, state: 'done', note: null, ...opened, ...ages }
}

/** What keeps a run from starting. */
export interface HeldBack {
  readonly state: 'paused' | 'stopped' | 'not_yet' | 'over'
  readonly note: string
  /** What was switched off, or the campaign's own dates. */
  readonly by: 'workspace' | 'campaign' | 'dates'
  /** The operator's words, or the date. */
  readonly why: string
}

/** A pause, a stop, or the campaign's dates keep a run from starting; no row is written, so it is caught up later. */
export async function heldBack(
  session: Session,
  campaign: CompiledCampaign,
  now: Date,
): Promise<HeldBack | undefined> {
  const [off] = await rows<{ state: 'paused' | 'stopped'; scope: 'workspace' | 'campaign'; reason: string }>(
    session,
    sql`SELECT state, scope, reason FROM switches
      WHERE scope = 'workspace' OR (scope = 'campaign' AND name = ${campaign.name}) ORDER BY state DESC LIMIT 1`,
  )
  if (off) {
    const note = `the ${off.scope} is ${off.state}: ${off.reason}`
    return { state: off.state, note, by: off.scope, why: off.reason }
  }
  const { starts, ends } = campaign.definition
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: campaign.timezone, dateStyle: 'short' }).format(
    now,
  )
  const dated = (state: 'not_yet' | 'over', note: string, why: string) =>
    ({ state, note, by: 'dates', why }) as const
  if (starts !== undefined && today < starts) return dated('not_yet', `starts ${starts}`, starts)
  if (ends !== undefined && today > ends) return dated('over', `ended ${ends}`, ends)
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
  // Whoever was interrupted and is overtaken by the next tick has nothing left to do: that one considers everybody.
  await execute(
    database,
    sql`UPDATE runs SET state = 'done', note = 'overtaken by the next run', finished_at = ${now}
      WHERE campaign = ${campaign.name} AND state = 'running' AND scheduled_for < ${scheduledFor}`,
  )
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

/** What kept a run from its end: a stop, or another process that came there first. */
type Ended = 'stopped' | 'elsewhere' | undefined

async function openEpisodes(
  dependencies: RunDependencies,
  campaign: CompiledCampaign,
  run: RunRow,
  now: Date,
): Promise<{ considered: number; answers: Record<string, number>; ended: Ended }> {
  const { database, workspaceSalt } = dependencies
  const intake =
    run.intakeFrom && run.intakeContact !== null
      ? { since: run.intakeFrom, contact: run.intakeContact }
      : undefined
  const opening = { campaign, now, intake, runId: run.runId, workspaceSalt }
  const todo = await chunksAfter(database, run.cursor)
  let ended: Ended
  for (const [index, [from, to]] of todo.entries()) {
    await transaction(database, async (tx) => {
      // The cursor commits with its chunk: what a crash of the server takes back is considered again. The end of the
      // run waits for the disk, as does a return or a send, and all of this is on it by then.
      await execute(tx, sql`SET LOCAL synchronous_commit TO off`)
      await lockStripe(tx, stripeOf(to))
      await lockGroup(tx, campaign.exclusive)
      const { cursor, state } = await lockRun(tx, run.runId)
      if (await isStopped(tx, campaign.name)) ended = 'stopped'
      else if (state !== 'running') ended = 'elsewhere'
      else if (cursor < to) await openChunk(tx, opening, from, to)
    })
    if (ended) break
    dependencies.onProgress?.(index + 1, todo.length)
  }
  const counted = await rows<{ answer: string; contacts: number }>(
    database,
    sql`SELECT answer, sum(contacts)::bigint AS contacts FROM run_answers WHERE run_id = ${run.runId} GROUP BY answer`,
  )
  const answers = Object.fromEntries(counted.map((row) => [row.answer, row.contacts]))
  return { considered: counted.reduce((sum, row) => sum + row.contacts, 0), answers, ended }
}

/**
 * Another process may be going on with the same run, or stopping the campaign: the row lock makes one of the two
 * wait and then see what the other did.
 */
async function lockRun(tx: Transaction, runId: number): Promise<{ cursor: number; state: RunRow['state'] }> {
  const [run] = await rows<{ cursor: number; state: RunRow['state'] }>(
    tx,
    sql`SELECT cursor, state FROM runs WHERE run_id = ${runId} FOR UPDATE`,
  )
  if (!run) throw new Error(`run ${runId} vanished`)
  return run
}

/**
 * One chunk at a time within an exclusive group: two runs that consider two contacts of one person, or one contact for
 * two campaigns, must see what the other opened.
 */
async function lockGroup(tx: Transaction, exclusive: string): Promise<void> {
  await execute(
    tx,
    sql`SELECT pg_advisory_xact_lock(7405, hashtext(current_schema() || '.' || ${exclusive}::text))`,
  )
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
 * autovacuum looks again only within a minute. It then samples in full; that the tables are large is seen in a tenth.
 */
async function refreshStatistics(database: Database): Promise<void> {
  await transaction(database, async (tx) => {
    await execute(tx, sql`SET LOCAL default_statistics_target TO 10`)
    await execute(tx, sql`ANALYZE episodes, stages, touchpoints`)
  })
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
