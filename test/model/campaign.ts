// The campaign the stories are about: as the model knows it, and as an operator writes it. Times are milliseconds.

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const WINDOW = 25 * DAY
export const GRACE = 2 * DAY
export const MAX_DELAY = 2 * DAY
export const PRICE = 3
/** What the mails of one day (UTC) may cost, and what may be outstanding of all offers together. */
export const BUDGETS = { spend: 3 * PRICE, liability: 1_500_000 }
/** How many are granted in all, and what one is expected to cost: of gifts there are as many as are paid for, one. */
export const OFFERS = {
  five: { stock: 2, expected: 400_000 },
  gift: { stock: Number.POSITIVE_INFINITY, expected: 1_000_000 },
} as const
export type OfferName = keyof typeof OFFERS
/** What one person may get, whatever the episode: mails spread out, and so many messages in all. */
export const CAPS = [
  { count: 1, per: 12 * HOUR, channel: 'email', skips: false },
  { count: 5, per: 40 * DAY, channel: null, skips: true },
] as const
/** Mails its provider takes. In whole hours comes half a mail: nothing is lost to rounding. */
export const RATE = { count: 8, per: 16 * HOUR }
export const CONTROL = 0.1
export const HOLDOUT = 0.2

export type ChannelName = 'email' | 'log'

export interface Step {
  readonly id: string
  readonly after: number
  readonly channels: readonly ChannelName[]
  readonly needsName: boolean
  readonly offer: OfferName | null
  /** The shop is asked to put the offer into the account, before a message says that it is there. */
  readonly credited: boolean
  /** Where there is no offer, a message that promises none goes instead. */
  readonly otherwise: boolean
  /** It waits for the return. */
  readonly onReturn: boolean
  /** Of a step that compares `plain` and `story`: what `plain` is drawn with. */
  readonly plain?: number
}

interface Tier {
  readonly name: string
  readonly from: number
  readonly holdout: number
  readonly steps: readonly Step[]
}

const step = (id: string, channels: Step['channels'], also: Partial<Step> = {}): Step => ({
  id,
  after: 0,
  channels,
  needsName: false,
  offer: null,
  credited: false,
  otherwise: false,
  onReturn: false,
  ...also,
})

const isOdd = (version: number) => version % 2 === 1
/** Every third version has the shop credit nothing. */
const isCrediting = (version: number) => version % 3 !== 0
/** What only some versions give. */
const hasGift = (version: number) => isOdd(version) && isCrediting(version)

/**
 * The ladder of a version: odd ones and even ones differ in when the reminder goes out and in what it needs, and in whether
 * their coupon is a code or stands in the account.
 */
export function ladder(version: number): Tier[] {
  const odd = isOdd(version)
  const five = { offer: 'five', credited: !odd && isCrediting(version) } as const
  return [
    {
      name: 'coupon',
      from: 3 * DAY,
      holdout: 0.3,
      steps: [
        step('remind', ['email'], { after: odd ? 0 : 12 * HOUR, plain: odd ? 0.5 : 0.2 }),
        step('coupon', ['email', 'log'], { after: DAY, needsName: odd, ...five }),
      ],
    },
    {
      name: 'trial',
      from: 7 * DAY,
      holdout: 0,
      steps: [step('trial', ['email', 'log'], five), step('ping', ['log'], { after: DAY })],
    },
    { name: 'letter', from: 15 * DAY, holdout: 0.2, steps: [step('letter', ['email'])] },
  ]
}

/** What a return releases: a greeting, and thanks that give something of their own, or what the ladder gives. */
export function welcome(version: number): Step[] {
  const gift = hasGift(version)
  return [
    step('greet', ['log'], { onReturn: true }),
    step('thanks', ['email', 'log'], {
      onReturn: true,
      after: HOUR,
      offer: gift ? 'gift' : 'five',
      credited: isCrediting(version),
      otherwise: gift,
    }),
  ]
}

/** What only the messages of {@link welcome} say that promise what is in the account. */
export const CREDITED_WORDS = 'It is in your account'

export const CAMPAIGN_TEMPLATES = {
  'hello-story.en.hbs': '---\nsubject: A story\n---\n<p>Once upon a time</p>\n',
  'thanks.en.hbs': `---\nsubject: Thanks\n---\n<p>${CREDITED_WORDS}</p>\n`,
}

const cny = (micros: number) => `${(micros / 1e6).toFixed(6)} CNY`

/** The campaign of a version as an operator writes it. */
export function campaignSource(version: number): string {
  const odd = isOdd(version)
  const [gift, credits] = [hasGift(version), isCrediting(version)]
  return `
version: 1
campaign: game
title: Game ${odd ? 'one' : 'two'}
schedule: "0 9 * * *"
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
}

/** What the workspace says beside the usual. @param shop the address that credits accounts */
export function workspaceAdditions(shop: string): string {
  return `
rates: { email: { at_most: ${RATE.count} per ${RATE.per / HOUR}h } }
offers: { provider: { url: "${shop}" } }
`
}
