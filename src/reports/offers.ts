import { sql } from 'drizzle-orm'
import { rows, type Session } from '../database/connect.ts'
import { type KnownPool, type Lack, lacksOf, readPools } from '../offers/pools.ts'
import { annotationNotes } from './annotations.ts'
import { type About, aboutLines, readAbout } from './freshness.ts'
import { left, right } from './layout.ts'
import { byLadder, everyoneLast, inRange, momentInRange } from './people-cells.ts'
import { orderTiers } from './people-sql.ts'
import type { CampaignQuestion } from './question.ts'
import { REDEMPTION_REFUSALS } from './reasons.ts'
import type { TextStyle } from './report.ts'
import { type Sheet, type SheetTable, writing } from './sheet.ts'
import { inSnapshot, type Readable } from './snapshot.ts'
import { sentence } from './words.ts'

// What was promised, what was taken up, and by whom.

export interface OfferLine {
  readonly offer: string
  readonly kind: string
  readonly granted: number
  readonly redeemed: number
  readonly expired: number
  /** Integer micros: expected of the outstanding, cost of the redeemed, what they bought. */
  readonly outstanding: number
  readonly face: number
  readonly value: number
}

export interface OffersData extends About {
  readonly offers: readonly OfferLine[]
  readonly byWhom: readonly (OfferLine & { readonly tier: string; readonly segment: string })[]
  /** Redemptions told by events that were refused, within the range; codes nobody was given belong to no campaign. */
  readonly refused: readonly {
    readonly offer: string | null
    readonly reason: string
    readonly times: number
  }[]
  readonly stocks: readonly StockLine[]
}

export interface StockLine {
  readonly offer: string
  /** Ever granted or reserved, over the campaign's whole life. */
  readonly taken: number
  /** How many there are; null without a limit. */
  readonly stock: number | null
  /** Imported codes: all, those nobody has and that are good now, and of these the ones that end within seven days. */
  readonly codes: number
  readonly free: number
  readonly ending: number
  /** Nothing is left, or a tenth, or most codes end soon. */
  readonly short: 'out' | 'low' | 'ending' | null
}

/** What is left of each offer, judged as `winback doctor` judges. */
async function readStocks(session: Session, question: CampaignQuestion): Promise<StockLine[]> {
  const { campaign, now, offers = {} } = question
  return (await readPools(session, now, campaign, offers)).map((pool) => {
    const { offer, taken, codes, free, ending, terms } = pool
    return { offer, taken, stock: terms?.stock ?? null, codes, free, ending, short: shortOf(pool) }
  })
}

/** The worst a pool lacks. Of an offer that has left the file, what codes it had says whether it takes any. Pure. */
function shortOf(pool: KnownPool): StockLine['short'] {
  const codes = pool.codes > 0 ? 'imported' : 'generated'
  const lacks = lacksOf({ ...pool, terms: pool.terms ?? { deliver: 'code', codes } })
  const any = (...wanted: Lack[]) => lacks.some((lack) => wanted.includes(lack))
  if (any('stock_out', 'never_imported', 'codes_out')) return 'out'
  if (any('stock_low', 'codes_low')) return 'low'
  return any('codes_ending') ? 'ending' : null
}

export async function readOffers(readable: Readable, question: CampaignQuestion): Promise<OffersData> {
  return await inSnapshot(readable, async (session) => {
    const sums = sql`sum(granted)::bigint AS granted, sum(redeemed)::bigint AS redeemed, sum(expired)::bigint AS expired,
      sum(outstanding)::float8 AS outstanding, sum(face)::float8 AS face, sum(value)::float8 AS value`
    const inLadder = byLadder(await orderTiers(session, question.campaign))
    const byWhom = await rows<OffersData['byWhom'][number]>(
      session,
      sql`SELECT offer, kind, tier, segment, ${sums} FROM report_offers WHERE ${inRange(question)}
          GROUP BY offer, kind, tier, segment`,
    )
    return {
      ...(await readAbout(session, question)),
      offers: await rows<OfferLine>(
        session,
        sql`SELECT offer, kind, ${sums} FROM report_offers WHERE ${inRange(question)}
            GROUP BY offer, kind ORDER BY granted DESC, offer`,
      ),
      byWhom: byWhom.toSorted(
        (a, b) =>
          a.offer.localeCompare(b.offer) || inLadder(a.tier, b.tier) || everyoneLast(a.segment, b.segment),
      ),
      refused: await rows<OffersData['refused'][number]>(
        session,
        sql`
        SELECT offer, reason, count(*) AS times FROM refused_redemptions
        WHERE (campaign = ${question.campaign} OR campaign IS NULL) AND ${momentInRange(sql`redeemed_at`, question)}
        GROUP BY offer, reason ORDER BY times DESC, offer, reason`,
      ),
      stocks: await readStocks(session, question),
    }
  })
}

