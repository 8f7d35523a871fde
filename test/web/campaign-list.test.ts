import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { pause } from '../../src/config/switches.ts'
import { execute } from '../../src/database/connect.ts'
import { listCampaigns } from '../../src/web/pages/campaigns/campaign-list.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop } from '../support/shop.ts'

const now = new Date('2026-03-01T00:00:00Z')
const clock = manualClock(now)
let shop: Shop
beforeAll(async () => {
  shop = await openShop({ database: await freshDatabase(), clock, channels: [testChannel('email')] })
  const lapsed = ['a', 'b', 'c'].map((external_id) => ({ external_id }))
  await shop.importContacts(lapsed.map((row) => ({ ...row, email: `${row.external_id}@people.test` })))
  await shop.importActivity(
    lapsed.map((row) => ({ ...row, type: 'session', occurred_at: '2026-02-20T00:00:00Z' })),
  )
  for (const name of ['busy', 'idle']) {
    await shop.apply(oneTierCampaign(name, ['{ id: remind, channel: email, template: hello }']))
  }
  await shop.run('busy')
})
afterAll(() => shop.runtime.close())

it('counts whose episode is open, and says which campaign is held back', async () => {
  await pause(shop.database, { scope: 'campaign', name: 'idle' }, { reason: 'test', clock })
  expect(await listCampaigns(shop.database)).toMatchObject([
    { campaign: 'busy', version: 1, people: 3, more: false, state: null },
    { campaign: 'idle', version: 1, people: 0, more: false, state: 'paused' },
  ])
})

it('counts seeds nowhere', async () => {
  await execute(
    shop.database,
    sql`UPDATE episodes SET arm = 'seed' WHERE contact_id = (SELECT contact_id FROM contacts WHERE external_id = 'c')`,
  )
  expect((await listCampaigns(shop.database))[0]).toMatchObject({ campaign: 'busy', people: 2 })
  await execute(shop.database, sql`UPDATE episodes SET arm = 'treated' WHERE arm = 'seed'`)
})

it('looks at the newest of many, and says that there are more', async () => {
  await execute(
    shop.database,
    sql`UPDATE episodes SET assigned_at = assigned_at - interval '1 day', ended_at = ${now}, end_reason = 'expired'
      WHERE contact_id = (SELECT contact_id FROM contacts WHERE external_id = 'c')`,
  )
  const busy = async (most: number) => (await listCampaigns(shop.database, most))[0]
  expect(await busy(4)).toMatchObject({ people: 2, more: false })
  expect(await busy(3)).toMatchObject({ people: 2, more: true })
  expect(await busy(1)).toMatchObject({ people: 1, more: true })
})
