import type { Problem } from '../../errors.ts'
import type { Campaign } from '../campaign.ts'
import { type Path, valueAt } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import { type Amount, formatAmount } from '../quantities.ts'
import { ownTexts } from '../templates-index.ts'
import { type Checked, finding, stepsOf, unknownName } from './findings.ts'
import { isCurrency } from './settings.ts'
import { namesOf } from './texts.ts'
import { anyUnread, lacksSteps, unread } from './unread.ts'

/** Offers that exist and are used, amounts in the one currency, and a liability that the stock cannot exceed. */
export function checkOffers(checked: Checked): Problem[] {
  return [
    ...checkUse(checked),
    ...checkThousands(checked),
    ...checkCodes(checked),
    ...checkBenefits(checked),
    ...checkCurrency(checked),
    ...checkLiability(checked),
  ]
}

function* checkUse(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  if (unread(checked, ['offers'])) return
  const names = Object.keys(campaign.offers ?? {})
  const used = new Set<string>()
  for (const { offer, path } of givenOffers(campaign)) {
    used.add(offer)
    if (!names.includes(offer)) yield unknownName(document, path, { what: 'offer', name: offer, names })
  }
  // A step that is still to be written, or whose offer could not be read or is misspelt, may be the one that gives it.
  if (lacksSteps(checked)) return
  if (anyUnread(checked, ['tiers']) || anyUnread(checked, ['on_return'])) return
  if ([...used].some((offer) => !names.includes(offer))) return
  for (const name of names) {
    if (used.has(name)) continue
    yield finding(document, ['offers', name], `no step gives the offer ${name}`, {
      at: 'key',
      severity: 'warning',
    })
  }
}

/** Every offer a step or one of its variants names, with its place. */
function* givenOffers(campaign: Salvaged<Campaign>): Generator<{ offer: string; path: Path }> {
  for (const { step, path } of stepsOf(campaign)) {
    if (step.offer !== undefined) yield { offer: step.offer, path: [...path, 'offer'] }
    for (const [name, variant] of Object.entries(step.variants ?? {})) {
      if (variant?.offer === undefined) continue
      yield { offer: variant.offer, path: [...path, 'variants', name, 'offer'] }
    }
  }
}

/** Codes of an offer that is credited to the account, and such as are given and never read. */
function* checkCodes(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  for (const [name, offer] of Object.entries(campaign.offers ?? {})) {
    const at = ['offers', name]
    if (offer?.deliver === 'account' && valueAt(document.value, [...at, 'codes']) !== undefined) {
      const message = `${name} is credited to the account, and has no codes; say \`deliver: code\`, or take this out`
      yield finding(document, [...at, 'codes'], message, { at: 'key' })
    }
    if (offer?.deliver !== 'code' || !isNeverPrinted(checked, name)) continue
    const message = `no message that gives ${name} prints its code: whoever gets it could not use it; write {{offer.code}} where they read it`
    yield finding(document, [...at, 'deliver'], message, { severity: 'warning' })
  }
}

/** Whether an offer is given by messages, and none of them has its code. An app asks for the code beside its message. */
function isNeverPrinted(checked: Checked, offer: string): boolean {
  // What could not be read, or is not there, may be what prints it.
  if (anyUnread(checked, ['tiers']) || anyUnread(checked, ['on_return'])) return false
  const { campaign, channels, templates } = checked
  const known = templates.names()
  const given = [...stepsOf(campaign)].filter(({ step }) =>
    [step, ...Object.values(step.variants ?? {})].some((saying) => saying?.offer === offer),
  )
  const prints = (name: string) => templates.variables(name).some(({ path }) => path === 'offer.code')
  let read = false
  for (const { step } of given) {
    const names = namesOf(step, known)
    const texts = [...names, ...names.flatMap((name) => ownTexts(name, step.channel ?? []))]
    if (names.length === 0 || names.some((name) => !known.includes(name))) return false
    if (step.channel?.includes('inapp') || texts.some((name) => known.includes(name) && prints(name)))
      return false
    read ||= (step.channel ?? []).some((name) => name !== undefined && channels.get(name)?.renders)
  }
  return read
}

/** A benefit without a name, or a price, plan or refund that costs nothing: the message would promise a blank. */
function* checkBenefits({ campaign, document }: Checked): Generator<Problem> {
  for (const [name, offer] of Object.entries(campaign.offers ?? {})) {
    if (offer?.kind !== 'benefit') continue
    if (offer.name !== undefined && offer.name.trim() === '') {
      yield finding(
        document,
        ['offers', name, 'name'],
        'the message would call the benefit nothing; name it',
        {
          expected: 'what the message calls it, such as `Double points`',
        },
      )
    }
    const { form, value } = offer
    if (form === undefined || form === 'gift' || value?.micros !== 0) continue
    yield finding(
      document,
      ['offers', name, 'value'],
      `a ${form} has to say what one redemption costs you: budgets and reports count it as nothing`,
      { expected: `an amount above 0, such as 5 ${value.currency}` },
    )
  }
}

