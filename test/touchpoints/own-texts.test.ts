import { expect, it } from 'vitest'
import { parseTemplates } from '../../src/channels/templates.ts'
import { manualClock } from '../../src/clock.ts'
import { readCampaign } from '../../src/config/load.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, parseWorkspace } from '../support/shop.ts'

const HELLO = '---\nsubject: Hello\n---\n<p>Hello by mail</p>\n'
const CAMPAIGN = oneTierCampaign('spring', ['{ id: greet, channel: email, template: gift }'])

it('what each channel of a step says itself needs no text that none of them would say', async () => {
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const email = testChannel('email')
  const shop = await openShop({
    ...{ database: await freshDatabase(), clock, channels: [email] },
    templates: { 'gift-email.en.hbs': HELLO },
  })
  await shop.importContacts([{ external_id: 'a', email: 'a@people.test' }])
  await shop.importActivity([{ external_id: 'a', type: 'session', occurred_at: '2026-02-20T09:00:00Z' }])
  await shop.apply(CAMPAIGN)
  await shop.run('spring')
  await dispatchDue(shop.database, { now: clock.now(), jobs: 1 }, async (batch) => {
    await processBatch(shop.runtime.worker, batch)
  })
  expect(email.sent.map(({ content }) => content)).toEqual([expect.stringContaining('Hello by mail')])
  await shop.runtime.close()
})

it.each([
  ['another channel of the step has no text of its own', ['gift-sms.en.hbs'], 'gift'],
  ['it is in a language that is not everybody’s', ['gift-email.zh-CN.hbs'], 'gift'],
  ['it is for one segment alone', ['gift-email.en.regulars.hbs'], 'gift'],
  ['the name is a slip', ['gifts-email.en.hbs', 'gifts.en.hbs'], 'gifts'],
])('a template is missing where %s', (_, files, meant) => {
  const workspace = parseWorkspace()
  const templates = parseTemplates(Object.fromEntries(files.map((file) => [file, HELLO])), {
    locales: workspace.locales,
  })
  const { problems } = readCampaign('campaigns/spring.yaml', CAMPAIGN, workspace, templates)
  expect(problems.filter(({ severity }) => severity === 'error')).toMatchObject([
    {
      message: expect.stringMatching(/^unknown template `gift`/),
      ...(meant === 'gift' ? {} : { suggestion: meant }),
    },
  ])
})