export function offersSheet(data: OffersData, style: TextStyle): Sheet {
  const { speech, cell, en } = writing(style)
  const empty = en
    ? 'Nothing was granted yet. Steps grant what their `offer` names; see docs/campaigns.md.'
    : '尚未发放优惠。步骤通过 `offer` 发放，参阅 docs/campaigns.md。'
  const figures = [
    right(en ? 'granted' : '已发放'),
    right(en ? 'redeemed' : '已核销'),
    right(en ? 'redeemed/granted' : '核销/发放'),
    right(en ? 'expired' : '已过期'),
    right(en ? 'cost so far' : '已发生成本'),
    right(en ? 'still expected' : '预计还需'),
    right(en ? 'bought with it' : '带来订单额'),
  ]
  const line = (of: OfferLine) => [
    cell.count(of.granted),
    cell.count(of.redeemed),
    cell.share(of.redeemed, of.granted),
    cell.count(of.expired),
    cell.money(of.face),
    cell.money(of.outstanding),
    cell.money(of.value),
  ]
  const offers: SheetTable = {
    id: 'offers',
    title: en ? 'Offers' : '优惠',
    columns: [left(en ? 'offer' : '优惠'), ...figures],
    rows: data.offers.map((each) => [cell.text(each.offer), ...line(each)]),
    empty,
  }
  const byWhom: SheetTable = {
    id: 'by_whom',
    title: en ? 'By whom: the tier and segment they entered with' : '由谁核销：进入时的阶段与分群',
    columns: [left(en ? 'offer' : '优惠'), left(en ? 'who' : '人群'), ...figures],
    rows: data.byWhom.map((each) => [
      cell.text(each.offer),
      cell.text(`${each.tier} · ${speech.segment(each.segment)}`),
      ...line(each),
    ]),
    empty,
  }
  const stocks: SheetTable = {
    id: 'stocks',
    title: en ? 'Stock, over the campaign’s whole life' : '库存（活动全程）',
    columns: [
      left(en ? 'offer' : '优惠'),
      right(en ? 'taken' : '已占用'),
      right(en ? 'of' : '总量'),
      right(en ? 'codes left' : '剩余券码'),
      right(en ? 'end within a week' : '一周内到期'),
    ],
    rows: data.stocks.map(({ offer, taken, stock, codes, free, ending }) => [
      cell.text(offer),
      cell.count(taken),
      stock === null ? cell.none : cell.count(stock),
      codes === 0 ? cell.none : cell.count(free),
      codes === 0 ? cell.none : cell.count(ending),
    ]),
    empty,
  }
  const refused: SheetTable = {
    id: 'refused',
    title: en ? 'Redemptions that were refused' : '被拒的核销',
    columns: [left(en ? 'offer' : '优惠'), left(en ? 'why' : '原因'), right(en ? 'times' : '次数')],
    rows: data.refused.map(({ offer, reason, times }) => [
      cell.text(offer ?? (en ? 'none of any campaign' : '不属于任何活动')),
      cell.text(sentence(REDEMPTION_REFUSALS, reason, speech.language)),
      cell.count(times),
    ]),
    empty: en ? 'No event told of a redemption that was refused.' : '没有被拒的核销事件。',
  }
  return {
    name: 'offers',
    title: en ? 'What was offered, and taken up' : '优惠的发放与核销',
    about: aboutLines(data, speech),
    sentences: data.stocks.flatMap((line) => shortSentence(line, en)),
    tables: [offers, byWhom, stocks, refused],
    charts: [],
    notes: [
      en
        ? 'Redeemed says what was used, not that it won anybody back: people who would have come back anyway redeem too.'
        : '核销只说明被使用，不代表因此召回：不触达也会回来的人同样会核销。',
      ...annotationNotes(data.annotations, speech),
    ],
  }
}

/** What is short, in words: nobody should find it out by the messages that did not go. */
function shortSentence({ offer, short }: StockLine, en: boolean): Sheet['sentences'] {
  if (short === null) return []
  const text = {
    out: en ? `Nothing is left of ${offer}.` : `${offer} 已无剩余。`,
    low: en ? `Less than a tenth is left of ${offer}.` : `${offer} 剩余不足一成。`,
    ending: en
      ? `Most of the codes left for ${offer} end within a week.`
      : `${offer} 剩余券码多数将在一周内到期。`,
  }[short]
  return [{ text, tone: 'bad' }]
}
