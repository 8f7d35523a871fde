import { type ChannelName, MAX_DELAY, PRICE } from './campaign.ts'
import { choiceOf, refuses } from './choices.ts'
import type { Decision } from './judging.ts'
import {
  type Batched,
  type Episode,
  end,
  everyEpisode,
  freePlace,
  type Grant,
  isOpen,
  isRated,
  type Mode,
  type Model,
  type Placed,
  release,
  type Touch,
} from './model.ts'
import { takePlaces } from './scarce.ts'

import type { Verdict } from './verdict.ts'

// A batch at work, from what is reserved to what is recorded, and what becomes of one whose worker dies or hangs. The shop
// that credits accounts is crediting.ts.

const BACK_OFF = [60, 300, 1800, 7200, 21_600].map((seconds) => seconds * 1000)
/** Until what never reached the mail server is looked at again; and how long that is left alone, first and at most. */
const UNTRIED = 60_000
const RESTS = { first: 60_000, longest: 900_000 }

/** What a batch that wrote to the mail server has shown of it. */
export function noteReach(model: Model, mode: Mode, knownAway: boolean): void {
  const { absence, now } = model
  if (mode !== 'away') {
    if (knownAway) model.absence = null
  } else if (!absence) model.absence = { tries: 1, until: now + RESTS.first }
  else if (absence.until <= now) {
    const rest = Math.min(RESTS.first * 2 ** absence.tries, RESTS.longest)
    model.absence = { tries: absence.tries + 1, until: now + rest }
  }
}
/** Nobody has asked for what is outstanding since it is. */
export const NOBODY = 0

/** A number for who works on a batch: no two have the same. */
export function nextWorker(model: Model): number {
  model.workers += 1
  return model.workers
}

/** The milliseconds after which something tried in vain is tried again; undefined where it was tried often enough. */
export const backOff = ({ attempt }: Touch): number | undefined => BACK_OFF[attempt]

/** What may be sent, and what cannot be paid for after all, is reserved by a worker until {@link conclude}. */
export function reserve(model: Model, decisions: ReadonlyMap<Placed, Decision>, worker: number): void {
  const held = { spend: 0, liability: 0 }
  for (const [{ episode, touch }, { promised, held: asked }] of decisions) {
    held.spend += asked?.spend ?? 0
    held.liability += asked?.liability ?? 0
    const { offer } = touch.step
    if (!promised?.fresh || !offer) continue
    // Another batch goes on with what one that hangs has reserved for the same touchpoint.
    if (promised.grant) promised.grant.worker = worker
    else episode.grants.push({ offer, state: 'reserved', touch, worker, credit: null, taken: false })
  }
  model.holds.set(worker, held)
}

/** A batch that a worker takes: what of the provider's rate it does not use, is given back. */
export function take(model: Model, batch: Batched, worker: number): void {
  const rated = batch.some(([, { touch }]) => isRated(touch))
  model.taken.set(worker, { places: batch.length, rated, tried: 0 })
}

function countTried(model: Model, worker: number): void {
  const taken = model.taken.get(worker)
  if (taken) taken.tried += 1
}

/** A batch has ended, or all were given up: what is promised by none that may be out is given back. */
export function conclude(model: Model, worker?: number): void {
  if (worker === undefined) model.holds.clear()
  else model.holds.delete(worker)
  for (const episode of everyEpisode(model)) {
    for (const one of [...episode.grants]) {
      if (worker === undefined || one.worker === worker) concludeGrant(episode, one)
    }
  }
  const taken = worker === undefined ? undefined : model.taken.get(worker)
  if (worker === undefined || !taken) return
  model.taken.delete(worker)
  if (taken.rated) takePlaces(model, taken.tried - taken.places)
}

/** It is outstanding, and what it is expected to cost is booked. */
export function grant(one: Grant): void {
  one.state = 'granted'
  one.worker = NOBODY
}

function concludeGrant({ grants }: Episode, one: Grant): void {
  if (one.state === 'granted') return
  // No message that may be out promises it; but it may be in the account.
  if (one.credit === null) grants.splice(grants.indexOf(one), 1)
  // Asked for and not answered: the next try asks again.
  else if (!isOpen(one.touch)) grant(one)
}

/** One touchpoint, from what was decided to what becomes of it. */
export function carryOut(
  model: Model,
  placed: Placed,
  verdict: Verdict,
  { mode, worker }: { readonly mode: Mode; readonly worker: number },
): void {
  const said = verdict.kind === 'send' ? 'go' : verdict.kind === 'end' ? verdict.reason : verdict.cause
  model.verdicts.set(said, (model.verdicts.get(said) ?? 0) + 1)
  if (verdict.kind === 'end') end(model, placed.touch, verdict.state, verdict.reason)
  else if (verdict.kind === 'send') finish(model, placed, verdict.channel, { mode, worker })
  else {
    release(placed.touch)
    placed.touch.dueAt = verdict.until
    if (verdict.tried) placed.touch.attempt += 1
  }
}

