import { sql } from 'drizzle-orm'
import type { BarChart } from '../charts/chart.ts'
import { rows, type Session } from '../database/connect.ts'
import { annotationNotes } from './annotations.ts'
import { ARMS, type Arm } from './effect.ts'
import { type About, aboutLines, readAbout } from './freshness.ts'
import { left, right } from './layout.ts'
import { inRange, type Range } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import { ANSWERS, REASONS, WAITS } from './reasons.ts'
import type { TextStyle } from './report.ts'
import { type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import type { Speech } from './words.ts'
import { nothingYet, type Phrases, sentence } from './words.ts'

// From considered to redeemed, and whether everybody is accounted for.

export interface FunnelCell {
  readonly arm: Arm
  /** The furthest any message of the person got: sent, uncertain, waiting, failed, skipped, cancelled; or no message. */
  readonly answer: string
  readonly reason: string
  readonly people: number
  readonly delivered: number
  readonly clicked: number
  readonly returned: number
  readonly recalled: number
  readonly redeemed: number
}

export interface FunnelData extends About {
  /** Contacts a run looked at; one looked at on three days counts three times. */
  readonly considered: number
  readonly opened: number
  readonly leftOut: readonly { readonly answer: string; readonly people: number }[]
  readonly cells: readonly FunnelCell[]
  /** Episodes there are, counted here and now, beside those the report tables hold. */
  readonly episodes: number
  readonly counted: number
  readonly holds: boolean
}

export async function readFunnel(readable: Readable, question: CampaignQuestion): Promise<FunnelData> {
  return await inSnapshot(readable, async (session) => {
    const answers = await readAnswers(session, question)
    const cells = await rows<FunnelCell>(
      session,
      sql`
      SELECT arm, answer, reason, sum(people)::bigint AS people, sum(delivered)::bigint AS delivered,
        sum(clicked)::bigint AS clicked, sum(returned)::bigint AS returned, sum(recalled)::bigint AS recalled,
        sum(redeemed)::bigint AS redeemed
      FROM report_funnel WHERE ${inRange(question)} GROUP BY arm, answer, reason ORDER BY arm, people DESC, answer, reason`,
    )
    const [people] = await rows<{ assigned: number }>(
      session,
      sql`SELECT coalesce(sum(assigned), 0)::bigint AS assigned FROM report_people WHERE ${inRange(question)}`,
    )
    const considered = answers.reduce((sum, row) => sum + row.people, 0)
    const opened = answers.find((row) => row.answer === 'opened')?.people ?? 0
    const counted = cells.reduce((sum, cell) => sum + cell.people, 0)
    const episodes = people?.assigned ?? 0
    return {
      ...(await readAbout(session, question)),
      considered,
      opened,
      leftOut: answers.filter((row) => row.answer !== 'opened'),
      cells,
      episodes,
      counted,
      holds: opened === episodes && episodes === counted,
    }
  })
}

async function readAnswers(session: Session, range: Range): Promise<{ answer: string; people: number }[]> {
  const lower = range.from === undefined ? sql`` : sql` AND r.as_of >= ${range.from}::date`
  const upper = range.to === undefined ? sql`` : sql` AND r.as_of < ${range.to}::date`
  // By day, as cohorts are: who was taken in later on the day is in both.
  const today = sql` AND (r.as_of AT TIME ZONE 'UTC')::date <= (${range.now}::timestamptz AT TIME ZONE 'UTC')::date`
  return await rows(
    session,
    sql`
    SELECT a.answer, sum(a.contacts)::bigint AS people FROM run_answers a JOIN runs r USING (run_id)
    WHERE r.campaign = ${range.campaign} AND a.arm <> 'seed'${lower}${upper}${today}
    GROUP BY a.answer ORDER BY people DESC, a.answer`,
  )
}

/** How many people of the treated got as far as each step, each step a part of the one before or of all treated. */
function stepsOf(cells: readonly FunnelCell[]): {
  readonly treated: number
  readonly sent: number
  readonly delivered: number
  readonly clicked: number
  readonly returned: number
  readonly recalled: number
  readonly redeemed: number
} {
  const treated = cells.filter((cell) => cell.arm === 'treated')
  const sum = (
    of: readonly FunnelCell[],
    figure: 'people' | 'delivered' | 'clicked' | 'returned' | 'recalled' | 'redeemed',
  ) => of.reduce((total, cell) => total + cell[figure], 0)
  const sent = treated.filter((cell) => cell.answer === 'sent')
  return {
    treated: sum(treated, 'people'),
    sent: sum(sent, 'people'),
    delivered: sum(treated, 'delivered'),
    clicked: sum(treated, 'clicked'),
    returned: sum(treated, 'returned'),
    recalled: sum(treated, 'recalled'),
    redeemed: sum(treated, 'redeemed'),
  }
}

const ANSWER_WORDS: Phrases = {
  sent: { en: 'was sent a message', 'zh-CN': '已发送消息' },
  uncertain: { en: 'delivery unknown', 'zh-CN': '是否送达未知' },
  waiting: { en: 'a message is still to come', 'zh-CN': '消息待发' },
  failed: { en: 'could not be sent', 'zh-CN': '发送失败' },
  skipped: { en: 'was not sent', 'zh-CN': '未发送' },
  cancelled: { en: 'was called off', 'zh-CN': '已取消' },
  no_message: { en: 'no message planned', 'zh-CN': '没有安排消息' },
  held_out: { en: 'left alone', 'zh-CN': '不触达' },
}

export function funnelSheet(data: FunnelData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const steps = stepsOf(data.cells)
  const arm = (name: Arm) =>
    data.cells.filter((each) => each.arm === name).reduce((sum, each) => sum + each.people, 0)
  const row = (name: string, people: number, whole: number, of: string) => [
    cell.text(name),
    cell.count(people),
    cell.share(people, whole),
    cell.text(of),
  ]
  const w = speech.word
  const path: SheetTable = {
    id: 'path',
    title: en ? 'From considered to redeemed' : '从考察到核销',
    columns: [
      left(''),
      right(en ? 'people' : '人数'),
      right(en ? 'share' : '占比'),
      left(en ? 'of' : '分母'),
    ],
    rows:
      data.considered + data.counted === 0
        ? []
        : [
            row(w('considered'), data.considered, 0, en ? 'counted anew with each run' : '每次运行各计一次'),
            row(w('opened'), data.opened, data.considered, w('considered')),
            ...ARMS.filter((name) => arm(name) > 0 || name !== 'control').map((name) =>
              row(w(name), arm(name), data.counted, w('opened')),
            ),
            row(en ? 'sent a message' : '已发送', steps.sent, steps.treated, w('treated')),
            row(
              en ? 'known to have arrived' : '确认送达',
              steps.delivered,
              steps.sent,
              en ? 'sent' : '已发送',
            ),
            row(en ? 'clicked' : '已点击', steps.clicked, steps.sent, en ? 'sent' : '已发送'),
            row(en ? 'active again' : '再次活跃', steps.returned, steps.treated, w('treated')),
            row(w('recalled'), steps.recalled, steps.treated, w('treated')),
            row(en ? 'redeemed an offer' : '已核销优惠', steps.redeemed, steps.treated, w('treated')),
          ],
    empty: nothingYet(speech),
  }
  const answers: SheetTable = {
    id: 'answers',
    title: en
      ? 'What became of everyone contacted, by the furthest message'
      : '触达组每人的结果（按走得最远的一条消息）',
    columns: [left(''), left(en ? 'why' : '原因'), right(en ? 'people' : '人数'), right(w('recalled'))],
    rows: data.cells
      .filter((each) => each.arm === 'treated')
      .map((each) => [
        cell.text(sentence(ANSWER_WORDS, each.answer, speech.language)),
        cell.text(
          each.reason === ''
            ? ''
            : sentence(each.answer === 'waiting' ? WAITS : REASONS, each.reason, speech.language),
        ),
        cell.count(each.people),
        cell.count(each.recalled),
      ]),
    empty: nothingYet(speech),
  }
  const out: SheetTable = {
    id: 'left_out',
    title: en ? 'Considered and not taken in' : '考察后未纳入',
    columns: [left(en ? 'why' : '原因'), right(en ? 'times, over all runs' : '人次')],
    rows: data.leftOut.map(({ answer, people }) => [
      cell.text(sentence(ANSWERS, answer, speech.language)),
      cell.count(people),
    ]),
    empty: en ? 'Nobody was left out.' : '没有人被排除。',
  }
  return {
    name: 'funnel',
    title: en ? 'Where everyone is' : '每个人走到了哪一步',
    about: aboutLines(data, speech),
    sentences: [reconciles(data, speech)],
    tables: [path, answers, out],
    charts: data.counted === 0 ? [] : [funnelChart(steps, en)],
    notes: [
      ...(data.counted === 0 ? [] : notesOf(steps, speech)),
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

/** Where these figures are others than those of Monday and of the delivery, for whoever holds the pages side by side. */
function notesOf({ sent, delivered }: ReturnType<typeof stepsOf>, { language }: Speech): string[] {
  const en = language === 'en'
  return [
    en
      ? 'Everybody taken in so far is here, those who are still observed too: Monday and Won back count those alone whose observation is complete.'
      : '此处含全部纳入者，包括仍在观察中的人；周一速览与增量报告只计观察期已满者。',
    ...(delivered < sent
      ? [
          en
            ? 'Known to have arrived is what a provider reported, or what was opened or clicked: where a provider reports nothing, the rest may well have arrived.'
            : '确认送达指服务商回报送达，或被打开、点击的消息：服务商不回报时，其余消息也可能已送达。',
        ]
      : []),
  ]
}

function reconciles({ holds, opened, episodes, counted, freshness: { stale } }: FunnelData, speech: Speech) {
  const en = speech.language === 'en'
  const n = speech.count
  // Runs are told of as they are now: whom they took in since is in no sum yet, and none is missing.
  if (!holds && stale > 0) {
    const text = en
      ? `Whether everything adds up can be told once ${n(stale)} ${stale === 1 ? 'day is' : 'days are'} counted again.`
      : `${n(stale)} 天待重新统计，统计后方可核对人数。`
    return { text, tone: 'plain' as const }
  }
  if (holds) {
    return {
      text: en ? 'Everything adds up, to the last person.' : '所有人数逐一对上。',
      tone: 'good' as const,
    }
  }
  const text = en
    ? `It does not add up: the runs took in ${n(opened)}, ${n(episodes)} are assigned, and ${n(counted)} have an answer. Run \`winback report funnel --rebuild\`; if it stays so, \`winback report\` names contacts to look at.`
    : `人数对不上：运行记录纳入 ${n(opened)} 人，已分组 ${n(episodes)} 人，有结果的 ${n(counted)} 人。请运行 \`winback report funnel --rebuild\`；若仍不符，\`winback report\` 会列出需要查看的联系人。`
  return { text, tone: 'bad' as const }
}

function funnelChart(steps: ReturnType<typeof stepsOf>, en: boolean): BarChart {
  return {
    kind: 'bars',
    id: 'funnel',
    title: en ? 'The contacted, step by step' : '触达组逐步转化',
    unit: 'count',
    categories: en
      ? ['contacted', 'sent', 'known to have arrived', 'clicked', 'active again', 'came back']
      : ['触达组', '已发送', '确认送达', '已点击', '再次活跃', '已召回'],
    series: [
      {
        name: en ? 'people' : '人数',
        values: [steps.treated, steps.sent, steps.delivered, steps.clicked, steps.returned, steps.recalled],
      },
    ],
  }
}
