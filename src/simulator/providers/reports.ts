import type { CallOutcome } from '../../channels/channel.ts'
import { signTwilio } from '../../channels/sms/twilio-receipts.ts'
import type { ManualClock } from '../../clock.ts'
import { takeReceipts } from '../../service/receipts.ts'
import type { Runtime } from '../../service/runtime.ts'
import { choose, uniform } from '../draws.ts'
import type { Population } from '../population.ts'
import type { Providers } from './providers.ts'
import { type RobotTask, reportHeaders } from './signed.ts'
import type { TakenText } from './twilio.ts'

// What providers post back: the carrier's receipt of a text, the robot's word on its calls. Signed as theirs are, and
// taken by the very code that stands behind /v1/receipts.

/** Texts are reported one by one; as many at once as a carrier posts side by side. */
const TEXTS = 4

/** Calls in one report. */
const CALLS = 200

/** Milliseconds after a send: what a carrier takes to deliver a text, and a robot to call. */
const TAKES = 240_000

/**
 * Lets the providers of a replay report. Its clock has gone on to `upTo` already; they report minutes after `after`, when
 * what they report on was sent, so it is set back for as long.
 */
export async function reportBetween(
  runtime: Runtime & { readonly clock: ManualClock },
  population: Population,
  providers: Providers,
  after: Date,
  upTo: Date,
): Promise<void> {
  const now = new Date(Math.min(after.getTime() + TAKES, upTo.getTime()))
  runtime.clock.set(now)
  try {
    await reportBack(runtime, population, providers, now)
  } finally {
    runtime.clock.set(upTo)
  }
}

/** @throws Error where a report was refused, which none of these is */
async function reportBack(
  runtime: Runtime,
  population: Population,
  providers: Providers,
  now: Date,
): Promise<void> {
  const { texts, calls } = providers.take()
  const waiting = texts.values()
  await Promise.all(
    Array.from({ length: TEXTS }, async () => {
      for (const text of waiting) await reportText(runtime, text, providers.secrets.twilio)
    }),
  )
  for (let from = 0; from < calls.length; from += CALLS) {
    await reportCalls(runtime, population, calls.slice(from, from + CALLS), providers.secrets.robot, now)
  }
}

async function reportText(runtime: Runtime, { sid, to, callback }: TakenText, token: string): Promise<void> {
  if (callback === undefined) return
  const form = new URLSearchParams({ MessageSid: sid, MessageStatus: 'delivered', To: to })
  const taken = await takeReceipts(runtime, 'sms', {
    url: callback,
    provider: 'twilio',
    headers: { 'x-twilio-signature': signTwilio(callback, form, token) },
    body: Buffer.from(form.toString()),
  })
  if (taken.outcome === 'refused') throw new Error(`Twilio’s report was refused: ${taken.reason}`)
}

async function reportCalls(
  runtime: Runtime,
  population: Population,
  tasks: readonly RobotTask[],
  secret: string,
  now: Date,
): Promise<void> {
  const owners = new Map(
    population.people.flatMap((person) => (person.phone ? [[person.phone, person]] : [])),
  )
  const calls = tasks.map(({ key, reference, phone }) => {
    const u = uniform(population.seed, owners.get(phone)?.index ?? 0, 'call outcome')
    const outcome = choose<CallOutcome>(u, [
      ['reached', 40],
      ['promised', 20],
      ['declined', 15],
      ['no_answer', 25],
    ])
    const minutes = outcome === 'no_answer' ? 0.5 : 3
    return { reference, id: key, at: now.toISOString(), outcome, minutes }
  })
  const body = JSON.stringify({ calls })
  const taken = await takeReceipts(runtime, 'callback', {
    url: 'http://127.0.0.1:7420/v1/receipts/callback',
    provider: undefined,
    headers: reportHeaders(secret, now, body),
    body: Buffer.from(body),
  })
  if (taken.outcome === 'refused') throw new Error(`the robot’s report was refused: ${taken.reason}`)
}
