import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Answer, Channel, Delivery, DeliveryEvent, Doubt, Message } from '../channel.ts'
import { type HttpClient, neverLeft, openHttp, parseJson } from '../http.ts'
import { openLane } from '../lane.ts'
import { parsePrice } from '../price.ts'
import { readReference, referenceOf } from '../reference.ts'
import { failureOf, readAliyunReceipts } from './aliyun-receipts.ts'
import { signAliyun } from './aliyun-signature.ts'
import { priceOf, renderSms, type SmsContent } from './content.ts'
import { CHINA, parsePhone } from './phone.ts'
import type { AliyunSettings } from './settings.ts'

// Aliyun's SMS API, dysmsapi of 2017-05-25. It recognises no repeat: a send without an answer is asked about by its
// out_id (QuerySendDetails) and never repeated.

/** Marketing texts are not sent at night: 09:00 to 20:00 where the recipient lives. */
const BY_DAY = { from: 540, to: 1200, workdays: false }
/** Milliseconds a send may take. */
const DEADLINE = 20_000
const PAGE = 50
/** Pages of a day that are read at most: far more than a number gets messages. */
const PAGES = 10
/** Days that are asked about at most: Aliyun lists a month. */
const DAYS = 30
/** Seconds after which a message that Aliyun does not list is one it never got. */
const SETTLED_AFTER = 1800

const mobile = (phone: string | undefined) => /^\+86(1[3-9]\d{9})$/.exec(phone ?? '')?.[1]

const reply = z.object({ Code: z.string(), Message: z.string().optional(), BizId: z.string().optional() })
const details = z.object({
  Code: z.string(),
  TotalCount: z.coerce.number().optional(),
  SmsSendDetailDTOs: z.object({
    SmsSendDetailDTO: z.array(
      z.object({
        OutId: z.string().optional(),
        SendStatus: z.coerce.number(),
        ErrCode: z.string().optional(),
        ReceiveDate: z.string().optional(),
      }),
    ),
  }),
})

/** @param deadline milliseconds */
export function openAliyun(settings: AliyunSettings, deadline = DEADLINE): Channel<string, SmsContent> {
  const price = parsePrice(settings.price)
  const http = openHttp({ deadline, reuse: false })
  const lane = openLane(settings.connections)
  const call = (parameters: Record<string, string>) => callApi(http, settings, parameters)

  const send = async (message: Message<string, SmsContent>): Promise<Delivery> => {
    const { content, address } = message
    const code = codeOf(settings, content)
    if (code === undefined) {
      const detail = `no template code for ${content.template} in channels.sms.templates`
      return { outcome: 'rejected', reason: 'content', detail }
    }
    const hasParameters = Object.keys(content.parameters).length > 0
    const exchange = await call({
      Action: 'SendSms',
      PhoneNumbers: address,
      SignName: settings.sign_name,
      TemplateCode: code,
      ...(hasParameters ? { TemplateParam: JSON.stringify(content.parameters) } : {}),
      OutId: referenceOf(message),
    })
    if (exchange.kind === 'unsent') return neverLeft(exchange)
    if (exchange.kind === 'lost') return { outcome: 'uncertain', detail: exchange.detail }
    return classify(exchange.status, exchange.text)
  }

  return {
    name: 'sms',
    idempotent: false,
    concurrency: settings.connections,
    deadline,
    window: BY_DAY,
    addressOf: ({ phone }) => (phone === null ? undefined : mobile(parsePhone(phone, CHINA))),
    render: (template, view, contact) => renderSms(template, view, contact, true),
    cost: (content) => priceOf(content, price),
    send: (message) => lane.run(() => send(message)),
    receipts: (webhook) => readAliyunReceipts(webhook, settings.callback_token, price),
    query: (doubt) => query(call, doubt),
    ...(settings.opt_out_template === undefined
      ? {}
      : {
          confirm: async ({ from }) => {
            const number = mobile(parsePhone(from, CHINA))
            if (number === undefined)
              return { outcome: 'rejected', reason: 'bad_address', detail: 'no mobile' }
            const { opt_out_template: TemplateCode = '', sign_name: SignName } = settings
            const exchange = await call({ Action: 'SendSms', PhoneNumbers: number, SignName, TemplateCode })
            return exchange.kind === 'answered'
              ? classify(exchange.status, exchange.text)
              : { outcome: 'uncertain', detail: exchange.detail }
          },
        }),
    check: async () => {
      const exchange = await call({ Action: 'QuerySmsSign', SignName: settings.sign_name })
      if (exchange.kind !== 'answered') throw new Error(exchange.detail)
      const answer = reply.safeParse(parseJson(exchange.text)).data
      if (answer?.Code === 'OK') return `Aliyun answers; signature ${settings.sign_name}`
      throw new Error(
        `Aliyun answers ${exchange.status} ${answer?.Code ?? ''} ${answer?.Message ?? ''}`.trimEnd(),
      )
    },
    leave: () => http.close(),
    close: async () => {
      await lane.close()
      http.close()
    },
  }
}

