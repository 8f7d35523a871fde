import { describe, expect, it } from 'vitest'
import type { CallContent } from '../../../src/channels/callback/callback.ts'
import type { PushContent } from '../../../src/channels/push/content.ts'
import { type CampaignPlan, wordsOf } from '../../../src/cli/verbs/plan/plan.ts'
import { formatPlan } from '../../../src/cli/verbs/plan/text.ts'
import { cellsOf } from '../../../src/reports/layout.ts'
import { parseWorkspace } from '../../support/shop.ts'

const workspace = parseWorkspace()

const step = {
  channels: ['email'],
  noAddress: 0,
  noConsent: 0,
  optedOut: 0,
  suppressed: 0,
  condition: 0,
  unknown: 0,
  byChannel: [],
}
const plan: CampaignPlan = {
  campaign: 'graded',
  title: '分级召回',
  file: 'campaigns/graded.yaml',
  hash: '0123456789ab',
  version: { current: null, changed: true },
  changes: null,
  asOf: new Date('2026-03-02T01:00:00Z'),
  timezone: 'Asia/Shanghai',
  entry: 'silence',
  nextRun: new Date('2026-03-03T01:00:00Z'),
  foreseen: { state: 'runs' },
  shortages: [],
  audience: {
    cells: [
      { tier: 'coupon', segment: 'everyone', answer: 'opened', contacts: 1200 },
      { tier: 'coupon', segment: 'high_value', answer: 'opened', contacts: 7 },
      { tier: 'coupon', segment: 'everyone', answer: 'audience_unknown', contacts: 30 },
      { tier: 'coupon', segment: 'everyone', answer: 'backlog', contacts: 5 },
    ],
    churn: [
      { tier: 'coupon', reason: 'silent', contacts: 1000 },
      { tier: 'coupon', reason: 'rhythm', contacts: 200 },
      { tier: 'coupon', reason: 'cart', contacts: 42 },
    ],
    outside: { total: 5000, recent: 900, beyond: 20, undated: 3, bySignUp: 4, open: 2, had: 0 },
    steps: [
      { ...step, tier: 'coupon', step: 'remind', contacts: 1207, messages: 0, condition: 1207 },
      {
        ...step,
        tier: 'coupon',
        step: 'coupon',
        contacts: 1207,
        messages: 800,
        noAddress: 400,
        suppressed: 7,
      },
    ],
    inflowPerDay: 10,
    eligible: 4000,
  },
  variants: [
    {
      tier: 'coupon',
      step: 'remind',
      variants: [
        { name: 'plain', share: 0.5, messages: 600 },
        { name: 'story', share: 0.5, messages: 600 },
      ],
    },
  ],
  between: [
    {
      ...{ tier: 'coupon', step: 'remind' },
      detectable: [{ afterDays: 30, assigned: 1200, difference: 0.078, why: null }],
    },
  ],
  heldOut: [{ tier: 'coupon', episode: 0.1, withTierDraws: 0.19 }],
  spend: 2000,
  liability: 344_810_000,
  natural: { contacts: 2953, recalled: 1872 },
  detectable: [
    { afterDays: 30, assigned: 1207, difference: 0.092, why: null },
    { afterDays: 60, assigned: 1507, difference: 0.08, why: null },
  ],
  curve: [],
  pool: { people: 4000, again: 62, times: 2 },
  showable: { difference: 0.02, afterDays: 400, assigned: 9000, why: null },
  samples: [
    {
      contactId: 1,
      contact: 'u1',
      tier: 'coupon',
      step: 'coupon',
      variant: null,
      outcome: {
        kind: 'send',
        channel: 'email',
        template: 'come-back',
        instead: { reason: 'missing_data', detail: 'orders.first_at' },
      },
      subject: '好久不见',
      text: '您好',
    },
    {
      contactId: 2,
      contact: 'u2',
      tier: 'coupon',
      step: 'coupon',
      variant: null,
      outcome: { kind: 'skip', reason: 'no_address', detail: null },
      subject: null,
      text: null,
    },
  ],
}

