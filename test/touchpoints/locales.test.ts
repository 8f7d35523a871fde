import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop, type Shop, WORKSPACE } from '../support/shop.ts'

const text = (locale: string) => ({ [`hello.${locale}.hbs`]: `---\nsubject: Hello\n---\n${locale}` })
const ENGLISH_FIRST = { ...text('en'), ...text('zh-CN') }
const DAILY = oneTierCampaign('words', [
  '{ id: first, channel: email, template: hello }',
  '{ id: second, after: 1d, channel: email, template: hello }',
])

/** One who reads German, one who reads Chinese, and one who has not said, all silent for ten days. */
async function bring({ clock, importContacts, importActivity }: Shop, prefix: string) {
  const people = Object.entries({ german: 'de', chinese: 'zh-CN', unsaid: '' }).map(([reader, locale]) => {
    const external_id = `${prefix}-${reader}`
    return { external_id, locale, email: `${external_id}@people.test` }
  })
  await importContacts(people)
  const occurred_at = new Date(clock.now().getTime() - 10 * 86_400_000).toISOString()
  await importActivity(people.map(({ external_id }) => ({ external_id, type: 'session', occurred_at })))
}

it.each([
  ['a new one first', '[fr, en]', { ...text('fr'), ...text('en') }, 'fr'],
  ['another first, in the same files', '[zh-CN, en]', ENGLISH_FIRST, 'zh-CN'],
])('who was taken in reads the languages of then, though winback.yaml has %s', async (...given) => {
  const [, locales, templates, first] = given
  const database = await freshDatabase()
  const clock = manualClock(new Date('2026-03-02T09:00:00Z'))
  const email = testChannel('email')
  const open = (languages: string, files: Readonly<Record<string, string>>) =>
    openShop({
      ...{ database, clock, channels: [email], templates: files },
      workspace: WORKSPACE.replace('locales: [en]', `locales: ${languages}`),
    })
  const sentBy = async ({ runtime }: Shop) => {
    email.sent.length = 0
    await dispatchDue(database, { now: clock.now(), jobs: 100 }, async (batch) => {
      await processBatch(runtime.worker, batch)
    })
    return Object.fromEntries(email.sent.map(({ address, content }) => [address.split('@')[0], content]))
  }

  const before = await open('[en, zh-CN]', ENGLISH_FIRST)
  await bring(before, 'old')
  await before.apply(DAILY)
  await before.run('words')
  const old = { 'old-german': 'en', 'old-chinese': 'zh-CN', 'old-unsaid': 'en' }
  expect(await sentBy(before)).toEqual(old)
  await before.runtime.close()

  clock.advance(86_400)
  const after = await open(locales, templates)
  await bring(after, 'new')
  await after.apply(DAILY)
  await after.run('words')
  expect(await sentBy(after)).toEqual({
    ...old,
    ...{ 'new-german': first, 'new-chinese': first, 'new-unsaid': first },
  })
  await after.runtime.close()
})
