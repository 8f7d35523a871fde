import type {
  Channel,
  ChannelModule,
  ContactView,
  Delivery,
  Rejected,
  Template,
  TemplateView,
  Webhook,
} from './channel.ts'

// What the conformance suite needs of a channel's test: a runner, and a provider that can be told to misbehave.

/** The two functions of a test runner that are needed. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown
  /** @param timeout milliseconds; runners that take none leave it alone */
  it(name: string, run: () => Promise<void>, timeout?: number): unknown
}

/** Something a provider can do to a send, and what the channel promises to make of it. */
export interface ProviderFault<Address> {
  readonly name: string
  /** Makes the provider behave so from now on. */
  provoke(): void | Promise<void>
  readonly promised: Delivery['outcome']
  /** The promised reason, where it is `rejected`. */
  readonly reason?: Rejected['reason']
  /** Where it is `retry`: whether it is certain that this try was not taken. Anything else goes, where this is absent. */
  readonly unsent?: boolean
  /** Where it is `retry`: whether the provider was not reached, or let nobody in. Anything else goes, where this is absent. */
  readonly unreached?: boolean
  /** Likewise whether it has to say that nothing is taken from anybody, whatever the message. */
  readonly takesNone?: boolean
  /** The provider answers nothing at all: only the deadline ends such a send, so it is tried with a short one. */
  readonly silent?: true
  /** The address it concerns, where it is not all of them. */
  readonly address?: Address
}

/** A channel that is open against a provider of the test's own. */
export interface OpenChannel<Address, Content> {
  readonly channel: Channel<Address, Content>
  readonly faults: readonly ProviderFault<Address>[]
  /** Undoes what was provoked. */
  heal(): void | Promise<void>
  /** The keys the provider took, in order, once for each time; undefined where it cannot be asked. */
  taken?(): readonly string[] | Promise<readonly string[]>
  /** How many handovers reached the provider until now, those included that it met with a fault. */
  attempts?(): number | Promise<number>
  /** The most sends the provider saw at one time; undefined where it cannot be asked. */
  peak?(): number | Promise<number>
  /**
   * A report of the provider's own, as it would come in, of something that became of a message; absent without any.
   * @param reference what the message is named by, as `referenceOf` would: of an installation that is not the reader's own
   */
  report?(reference: string): Webhook
  /** The report is known by a token alone: whoever has it may write what they like. By default its body is signed. */
  readonly unsigned?: true
  /** Texts of the settings that are in nobody's record: no outcome may quote them. */
  readonly secrets?: readonly string[]
  /** Ends the provider. The suite itself closes the channel. */
  stop(): void | Promise<void>
}

export interface ChannelHarness<Settings, Address, Content> {
  readonly module: ChannelModule<Settings>
  /**
   * Opens the channel, with a provider of its own that is in order.
   * @param deadline milliseconds a send may take: long where the provider answers, however busy the machine is
   */
  open(deadline: number): Promise<OpenChannel<Address, Content>>
  /** At least one contact the channel can reach, and those it cannot. */
  readonly reachable: readonly ContactView[]
  readonly unreachable: readonly ContactView[]
  /** Absent for a channel that does not render. */
  readonly template?: Template
  readonly view: TemplateView
  /** What the rendered template costs by the settings, in micros; absent where it is not known beforehand. */
  readonly price?: number
}
