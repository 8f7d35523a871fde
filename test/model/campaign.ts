// What a campaign is to the model. Those that the stories are about are game.ts and encore.ts. Times are milliseconds.

export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const GRACE = 2 * DAY
export const MAX_DELAY = 2 * DAY
export const PRICE = 3

export type CampaignName = 'game' | 'encore'
export type ChannelName = 'email' | 'log'
export type OfferName = 'five' | 'gift'

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

export interface Tier {
  readonly name: string
  /** How long somebody is silent: from then, and for less than that. */
  readonly from: number
  readonly to: number
  readonly holdout: number
  readonly steps: readonly Step[]
}

/** What one person may get, of whatever campaign and episode, and what becomes of the next message. */
interface Cap {
  readonly count: number
  readonly per: number
  readonly channel: ChannelName | null
  readonly skips: boolean
}

export interface Campaign {
  /** Whose messages go first where a cap has to choose: the higher. */
  readonly priority: number
  readonly window: number
  /** What counts as a recall. */
  readonly goal: 'session' | 'order'
  readonly holdout: number
  readonly caps: readonly Cap[]
  /** What the mails of one day (UTC) may cost, and what may be outstanding of all offers together; null without bounds. */
  readonly budgets: { readonly spend: number; readonly liability: number } | null
  // All else is of a version, by the number of its text.
  /** A person is in one of the campaigns of a group at a time. */
  group(text: number): string
  ladder(text: number): readonly Tier[]
  /** What a return releases. */
  welcome(text: number): readonly Step[]
  /** As an operator writes it. */
  source(text: number): string
}

export const step = (id: string, channels: Step['channels'], also: Partial<Step> = {}): Step => ({
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

export const isOdd = (text: number) => text % 2 === 1
