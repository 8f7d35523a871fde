import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { CALL_OUTCOMES, SENTIMENTS } from '../../channels/channel.ts'
import { LEAVING_REASONS, type LeavingReason } from '../../config/reasons.ts'
import { LONGEST_TYPED } from '../../config/typed-text.ts'
import type { AttemptAnswer, AttemptMade } from '../../outcomes/call-attempts.ts'
import { type Call, type CallKey, callIdOf, readCallId } from '../../outcomes/calls.ts'
import { OVER_WORDS } from '../../reports/call-words.ts'
import { concludeCall, giveCallBack, showCall, showCalls, takeCall } from '../../service/calls.ts'
import type { Runtime } from '../../service/runtime.ts'
import { refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { moment, readBody, readQuery, refuseQuery } from '../requests.ts'
import { assertApplied } from './applied.ts'

const agent = z.string().trim().min(1).max(LONGEST_TYPED.line)
/** Who takes a call, or gives it back. */
export const claim = z.strictObject({ agent })
/** What an agent reports of a call, by API or by the page. */
export const outcomeReport = z.strictObject({
  agent,
  outcome: z.enum(CALL_OUTCOMES),
  reason: z.enum(Object.keys(LEAVING_REASONS) as [LeavingReason, ...LeavingReason[]]).optional(),
  minutes: z.number().min(0).max(600).prefault(0),
  sentiment: z.enum(SENTIMENTS).optional(),
  notes: z.string().max(LONGEST_TYPED.note).optional(),
  next_attempt_at: moment.optional(),
  phone: z
    .string()
    .max(40)
    .optional()
    .describe('The number that was called; by default the one the call was claimed with'),
  /** The same at every repeat of one report. */
  id: z.string().min(1).max(200).optional(),
})

/** Which calls of the queue are asked for. */
export const callQuery = z.strictObject({
  free: z.enum(['true', 'false']).optional().describe('Only what may be called now and nobody has taken'),
  campaign: z.string().min(1).optional(),
  owner: z.string().min(1).optional(),
  agent: z.string().min(1).optional().describe('Only what this agent holds'),
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, 'expected a number from 1 to 1000')
    .prefault('100')
    .describe('1 to 1000; 100 unless said'),
})

