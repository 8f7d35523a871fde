import type { ZodType } from 'zod'
import type { SigningKeys } from '../tokens/token.ts'

// The seam every channel implements. A channel is a folder beside this file, one line in channels.ts, and one
// test that runs the conformance suite over it.

/** Integer micros of the workspace's currency: 5 CNY = 5_000_000. */
export type Money = number

/** What a channel may know of a contact. */
export interface ContactView {
  readonly contactId: number
  readonly externalId: string
  readonly email: string | null
  readonly phone: string | null
  /** BCP 47, `zh-CN`; already resolved to one the workspace has. */
  readonly locale: string
  /** IANA name; already resolved to a zone that exists. */
  readonly timezone: string
  /** Newest first. Read only for channels that deliver to devices. */
  readonly devices?: readonly Device[]
}

/** What of a contact a channel delivers to; `none` where it needs no address. */
export type AddressKind = 'email' | 'phone' | 'device' | 'none'

/** Somewhere a push goes. */
export interface Device {
  readonly provider: 'web' | 'fcm' | 'jpush'
  /** The token, the registration id, or the endpoint of a subscription. */
  readonly token: string
  /** Of a web subscription: what its messages are encrypted for. */
  readonly keys: { readonly p256dh: string; readonly auth: string } | null
}

/** The values a template may use: facts by dotted path, nested: `{ contact: { first_name: 'Li' }, … }`. */
export type TemplateView = Readonly<Record<string, unknown>>

/** A template that was compiled once; one for each name, locale and segment variant. */
export interface Template {
  readonly name: string
  /** Of its text, BCP 47: not the contact's where that has none and another is said instead. */
  readonly locale?: string
  /** Renders with strict lookup. @throws Error naming the variable that no value was given for */
  render(view: TemplateView): RenderedTemplate
}

export interface RenderedTemplate {
  /** Front matter, each rendered as plain text: `subject`, `preheader`, `from_name`. */
  readonly front: Readonly<Record<string, string>>
  /** HTML with the layout around it. */
  readonly html: string
  /** The same as plain text, where the renderer made one; a channel that needs it else derives it from the HTML. */
  readonly text?: string
  /** Pictures the HTML shows as `cid:`, in the order they stand in it. */
  readonly images?: readonly InlineImage[]
}

export interface InlineImage {
  readonly cid: string
  /** @returns a PNG file. Asked for when the message is handed over or looked at, and not before: drawing takes time */
  draw(): Promise<Buffer>
}

export interface Message<Address, Content> {
  readonly contactId: number
  readonly touchpointId: number
  /** Whose numbers these are, part of `referenceOf`: one provider may serve several installations. */
  readonly installation?: string
  /** `campaign.step`: what providers may group their own figures by. */
  readonly stream?: string
  readonly address: Address
  readonly content: Content
  /** The same for every attempt of a touchpoint: an idempotent provider recognises a repeat by it. */
  readonly key: string
  /** More than the people on this step can take in a day: for a provider that takes what is beyond. */
  readonly overflow?: boolean
}

/** A message the user's own app will ask for. */
export interface InappMessage {
  readonly kind: 'inapp'
  readonly locale: string
  readonly title: string
  readonly text: string
  readonly html: string
  readonly url: string | null
}
/** A call somebody is to make. */
export interface CallTask {
  readonly kind: 'call'
  readonly script: string
  readonly taker: 'agent' | 'robot'
}

/** Handed over; the provider took responsibility. */
export interface Sent {
  readonly outcome: 'sent'
  readonly providerId?: string
  readonly detail?: string
  /** What it cost after all, where that is known at once and is not what was reckoned with. */
  readonly cost?: Money
  /**
   * Where the provider is Winback itself: what it keeps of the message, written in the transaction that settles the
   * send. So a channel needs no database, and what is sent and what is kept can never disagree.
   */
  readonly keep?: InappMessage | CallTask
  /** Tokens of devices that are nobody's any more: they are forgotten. */
  readonly dead?: readonly string[]
}
/** Refused for good: not to be tried again. */
export interface Rejected {
  readonly outcome: 'rejected'
  /** `unsubscribed`: the person told the provider, some time before, to let nothing more of ours through. */
  readonly reason: 'bad_address' | 'refused' | 'content' | 'unsubscribed'
  readonly detail: string
  readonly dead?: readonly string[]
}
/** Not handed over, and worth another try. `after` in seconds, where the provider said so. */
export interface Retry {
  readonly outcome: 'retry'
  readonly detail: string
  readonly after?: number
  /**
   * Certain: this try never left, or was turned away. Where the provider recognises repeats, a `retry` without it may have
   * been taken.
   */
  readonly unsent?: boolean
  /**
   * Certain, and of no message in particular: the provider could not be reached, or did not let us in. Nothing of this one
   * can have been taken. That is no try: it costs the message none, and the whole channel rests. So never of what depends
   * on whom a message is for, such as the push service of somebody's browser.
   */
  readonly unreached?: boolean
  /**
   * Of no message in particular: the provider answers, and takes nothing from anybody at this moment; its disk is full, say,
   * our quota used up, or its gateway finds nobody behind it. Where it says so several times in a row, the channel rests, and
   * what it is tried with from then on has had no try by it. Certain, but where the provider recognises repeats: without
   * `unsent`, such a message may have been taken.
   */
  readonly takesNone?: boolean
  readonly dead?: readonly string[]
}
/** Handover began and its end is not known: never repeated unless the channel is idempotent. */
export interface Uncertain {
  readonly outcome: 'uncertain'
  readonly detail: string
  readonly dead?: readonly string[]
}
export type Delivery = Sent | Rejected | Retry | Uncertain

