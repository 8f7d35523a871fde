import assert from 'node:assert/strict'
import type {
  Channel,
  ChannelModule,
  ContactView,
  Delivery,
  Template,
  TemplateView,
  Webhook,
} from './channel.ts'
import { unfitChannel } from './guarded.ts'
import { unfit } from './outside.ts'

// What every channel promises, as tests: published as `winback/testing`, so that a channel from elsewhere can
// prove itself. It brings no test runner: `describe` and `it` are the caller's (vitest, node:test, jest), and
// assertions are Node's own.

/** The two functions of a test runner that are needed. */
export interface TestRunner {
  describe(name: string, define: () => void): unknown
  it(name: string, run: () => Promise<void>): unknown
}

/** Something a provider can do to a send, and what the channel promises to make of it. */
export interface ProviderFault<Address> {
  readonly name: string
  /** Makes the provider behave so from now on. */
  provoke(): void | Promise<void>
  readonly promised: Delivery['outcome']
  /** The promised reason, where it is `rejected`. */
  readonly reason?: 'bad_address' | 'refused' | 'content'
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
  /** The most sends the provider saw at one time; undefined where it cannot be asked. */
  peak?(): number | Promise<number>
  /** A report of the provider's own, as it would come in, of something that became of a message; absent without any. */
  report?(): Webhook
  /** Ends the provider. The suite itself closes the channel. */
  stop(): void | Promise<void>
}

export interface ChannelHarness<Settings, Address, Content> {
  readonly module: ChannelModule<Settings>
  open(): Promise<OpenChannel<Address, Content>>
  /** At least one contact the channel can reach, and those it cannot. */
  readonly reachable: readonly ContactView[]
  readonly unreachable: readonly ContactView[]
  /** Absent for a channel that does not render. */
  readonly template?: Template
  readonly view: TemplateView
}

/** Milliseconds a send may end after its deadline: timers are late on a busy machine. */
const LATENESS = 1_000

/**
 * Defines the suite for one channel.
 * @example describeChannel('email', harness, { describe, it })
 */
