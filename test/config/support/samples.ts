import type { TemplateIndex, TemplateVariable } from '../../../src/config/templates-index.ts'
import { type Workspace, workspace } from '../../../src/config/workspace.ts'

/** A workspace with e-mail, three attributes and a control group. */
export const WORKSPACE_YAML = `version: 1
name: Shop
timezone: Asia/Shanghai
currency: CNY
locales: [en, zh-CN]
control: 5%
activity: [session, order]
attributes:
  first_name: string
  status: string
  points: { type: number, fresh: 7d }
  vip: bool
  born_at: timestamp
channels:
  email:
    from: Shop <hello@shop.example>
    smtp: { host: 127.0.0.1 }
`

export const ATTRIBUTES = {
  first_name: 'string',
  status: 'string',
  points: { type: 'number', fresh: '7d' },
  vip: 'bool',
  born_at: 'timestamp',
}

export function sampleWorkspace(changes: object = {}): Workspace {
  return workspace.parse({
    version: 1,
    name: 'Shop',
    timezone: 'Asia/Shanghai',
    currency: 'CNY',
    locales: ['en', 'zh-CN'],
    control: '5%',
    activity: ['session', 'order'],
    attributes: ATTRIBUTES,
    channels: { email: { from: 'Shop <hello@shop.example>', smtp: { host: '127.0.0.1' } } },
    ...changes,
  })
}

/** A campaign in which nothing is wrong. */
export const CAMPAIGN_YAML = `version: 1
campaign: graded
title: Graded recall
schedule: "0 9 * * *"
audience: contact.status == "active"
segments:
  high_value: orders.total >= 2000 && orders.count >= 4
goals:
  recall: { event: session }
window: 30d
holdout: 10%
limits:
  per_person:
    - { at_most: 2 per day, then: defer }
    - { at_most: 4 per week, then: skip }
  send_window: { default: 09:00-21:00, email: 10:00-20:00 }
  budget: { liability: 10000 CNY }
offers:
  five_off: { kind: coupon, amount: 5 CNY, valid: 7d, stock: 20000, expected_redemption: 8% }
tiers:
  - name: coupon
    inactive: 3d..7d
    holdout: 10%
    steps:
      - id: remind
        channel: email
        template: reminder
        when: activity.silence < 30d
      - id: coupon
        after: 1d
        channel: [email, log]
        template: { high_value: coupon-vip, everyone: coupon }
        offer: five_off
        unless: remind.failed || segment == "high_value"
        otherwise: come-back
  - name: letter
    inactive: 7d..15d
    steps:
      - { id: letter, after: 2d, channel: log }
`

const variable = (path: string, line: number): TemplateVariable => ({
  path,
  file: 'templates/reminder.en.hbs',
  line,
  column: 5,
})

/** Templates by name, with the variables they use. */
export function sampleTemplates(more: Record<string, readonly string[]> = {}): TemplateIndex {
  const templates: Record<string, readonly string[]> = {
    reminder: ['contact.first_name', 'workspace.name', 'orders.last_at'],
    coupon: ['contact.first_name', 'offer.amount', 'offer.valid_days'],
    'coupon-vip': ['contact.points', 'offer.amount', 'segment'],
    'come-back': ['campaign.title'],
    ...more,
  }
  return {
    names: () => Object.keys(templates),
    variables: (name) => (templates[name] ?? []).map((path, no) => variable(path, no + 1)),
    segmentsOf: () => [],
    texts: () => [],
    problems: () => [],
  }
}
