import { channels } from '../../channels/channels.ts'
import type { Problem } from '../../errors.ts'
import { cronMeant, cronTrouble } from '../cron.ts'
import { type Path, type SourceDocument, valueAt } from '../documents/document.ts'
import type { Salvaged } from '../documents/salvaged.ts'
import { EVENTS } from '../event-names.ts'
import { BUILT_IN_ATTRIBUTES } from '../facts.ts'
import { nearest } from '../nearest-name.ts'
import { formatRate } from '../quantities.ts'
import { silencedByOf } from '../silenced-by.ts'
import { LONGEST_TYPED } from '../typed-text.ts'
import type { Workspace } from '../workspace.ts'
import { isAmbiguousZone, isZone, zoneMeant } from '../zones.ts'
import { type Checked, finding, unknownName } from './findings.ts'
import { checkSync } from './sync.ts'
import { isDoubtful, unread } from './unread.ts'

/** When a campaign runs, what counts as its success, and shares that add up. */
export function checkSettings(checked: Checked): Problem[] {
  const { campaign, document } = checked
  return [
    ...checkTitle(document, 'title', campaign.title),
    ...checkTimes(checked),
    ...checkGoals(checked),
    ...checkShares(checked),
    ...checkTopic(checked),
  ]
}

/** What stands at the head of every report, and of messages; no version that was applied is lost for it. */
function* checkTitle(document: SourceDocument, key: string, title: string | undefined): Generator<Problem> {
  if (title === undefined || [...title].length <= LONGEST_TYPED.line) return
  yield finding(
    document,
    [key],
    `this has ${[...title].length} characters, and ${LONGEST_TYPED.line} is the most; say it in a few words`,
  )
}

function* checkTimes({ campaign, document }: Checked): Generator<Problem> {
  if (campaign.timezone !== undefined) yield* checkZone(document, campaign.timezone)
  if (campaign.schedule !== undefined) {
    const trouble = cronTrouble(campaign.schedule)
    if (trouble)
      yield finding(document, ['schedule'], `expected cron in five fields such as "0 9 * * *", ${trouble}`, {
        suggestion: cronMeant(campaign.schedule),
      })
  }
  if (campaign.starts !== undefined && campaign.ends !== undefined && campaign.starts > campaign.ends) {
    yield finding(document, ['ends'], `the campaign would end before it starts (${campaign.starts})`)
  }
}

function* checkGoals(checked: Checked): Generator<Problem> {
  const { campaign, document, workspace, doubtful } = checked
  if (doubtful(['activity'])) return
  if (unread(checked, ['silenced_by']) || unread(checked, ['tiers', 0, 'enter'])) return
  // Where the goal alone ends the sending it need not count as being active: a renewal is no visit.
  const any = silencedByOf(campaign) === 'goal'
  const activity = (workspace.activity ?? []).filter((name) => name !== undefined)
  const known = [...activity, ...(any ? Object.keys(EVENTS) : [])]
  for (const [name, goal] of Object.entries(campaign.goals ?? {})) {
    if (goal?.event === undefined || known.includes(goal.event)) continue
    if (any) {
      // Events of any name may come in, so only what looks like a slip is told.
      const suggestion = nearest(goal.event, known)
      if (suggestion === undefined) continue
      yield finding(
        document,
        ['goals', name, 'event'],
        `no event \`${goal.event}\` is known here; it will be waited for`,
        { severity: 'warning', found: goal.event, suggestion },
      )
      continue
    }
    yield unknownName(document, ['goals', name, 'event'], {
      what: 'activity',
      name: goal.event,
      names: activity,
      expected:
        'one of `activity` in winback.yaml: a recall is activity (with `silenced_by: goal`, any event)',
    })
  }
}

/** A topic nobody could refuse would look like one that can be. */
function* checkTopic(checked: Checked): Generator<Problem> {
  const { campaign, document, workspace } = checked
  const topics = Object.keys(workspace.topics ?? {})
  if (campaign.topic === undefined || topics.includes(campaign.topic)) return
  if (isDoubtful(checked, 'topics', campaign.topic)) return
  yield unknownName(document, ['topic'], {
    what: 'topic',
    name: campaign.topic,
    names: topics,
    expected: 'one of `topics` in winback.yaml',
  })
}

