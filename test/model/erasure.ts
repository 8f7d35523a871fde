import { leaveChoice } from './choices.ts'
import { type Contact, end, freePlace, isPending, type Model } from './model.ts'

// What an erasure leaves: nobody, and what is counted of them.

/** No batch gives it back: a worker knows it by a name that is gone. The sweeper does. */
const GONE = -1

/** A message that is being handed over cannot be called back, and its worker has to say what became of it. */
export const isErasable = (model: Model, contact: Contact) =>
  model.episodes.every(
    (each) => each.contact !== contact || each.touches.every(({ state }) => state !== 'sending'),
  )

export function erase(model: Model, contact: Contact): void {
  const { contacts, episodes, forgotten, suppressed } = model
  leaveChoice(model, contact)
  const shared = contacts.some((other) => other !== contact && other.email === contact.email)
  if (contact.email !== null && !shared) suppressed.add(contact.email)
  for (const episode of episodes.filter((each) => each.contact === contact)) {
    for (const touch of episode.touches) {
      if (!isPending(touch)) continue
      freePlace(model, touch)
      end(model, touch, 'skipped', 'erased')
    }
    for (const grant of episode.grants) {
      // The account may have what the shop was asked for, and nobody will hear its answer.
      if (grant.credit === 'asking') Object.assign(grant, { state: 'granted', credit: 'credited' })
      grant.worker = GONE
    }
    episodes.splice(episodes.indexOf(episode), 1)
    forgotten.episodes.push(episode)
  }
  contacts.splice(contacts.indexOf(contact), 1)
  forgotten.contacts.push(contact)
}
