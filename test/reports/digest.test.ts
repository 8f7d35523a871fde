import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseTemplates } from '../../src/channels/templates.ts'
import { manualClock } from '../../src/clock.ts'
import { openCampaignBook } from '../../src/config/book.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { makeDigest, sendDueDigest } from '../../src/service/digest.ts'
import { refreshReports } from '../../src/service/reporting.ts'
import { hasBrowser, openWindow } from '../support/browser.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { day, writeHistory } from '../support/episodes.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'
import { type CaptureServer, startSmtp } from '../support/smtp.ts'

const CAMPAIGN = oneTierCampaign('graded', ['{ id: remind, channel: log }'], {
  holdout: '10%',
  tier: 'coupon',
  more: 'value: { recall: 40 CNY, acquisition: 220 CNY }',
})

let database: Database
let smtp: CaptureServer
let shop: Shop
// Monday 2 March 2026, a quarter past eight.
const clock = manualClock(new Date('2026-03-02T08:15:00Z'))
beforeAll(async () => {
  database = await freshDatabase({ max: 4 })
  smtp = await startSmtp()
  const workspace = `${WORKSPACE.replace('port: 2525', `port: ${smtp.port}`)}
digest: { to: [boss@shop.example, ops@shop.example], locale: zh-CN }
`
  shop = await openShop({ database, clock, channels: [], workspace })
})
afterAll(async () => {
  await shop.runtime.close()
  await smtp.stop()
})

it('is nothing where no campaign was ever applied', async () => {
  expect(await makeDigest(shop.runtime, { locale: 'en' })).toBeUndefined()
})

