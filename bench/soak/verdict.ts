import { sql } from 'drizzle-orm'
import { referenceOf } from '../../src/channels/reference.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { readInstallation } from '../../src/database/installation.ts'
import { brokenPromises, findWords } from '../../test/invariants/promises.ts'
import { TRACES } from './people.ts'
import type { Far, Providers } from './providers.ts'
import type { Running, Sample } from './roles.ts'
import { LIMITS } from './shop.ts'

// What must be true when the dust has settled. Each question answers with what is wrong, in words, and nothing else.

/** Share of what is under way that is left unjudged: caches fill, statements are prepared, code is compiled. */
const WARM_UP = 0.4
/** A resident set that grows by more than this share, or by this many MiB, from the warm-up to the end, leaks. */
const GROWTH = { share: 0.1, least: 20 }

export interface Growth {
  readonly name: string
  /** MiB at the end of the warm-up and at the end, by the line through the samples between them. */
  readonly from: number
  readonly to: number
  /** MiB a minute. */
  readonly slope: number
  readonly flat: boolean
}

/** Least squares over the samples after the warm-up; undefined where there are too few to say anything. */
export function growthOf({ name, samples }: Pick<Running, 'name' | 'samples'>): Growth | undefined {
  const end = samples.at(-1)?.at ?? 0
  const judged = samples.filter(({ at }) => at >= end * WARM_UP)
  if (judged.length < 20) return undefined
  const mean = (of: (sample: Sample) => number) =>
    judged.reduce((sum, each) => sum + of(each), 0) / judged.length
  const [at, size] = [mean((each) => each.at), mean((each) => each.size)]
  const spread = mean((each) => (each.at - at) ** 2)
  const slope = spread === 0 ? 0 : mean((each) => (each.at - at) * (each.size - size)) / spread
  const from = size + slope * (end * WARM_UP - at)
  const to = size + slope * (end - at)
  return { name, from, to, slope: slope * 60, flat: to - from <= Math.max(GROWTH.least, from * GROWTH.share) }
}

/** Caps, budgets, stock and windows (I5, I6, I7, I8), beside what {@link brokenPromises} asks of any database. */
export async function brokenLimits(database: Database): Promise<string[]> {
  // A person is one whose contacts were theirs from the beginning: two who became one may have had more.
  const capped = await rows(
    database,
    sql`SELECT c.person_id, count(*) AS messages FROM touchpoint_records r JOIN contacts c USING (contact_id)
      WHERE r.state IN ('sent', 'uncertain') AND r.channel <> 'inapp' AND NOT EXISTS (
          SELECT FROM touchpoint_records l WHERE l.contact_id = r.contact_id AND l.touchpoint_id = r.touchpoint_id
            AND l.settled_at > r.settled_at)
        AND NOT EXISTS (SELECT FROM contacts j WHERE j.person_id = c.person_id AND j.external_id LIKE 'join%')
      GROUP BY 1 HAVING count(*) > ${LIMITS.perPerson} LIMIT 5`,
  )
  // What a redemption brings beyond what was expected of the grant is booked all the same, and is no reservation.
  const [scarce] = await rows<{ granted: number; spent: number; owed: number }>(
    database,
    sql`SELECT (SELECT count(*) FROM grants WHERE campaign = 'scarce') AS granted,
      coalesce(sum(l.amount) FILTER (WHERE l.kind = 'spend'), 0)::bigint AS spent,
      (SELECT coalesce(sum(expected), 0)::bigint FROM grants WHERE campaign = 'scarce') AS owed
      FROM ledger l JOIN steps s USING (step_id) WHERE s.campaign = 'scarce'`,
  )
  const { granted = 0, spent = 0, owed = 0 } = scarce ?? {}
  // A send begins within its window and may be recorded a little later.
  const late = await rows(
    database,
    sql`SELECT c.external_id, c.timezone, r.settled_at FROM touchpoint_records r JOIN contacts c USING (contact_id)
      JOIN steps s ON s.step_id = r.step_id AND s.campaign = 'ladder'
      CROSS JOIN LATERAL (SELECT extract(hour FROM r.settled_at AT TIME ZONE c.timezone) * 60
        + extract(minute FROM r.settled_at AT TIME ZONE c.timezone) AS minute) local
      WHERE r.channel = 'sms' AND r.state IN ('sent', 'uncertain')
        AND (local.minute < ${LIMITS.window.from} OR local.minute > ${LIMITS.window.to + 5}) LIMIT 5`,
  )
  return [
    ...(capped.length > 0
      ? [`I5 caps: more than ${LIMITS.perPerson} a person: ${JSON.stringify(capped)}`]
      : []),
    ...(late.length > 0 ? [`I6 windows: outside the hours: ${JSON.stringify(late)}`] : []),
    ...(granted > LIMITS.stock ? [`I7 stock: ${granted} grants of ${LIMITS.stock}`] : []),
    ...(spent > LIMITS.spend ? [`I8 budget: ${spent} spent of ${LIMITS.spend}`] : []),
    ...(owed > LIMITS.liability ? [`I8 budget: ${owed} owed of ${LIMITS.liability}`] : []),
  ]
}

const REPEATABLE: readonly Far[] = ['webhook', 'callback']

