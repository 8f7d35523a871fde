import { sql } from 'drizzle-orm'
import { rows } from '../database/connect.ts'
import { type Arm, addCounts, checkSplit, type Effect, type Verdict, verdictOf } from './effect.ts'
import { left, right } from './layout.ts'
import { knownAt, WHEN_COUNTED } from './people-cells.ts'
import type { CampaignQuestion } from './question.ts'
import type { TextStyle } from './report.ts'
import { type Sheet, type SheetTable, within, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { effectWithin } from './strata.ts'
import { nothingYet, type Phrases, type Speech, span } from './words.ts'

// All campaigns beside each other, a line each: what Monday begins with where there are several.

/** Days that count as recent: four weeks, so that one run by the week counts as often as one by the day. */
const RECENT = 28

export interface CampaignLine {
  readonly campaign: string
  /** Episodes of the last {@link RECENT} days, all arms but seeds. */
  readonly recent: number
  readonly effect: Effect
  readonly verdict: Verdict
}

/** One campaign's sums by what verdict and order need of them. */
interface LineCell {
  readonly campaign: string
  readonly version: number
  readonly arm: Arm
  readonly recent: number
  readonly assigned: number
  readonly contaminated: number
  readonly matured: number
  readonly recalled: number
}

/** A line for each question, in one read of the sums whatever the number of campaigns; the busiest first. */
export async function readCampaigns(
  readable: Readable,
  questions: readonly Pick<CampaignQuestion, 'campaign' | 'split'>[],
  now: Date,
): Promise<CampaignLine[]> {
  const cells = await inSnapshot(readable, (session) =>
    rows<LineCell>(
      session,
      sql`
      SELECT campaign, version, arm, sum(assigned)::bigint AS assigned, sum(contaminated)::bigint AS contaminated,
        coalesce(sum(assigned) FILTER (WHERE day > (${now}::timestamptz AT TIME ZONE 'UTC')::date - ${RECENT}::int), 0)::bigint AS recent,
        coalesce(sum(assigned) FILTER (WHERE final_at <= ${knownAt(now)}), 0)::bigint AS matured,
        coalesce(sum(recalled) FILTER (WHERE final_at <= ${knownAt(now)}), 0)::bigint AS recalled
      FROM report_people ${WHEN_COUNTED} WHERE campaign = ANY(${sql.param(questions.map(({ campaign }) => campaign))}::text[])
        AND day <= (${now}::timestamptz AT TIME ZONE 'UTC')::date
      GROUP BY campaign, version, arm`,
    ),
  )
  return questions
    .map(({ campaign, split }): CampaignLine => {
      const own = cells.filter((cell) => cell.campaign === campaign)
      const effect = effectWithin(own, split, (of, wanted) =>
        addCounts(of.filter(({ arm }) => arm === wanted)),
      )
      return {
        campaign,
        recent: own.reduce((sum, cell) => sum + cell.recent, 0),
        effect,
        verdict: verdictOf(effect, checkSplit(own, split).alarm),
      }
    })
    .toSorted(
      (a, b) => b.recent - a.recent || assignedOf(b) - assignedOf(a) || (a.campaign < b.campaign ? -1 : 1),
    )
}

function assignedOf({ effect }: CampaignLine): number {
  return effect.treated.assigned + effect.heldOut.assigned
}

/** A sheet about all campaigns together with a line for each, where there are several. Pure. */
export function withCampaigns(
  sheet: Sheet,
  lines: readonly CampaignLine[],
  titles: ReadonlyMap<string, string>,
  style: TextStyle,
): Sheet {
  if (lines.length < 2) return sheet
  const note = campaignsNote(lines, writing(style).speech)
  return {
    ...sheet,
    tables: [...sheet.tables, campaignsTable(lines, titles, style)],
    notes: [...sheet.notes, ...(note === undefined ? [] : [note])],
  }
}

/**
 * The lines as a table: what the contact brought first, for a phone shows the first columns.
 * @param titles by the name of the campaign; a CSV has the name
 */
export function campaignsTable(
  lines: readonly CampaignLine[],
  titles: ReadonlyMap<string, string>,
  style: TextStyle,
): SheetTable {
  const { speech, cell, en } = writing(style)
  return {
    id: 'campaigns',
    title: en ? 'All campaigns, the busiest first' : '全部活动（近期纳入人数多的在前）',
    columns: [
      left(en ? 'campaign' : '活动'),
      right(speech.word('wonBack')),
      left(speech.word('interval')),
      left(en ? 'verdict' : '结论'),
      right(en ? `taken in, ${RECENT} days` : `近 ${RECENT} 天纳入`),
    ],
    rows: lines.map(({ campaign, recent, effect: { recalls }, verdict }) => {
      const known = recalls.kind === 'estimate' && verdict.kind !== 'groups_off' ? recalls : undefined
      return [
        { text: titles.get(campaign) ?? campaign, value: campaign },
        known ? within(cell.signed(known.value), known) : cell.none,
        known ? cell.text(span(speech.signed, known)) : cell.none,
        cell.text(VERDICTS[verdict.kind][speech.language]),
        cell.count(recent),
      ]
    }),
    empty: nothingYet(speech),
  }
}

/**
 * What stands below the lines where one of several is said to have had an effect: each verdict is wrong once in twenty times
 * at most, and the one that stands out of many is looked at first. Undefined where nothing is to be said. Pure.
 */
export function campaignsNote(lines: readonly CampaignLine[], { language }: Speech): string | undefined {
  const judged = lines.filter(({ verdict: { kind } }) => kind !== 'not_yet' && kind !== 'groups_off')
  const shown = judged.some(({ verdict: { kind } }) => kind !== 'no_difference')
  if (judged.length < 2 || !shown) return undefined
  return language === 'en'
    ? 'Each campaign is judged by itself: of twenty that change nothing, one may still be said to work, or to do harm.'
    : '各活动单独判断：二十个毫无作用的活动中，仍可能有一个被判为有效果或有害。'
}

/** The verdict in a word; the sentence stands in the campaign's own report. */
const VERDICTS: Phrases<Verdict['kind']> = {
  won_back: { en: 'it works', 'zh-CN': '有效果' },
  no_difference: { en: 'may be chance', 'zh-CN': '可能只是偶然' },
  harm: { en: 'it does harm', 'zh-CN': '反而有害' },
  not_yet: { en: 'not yet', 'zh-CN': '暂无结论' },
  groups_off: { en: 'groups are off', 'zh-CN': '分组异常' },
}
