import { sql } from 'drizzle-orm'
import type { CallContent } from '../channels/callback/callback.ts'
import type { CallReport, RefusedWebhook } from '../channels/channel.ts'
import { parsePrice } from '../channels/price.ts'
import { recordOptOut } from '../contacts/preferences.ts'
import { execute, type Transaction, transaction } from '../database/connect.ts'
import { isOurs } from '../database/installation.ts'
import { keepContacts } from '../database/person-locks.ts'
import { storable } from '../database/storable.ts'
import {
  type Attempt,
  type AttemptAnswer,
  type AttemptMade,
  findDoubtedCall,
  findRepeat,
  findRobotCall,
  readAttempts,
  recordAttempt,
} from '../outcomes/call-attempts.ts'
import {
  type Call,
  type CallFilter,
  type CallKey,
  type ClaimAnswer,
  claimCall,
  listCalls,
  readCall,
  releaseCall,
} from '../outcomes/calls.ts'
import { knownByReport, listCalled } from '../outcomes/receipts.ts'
import { recordSuppressions, suppressedCarriers } from '../outcomes/silence.ts'
import { lockEpisodes } from '../touchpoints/interruptions.ts'
import { resolve } from '../touchpoints/recovery.ts'
import { rewrite } from '../touchpoints/rewriting.ts'
import { readQuietHours } from './call-hours.ts'
import type { Runtime } from './runtime.ts'

// Calls as agents, the API and the robot work on them: whoever comes in by whatever way, the same happens.

type Part = Pick<Runtime, 'database' | 'clock' | 'workspace' | 'hooks' | 'reporting'>
type BookedPart = Part & Pick<Runtime, 'book' | 'worker'>

/** The queue of calls to be made. */
export async function showCalls(runtime: BookedPart, filter: CallFilter): Promise<Call[]> {
  const now = runtime.clock.now()
  return await listCalls(runtime.database, now, await readQuietHours(runtime, now), filter)
}

/** What an agent looks at: their own calls, those that may be taken, and all that are not over, of which the first thousand. */
export async function showDesk(
  runtime: BookedPart,
  agent: string,
  limit: number,
): Promise<Record<'mine' | 'free' | 'all', Call[]>> {
  const { database, clock } = runtime
  const now = clock.now()
  const quiet = await readQuietHours(runtime, now)
  return {
    mine: await listCalls(database, now, quiet, { claimedBy: agent, limit }),
    free: await listCalls(database, now, quiet, { free: true, limit }),
    all: await listCalls(database, now, quiet, { limit: 1000 }),
  }
}

/** One call with all that was said so far; undefined where there is none. */
export async function showCall(
  runtime: BookedPart,
  key: CallKey,
): Promise<{ readonly call: Call; readonly attempts: readonly AttemptMade[] } | undefined> {
  const quiet = await readQuietHours(runtime, runtime.clock.now(), key)
  return await transaction(runtime.database, async (tx) => {
    const call = await readCall(tx, key, quiet)
    return call && { call, attempts: await readAttempts(tx, key) }
  })
}

/** What else belongs to a change, in its transaction: the audit's entry. */
export type Also = (tx: Transaction) => Promise<void>

/** @param also where the call is now the agent's */
export async function takeCall(
  runtime: BookedPart,
  key: CallKey,
  agent: string,
  also?: Also,
): Promise<ClaimAnswer> {
  const now = runtime.clock.now()
  const quiet = await readQuietHours(runtime, now, key)
  return await transaction(runtime.database, async (tx) => {
    const answer = await claimCall(tx, now, key, agent, quiet)
    if (answer.outcome === 'claimed') await also?.(tx)
    return answer
  })
}

/** @param also where the agent held it */
export async function giveCallBack(
  runtime: Part,
  key: CallKey,
  agent: string,
  also?: Also,
): Promise<boolean> {
  return await transaction(runtime.database, async (tx) => {
    const released = await releaseCall(tx, key, agent)
    if (released) await also?.(tx)
    return released
  })
}

/**
 * Records what became of an attempt, with all that follows, in one transaction. A repeat changes nothing.
 * @param also where it was recorded
 */
export async function concludeCall(
  runtime: Part,
  key: CallKey,
  attempt: Attempt,
  also?: Also,
): Promise<AttemptAnswer> {
  return await transaction(runtime.database, async (tx) => {
    const answer = await conclude(tx, runtime, key, attempt)
    if (answer.outcome === 'recorded') await also?.(tx)
    return answer
  })
}

