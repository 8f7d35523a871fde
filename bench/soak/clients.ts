import { signTwilio } from '../../src/channels/sms/twilio-receipts.ts'
import { signedHeaders } from '../../src/channels/webhook/signature.ts'
import { SECRET } from './shop.ts'

// Who speaks to Winback over HTTP: the shop's own systems with a key, and providers with their signatures.

export interface Clients {
  /** A request with the key. @returns the status, and the answer where it is JSON */
  ask(method: string, path: string, body?: object): Promise<Answer>
  /** Twilio's status callback for a message. */
  reportSms(reference: string, status: string): Promise<Answer>
  /** A text message from somebody. */
  reply(from: string, text: string): Promise<Answer>
  /** Our own signed webhook, to a channel of it. */
  report(channel: 'webhook' | 'callback', body: object): Promise<Answer>
  /** What a mail program does at one click. */
  unsubscribe(url: string): Promise<Answer>
  /** Answers by path and status. */
  readonly answered: ReadonlyMap<string, number>
  /** Requests that failed on the server's side, in its words. */
  readonly failures: readonly string[]
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

export function openClients(base: string, key: string): Clients {
  const answered = new Map<string, number>()
  const failures: string[] = []
  const call = async (name: string, url: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(url, init)
    const text = await response.text()
    const line = `${name} ${response.status}`
    answered.set(line, (answered.get(line) ?? 0) + 1)
    if (response.status >= 500) failures.push(`${line}: ${text.slice(0, 500)}`)
    try {
      return { status: response.status, body: JSON.parse(text) }
    } catch {
      return { status: response.status, body: text }
    }
  }
  const twilio = (query: string, form: Record<string, string>) => {
    const url = `${base}/v1/receipts/sms/twilio${query}`
    const headers = {
      'Content-Type': 'application/x-www-form-urlencoded',
      'X-Twilio-Signature': signTwilio(url, Object.entries(form), SECRET),
    }
    return call('receipts/sms', url, { method: 'POST', headers, body: new URLSearchParams(form).toString() })
  }
  return {
    answered,
    failures,
    ask: (method, path, body) => {
      // Ids are left out of the name: one line for each kind of request.
      const [, kind = ''] = path.split('/v1/')
      return call(`${method} ${kind.split(/[/?]/)[0]}`, `${base}${path}`, {
        method,
        headers: { authorization: `Bearer ${key}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    },
    reportSms: (reference, status) =>
      twilio(`?ref=${reference}`, { MessageSid: `SM${reference}`, MessageStatus: status }),
    reply: (from, text) => twilio('', { MessageSid: `SM${from}${text}`, From: from, Body: text }),
    report: (channel, body) => {
      const text = JSON.stringify(body)
      const headers = signedHeaders(
        { key_id: 'winback', secret: SECRET },
        Math.floor(Date.now() / 1000),
        text,
      )
      return call(`receipts/${channel}`, `${base}/v1/receipts/${channel}`, {
        method: 'POST',
        headers,
        body: text,
      })
    },
    unsubscribe: (url) =>
      call('unsubscribe', url, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'List-Unsubscribe=One-Click',
      }),
  }
}
