import { expect, test } from 'vitest'
import { parseTemplates } from '../../src/channels/templates.ts'
import { campaign } from '../../src/config/campaign.ts'
import { compileCampaign } from '../../src/config/compile.ts'
import { sampleWorkspace } from './support/samples.ts'

const MAIL = '---\nsubject: Hello {{contact.first_name}}\npreheader: x\n---\n<p>{{contact.first_name}}</p>'

/** What a step on `channel` says, by the template files there are. */
function templatesFor(
  channel: string | string[],
  files: Record<string, string>,
  segments: Record<string, string> = {},
  locales: [string, ...string[]] = ['en', 'zh-CN'],
) {
  const definition = campaign.parse({
    ...{ version: 1, campaign: 'autumn', title: 'Autumn', schedule: '0 9 * * *', holdout: '10%', segments },
    ...{ goals: { recall: { event: 'session' } }, window: '30d' },
    tiers: [{ name: 'only', inactive: '3d..', steps: [{ id: 'hello', channel, template: 'hello' }] }],
  })
  const compiled = compileCampaign({
    ...{ definition, version: 1, salt: 's', templateSet: 'x', stepIds: new Map([['hello', 1]]) },
    workspace: { ...sampleWorkspace(), locales },
    templates: parseTemplates(files, { locales }),
  })
  return compiled.tiers[0]?.steps[0]?.templates
}

/** The facts it asks for. */
function factsFor(channel: string | string[], files: Record<string, string>): string[] {
  return (
    templatesFor(channel, files)
      ?.get('everyone')
      ?.facts.map(({ path }) => path) ?? []
  )
}

test('a segment may be called whatever an object has by itself, and gets what everyone gets', () => {
  const said = templatesFor('email', { 'hello.en.hbs': MAIL }, { constructor: 'orders.count > 3' })
  expect(said?.get('constructor')?.name).toBe('hello')
})

test('what only the e-mail prints keeps nobody from a push that has a text of its own', () => {
  const files = { 'hello.en.hbs': MAIL, 'hello-push.en.hbs': '---\nsubject: Hello\n---\nCome and see.' }
  expect(factsFor('push', files)).toEqual([])
  // Where one of the channels says the template itself, what that needs is needed.
  expect(factsFor(['push', 'email'], files)).toEqual(['contact.first_name'])
  expect(factsFor('sms', files)).toEqual(['contact.first_name'])
  // A text that not everybody would get leaves the template in its place for the rest.
  const { 'hello-push.en.hbs': text, ...mail } = files
  expect(factsFor('push', { ...mail, 'hello-push.zh-CN.hbs': text })).toEqual(['contact.first_name'])
  expect(factsFor('push', { ...mail, 'hello-push.en.regulars.hbs': text })).toEqual(['contact.first_name'])
  // Who is written to in en-GB gets what is there in en.
  expect(templatesFor('push', files, {}, ['en-GB'])?.get('everyone')?.facts).toEqual([])
})
