import type { Problem } from '../../errors.ts'
import type { Path } from '../documents/document.ts'
import { formatAmount } from '../quantities.ts'
import { type Checked, finding, stepsOf } from './findings.ts'

/** Every message goes out a moment after its time: by less than this it may be late, and be late always. */
const MINUTE = 60

/**
 * Settings of nought that end all sending, or an offer, where nothing else says so: most often a number that was still
 * to be put in.
 */
export function* checkNaughts(checked: Checked): Generator<Problem> {
  for (const [path, message] of naughtsOf(checked)) {
    yield finding(checked.document, path, message, { severity: 'warning' })
  }
}

function* naughtsOf({ campaign, workspace }: Checked): Generator<readonly [path: Path, message: string]> {
  const { intake, feed, reentry, limits } = campaign
  if (intake?.backlog?.count === 0) {
    yield [['intake', 'backlog'], 'at 0 per day nobody is taken in; allow some, such as 2000 per day']
  }
  if (feed?.max_lag === 0) {
    yield [
      ['feed', 'max_lag'],
      'any activity is older than that, so every run refuses; allow some, such as 36h',
    ]
  }
  if (reentry?.sunset === 0) {
    yield [
      ['reentry', 'sunset'],
      'at 0 episodes nobody is taken in a second time, not even who came back; use 1 or more',
    ]
  }
  const spend = limits?.budget?.spend?.amount
  if (spend?.micros === 0) {
    const message = `at ${formatAmount(spend)} nothing that has a price is ever sent; allow some, or take it out`
    yield [['limits', 'budget', 'spend'], message]
  }
  if (limits?.max_delay !== undefined && limits.max_delay < MINUTE) {
    const message = 'each message goes a moment after its time, so none would ever be sent; use 1h or more'
    yield [['limits', 'max_delay'], message]
  }
  yield* emptyOffers(campaign)
  const calls = workspace.channels?.callback
  const robot = typeof calls === 'object' && calls !== null && 'robot' in calls && calls.robot !== undefined
  for (const { step, path } of stepsOf(campaign)) {
    if (robot || step.capacity?.count !== 0) continue
    yield [[...path, 'capacity'], 'at 0 per day nobody ever calls, for there is no robot; allow some calls']
  }
}

function* emptyOffers({ offers }: Checked['campaign']): Generator<readonly [path: Path, message: string]> {
  for (const [name, offer] of Object.entries(offers ?? {})) {
    if (!offer) continue
    const at = (key: string) => ['offers', name, key]
    if (offer.stock === 0) yield [at('stock'), `there is no ${name} to give, so nobody ever gets it`]
    if (offer.per_contact?.count === 0)
      yield [at('per_contact'), `nobody may ever have ${name}; allow 1 or more`]
    if (offer.valid === 0) yield [at('valid'), `${name} is over as it is given; use 1d or more`]
    if (offer.kind === 'coupon' && offer.amount?.micros === 0) {
      yield [
        at('amount'),
        `${name} takes nothing off, and its message would promise ${formatAmount(offer.amount)}`,
      ]
    }
  }
}