function* checkShares({ campaign, document, workspace, doubtful }: Checked): Generator<Problem> {
  if (campaign.rollout === 0) {
    const message = 'at 0% nobody is taken in: use a share to begin with, such as 10%, and raise it'
    yield finding(document, ['rollout'], message, { severity: 'warning' })
  }
  for (const [no, tier] of (campaign.tiers ?? []).entries()) {
    if (tier?.holdout !== 1) continue
    const message = `everybody who enters ${tier.name ?? 'this tier'} is held out, so nobody will ever get its messages; use less, such as 20%`
    yield finding(document, ['tiers', no, 'holdout'], message, { severity: 'warning' })
  }
  // The campaign holds out of those who are not in the control group: the two shares never come to everybody together.
  if (campaign.holdout === 1) {
    const message =
      'everybody is held out, so nobody will ever get a message; use less than 100%, such as 20%'
    yield finding(document, ['holdout'], message, { severity: 'warning' })
  } else if (workspace.control === 1 && !doubtful(['control'])) {
    const message =
      'everybody is in the control group (winback.yaml), so nobody will ever get a message; use less, such as 5%'
    yield finding(document, ['holdout'], message, { severity: 'warning' })
  }
}

function* checkZone(document: SourceDocument, zone: string, path: Path = ['timezone']): Generator<Problem> {
  if (isAmbiguousZone(zone)) {
    yield finding(
      document,
      path,
      `\`${zone}\` is an abbreviation that more than one zone has; write an IANA time zone such as Asia/Shanghai`,
      { expected: 'an IANA time zone such as Asia/Shanghai' },
    )
    return
  }
  if (isZone(zone)) return
  const why = /^(?:UTC|GMT)? ?[+-]\d/.test(zone) ? ': an offset has no summer time, so name a place' : ''
  yield finding(document, path, `\`${zone}\` is not an IANA time zone such as Asia/Shanghai${why}`, {
    suggestion: why === '' ? zoneMeant(zone) : undefined,
  })
}

/** What currencies are called, and not written. */
const SPOKEN: Readonly<Record<string, string>> = { RMB: 'CNY', CNH: 'CNY', NTD: 'TWD' }

/** Whether amounts can be counted in it: a code of ISO 4217. */
export function isCurrency(code: string): boolean {
  return Intl.supportedValuesOf('currency').includes(code)
}

/** What the schema cannot say of winback.yaml. */
export function* checkWorkspace(
  document: SourceDocument,
  workspace: Salvaged<Workspace>,
): Generator<Problem> {
  yield* checkTitle(document, 'name', workspace.name)
  if (workspace.timezone !== undefined) yield* checkZone(document, workspace.timezone)
  if (workspace.currency !== undefined && !isCurrency(workspace.currency)) {
    const { currency } = workspace
    yield finding(document, ['currency'], `\`${currency}\` is not an ISO 4217 currency such as CNY`, {
      suggestion: SPOKEN[currency] ?? nearest(currency, Intl.supportedValuesOf('currency')),
    })
  }
  for (const name of Object.keys(workspace.attributes ?? {})) {
    if (!BUILT_IN_ATTRIBUTES.includes(name)) continue
    yield finding(
      document,
      ['attributes', name],
      `contact.${name} is there without being declared; choose another name`,
      { at: 'key' },
    )
  }
  yield* checkRates(document, workspace)
  yield* checkNotYet(document, workspace)
  yield* checkConsent(document, workspace)
  yield* checkSync(document, workspace)
  for (const [name, sync] of Object.entries(workspace.sync ?? {})) {
    if (sync?.timezone !== undefined) yield* checkZone(document, sync.timezone, ['sync', name, 'timezone'])
  }
  yield* checkDigest(document, workspace)
  const seen = new Set<string>()
  for (const [no, locale] of (workspace.locales ?? []).entries()) {
    if (locale === undefined) continue
    if (!isLocale(locale)) {
      yield finding(document, ['locales', no], `\`${locale}\` is not a language tag such as en or zh-CN`, {
        suggestion: localeMeant(locale),
      })
    } else if (seen.has(locale)) yield finding(document, ['locales', no], `${locale} is there twice`)
    seen.add(locale)
  }
}

