import { type Context, Hono } from 'hono'
import type { Clock } from '../../clock.ts'
import type { Workspace } from '../../config/workspace.ts'
import { API_CALLS, type ApiCall, callReader } from '../../contacts/api-calls.ts'
import { isObject, parseJson } from '../../contacts/values/json.ts'
import { refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { limitBody } from '../body-limit.ts'
import { openInflate } from '../inflate.ts'
import type { Intake } from '../intake.ts'
import { openKeyRates } from '../key-rates.ts'
import { parsed, readText } from '../requests.ts'

// Events in, in the shape of Segment's HTTP API, so that its libraries work with it. A request is taken whole or not
// at all, and an answer of 200 means that what it brought is committed.

/** What takes a list of calls: Segment's libraries send theirs to one or another of these. */
const LISTS = ['batch', 'import', 'b'] as const
/** Bytes of a request, and of what it was before it was packed. */
const REQUEST_LIMIT = 500 * 1024
/** Events of a request: more do not fit into {@link REQUEST_LIMIT} but for empty ones. */
const BATCH_LIMIT = 5000

export interface IngestDependencies {
  readonly workspace: Workspace
  readonly clock: Clock
  readonly keys: KeyRing
  readonly intake: Intake
}

export function ingestApi({ workspace, clock, keys, intake }: IngestDependencies): Hono<Authorised> {
  const api = new Hono<Authorised>()
  const rates = openKeyRates(workspace.events.rate, clock)
  const limited = limitBody(REQUEST_LIMIT, (c) =>
    refuse(c, 400, 'too_large', 'the request is larger than 500 KB; send smaller batches'),
  )
  const inflate = openInflate(REQUEST_LIMIT)
  const take = async (c: Context<Authorised>, type: (typeof API_CALLS)[number] | 'batch') => {
    const text = await readText(c, inflate)
    const body = parsed(text, parseJson)
    if (!isObject(body)) return refuse(c, 400, 'malformed', 'expected a JSON object')
    const calls = readCalls(type, body, callReader(workspace, clock.now(), body.sentAt))
    if (typeof calls === 'string') return refuse(c, 400, 'malformed', calls)
    const wait = rates.take(c.get('apiKey').keyId, calls.length)
    if (wait > 0) {
      c.header('Retry-After', String(wait))
      return refuse(c, 429, 'too_fast', `this key may send ${workspace.events.rate} events a second`)
    }
    const taking = intake.take(calls, text.length)
    if (!taking) {
      c.header('Retry-After', '1')
      return refuse(c, 429, 'busy', 'more is under way than can be kept in memory; send it again in a second')
    }
    return c.json({ success: true, ...(await taking) })
  }
  const serve = (path: string, type: (typeof API_CALLS)[number] | 'batch') =>
    api.post(`/v1/${path}`, requireScope(keys, 'events:write'), limited, (c) => take(c, type))
  for (const call of API_CALLS) serve(call, call)
  for (const path of LISTS) serve(path, 'batch')
  return api
}

/** The calls of a request, or what is wrong with the first that is. */
function readCalls(
  type: (typeof API_CALLS)[number] | 'batch',
  body: Readonly<Record<string, unknown>>,
  read: ReturnType<typeof callReader>,
): ApiCall[] | string {
  if (type !== 'batch') {
    const call = read(body, type)
    return typeof call === 'string' ? call : [call]
  }
  const { batch } = body
  if (!Array.isArray(batch) || batch.length === 0) return 'batch: expected a list with one event at least'
  if (batch.length > BATCH_LIMIT) return `batch: more than ${BATCH_LIMIT} events`
  const calls: ApiCall[] = []
  for (const [place, raw] of batch.entries()) {
    const call = read(raw, undefined)
    if (typeof call === 'string') return `batch[${place}]: ${call}`
    calls.push(call)
  }
  return calls
}
