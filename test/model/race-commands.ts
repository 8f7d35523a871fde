import { processBatch as processReally } from '../../src/touchpoints/batch.ts'
import { command, pick, started } from './command.ts'
import { finishBatch } from './crediting.ts'
import { type Decision, decide } from './judging.ts'
import type { Batched, Contact, Model, Placed } from './model.ts'
import { act } from './people.ts'
import { anotherWorker, type GrantRow, readGrants, readTouches, type TouchRow } from './real.ts'
import { batched, dispatch, speak } from './work-commands.ts'
import { NOBODY } from './working.ts'

// A return that is recorded while its contact is being written to. Which came first, only the database knows.

/** What the database says of the moment after. */
interface After {
  readonly touches: ReadonlyMap<number, TouchRow>
  readonly grants: readonly GrantRow[]
}

/**
 * A batch during which a contact came back: the two came in either order. Where the return was second, what had been reserved
 * for the contact was missing for others, though it was given back; or the shop had been asked, and it stays.
 */
function settleRace(model: Model, batch: Batched, contact: Contact, { touches, grants }: After): void {
  const cancelled = new Set(
    // Others may have come back long before: those the guards cancel, in the model as well.
    batch
      .filter(([id, { episode }]) => episode.contact === contact && touches.get(id)?.reason === 'returned')
      .map(([, placed]) => placed),
  )
  const others = batch.filter(([, placed]) => !cancelled.has(placed))
  const [first, second] = [decide(model, others), decide(model, batch)]
  const fits = (decisions: ReadonlyMap<Placed, Decision>) =>
    others.every(([id, placed]) => {
      const verdict = decisions.get(placed)?.verdict
      const state = touches.get(id)?.state
      return verdict?.kind === 'send'
        ? state === 'sent'
        : state === (verdict?.kind === 'end' ? verdict.state : 'planned')
    })
  const decisions = fits(first) ? first : second
  const left = new Map([...decisions].filter(([placed]) => !cancelled.has(placed)))
  finishBatch(model, batch, left, { mode: 'sent', shop: 'credits' })
  for (const placed of cancelled) keepCredited(placed, grants)
}

/** The account has it, though the message that would have said so never went. */
function keepCredited({ episode, touch }: Placed, grants: readonly GrantRow[]): void {
  const { campaign, contact, no } = episode
  const { offer } = touch.step
  const row = grants.find(
    (one) =>
      one.campaign === campaign &&
      one.contact === contact.name &&
      one.no === no &&
      one.offer === offer &&
      one.credit === 'credited',
  )
  if (!offer || !row) return
  const known = episode.grants.find((one) => one.offer === offer)
  const credited = { state: 'granted', credit: 'credited', taken: true, worker: NOBODY } as const
  if (known) Object.assign(known, credited)
  else episode.grants.push({ offer, touch, ...credited })
}

/** Two workers at once. */
export const returnMeanwhile = (who: number) =>
  command(
    `contact ${who} comes back while it is being written to`,
    async (model, real) => {
      const contact = pick(model.contacts, who)
      // Where the mail server is away, the race would end it or not.
      if (!contact || model.absence) return
      speak(real, 'sent')
      const id = `m${model.events.length + 1}`
      const row = {
        external_id: contact.name,
        type: 'session',
        occurred_at: new Date(model.now).toISOString(),
        message_id: id,
      }
      const { batches, places } = await dispatch(model, real)
      const inTurn = async () => {
        for (const batch of batches) {
          await Promise.all([1, 2].map(() => processReally(anotherWorker(real), batch)))
        }
      }
      await Promise.all([inTurn(), real.shop.importActivity([row])])
      const touches = new Map((await readTouches(real)).map((touch) => [touch.id, touch]))
      const after = { touches, grants: await readGrants(real) }
      for (const batch of batches) settleRace(model, batched(batch, places), contact, after)
      act(model, contact, model.now, 'session', id)
    },
    started,
  )