/** The approved template for a message: by name and locale, else by name. */
function codeOf(
  { templates }: Pick<AliyunSettings, 'templates'>,
  { template, locale }: { template: string; locale: string },
): string | undefined {
  return templates[`${template}.${locale}`] ?? templates[template]
}

function callApi(http: HttpClient, settings: AliyunSettings, own: Readonly<Record<string, string>>) {
  const parameters: Record<string, string> = {
    AccessKeyId: settings.access_key_id,
    Format: 'JSON',
    RegionId: 'cn-hangzhou',
    SignatureMethod: 'HMAC-SHA1',
    SignatureNonce: randomUUID(),
    SignatureVersion: '1.0',
    // The signature is good for a quarter of an hour around real time, whatever clock the campaign runs by.
    Timestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    Version: '2017-05-25',
    ...own,
  }
  const Signature = signAliyun('POST', parameters, settings.access_key_secret)
  return http.call({
    method: 'POST',
    url: settings.endpoint,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...parameters, Signature }).toString(),
  })
}

/** Codes after which the message can go out later. Seconds. */
const LATER: Readonly<Record<string, number>> = {
  'isv.BUSINESS_LIMIT_CONTROL': 3600,
  'isv.DAY_LIMIT_CONTROL': 21_600,
  'isv.MONTH_LIMIT_CONTROL': 21_600,
  InvalidTimeStamp: 300,
}
/** Of those, what says that our own number of messages is used up, or our clock wrong: no message goes out. */
const OURS = ['isv.DAY_LIMIT_CONTROL', 'isv.MONTH_LIMIT_CONTROL', 'InvalidTimeStamp']
/**
 * Codes by which our key, account or machine is refused, and nobody's message: no credit, out of service, the product not
 * ordered, no right to send, not from this country, locked for not having been used. https://help.aliyun.com/document_detail/101347.htm
 */
const NOT_LET_IN =
  /^(SignatureDoesNotMatch|InvalidAccessKeyId|NoPermission|Forbidden|isv\.(AMOUNT_NOT_ENOUGH|OUT_OF_SERVICE|ACCOUNT_ABNORMAL|ACCOUNT_NOT_EXISTS|SECURITY_FROZEN_ACCOUNT|PRODUCT_UN_?SUBSCRI(PT|BE)|DENY_IP_RANGE)|isp\.RAM_PERMISSION_DENY)(\.|$)/
/** The signature of the settings is none of the account's, not approved (yet) or forbidden: nobody's message can go. */
const NO_SENDER = ['isv.SMS_SIGNATURE_ILLEGAL', 'isv.SMS_SIGN_ILLEGAL', 'isv.SIGN_STATE_ILLEGAL']
/** The person has told Aliyun to let no advertising of ours through. */
const OPTED_OUT = 'isv.CUSTOMER_REFUSED'
const CONTENT = /TEMPLATE|SIGN|PARAM|BLACK_KEY|CONTENT/

