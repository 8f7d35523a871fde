import { type SQL, sql } from 'drizzle-orm'
import { later } from '../clock.ts'
import { bigints } from '../database/arrays.ts'
import { type Chunk, inChunk } from '../database/chunks.ts'
import { execute, rows, type Transaction } from '../database/connect.ts'
import { armSql } from './holdout.ts'
import { answersSql, type Selection } from './select.ts'
import { enterStages, stageArmSql, tierTable } from './stages.ts'

/** What opening episodes needs beside the selection. */
export interface Opening extends Selection {
  readonly runId: number
  readonly workspaceSalt: string
}

/** How many contacts of a chunk got which answer. */
export interface AnswerCount {
  readonly answer: string
  readonly tier: string
  readonly segment: string
  /** Of those taken in; empty for all others. */
  readonly arm: string
  readonly contacts: number
}

/**
 * One chunk of a run: considers its contacts, opens an episode for each that is taken in, draws its arm, enters
 * its tier, plans the touchpoints of the treated, and counts every answer, in one statement. What all chunks of a run
 * write to, its row and its answers, is left to the end of the transaction: see {@link addAnswers}.
 *
 * The ids are drawn from the sequence before the insert, so that the later parts read the drawn rows and not
 * RETURNING: one tuple store less. The answers are counted apart from the drawn arms rather than joined to them: where
 * the planner takes a chunk for a single row, that join compares each contact with each other one.
 * @param chunk contact ids in (from, to]; the caller holds their stripe exclusively
 * @param beyond the contacts outside it who are the same persons as some of it: answered, to know which of a person was
 *   active last, and left to their own chunks
 * @returns a cell for each answer, tier, segment and arm there is
 */
export async function openChunk(
  tx: Transaction,
  opening: Opening,
  chunk: Chunk,
  beyond: readonly number[],
): Promise<AnswerCount[]> {
  const { campaign, now } = opening
  const { definition } = campaign
  const windowEnds = later(now, definition.window)
  const outcomeUntil = later(windowEnds, definition.grace)
  const person = sql`person_id`
  const episodeNo = sql`episode_no`
  const within = (contactId: SQL) => inChunk(chunk, contactId)
  const persons = (contactId: SQL) => sql`(${within(contactId)} OR ${contactId} = ANY (${bigints(beyond)}))`
  const answers =
    beyond.length === 0
      ? answersSql(opening, within)
      : sql`SELECT * FROM (${answersSql(opening, persons)}) answers WHERE ${within(sql`contact_id`)}`
  return await rows<AnswerCount>(
    tx,
    sql`
    WITH answered AS MATERIALIZED (
      ${answers}
    ), drawn AS MATERIALIZED (
      SELECT nextval('episode_ids') AS episode_id, contact_id, person_id, since, tier_no, segment, episode_no,
        ${armSql({
          workspaceSalt: opening.workspaceSalt,
          campaignSalt: campaign.salt,
          control: campaign.control,
          holdout: definition.holdout,
          person,
          episodeNo,
        })} AS episode_arm
      FROM answered WHERE answer = 'opened'
    ), opened AS (
      INSERT INTO episodes (contact_id, episode_id, campaign, version, exclusive, person_id, episode_no, arm,
        entry, entry_tier, segment, lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
      SELECT contact_id, episode_id, ${campaign.name}, ${campaign.version}, ${campaign.exclusive}, person_id,
        episode_no, episode_arm, ${campaign.entry.kind}, tiers.tier, segment, since, ${now}, ${windowEnds}, ${outcomeUntil}, tier_no
      FROM drawn JOIN ${tierTable(campaign)} USING (tier_no)
    ), staged AS MATERIALIZED (
      SELECT contact_id, episode_id, person_id, episode_no, tier_no,
        ${stageArmSql(campaign, { treated: sql`episode_arm = 'treated'`, person, episodeNo })} AS arm,
        episode_arm = 'treated' AND tiers.holdout > 0 AS drawn
      FROM drawn JOIN ${tierTable(campaign)} USING (tier_no)
    ), ${enterStages(campaign, now)}
    SELECT answer, tiers.tier, segment, arm, sum(contacts)::bigint AS contacts
    FROM (
      SELECT answer, tier_no, segment, '' AS arm, count(*) AS contacts FROM answered
      WHERE answer <> 'opened' GROUP BY answer, tier_no, segment
      UNION ALL
      SELECT 'opened', tier_no, segment, episode_arm, count(*) FROM drawn GROUP BY tier_no, segment, episode_arm
    ) AS cells JOIN ${tierTable(campaign)} USING (tier_no)
    GROUP BY 1, 2, 3, 4`,
  )
}

/** Adds a chunk's answers to its run's. The caller holds the run's row. */
export async function addAnswers(
  tx: Transaction,
  runId: number,
  cells: readonly AnswerCount[],
): Promise<void> {
  const column = (key: 'answer' | 'tier' | 'segment' | 'arm') =>
    sql`${sql.param(cells.map((cell) => cell[key]))}::text[]`
  await execute(
    tx,
    sql`INSERT INTO run_answers AS r (run_id, answer, tier, segment, arm, contacts)
      SELECT ${runId}::bigint, * FROM unnest(${column('answer')}, ${column('tier')}, ${column('segment')},
        ${column('arm')}, ${bigints(cells.map(({ contacts }) => contacts))})
      ON CONFLICT (run_id, answer, tier, segment, arm) DO UPDATE SET contacts = r.contacts + excluded.contacts`,
  )
}