it('comes once a week to everybody, with words, tables and charts as pictures, and asks no other host', async () => {
  await shop.apply(CAMPAIGN)
  const history = await writeHistory(database, 'graded', {})
  await database.client.query(`DELETE FROM report_days`)
  for (const week of [0, 1]) {
    await history.assign({
      arm: 'treated',
      count: 900,
      recalled: 180 + 45 * week,
      at: day(4 + 7 * week),
      tier: 'coupon',
      settle: false,
    })
    await history.assign({ arm: 'holdout', count: 100, recalled: 10, at: day(4 + 7 * week), tier: 'coupon' })
  }
  await refreshReports(shop.runtime)
  expect(await sendDueDigest(shop.runtime)).toBe(true)
  expect(await sendDueDigest(shop.runtime)).toBe(false)
  expect(smtp.messages.flatMap(({ to }) => to)).toEqual(['boss@shop.example', 'ops@shop.example'])
  const mail = await smtp.messages[0]?.parse()
  expect(mail?.subject).toContain('Shop：2026年1月12日当周纳入者中，多召回 135 人')
  // Headed by the campaign: of several that are all called Monday nobody sees which is whose.
  expect(mail?.text).toMatch(/^Graded\n/)
  const html = String(mail?.html)
  expect(html).toMatch(/<h1[^>]*>Graded<\/h1>/)
  expect(html).not.toContain('>周一速览<')
  expect(html).toContain('前一周为 90 人')
  expect(html).not.toMatch(/src="https?:/)
  // What is typed stands as code, not between the marks that the terminal has for it.
  expect(html).not.toContain('`')
  const [picture] = mail?.attachments ?? []
  expect(picture?.contentType).toBe('image/png')
  expect(picture?.content.subarray(1, 4).toString('latin1')).toBe('PNG')
  expect(picture?.content.length).toBeGreaterThan(8000)
  const digests = await rows<{ state: string; at: Date }>(
    database,
    sql`SELECT state, scheduled_for AS at FROM digests`,
  )
  expect(digests).toEqual([{ state: 'sent', at: new Date('2026-03-02T08:00:00Z') }])
})

it.runIf(hasBrowser)(
  'is read on a phone: no column is a letter wide, and none is beyond the edge',
  async () => {
    const { context, page } = await openWindow('', '', { language: 'zh-CN', scheme: 'light', width: 375 }, [])
    for (const locale of ['zh-CN', 'en']) {
      const { html = '' } = (await makeDigest(shop.runtime, { locale })) ?? {}
      await page.setContent(html)
      expect(await page.locator('table').count()).toBeGreaterThan(3)
      const [narrow, beyond] = (await page.evaluate(`[
      [...document.querySelectorAll('td')].filter((each) => each.clientWidth < 3 * 13 && each.textContent.length > 6).length,
      [...document.querySelectorAll('table')].filter((each) => each.scrollWidth > each.parentElement.clientWidth).length]`)) as [
        number,
        number,
      ]
      expect({ locale, narrow, beyond }).toEqual({ locale, narrow: 0, beyond: 0 })
    }
    await context.close()
  },
)

it('begins with what all campaigns brought together, where a control group is kept and all are asked for', async () => {
  const runtime = { ...shop.runtime, workspace: { ...shop.runtime.workspace, control: 0.1 } }
  const early = await makeDigest(runtime, { locale: 'en' })
  // While that is not known yet, the subject is what a campaign brought.
  expect(early?.subject).toMatch(/^Shop: Of those taken in/)
  expect(early?.text).toMatch(/^All campaigns together/)
  const history = await writeHistory(database, 'graded', {})
  await execute(
    database,
    sql`UPDATE campaign_versions SET workspace = jsonb_set(workspace, '{control}', '0.1')`,
  )
  await execute(database, sql`DELETE FROM report_days`)
  await history.assign({
    arm: 'control',
    count: 200,
    recalled: 20,
    at: day(4),
    tier: 'coupon',
    settle: false,
  })
  // What a version was applied with is read once: whoever reads it anew knows of the control group.
  const { workspace } = runtime
  const book = openCampaignBook(database, workspace, (files) => parseTemplates(files, workspace))
  const anew = { ...runtime, book }
  const { subject, html, text } = (await makeDigest(anew, { locale: 'en' })) ?? {}
  expect(subject).toMatch(/^Shop: All campaigns together won back/)
  expect(text).toMatch(/^All campaigns together/)
  expect(html).toContain('All campaigns together, by first lapse')
  const one = await makeDigest(anew, { locale: 'en', campaigns: ['graded'] })
  expect(one?.text).not.toContain('All campaigns together')
})

it('of several campaigns begins with the busiest, as the first page does, and the subject names whose it is', async () => {
  await shop.apply(CAMPAIGN.replaceAll('graded', 'zeal').replace('title: Graded', 'title: Zeal'))
  const zeal = await writeHistory(database, 'zeal', {})
  // Nobody to compare all with: the subject is what one campaign brought.
  await execute(database, sql`DELETE FROM episodes WHERE arm = 'control'`)
  await execute(database, sql`DELETE FROM report_days`)
  await zeal.assign({ arm: 'treated', count: 50, at: day(50), tier: 'coupon', settle: false })
  const { subject, text = '' } = (await makeDigest(shop.runtime, { locale: 'en' })) ?? {}
  // What one of them brought is not to be read as what all did.
  expect(subject).toMatch(/^Shop: Zeal: Not yet: no week is complete/)
  expect(text).toContain('Not yet: no week is complete. Until then, look at the one that is running.')
  expect(text.indexOf('\nZeal\n')).toBeLessThan(text.indexOf('\nGraded\n'))
  const chinese = await makeDigest(shop.runtime, { locale: 'zh-CN', campaigns: ['graded'] })
  expect(chinese?.subject).toMatch(/^Shop：Graded：/)
})

it('of a campaign that began today looks at no week that is running, for none is shown', async () => {
  await shop.apply(CAMPAIGN.replaceAll('graded', 'today').replace('title: Graded', 'title: Today'))
  const today = await writeHistory(database, 'today', {})
  await today.assign({ arm: 'treated', count: 5, at: shop.clock.now(), tier: 'coupon', settle: false })
  const { text } = (await makeDigest(shop.runtime, { locale: 'en', campaigns: ['today'] })) ?? {}
  expect(text).toContain('Not yet: no week is complete.')
  expect(text).not.toContain('the one that is running')
})

it('keeps what a refusing server said, and does not send it again', async () => {
  clock.set(new Date('2026-03-09T08:15:00Z'))
  smtp.faults.add({ at: 'rcpt', reply: '550 no such user' })
  await expect(sendDueDigest(shop.runtime)).rejects.toThrow(/550 no such user/)
  expect(await sendDueDigest(shop.runtime)).toBe(false)
  const [row] = await rows<{ state: string; note: string }>(
    database,
    sql`SELECT state, note FROM digests ORDER BY scheduled_for DESC LIMIT 1`,
  )
  expect(row?.state).toBe('failed')
  expect(row?.note).toContain('boss@shop.example')
})

it('is not made up for when nobody was there on Monday', async () => {
  clock.set(new Date('2026-03-18T08:15:00Z'))
  expect(await sendDueDigest(shop.runtime)).toBe(false)
  expect(await rows(database, sql`SELECT FROM digests WHERE scheduled_for > '2026-03-10'`)).toEqual([])
})

it('comes when the mail server is back, where that was away on Monday', async () => {
  smtp.faults.clear()
  const begun = smtp.messages.length
  const at = (time: string) => clock.set(new Date(`2026-02-23T${time}:00Z`))
  at('08:15')
  smtp.faults.add({ at: 'connect', reply: '421 4.3.2 no service' })
  await expect(sendDueDigest(shop.runtime)).rejects.toThrow(/421 4\.3\.2 no service/)
  at('08:20')
  expect(await sendDueDigest(shop.runtime)).toBe(false)
  at('08:25')
  await expect(sendDueDigest(shop.runtime)).rejects.toThrow(/no service/)
  smtp.faults.clear()
  at('08:35')
  expect(await sendDueDigest(shop.runtime)).toBe(true)
  at('08:45')
  expect(await sendDueDigest(shop.runtime)).toBe(false)
  expect(smtp.messages.slice(begun).flatMap(({ to }) => to)).toEqual([
    'boss@shop.example',
    'ops@shop.example',
  ])
  expect(
    await rows(database, sql`SELECT state, note FROM digests WHERE scheduled_for = '2026-02-23T08:00:00Z'`),
  ).toEqual([{ state: 'sent', note: null }])
})

it('comes when it can be made, where it could not be on Monday, or a process died while it was made', async () => {
  const { runtime } = shop
  const at = (time: string) => clock.set(new Date(`2026-02-16T${time}:00Z`))
  const failing = (currentText: typeof runtime.book.currentText) => ({
    ...runtime,
    book: { ...runtime.book, currentText },
  })
  at('08:15')
  const lost = failing(() => Promise.reject(new Error('Connection terminated unexpectedly')))
  await expect(sendDueDigest(lost)).rejects.toThrow('Connection terminated unexpectedly')
  at('08:25')
  let goOn = () => {}
  const held = new Promise<void>((resolve) => {
    goOn = resolve
  })
  let dying: Promise<boolean> | undefined
  await new Promise<void>((asked) => {
    dying = sendDueDigest(
      failing(async (campaign) => {
        asked()
        await held
        return await runtime.book.currentText(campaign)
      }),
    )
  })
  at('08:30')
  expect(await sendDueDigest(runtime)).toBe(false)
  at('08:35')
  const begun = smtp.messages.length
  expect(await sendDueDigest(runtime)).toBe(true)
  // It only seemed dead.
  goOn()
  expect(await dying).toBe(false)
  expect(smtp.messages.slice(begun).flatMap(({ to }) => to)).toEqual([
    'boss@shop.example',
    'ops@shop.example',
  ])
  expect(
    await rows(database, sql`SELECT state, note FROM digests WHERE scheduled_for = '2026-02-16T08:00:00Z'`),
  ).toEqual([{ state: 'sent', note: null }])
})

it('has a Message-ID of its own, where two come on one day', async () => {
  await shop.apply(CAMPAIGN)
  const { workspace } = shop.runtime
  const digest = { ...workspace.digest, schedule: '0 8,20 * * *' }
  const runtime = { ...shop.runtime, workspace: { ...workspace, digest } }
  const begun = smtp.messages.length
  for (const time of ['08:15', '20:15']) {
    clock.set(new Date(`2026-03-20T${time}:00Z`))
    expect(await sendDueDigest(runtime)).toBe(true)
  }
  const ids = smtp.messages.slice(begun).map((mail) => mail.header('Message-ID'))
  expect(ids).toHaveLength(4)
  expect(new Set(ids).size).toBe(4)
})

it('is not waited for by a process that ends, where the mail server says nothing', async () => {
  clock.set(new Date('2026-03-23T08:15:00Z'))
  smtp.faults.clear()
  smtp.faults.add({ at: 'dot', action: 'stall' })
  const { strike } = smtp.faults
  const struck = new Promise<void>((resolve) => {
    smtp.faults.strike = (...at) => {
      const fault = strike(...at)
      if (fault) resolve()
      return fault
    }
  })
  const sending = sendDueDigest(shop.runtime)
  await struck
  shop.runtime.leave()
  await expect(sending).rejects.toThrow('boss@shop.example: this process ended before the server answered')
  const [row] = await rows(database, sql`SELECT state FROM digests ORDER BY scheduled_for DESC LIMIT 1`)
  expect(row).toEqual({ state: 'failed' })
})
