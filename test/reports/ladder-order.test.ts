import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Database, execute, rows, transaction } from '../../src/database/connect.ts'
import { readCost } from '../../src/reports/cost/cost.ts'
import { readLift } from '../../src/reports/lift/lift.ts'
import { readVariants } from '../../src/reports/lift/variants.ts'
import { readOffers } from '../../src/reports/offers.ts'
import { countTouchpoints } from '../../src/reports/overview/messages-sql.ts'
import { readReport } from '../../src/reports/overview/overview.ts'
import type { CampaignQuestion } from '../../src/reports/question.ts'
import { rollUp } from '../../src/reports/rollup/rollup.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'
import { RULES } from '../support/report-scene.ts'

const NOW = day(60)
const LADDER = { early: ['wave', 'call'], coupon: ['remind', 'offer'], away: ['again'] }
const INORDER = ['early › wave', 'early › call', 'coupon › remind', 'coupon › offer', 'away › again']

let database: Database
beforeAll(async () => {
  database = await freshDatabase({ max: 2 })
  const { assign } = await writeHistory(database, 'grown', LADDER, { versions: 2 })
  for (const segment of ['everyone', 'vip']) {
    for (const arm of ['treated', 'holdout'] as const) {
      await assign({ arm, tier: 'coupon', count: 20, segment, version: 1, variant: 'plain' })
      await assign({ arm, tier: 'away', count: 20, segment, version: 1, variant: 'plain' })
      await assign({ arm, tier: 'early', count: 20, segment, version: 2, at: day(1), variant: 'plain' })
      const again = { count: 30, version: 2, at: day(1), settle: 'skipped' } as const
      await assign({ arm, tier: 'coupon', segment, ...again })
    }
  }
  // The first version began with what is the second tier now.
  await execute(database, sql`DELETE FROM steps WHERE version = 1 AND tier = 'early'`)
  await execute(database, sql`UPDATE steps SET tier_no = tier_no - 1 WHERE version = 1`)
  await execute(
    database,
    sql`UPDATE stages s SET tier_no = s.tier_no - 1 FROM episodes e
        WHERE (e.contact_id, e.episode_id) = (s.contact_id, s.episode_id) AND e.version = 1`,
  )
  await execute(
    database,
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'spend', 'email', 100000, settled_at FROM touchpoint_records`,
  )
  await rollUp(database, NOW, RULES)
})

const shares = [
  { name: 'plain', share: 0.5 },
  { name: 'loud', share: 0.5 },
]
const drawing = new Map(
  Object.values(LADDER)
    .flat()
    .map((step) => [step, shares]),
)
const split = new Map([1, 2].map((version) => [version, { holdout: 0.5, control: 0 }]))
const variants = new Map([1, 2].map((version) => [version, drawing]))
const question: CampaignQuestion = { campaign: 'grown', now: NOW, split, variants }

const places = (of: readonly { readonly tier: string; readonly step: string }[]) =>
  of.map(({ tier, step }) => `${tier} › ${step}`).filter((place, at, all) => place !== all[at - 1])

describe('a tier that a later version put before the others', () => {
  it('stands before them in messages and in costs, and the steps of a tier stay together', async () => {
    const goals = new Map([1, 2].map((version) => [version, 'session']))
    const overview = await readReport(database, { campaign: 'grown', now: NOW, split, goals })
    expect(places(overview.touchpoints)).toEqual(INORDER)
    expect(overview.touchpoints.filter(({ step }) => step === 'remind')).toHaveLength(2)
    expect(places(overview.cost.lines)).toEqual(INORDER)
    expect(places((await readCost(database, question)).lines)).toEqual(INORDER)
  })

  it('has episodes read once and not looked up for each message', async () => {
    for (const table of ['steps', 'episodes', 'touchpoint_records'])
      await execute(database, sql`ANALYZE ${sql.identifier(table)}`)
    const [before, after] = await transaction(database, async (tx) => {
      const lookUps = () =>
        rows<{ times: number }>(
          tx,
          sql`SELECT idx_scan AS times FROM pg_stat_xact_user_tables
              WHERE schemaname = current_schema() AND relname = 'episodes'`,
        )
      // The connection has those of before until it tells the server of them.
      const already = await lookUps()
      await countTouchpoints(tx, { campaign: 'grown', now: NOW })
      return [already, await lookUps()]
    })
    expect(after).toEqual(before)
  })

  it('stands before them where variants are compared', async () => {
    expect(places(await readVariants(database, question))).toEqual(INORDER)
  })
})

describe('figures by tier and segment', () => {
  const INSIDE = [
    ['early', 'vip'],
    ['early', 'everyone'],
    ['coupon', 'vip'],
    ['coupon', 'everyone'],
    ['away', 'vip'],
    ['away', 'everyone'],
  ]

  it('are in the order of the ladder, what is left of the audience last, as in the overview', async () => {
    const { cells } = await readLift(database, question)
    expect(cells.map(({ tier, segment }) => [tier, segment])).toEqual(INSIDE)
    await execute(
      database,
      sql`INSERT INTO report_offers (campaign, day, tier, segment, offer, kind, granted, redeemed, expired, outstanding, face, value)
          SELECT campaign, min(day), tier, segment, 'five_off', 'coupon', 1, 0, 0, 0, 0, 0 FROM report_people
          GROUP BY campaign, tier, segment`,
    )
    const { byWhom } = await readOffers(database, question)
    expect(byWhom.map(({ tier, segment }) => [tier, segment])).toEqual(INSIDE)
  })
})
