import { z } from 'zod'
import type { DeliveryEvent, EventKind, Money, Receipts, RefusedWebhook, Reply, Webhook } from '../channel.ts'
import { eventIdOf } from '../event-id.ts'
import { parseJson } from '../http.ts'
import { readReference } from '../reference.ts'
import { sameSecret } from '../signatures.ts'
import { isOptOut } from './words.ts'

// What Aliyun posts: SmsReport (what became of messages) and SmsUp (what people answered), both arrays. It signs
// neither, so its URL carries a secret.

const report = z.object({
  phone_number: z.string(),
  send_time: z.string(),
  report_time: z.string(),
  success: z.boolean(),
  err_code: z.string().nullish(),
  err_msg: z.string().nullish(),
  sms_size: z.union([z.string(), z.number()]).nullish(),
  biz_id: z.string().nullish(),
  out_id: z.string().nullish(),
})
const upstream = z.object({
  phone_number: z.string().min(5).max(20),
  content: z.string().max(5000),
  send_time: z.string(),
  dest_code: z.string().nullish(),
  sequence_id: z.union([z.string(), z.number()]).nullish(),
})

const ANSWER = { type: 'application/json', body: '{"code":0,"msg":"ok"}' }

/**
 * The number is nobody's. `INVALID_NUMBER` and `MOBILE_NOT_ON_SERVICE` need not mean that: they are also said of a telephone that
 * is off, out of reach or not paid for. https://help.aliyun.com/document_detail/101347.htm
 */
const GONE = 'MOBILE_NOT_EXIST'
/** Its owner told the carrier or Aliyun to let nothing more through, some time before: no complaint of this message. */
const REFUSING = ['USER_REJECT', 'MOBILE_IN_BLACK']

/** What it means that a message was not received. */
export function failureOf(code: string): EventKind {
  if (code === GONE) return 'hard_bounce'
  return REFUSING.includes(code) ? 'unsubscribed' : 'soft_bounce'
}

/** @param price of one segment: the report says how many there were in fact */
export function readAliyunReceipts(
  webhook: Webhook,
  token: string | undefined,
  price: Money,
): Receipts | RefusedWebhook {
  if (token === undefined) {
    return { outcome: 'refused', status: 401, reason: 'channels.sms.callback_token is not set' }
  }
  if (!sameSecret(new URL(webhook.url).searchParams.get('token') ?? '', token)) {
    return { outcome: 'refused', status: 401, reason: 'the token in the URL is not ours' }
  }
  const value = parseJson(Buffer.from(webhook.body).toString('utf8'))
  if (!Array.isArray(value)) return malformed('expected a JSON array of reports or replies')
  const events: DeliveryEvent[] = []
  const replies: Reply[] = []
  const unread: string[] = []
  for (const [index, item] of value.entries()) {
    const up = upstream.safeParse(item)
    const down = report.safeParse(item)
    if (down.success) {
      const at = chinaTime(down.data.report_time)
      if (!at) {
        unread.push(`item ${index}: report_time is no time`)
        continue
      }
      const event = eventOf(down.data, at, price)
      if (event) events.push(event)
    } else if (up.success) {
      const { phone_number, content, send_time, sequence_id } = up.data
      const eventId = eventIdOf(String(sequence_id ?? `${phone_number} ${send_time} ${content}`))
      const at = chinaTime(send_time) ?? webhook.now
      replies.push({ from: phone_number, text: content, optOut: isOptOut(content), eventId, at })
    } else unread.push(`item ${index} is neither a report nor a reply`)
  }
  // Refused three times, all of it is lost: what is odd costs nothing beside it, least of all somebody's 退订.
  const [first] = unread
  if (first !== undefined && unread.length === value.length) return malformed(first)
  return { outcome: 'accepted', events, replies, answer: ANSWER }
}

function malformed(reason: string): RefusedWebhook {
  return { outcome: 'refused', status: 400, reason }
}

/** Undefined for a message that is not ours: the account may send for others, too. */
function eventOf(item: z.output<typeof report>, at: Date, price: Money): DeliveryEvent | undefined {
  const named = readReference(item.out_id ?? '')
  if (!named) return undefined
  const code = item.err_code ?? ''
  const kind = item.success ? 'delivered' : failureOf(code)
  const size = Number(item.sms_size ?? Number.NaN)
  const detail = [code, item.err_msg ?? ''].join(' ').trim()
  return {
    ...named,
    kind,
    eventId: `${item.out_id}:${kind}`,
    at,
    ...(detail === '' ? {} : { detail }),
    ...(item.biz_id ? { providerId: item.biz_id } : {}),
    ...(Number.isInteger(size) && size > 0 && size <= 100 ? { cost: size * price } : {}),
  }
}

/** `2017-08-30 00:00:00`, in China's time. */
function chinaTime(text: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text)) return undefined
  const time = new Date(`${text.replace(' ', 'T')}+08:00`)
  return Number.isNaN(time.getTime()) ? undefined : time
}
