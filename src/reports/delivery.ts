import { sql } from 'drizzle-orm'
import type { ChartPoint, LineChart } from '../charts/chart.ts'
import { CREDITOR } from '../config/waits.ts'
import { rows, type Session } from '../database/connect.ts'
import { annotationNotes, marksOf } from './annotations.ts'
import { type About, aboutLines, readAbout } from './freshness.ts'
import { left, right } from './layout.ts'
import { inRange, type Range } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import { REASONS } from './reasons.ts'
import type { TextStyle } from './report.ts'
import { type Cell, type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { switchReason } from './switch-reason.ts'
import type { Speech } from './words.ts'
import { type Phrases, sentence } from './words.ts'

// Did it arrive? By channel and domain, with the denominator of every rate in its column's head.

/** Under which small domains of a day are counted together. */
const OTHERS = 'other'

export interface DeliveryLine {
  readonly channel: string
  /** Empty for a channel as a whole; among domains, of those whose address is gone or was erased. */
  readonly domain: string
  readonly sent: number
  readonly failed: number
  readonly uncertain: number
  /** Said the provider, or a click, an opening or a complaint told it. */
  readonly delivered: number
  readonly opened: number
  readonly clicked: number
  readonly bounced: number
  readonly complained: number
  /** Of the delivered, those of which a provider said when; their seconds from handover; those of more than ten minutes. */
  readonly timed: number
  readonly latency: number
  readonly late: number
}

export interface DeliveryData extends About {
  readonly channels: readonly DeliveryLine[]
  readonly domains: readonly DeliveryLine[]
  readonly errors: readonly {
    readonly channel: string
    readonly reason: string
    readonly detail: string
    readonly messages: number
  }[]
  readonly days: readonly {
    readonly day: string
    readonly channel: string
    readonly sent: number
    readonly delivered: number
  }[]
  /** What is switched off or away at this moment, and why; breakers that are open, or tried with a few messages. */
  readonly switches: readonly {
    readonly scope: string
    readonly name: string
    readonly state: string
    readonly reason: string
    readonly since: Date
  }[]
}

export async function readDelivery(readable: Readable, question: CampaignQuestion): Promise<DeliveryData> {
  return await inSnapshot(readable, async (session) => {
    const lines = await readLines(session, question)
    return {
      ...(await readAbout(session, question)),
      channels: lines.filter((line) => line.whole),
      domains: topDomains(lines.filter((line) => !line.whole && line.day === '' && line.channel === 'email')),
      errors: await rows<DeliveryData['errors'][number]>(
        session,
        sql`
        SELECT channel, reason, detail, sum(messages)::bigint AS messages
        FROM report_errors WHERE ${inRange(question)}
        GROUP BY 1, 2, 3 ORDER BY messages DESC, channel, reason, detail LIMIT 20`,
      ),
      days: lines
        .filter((line) => line.day !== '')
        .map(({ day, channel, sent, delivered }) => ({ day, channel, sent, delivered }))
        .sort((a, b) => a.day.localeCompare(b.day) || a.channel.localeCompare(b.channel)),
      switches: await rows<DeliveryData['switches'][number]>(
        session,
        sql`SELECT scope, name, state, reason, since FROM switches
            WHERE scope <> 'campaign' OR name = ${question.campaign}
            UNION ALL SELECT 'breaker', channel, state, reason, since FROM breakers
            UNION ALL SELECT CASE channel WHEN ${CREDITOR} THEN 'offers' ELSE 'channel' END, channel, 'away', detail, since FROM absences
            ORDER BY since DESC`,
      ),
    }
  })
}

/** Domains a table shows by name. */
const DOMAINS = 30

/** The largest, then all others as one, then those that are not known: together as much as the channel. Pure. */
function topDomains(lines: readonly DeliveryLine[]): DeliveryLine[] {
  const named = lines.filter(({ domain }) => domain !== '' && domain !== OTHERS)
  const [first, ...rest] = [...named.slice(DOMAINS), ...lines.filter(({ domain }) => domain === OTHERS)]
  return [
    ...named.slice(0, DOMAINS),
    ...(first === undefined ? [] : [{ ...rest.reduce(addLines, first), domain: OTHERS }]),
    ...lines.filter(({ domain }) => domain === ''),
  ]
}

function addLines(one: DeliveryLine, other: DeliveryLine): DeliveryLine {
  return {
    ...one,
    sent: one.sent + other.sent,
    failed: one.failed + other.failed,
    uncertain: one.uncertain + other.uncertain,
    delivered: one.delivered + other.delivered,
    opened: one.opened + other.opened,
    clicked: one.clicked + other.clicked,
    bounced: one.bounced + other.bounced,
    complained: one.complained + other.complained,
    timed: one.timed + other.timed,
    latency: one.latency + other.latency,
    late: one.late + other.late,
  }
}

/**
 * By channel, by channel and domain, and by channel and day, in one pass: of all report tables this one has the most
 * rows, and each more pass over them took as long as the first.
 */
async function readLines(
  session: Session,
  range: Range,
): Promise<(DeliveryLine & { readonly whole: boolean; readonly day: string })[]> {
  return await rows(
    session,
    sql`
    SELECT channel, coalesce(domain, '') AS domain, coalesce(sent_on::text, '') AS day,
      GROUPING(domain, sent_on) = 3 AS whole,
      coalesce(sum(messages) FILTER (WHERE state = 'sent'), 0)::bigint AS sent,
      coalesce(sum(messages) FILTER (WHERE state = 'failed'), 0)::bigint AS failed,
      coalesce(sum(messages) FILTER (WHERE state = 'uncertain'), 0)::bigint AS uncertain,
      sum(delivered)::bigint AS delivered, sum(opened)::bigint AS opened, sum(clicked)::bigint AS clicked, sum(bounced)::bigint AS bounced,
      sum(complained)::bigint AS complained, sum(latency)::bigint AS latency, sum(late)::bigint AS late,
      sum(timed)::bigint AS timed
    FROM report_messages WHERE ${inRange(range)} AND state IN ('sent', 'failed', 'uncertain')
    GROUP BY GROUPING SETS ((channel), (channel, domain), (channel, sent_on))
    ORDER BY sent DESC, channel, domain`,
  )
}

/**
 * Whether a provider reports what arrives. Where none does, as over plain SMTP, only messages that somebody clicked, opened or
 * complained of are known to have arrived, and a rate of those would be told as hardly anything arriving. Pure.
 */
function tellsArrivals({ timed }: DeliveryLine): boolean {
  return timed > 0
}

export function deliverySheet(data: DeliveryData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const known = data.channels.some((line) => tellsArrivals(line) || line.bounced > 0)
  const columns = (first: string) => [
    left(first),
    right(en ? 'sent' : '已发送'),
    right(en ? 'delivered/sent' : '送达/发送'),
    right(en ? 'bounced/sent' : '退回/发送'),
    right(en ? 'complained/delivered' : '投诉/送达'),
    right(en ? 'clicked/delivered' : '点击/送达'),
    right(en ? 'failed' : '失败'),
    right(en ? 'unknown' : '未知'),
    right(en ? 'seconds, on average' : '平均秒数'),
    right(en ? 'over 10 min' : '超过 10 分钟'),
  ]
  // Where no provider reported, nothing is known: which is not that nothing arrived.
  const line = (name: Cell, of: DeliveryLine) => {
    const arrivals = tellsArrivals(of)
    return [
      name,
      cell.count(of.sent),
      arrivals ? cell.share(of.delivered, of.sent) : cell.none,
      arrivals || of.bounced > 0 ? cell.share(of.bounced, of.sent) : cell.none,
      arrivals ? cell.share(of.complained, of.delivered) : cell.none,
      arrivals ? cell.share(of.clicked, of.delivered) : cell.none,
      cell.count(of.failed),
      cell.count(of.uncertain),
      cell.plain(arrivals ? of.latency / of.timed : undefined),
      arrivals ? cell.count(of.late) : cell.none,
    ]
  }
  const channels: SheetTable = {
    id: 'channels',
    title: en ? 'By channel' : '按渠道',
    columns: columns(en ? 'channel' : '渠道'),
    rows: data.channels.map((each) => line(cell.channel(each.channel), each)),
    empty: en ? 'Nothing was sent yet.' : '尚未发送任何消息。',
  }
  const domains: SheetTable = {
    id: 'domains',
    title: en ? 'E-mail by domain' : '邮件按域名',
    columns: columns(en ? 'domain' : '域名'),
    rows: data.domains.map((each) =>
      line(cell.text(sentence(DOMAIN_WORDS, each.domain, speech.language)), each),
    ),
    empty: en ? 'No e-mail was sent.' : '没有发送邮件。',
  }
  const errors: SheetTable = {
    id: 'errors',
    title: en ? 'What providers said of what failed' : '服务商对失败的说明',
    columns: [
      left(en ? 'channel' : '渠道'),
      right(en ? 'messages' : '消息数'),
      left(en ? 'why' : '原因'),
      left(en ? 'in their words' : '原文'),
    ],
    rows: data.errors.map((each) => [
      cell.channel(each.channel),
      cell.count(each.messages),
      cell.text(sentence(REASONS, each.reason, speech.language)),
      cell.text(each.detail),
    ]),
    empty: en ? 'Nothing failed.' : '没有失败。',
  }
  const switches: SheetTable = {
    id: 'switches',
    title: en ? 'Switched off or away at this moment, and breakers' : '当前停用、失联与熔断',
    columns: [left(''), left(en ? 'since' : '起始'), left(en ? 'why' : '原因')],
    rows: data.switches.map((each) => [
      cell.text(switchText(each, speech)),
      cell.text(speech.moment(each.since)),
      cell.text(switchReason(each.reason, speech.language)),
    ]),
    empty: en ? 'Nothing is.' : '没有。',
  }
  const sent = data.channels.reduce((sum, each) => sum + each.sent, 0)
  return {
    name: 'delivery',
    title: en ? 'Did it arrive' : '是否送达',
    about: aboutLines(data, speech),
    sentences:
      sent > 0 && !known
        ? [
            {
              text: en
                ? 'Nothing is known of what arrived: no provider has reported. See the receipts of your channels in docs/channels.md.'
                : '尚不知是否送达：没有服务商回报。请参阅 docs/channels.md 中的回执设置。',
              tone: 'plain',
            },
          ]
        : [],
    tables: [channels, domains, errors, switches],
    charts: data.days.length === 0 ? [] : [deliveryChart(data, speech)],
    notes: [
      ...clicksOfSent(data, speech),
      ...(known && data.channels.some((each) => each.sent > 0 && !tellsArrivals(each))
        ? [
            en
              ? '–: of that, no provider has reported anything; what it sent may well have arrived.'
              : '“–”表示服务商没有回报，不代表没有送达。',
          ]
        : []),
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

/** What is no domain's name. */
const DOMAIN_WORDS: Phrases = {
  [OTHERS]: { en: 'other domains', 'zh-CN': '其他域名' },
  '': { en: 'domain no longer known', 'zh-CN': '域名已不可知' },
}

/** What is known of messages of which nobody says that they arrived. */
function clicksOfSent({ channels }: DeliveryData, speech: Speech): string[] {
  const told = channels
    .filter((each) => !tellsArrivals(each) && each.clicked + each.complained > 0)
    .map(({ channel, sent, clicked, complained }) => {
      const share = (count: number) => speech.percent(count / sent)
      const en = speech.language === 'en'
      // No complaint is known, which is not that there was none: who tells of complaints has told nothing.
      const complaints =
        complained === 0 ? '' : en ? `, complained ${share(complained)}` : `，投诉占发送 ${share(complained)}`
      return en
        ? `${speech.channel(channel)}: clicked ${share(clicked)} of what was sent${complaints}`
        : `${speech.channel(channel)}：点击占发送 ${share(clicked)}${complaints}`
    })
  return told.length === 0
    ? []
    : [`${told.join(speech.language === 'en' ? '; ' : '；')}${speech.language === 'en' ? '.' : '。'}`]
}

const SCOPES: Phrases = {
  workspace: { en: 'workspace', 'zh-CN': '整个工作区' },
  campaign: { en: 'campaign', 'zh-CN': '活动' },
  channel: { en: 'channel', 'zh-CN': '渠道' },
  breaker: { en: 'breaker', 'zh-CN': '熔断器' },
  offers: { en: 'the provider that credits offers', 'zh-CN': '发放优惠的服务商' },
}
const STATES: Phrases = {
  paused: { en: 'paused', 'zh-CN': '已暂停' },
  stopped: { en: 'stopped for good', 'zh-CN': '已永久停止' },
  away: { en: 'cannot be reached', 'zh-CN': '无法连接' },
  open: { en: 'open: nothing is sent', 'zh-CN': '已断开，不发送' },
  half_open: { en: 'half open: tried with a few messages', 'zh-CN': '半开，少量试发' },
}

/** `breaker E-mail: half open …` */
function switchText({ scope, name, state }: DeliveryData['switches'][number], speech: Speech): string {
  const { language } = speech
  const what = sentence(SCOPES, scope, language)
  const of =
    name === '*' || scope === 'offers' ? '' : ` ${scope === 'campaign' ? name : speech.channel(name)}`
  return `${what}${of}${language === 'en' ? ': ' : '：'}${sentence(STATES, state, language)}`
}

function deliveryChart(data: DeliveryData, speech: Speech): LineChart {
  const en = speech.language === 'en'
  const channels = [...new Set(data.days.map(({ channel }) => channel))]
  return {
    kind: 'lines',
    id: 'sent',
    title: en ? 'Sent by day' : '每日发送量',
    xTitle: '',
    x: 'date',
    unit: 'count',
    series: channels.map((channel) => ({
      name: speech.channel(channel),
      points: sentByDay(data.days.filter((day) => day.channel === channel)),
    })),
    marks: marksOf(data.annotations),
  }
}

/** Days without a message are nought: a line from one day to the next that had some would tell of messages on all between. */
function sentByDay(days: DeliveryData['days']): ChartPoint[] {
  const at = (day: string) => Date.parse(day) / DAY
  return days.flatMap(({ day, sent }, place) => {
    const before = days[place - 1]
    const idle = before === undefined ? 0 : at(day) - at(before.day) - 1
    const none = (days: number) => ({ x: new Date((at(day) - days) * DAY).toISOString().slice(0, 10), y: 0 })
    // Of a long pause its two ends are enough.
    const pause = idle > 1 ? [none(idle), none(1)] : idle === 1 ? [none(1)] : []
    return [...pause, { x: day, y: sent }]
  })
}

const DAY = 86_400_000
