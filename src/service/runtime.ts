import { setMaxListeners } from 'node:events'
import type { RunDependencies } from '../audience/run.ts'
import type { AddressKind, Channel } from '../channels/channel.ts'
import { openChannels, registerChannels } from '../channels/channels.ts'
import { unsubscribeUrl } from '../channels/email/links.ts'
import { countriesOf } from '../channels/sms/phone.ts'
import { parseTemplates, type TemplateSet } from '../channels/templates.ts'
import type { Clock } from '../clock.ts'
import { openCampaignBook, remembering } from '../config/book.ts'
import { openCalendar } from '../config/calendar.ts'
import type { CampaignBook } from '../config/compiled.ts'
import { openRates, type Rates } from '../config/rates.ts'
import { readTemplates } from '../config/versions.ts'
import type { Workspace } from '../config/workspace.ts'
import {
  addressHash,
  listedKeys,
  normaliseEmail,
  normalisePhone,
  spellings,
  wholeNumber,
} from '../contacts/addresses.ts'
import { forgetDevices } from '../contacts/devices.ts'
import type { Hooks } from '../contacts/hooks.ts'
import type { Database } from '../database/connect.ts'
import { readInstallation } from '../database/installation.ts'
import { settingsOf } from '../database/migrate.ts'
import { type OfferProvider, openOfferProvider } from '../offers/provider.ts'
import { type RedemptionAnswer, redeemActivity } from '../offers/redemptions.ts'
import { type OpeningCall, openCalls } from '../outcomes/calls.ts'
import { type Arriving, keepMessages } from '../outcomes/inbox.ts'
import { markLate } from '../outcomes/late.ts'
import { listRefused } from '../outcomes/refused-addresses.ts'
import type { ReportingChannel } from '../outcomes/reporting.ts'
import { recordReturns } from '../outcomes/returns.ts'
import { recordErasure, recordMerges, recordRefusals, recordSuppressions } from '../outcomes/silence.ts'
import type { WorkerDependencies } from '../touchpoints/batch.ts'
import type { Leases } from '../touchpoints/lifecycle.ts'
import { atMost } from '../touchpoints/queue/farewell.ts'
import type { Reached } from '../touchpoints/sending/absences.ts'
import type { Keep } from '../touchpoints/sending/rolling.ts'
import { createSlots } from '../touchpoints/sending/slots.ts'
import { createStandstill } from '../touchpoints/sending/standstill.ts'
import { LAST_WORD } from '../touchpoints/sending/under-way.ts'
import type { Sender } from '../touchpoints/view.ts'
import { heedLeaving } from './leaving.ts'
import { type Links, openLinks, preferencesUrl } from './links.ts'

// Where the stages are put together: each is given what it needs, here and nowhere else. `start`, `worker`, a replay,
// the demo and the tests differ in the clock and the channels they put in, and in nothing beyond.

export interface Runtime {
  readonly database: Database
  readonly clock: Clock
  readonly workspace: Workspace
  readonly book: CampaignBook
  readonly run: RunDependencies
  /** How fast each channel may send. */
  readonly rates: Rates
  readonly worker: WorkerDependencies
  /** What importing and ingesting set off, in their own transactions. */
  readonly hooks: Hooks
  /** Channels whose provider recognises a repeat. */
  readonly idempotent: readonly string[]
  /** What contacts with the address are stored and compared by: a number's key in each spelling; none of what is no address. */
  addressKeys(kind: 'email' | 'phone', text: string): readonly Buffer[]
  /** Every way in which a number may be written, whatever its country. */
  spellingsOf(phone: string): readonly string[]
  /** What recording its receipts has to know of a channel. */
  reporting(channel: string): ReportingChannel
  /** The process is ending, and waits for no provider any longer: what is under way ends with what is known of it. */
  leave(): void
  /** Closes the channels; the database is its opener's. */
  close(): Promise<void>
}

/**
 * Puts a runtime together over a migrated database.
 * @param options.channels open channels instead of the workspace's own: a replay's, a test's
 * @param options.nobodysLinks messages lead to nobody, by these: a replay's
 * @param options.offerProvider instead of the workspace's own, where it has one: a replay's
 * @param options.leases how long a hold on a touchpoint lasts; the default suits channels that answer within a minute
 */