/** A request a provider made to us, as it came in: signatures are over these very bytes. */
export interface Webhook {
  /** The public URL that was called, query included: some providers sign it. */
  readonly url: string
  /** The part of the path behind the channel, where there is one: `twilio`. */
  readonly provider: string | undefined
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /** When it came in. */
  readonly now: Date
}

/** What a provider may report of a message it took. */
export const EVENT_KINDS = [
  'sent',
  'soft_bounce',
  'delivered',
  'hard_bounce',
  /** A machine fetched its pictures: a mail program's proxy, a scanner. Nobody may have seen it. */
  'prefetched',
  'opened',
  'clicked',
  'unsubscribed',
  'complaint',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface DeliveryEvent {
  readonly contactId: number
  readonly touchpointId: number
  /** As `readReference` gives it; an event of another installation's message is left alone. */
  readonly installation?: string
  readonly kind: EventKind
  /** The same at every repeat of the report, and of no other: the provider's id, or what is peculiar to the event. */
  readonly eventId: string
  readonly at: Date
  /** The provider's words. */
  readonly detail?: string
  readonly providerId?: string
  /** Of a `soft_bounce`: it says that the sender is the reason, or the message, and so nothing of the address. */
  readonly ours?: boolean
  /** What the message cost in fact, where the report says so. */
  readonly cost?: Money
}

/** What somebody answered to a message. */
export interface Reply {
  /** The number or address it came from. */
  readonly from: string
  readonly text: string
  /** The words are those of somebody who wants no more. */
  readonly optOut: boolean
  readonly eventId: string
  readonly at: Date
}

/** How an attempt to call somebody may end. */
export const CALL_OUTCOMES = [
  /** Talked to, with nothing more to be done. */
  'reached',
  /** Means to come back. */
  'promised',
  'declined',
  'no_answer',
  /** Asked to be called at another time. */
  'call_back',
  /** Wants to talk to a person: the robot's only. */
  'handed_over',
  'wrong_number',
  /** Wants to hear nothing more. */
  'opted_out',
] as const
export type CallOutcome = (typeof CALL_OUTCOMES)[number]

export const SENTIMENTS = ['positive', 'neutral', 'negative'] as const
export type Sentiment = (typeof SENTIMENTS)[number]

/** What became of an attempt to call somebody. */
export interface CallReport {
  readonly contactId: number
  readonly touchpointId: number
  readonly installation?: string
  /** The same at every repeat of the report. */
  readonly eventId: string
  readonly at: Date
  readonly outcome: CallOutcome
  /** A code of the list of reasons; one that is not on it is kept in the notes. */
  readonly reason?: string | undefined
  readonly seconds: number
  readonly sentiment?: Sentiment | undefined
  readonly transcript?: string | undefined
  readonly notes?: string | undefined
  readonly nextAttemptAt?: Date | undefined
}

/** What a webhook says, once it is known to be the provider's own. */
export interface Receipts {
  readonly outcome: 'accepted'
  readonly events: readonly DeliveryEvent[]
  readonly replies: readonly Reply[]
  /** Of a voice robot. */
  readonly calls?: readonly CallReport[]
  /** What the provider wants to hear, where it is not a count of what was taken. */
  readonly answer?: { readonly type: string; readonly body: string }
}
/** Not the provider's, or not readable: nothing changes. */
export interface RefusedWebhook {
  readonly outcome: 'refused'
  readonly status: 400 | 401 | 404
  readonly reason: string
}

/** What a provider wants to hear before it reports to an address. */
export interface Greeting {
  readonly outcome: 'accepted'
  /** Sent as plain text. */
  readonly answer: string
}

/** A send of unknown outcome, when the provider is asked what it knows of it. */
export interface Doubt<Address> {
  readonly contactId: number
  readonly touchpointId: number
  readonly installation?: string
  readonly address: Address
  readonly providerId: string | null
  /** The message was planned for then: its send began no earlier. */
  readonly plannedFor: Date
  /** When the doubt was recorded: long after its send where its worker was killed and nobody was there to find that. */
  readonly since: Date
}

/** What the provider knows: it has it, it never got it, or it cannot say yet. */
export type Answer =
  | { readonly outcome: 'sent'; readonly events: readonly DeliveryEvent[] }
  | { readonly outcome: 'absent' }
  | { readonly outcome: 'unknown' }

/** A channel that is open: its connections are made, its settings known. */
export interface Channel<Address = unknown, Content = unknown> {
  readonly name: string
  /** False where the provider cannot recognise a repeat: a send of unknown outcome is then never repeated. */
  readonly idempotent: boolean
  /** How many sends may be under way at once: also how many touchpoints one dead worker leaves in doubt. */
  readonly concurrency: number
  /** Milliseconds after which a send has ended, one way or the other. Below every lease. */
  readonly deadline: number
  /** Its messages wait until they are asked for and disturb nobody: only a send window of its own holds for it. */
  readonly fetched?: boolean
  /** When it may be used where a campaign gives neither it nor `default` a send window: minutes of the local day, [from, to). */
  readonly window?: { readonly from: number; readonly to: number; readonly workdays: boolean }
  /**
   * Its sends have no effect outside and end at once: nothing can be left in doubt, so they are settled without having
   * been marked `sending`.
   */
  readonly inert?: boolean
  /** Which calls a provider takes off people's hands: those beyond their capacity, or all. */
  readonly overflow?: 'overflow' | 'all'
  addressOf(contact: ContactView): Address | undefined
  /** `template` is absent where the channel does not render (see {@link ChannelModule.renders}). */
  render(template: Template | undefined, view: TemplateView, contact: ContactView): Content
  cost(content: Content): Money
  /** Never throws for what a provider may do; what it throws is a bug: it settles as `uncertain`, or
   *  is tried again where the channel is idempotent. */
  send(message: Message<Address, Content>): Promise<Delivery>
  /**
   * Reads what the provider calls us with: receipts, replies. Checks the signature first; decides by its input and
   * the settings alone. Absent where the provider reports nothing.
   * @throws Error where that cannot be told now: answered by 500, the provider calls again, where it may not after a 4xx
   */
  receipts?(webhook: Webhook): Receipts | RefusedWebhook | Promise<Receipts | RefusedWebhook>
  /**
   * Answers a GET of the address a provider reports to: some ask there, before they use it, for a word of theirs. The
   * call has no body. Absent where none does.
   */
  greet?(webhook: Webhook): Greeting | RefusedWebhook | Promise<Greeting | RefusedWebhook>
  /** Tells somebody, once, that their opt-out was understood; absent where the provider does so itself. */
  confirm?(reply: Reply): Promise<Delivery>
  /** Asks the provider about a send of unknown outcome. Never throws for what a provider may do. */
  query?(doubt: Doubt<Address>): Promise<Answer>
  /** Checks the provider without sending. Resolves to what it found, in words. @throws when it is not usable */
  check(): Promise<string>
  /**
   * The process is ending and waits for the provider no longer: what is under way ends now, each send with what is known of
   * it by then. Absent where every send ends within a moment.
   */
  leave?(): void
  close(): Promise<void>
}

/** A template's text as it was written, mustaches and all, for one locale or segment. */
export interface WrittenTemplate {
  readonly name: string
  readonly locale: string
  /** As problems name it. */
  readonly file: string
  readonly text: string
  readonly front: Readonly<Record<string, string>>
}

/** What the registry holds: how to open a channel, and what is known of it before. */
export interface ChannelModule<Settings> {
  readonly name: string
  readonly idempotent: boolean
  readonly address: AddressKind
  /** True where steps need a template. */
  readonly renders: boolean
  /** What people call it where they choose, or one for each language; its name where that is absent. */
  readonly title?: string | Readonly<Record<string, string>>
  /** The channel's block in winback.yaml. */
  readonly settings: ZodType<Settings>
  /**
   * What is wrong with a template's text for this channel, found without sending: each the rest of a sentence that
   * begins with the template. Values are still in braces. Absent where the channel has no rules for texts.
   */
  lint?(settings: Settings, template: WrittenTemplate, workspace: string): string[]
  open(settings: Settings, context?: ChannelContext): Channel
}

/** What a channel is given beside its settings. */
export interface ChannelContext {
  /** Where links lead and what signs them; absent where the workspace has no public address. */
  readonly links?: { readonly url: string; readonly keys: SigningKeys }
  /** Reads a document a provider's signature names; a test's own in its place. By HTTPS by default. */
  readonly fetchText?: (url: string) => Promise<string>
}
