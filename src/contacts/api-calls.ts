import { randomUUID } from 'node:crypto'
import { toldAt } from '../clock.ts'
import { EVENTS, type EventDescription, eventNamer, valuePropertiesOf } from '../config/event-names.ts'
import { foreignCurrency } from './activity.ts'
import { type Attributes, type ContactReader, type ContactRow, contactReader } from './contact-rows.ts'
import { appProviderOf, appTokenOf, type DeviceRow } from './devices.ts'
import { stepProblem } from './external-ids.ts'
import type { Getter } from './files/mapping.ts'
import { microsOf } from './values/amounts.ts'
import { dateReader } from './values/dates.ts'
import { isObject } from './values/json.ts'
import { standsForNothing } from './values/nothing.ts'
import { jsonText, unstorable } from './values/text.ts'

// One call of the events API, in the shape of Segment's: read, checked and named as ours, or refused with the reason.
// Nothing that this lets through can fail in the database.

export const API_CALLS = ['identify', 'track', 'page', 'screen', 'group', 'alias'] as const
export type CallType = (typeof API_CALLS)[number]

/** What a call says. */
export interface ApiCall {
  /** The sender's, or a random one. */
  readonly messageId: string
  readonly externalId: string | null
  readonly anonymousId: string | null
  /** Epoch milliseconds. */
  readonly at: number
  /** What the contact did; absent for identify and alias. */
  readonly event?: {
    readonly type: string
    /** Integer micros. */
    readonly value: number | null
    /** JSON text. */
    readonly properties: string | null
  }
  /** What we are told of the contact. */
  readonly contact?: ContactRow
  /** The app that identify came from, where pushes reach it. */
  readonly device?: DeviceRow
  /** The id the contact had before: a visitor's, or another external id. */
  readonly previousId?: string
}

export interface CallRules {
  readonly attributes: Attributes
  readonly currency: string
  readonly events: { readonly names: Readonly<Record<string, string>> }
  readonly channels?: { readonly push?: Parameters<typeof appProviderOf>[0] }
}

/** Bytes of one call as JSON, as Segment limits them. */
const CALL_LIMIT = 32 * 1024
/** A year's history makes twelve partitions: nothing goes back further than a generation. */
const EARLIEST = Date.UTC(2000, 0, 1)

export type CallReader = (raw: unknown, type: string | undefined) => ApiCall | string

/**
 * Reads the calls of one request.
 * @param sentAt what the request says of when it was sent. Where that lies in the future, the sender's clock is ahead,
 *   and every time of the request is set back by as much. A clock that is behind cannot be told from a late request.
 */
export function callReader(rules: CallRules, now: Date, sentAt: unknown): CallReader {
  const date = dateReader({ alone: true })
  const latest = now.getTime()
  const sent = sentAt === undefined || sentAt === null ? latest : date(sentAt)
  const ahead = typeof sent === 'number' ? Math.max(0, sent - latest) : 0
  const nameOf = eventNamer(rules.events.names)
  const readContact = traitsReader(rules.attributes, date, latest)
  const provider = appProviderOf(rules.channels?.push)

  const timeOf = (raw: Record<string, unknown>): number | string => {
    const given = raw.timestamp ?? raw.originalTimestamp
    if (given === undefined || given === null) return latest
    const said = date(given)
    if (typeof said === 'string') return `timestamp: ${said}`
    const at = toldAt(said - ahead, latest)
    if (at > latest) return `timestamp: ${new Date(said).toISOString()} lies in the future`
    return at < EARLIEST ? 'timestamp: before the year 2000' : at
  }

  return (raw, given) => {
    if (!isObject(raw)) return 'expected a JSON object'
    const whole = jsonText('the event', raw)
    if (typeof whole === 'string') return whole
    if (Buffer.byteLength(whole.text) > CALL_LIMIT) return 'the event is larger than 32 KB'
    const type = given ?? raw.type
    if (typeof type !== 'string' || !isCallType(type)) {
      return `type: expected one of ${API_CALLS.join(', ')}, found ${JSON.stringify(type)?.slice(0, 50)}`
    }
    const externalId = whoseOf('userId', raw.userId)
    if (typeof externalId === 'object' && externalId !== null) return externalId.problem
    const step = externalId === null ? undefined : stepProblem('userId', externalId)
    if (step !== undefined) return step
    const anonymousId = whoseOf('anonymousId', raw.anonymousId)
    if (typeof anonymousId === 'object' && anonymousId !== null) return anonymousId.problem
    if (externalId === null && anonymousId === null) {
      const said = idOf('userId', raw.userId)
      return `there is neither a userId nor an anonymousId${said === null ? '' : `: "${said}" is nobody’s`}`
    }
    // As an id, a word for nothing would make one event of all that have none.
    const messageId = (standsForNothing(raw.messageId) ? undefined : raw.messageId) ?? randomUUID()
    if (typeof messageId !== 'string' || messageId === '' || messageId.length > 500) {
      return 'messageId: expected text of 1 to 500 characters'
    }
    const at = timeOf(raw)
    if (typeof at === 'string') return at
    const call = { messageId, externalId, anonymousId, at }
    switch (type) {
      case 'identify': {
        const traits = raw.traits ?? {}
        if (!isObject(traits)) return 'traits: expected a JSON object'
        if (externalId === null) return call
        const context = isObject(raw.context) ? raw.context : {}
        const contact = readContact({ externalId, traits, context }, () => {})
        if (typeof contact === 'string') return `traits: ${contact}`
        const token = appTokenOf(context)
        if (provider === undefined || token === undefined) return { ...call, contact }
        return { ...call, contact, device: { externalId, provider, token, keys: null } }
      }
      case 'alias': {
        const previousId = whoseOf('previousId', raw.previousId)
        if (previousId === null) return 'there is no previousId'
        if (typeof previousId === 'object') return previousId.problem
        if (externalId === null) return 'there is no userId'
        return { ...call, previousId }
      }
      default: {
        const event = eventOf(type, raw, nameOf, rules.currency)
        return typeof event === 'string' ? event : { ...call, event }
      }
    }
  }
}