export async function openRuntime(options: {
  database: Database
  workspace: Workspace
  clock: Clock
  channels?: ReadonlyMap<string, Channel>
  offerProvider?: OfferProvider
  /** Links of messages that are nobody's: those of a replay, which has the ids of real people. */
  nobodysLinks?: Links | undefined
  leases?: Leases | undefined
  /** Hears of redemptions told by events that were refused, by reason: nobody else answers for them. */
  onRefused?: ((reasons: Readonly<Record<string, number>>) => void) | undefined
  /** Hears of a channel that is left alone for so many milliseconds: its provider says nothing. */
  onRest?: ((channel: string, milliseconds: number) => void) | undefined
  /** Hears of a provider that cannot be reached, at each try in vain, and of one that is reached again. */
  onReach?: ((news: Reached) => void) | undefined
}): Promise<Runtime> {
  const { database, workspace, clock } = options
  const settings = await settingsOf(database)
  const installation = await readInstallation(database)
  const links = await openLinks(database, workspace)
  const registry = registerChannels(workspace)
  const channels = options.channels ?? openChannels(registry, links ? { links } : {})
  const book = openCampaignBook(database.aside, workspace, (files, { locales }) =>
    parseTemplates(files, { locales }),
  )
  const left = new AbortController()
  // One listener for each batch under way.
  setMaxListeners(0, left.signal)
  const { provider } = workspace.offers
  const offerProvider = provider && (options.offerProvider ?? openOfferProvider(provider))
  const addressKinds = new Map([...registry.values()].map((channel) => [channel.name, channel.address]))
  const channelsOf = (kind: AddressKind) =>
    [...addressKinds].flatMap(([name, address]) => (address === kind ? [name] : []))
  const silenced = { email: channelsOf('email'), phone: channelsOf('phone') }
  const countries = countriesOf(workspace)
  const addressKeys = (kind: 'email' | 'phone', text: string): readonly Buffer[] => {
    const address = kind === 'email' ? normaliseEmail(text) : normalisePhone(text)
    return address === undefined ? [] : listedKeys(settings.addressKey, kind, address, countries)
  }
  const phoneKeys = (phone: string) => addressKeys('phone', phone)
  const reporting = (channel: string): ReportingChannel => ({
    name: channel,
    kind: addressKinds.get(channel) ?? 'none',
    channelsOf: silenced,
    phoneKeys,
  })
  const hooks = hooksOf({ book, workspace, silenced, onRefused: options.onRefused })
  return {
    database,
    clock,
    workspace,
    book,
    rates: openRates(workspace.timezone, workspace.rates),
    run: { database, book, clock, workspaceSalt: settings.workspaceSalt },
    worker: {
      database,
      clock,
      book,
      sender: senderOf(workspace, links, options.nobodysLinks),
      ...(links ? { renewLinks: () => links.renew() } : {}),
      channels,
      installation,
      needsConsent: new Set(
        Object.entries(workspace.consent).flatMap(([name, need]) => (need === 'required' ? [name] : [])),
      ),
      calendar: openCalendar(workspace),
      offerProvider,
      left: left.signal,
      addressKinds,
      addressKey: (channel, contact) => {
        const kind = addressKinds.get(channel)
        if (kind !== 'email' && kind !== 'phone') return null
        const address = contact[kind]
        if (address === null) return null
        // By then somebody else may have the number, and write it differently.
        const whole = kind === 'phone' ? wholeNumber(address, countries) : address
        return addressHash(settings.addressKey, kind, whole)
      },
      forgetDevices: (dead) => forgetDevices(database, dead),
      heedRefusals: (channel, refused) => listRefused(database, clock.now(), reporting(channel), refused),
      heedLeaving: (channel, leaving) => heedLeaving({ database, clock, hooks }, reporting(channel), leaving),
      keep,
      templates: templateLoader(database),
      slots: new Map(
        [...channels].map(([channel, { concurrency }]) => {
          const standstill = createStandstill(concurrency, (rest) => options.onRest?.(channel, rest))
          return [channel, createSlots(concurrency, standstill)]
        }),
      ),
      onReach: options.onReach,
      leases: options.leases,
    },
    hooks,
    idempotent: [...registry.values()].flatMap(({ name, idempotent }) => (idempotent ? [name] : [])),
    addressKeys,
    spellingsOf: (phone) => spellings(phone, countries),
    reporting,
    leave: () => {
      left.abort()
      offerProvider?.leave?.()
      for (const channel of channels.values()) channel.leave?.()
    },
    close: async () => {
      offerProvider?.leave?.()
      const closed = Promise.all([...channels.values()].map((channel) => channel.close()))
      await (left.signal.aborted ? atMost(LAST_WORD, closed) : closed)
    },
  }
}

