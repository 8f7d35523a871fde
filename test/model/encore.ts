import { type Campaign, DAY, HOUR, isOdd, step } from './campaign.ts'

// The second campaign, for the same contacts: later bands, a shorter window, another goal, and messages that go before those
// of the first. Every other text of it shares a group with the first; the others may have whom that has.

export const encore: Campaign = {
  priority: 60,
  window: 16 * DAY,
  goal: 'order',
  holdout: 0.25,
  caps: [
    { count: 2, per: 24 * HOUR, channel: null, skips: false },
    { count: 4, per: 40 * DAY, channel: null, skips: true },
  ],
  budgets: null,
  group: (text) => (isOdd(text) ? 'winback' : 'campaign:encore'),
  ladder: (text) => [
    {
      name: 'early',
      from: 5 * DAY,
      to: 12 * DAY,
      holdout: 0.2,
      steps: [step('note', ['email']), step('hint', ['log'], { after: isOdd(text) ? DAY : 12 * HOUR })],
    },
    { name: 'late', from: 12 * DAY, to: 40 * DAY, holdout: 0, steps: [step('last', ['email', 'log'])] },
  ],
  welcome: () => [],
  source: (text) => `
version: 1
campaign: encore
title: Encore
schedule: "0 9 * * 1"
${isOdd(text) ? 'exclusive: winback' : ''}
priority: 60
goals: { recall: { event: order } }
window: 16d
grace: 2d
holdout: 25%
limits:
  max_delay: 2d
  per_person: [{ at_most: 2 per 24h, then: defer }, { at_most: 4 per 40d, then: skip }]
tiers:
  - name: early
    inactive: 5d..12d
    holdout: 20%
    steps:
      - { id: note, channel: email, template: hello }
      - { id: hint, after: ${isOdd(text) ? '1d' : '12h'}, channel: log, template: hello }
  - name: late
    inactive: 12d..40d
    steps:
      - { id: last, channel: [email, log], template: hello }
`,
}