async function conclude(
  tx: Transaction,
  { clock, workspace, hooks, reporting }: Part,
  key: CallKey,
  attempt: Attempt,
): Promise<AttemptAnswer> {
  const now = clock.now()
  const settings = workspace.channels.callback
  const terms = { wage: parsePrice(settings?.wage ?? '0'), attempts: settings?.attempts ?? 3 }
  const listed = attempt.outcome === 'wrong_number' && (await listWrong(tx, now, reporting, key, attempt))
  if (typeof listed === 'object') return listed
  const reached = listed ? suppressedCarriers() : undefined
  const answer = await recordAttempt(tx, now, key, attempt, { ...terms, reached })
  if (answer.outcome !== 'recorded') return answer
  if (answer.ends) {
    // Unhappy is enough: nobody has to find the word STOP first. An agent can take it back with `winback consent`.
    const reason = attempt.reason === undefined ? undefined : storable(attempt.reason)
    const refused = { channel: '*', source: `call: ${answer.ends}`, reason }
    await recordOptOut(tx, key.contactId, refused, { now, hooks })
  }
  if (listed) await recordSuppressions(tx, now, reporting('callback').channelsOf)
  return answer
}

/**
 * Puts a wrong number on the list before its call is locked, in the order a bounce of the number takes: each would wait
 * for the other else. The number is the one the call shows as the report comes: what others record of it meanwhile changes
 * which it shows next, and not which was rung.
 * @returns whether it was not there before, or the answer where the report is a repeat
 */
async function listWrong(
  tx: Transaction,
  now: Date,
  reporting: Part['reporting'],
  key: CallKey,
  attempt: Attempt,
): Promise<boolean | AttemptAnswer> {
  await keepContacts(tx, sql`c.contact_id = ${key.contactId}`)
  // Whoever has taken the number off the list since means it: a repeat puts it there no more.
  const repeat = await findRepeat(tx, key, attempt)
  return repeat ?? (await listCalled(tx, now, reporting('callback'), { ...key, said: attempt.phone }))
}

/**
 * Takes what the robot says of its calls. One about a call that is not there yet is refused, to be sent again; one about
 * somebody who was erased meanwhile would be sent for ever, and hold up what comes after it: it is forgotten.
 */
export async function takeCallReports(
  runtime: BookedPart,
  reports: readonly CallReport[],
): Promise<{ readonly outcome: 'taken'; readonly added: number; readonly ignored: number } | RefusedWebhook> {
  let added = 0
  let ignored = 0
  for (const [index, report] of reports.entries()) {
    const { contactId, touchpointId, installation, ...attempt } = report
    if (!isOurs(runtime.worker.installation, { installation })) {
      ignored += 1
      continue
    }
    await openDoubted(runtime, { contactId, touchpointId })
    const now = runtime.clock.now()
    // A clock may be ahead, as that of any provider.
    const at = attempt.at > now ? now : attempt.at
    const answer = await transaction(runtime.database, async (tx) => {
      const key = await findRobotCall(tx, { contactId, touchpointId })
      if (key) return await conclude(tx, runtime, key, { ...attempt, at, by: 'robot' })
      return (await isGone(tx, contactId)) ? { outcome: 'repeated' as const, before: undefined } : undefined
    })
    if (!answer || answer.outcome === 'unknown') {
      const reason = `calls.${index}: the robot has no such call, or not yet; what came before it is recorded`
      return { outcome: 'refused', status: 404, reason }
    }
    if (answer.outcome === 'recorded') added += 1
    else ignored += 1
  }
  return { outcome: 'taken', added, ignored }
}

/** Whether nobody has the id of a contact any more, where somebody was erased: a robot is told of nobody who was not there. */
async function isGone(tx: Transaction, contactId: number): Promise<boolean> {
  const found = await execute(
    tx,
    sql`SELECT WHERE EXISTS (SELECT FROM erased_ids)
        AND NOT EXISTS (SELECT FROM contacts WHERE contact_id = ${contactId})`,
  )
  return found > 0
}

/** Opens the call that a robot reports and of which nobody knew whether it had taken it: the report proves that it had. */
async function openDoubted(
  { database, clock, book, worker }: BookedPart,
  message: { readonly contactId: number; readonly touchpointId: number },
): Promise<void> {
  const doubt = await findDoubtedCall(database, message)
  if (!doubt) return
  const { episodeId, stepId } = doubt
  const step = await book.step(stepId)
  const outgoing = await rewrite(worker, { ...message, stepId, channel: 'callback' })
  const script = outgoing ? (outgoing.content as CallContent).script : ''
  await transaction(database, async (tx) => {
    const now = clock.now()
    await keepContacts(tx, sql`c.contact_id = ${message.contactId}`)
    await lockEpisodes(tx, [{ contactId: message.contactId, episodeId }])
    await resolve(tx, now, [knownByReport(message)])
    const task = { kind: 'call', script, taker: 'robot' } as const
    await worker.keep?.(tx, now, step, [{ ...message, episodeId, offer: null, keep: task }])
  })
}