/** Who writes, and the links their messages carry where there is a web side to answer them. */
function senderOf(
  { name, timezone, currency }: Workspace,
  own: Links | undefined,
  nobodys: Links | undefined,
): Sender {
  const sender = { name, timezone, currency }
  const links = nobodys ?? own
  if (!links) return sender
  return {
    ...sender,
    linksOf: (owned) => {
      const message = nobodys ? NOBODYS : owned
      return {
        unsubscribe: unsubscribeUrl(links, message),
        preferences: preferencesUrl(links, message.contactId),
      }
    },
  }
}

/** No contact has such an id. */
const NOBODYS = { contactId: 0, touchpointId: 0 }

/** What importing and ingesting set off, in the order it has to happen. */
function hooksOf(given: {
  readonly book: CampaignBook
  readonly workspace: Workspace
  /** The channels that deliver to an address, by what it is. */
  readonly silenced: ReportingChannel['channelsOf']
  readonly onRefused: ((reasons: Readonly<Record<string, number>>) => void) | undefined
}): Hooks {
  const { book, workspace, silenced, onRefused } = given
  const { redemption } = workspace.offers
  return {
    onActivity: async (tx, now) => {
      await recordReturns(tx, now, { book, activityTypes: workspace.activity })
      await markLate(tx, { book, counted: [...workspace.activity, workspace.orders.event] })
      // Last: what it books is folded into a budget by whoever decides next.
      if (!redemption) return
      const answers = await redeemActivity(tx, now, { type: redemption.event, code: redemption.code })
      const refused = countRefused(answers)
      if (Object.keys(refused).length > 0) onRefused?.(refused)
    },
    onSuppressed: (tx, now) => recordSuppressions(tx, now, silenced),
    onErased: (tx, now) => recordErasure(tx, now),
    onRefused: (tx, now) => recordRefusals(tx, now),
    onMerged: (tx, now) => recordMerges(tx, now),
  }
}

/** Refused redemptions by reason. Pure. */
function countRefused(answers: readonly RedemptionAnswer[]): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const answer of answers) {
    if (answer.outcome === 'refused') counted[answer.reason] = (counted[answer.reason] ?? 0) + 1
  }
  return counted
}

/** Template sets that are held ready, of one or two megabytes each: those of the versions under way. */
const TEMPLATE_SETS = 60

/** Loads template sets from the database, each once: what was applied is what is rendered, in the languages it came in. */
function templateLoader(database: Database): WorkerDependencies['templates'] {
  const load = remembering(
    async (hash: string, ...locales: string[]): Promise<TemplateSet> =>
      parseTemplates(await readTemplates(database, hash), { locales }),
    TEMPLATE_SETS,
  )
  return ({ templateSet, locales }) => load(templateSet, ...locales)
}

/** Writes what Winback itself is the provider of, beside the settlement of its send. */
const keep: Keep = async (tx, now, { campaign, step }, keepsakes) => {
  const { stepId } = step
  const { name, definition } = campaign
  const arriving = keepsakes.flatMap(({ keep: message, ...key }): Arriving[] =>
    message.kind === 'inapp' ? [{ ...key, stepId, message }] : [],
  )
  await keepMessages(tx, now, arriving)
  const opening = keepsakes.flatMap(({ keep: task, ...key }): OpeningCall[] =>
    task.kind === 'call' ? [{ ...key, task }] : [],
  )
  const kind = step.onReturn ? 'welcome' : 'recall'
  const terms = {
    owner: definition.owner ?? null,
    priority: definition.priority,
    sla: step.call?.sla ?? 86_400,
  }
  await openCalls(tx, now, { stepId, campaign: name, kind, ...terms }, opening)
}