function eventOf(
  call: Exclude<CallType, 'identify' | 'alias'>,
  raw: Record<string, unknown>,
  nameOf: (theirs: string) => string,
  currency: string,
): NonNullable<ApiCall['event']> | string {
  let properties = raw[call === 'group' ? 'traits' : 'properties'] ?? {}
  if (!isObject(properties)) return `${call === 'group' ? 'traits' : 'properties'}: expected a JSON object`
  let type: string = call
  if (call === 'track') {
    if (typeof raw.event !== 'string' || raw.event.trim() === '')
      return 'event: expected the name of what was done'
    type = nameOf(raw.event.trim())
  } else if (call === 'group') {
    const groupId = idOf('groupId', raw.groupId)
    if (groupId === null) return 'there is no groupId'
    if (typeof groupId === 'object') return groupId.problem
    properties = { ...properties, group_id: groupId }
  } else {
    type = nameOf(call)
    if (typeof raw.name === 'string') properties = { name: raw.name, ...properties }
  }
  if (type.length > 100) return 'event: longer than 100 characters'
  const value = amountOf(type, properties as Record<string, unknown>, currency)
  if (typeof value === 'string') return value
  const empty = Object.keys(properties as object).length === 0
  return { type, value, properties: empty ? null : JSON.stringify(properties) }
}

/** Integer micros of the workspace's currency. A value of a type for which we read none may be anything. */
function amountOf(
  type: string,
  properties: Record<string, unknown>,
  currency: string,
): number | null | string {
  if (foreignCurrency(properties.currency, currency) !== undefined) return null
  const name = valuePropertiesOf(type).find(
    (each) => properties[each] !== undefined && properties[each] !== null,
  )
  const value = name === undefined ? null : microsOf(properties[name])
  if (typeof value !== 'string') return value
  const events: Readonly<Record<string, EventDescription>> = EVENTS
  const described = Object.hasOwn(events, type) ? events[type] : undefined
  return described?.value === undefined ? null : `properties.${name}: not an amount`
}

/** Traits as a row of a file would bring them; a trait that is not there is left alone. */
function traitsReader(
  attributes: Attributes,
  date: ReturnType<typeof dateReader>,
  latest: number,
): ContactReader {
  const trait = (...names: readonly string[]): Getter => {
    return (values) => {
      const { traits } = values as { traits: Record<string, unknown> }
      const name = names.find((each) => Object.hasOwn(traits, each))
      return name === undefined ? undefined : traits[name]
    }
  }
  const orContext = (name: string): Getter => {
    const own = trait(name)
    return (values) => own(values) ?? (values as { context: Record<string, unknown> }).context[name]
  }
  const getters = new Map<string, Getter>([
    ['external_id', (values) => (values as { externalId: string }).externalId],
    ['email', trait('email')],
    ['phone', trait('phone')],
    ['locale', orContext('locale')],
    ['timezone', orContext('timezone')],
    ['signed_up_at', trait('signed_up_at', 'createdAt', 'created_at')],
    ...Object.keys(attributes).map((name): [string, Getter] => [
      `attributes.${name}`,
      trait(
        name,
        name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
      ),
    ]),
  ])
  return contactReader(getters, { attributes, date, decimal: '.', latest: () => latest })
}

function isCallType(text: string): text is CallType {
  return (API_CALLS as readonly string[]).includes(text)
}

/**
 * Whose a call is, as {@link idOf}; null also where it is what programs write for nobody, and shops for their guests: as an
 * id, all of them would be one contact.
 */
function whoseOf(name: string, value: unknown): ReturnType<typeof idOf> {
  const id = idOf(name, value)
  return id === '0' || standsForNothing(id) ? null : id
}

/** An id as text; null where there is none. */
function idOf(name: string, value: unknown): string | null | { problem: string } {
  if (value === undefined || value === null || value === '') return null
  if (typeof value !== 'string' && typeof value !== 'number') return { problem: `${name}: expected text` }
  const text = String(value).trim()
  if (text === '') return null
  if (text.length > 500) return { problem: `${name}: longer than 500 characters` }
  const problem = unstorable(name, text)
  return problem === undefined ? text : { problem }
}
