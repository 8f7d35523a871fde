import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect } from 'vitest'
import { execute, rows } from '../../src/database/connect.ts'
import { processBatch as processReally } from '../../src/touchpoints/batch.ts'
import { dispatchDue } from '../../src/touchpoints/dispatch.ts'
import type { TouchpointKey } from '../../src/touchpoints/keys.ts'
import { claim, markSending } from '../../src/touchpoints/lifecycle.ts'
import { sweep as sweepReal } from '../../src/touchpoints/sweep.ts'
import {
  ALIVE,
  act,
  type Batched,
  type Contact,
  campaignSource,
  carryOut,
  conclude,
  DAY,
  decide,
  due,
  finish,
  HOUR,
  isOpen,
  judge,
  type Mode,
  type Model,
  type Placed,
  processBatch,
  relink,
  reserve,
  run,
  suppress,
  sweep,
  type Verdict,
  wake,
} from './model.ts'
import {
  anotherWorker,
  checkInvariants,
  compare,
  type Real,
  readTouches,
  refused,
  type TouchRow,
} from './real.ts'

type Command = fc.AsyncCommand<Model, Real>

/** A step of the story. After each, everything is compared. */
function command(
  name: string,
  act: (model: Model, real: Real) => Promise<void>,
  possible: (model: Model) => boolean = () => true,
): Command {
  return {
    check: possible,
    run: async (model, real) => {
      await act(model, real)
      await compare(model, real)
      await checkInvariants(real)
    },
    toString: () => name,
  }
}

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)]
const started = (model: Model) => model.contacts.length > 0

// ── the world ───────────────────────────────────────────────────────────────────────────────────────

const advance = (ms: number) =>
  command(`${ms / HOUR} h pass`, async (model, real) => {
    model.now += ms
    real.shop.clock.set(new Date(model.now))
  })

async function learnIds(model: Model, real: Real): Promise<void> {
  const found = await rows<{ name: string; id: number }>(
    real.shop.database,
    sql`SELECT external_id AS name, contact_id AS id FROM contacts`,
  )
  const ids = new Map(found.map(({ name, id }) => [name, id]))
  for (const contact of model.contacts) contact.id = ids.get(contact.name) ?? 0
}

const signUp = (people: readonly { days: number; email: number | null; named: boolean }[]) =>
  command(`import ${JSON.stringify(people)}`, async (model, real) => {
    const made = people.map(({ days, email, named }) => {
      const name = `u${model.contacts.length + 1}`
      const contact = {
        name,
        id: 0,
        email: email === null ? null : email === 0 ? `${name}@x.test` : `shared${email}@x.test`,
        firstName: named ? 'Li' : null,
        signedUpAt: model.now - days * DAY,
        lastActiveAt: null,
        person: 0,
      }
      model.contacts.push(contact)
      return contact
    })
    const file = made.map((contact) => ({
      external_id: contact.name,
      signed_up_at: new Date(contact.signedUpAt).toISOString(),
      ...(contact.email === null ? {} : { email: contact.email }),
      ...(contact.firstName === null ? {} : { first_name: contact.firstName }),
    }))
    await real.shop.importContacts(file)
    await learnIds(model, real)
    for (const contact of made) contact.person = contact.id
    relink(model, new Set(made))
    // The same file again changes nothing.
    await real.shop.importContacts(file)
    const persons = await rows<{ name: string; person: number }>(
      real.shop.database,
      sql`SELECT external_id AS name, person_id AS person FROM contacts`,
    )
    for (const { name, person } of persons) {
      expect(`${name} ${person}`).toBe(`${name} ${model.contacts.find((one) => one.name === name)?.person}`)
    }
  })

const moveIn = (from: number, to: number | null) =>
  command(
    `contact ${from} takes the address of ${to}`,
    async (model, real) => {
      const contact = pick(model.contacts, from)
      if (!contact) return
      const email =
        to === null ? `${contact.name}@x.test` : (pick(model.contacts, to)?.email ?? `${contact.name}@x.test`)
      await real.shop.importContacts([{ external_id: contact.name, email }])
      contact.email = email
      relink(model, new Set())
    },
    started,
  )

