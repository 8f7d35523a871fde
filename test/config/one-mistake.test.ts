import { describe, expect, test } from 'vitest'
import { parse, parseDocument } from 'yaml'
import { formatProblem } from '../../src/config/documents/problems.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { judgeCampaign, readCampaign, readWorkspace } from '../../src/config/load.ts'
import { CAMPAIGN_YAML, sampleTemplates, sampleWorkspace, WORKSPACE_YAML } from './support/samples.ts'

// Whatever single value of a right file cannot be read, there is one problem: nothing that rests on it is blamed.

/** Every limit is just wide enough, so that whatever is left out or put elsewhere would break one. */
const SILENCE = replaced(
  CAMPAIGN_YAML,
  [
    'window: 30d',
    'window: 13d\ngrace: 2d\nintake: { max_silence: 10d, backlog: 20 per day }\nreentry: { wait: 30d, sunset: 2 episodes }\nvalue: { recall: 10 CNY }\nrollout: 50%\nstarts: 2026-01-01\nends: 2026-12-01',
  ],
  ['budget: {', 'budget: { spend: 3000 CNY per day,'],
  ['at_most: 4 per week', 'at_most: 3 per week'],
  ['liability: 10000 CNY', 'liability: 8000 CNY'],
  ['id: letter, ', 'id: letter, when: coupon.sent, '],
).concat(`on_return:
  - { id: hello, channel: email, template: year, data: annual-report, unless: letter.sent }
  - { id: phone, channel: callback, script: say, sla: 3h, capacity: 200 per day }
`)
const DATES = replaced(
  SILENCE,
  ['inactive: 3d..7d', 'enter: 7d before contact.born_at\n    within: 3d'],
  ['inactive: 7d..15d', 'enter: 1d before contact.born_at'],
  ['max_silence: 10d, ', ''],
  ['window: 13d', 'window: 15d'],
)
const EVENTS = replaced(
  SILENCE,
  ['inactive: 3d..7d', 'enter: event order\n    after: 3d\n    where: event.value > 3'],
  ['inactive: 7d..15d', 'enter: event order\n    after: 7d\n    where: event.value > 3'],
  ['max_silence: 10d, ', ''],
  ['window: 13d', 'window: 13d\nsilenced_by: goal'],
  ['event: session', 'event: renewal'],
)
const VARIANTS = replaced(
  SILENCE,
  [
    'offer: five_off',
    'offer: five_off\n        variants: { a: 50%, b: { share: 50%, template: coupon-b, offer: five_off } }',
  ],
  ['kind: coupon,', 'kind: coupon, deliver: code,'],
)
const WORKSPACE = `${WORKSPACE_YAML}rates: { email: { at_most: 5 per 1s } }
consent: { email: required }
sync:
  people: { kind: contacts, query: SELECT, cursor: at, fields: { first_name: fn }, set: { status: x } }
  events: { kind: activity, query: SELECT, cursor: at, key: id, set: { type: order } }
not_yet: [sms]
database: { url: "postgres://db/shop", schema: shop }
`

const UNREADABLE = ['3x..7d', []]

