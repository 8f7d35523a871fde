import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute } from '../../src/database/connect.ts'
import { startWeb } from '../../src/web/server.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'
import { signIn } from '../support/sign-in.ts'

const NOW = new Date('2026-03-28T12:00:00Z')
const steps = (...ids: string[]) =>
  oneTierCampaign(
    'spring',
    ids.map((id) => `{ id: ${id}, channel: log }`),
  )

it('tells of every message, of steps that the version in force has no more as well', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(NOW), channels: [] })
  const server = await startWeb({ runtime: shop.runtime }, { host: '127.0.0.1', port: 0 })
  const cookie = await signIn(database, 'ada', 'viewer', NOW)
  const ladder = async (language: string) => {
    const page = await fetch(`${server.address}/campaigns/spring`, {
      headers: { Cookie: cookie, 'Accept-Language': language },
    })
    const [, card = ''] = /<h2>(?:The ladder|触达阶梯)<\/h2>(.*?)<h2>/s.exec(await page.text()) ?? []
    return card.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
  }
  await shop.apply(steps('hello', 'remind'))
  await execute(
    database,
    sql`INSERT INTO report_messages (campaign, day, sent_on, step_id, channel, domain, state, reason, messages, delivered,
          opened, clicked, bounced, complained, recalled, latency, late, timed)
        SELECT 'spring', ${NOW}::date, ${NOW}::date, step_id, 'log', '', state, reason, messages, 0, 0, 0, 0, 0, 0, 0, 0, 0
        FROM steps, (VALUES ('sent', '', 40), ('skipped', 'condition', 10)) AS said(state, reason, messages)`,
  )
  expect(await ladder('en')).not.toContain('earlier versions')
  await shop.apply(steps('hello', 'again'))
  const [now, gone] = (await ladder('en')).split('Steps of earlier versions')
  expect(now).toMatch(/hello log 40 \/ 50 .* again log 0 at once/)
  expect(now).not.toContain('remind')
  expect(gone).toMatch(
    /^ only › remind 40 \/ 50 40 sent · 10 not sent not sent: the step’s condition is false \(10\)/,
  )
  expect(gone).not.toContain('hello')
  expect(await ladder('zh-CN')).toContain('旧版本的步骤 only › remind 40 / 50')
  await server.close(0)
  await shop.runtime.close()
})