const doSomething = (who: number, hoursAgo: number, type: 'session' | 'order') =>
  command(
    `contact ${who} had a ${type} ${hoursAgo} h ago`,
    async (model, real) => {
      const contact = pick(model.contacts, who)
      if (!contact) return
      const at = model.now - hoursAgo * HOUR
      const id = `m${model.events.length + 1}`
      act(model, contact, at, type, id)
      const row = { external_id: contact.name, type, occurred_at: new Date(at).toISOString(), message_id: id }
      expect(await real.shop.importActivity([row])).toMatchObject({ inserted: 1 })
    },
    started,
  )

const sameAgain = (which: number) =>
  command(
    `event ${which} comes again`,
    async (model, real) => {
      const event = pick(model.events, which)
      if (!event) return
      const row = {
        external_id: event.contact.name,
        type: event.type,
        occurred_at: new Date(event.at).toISOString(),
        message_id: event.id,
      }
      expect(await real.shop.importActivity([row, row])).toMatchObject({ inserted: 0 })
    },
    (model) => model.events.length > 0,
  )

const unsubscribe = (who: number) =>
  command(
    `contact ${who} unsubscribes`,
    async (model, real) => {
      const email = pick(model.contacts, who)?.email
      if (!email) return
      await real.shop.importSuppressions([{ email, reason: 'unsubscribe' }])
      suppress(model, email)
    },
    started,
  )

const turn = (what: 'campaign' | 'email') =>
  command(`${what} is paused or resumed`, async (model, real) => {
    const [scope, name] = what === 'campaign' ? ['campaign', 'game'] : ['channel', 'email']
    if (model.paused.has(what)) {
      model.paused.delete(what)
      await execute(real.shop.database, sql`DELETE FROM switches WHERE scope = ${scope}`)
    } else {
      model.paused.add(what)
      await execute(
        real.shop.database,
        sql`INSERT INTO switches VALUES (${scope}, ${name}, 'paused', 'test', ${new Date(model.now)})`,
      )
    }
  })

// ── runs ────────────────────────────────────────────────────────────────────────────────────────────

async function learnEpisodes(model: Model, real: Real): Promise<void> {
  const found = await rows<{ contact: string; no: number; id: number }>(
    real.shop.database,
    sql`SELECT c.external_id AS contact, e.episode_no AS no, e.episode_id AS id
      FROM episodes e JOIN contacts c USING (contact_id)`,
  )
  for (const { contact, no, id } of found) {
    const episode = model.episodes.find((one) => one.contact.name === contact && one.no === no)
    if (episode) episode.id = id
  }
}

/** @param schedulers how many run the same tick at the same moment */
const runNow = (schedulers: number) =>
  command(`run by ${schedulers}`, async (model, real) => {
    const results = await Promise.all(
      Array.from({ length: schedulers }, () => real.shop.run('game', new Date(model.now))),
    )
    const again = model.ticks.has(model.now)
    const answers = run(model)
    for (const result of results) {
      if (answers === undefined) {
        expect(result.state).toBe(again && !model.paused.has('campaign') ? 'already_done' : 'paused')
      } else if (result.state === 'done') {
        expect(result.answers).toEqual(answers)
        expect(result.considered).toBe(Object.values(answers).reduce((sum, count) => sum + count, 0))
      } else expect(result.state).toBe('already_done')
    }
    await learnEpisodes(model, real)
  })

const applyNext = command('another version is applied', async (model, real) => {
  expect(await real.shop.apply(campaignSource(model.version + 1))).toBe(model.version + 1)
  model.version += 1
  // The same again is no new version.
  expect(await real.shop.apply(campaignSource(model.version))).toBe(model.version)
})

// ── work ────────────────────────────────────────────────────────────────────────────────────────────

interface Batch {
  readonly stepId: number
  readonly keys: readonly TouchpointKey[]
}

async function dispatch(real: Real, jobs = 1000): Promise<Batch[]> {
  const batches: Batch[] = []
  await dispatchDue(real.shop.database, { now: real.shop.clock.now(), jobs }, async (batch) => {
    batches.push(batch)
  })
  return batches
}

