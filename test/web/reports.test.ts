import { sql } from 'drizzle-orm'
import { beforeAll, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute } from '../../src/database/connect.ts'
import { readFreshness } from '../../src/reports/freshness.ts'
import { openCounting } from '../../src/service/counting.ts'
import { refreshReports } from '../../src/service/reporting.ts'
import { createApiKey, type Scope } from '../../src/web/api-keys.ts'
import { composeWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'
import { eventually } from '../support/eventually.ts'
import { openShop, type Shop } from '../support/shop.ts'

const CAMPAIGN = oneTierCampaign('graded', ['{ id: remind, channel: log }'], {
  holdout: '10%',
  tier: 'coupon',
})

let app: ReturnType<typeof composeWeb>
let shop: Shop
let keys: Record<'read' | 'other', string>
beforeAll(async () => {
  const database = await freshDatabase({ max: 4 })
  const clock = manualClock(day(60))
  shop = await openShop({ database, clock, channels: [] })
  await shop.apply(CAMPAIGN)
  const history = await writeHistory(database, 'graded', {})
  await history.assign({
    arm: 'treated',
    count: 900,
    recalled: 270,
    tier: 'coupon',
    segment: '=vip',
    settle: false,
  })
  await history.assign({ arm: 'holdout', count: 100, recalled: 10, tier: 'coupon', segment: '=vip' })
  await refreshReports(shop.runtime)
  const key = async (scope: Scope) =>
    (await createApiKey(database, { name: scope, scopes: [scope], now: clock.now(), by: 'test' })).text
  keys = { read: await key('read'), other: await key('events:write') }
  app = composeWeb({ runtime: shop.runtime })
})

const ask = (path: string, key = keys.read) =>
  app.request(path, { headers: { Authorization: `Bearer ${key}` } })

it('answers with figures and words', async () => {
  const listed = (await (await ask('/v1/reports')).json()) as { reports: { name: string }[] }
  expect(listed.reports.map(({ name }) => name)).toContain('monday')
  const response = await ask('/v1/reports/lift?campaign=graded&locale=zh-CN')
  expect(response.status).toBe(200)
  const body = (await response.json()) as {
    data: { verdict: unknown; range: { split: unknown } }
    sheet: { sentences: { text: string }[] }
  }
  expect(body.data.verdict).toEqual({ kind: 'won_back' })
  // As the terminal has it: by version, and not nothing.
  expect(body.data.range.split).toEqual({ 1: { holdout: 0.1, control: 0, tiers: { coupon: 0 } } })
  expect(body.sheet.sentences[0]?.text).toContain('多召回的人数：180')
  const later = await ask('/v1/reports/lift?campaign=graded&from=2026-02-01')
  expect(((await later.json()) as typeof body).data.verdict).toEqual({ kind: 'not_yet', why: 'nobody' })
})

it('gives tables as CSV that no spreadsheet takes for formulas, and charts as pictures', async () => {
  const csv = await ask('/v1/reports/lift?campaign=graded&format=csv&table=cells')
  expect(csv.headers.get('Content-Type')).toContain('text/csv')
  expect(csv.headers.get('Content-Disposition')).toContain('"graded-lift-cells.csv"')
  expect(await csv.text()).toMatch(/\r\ncoupon · =vip,900,100,0\.3,0\.1,0\.19/)
  const chart = await ask('/v1/reports/lift/charts/curves.png?campaign=graded')
  expect(chart.headers.get('Content-Type')).toBe('image/png')
  expect(
    Buffer.from(await chart.arrayBuffer())
      .subarray(1, 4)
      .toString('latin1'),
  ).toBe('PNG')
})

it('wants the right key, and says what is wrong with a question', async () => {
  expect((await app.request('/v1/reports')).status).toBe(401)
  expect((await ask('/v1/reports/lift?campaign=graded', keys.other)).status).toBe(403)
  expect((await ask('/v1/reports/profit?campaign=graded')).status).toBe(404)
  expect((await ask('/v1/reports/lift?campaign=other')).status).toBe(404)
  expect((await ask('/v1/reports/lift/charts/pie?campaign=graded')).status).toBe(404)
  expect((await ask('/v1/reports/lift?campaign=graded&format=csv&table=x')).status).toBe(404)
  const malformed = await ask('/v1/reports/lift?campaign=graded&from=yesterday')
  expect(malformed.status).toBe(400)
  expect(await malformed.json()).toMatchObject({
    error: 'malformed',
    reason: 'from: expected a date such as 2026-11-25, found `yesterday`',
  })
  expect(await (await ask('/v1/reports/funnel?campaign=graded&from=0000-01-01')).json()).toMatchObject({
    error: 'malformed',
    reason: expect.stringMatching(/^from: expected a day of the years 1 to 9999/),
  })
  const reasonOf = async (query: string) => (await (await ask(`/v1/reports/lift${query}`)).json()) as object
  expect(await reasonOf('')).toMatchObject({ reason: 'campaign: `campaign` is missing; expected a text' })
  expect(await reasonOf('?campaign=graded&locale=fr&fromat=csv')).toMatchObject({
    reason: expect.stringMatching(
      /^locale: expected en or zh-CN, found `fr`; fromat: unknown key; did you mean `format`\?$/,
    ),
  })
})

it('is counted by whoever looks where nobody else does: the first time waited for, then once in ten minutes', async () => {
  const { database, clock, runtime } = shop
  const countedAt = async () => (await readFreshness(database, { campaign: 'graded' })).countedAt
  await execute(database, sql`DELETE FROM report_days`)
  const failed: unknown[] = []
  const counting = openCounting(runtime, (error) => failed.push(error))
  expect(await counting.freshen('graded')).toBe(false)
  const first = await countedAt()
  expect(first).toEqual(clock.now())
  // A receipt marks the day, so that there is something to count.
  await execute(database, sql`INSERT INTO report_dirty (campaign, day) SELECT campaign, day FROM report_days`)
  clock.advance(9 * 60)
  expect(await counting.freshen('graded')).toBe(false)
  expect(await countedAt()).toEqual(first)
  clock.advance(2 * 60)
  expect(await counting.freshen('graded')).toBe(false)
  await eventually('counted again', countedAt, (at) => at?.getTime() === clock.now().getTime())
  expect(failed).toEqual([])
})

it('is counted at once after a first run, though somebody looked a moment before it', async () => {
  const { database, clock, runtime } = shop
  const countedAt = async () => (await readFreshness(database, { campaign: 'later' })).countedAt
  await shop.apply(CAMPAIGN.replace('campaign: graded', 'campaign: later'))
  const failed: unknown[] = []
  const counting = openCounting(runtime, (error) => failed.push(error))
  expect(await counting.freshen('later')).toBe(false)
  expect(await countedAt()).toBeUndefined()
  const history = await writeHistory(database, 'later', {})
  await history.assign({ arm: 'treated', count: 3, recalled: 0, tier: 'coupon', segment: '=vip' })
  await execute(
    database,
    sql`INSERT INTO report_dirty (campaign, day) SELECT DISTINCT campaign, (assigned_at AT TIME ZONE 'UTC')::date
        FROM episodes WHERE campaign = 'later' ON CONFLICT DO NOTHING`,
  )
  expect(await counting.freshen('later')).toBe(false)
  expect(await countedAt()).toEqual(clock.now())
  expect(failed).toEqual([])
})
