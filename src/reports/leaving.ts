import { type SQL, sql } from 'drizzle-orm'
import { maskText } from '../config/masking.ts'
import { rows } from '../database/connect.ts'
import { isSaid } from '../database/permissions.ts'
import { annotationNotes } from './annotations.ts'
import { type About, aboutLines, readAbout } from './freshness.ts'
import { left, right } from './layout.ts'
import { momentInRange } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import { REASON_SOURCES } from './reasons.ts'
import type { TextStyle } from './report.ts'
import { type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { sourceText } from './source-words.ts'
import { reasonWords } from './timeline/dealings-text.ts'
import type { Speech } from './words.ts'
import { type Phrases, sentence } from './words.ts'

// Why people leave: what they said themselves, in the range of days, whatever the campaign. Opting out is said to the
// sender as a whole. What people answered is counted, not shown: it may hold anything. Addresses and numbers in a reason
// are masked for everybody: who said it is no part of the figure.

export interface LeavingData extends About {
  /** By where it was said and what. `reason` is the contact's own words where a form asks for them, or empty. */
  readonly said: readonly {
    readonly source: LeavingSource
    readonly what: string
    readonly reason: string
    readonly people: number
  }[]
  /** In the words of the list that calls, replies, opt-outs and interviews share. */
  readonly given: readonly GivenReason[]
}

/** A reason of the one list, by where it was said. */
export interface GivenReason {
  readonly source: string
  readonly reason: string
  readonly people: number
}

/** `choice`: what they chose otherwise than on the page: by the link of a message, in a call, told by a program or an operator. */
export type LeavingSource = 'preferences' | 'choice' | 'consent' | 'suppression' | 'reply'

/** Most of the reasons that are worth a line. */
const LINES = 60

/** True of a row of somebody who was no campaign's seed: what colleagues try out is no reason of anybody's. */
function isNoSeed(row: SQL): SQL {
  return sql`NOT EXISTS (SELECT FROM episodes e WHERE e.contact_id = ${row}.contact_id AND e.arm = 'seed')`
}

export async function readLeaving(readable: Readable, question: CampaignQuestion): Promise<LeavingData> {
  return await inSnapshot(readable, async (session) => {
    const within = (column: SQL) => momentInRange(column, question)
    return {
      ...(await readAbout(session, question)),
      given: await rows<GivenReason>(
        session,
        sql`SELECT g.source, g.reason, count(DISTINCT g.contact_id) AS people FROM reasons_given g
          WHERE ${within(sql`g.said_at`)} AND ${isNoSeed(sql`g`)}
          GROUP BY g.source, g.reason ORDER BY people DESC, g.source, g.reason LIMIT ${LINES}`,
      ),
      said: (
        await rows<LeavingData['said'][number]>(
          session,
          sql`
        SELECT source, what, reason, count(DISTINCT who) AS people FROM (
          SELECT CASE p.source WHEN 'preferences page' THEN 'preferences' ELSE 'choice' END AS source,
            off AS what, coalesce(p.reason, '') AS reason, p.contact_id::text AS who
          FROM preferences p CROSS JOIN LATERAL unnest(p.channels_off) AS off
          WHERE ${within(sql`p.chosen_at`)} AND ${isNoSeed(sql`p`)} AND ${isSaid(sql`p`)}
            -- Told of already, as the address that is silenced.
            AND NOT (off = 'email' AND starts_with(p.source, 'unsubscribe: '))
          UNION ALL
          SELECT 'consent', c.channel, c.source, c.contact_id::text FROM consents c
          WHERE c.decision = 'withdrawn' AND ${within(sql`c.decided_at`)} AND ${isNoSeed(sql`c`)} AND ${isSaid(sql`c`)}
          UNION ALL
          SELECT 'suppression', s.kind, s.reason, encode(s.key, 'hex') FROM suppressions s WHERE ${within(sql`s.suppressed_at`)}
            -- A number stands there in all its spellings: it is the one that somebody has.
            AND (s.kind <> 'phone' OR EXISTS (SELECT FROM contacts c WHERE c.phone_key = s.key))
            -- From the seeds, who are few: of each address on the list, it would be looked up whose it is.
            AND (s.kind, s.key) NOT IN (SELECT k.kind, k.key FROM episodes e JOIN contacts c USING (contact_id)
              CROSS JOIN LATERAL (VALUES ('email', c.email_key), ('phone', c.phone_key)) AS k(kind, key)
              WHERE e.arm = 'seed' AND k.key IS NOT NULL)
          UNION ALL
          SELECT 'reply', r.channel, CASE WHEN r.opt_out THEN 'opt_out' ELSE 'answer' END, r.contact_id::text
          FROM replies r WHERE ${within(sql`r.replied_at`)} AND ${isNoSeed(sql`r`)}
        ) said GROUP BY source, what, reason ORDER BY people DESC, source, what, reason LIMIT ${LINES}`,
        )
      ).map((each) => ({ ...each, reason: maskText(each.reason) })),
    }
  })
}

const SOURCES: Phrases<LeavingSource> = {
  preferences: { en: 'on the preferences page', 'zh-CN': '偏好页面' },
  choice: { en: 'by a link, in a call, or told to us', 'zh-CN': '通过链接、电话或代为告知' },
  consent: { en: 'consent taken back', 'zh-CN': '撤回同意' },
  suppression: { en: 'address silenced', 'zh-CN': '地址停发' },
  reply: { en: 'in a reply', 'zh-CN': '回复' },
}

const SAID: Phrases = {
  '': { en: 'no reason given', 'zh-CN': '未说明' },
  hard_bounce: { en: 'the address does not exist', 'zh-CN': '地址不存在' },
  wrong_number: { en: 'the number is nobody’s, or somebody else’s', 'zh-CN': '空号，或号码属于他人' },
  complaint: { en: 'reported as unwanted', 'zh-CN': '投诉为垃圾信息' },
  unsubscribe: { en: 'unsubscribed', 'zh-CN': '退订' },
  manual: { en: 'put on the list by hand', 'zh-CN': '人工加入' },
  erased: { en: 'belonged to someone who was erased', 'zh-CN': '属于已按本人要求删除的人' },
  opt_out: { en: 'asked to stop', 'zh-CN': '要求停止' },
  answer: { en: 'answered something else', 'zh-CN': '其他回复' },
}

/** A channel, the kind of an address, or all of them. */
function aboutWhat(what: string, speech: Speech): string {
  const { language } = speech
  if (what === '*') return language === 'en' ? 'everything' : '全部'
  return what === 'phone' && language !== 'en' ? '电话号码' : speech.channel(what)
}

/** Who took their consent back is known by where they did. */
function whyText({ source, what, reason }: LeavingData['said'][number], speech: Speech): string {
  if (source === 'consent') return sourceText(reason, speech)
  return sentence(
    SAID,
    what === 'phone' && reason === 'hard_bounce' ? 'wrong_number' : reason,
    speech.language,
  )
}

export function leavingSheet(data: LeavingData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const said: SheetTable = {
    id: 'said',
    title: en ? 'What was said, by where' : '说了什么，在哪里说的',
    columns: [
      left(en ? 'where' : '来源'),
      left(en ? 'about' : '对象'),
      right(en ? 'people' : '人数'),
      left(en ? 'why' : '原因'),
    ],
    rows: data.said.map((each) => [
      cell.text(SOURCES[each.source][speech.language]),
      { text: aboutWhat(each.what, speech), value: each.what },
      cell.count(each.people),
      cell.text(whyText(each, speech)),
    ]),
    empty: en ? 'Nobody has said anything yet.' : '还没有人表示过。',
  }
  const given: SheetTable = {
    id: 'given',
    title: en ? 'Why they stay away, by who heard it' : '离开的原因，按来源',
    columns: [left(en ? 'why' : '原因'), left(en ? 'said' : '来源'), right(en ? 'people' : '人数')],
    rows: data.given.map((each) => [
      cell.text(reasonWords(each.reason, speech)),
      cell.text(sentence(REASON_SOURCES, each.source, speech.language)),
      cell.count(each.people),
    ]),
    empty: en
      ? 'Nobody has given a reason yet. The preferences page asks for one; link to it from every message.'
      : '还没有人说明原因。偏好页面会询问原因，请在每条消息中附上链接。',
  }
  return {
    name: 'reasons',
    title: en ? 'Why people leave' : '流失原因',
    about: aboutLines(data, speech),
    sentences: [],
    tables: [given, said],
    charts: [],
    notes: [
      en
        ? 'Of all your people, whatever the campaign, imported lists included: who opts out says so to you as a whole. What a campaign’s own people did stands on its Monday.'
        : '按全部联系人统计，不分活动，含导入的名单：退订是对整个品牌说的。某活动纳入者的退订见其周一速览。',
      ...annotationNotes(data.annotations, speech),
    ],
  }
}