/** What becomes of one that was handed over. */
export function finish(
  model: Model,
  { episode, touch }: Placed,
  channel: ChannelName,
  { mode, worker }: { readonly mode: Mode; readonly worker: number },
): void {
  const outcome = channel === 'log' ? 'sent' : mode
  // It was not tried: it keeps its tries, and its place in the provider's rate is given back.
  if (outcome === 'away') {
    release(touch)
    touch.dueAt = model.now + UNTRIED
    return
  }
  if (channel === 'email') {
    countTried(model, worker)
    touch.address ??= episode.contact.email
  }
  touch.channel = channel
  if (outcome === 'retry') {
    const pause = backOff(touch)
    const again = model.now + (pause ?? 0)
    touch.attempt += 1
    if (pause === undefined || again > touch.plannedFor + MAX_DELAY) end(model, touch, 'failed', 'attempts')
    else {
      release(touch)
      touch.dueAt = again
    }
    return
  }
  touch.attempt += 1
  if (outcome === 'rejected') {
    end(model, touch, 'failed', 'bad_address')
    touch.refusedAt = model.now
    return
  }
  end(model, touch, outcome, null)
  touch.settledAt = model.now
  touch.holder = 0
  charge(model, { episode, touch })
  keepPromise({ episode, touch }, worker)
}

/** It is out, or may be: what it promises is outstanding. */
function keepPromise({ episode: { grants }, touch }: Placed, worker: number): void {
  for (const one of grants) if (one.touch === touch && one.worker === worker) grant(one)
}

function charge(model: Model, { episode: { campaign }, touch }: Placed): void {
  const price = touch.channel === 'email' ? PRICE : 0
  if (price > touch.spent) model.bookings.push({ campaign, at: model.now, amount: price - touch.spent })
  touch.spent = price
}

/** All leases have run out: nothing is known of who held what. */
export function sweep(model: Model): void {
  for (const episode of model.episodes) {
    for (const touch of episode.touches) {
      freePlace(model, touch)
      if (touch.state === 'queued' || touch.state === 'claimed') release(touch)
      else if (touch.state === 'sending') {
        touch.attempt += 1
        keepPromise({ episode, touch }, touch.holder)
        if (touch.channel === 'log') {
          touch.doubtedBy = touch.holder
          release(touch)
        } else {
          end(model, touch, 'uncertain', null)
          touch.settledAt = model.now
          // Its price is not known: what was held for it is booked.
          if (model.holds.get(touch.holder)?.spend) charge(model, { episode, touch })
        }
      }
    }
  }
  conclude(model)
}

/** A worker that hung goes on: its sends have ended well, or nobody knows how, and it does the rest of its batch. */
export function wake(model: Model, worker: number, mode: 'sent' | 'uncertain'): void {
  model.hanging.delete(worker)
  for (const episode of model.episodes) {
    for (const touch of episode.touches) {
      if (touch.state === 'uncertain' && touch.doubtedBy === worker) touch.state = 'sent'
      if (touch.holder !== worker) continue
      const placed = { episode, touch }
      if (touch.state === 'sending') finish(model, placed, touch.channel ?? 'email', { mode, worker })
      else if (touch.state === 'uncertain') {
        // Given up by the sweeper, and now it is known, or is not.
        countTried(model, worker)
        if (mode === 'sent') {
          touch.state = 'sent'
          charge(model, placed)
        }
      } else if (touch.state === 'claimed') goOn(model, placed, touch.channel ?? 'email', worker)
      touch.holder = 0
    }
  }
  // Of whom it has written to meanwhile, and who is gone, it can tell nothing; but it has tried.
  for (const { touches } of model.forgotten.episodes) {
    for (const { holder, state } of touches)
      if (holder === worker && state === 'uncertain') countTried(model, worker)
  }
  conclude(model, worker)
}

/** What a worker that hung had still to send, goes unless it is switched off by now. */
export function goOn(model: Model, placed: Placed, channel: ChannelName, worker: number): void {
  const { campaign, contact } = placed.episode
  const unwanted = refuses(choiceOf(model, contact.person), channel, model.now)
  const off = model.courses[campaign].state !== 'on' || (channel === 'email' && model.mailPaused)
  if (unwanted || off) {
    release(placed.touch)
    placed.touch.dueAt = model.now
  } else finish(model, placed, channel, { mode: 'sent', worker })
}
