import { WinbackError } from '../../errors.ts'
import type {
  CallTask,
  Channel,
  ChannelModule,
  Delivery,
  Message,
  Template,
  TemplateView,
} from '../channel.ts'
import {
  type Exchange,
  type HttpClient,
  neverLeft,
  openHttp,
  parseJson,
  retryAfter,
  saysTakesNone,
} from '../http.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { guardedLookup, type Resolve, refusalOf } from '../private-hosts.ts'
import { referenceOf } from '../reference.ts'
import { parsePhone } from '../sms/phone.ts'
import { signedHeaders } from '../webhook/signature.ts'
import { readCallReports } from './receipts.ts'
import { type CallbackSettings, callbackSettings, type RobotSettings } from './settings.ts'

/**
 * Calls. Of those that people make the provider is Winback itself: it keeps each as a task until somebody takes it. A
 * voice robot is an HTTP provider beside it; it must recognise a repeat by its `Idempotency-Key`.
 */
export const callback: ChannelModule<CallbackSettings> = {
  name: 'callback',
  idempotent: true,
  address: 'phone',
  renders: true,
  settings: callbackSettings,
  open: (settings) => openCallback(settings),
}

export interface CallContent {
  readonly locale: string
  /** IANA name, by which a robot knows what hour it is where the contact is. */
  readonly timezone: string
  readonly script: string
}

/** Milliseconds. */
const DEADLINE = 20_000
/** Tasks for people are only written down: as many at once as a batch has. */
const PEOPLE = 500

/**
 * @param options.deadline milliseconds a send may take
 * @param options.resolve resolves names in the place of the system's resolver
 * @throws WinbackError `channels.callback.settings` for a robot's URL that may not be called
 */
export function openCallback(
  settings: CallbackSettings,
  options: { deadline?: number; resolve?: Resolve } = {},
): Channel<string, CallContent> {
  const { deadline = DEADLINE } = options
  const terms = settings.robot
  const robot = terms && openRobot(terms, { ...options, deadline })
  const concurrency = terms?.connections ?? PEOPLE
  const lane = openLane(concurrency)
  const price = parsePrice(terms?.price ?? '0')
  return {
    name: callback.name,
    idempotent: callback.idempotent,
    concurrency,
    deadline,
    addressOf: ({ phone }) => (phone === null ? undefined : parsePhone(phone, settings.country)),
    render: (template, view, { locale, timezone }) => ({
      // Of what is said: a robot has a voice for it.
      locale: template?.locale ?? locale,
      timezone,
      script: renderScript(template, view),
    }),
    // What it costs at most: whether a person or the robot calls is decided later.
    cost: () => price,
    ...(terms ? { overflow: terms.takes } : {}),
    send: (message) =>
      lane.run(async () => {
        const { script } = message.content
        const task = (taker: CallTask['taker']): CallTask => ({ kind: 'call', script, taker })
        if (robot && (message.overflow || terms.takes === 'all')) {
          const delivery = await robot.send(message)
          if (delivery.outcome === 'sent') return { ...delivery, keep: task('robot') }
          // People go on where the robot takes what is beyond them: the channel is not away with it.
          const beside = delivery.outcome === 'retry' && terms.takes !== 'all'
          return beside ? { ...delivery, unreached: false, takesNone: false } : delivery
        }
        return { outcome: 'sent', providerId: message.key, cost: 0, keep: task('agent') }
      }),
    ...(terms ? { receipts: (call) => readCallReports(call, terms) } : {}),
    check: async () => (robot ? await robot.check() : 'people make the calls: `winback calls list`'),
    leave: () => robot?.close(),
    close: async () => {
      await lane.close()
      robot?.close()
    },
  }
}

function renderScript(template: Template | undefined, view: TemplateView): string {
  if (!template) throw new Error('a call needs a script')
  const { text = '' } = template.render(view)
  if (text.trim() === '') throw new Error(`the script \`${template.name}\` came out empty`)
  return text.trim()
}

interface Robot {
  send(message: Message<string, CallContent>): Promise<Delivery>
  check(): Promise<string>
  close(): void
}

function openRobot(settings: RobotSettings, options: { deadline: number; resolve?: Resolve }): Robot {
  const refusal = refusalOf(settings.url, settings.allow_private)
  if (refusal !== undefined) {
    throw new WinbackError('channels.callback.settings', `channels.callback.robot.url: ${refusal}`, {
      remedy: 'Name the host under channels.callback.robot.allow_private where it is meant to be called.',
    })
  }
  const lookup = guardedLookup(settings.allow_private, options.resolve)
  const http = openHttp({ deadline: options.deadline, reuse: true, lookup })
  return {
    send: async (message) => conclude(await post(http, settings, taskOf(message), message.key), message.key),
    check: async () => {
      const exchange = await post(http, settings, { check: true }, 'check')
      if (exchange.kind !== 'answered') throw new Error(exchange.detail)
      if (exchange.status >= 300) throw new Error(`${settings.url} answers ${exchange.status} to a check`)
      return `the robot at ${new URL(settings.url).host} answers`
    },
    close: () => http.close(),
  }
}

/** A call as the robot is told of it. */
function taskOf(message: Message<string, CallContent>) {
  return { key: message.key, reference: referenceOf(message), phone: message.address, ...message.content }
}

async function post(http: HttpClient, settings: RobotSettings, body: object, key: string): Promise<Exchange> {
  const text = JSON.stringify(body)
  // Real time, whatever clock the campaign runs by: the robot compares it with its own.
  const headers = {
    'Content-Type': 'application/json',
    'Idempotency-Key': key,
    ...signedHeaders(settings, Math.floor(Date.now() / 1000), text),
  }
  return await http.call({ method: 'POST', url: settings.url, headers, body: text })
}

/** The robot knows keys: whatever is in doubt is asked again. */
function conclude(exchange: Exchange, key: string): Delivery {
  if (exchange.kind === 'unsent') return neverLeft(exchange)
  if (exchange.kind === 'lost') return { outcome: 'retry', detail: exchange.detail, unsent: false }
  const { status, headers, text } = exchange
  if (status < 300) {
    const answer = parseJson(text)
    const id = typeof answer === 'object' && answer !== null && 'id' in answer ? answer.id : undefined
    return { outcome: 'sent', providerId: typeof id === 'string' ? id : key }
  }
  const detail = `the robot answers ${status}`
  if (status === 404 || status === 422) return { outcome: 'rejected', reason: 'bad_address', detail }
  const after = retryAfter(headers, new Date()) ?? (status === 403 ? 3600 : undefined)
  // A 403 may be about what the call says: so answer firewalls, which read it.
  const [unsent, unreached] = [status < 500, status === 401]
  const said = {
    unsent,
    unreached,
    takesNone: saysTakesNone(status),
    ...(after === undefined ? {} : { after }),
  }
  return { outcome: 'retry', detail, ...said }
}