/** The model's own of what the database names by keys; each must have been due. */
async function placesOf(model: Model, real: Real, batches: readonly Batch[]): Promise<Map<number, Placed>> {
  const wanted = new Set(batches.flatMap(({ keys }) => keys.map((key) => key.touchpointId)))
  const takeable = due(model)
  const found = new Map<number, Placed>()
  for (const row of await readTouches(real)) {
    if (!wanted.has(row.id)) continue
    const placed = takeable.find(
      ({ episode, touch }) =>
        episode.contact.name === row.contact && episode.no === row.no && touch.step.id === row.step,
    )
    if (!placed) throw new Error(`${row.contact}#${row.no} ${row.step} was dispatched, though it was not due`)
    found.set(row.id, placed)
  }
  expect(found.size).toBe(wanted.size)
  return found
}

/** A batch as the model knows it. */
function batched({ keys }: Batch, places: ReadonlyMap<number, Placed>): Batched {
  return keys.flatMap(({ touchpointId }) => {
    const placed = places.get(touchpointId)
    return placed ? [[touchpointId, placed] as const] : []
  })
}

function speak(real: Real, mode: Mode): void {
  real.email.answer = (message) => {
    if (mode === 'retry' || mode === 'rejected') refused.add(message)
    if (mode === 'retry') return { outcome: 'retry', detail: '451 later' }
    if (mode === 'rejected') return { outcome: 'rejected', reason: 'bad_address', detail: '550 nobody' }
    return mode === 'sent' ? { outcome: 'sent' } : { outcome: 'uncertain', detail: 'dropped after DATA' }
  }
}

/** @param times how often each job is run, at the same moment */
const work = (mode: Mode, times: number) =>
  command(`work, ${mode}${times > 1 ? `, each job ${times} times` : ''}`, async (model, real) => {
    speak(real, mode)
    const batches = await dispatch(real)
    const places = await placesOf(model, real, batches)
    expect(places.size).toBe(due(model).length)
    for (const batch of batches) {
      await Promise.all(Array.from({ length: times }, () => processReally(anotherWorker(real), batch)))
      processBatch(model, batched(batch, places), mode)
    }
  })

const loseQueue = command('jobs are queued and the queue is flushed', async (model, real) => {
  const places = await placesOf(model, real, await dispatch(real))
  for (const { touch } of places.values()) touch.state = 'queued'
})

/** @param marked how many of each batch the worker had marked, or even handed over, before it died */
const die = (marked: number, handed: boolean) =>
  command(`a worker dies with ${marked} marked${handed ? ' and handed over' : ''}`, async (model, real) => {
    const batches = await dispatch(real)
    const places = await placesOf(model, real, batches)
    for (const { keys } of batches) {
      const claimId = randomUUID()
      const claimed = await claim(real.shop.database, claimId, keys)
      expect(claimed).toHaveLength(keys.length)
      for (const key of claimed) {
        const placed = places.get(key.touchpointId)
        if (placed) placed.touch.state = 'claimed'
      }
      const slice = claimed.slice(0, marked).flatMap((key) => {
        const placed = places.get(key.touchpointId)
        const verdict = placed && judge(model, placed)
        return placed && verdict?.kind === 'send' ? [{ key, placed, channel: verdict.channel }] : []
      })
      if (slice.length === 0) continue
      const mine = await markSending(real.shop.database, claimId, {
        keys: slice.map(({ key, channel }) => ({ ...key, channel })),
        campaign: 'game',
        now: real.shop.clock.now(),
        needsConsent: [],
      })
      expect(mine).toHaveLength(slice.length)
      for (const { key, placed, channel } of slice) {
        placed.touch.state = 'sending'
        placed.touch.channel = channel
        if (!handed) continue
        const message = {
          contactId: key.contactId,
          touchpointId: key.touchpointId,
          address: '',
          content: placed.touch.variant === 'story' ? 'Once upon a time' : 'Hello',
          key: `tp-${key.touchpointId}`,
        }
        real[channel].sent.push(message)
      }
    }
  })

const sweepNow = command('every lease runs out', async (model, real) => {
  const { database, clock, runtime } = real.shop
  // A live lease is nobody else's.
  expect(await sweepReal(database, clock.now(), runtime.idempotent)).toEqual({
    released: 0,
    repeated: 0,
    uncertain: 0,
  })
  await execute(
    database,
    sql`UPDATE touchpoints SET lease_until = '2000-01-01' WHERE lease_until IS NOT NULL`,
  )
  await Promise.all([1, 2].map(() => sweepReal(database, clock.now(), runtime.idempotent)))
  sweep(model)
})