function classify(status: number, text: string): Delivery {
  const answer = reply.safeParse(parseJson(text)).data
  if (!answer) {
    const detail = `Aliyun answers ${status} without a code`
    // Aliyun gives each refusal a code. What has none is another's: a proxy, a redirect, an address that is not Aliyun's.
    const another = status >= 300 && status < 500
    return another ? { outcome: 'retry', detail, after: 300 } : { outcome: 'uncertain', detail }
  }
  const { Code, Message = '', BizId } = answer
  const detail = `${Code} ${Message}`.trim()
  if (Code === 'OK') return { outcome: 'sent', ...(BizId === undefined ? {} : { providerId: BizId }) }
  if (NOT_LET_IN.test(Code) || NO_SENDER.includes(Code)) {
    return { outcome: 'retry', detail, unsent: true, unreached: true }
  }
  const code = Object.keys(LATER).find((known) => Code === known || Code.startsWith(`${known}.`))
  if (code !== undefined)
    return { outcome: 'retry', detail, after: LATER[code] ?? 3600, takesNone: OURS.includes(code) }
  if (/^Throttling|^ServiceUnavailable/.test(Code)) {
    return { outcome: 'retry', detail, after: 60, takesNone: true }
  }
  if (Code === OPTED_OUT) return { outcome: 'rejected', reason: 'unsubscribed', detail }
  if (Code.startsWith('isv.MOBILE_NUMBER')) return { outcome: 'rejected', reason: 'bad_address', detail }
  if (status >= 500 || Code.startsWith('isp.')) return { outcome: 'uncertain', detail }
  return { outcome: 'rejected', reason: CONTENT.test(Code) ? 'content' : 'refused', detail }
}

/** A day as Aliyun writes it, in China's time. */
function chinaDay(time: Date): string {
  return new Date(time.getTime() + 8 * 3_600_000).toISOString().slice(0, 10).replaceAll('-', '')
}

async function query(
  call: (parameters: Record<string, string>) => ReturnType<HttpClient['call']>,
  doubt: Doubt<string>,
): Promise<Answer> {
  const reference = referenceOf(doubt)
  const days = daysOf(doubt)
  for (const day of days.slice(0, DAYS)) {
    let seen = 0
    for (let page = 1; ; page += 1) {
      const exchange = await call({
        Action: 'QuerySendDetails',
        PhoneNumber: doubt.address,
        SendDate: day,
        PageSize: String(PAGE),
        CurrentPage: String(page),
      })
      const answer =
        exchange.kind === 'answered' ? details.safeParse(parseJson(exchange.text)).data : undefined
      if (answer?.Code !== 'OK') return { outcome: 'unknown' }
      const listed = answer.SmsSendDetailDTOs.SmsSendDetailDTO
      const found = listed.find(({ OutId }) => OutId === reference)
      if (found) return { outcome: 'sent', events: eventsOf(doubt, found.SendStatus, found.ErrCode) }
      seen += listed.length
      const { TotalCount } = answer
      if (TotalCount === undefined ? listed.length < PAGE : seen >= TotalCount) break
      // Never absent because a list broke off; and one without end is no list.
      if (listed.length === 0 || page >= PAGES) return { outcome: 'unknown' }
    }
  }
  const age = (Date.now() - doubt.since.getTime()) / 1000
  return { outcome: age > SETTLED_AFTER && days.length <= DAYS ? 'absent' : 'unknown' }
}

/** The days on which a send in doubt may have begun, the newest first. */
function daysOf({ plannedFor, since }: Doubt<string>): string[] {
  // Clocks may differ, and a send may begin up to a lease before its doubt is recorded.
  const first = chinaDay(new Date(Math.min(plannedFor.getTime(), since.getTime()) - 600_000))
  const days: string[] = []
  for (let at = since.getTime(); chinaDay(new Date(at)) >= first; at -= 86_400_000) {
    days.push(chinaDay(new Date(at)))
  }
  return days
}

/** SendStatus: 1 waits for the carrier's receipt, 2 failed, 3 arrived. */
function eventsOf(doubt: Doubt<string>, status: number, code: string | undefined): DeliveryEvent[] {
  const named = readReference(referenceOf(doubt))
  if (!named) return []
  const kind = status === 3 ? 'delivered' : status === 2 ? failureOf(code ?? '') : 'sent'
  // The same id as the report's own, so that whichever comes second is a repeat.
  return [
    {
      ...named,
      kind,
      eventId: `${referenceOf(doubt)}:${kind}`,
      at: doubt.since,
      ...(code ? { detail: code } : {}),
    },
  ]
}
