import { type SQL, sql } from 'drizzle-orm'
import type { Clock } from '../clock.ts'
import type { CampaignBook, CompiledCampaign } from '../config/compiled.ts'
import { lockKey } from '../database/advisory-locks.ts'
import { bigints } from '../database/arrays.ts'
import { type Chunk, chunksAfter, inChunk, isDone, type PassProgress, withDone } from '../database/chunks.ts'
import {
  type Database,
  execute,
  rows,
  type Session,
  type Transaction,
  transaction,
} from '../database/connect.ts'
import { MANY, refreshStatistics } from '../database/planner-statistics.ts'
import { lockStripe, stripeOf } from '../database/stripes.ts'
import { ageEpisodes, endOver } from './age.ts'
import { type Hindrance, heldBack, refusedByFeed } from './hindrances.ts'
import { intakeBound } from './intake.ts'
import { addAnswers, type Opening, openChunk } from './open.ts'
import { endSeeds, openSeeds } from './seeds.ts'

// A run of a campaign: end what is over, move what has aged, take in who has lapsed. Chunk by chunk, each in a
// transaction of its own with its stripe held exclusively, so that no return can be recorded unseen meanwhile; taking
// in goes on in as many chunks at a time as there are lanes.

/** What a run works with. */
export interface RunDependencies {
  readonly database: Database
  readonly book: CampaignBook
  readonly clock: Clock
  readonly workspaceSalt: string
  onProgress?(done: number, total: number): void
}

/**
 * What a run came to. `considered` and `answers` are of the whole run, also where it was interrupted; the rest is of
 * this call.
 */
export interface RunResult {
  readonly runId: number
  readonly state: 'done' | 'refused' | 'paused' | 'stopped' | 'not_yet' | 'over' | 'already_done'
  readonly note: string | null
  /** What held it back or refused it, in full. */
  readonly hindrance?: Hindrance
  readonly considered: number
  readonly answers: Readonly<Record<string, number>>
  readonly advanced: number
  readonly ended: number
}

interface RunRow extends PassProgress {
  readonly runId: number
  readonly version: number
  readonly asOf: Date
  readonly state: 'running' | 'done' | 'refused'
  readonly intakeFrom: Date | null
  readonly intakeContact: number | null
}

/** Chunks taken in side by side: PostgreSQL works each out on one processor. */
const LANES = 2

const NOTHING = { considered: 0, answers: {}, advanced: 0, ended: 0 }

function hindered(runId: number, hindrance: Hindrance): RunResult {
  return { runId, state: hindrance.state, note: hindrance.note, hindrance, ...NOTHING }
}

/**
 * Runs a campaign once for a scheduled moment. Unique by (campaign, scheduledFor): a second call finds the run done,
 * or goes on with one that was interrupted, with the version and the intake it began with.
 * @param scheduledFor the tick of the schedule this run answers to; two machines whose clocks differ name the same
 */
export async function runCampaign(
  dependencies: RunDependencies,
  campaign: CompiledCampaign,
  scheduledFor: Date,
): Promise<RunResult> {
  const { database, book, clock } = dependencies
  const held = await heldBack(database, campaign, clock.now(), scheduledFor)
  if (held) return hindered(0, held)
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
  // Alone in its group, it has just ended all there is.
  if (version.definition.exclusive !== undefined) await endOver(database, version.exclusive, now)

  const refused = await refusedByFeed(database, version, now)
  if (refused) {
    await finishRun(database, run.runId, 'refused', refused.note, clock.now())
    return { ...hindered(run.runId, refused), ...ages }
  }
  await transaction(database, (tx) => endSeeds(tx, version, now))
  const { ended: cut, ...opened } = await openEpisodes(dependencies, version, run, now)
  const ended = cut ?? (await transaction(database, (tx) => takeInSeeds(tx, version, run.runId, now)))
  if (ended === 'stopped') {
    return { runId: run.runId, state: 'stopped', note: 'stopped during the run', ...opened, ...ages }
  }
  if (ended === 'elsewhere') {
    return { runId: run.runId, state: 'already_done', note: 'ended by another process', ...opened, ...ages }
  }
  // The first run turns empty tables into full ones.
  if ((opened.answers.opened ?? 0) >= MANY)
    await refreshStatistics(database, ['episodes', 'stages', 'touchpoints'])
  await finishRun(database, run.runId, 'done', null, clock.now())
  return { runId: run.runId, state: 'done', note: null, ...opened, ...ages }
}