/** What a batch that stopped in the middle has left: read, and held against what it may have been. */
function adopt(model: Model, placed: Placed, verdict: Verdict, row: TouchRow, worker: number): void {
  const { touch } = placed
  if (verdict.kind !== 'send') {
    carryOut(model, placed, verdict, 'sent')
    return
  }
  if (verdict.channel === 'log' && row.state === 'sent') {
    finish(model, placed, 'log', 'sent')
    return
  }
  if (row.state !== 'claimed' && !(row.state === 'sending' && verdict.channel === 'email')) {
    throw new Error(`${row.contact}#${row.no} ${row.step} is ${row.state} in a worker that hangs`)
  }
  touch.state = row.state
  touch.channel = verdict.channel
  touch.holder = worker
}

const hang = command('a worker hangs in its first sends', async (model, real) => {
  const batches = await dispatch(real, 1)
  const [batch] = batches
  if (!batch) return
  const places = await placesOf(model, real, batches)
  const verdicts = decide(model, batched(batch, places))
  const mails = [...verdicts.values()].filter(
    (verdict) => verdict.kind === 'send' && verdict.channel === 'email',
  ).length
  model.workers += 1
  const worker = model.workers
  let going = 0
  let go = () => {}
  const released = new Promise<void>((resolve) => {
    go = resolve
  })
  const full = Math.min(mails, real.email.concurrency)
  const quiet = new Promise<void>((resolve) => {
    real.email.answer = async () => {
      going += 1
      if (going === full) resolve()
      await released
      return { outcome: 'sent' }
    }
  })
  const done = processReally(anotherWorker(real), batch)
  await Promise.race([done, ...(full > 0 ? [quiet] : [])])
  reserve(model, verdicts, worker)
  for (const row of await readTouches(real)) {
    const placed = places.get(row.id)
    const verdict = placed && verdicts.get(placed)
    if (placed && verdict) adopt(model, placed, verdict, row, worker)
  }
  if (full === 0) {
    conclude(model, worker)
    return
  }
  model.hanging.add(worker)
  real.hanging.set(worker, async () => {
    go()
    await done
  })
})

export async function wakeOne(model: Model, real: Real, worker: number): Promise<void> {
  speak(real, 'sent')
  const go = real.hanging.get(worker)
  real.hanging.delete(worker)
  await go?.()
  wake(model, worker)
}

const wakeUp = (which: number) =>
  command(
    `hanging worker ${which} goes on`,
    async (model, real) => {
      const worker = pick([...model.hanging], which)
      if (worker !== undefined) await wakeOne(model, real, worker)
    },
    (model) => model.hanging.size > 0,
  )

/**
 * A batch during which a contact came back: the two came in either order, and only the database knows in which. Where the
 * return was second, what had been reserved for the contact was missing for others, though it was given back.
 */
function settleRace(
  model: Model,
  batch: Batched,
  contact: Contact,
  after: ReadonlyMap<number, TouchRow>,
): void {
  const cancelled = new Set(
    // Others may have come back long before: those the guards cancel, in the model as well.
    batch
      .filter(([id, { episode }]) => episode.contact === contact && after.get(id)?.reason === 'returned')
      .map(([, placed]) => placed),
  )
  const others = batch.filter(([, placed]) => !cancelled.has(placed))
  const [first, second] = [decide(model, others), decide(model, batch)]
  const fits = (verdicts: ReadonlyMap<Placed, Verdict>) =>
    others.every(([id, placed]) => {
      const verdict = verdicts.get(placed)
      const state = after.get(id)?.state
      return verdict?.kind === 'send'
        ? state === 'sent'
        : state === (verdict?.kind === 'end' ? verdict.state : 'planned')
    })
  const verdicts = fits(first) ? first : second
  const taken = new Map([...verdicts].filter(([placed]) => !cancelled.has(placed)))
  reserve(model, taken, ALIVE)
  for (const [placed, verdict] of taken) carryOut(model, placed, verdict, 'sent')
  conclude(model, ALIVE)
}

