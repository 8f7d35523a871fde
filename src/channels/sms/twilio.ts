import { z } from 'zod'
import type { Channel, Delivery } from '../channel.ts'
import { type Exchange, neverLeft, openHttp, parseJson, retryAfter } from '../http.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { referenceOf } from '../reference.ts'
import { priceOf, renderSms, type SmsContent } from './content.ts'
import { parsePhone } from './phone.ts'
import type { TwilioSettings } from './settings.ts'
import { OPTED_OUT, readTwilioReceipts } from './twilio-receipts.ts'

// Twilio's Messages resource of API version 2010-04-01. It recognises no repeat.

/** Milliseconds a send may take. */
const DEADLINE = 20_000
/** The hours in which the TCPA allows marketing texts where the recipient lives: 08:00 to 21:00. */
const BY_DAY = { from: 480, to: 1260, workdays: false }

const created = z.object({ sid: z.string() })
const failure = z.object({ code: z.coerce.number(), message: z.string().optional() })

/** https://www.twilio.com/docs/api/errors: numbers that cannot be reached. */
const BAD_NUMBERS = [21211, 21214, 21217, 21265, 21401, 21614, 21635]
/** Beside 403: the key is not let in, or the account is suspended or closed. */
const NOT_LET_IN = [20003, 20005, 20403]
/** Beside 404: there is no such account, as of an `account_sid` that was copied with a blank or is another's id. */
const NO_ACCOUNT = 20404
/** What the settings send from (`from`, the messaging service) is none of the account's, or cannot send: nobody's message can go. */
const NO_SENDER = [21212, 21601, 21603, 21659, 21660, 21661, 21701, 21703, 21704, 21705]
/** The sender's queue at Twilio is full, with ten hours of messages. */
const FULL = 21611
/** No number to send from for where this one is, or no permission to send there: the account may be given either. */
const NONE_FOR_IT = [21606, 21408]
/** Bodies that are missing, too long or not to be sent. */
const BAD_BODIES = [21602, 21617, 21619, 30007]

/** @param deadline milliseconds */
export function openTwilio(settings: TwilioSettings, deadline = DEADLINE): Channel<string, SmsContent> {
  const price = parsePrice(settings.price)
  const http = openHttp({ deadline, reuse: false })
  const lane = openLane(settings.connections)
  const { account_sid: account, auth_token: token } = settings
  const authorization = `Basic ${Buffer.from(`${account}:${token}`).toString('base64')}`
  const base = new URL(`2010-04-01/Accounts/${encodeURIComponent(account)}`, settings.endpoint).href
  const post = async (to: string, text: string, callback: string | undefined): Promise<Delivery> => {
    const body = new URLSearchParams({
      To: to,
      Body: text,
      ...(settings.from === undefined ? {} : { From: settings.from }),
      ...(settings.messaging_service_sid === undefined
        ? {}
        : { MessagingServiceSid: settings.messaging_service_sid }),
      ...(callback === undefined ? {} : { StatusCallback: callback }),
    })
    const headers = { Authorization: authorization, 'Content-Type': 'application/x-www-form-urlencoded' }
    const url = `${base}/Messages.json`
    return classify(await http.call({ method: 'POST', url, headers, body: body.toString() }))
  }
  const { opt_out_confirmation: confirmation } = settings
  return {
    name: 'sms',
    idempotent: false,
    concurrency: settings.connections,
    deadline,
    window: BY_DAY,
    addressOf: ({ phone }) => (phone === null ? undefined : parsePhone(phone, settings.country)),
    render: (template, view, contact) => renderSms(template, view, contact, false),
    cost: (content) => priceOf(content, price),
    send: (message) =>
      lane.run(() =>
        post(message.address, message.content.text, callbackOf(settings.callback_url, referenceOf(message))),
      ),
    receipts: (webhook) => readTwilioReceipts(webhook, settings),
    ...(confirmation === undefined ? {} : { confirm: ({ from }) => post(from, confirmation, undefined) }),
    check: async () => {
      const exchange = await http.call({
        method: 'GET',
        url: `${base}.json`,
        headers: { Authorization: authorization },
      })
      if (exchange.kind !== 'answered') throw new Error(exchange.detail)
      if (exchange.status === 200) return `Twilio knows account ${account}`
      throw new Error(`Twilio answers ${exchange.status} to account ${account}`)
    },
    leave: () => http.close(),
    close: async () => {
      await lane.close()
      http.close()
    },
  }
}

function callbackOf(url: string | undefined, reference: string): string | undefined {
  if (url === undefined) return undefined
  const callback = new URL(url)
  callback.searchParams.set('ref', reference)
  return callback.href
}

function classify(exchange: Exchange): Delivery {
  if (exchange.kind === 'unsent') return neverLeft(exchange)
  if (exchange.kind === 'lost') return { outcome: 'uncertain', detail: exchange.detail }
  const { status, text, headers } = exchange
  const value = parseJson(text)
  if (status < 300) {
    const message = created.safeParse(value).data
    return message
      ? { outcome: 'sent', providerId: message.sid }
      : { outcome: 'uncertain', detail: `Twilio answers ${status} without an id` }
  }
  const { code = 0, message = '' } = failure.safeParse(value).data ?? {}
  const detail = `${status} ${code || ''} ${message}`.replace(/ +/g, ' ').trim()
  // What the account is short of can be mended; the message waits for it.
  const outside = status === 401 || (status === 403 && NOT_LET_IN.includes(code)) || code === NO_ACCOUNT
  if (outside || NO_SENDER.includes(code)) {
    return { outcome: 'retry', detail, unsent: true, unreached: true }
  }
  if (status === 403 || NONE_FOR_IT.includes(code)) return { outcome: 'retry', detail, after: 3600 }
  if (code === FULL) return { outcome: 'retry', detail, after: 1800, takesNone: true }
  if (status === 429 || code === 20429) {
    return { outcome: 'retry', detail, after: retryAfter(headers, new Date()) ?? 60, takesNone: true }
  }
  if (status >= 500) return { outcome: 'uncertain', detail }
  // Twilio numbers its refusals. What has none is another's: a proxy, a redirect, an address that is not Twilio's.
  if (!code) return { outcome: 'retry', detail, after: 300 }
  if (BAD_NUMBERS.includes(code)) return { outcome: 'rejected', reason: 'bad_address', detail }
  if (code === OPTED_OUT) return { outcome: 'rejected', reason: 'unsubscribed', detail }
  if (BAD_BODIES.includes(code)) return { outcome: 'rejected', reason: 'content', detail }
  return { outcome: 'rejected', reason: 'refused', detail }
}
