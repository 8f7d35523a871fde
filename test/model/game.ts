import { type Campaign, DAY, HOUR, isOdd, type OfferName, PRICE, type Step, step } from './campaign.ts'

// The first campaign: a ladder of three tiers, with offers that are few, a day's money that is soon spent, and thanks for
// whoever comes back. As the model knows it, and as an operator writes it.

const BUDGETS = { spend: 3 * PRICE, liability: 1_500_000 }
/** How many are granted in all, and what one is expected to cost: of gifts there are as many as are paid for, one. */
export const OFFERS: Readonly<Record<OfferName, { readonly stock: number; readonly expected: number }>> = {
  five: { stock: 2, expected: 400_000 },
  gift: { stock: Number.POSITIVE_INFINITY, expected: 1_000_000 },
}

/** Every third text has the shop credit nothing. */
const isCrediting = (text: number) => text % 3 !== 0
/** What only some texts give. */
const hasGift = (text: number) => isOdd(text) && isCrediting(text)

/** What only the messages of the thanks say that promise what is in the account. */
export const CREDITED_WORDS = 'It is in your account'

export const GAME_TEMPLATES = {
  'hello-story.en.hbs': '---\nsubject: A story\n---\n<p>Once upon a time</p>\n',
  'thanks.en.hbs': `---\nsubject: Thanks\n---\n<p>${CREDITED_WORDS}</p>\n`,
}

const cny = (micros: number) => `${(micros / 1e6).toFixed(6)} CNY`

export const game: Campaign = {
  priority: 50,
  window: 25 * DAY,
  goal: 'session',
  holdout: 0.2,
  // Mails spread out, and so many messages in all.
  caps: [
    { count: 1, per: 12 * HOUR, channel: 'email', skips: false },
    { count: 5, per: 40 * DAY, channel: null, skips: true },
  ],
  budgets: BUDGETS,
  group: () => 'winback',

  // Odd ones and even ones differ in when the reminder goes out and in what it needs, and in whether their coupon is a code or
  // stands in the account.
  ladder(text) {
    const odd = isOdd(text)
    const five = { offer: 'five', credited: !odd && isCrediting(text) } as const
    return [
      {
        name: 'coupon',
        from: 3 * DAY,
        to: 7 * DAY,
        holdout: 0.3,
        steps: [
          step('remind', ['email'], { after: odd ? 0 : 12 * HOUR, plain: odd ? 0.5 : 0.2 }),
          step('coupon', ['email', 'log'], { after: DAY, needsName: odd, ...five }),
        ],
      },
      {
        name: 'trial',
        from: 7 * DAY,
        to: 15 * DAY,
        holdout: 0,
        steps: [step('trial', ['email', 'log'], five), step('ping', ['log'], { after: DAY })],
      },
      {
        name: 'letter',
        from: 15 * DAY,
        to: Number.POSITIVE_INFINITY,
        holdout: 0.2,
        steps: [step('letter', ['email'])],
      },
    ]
  },

  // A greeting, and thanks that give something of their own, or what the ladder gives.
  welcome(text): Step[] {
    const gift = hasGift(text)
    return [
      step('greet', ['log'], { onReturn: true }),
      step('thanks', ['email', 'log'], {
        onReturn: true,
        after: HOUR,
        offer: gift ? 'gift' : 'five',
        credited: isCrediting(text),
        otherwise: gift,
      }),
    ]
  },

  source(text) {
    const odd = isOdd(text)
    const [gift, credits] = [hasGift(text), isCrediting(text)]
    return `
version: 1
campaign: game
title: Game ${odd ? 'one' : 'two'}
schedule: "0 9 * * *"
exclusive: winback
goals: { recall: { event: session } }
window: 25d
grace: 2d
holdout: 20%
limits:
  max_delay: 2d
  per_person: [{ at_most: 1 per 12h, channel: email, then: defer }, { at_most: 5 per 40d, then: skip }]
  budget: { spend: ${cny(BUDGETS.spend)} per day, liability: ${cny(BUDGETS.liability)} }
offers:
  five: { kind: coupon, amount: 5 CNY, valid: 3650d, expected_redemption: 8%, stock: ${OFFERS.five.stock}, deliver: ${odd || !credits ? 'code' : 'account'} }
${gift ? `  gift: { kind: coupon, amount: 2 CNY, valid: 3650d, expected_redemption: 50%, deliver: account }` : ''}
tiers:
  - name: coupon
    inactive: 3d..7d
    holdout: 30%
    steps:
      - id: remind
        channel: email
        template: hello
        after: ${odd ? '0s' : '12h'}
        variants: ${odd ? '{ plain: 50%, story: 50% }' : '{ plain: 20%, story: 80% }'}
      - { id: coupon, after: 1d, channel: [email, log], template: ${odd ? 'named' : 'hello'}, offer: five }
  - name: trial
    inactive: 7d..15d
    steps:
      - { id: trial, channel: [email, log], template: hello, offer: five }
      - { id: ping, after: 1d, channel: log }
  - name: letter
    inactive: 15d..
    holdout: 20%
    steps:
      - { id: letter, channel: email, template: hello }
on_return:
  - { id: greet, channel: log, template: hello }
  - id: thanks
    after: 1h
    channel: [email, log]
    template: ${credits ? 'thanks' : 'hello'}
    offer: ${gift ? 'gift\n    otherwise: hello' : 'five'}
`
  },
}
