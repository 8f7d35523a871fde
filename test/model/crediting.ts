import { HOUR } from './campaign.ts'
import { type Decision, decide } from './judging.ts'
import type { Batched, Grant, Mode, Model, Placed } from './model.ts'
import { heedRefusal } from './people.ts'
import { later, skip, type Verdict } from './verdict.ts'
import {
  backOff,
  carryOut,
  conclude,
  goOn,
  grant,
  NOBODY,
  nextWorker,
  noteReach,
  reserve,
  take,
} from './working.ts'

// The shop that puts offers into accounts: what it is asked and answers, and what of a batch goes by its answers. It puts
// each there once, however often it is asked, and is asked again by who does not know.

/**
 * What the shop does: with `lost` the account has it and the answer never arrives; with `down` nothing happens; with `closed` it
 * says that it credits nobody now.
 */
export type ShopMode = 'credits' | 'refuses' | 'lost' | 'down' | 'closed'

/** What the shop said of a grant. */
interface Said {
  readonly grant: Grant
  readonly answer: 'credited' | 'refused' | 'unknown' | 'closed'
}
export type Answers = ReadonlyMap<Placed, Said>

/** Everybody of a batch who is promised something that is not known to be in the account asks the shop. */
export function ask(decisions: ReadonlyMap<Placed, Decision>, shop: ShopMode, worker: number): Answers {
  const answers = new Map<Placed, Said>()
  for (const [placed, { verdict, promised }] of decisions) {
    const one = placed.episode.grants.find(({ offer }) => offer === placed.touch.step.offer)
    if (verdict.kind !== 'send' || !promised?.asks || !one) continue
    one.credit = 'asking'
    one.worker = worker
    if (shop === 'credits' || shop === 'lost') one.taken = true
    answers.set(placed, { grant: one, answer: answerOf(shop, one) })
  }
  return answers
}

function answerOf(shop: ShopMode, { taken }: Grant): Said['answer'] {
  if (shop === 'closed') return 'closed'
  if (shop === 'lost' || shop === 'down') return 'unknown'
  return taken ? 'credited' : 'refused'
}

/** The verdicts of a batch by what the shop has answered, and what that makes of the grants. */
export function heed(
  model: Model,
  decisions: ReadonlyMap<Placed, Decision>,
  answers: Answers,
  worker: number,
): Map<Placed, Verdict> {
  const verdicts = new Map<Placed, Verdict>()
  for (const [placed, { verdict }] of decisions) {
    const said = answers.get(placed)
    if (said?.answer === 'credited') credited(said.grant)
    if (said?.answer === 'refused') refused(placed, said.grant, worker)
    verdicts.set(placed, said ? afterwards(model, placed, verdict, said) : verdict)
  }
  return verdicts
}

/** Outstanding, whatever becomes of the message. */
function credited(one: Grant): void {
  one.credit = 'credited'
  if (one.state === 'reserved') grant(one)
}

/** Given back; but not what others have asked for since, for they know better, or will. */
function refused({ episode: { grants } }: Placed, one: Grant, worker: number): void {
  const mine = one.worker === worker || (one.state === 'granted' && one.worker === NOBODY)
  if (mine && one.credit === 'asking' && grants.includes(one)) grants.splice(grants.indexOf(one), 1)
}

function afterwards(model: Model, { touch }: Placed, verdict: Verdict, { answer }: Said): Verdict {
  if (answer === 'credited') return verdict
  if (answer === 'refused') return touch.step.otherwise ? verdict : skip('offer_unavailable')
  // No try: the pauses are as long as it has waited, between a minute and a quarter of an hour.
  if (answer === 'closed') {
    const waited = Math.min(HOUR / 4, Math.max(HOUR / 60, model.now - touch.plannedFor))
    return later(touch, model.now + waited, 'credit', 'too_late')
  }
  const pause = backOff(touch)
  if (pause === undefined) return skip('offer_unavailable')
  const again = later(touch, model.now + pause, 'credit', 'too_late')
  return again.kind === 'defer' ? { ...again, tried: true } : again
}

/** A whole batch by a worker that lives. */
export function processBatch(model: Model, batch: Batched, mode: Mode, shop: ShopMode): void {
  finishBatch(model, batch, decide(model, batch), { mode, shop })
}

/** @param decisions which of the batch it comes to, and how */
export function finishBatch(
  model: Model,
  batch: Batched,
  decisions: ReadonlyMap<Placed, Decision>,
  { mode, shop }: { readonly mode: Mode; readonly shop: ShopMode },
): void {
  const worker = nextWorker(model)
  take(model, batch, worker)
  reserve(model, decisions, worker)
  const verdicts = heed(model, decisions, ask(decisions, shop, worker), worker)
  const mails = [...verdicts.values()].some(
    (verdict) => verdict.kind === 'send' && verdict.channel === 'email',
  )
  const knownAway = model.absence !== null
  for (const [placed, verdict] of verdicts) carryOut(model, placed, verdict, { mode, worker })
  if (mails) noteReach(model, mode, knownAway)
  conclude(model, worker)
  for (const [, placed] of batch) heedRefusal(model, placed)
}

/** A batch whose worker hangs with the shop's answers in its hand, before anything has come of them. */
export interface Asking {
  readonly decisions: ReadonlyMap<Placed, Decision>
  readonly answers: Answers
  readonly at: number
}

/** All of the batch is the worker's meanwhile, also what will not go. */
export function hangAsking(model: Model, batch: Batched, shop: ShopMode, worker: number): Asking {
  const decisions = decide(model, batch)
  take(model, batch, worker)
  reserve(model, decisions, worker)
  const answers = ask(decisions, shop, worker)
  for (const [{ episode, touch }, { channel }] of decisions) {
    touch.state = 'claimed'
    touch.channel = channel
    if (channel === 'email') touch.address = episode.contact.email
    touch.holder = worker
  }
  model.hanging.add(worker)
  return { decisions, answers, at: model.now }
}

/** The worker goes on: what is still its own ends as it was decided then, or goes now. */
export function wakeAsking(model: Model, { decisions, answers, at }: Asking, worker: number): void {
  model.hanging.delete(worker)
  const { now } = model
  model.now = at
  const verdicts = heed(model, decisions, answers, worker)
  for (const [placed, verdict] of verdicts) {
    const { touch } = placed
    if (touch.state !== 'claimed' || touch.holder !== worker) continue
    if (verdict.kind === 'send') {
      model.now = now
      goOn(model, placed, verdict.channel, worker)
    } else {
      model.now = at
      carryOut(model, placed, verdict, { mode: 'sent', worker })
    }
    touch.holder = 0
  }
  model.now = now
  conclude(model, worker)
}