const text = (locale: string, change: Partial<CampaignPlan> = {}, width = 100) =>
  formatPlan({ ...plan, ...change }, workspace, { locale, color: false, width })

/** What the operator named or types: all that may stay in Latin letters. */
const NAMED =
  /winback (apply|resume|import)[^`\n]*|campaigns\/\S+|Asia\/Shanghai|UTC|feed\.\w+|orders\.first_at|come-back|high_value|coupon|remind|email|plain|story|u1|u2|CSV|FILE|graded|0123456789ab/g

it('says which condition asks for what is unknown of people: a file that has no such column says nothing of it', () => {
  const condition = 'contact.status == "active"'
  const en = `30  a fact the audience condition needs is unknown: ${condition}`
  expect(text('en', { condition }, 160)).toContain(en)
  expect(text('zh-CN', { condition }, 160)).toContain(`：${condition}`)
  expect(text('en', {}, 160)).toMatch(/condition needs is unknown$/m)
})

it('where nobody ever came back by the goal’s event, it asks whether the data tells of any', () => {
  const said = (contacts: number, recalled: number, locale = 'en') =>
    text(locale, { goal: 'session', natural: { contacts, recalled } }, 300)
  expect(said(2115, 0)).toContain('none of 2,115 people as silent as these came back: no event `session`')
  expect(said(2115, 0, 'zh-CN')).toContain('没有他们的 `session` 事件')
  // Of a few, that none came back is nothing to wonder at.
  for (const usual of [said(2115, 1), said(99, 0)])
    expect(usual).toMatch(/^ {2}One window ago [0-9.]+ % of /m)
})

it('a channel that is not set up is no address that is missing', () => {
  const [first] = plan.audience.steps
  if (!first) throw new Error('the plan has steps')
  const remind = { ...first, channels: ['push', 'sms'], contacts: 30, condition: 0, noAddress: 30 }
  const said = (closed: string[], locale = 'en') =>
    text(locale, { audience: { ...plan.audience, steps: [{ ...remind, closed }] } }, 160)
  expect(said(['push', 'sms'])).toContain(
    '30 of 30 cannot be reached: push notification or text message is not set up yet',
  )
  expect(said(['push', 'sms'], 'zh-CN')).toContain('30 人中 30 人无法触达：推送通知或短信尚未接入')
  expect(said(['push'])).toContain('30 of 30 have no phone number')
  expect(said([])).toContain('30 of 30 have no push notification address or phone number')
  // Whatever a channel is called: what it reaches is its own to say.
  const relayed = { ...remind, channels: ['relay'], phones: ['relay'], closed: [] }
  const audience = { ...plan.audience, steps: [relayed] }
  expect(text('en', { audience }, 160)).toContain('30 of 30 have no phone number')
})

describe('a plan in Chinese', () => {
  it.each([
    ['as it runs', {}],
    [
      'of an empty database',
      { audience: { ...plan.audience, cells: [], outside: { ...plan.audience.outside, total: 0 } } },
    ],
    ['that nobody enters', { audience: { ...plan.audience, cells: [] } }],
    ['without a past', { natural: { contacts: 0, recalled: 0 } }],
    [
      'held out from nobody',
      { showable: { difference: 0.02, afterDays: null, assigned: null, why: 'nobody_held_out' } },
    ],
    ['applied', { version: { current: 2, changed: false }, nextRun: null }],
    [
      'paused',
      { foreseen: { state: 'paused', note: 'the campaign is paused: 价格', by: 'campaign', why: '价格' } },
    ],
    [
      'of a late feed',
      {
        foreseen: {
          state: 'refused',
          note: 'old',
          feed: { fault: 'late', newestAt: plan.asOf, lastDay: 1, normal: 9 },
        },
      },
    ],
    ['not begun', { foreseen: { state: 'not_yet', note: 'starts', by: 'dates', why: '2026-04-01' } }],
  ] as const)('%s leaves no English behind', (_case, change) => {
    const rest = text('zh-CN', change).replaceAll(NAMED, '')
    expect(rest.match(/[A-Za-z]{2,}/g) ?? []).toEqual([])
  })

  it('lists the channels of a step the Chinese way', () => {
    const byChannel = [
      { channel: 'email', messages: 700 },
      { channel: 'sms', messages: 100 },
    ]
    const steps = plan.audience.steps.map((each) => ({ ...each, channels: ['email', 'sms'], byChannel }))
    const change = { audience: { ...plan.audience, steps } }
    expect(text('zh-CN', change)).toContain('邮件 700、短信 100')
    expect(text('en', change)).toContain('E-mail 700, Text message 100')
  })

  it('lines its columns up, and writes money, dates and shares the Chinese way', () => {
    const lines = text('zh-CN').split('\n')
    const from = lines.findIndex((line) => line.startsWith('  阶段') && line.includes('high_value'))
    const grid = lines.slice(from, from + 3)
    expect(grid.map((line) => cellsOf(line))).toEqual([
      cellsOf(grid[0] ?? ''),
      cellsOf(grid[0] ?? ''),
      cellsOf(grid[0] ?? ''),
    ])
    expect(grid[1]).toContain('1,207')
    expect(lines.join('\n')).toContain('发送费用 ¥0.002，优惠（预计核销）¥344.81')
    expect(lines.join('\n')).toContain('下次运行 2026年3月3日 09:00（Asia/Shanghai）')
    expect(lines.join('\n')).toContain('400 天后（已分组 9,000 人）可以检出 2 个百分点的差异')
  })
})

describe('a plan', () => {
  it('says what messages and cost count: those who enter now, and the whole ladder', () => {
    expect(text('en')).toContain('Messages to those who enter now, in the tier they enter')
    expect(text('en')).toContain('Cost of the whole ladder for those who enter now, at most')
    expect(text('en')).toContain('1,207 of 1,207 do not meet the condition')
    expect(text('en').replaceAll(/\s+/g, ' ')).toContain(
      'with the neutral template come-back instead of its own: orders.first_at is missing',
    )
  })

  it('shows how a step that compares variants splits its messages, and whose sample is of which', () => {
    const [sample] = plan.samples
    const samples = sample ? [{ ...sample, variant: 'story' }] : []
    const lines = text('en', { samples })
      .split('\n')
      .map((line) => line.replaceAll(/\s+/g, ' '))
    const from = lines.indexOf('Variants that are compared')
    expect(lines.slice(from + 1, from + 4)).toEqual([
      ' tier step variant share messages',
      ' coupon remind plain 50.0 % 600',
      ' coupon remind story 50.0 % 600',
    ])
    expect(lines.join('')).toContain('at best: 7.8 percentage points after 30 days')
    expect(text('zh-CN')).toContain('30 天后 7.8 个百分点')
    expect(lines.join('\n')).toContain('u1 · coupon · coupon · story: ')
    expect(text('en', { variants: [] })).not.toContain('Variants')
  })

  it('says that the verdict asks for more people than one look does', () => {
    const told = (afterDays: number | null) => {
      const verdict = { afterDays, assigned: 18_000 }
      const showable = { difference: 0.02, afterDays: 400, assigned: 9000, why: null, verdict }
      const line = (locale: string) => text(locale, { showable }).replace(/\s+/g, ' ')
      return { en: line('en'), zh: line('zh-CN').replaceAll(' ', '') }
    }
    expect(told(770).en).toContain(
      'the verdict, at which you may look every day, takes 18,000 assigned, after 770 days.',
    )
    expect(told(null).en).toContain('takes 18,000 assigned, more than there will be.')
    expect(told(770).zh).toContain('需要分组18,000人，即770天后。')
  })

  it.each([40, 60, 80])('keeps to a terminal of %i columns, but for the command to copy', (width) => {
    const file = 'campaigns/spring-and-autumn/graded.yaml'
    const title = 'A recall in four grades, for all who have been silent'
    for (const locale of ['en', 'zh-CN']) {
      for (const version of [plan.version, { current: 3, changed: false }]) {
        const lines = text(locale, { title, file, version }, width).split('\n')
        expect(lines).toContain(`  ${file}`)
        const whole = (line: string) => line.startsWith('  winback apply') || line === `  ${file}`
        expect(lines.filter((line) => cellsOf(line) > width && !whole(line))).toEqual([])
      }
    }
  })

  it('says what would change, each line cut to the terminal, and how many it leaves out', () => {
    const long = { kind: 'add', text: `audience: ${'contact.vip && '.repeat(9)}true` } as const
    const changes = {
      campaign: [{ kind: 'del', text: 'holdout: 10%' } as const, ...Array.from({ length: 42 }, () => long)],
      templates: [{ path: 'coupon.en.hbs', change: 'changed' } as const],
      workspace: true,
      workspaceLines: [{ kind: 'add', text: 'control: 5%' } as const],
    }
    const lines = text('en', { version: { current: 2, changed: true }, changes }, 60).split('\n')
    const from = lines.indexOf('What would change')
    expect(lines.slice(from + 1, from + 3)).toEqual([
      '  - holdout: 10%',
      `  ${`+ ${long.text}`.slice(0, 57)}…`,
    ])
    expect(lines.slice(from + 41, from + 46)).toEqual([
      '  … further lines: 3',
      '  templates/coupon.en.hbs: changed',
      '  winback.yaml: changed',
      '  + control: 5%',
      '',
    ])
    const chinese = text('zh-CN', { version: { current: 2, changed: true }, changes }).replaceAll(NAMED, '')
    expect(chinese).toContain('winback.yaml：有改动')
  })

  it('names the zone of the next run, which is the campaign’s', () => {
    expect(text('en')).toMatch(
      /as of Mar 2, 2026, 01:00 \(UTC\); never applied; next run Mar 3, 2026, 09:00\s+\(Asia\/Shanghai\)/,
    )
  })

  it('says that a run would be refused or held back', () => {
    const feed = { fault: 'never', newestAt: null, lastDay: 0, normal: null } as const
    expect(
      text('en', { foreseen: { state: 'refused', note: 'no activity has ever arrived', feed } }),
    ).toContain('The feed check refuses a run: no activity has ever arrived.')
    // Written as every other time is.
    const late = { ...feed, fault: 'late', newestAt: new Date('2026-03-01T20:00:00Z') } as const
    const stale = { state: 'refused', note: '2026-03-01T20:00:00.000Z', feed: late } as const
    expect(text('en', { foreseen: stale }).replaceAll(/\s+/g, ' ')).toContain(
      'the newest activity is of Mar 1, 2026, 20:00, older than feed.max_lag allows.',
    )
    const paused = { state: 'paused', note: 'the workspace is paused: x', by: 'workspace', why: 'x' } as const
    expect(text('en', { foreseen: paused })).toContain('`winback resume --all`')
  })

  it('has an empty state, which blames no holdout', () => {
    const outside = { ...plan.audience.outside, total: 0 }
    const empty = text('en', {
      audience: { ...plan.audience, cells: [], outside },
      detectable: [{ afterDays: 30, assigned: 0, difference: null, why: 'nobody' }],
      samples: [],
    })
    expect(empty).toContain('There are no contacts yet. Run `winback import contacts FILE`')
    expect(empty).not.toContain('nobody is held out')
    expect(text('en', { pool: { people: 1, again: 32, times: null } })).toContain(
      'There is 1 person to take in',
    )
    expect(text('en', { pool: { people: 0, again: 32, times: null } })).toContain(
      '  There is nobody to take in.\n',
    )
  })
})

it.each([
  ['a push', { title: 'Hi', body: 'Come back', url: undefined } satisfies PushContent, 'Hi'],
  ['a call', { locale: 'en', timezone: 'UTC', script: 'Come back' } satisfies CallContent, null],
  ['a text', 'Come back', null],
  ['one of a channel of one’s own', { subject: 'Hi', text: 'Come back', template: 'T-1' }, 'Hi'],
])('shows what somebody would read or hear: of %s', (_, content, subject) => {
  expect(wordsOf(content)).toEqual({ subject, text: 'Come back' })
})