/** Monday's page has its words in two languages; numbers and dates follow the rest of the tag. */
function* checkDigest(document: SourceDocument, { digest }: Salvaged<Workspace>): Generator<Problem> {
  const locale = digest?.locale
  if (locale === undefined || (isLocale(locale) && /^(en|zh)(-|$)/i.test(locale))) return
  yield finding(document, ['digest', 'locale'], `there are English and Chinese, found \`${locale}\``, {
    expected: 'en or zh-CN, or a variant such as en-GB',
    suggestion: nearest(localeMeant(locale) ?? locale, ['en', 'zh-CN']),
  })
}

/** A rate of a channel nobody has limits nothing, and looks as if it did. */
function* checkRates(document: SourceDocument, workspace: Salvaged<Workspace>): Generator<Problem> {
  const channels = blocksOf(document, workspace)
  for (const [name, limits] of Object.entries(workspace.rates ?? {})) {
    const { at_most: most, warm_up: warmUp } = limits ?? {}
    if (most?.count === 0) {
      const message = `at ${formatRate(most)} nothing ever goes by ${name}; allow some, or take it out`
      yield finding(document, ['rates', name, 'at_most'], message, { severity: 'warning' })
    }
    if (warmUp?.from !== undefined && warmUp.to !== undefined && warmUp.from > warmUp.to) {
      const message = `the first day has ${warmUp.from} messages and the last ${warmUp.to}: a warm-up grows; set \`to\` higher`
      yield finding(document, ['rates', name, 'warm_up'], message, { at: 'key' })
    }
    if (channels.includes(name)) continue
    yield unknownName(document, ['rates', name], {
      what: 'channel',
      name,
      names: channels,
      at: 'key',
      expected: 'one of `channels` in winback.yaml',
    })
  }
}

/** Consent that a channel nobody has would need is asked of nobody, and looks as if it were. */
function* checkConsent(document: SourceDocument, workspace: Salvaged<Workspace>): Generator<Problem> {
  const names = knownChannels(document, workspace)
  for (const name of Object.keys(workspace.consent ?? {})) {
    if (!names.includes(name)) {
      yield unknownName(document, ['consent', name], { what: 'channel', name, names, at: 'key' })
    }
  }
}

/** What is awaited is a channel there is, and no longer awaited once it has come. */
function* checkNotYet(document: SourceDocument, workspace: Salvaged<Workspace>): Generator<Problem> {
  const setUp = blocksOf(document, workspace)
  const names = knownChannels(document, workspace)
  for (const [no, name] of (workspace.not_yet ?? []).entries()) {
    if (name === undefined) continue
    if (!names.includes(name)) yield unknownName(document, ['not_yet', no], { what: 'channel', name, names })
    else if (setUp.includes(name)) {
      yield finding(document, ['not_yet', no], `channel ${name} is set up; take it out of \`not_yet\``, {
        severity: 'warning',
      })
    }
  }
}

/**
 * The channels that have a block: those that bring their channel along, too, and those that are wrong in themselves,
 * which is told where they stand.
 */
function blocksOf(document: SourceDocument, workspace: Salvaged<Workspace>): string[] {
  const written = valueAt(document.value, ['channels'])
  return Object.keys({ ...workspace.channels, ...(typeof written === 'object' ? written : {}) })
}

/** Those, and the others that come with Winback. */
function knownChannels(document: SourceDocument, workspace: Salvaged<Workspace>): string[] {
  return [...new Set([...Object.keys(channels), ...blocksOf(document, workspace)])]
}

function isNamed(type: 'language' | 'region', code: string): boolean {
  return new Intl.DisplayNames('en', { type, fallback: 'none' }).of(code) !== undefined
}

/** Whether it is the tag of a language there is: those of two letters are all known, and none has more than three. */
function isLocale(text: string): boolean {
  try {
    const { language } = new Intl.Locale(text)
    return language.length === 3 || (language.length === 2 && isNamed('language', language))
  } catch {
    return false
  }
}

/** The tag that was meant by `zh_CN`, by the English name of a language, or by a country: `zh-CN` by `cn`. */
function localeMeant(text: string): string | undefined {
  const dashed = text.replaceAll('_', '-')
  if (isLocale(dashed)) return dashed
  if (/^(english|chinese)$/i.test(text)) return /^e/i.test(text) ? 'en' : 'zh-CN'
  const region = text.toUpperCase()
  if (!/^[A-Z]{2}$/.test(region) || !isNamed('region', region)) return undefined
  return `${new Intl.Locale(`und-${region}`).maximize().language}-${region}`
}