type LenientOffer = NonNullable<Salvaged<Campaign>['offers']>[string]

/** Micros one redemption costs; undefined where the offer says no value. */
function faceValue(offer: LenientOffer): number | undefined {
  if (!offer) return undefined
  return ('amount' in offer ? offer.amount : 'value' in offer ? offer.value : undefined)?.micros
}

function* amountsOf(campaign: Salvaged<Campaign>): Generator<{ path: Path; amount: Amount }> {
  const named = (path: Path, amount: Amount | undefined) => (amount ? [{ path, amount }] : [])
  for (const [name, offer] of Object.entries(campaign.offers ?? {})) {
    if (!offer) continue
    if ('amount' in offer) yield* named(['offers', name, 'amount'], offer.amount)
    if ('minimum' in offer) yield* named(['offers', name, 'minimum'], offer.minimum)
    if ('value' in offer) yield* named(['offers', name, 'value'], offer.value)
  }
  yield* named(['value', 'recall'], campaign.value?.recall)
  yield* named(['value', 'acquisition'], campaign.value?.acquisition)
  yield* named(['limits', 'budget', 'spend'], campaign.limits?.budget?.spend?.amount)
  yield* named(['limits', 'budget', 'liability'], campaign.limits?.budget?.liability)
}

function* checkCurrency({ campaign, document, workspace, doubtful }: Checked): Generator<Problem> {
  if (workspace.currency === undefined || doubtful(['currency']) || !isCurrency(workspace.currency)) return
  for (const { path, amount } of amountsOf(campaign)) {
    if (amount.currency === workspace.currency) continue
    yield finding(
      document,
      path,
      `the workspace counts in ${workspace.currency}, and nothing converts ${amount.currency}`,
      {
        expected: workspace.currency,
      },
    )
  }
}

/**
 * `3.000 EUR`, and a stock of `2.000`: as much of the world writes thousands, and three and two as read here. Nobody writes a
 * last decimal of nought but so.
 */
function* checkThousands({ campaign, document }: Checked): Generator<Problem> {
  const stocks = Object.keys(campaign.offers ?? {}).map((name) => ['offers', name, 'stock'])
  const lines = document.text.split('\n')
  for (const path of [...stocks, ...[...amountsOf(campaign)].map((each) => each.path)]) {
    // A number has lost its noughts once it is read.
    const { line = 1, column = 1 } = document.locate(path)
    const written = lines[line - 1]?.slice(column - 1) ?? ''
    const [found, whole, digits, unit = ''] =
      /^["']?([1-9]\d{0,2})\.(\d\d0)(?![\d.])( [A-Z]{3}(?: per day)?)?/.exec(written) ?? []
    if (found === undefined) continue
    const meant = [`${whole}${digits}${unit}`, `${Number(`${whole}.${digits}`)}${unit}`]
    const message = `a point stands before decimals; write ${meant.join(', or ')}`
    yield finding(document, path, message, { found: found.replace(/^["']/, '') })
  }
}

function* checkLiability(checked: Checked): Generator<Problem> {
  const { campaign, document } = checked
  const budget = campaign.limits?.budget?.liability
  if (!budget) return
  const given = [...givenOffers(campaign)]
  const used = new Set(given.map(({ offer }) => offer))
  // A return gives a thing once an episode, to fewer than were sent to; the budget, which is asked each time, is enough.
  const sent = new Set(given.filter(({ path }) => path[0] !== 'on_return').map(({ offer }) => offer))
  const parts: string[] = []
  let total = 0
  for (const [name, offer] of Object.entries(campaign.offers ?? {})) {
    const face = faceValue(offer)
    if (!offer || !face || !used.has(name) || offer.expected_redemption === undefined) continue
    if (offer.stock === undefined) {
      if (unread(checked, ['offers', name, 'stock'])) continue
      yield finding(
        document,
        ['offers', name],
        sent.has(name)
          ? `without a stock ${name} could exceed the liability of ${formatAmount(budget)}; add \`stock\``
          : `only the liability of ${formatAmount(budget)} limits ${name}: who returns when it is used up gets none; a \`stock\` says how many there are`,
        { at: 'key', ...(sent.has(name) ? {} : { severity: 'warning' as const }) },
      )
      continue
    }
    const redemption = offer.expected_redemption
    total += offer.stock * face * redemption
    parts.push(
      `${name} ${offer.stock} × ${formatAmount({ micros: face, currency: budget.currency })} × ${Math.round(redemption * 1e4) / 100}%`,
    )
  }
  if (total <= budget.micros) return
  const reached = formatAmount({ micros: Math.round(total), currency: budget.currency })
  yield finding(
    document,
    ['limits', 'budget', 'liability'],
    `the offers could come to ${reached} (${parts.join(' + ')}), more than the liability of ${formatAmount(budget)}; lower a stock, or allow ${reached}`,
    { expected: `at least ${reached}` },
  )
}
