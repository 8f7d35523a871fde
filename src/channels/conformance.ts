import assert from 'node:assert/strict'
import type { Channel, ContactView, Delivery, Webhook } from './channel.ts'
import { unfitChannel } from './guarded.ts'
import type { ChannelHarness, OpenChannel, ProviderFault, TestRunner } from './harness.ts'
import { unfit } from './outside.ts'
import { readReceipts } from './outside-receipts.ts'
import {
  ANSWERS,
  checkAnswers,
  contentOf,
  inTime,
  isText,
  keepSecret,
  type Odd,
  OUTCOMES,
  oddly,
  unthrown,
} from './proofs.ts'
import { referenceOf } from './reference.ts'

// What every channel promises, as tests: published as `winback/testing`, so that a channel from elsewhere can
// prove itself. It brings no test runner: `describe` and `it` are the caller's (vitest, node:test, jest), and
// assertions are Node's own.

export type { ChannelHarness, OpenChannel, ProviderFault, TestRunner } from './harness.ts'

/** Milliseconds for a send that a provider answers: no test of a deadline, so that a busy machine misses none. */
const PATIENT = 20_000
/**
 * Milliseconds for a send that is never answered. The first is enough; a machine that is too busy to get as far as the
 * silence by then gets the others, too.
 */
const SHORT = [500, 2_000, 8_000]
/** Milliseconds for a test of the suite. */
const TIMEOUT = 180_000
/** Sends that may miss a short deadline, on a busy machine, before one is taken. */
const TRIES = 10

/** A message of another installation, which a provider may report of, too. */
const FOREIGN = { contactId: 987_654, touchpointId: 123_456, installation: 'anothers' }

/**
 * Defines the suite for one channel.
 * @example describeChannel('email', harness, { describe, it })
 */
