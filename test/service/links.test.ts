import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { retireSigningKey, rotateSigningKey } from '../../src/database/signing-keys.ts'
import { readSigningKeys } from '../../src/service/links.ts'
import { readToken } from '../../src/tokens/token.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, WORKSPACE } from '../support/shop.ts'

describe('links of messages', () => {
  it('are signed by the key that signs now, also in a process that was there before it', async () => {
    const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
    const email = testChannel('email')
    const shop = await openShop({
      database: await freshDatabase(),
      clock,
      channels: [email],
      workspace: `${WORKSPACE}web: { url: "https://wb.shop.example" }\n`,
      templates: { 'hello.en.hbs': '---\nsubject: Hello\n---\n<p>{{links.unsubscribe}}</p>\n' },
    })
    await shop.apply(oneTierCampaign('letters', ['{ id: first, channel: email, template: hello }']))
    await shop.importContacts([{ external_id: 'a', email: 'a@people.test' }])
    await shop.importActivity([{ external_id: 'a', type: 'session', occurred_at: '2026-02-26T09:00:00Z' }])
    await shop.run('letters')

    await rotateSigningKey(shop.database, clock.now())
    await retireSigningKey(shop.database, 1, clock.now())
    await dispatchDue(shop.database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(shop.runtime.worker, batch)
    })

    const token = /\/u\/([^<]+)</.exec(email.sent[0]?.content ?? '')?.[1] ?? ''
    const keys = await readSigningKeys(shop.database)
    expect(readToken(keys, 'unsubscribe', token, clock.now())).toMatchObject({ outcome: 'read' })
  })
})
