import { expect, test } from 'vitest'
import { environmentFrom } from '../../src/config/environment.ts'
import { readCampaign, readWorkspace } from '../../src/config/load.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

// What looks right to whoever wrote it, and is not.

function problemsOf(from: string, to: string) {
  if (!CAMPAIGN_YAML.includes(from)) throw new Error(`the sample has no ${from}`)
  return readCampaign('x.yaml', CAMPAIGN_YAML.replace(from, to), sampleWorkspace(), sampleTemplates())
    .problems
}

const UNSEEN = (code: string) => `a character that nobody sees (${code}) is here; take it out`

test.each([
  ['holdout: 10%\n', 'holdout: 10%\u200b\n', UNSEEN('U+200B'), '10%'],
  ['window: 30d', 'window: 30d\u200e', UNSEEN('U+200E'), '30d'],
  ['window: 30d', 'win\u00addow: 30d', UNSEEN('U+00AD'), 'window'],
  ['template: reminder', 'template: remin\u200bder', UNSEEN('U+200B'), 'reminder'],
  ['orders.count >= 4', 'orders.co\ufeffunt >= 4', UNSEEN('U+FEFF'), undefined],
  ['window: 30d', 'wind\u043ew: 30d', '`\u043e` is another character (U+043E) than `o`', 'window'],
  ['09:00-21:00', '09:00\u221221:00', '`\u2212` is another character (U+2212) than `-`', '09:00-21:00'],
])('%j as %j', (from, to, says, suggestion) => {
  const [problem, ...more] = problemsOf(from, to)
  expect(problem).toMatchObject({ message: expect.stringContaining(says) })
  expect(problem?.suggestion).toBe(suggestion)
  expect(more).toEqual([])
})

test.each([
  ['template: reminder', 'template: templates/reminder.en.hbs', /^unknown template/, 'reminder'],
  ['orders.count >= 4', '4 <= orders.count <= 6', /write 3 <= x && x <= 6$/, undefined],
  ['orders.count >= 4', 'contact.born_at < now - 365', /write a duration as 7d$/, undefined],
  ['orders.count >= 4', 'orders.count >= 4 且 orders.total > 3', /write && for `且`$/, undefined],
])('%j as %j: what to write', (from, to, says, suggestion) => {
  const [problem, ...more] = problemsOf(from, to)
  expect(problem).toMatchObject({ message: expect.stringMatching(says) })
  expect(problem?.suggestion).toBe(suggestion)
  expect(more).toEqual([])
})

test.each([
  ['currency: CNY', 'currency: cny', 'CNY'],
  ['    smtp: { host', '    price: 0.002 CNY\n    smtp: { host', '"0.002"'],
  ['control: 5%', 'control: 5%\nrates: { email: { at_most: 14/s } }', '14 per 1s'],
])('of the workspace: %j as %j', (from, to, suggestion) => {
  const text = WORKSPACE_YAML.replace(from, to)
  expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).toMatchObject([
    { suggestion },
  ])
})

test('a reference that is closed nowhere is no name', () => {
  const text = WORKSPACE_YAML.replace('smtp: {', 'smtp: { user: "${SMTP_USER",')
  expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).toMatchObject([
    { path: 'channels.email.smtp.user', message: 'this `${` is closed nowhere; end it with `}`' },
  ])
})