export function describeChannel<Settings, Address, Content>(
  name: string,
  harness: ChannelHarness<Settings, Address, Content>,
  { describe, it: define }: TestRunner,
): void {
  const it = (title: string, run: () => Promise<void>) => define(title, run, TIMEOUT)
  const { module, reachable, unreachable, template, view } = harness

  const withChannel = async (
    run: (open: OpenChannel<Address, Content>) => Promise<void>,
    deadline = PATIENT,
  ) => {
    const open = await harness.open(deadline)
    // Also after a failure, where a send may never end: that is told, and not that nothing was heard of the suite.
    const end = () => inTime(open.channel, 'close', open.channel.close()).finally(() => open.stop())
    await run(open).catch(async (error: unknown) => {
      // What failed first is told, and not what comes of it.
      await end().catch(() => {})
      throw error
    })
    await end()
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
  const message = (channel: Channel<Address, Content>, key: string, odd: Odd<Address, Content>) => ({
    contactId: contact().contactId,
    touchpointId: 1,
    key,
    address: odd.address ?? addressed(channel),
    content: odd.content ?? channel.render(template, view, contact()),
  })
  /** Sends, and proves what is true of every send: it ends in time, with an outcome that tells no secret, and never throws. */
  const send = async (
    { channel, secrets }: OpenChannel<Address, Content>,
    key: string,
    odd: Odd<Address, Content> = {},
  ) => {
    const sending = (async () => await channel.send(message(channel, key, odd)))()
    const delivery = await inTime(channel, 'send', sending).catch((error: unknown) => {
      if (error instanceof assert.AssertionError) throw error
      throw new Error('send() threw: what a provider does must come back as an outcome', { cause: error })
    })
    const said: Partial<Delivery> | null | undefined = delivery
    assert(
      OUTCOMES.includes(said?.outcome ?? ''),
      `send() answered ${JSON.stringify(delivery)}: \`outcome\` is one of ${OUTCOMES.join(', ')}`,
    )
    if (delivery.outcome !== 'sent') assert(isText(delivery.detail), 'an outcome without its reason')
    else assert(isText(delivery.providerId ?? key), '`providerId` is a text, where the provider gives one')
    if (delivery.outcome === 'retry' && delivery.after !== undefined) {
      assert(delivery.after > 0 && Number.isFinite(delivery.after), '`after` is a number of seconds')
    }
    keepSecret('send()', JSON.stringify(delivery), secrets)
    return delivery
  }
  /** Sends alone, and proves that the channel does not repeat by itself what its provider would not recognise. */
  const sendOnce = async (open: OpenChannel<Address, Content>, key: string, odd?: Odd<Address, Content>) => {
    const { channel, attempts } = open
    const before = await attempts?.()
    const delivery = await send(open, key, odd)
    if (before !== undefined && attempts && !channel.idempotent) {
      const reached = (await attempts()) - before
      const open = delivery.outcome === 'sent' || delivery.outcome === 'uncertain'
      if (delivery.outcome === 'sent') assert.notEqual(reached, 0, 'what is said to be sent has not arrived')
      assert(!open || reached <= 1, `one send reached the provider ${reached} times (${delivery.outcome})`)
    }
    return delivery
  }
  const meet = async (open: OpenChannel<Address, Content>, fault: ProviderFault<Address>) => {
    await fault.provoke()
    return await sendOnce(open, `tp-${fault.name}`, { address: fault.address })
  }
  /** What a fault makes of a send is what was promised. @returns its key, where it was certainly not taken */
  const heldTo = (fault: ProviderFault<Address>, delivery: Delivery): string[] => {
    const said = `${fault.name}: ${JSON.stringify(delivery)}`
    const key = `tp-${fault.name}`
    assert.equal(delivery.outcome, fault.promised, said)
    if (delivery.outcome === 'rejected' && fault.reason) assert.equal(delivery.reason, fault.reason, said)
    if (delivery.outcome === 'rejected') return [key]
    if (delivery.outcome !== 'retry') return []
    if (fault.unsent !== undefined) assert.equal(delivery.unsent ?? false, fault.unsent, said)
    if (fault.takesNone !== undefined) assert.equal(delivery.takesNone ?? false, fault.takesNone, said)
    if (fault.unreached !== undefined) assert.equal(delivery.unreached ?? false, fault.unreached, said)
    return delivery.unsent || delivery.unreached || !module.idempotent ? [key] : []
  }
  /** What was certainly not taken is not handed over behind the back of whoever was told so. */
  const staysAway = async ({ channel, taken }: OpenChannel<Address, Content>, untaken: readonly string[]) => {
    await inTime(channel, 'close', channel.close())
    const late = (await taken?.())?.filter((key) => untaken.includes(key)) ?? []
    assert.deepEqual(late, [], 'handed over after it was said not to be')
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
        for (const one of unreachable) {
          const address = await unthrown('addressOf()', () => channel.addressOf(one))
          assert.equal(address, undefined, `${JSON.stringify(one)} is said to be unreachable`)
        }
        for (const odd of ['', ' ', '\u0000', '@', 'x@', '\ud800', '+', 'a\r\nb', 'x'.repeat(100_000)]) {
          const address = await unthrown(`addressOf() of ${JSON.stringify(odd.slice(0, 20))}`, () =>
            channel.addressOf({ ...contact(), email: odd, phone: odd, externalId: odd }),
          )
          const written = module.address === 'email' || module.address === 'phone'
          if (written) assert(!/[\r\n]/.test(String(address)), 'an address of two lines')
        }
        const bare = { ...contact(), email: null, phone: null, devices: [] }
        if (module.address !== 'none') {
          assert.equal(channel.addressOf(bare), undefined, 'a contact with nothing of its own has no address')
        }
      }))

    it('renders the same from the same, and leaves its input alone', () =>
      withChannel(async ({ channel }) => {
        const before = structuredClone({ view, contact: contact() })
        const first = channel.render(template, view, contact())
        assert(!(first instanceof Promise), 'render answers at once')
        assert.deepEqual(channel.render(template, view, contact()), first, 'the same content each time')
        const after = { view, contact: contact() }
        assert.deepEqual(after, before, 'render() leaves the view and the contact as they were')
      }))

    it('costs a whole number of micros, none below zero', () =>
      withChannel(async ({ channel }) => {
        const content = channel.render(template, view, contact())
        const cost = channel.cost(content)
        assert(Number.isSafeInteger(cost) && cost >= 0, `cost ${cost}`)
        if (harness.price !== undefined) assert.equal(cost, harness.price, 'the price of the settings')
        assert.equal(channel.cost(content), cost, 'the same cost each time')
      }))

    it('sends, and the provider has it', () =>
      withChannel(async (open) => {
        const delivery = await sendOnce(open, 'tp-1')
        assert.equal(delivery.outcome, 'sent', JSON.stringify(delivery))
        if (open.taken) assert.deepEqual(await open.taken(), ['tp-1'], 'the keys the provider has')
      }))

    it('gives the provider the same key at every attempt', () =>
      withChannel(async (open) => {
        const { channel, taken } = open
        const first = await sendOnce(open, 'tp-again')
        const second = await sendOnce(open, 'tp-again')
        assert(first.outcome === 'sent' && second.outcome === 'sent', 'both are sent')
        if (channel.idempotent) {
          assert.notEqual(first.providerId, undefined, 'a repeat must be recognisable')
          assert.equal(second.providerId, first.providerId, 'one key, one id of the provider')
        }
        if (taken) assert.deepEqual([...new Set(await taken())], ['tp-again'], 'the key of both attempts')
      }))

    it('never has more under way than its concurrency', () =>
      withChannel(async (open) => {
        const { channel, peak } = open
        const keys = Array.from({ length: Math.min(channel.concurrency * 3, 100) }, (_, no) => `tp-${no}`)
        const outcomes = await Promise.all(keys.map((key) => send(open, key)))
        assert(outcomes.every(({ outcome }) => outcome === 'sent'))
        if (peak) assert((await peak()) <= channel.concurrency, `${await peak()} at one time`)
      }))

    it('keeps each promise about what a provider may do', () =>
      withChannel(async (open) => {
        const untaken: string[] = []
        for (const fault of open.faults.filter(({ silent }) => !silent)) {
          untaken.push(...heldTo(fault, await meet(open, fault)))
          await checkAnswers(open)
          await open.heal()
          const after = await sendOnce(open, 'tp-after')
          assert.equal(after.outcome, 'sent', `it recovers after ${fault.name}: ${JSON.stringify(after)}`)
        }
        await staysAway(open, untaken)
      }))

    it('keeps its deadline, and its promise, where the provider is silent', async () => {
      let left: string[] | undefined
      for (const deadline of SHORT) {
        const early: string[] = []
        await withChannel(async (open) => {
          const untaken: string[] = []
          const faults = open.faults.filter(({ silent, name }) => silent && (left?.includes(name) ?? true))
          for (const fault of faults) {
            const delivery = await meet(open, fault)
            // Perhaps it did not get as far as the silence, on a busy machine.
            const unsent =
              delivery.outcome === 'retry' && (fault.promised !== 'retry' || delivery.unsent === true)
            if (unsent && deadline !== SHORT.at(-1)) early.push(fault.name)
            else untaken.push(...heldTo(fault, delivery))
            await open.heal()
            let outcome: string | undefined
            for (let no = 0; no < TRIES && outcome !== 'sent'; no += 1) {
              outcome = (await sendOnce(open, `tp-after-${no}`)).outcome
            }
            // A busy machine may take nothing else as fast, either.
            if (outcome !== 'sent' && deadline !== SHORT.at(-1)) early.push(fault.name)
            else assert.equal(outcome, 'sent', `it recovers after ${fault.name}`)
          }
          await staysAway(open, untaken)
        }, deadline)
        left = early
        if (left.length === 0) return
      }
    })

    it('hands over whatever a template or a contact holds, and nothing beside it', () =>
      withChannel(async (open) => {
        const { channel, taken, heal } = open
        for (const odd of ['a\r\nb', '\ud800', '1'.repeat(40)]) {
          const address = channel.addressOf({ ...contact(), email: odd, phone: odd, externalId: odd })
          if (address === undefined || address === null) continue
          const said = await send(open, `tp-odd-${odd.length}`, { address })
          const away = said.outcome === 'retry' && said.unreached === true
          assert(
            !away,
            'for one odd address the provider is said not to be reached, and the channel would rest',
          )
        }
        await heal()
        const before = (await taken?.())?.length ?? 0
        const content = template && contentOf(() => channel.render(oddly(template), view, contact()))
        const delivery = content && (await sendOnce(open, 'tp-odd', { content }))
        assert.notEqual(
          delivery?.outcome,
          'retry',
          'an odd message is for later, though the provider is well',
        )
        assert.equal((await sendOnce(open, 'tp-after')).outcome, 'sent', 'it recovers after an odd message')
        const expected = delivery?.outcome === 'sent' ? ['tp-odd', 'tp-after'] : ['tp-after']
        if (taken) assert.deepEqual((await taken()).slice(before), expected, 'the keys the provider has')
      }))

    it('confirms and asks with an outcome, whatever the provider does', () =>
      withChannel(async (open) => {
        const { channel, faults, heal, secrets } = open
        const { email, phone, contactId } = contact()
        const from = (module.address === 'email' ? email : phone) ?? ''
        const at = new Date()
        const reply = { from, text: 'STOP', optOut: true, eventId: 'r-1', at }
        const doubt = {
          ...{ contactId, touchpointId: 1, address: addressed(channel), providerId: null },
          ...{ plannedFor: at, since: at },
        }
        const ask = async () => {
          const said = await inTime(channel, 'confirm', (async () => await channel.confirm?.(reply))())
          if (channel.confirm) assert(said && OUTCOMES.includes(said.outcome), 'confirm() has no outcome')
          const known = await inTime(channel, 'query', (async () => await channel.query?.(doubt))())
          if (channel.query) assert(known && ANSWERS.includes(known.outcome), 'query() has no answer')
          // As Winback would, to whom an answer it cannot record is none.
          if (known?.outcome === 'sent') readReceipts(name, { ...known, outcome: 'accepted', replies: [] })
          keepSecret('confirm() or query()', JSON.stringify([said, known]), secrets)
        }
        await ask()
        for (const fault of faults.filter(({ silent }) => !silent)) {
          await fault.provoke()
          await ask()
          await heal()
        }
      }))

    it('reads what its provider reports, and refuses what anybody could have written', () =>
      withChannel(async ({ channel, report, unsigned }) => {
        const stranger = {
          url: `https://shop.example/v1/receipts/${module.name}`,
          provider: undefined,
          headers: {},
          body: new Uint8Array(),
          now: new Date(),
        }
        const greeted = await channel.greet?.(stranger)
        assert(!greeted || greeted.outcome === 'refused', 'whoever asks without a word of ours is greeted')
        if (!report) return
        const webhook = report(referenceOf(FOREIGN))
        const read = (odd: Partial<Webhook>) =>
          unthrown('receipts()', () => channel.receipts?.({ ...webhook, ...odd }))
        const taken = await read({})
        assert(taken?.outcome === 'accepted', `the report is refused: ${JSON.stringify(taken)}`)
        const { events, replies, calls = [] } = taken
        assert(events.length + replies.length + calls.length > 0, 'nothing is read of the report')
        // A rehearsal's messages have the numbers of production's, and one provider may report of both.
        for (const { contactId, touchpointId, installation } of [...events, ...calls]) {
          const about = contactId === FOREIGN.contactId && touchpointId === FOREIGN.touchpointId
          assert(about, 'an event is about another message than the report is')
          const whole = installation === FOREIGN.installation
          assert(whole, 'an event carries all that `readReference` gives, the `installation`, too')
        }
        // As Winback would before it records them; calls are its own robot's.
        if (!taken.calls) readReceipts(name, taken)
        assert.deepEqual(await read({}), taken, 'the same each time')
        // What only the provider can know stands in a header, in the query, or in both.
        const bare = { headers: {}, url: webhook.url.replace(/\?.*$/s, '') }
        assert.equal((await read(bare))?.outcome, 'refused', 'a report without a signature is taken')
        const altered = Buffer.concat([webhook.body, Buffer.from(' ')])
        if (!unsigned)
          assert.equal((await read({ body: altered }))?.outcome, 'refused', 'an altered report is taken')
        for (const odd of ['', '{', 'null', '[]', '{"events":null}', '\u0000', 'x'.repeat(100_000)]) {
          const said = await read({ body: Buffer.from(odd) })
          assert(
            said?.outcome === 'refused' || (unsigned && said?.outcome === 'accepted'),
            'unreadable is `refused`, with 400',
          )
        }
      }))

    it('says in words what it finds', () =>
      withChannel(async (open) => {
        const found: unknown = await open.channel.check()
        const words = typeof found === 'string' && found.trim() !== ''
        assert(words, `check() resolves to what it found, in words, and not to ${JSON.stringify(found)}`)
        keepSecret('check()', String(found), open.secrets)
      }))

    it('closes with what is under way, may be closed again, and then hands nothing over', () =>
      withChannel(async (open) => {
        const { channel, taken } = open
        const underWay = Promise.all(['tp-1', 'tp-2'].map((key) => send(open, key)))
        await inTime(channel, 'close', channel.close())
        const outcomes = await underWay
        await channel.close()
        const sent = outcomes.filter(({ outcome }) => outcome === 'sent').length
        if (taken) assert.equal((await taken()).length, sent, 'what was taken is what was said to be sent')
        const late = await send(open, 'tp-late')
        assert.equal(late.outcome, 'retry', 'a send on a closed channel is one for later')
        if (channel.idempotent && late.outcome === 'retry') {
          assert.equal(late.unsent, true, 'a send on a closed channel was certainly not taken: `unsent`')
        }
        if (taken) {
          assert.equal((await taken()).includes('tp-late'), false, 'handed over by a closed channel')
        }
      }))
  })
}