/** I1 and I9 as the far end saw them, held against what is recorded. */
export async function brokenHandovers(database: Database, providers: Providers): Promise<string[]> {
  const broken: string[] = []
  const { name } = await readInstallation(database)
  for (const [channel, taken] of providers.taken) {
    const twice = [...taken].filter(([, times]) => times > 1).map(([reference]) => reference)
    if (twice.length > 0 && !REPEATABLE.includes(channel)) {
      broken.push(`I1 once: ${channel} took ${twice.length} messages twice, such as ${twice[0]}`)
    }
    // Whoever was erased has left their records under other ids, which no provider knows.
    const recorded = await rows<{ contactId: number; touchpointId: number; state: string }>(
      database,
      sql`SELECT DISTINCT ON (contact_id, touchpoint_id) contact_id AS "contactId", touchpoint_id AS "touchpointId", state
        FROM touchpoint_records WHERE channel = ${channel} AND contact_id > 0
        ORDER BY contact_id, touchpoint_id, settled_at DESC`,
    )
    const missing = recorded.filter(
      ({ contactId, touchpointId, state }) =>
        // A call that people make goes to nobody else.
        state === 'sent' &&
        channel !== 'callback' &&
        !taken.has(referenceOf({ contactId, touchpointId, installation: name })),
    )
    if (missing.length > 0) {
      broken.push(`${missing.length} messages are recorded as sent and never came to ${channel}`)
    }
  }
  for (const [reference, keys] of providers.keys) {
    if (keys.size > 1) broken.push(`I1 once: ${reference} came under ${keys.size} keys`)
  }
  if (providers.blanks.length > 0) broken.push(`I9 whole: a blank in ${providers.blanks[0]}`)
  return broken
}

/** I7 as the shop saw it: what a message says is in the account is, and no gift is given back that is. */
export async function brokenCredits(database: Database, { credits, odd }: Providers): Promise<string[]> {
  const { name } = await readInstallation(database)
  const grants = await rows<{ key: string; released: boolean }>(
    database,
    sql`SELECT 'grant-' || ${name}::text || '-' || grant_id AS key, false AS released FROM grants WHERE credit = 'credited'
      UNION ALL SELECT 'grant-' || ${name}::text || '-' || grant_id, true FROM released_grants`,
  )
  const missing = grants.filter(({ key, released }) => !released && !credits.has(key))
  const lost = grants.filter(({ key, released }) => released && credits.has(key))
  return [
    ...(missing.length > 0 ? [`I7 credit: ${missing.length} are said to be credited and are not`] : []),
    ...(lost.length > 0 ? [`I7 credit: ${lost.length} were given back though they are credited`] : []),
    ...(odd.length > 0 ? [`I7 credit: ${odd[0]} was asked for in two ways`] : []),
  ]
}

/** What PostgreSQL's log tells of deadlocks: who waited for whom, and the statement that was given up. */
export function deadlocksIn(log: string): string[] {
  // Each entry begins with its time; what belongs to one follows it, with the same process in brackets.
  const entries = log.split(/\n(?=\d{4}-\d\d-\d\d )/)
  return entries.flatMap((entry, place) => {
    const [, pid] = /\[(\d+)\] ERROR: {2}deadlock detected/.exec(entry) ?? []
    if (pid === undefined) return []
    const more = entries.slice(place + 1, place + 12).filter((each) => each.includes(`[${pid}]`))
    return [[entry, ...more.slice(0, 4)].join('\n')]
  })
}

/** Remarks that a queue which was emptied under the workers' hands is worth: its numbers begin anew, and are others' jobs. */
export function isOfFlush(remark: string): boolean {
  return /could not renew lock for job|(Missing (key|lock)|Lock mismatch) for job/.test(remark)
}

/** I10 and I12, and what PostgreSQL has to say: to be asked when everything is drained and everybody erased. */
export async function brokenRest(database: Database): Promise<string[]> {
  const stuck = await rows(
    database,
    sql`SELECT s.step, t.state, t.waits, count(*) FROM touchpoints t JOIN steps s USING (step_id)
      WHERE t.waits IS DISTINCT FROM 'quiet_hours' AND t.waits IS DISTINCT FROM 'capacity' GROUP BY 1, 2, 3`,
  )
  const held = await rows(
    database,
    sql`SELECT 'budget' AS what, count(*) FROM budget_holds HAVING count(*) > 0
      UNION ALL SELECT 'grant', count(*) FROM grants WHERE state = 'reserved' HAVING count(*) > 0`,
  )
  const traces = await findWords(database, TRACES)
  const [server] = await rows<{ deadlocks: number }>(
    database,
    sql`SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`,
  )
  return [
    ...(stuck.length > 0 ? [`I10 disposable queue: something never ended: ${JSON.stringify(stuck)}`] : []),
    ...(held.length > 0 ? [`something is held by nobody: ${JSON.stringify(held)}`] : []),
    ...(traces.length > 0
      ? [`I12 forgotten: ${traces.length} rows name who was erased: ${traces[0]?.slice(0, 500)}`]
      : []),
    ...(server && server.deadlocks > 0 ? [`PostgreSQL ended ${server.deadlocks} deadlocks`] : []),
  ]
}

/** All of it, with the promises that hold of any database. */
export async function judge(database: Database, providers: Providers): Promise<string[]> {
  return [
    ...(await brokenPromises(database, new Date())),
    ...(await brokenLimits(database)),
    ...(await brokenHandovers(database, providers)),
    ...(await brokenCredits(database, providers)),
    ...(await brokenRest(database)),
  ]
}
