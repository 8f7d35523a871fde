import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, execute } from '../../src/database/connect.ts'
import { refreshReports } from '../../src/service/reporting.ts'
import { createApiKey } from '../../src/web/api-keys.ts'
import { startWeb, type WebServer } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'
import { signIn } from '../support/sign-in.ts'

// What all campaigns brought together, above what a single one claims.

const CAMPAIGN = oneTierCampaign('graded', ['{ id: remind, channel: log }'], {
  holdout: '10%',
  tier: 'coupon',
})

let database: Database
let cookie: string
const opened: { shop: Shop; server: WebServer }[] = []

async function serve(control: string): Promise<WebServer> {
  const workspace = WORKSPACE.replace('control: 0%', `control: ${control}`)
  const shop = await openShop({ database, clock: manualClock(day(60)), channels: [], workspace })
  await shop.apply(CAMPAIGN)
  await refreshReports(shop.runtime)
  const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  opened.push({ shop, server })
  return server
}

beforeAll(async () => {
  database = await freshDatabase({ max: 4 })
})
afterAll(async () => {
  for (const { shop, server } of opened) {
    await server.close(0)
    await shop.runtime.close()
  }
})

const get = async (server: WebServer, path: string, language = 'en') =>
  await (
    await fetch(`${server.address}${path}`, { headers: { Cookie: cookie, 'Accept-Language': language } })
  ).text()

it('stands at the head of the first page and in a CSV, in both languages; without a control group it says what is missing', async () => {
  const none = await serve('0%')
  cookie = await signIn(database, 'ada', 'viewer', day(60))
  const missing = await get(none, '/')
  expect(missing).toContain('What all campaigns bring together cannot be told')
  expect(missing).toContain('<code>control: 5%</code>')
  expect(missing).not.toContain('/programme.csv')
  expect(await get(none, '/', 'zh-CN')).toContain('无法得知全部活动合计的效果')
  expect(await get(none, '/programme.csv')).toMatch(/^,people,complete/)

  const history = await writeHistory(database, 'graded', {}, {})
  const put = async (arm: 'treated' | 'holdout' | 'control', count: number, recalled: number) =>
    await history.assign({ arm, count, recalled, tier: 'coupon', settle: false })
  await put('treated', 810, 405)
  await put('holdout', 90, 18)
  await put('control', 100, 20)
  const server = await serve('10%')
  // Of the version that was drawn with a control group.
  await execute(database, sql`UPDATE episodes SET version = (SELECT max(version) FROM campaign_versions)`)
  const { shop } = opened.at(-1) ?? {}
  if (!shop) throw new Error('a shop')
  await refreshReports(shop.runtime, { rebuild: true })
  const page = await get(server, '/')
  expect(page).toContain('All campaigns together won back 243 (95 % interval +158 to +310) of 900 people')
  expect(page.indexOf('id="programme"')).toBeLessThan(page.indexOf('id="weeks"'))
  // How fresh they are stands with the figures, and above those of the campaign.
  expect(page.match(/counted Mar 2, 2026, 00:00/g)).toHaveLength(2)
  // Called by what is seen of it, also where it is read aloud.
  expect(page).toContain('<a href="/programme.csv">CSV</a>')
  expect(await get(server, '/', 'zh-CN')).toContain('全部活动合计多召回 243 人')
  const csv = await get(server, '/programme.csv')
  expect(csv).toMatch(/\r\nnever contacted \(control\),100,100,20,0\.2,/)
  expect(csv).toMatch(/\r\nwon back by us,,,24[23][.0-9]*,0\.2[67]/)
  expect((await fetch(`${server.address}/programme.csv`, { redirect: 'manual' })).status).not.toBe(200)
  // Programs get the same.
  const key = await createApiKey(database, { name: 'bi', scopes: ['read'], now: day(60), by: 'test' })
  const ask = async (query: string) =>
    await fetch(`${server.address}/v1/reports/programme${query}`, {
      headers: { Authorization: `Bearer ${key.text}` },
    })
  const told = (await (await ask('?locale=zh-CN')).json()) as {
    data: { verdict: unknown }
    sheet: { sentences: { text: string }[] }
  }
  expect(told.data.verdict).toEqual({ kind: 'won_back' })
  expect(told.sheet.sentences[0]?.text).toContain('全部活动合计多召回 243 人')
  expect(await (await ask('?format=csv')).text()).toBe(csv)
})