export function describeChannel<Settings, Address, Content>(
  name: string,
  harness: ChannelHarness<Settings, Address, Content>,
  { describe, it }: TestRunner,
): void {
  const { module, reachable, unreachable, template, view } = harness

  const withChannel = async (run: (open: OpenChannel<Address, Content>) => Promise<void>) => {
    const open = await harness.open()
    try {
      await run(open)
    } finally {
      await open.channel.close()
      await open.stop()
    }
  }
  const contact = (): ContactView => {
    const [first] = reachable
    assert(first, 'the harness names no contact that can be reached')
    return first
  }
  const addressed = (channel: Channel<Address, Content>): Address => {
    const address = channel.addressOf(contact())
    assert(address !== undefined, 'a contact named reachable has no address')
    return address
  }
  const message = (channel: Channel<Address, Content>, key: string, address = addressed(channel)) => ({
    contactId: contact().contactId,
    touchpointId: 1,
    key,
    address,
    content: channel.render(template, view, contact()),
  })
  /** Sends, and proves what is true of every send: it ends in time, with an outcome, and never throws. */
  const send = async (channel: Channel<Address, Content>, key: string, address?: Address) => {
    const started = performance.now()
    const delivery = await channel.send(message(channel, key, address)).catch((error: unknown) => {
      throw new Error('send() threw: what a provider does must come back as an outcome', { cause: error })
    })
    const took = performance.now() - started
    assert(took <= channel.deadline + LATENESS, `a send took ${took} ms, the deadline is ${channel.deadline}`)
    assert(['sent', 'rejected', 'retry', 'uncertain'].includes(delivery.outcome), `unknown outcome`)
    if (delivery.outcome !== 'sent') assert.notEqual(delivery.detail, '', 'an outcome without its reason')
    if (delivery.outcome === 'retry' && delivery.after !== undefined) {
      assert(delivery.after > 0 && Number.isFinite(delivery.after), '`after` is a number of seconds')
    }
    return delivery
  }

  describe(`the channel ${name}`, () => {
    it('is what its module says', () =>
      withChannel(async ({ channel }) => {
        assert.deepEqual(unfit(module), [], 'winback.yaml would refuse the module')
        assert.deepEqual(unfitChannel(module, channel), [], 'Winback would refuse what it opens')
        if (module.renders) assert(template, 'a channel that renders is tried with a template')
      }))

    it('finds the address of every contact that has one, and never throws', () =>
      withChannel(async ({ channel }) => {
        for (const one of reachable) {
          const frozen = Object.freeze({ ...one })
          const address = channel.addressOf(frozen)
          assert(address !== undefined && address !== null && address !== '', 'no address is `undefined`')
          assert(!(address instanceof Promise), 'addressOf answers at once')
          assert.deepEqual(channel.addressOf(frozen), channel.addressOf({ ...one }), 'the same each time')
        }
        for (const one of unreachable) assert.equal(channel.addressOf(one), undefined)
        for (const odd of ['', ' ', '\u0000', '@', 'x@', '\ud800', '+', 'a\r\nb', 'x'.repeat(100_000)]) {
          channel.addressOf({ ...contact(), email: odd, phone: odd, externalId: odd })
        }
        const bare = { ...contact(), email: null, phone: null, devices: [] }
        if (module.address !== 'none') assert.equal(channel.addressOf(bare), undefined)
      }))

    it('renders the same from the same, and leaves its input alone', () =>
      withChannel(async ({ channel }) => {
        const before = structuredClone(view)
        const first = channel.render(template, view, contact())
        assert(!(first instanceof Promise), 'render answers at once')
        assert.deepEqual(channel.render(template, view, contact()), first)
        assert.deepEqual(view, before)
      }))

    it('costs a whole number of micros, none below zero', () =>
      withChannel(async ({ channel }) => {
        const content = channel.render(template, view, contact())
        const cost = channel.cost(content)
        assert(Number.isSafeInteger(cost) && cost >= 0, `cost ${cost}`)
        assert.equal(channel.cost(content), cost)
      }))

    it('sends, and the provider has it', () =>
      withChannel(async ({ channel, taken }) => {
        const delivery = await send(channel, 'tp-1')
        assert.equal(delivery.outcome, 'sent')
        if (taken) assert.deepEqual(await taken(), ['tp-1'])
      }))

    it('gives the provider the same key at every attempt', () =>
      withChannel(async (open) => {
        const { channel, taken } = open
        const first = await send(channel, 'tp-again')
        const second = await send(channel, 'tp-again')
        assert(first.outcome === 'sent' && second.outcome === 'sent', 'both are sent')
        if (channel.idempotent) {
          assert.notEqual(first.providerId, undefined, 'a repeat must be recognisable')
          assert.equal(second.providerId, first.providerId, 'one key, one id of the provider')
        }
        if (taken) assert.deepEqual([...new Set(await taken())], ['tp-again'])
      }))

    it('never has more under way than its concurrency', () =>
      withChannel(async ({ channel, peak }) => {
        const keys = Array.from({ length: Math.min(channel.concurrency * 3, 100) }, (_, no) => `tp-${no}`)
        const outcomes = await Promise.all(keys.map((key) => send(channel, key)))
        assert(outcomes.every(({ outcome }) => outcome === 'sent'))
        if (peak) assert((await peak()) <= channel.concurrency, `${await peak()} at one time`)
      }))

    it('keeps each promise about what a provider may do', () =>
      withChannel(async ({ channel, faults, heal }) => {
        for (const fault of faults) {
          await fault.provoke()
          const delivery = await send(channel, `tp-${fault.name}`, fault.address)
          assert.equal(delivery.outcome, fault.promised, `${fault.name}: ${JSON.stringify(delivery)}`)
          if (delivery.outcome === 'rejected' && fault.reason) {
            assert.equal(delivery.reason, fault.reason, fault.name)
          }
          await heal()
          assert.equal((await send(channel, 'tp-after')).outcome, 'sent', `it recovers after ${fault.name}`)
        }
      }))

    it('reads what its provider reports, and refuses what anybody could have written', () =>
      withChannel(async ({ channel, report }) => {
        if (!report) return
        const webhook = report()
        const read = async (odd: Partial<Webhook>) => await channel.receipts?.({ ...webhook, ...odd })
        const taken = await read({})
        assert(taken?.outcome === 'accepted', `the report is refused: ${JSON.stringify(taken)}`)
        const { events, replies, calls = [] } = taken
        assert(events.length + replies.length + calls.length > 0, 'nothing is read of the report')
        assert.deepEqual(await read({}), taken, 'the same each time')
        // What only the provider can know stands in a header, in the query, or in both.
        const bare = { headers: {}, url: webhook.url.replace(/\?.*$/s, '') }
        assert.equal((await read(bare))?.outcome, 'refused', 'a report without a signature is taken')
        for (const odd of ['', '{', 'null', '[]', '{"events":null}', '\u0000', 'x'.repeat(100_000)]) {
          const said = await read({ body: Buffer.from(odd) })
          assert(
            said?.outcome === 'refused' || said?.outcome === 'accepted',
            'unreadable is `refused`, with 400',
          )
        }
      }))

    it('says in words what it finds', () =>
      withChannel(async ({ channel }) => {
        assert.notEqual((await channel.check()).trim(), '')
      }))

    it('closes with what is under way, may be closed again, and then hands nothing over', () =>
      withChannel(async ({ channel, taken }) => {
        const underWay = Promise.all(['tp-1', 'tp-2'].map((key) => send(channel, key)))
        await channel.close()
        const outcomes = await underWay
        await channel.close()
        const sent = outcomes.filter(({ outcome }) => outcome === 'sent').length
        if (taken) assert.equal((await taken()).length, sent, 'what was taken is what was said to be sent')
        const late = await send(channel, 'tp-late')
        assert.equal(late.outcome, 'retry', 'a send on a closed channel is one for later')
        if (taken) assert.equal((await taken()).includes('tp-late'), false)
      }))
  })
}