/** The queue of calls, and what agents do with it. */
export function callsApi(options: { runtime: Runtime; keys: KeyRing }): Hono<Authorised> {
  const { runtime, keys } = options
  const api = new Hono<Authorised>()
  api.use('/v1/calls/*', requireScope(keys, 'calls'))
  api.use('/v1/calls', requireScope(keys, 'calls'))
  // Below the queue nothing is asked for in the address.
  api.use('/v1/calls/:id/*', refuseQuery)
  api.get('/v1/calls', async (c) => {
    const { free, campaign, owner, agent: claimedBy, limit } = readQuery(c, callQuery)
    if (campaign !== undefined) await assertApplied(runtime.database, campaign)
    const calls = await showCalls(runtime, {
      free: free === 'true',
      campaign,
      owner,
      claimedBy,
      limit: Number(limit),
    })
    const now = runtime.clock.now()
    return c.json({ calls: calls.map((call) => callAsJson(call, now)) })
  })
  api.get('/v1/calls/:id', async (c) => {
    const key = keyOf(c)
    const found = key && (await showCall(runtime, key))
    if (!found) return unknown(c)
    return c.json({
      ...callAsJson(found.call, runtime.clock.now()),
      history: found.attempts.map(attemptAsJson),
    })
  })
  api.post('/v1/calls/:id/claim', async (c) => {
    const key = keyOf(c)
    const { agent } = await readBody(c, claim)
    const answer = key && (await takeCall(runtime, key, agent, c.get('record')))
    if (!answer || answer.outcome === 'unknown') return unknown(c)
    if (answer.outcome === 'taken') return refuse(c, 409, 'taken', `${answer.by} has taken this call`)
    if (answer.outcome === 'over')
      return refuse(c, 410, 'over', `this call is over: ${OVER_WORDS[answer.by]?.en ?? answer.by}`)
    if (answer.outcome === 'paused')
      return refuse(
        c,
        409,
        'paused',
        'calls of this campaign are paused: this one can be taken once they are resumed',
      )
    if (answer.outcome === 'quiet_hours') {
      const until = answer.until.toISOString()
      return refuse(
        c,
        409,
        'quiet_hours',
        `it is outside the hours of the campaign where they are, until ${until}`,
      )
    }
    return c.json(callAsJson(answer.call, runtime.clock.now()))
  })
  api.post('/v1/calls/:id/release', async (c) => {
    const key = keyOf(c)
    const { agent } = await readBody(c, claim)
    if (!key) return unknown(c)
    return (await giveCallBack(runtime, key, agent, c.get('record')))
      ? c.json({ success: true })
      : refuse(c, 409, 'not_held', `${agent} does not hold this call`)
  })
  api.post('/v1/calls/:id/outcome', async (c) => {
    const key = keyOf(c)
    const reported = await readBody(c, outcomeReport)
    if (!key) return unknown(c)
    const { agent: by, minutes, next_attempt_at: next, id, ...said } = reported
    const at = runtime.clock.now()
    c.set('detail', { agent: by, outcome: said.outcome })
    const attempt = {
      ...said,
      by,
      at,
      eventId: id ?? `${by} ${at.toISOString()}`,
      seconds: Math.round(minutes * 60),
      nextAttemptAt: next === undefined ? undefined : new Date(next),
    }
    const answer: AttemptAnswer = await concludeCall(runtime, key, attempt, c.get('record'))
    if (answer.outcome === 'unknown') return unknown(c)
    const found = await showCall(runtime, key)
    return c.json({
      repeated: answer.outcome === 'repeated',
      marketing_ended: answer.outcome === 'recorded' && answer.ends !== undefined,
      ...(found ? callAsJson(found.call, at) : {}),
    })
  })
  return api
}

/** The call a path names, whose contact the request is then about. */
function keyOf(c: Context<Authorised>): CallKey | undefined {
  const key = readCallId(c.req.param('id') ?? '')
  if (key) c.set('about', `contact ${key.contactId}`)
  return key
}

/** A call as the API gives it. */
function callAsJson(call: Call, now: Date) {
  return {
    id: callIdOf(call),
    kind: call.kind,
    state: call.state,
    campaign: call.campaign,
    tier: call.tier,
    step: call.step,
    contact: call.externalId,
    first_name: call.firstName,
    phone: call.phone,
    locale: call.locale,
    timezone: call.timezone,
    script: call.script,
    taker: call.taker,
    owner: call.owner,
    priority: call.priority,
    silent_since: call.silentSince?.toISOString() ?? null,
    opened_at: call.openedAt.toISOString(),
    due_at: call.dueAt.toISOString(),
    late: call.closedAt === null && call.dueAt.getTime() < now.getTime(),
    next_attempt_at: call.nextAttemptAt.toISOString(),
    paused: call.paused,
    quiet_until: call.quietUntil?.toISOString() ?? null,
    attempts: call.attempts,
    claimed_by: call.claimedBy,
    closed_at: call.closedAt?.toISOString() ?? null,
    closed_by: call.closedBy,
  }
}

function attemptAsJson(attempt: AttemptMade) {
  const { madeAt, madeBy, outcome, reason, seconds, sentiment, notes, transcript, nextAttemptAt } = attempt
  return {
    made_at: madeAt.toISOString(),
    made_by: madeBy,
    outcome,
    reason,
    sentiment,
    notes,
    transcript,
    minutes: seconds / 60,
    next_attempt_at: nextAttemptAt?.toISOString() ?? null,
  }
}

function unknown(c: Context) {
  return refuse(c, 404, 'not_found', `there is no call ${c.req.param('id')}`)
}