async function beginRun(
  database: Database,
  campaign: CompiledCampaign,
  scheduledFor: Date,
  now: Date,
): Promise<RunRow> {
  const find = sql`SELECT run_id AS "runId", version, as_of AS "asOf", state, cursor,
      to_jsonb(ahead) AS ahead, intake_from AS "intakeFrom", intake_contact AS "intakeContact"
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
  const chunks = await chunksAfter(database, run.cursor)
  const todo = chunks.filter(([, to]) => !isDone(run, to))
  const waiting = todo.values()
  let done = 0
  let ended: Ended
  let failed = false
  const lane = async () => {
    for (const chunk of waiting) {
      if (ended || failed) return
      const end = await transaction(database, (tx) => takeIn(tx, opening, chunk)).catch((error: unknown) => {
        failed = true
        throw error
      })
      ended ??= end
      done += 1
      dependencies.onProgress?.(done, todo.length)
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane))
  for (const result of lanes) if (result.status === 'rejected') throw result.reason
  const counted = await rows<{ answer: string; contacts: number }>(
    database,
    sql`SELECT answer, sum(contacts)::bigint AS contacts FROM run_answers WHERE run_id = ${run.runId} GROUP BY answer`,
  )
  const answers = Object.fromEntries(counted.map((row) => [row.answer, row.contacts]))
  return { considered: counted.reduce((sum, row) => sum + row.contacts, 0), answers, ended }
}

/** One chunk of a run, wholly or not at all. @returns what ended the run before it */
async function takeIn(tx: Transaction, opening: Opening, chunk: Chunk): Promise<Ended> {
  const { campaign, runId } = opening
  const [, to] = chunk
  // The chunk commits with the run's row: what a crash of the server takes back is considered again. The end of the
  // run waits for the disk, as does a return or a send, and all of this is on it by then.
  await execute(tx, sql`SET LOCAL synchronous_commit TO off; SAVEPOINT chunk`)
  await lockStripe(tx, stripeOf(to))
  const beyond = await samePersonsBeyond(tx, chunk)
  if (beyond.length > 0) await lockGroup(tx, campaign.exclusive)
  const before = await readRun(tx, runId)
  const over = await whatEnded(tx, campaign.name, before)
  if (over) return over
  // Another process may be going on with the same run: whoever has the stripe second finds the chunk done.
  if (isDone(before, to)) return undefined
  const cells = await openChunk(tx, opening, chunk, beyond)
  const run = await lockRun(tx, runId)
  const overMeanwhile = await whatEnded(tx, campaign.name, run)
  if (overMeanwhile) {
    await execute(tx, sql`ROLLBACK TO SAVEPOINT chunk`)
    return overMeanwhile
  }
  await addAnswers(tx, runId, cells)
  const { cursor, ahead } = withDone(run, to)
  await execute(
    tx,
    sql`UPDATE runs SET cursor = ${cursor}, ahead = ${bigints([...ahead])} WHERE run_id = ${runId}`,
  )
  return undefined
}

/** The campaign's seeds, after everybody else. @returns what ended the run before them */
async function takeInSeeds(
  tx: Transaction,
  campaign: CompiledCampaign,
  runId: number,
  now: Date,
): Promise<Ended> {
  const ended = await whatEnded(tx, campaign.name, await lockRun(tx, runId))
  if (!ended) await openSeeds(tx, campaign, now)
  return ended
}

async function whatEnded(
  session: Session,
  campaign: string,
  { state }: Pick<RunRow, 'state'>,
): Promise<Ended> {
  if (await isStopped(session, campaign)) return 'stopped'
  return state === 'running' ? undefined : 'elsewhere'
}

/**
 * The contacts outside a chunk who are the same persons as some of it. Merges hold all stripes: while we have ours, the
 * answer stays. Person by person, since few reach beyond, and of tables that were just filled the planner knows nothing.
 */
async function samePersonsBeyond(session: Session, chunk: Chunk): Promise<number[]> {
  const [from, to] = chunk
  const within = (id: SQL) => inChunk(chunk, id)
  const beyond = (id: SQL) => sql`(${id} <= ${from} OR ${id} > ${to})`
  const found = await rows<{ contactId: number }>(
    session,
    sql`SELECT same.contact_id AS "contactId"
      FROM (SELECT person_id FROM contacts WHERE ${within(sql`contact_id`)} AND ${beyond(sql`person_id`)}
        UNION SELECT person_id FROM contacts WHERE ${within(sql`person_id`)} AND ${beyond(sql`contact_id`)}) reaching
      CROSS JOIN LATERAL (SELECT contact_id FROM contacts c WHERE c.person_id = reaching.person_id
        AND ${beyond(sql`c.contact_id`)} OFFSET 0) same`,
  )
  return found.map(({ contactId }) => contactId)
}

type RunState = PassProgress & Pick<RunRow, 'state'>

async function readRun(tx: Transaction, runId: number, lock: SQL = sql``): Promise<RunState> {
  const [run] = await rows<RunState>(
    tx,
    sql`SELECT cursor, to_jsonb(ahead) AS ahead, state FROM runs WHERE run_id = ${runId} ${lock}`,
  )
  if (!run) throw new Error(`run ${runId} vanished`)
  return run
}

/**
 * Held from here to the end of the transaction: a process that is stopping the campaign, or ending the run, waits for
 * the chunk and then sees what it opened, or was first, and the chunk sees that.
 */
async function lockRun(tx: Transaction, runId: number): Promise<RunState> {
  return await readRun(tx, runId, sql`FOR UPDATE`)
}

/**
 * One chunk at a time within an exclusive group, of those with a person who has contacts elsewhere: whoever considers
 * two contacts of one person must see what was opened for the other. One contact is considered by one run at a time,
 * for its stripe is held.
 */
async function lockGroup(tx: Transaction, exclusive: string): Promise<void> {
  await execute(tx, sql`SELECT pg_advisory_xact_lock(${lockKey('exclusiveGroup', sql`${exclusive}::text`)})`)
}

async function isStopped(session: Session, campaign: string): Promise<boolean> {
  const found = await rows(
    session,
    sql`SELECT FROM switches WHERE scope = 'campaign' AND name = ${campaign} AND state = 'stopped'`,
  )
  return found.length > 0
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