function replaced(text: string, ...changes: [string, string][]): string {
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the sample has no ${from}`)
    return before.replace(from, to)
  }, text)
}

test('a list of steps that is empty is no reason to blame who names its steps', () => {
  for (const path of [['tiers', 0, 'steps'], ['tiers', 1, 'steps'], ['tiers']]) {
    const document = parseDocument(SILENCE)
    document.setIn(path, [])
    expect(inCampaign(document.toString())).toEqual([expect.stringContaining('expected at least one entry')])
  }
})

type Path = (string | number)[]

/** Every single value of a document. */
function leavesOf(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== 'object') return [path]
  return Object.entries(value).flatMap(([key, item]) =>
    leavesOf(item, [...path, Array.isArray(value) ? Number(key) : key]),
  )
}

/** What is said where one value is unreadable, and that is more than one thing. */
function followOns(text: string, problemsIn: (text: string) => string[]): string[] {
  const right = parseDocument(text)
  return leavesOf(parse(text)).flatMap((path) =>
    UNREADABLE.flatMap((value) => {
      const document = right.clone()
      document.setIn(path, value)
      const problems = problemsIn(document.toString())
      return problems.length < 2 ? [] : [`${path.join('.')}: ${JSON.stringify(value)}`, ...problems]
    }),
  )
}

const templates = sampleTemplates({ year: ['report.spend'], say: [], 'coupon-b': ['offer.code'] })
const workspace = sampleWorkspace({ not_yet: ['callback'] })

function inCampaign(text: string): string[] {
  return readCampaign('x.yaml', text, workspace, templates).problems.map(formatProblem)
}

test.each([
  ['of silence', SILENCE],
  ['around a date', DATES],
  ['after an event', EVENTS],
  ['with variants', VARIANTS],
])(
  'a campaign %s',
  (_, text) => {
    expect(inCampaign(text)).toEqual([])
    expect(followOns(text, inCampaign)).toEqual([])
  },
  60_000,
)

test('a workspace', () => {
  const problemsIn = (text: string) =>
    readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems.map(formatProblem)
  expect(problemsIn(WORKSPACE)).toEqual([])
  expect(followOns(WORKSPACE, problemsIn)).toEqual([])
}, 60_000)

/** The workspace that {@link SILENCE} and its neighbours rest on, part for part. */
const RESTED_ON = replaced(
  WORKSPACE_YAML,
  ['control: 5%', 'control: 5%\ntopics: { news: News, sale: Sale }\nnot_yet: [callback]'],
  ['activity: [session, order]', 'activity: [session, order]\norders: { event: order }'],
)
const RESTING = replaced(
  SILENCE,
  ['title: Graded recall', 'title: Graded recall\ntopic: sale'],
  ['- { at_most: 2 per day,', '- { channel: email, topic: sale, at_most: 2 per day,'],
  ['holdout: 10%', 'holdout: 94%'],
  ['audience: contact.status == "active"', 'audience: contact.status == "active" && !contact.vip'],
)

function readBroken(text: string) {
  return readWorkspace('winback.yaml', text, environmentFrom({}), '.')
}

function against({ yardstick }: ReturnType<typeof readBroken>, campaign: string): string[] {
  return judgeCampaign('x.yaml', campaign, yardstick, templates).problems.map(formatProblem)
}

function againstBroken(text: string, campaign: string): string[] {
  return against(readBroken(text), campaign)
}

describe('a campaign is blamed for nothing that is wrong in its workspace', () => {
  const campaigns = [RESTING, DATES, EVENTS]

  test('as long as nothing is, it is right', () => {
    for (const campaign of campaigns) expect(againstBroken(RESTED_ON, campaign)).toEqual([])
  })

  test('a single value', () => {
    const right = parseDocument(RESTED_ON)
    const blamed = leavesOf(parse(RESTED_ON)).flatMap((path) =>
      UNREADABLE.flatMap((value) => {
        const document = right.clone()
        document.setIn(path, value)
        const broken = readBroken(document.toString())
        // What may be any text is no mistake, and who relies on it is told.
        if (broken.definition) return []
        const problems = campaigns.flatMap((campaign) => against(broken, campaign))
        return problems.length === 0 ? [] : [`${path.join('.')}: ${JSON.stringify(value)}`, ...problems]
      }),
    )
    expect(blamed).toEqual([])
  }, 60_000)

  test.each([
    ['a block misspelt', ['topics:', 'topcis:']],
    ['a block named like no other', ['topics:', 'themes:']],
    ['a block a level off', ['channels:\n', 'channels:\n  currency: CNY\n'], ['currency: CNY\n', '']],
    ['a channel misspelt', ['  email:', '  emial:']],
    ['a name that is none', ['  born_at:', '  Born-At:']],
    ['no YAML at all', ['version: 1', 'version: [1']],
    ['nothing but a text', [RESTED_ON, 'winback']],
  ] as [string, ...[string, string][]][])('%s', (_, ...changes) => {
    const text = changes.reverse().reduce((before, change) => replaced(before, change), RESTED_ON)
    expect(readWorkspace('winback.yaml', text, environmentFrom({}), '.').problems).not.toEqual([])
    for (const campaign of campaigns) expect(againstBroken(text, campaign)).toEqual([])
  })

  test('and for all that is its own', () => {
    const workspace = replaced(
      RESTED_ON,
      ['currency: CNY', 'curency: CNY'],
      ['vip: bool', 'vip: boole'],
      ['smtp: { host: 127.0.0.1 }', 'smtp: { host: 127.0.0.1, password: "${NOT_SET}" }'],
    )
    const campaign = replaced(
      RESTING,
      ['contact.status', 'contact.staus'],
      ['topic: sale\n', 'topic: sael\n'],
      ['template: reminder', 'template: remindr'],
      [
        '{ channel: email, topic: sale, at_most: 2 per day',
        '{ channel: email, topic: sael, at_most: 1 per week',
      ],
    )
    expect(againstBroken(workspace, campaign)).toEqual([
      expect.stringContaining('topic: unknown topic `sael`'),
      expect.stringContaining('audience: unknown fact'),
      expect.stringContaining('limits.per_person[0].topic: unknown topic `sael`'),
      expect.stringContaining(
        'limits.per_person[0].at_most: this campaign alone sends one person 2 messages',
      ),
      expect.stringContaining('unknown template `remindr`'),
    ])
  })
})

test('a key that is misspelt is missing nowhere', () => {
  expect(inCampaign(replaced(DATES, ['enter: 7d', 'eter: 7d']))).toEqual([
    expect.stringContaining('tiers[0].eter: unknown key; did you mean `enter`?'),
  ])
  expect(inCampaign(replaced(SILENCE, ['everyone: coupon', 'eeryone: coupon']))).toEqual([
    expect.stringContaining('unknown segment `eeryone`'),
  ])
})