/** A return is recorded while the contact's touchpoints are being worked on, in two workers at once. */
const returnMeanwhile = (who: number) =>
  command(
    `contact ${who} comes back while it is being written to`,
    async (model, real) => {
      const contact = pick(model.contacts, who)
      if (!contact) return
      speak(real, 'sent')
      const id = `m${model.events.length + 1}`
      const row = {
        external_id: contact.name,
        type: 'session',
        occurred_at: new Date(model.now).toISOString(),
        message_id: id,
      }
      const batches = await dispatch(real)
      const places = await placesOf(model, real, batches)
      const inTurn = async () => {
        for (const batch of batches) {
          await Promise.all([1, 2].map(() => processReally(anotherWorker(real), batch)))
        }
      }
      await Promise.all([inTurn(), real.shop.importActivity([row])])
      const after = new Map((await readTouches(real)).map((touch) => [touch.id, touch]))
      for (const batch of batches) {
        settleRace(model, batched(batch, places), contact, after)
      }
      act(model, contact, model.now, 'session', id)
    },
    started,
  )

/** Everything is let go on, until nothing is left: every touchpoint ends. */
export async function drain(model: Model, real: Real): Promise<void> {
  for (const worker of [...model.hanging]) await wakeOne(model, real, worker)
  if (model.paused.has('campaign')) await turn('campaign').run(model, real)
  if (model.paused.has('email')) await turn('email').run(model, real)
  await sweepNow.run(model, real)
  await advance(3 * DAY).run(model, real)
  await work('sent', 1).run(model, real)
  expect(model.episodes.flatMap((episode) => episode.touches).filter(isOpen)).toEqual([])
}

/** The first version and some people. */
export const beginning: readonly Command[] = [
  applyNext,
  signUp([
    { days: 4, email: 0, named: true },
    { days: 4, email: 0, named: false },
    { days: 5, email: 1, named: true },
    { days: 6, email: 0, named: true },
    { days: 9, email: null, named: true },
    { days: 20, email: 0, named: true },
  ]),
]

/** Takes them in: every story has messages to be sent from its beginning. */
export const firstRun: Command = runNow(1)

/** More than there is for: a stock of two, and a day's money for three letters. */
export const crowd: readonly Command[] = [
  signUp(Array.from({ length: 32 }, (_, no) => ({ days: no % 2 ? 9 : 20, email: 0, named: true }))),
  advance(DAY),
  runNow(1),
  work('sent', 1),
  advance(DAY),
  work('sent', 1),
]

const who = fc.nat({ max: 30 })
const mode = fc.constantFrom<Mode>('sent', 'sent', 'sent', 'retry', 'rejected', 'uncertain')
const often = <T>(times: number, arbitrary: T): T[] => Array.from({ length: times }, () => arbitrary)

/** Everything that may happen; what moves the story on, more often. */
export const anything: fc.Arbitrary<Command>[] = [
  ...often(
    3,
    fc.constantFrom(1, 1, 6, 12, 24, 24, 48, 96, 240).map((hours) => advance(hours * HOUR)),
  ),
  fc
    .array(
      fc.record({
        days: fc.constantFrom(1, 4, 4, 6, 8, 20),
        email: fc.constantFrom(null, 0, 0, 0, 0, 1, 2, 3),
        named: fc.boolean(),
      }),
      { minLength: 3, maxLength: 8 },
    )
    .map(signUp),
  fc.tuple(who, fc.option(who, { freq: 4 })).map(([from, to]) => moveIn(from, to)),
  fc
    .tuple(
      who,
      fc.constantFrom(0, 1, 20, 60, 400),
      fc.constantFrom<'session' | 'order'>('session', 'session', 'order'),
    )
    .map(([one, hours, type]) => doSomething(one, hours, type)),
  who.map(sameAgain),
  who.map(unsubscribe),
  fc.constantFrom<'campaign' | 'email'>('campaign', 'email').map(turn),
  ...often(4, fc.constantFrom(1, 1, 2).map(runNow)),
  fc.constant(applyNext),
  ...often(
    3,
    fc.tuple(mode, fc.constantFrom(1, 1, 2)).map(([how, times]) => work(how, times)),
  ),
  fc.constant(loseQueue),
  fc.tuple(fc.constantFrom(0, 2, 4), fc.boolean()).map(([marked, handed]) => die(marked, handed)),
  fc.constant(sweepNow),
  ...often(2, fc.constant(hang)),
  who.map(wakeUp),
  who.map(returnMeanwhile),
]
