import { type Choice, type Contact, end, freePlace, isPending, type Model, release } from './model.ts'

// What people want no more, by their own choice. It holds for all accounts of a person: whichever was said last. Where persons
// turn out to be one, or several, nobody takes back what was refused but who says so.

/** What is in force for a person; undefined where nothing was ever chosen. */
export const choiceOf = (model: Model, person: number): Choice | undefined =>
  latest(
    model.contacts.filter((contact) => contact.person === person),
    model.now,
  )?.choice

/** Whether a message by a channel is unwanted at a moment. */
export function refuses(choice: Choice | undefined, channel: string, now: number): boolean {
  if (!choice) return false
  return closes(choice, [channel]) || (choice.until !== null && choice.until > now)
}

const closes = ({ off }: Choice, channels: readonly string[]) =>
  off.includes('*') || (off.length > 0 && channels.every((channel) => off.includes(channel)))

interface Said {
  readonly contact: Contact
  readonly choice: Choice
}

/** Of two at one moment, that of the account that was there first. */
function latest(contacts: readonly Contact[], now: number): Said | undefined {
  const said = contacts.flatMap((contact) => contact.choices.map((choice) => ({ contact, choice })))
  return said
    .filter(({ choice }) => choice.at <= now)
    .sort((a, b) => b.choice.at - a.choice.at || a.contact.id - b.contact.id)[0]
}

function keep({ choices }: Contact, choice: Choice): void {
  const same = choices.findIndex(({ at }) => at === choice.at)
  if (same >= 0) choices.splice(same, 1)
  choices.push(choice)
}

/** A choice at this moment: what has no other way to go is skipped, and all else is looked at again. */
export function recordChosen(model: Model, contact: Contact, choice: Choice): void {
  keep(contact, choice)
  for (const { contact: other, touches } of model.episodes) {
    if (other.person !== contact.person) continue
    for (const touch of touches) {
      if (!isPending(touch)) continue
      freePlace(model, touch)
      if (closes(choice, touch.step.channels)) end(model, touch, 'skipped', 'opted_out')
      else if (touch.state === 'queued' || touch.state === 'claimed') release(touch)
    }
  }
}

const union = (choices: readonly Choice[]) => [...new Set(choices.flatMap(({ off }) => off))]
const longest = (choices: readonly (Choice | undefined)[]) => {
  const until = choices.flatMap((choice) => choice?.until ?? [])
  return until.length > 0 ? Math.max(...until) : null
}

/** @param was the person of each contact before */
type Before = ReadonlyMap<Contact, number>

function groupBy<Key>(contacts: readonly Contact[], keyOf: (contact: Contact) => Key): Map<Key, Contact[]> {
  const groups = new Map<Key, Contact[]>()
  for (const contact of contacts) {
    const key = keyOf(contact)
    groups.set(key, [...(groups.get(key) ?? []), contact])
  }
  return groups
}

/** Whoever is another person now takes along what held for the one they were. */
export function handOnChoices(model: Model, was: Before): void {
  for (const [, accounts] of groupBy(model.contacts, (contact) => was.get(contact))) {
    if (new Set(accounts.map(({ person }) => person)).size < 2) continue
    const said = latest(accounts, model.now)
    if (!said || (said.choice.off.length === 0 && (said.choice.until ?? 0) <= model.now)) continue
    const parting = accounts.filter(({ person }) => person !== said.contact.person)
    for (const contact of parting) {
      const own = latest([contact], model.now)?.choice
      const both = own ? [said.choice, own] : [said.choice]
      keep(contact, { at: said.choice.at, off: union(both), until: longest(both) })
    }
  }
}

/** What held for a person by an account that is erased goes on for the others. */
export function leaveChoice(model: Model, erased: Contact): void {
  const accounts = model.contacts.filter(({ person }) => person === erased.person)
  const said = latest(accounts, model.now)
  if (said?.contact !== erased) return
  for (const contact of accounts) if (contact !== erased) keep(contact, said.choice)
}

/** What each refused while nobody knew that they are one holds for both, where the later choice lacks something of it. */
export function uniteChoices(model: Model, was: Before, made: ReadonlySet<Contact>): void {
  const known = model.contacts.filter((contact) => !made.has(contact))
  for (const [, accounts] of groupBy(known, ({ person }) => person)) {
    const persons = groupBy(accounts, (contact) => was.get(contact))
    if (persons.size < 2) continue
    const held = [...persons.values()].flatMap((each) => latest(each, model.now) ?? [])
    const last = held.sort((a, b) => b.choice.at - a.choice.at || a.contact.id - b.contact.id)[0]
    if (!last) continue
    const choices = held.map(({ choice }) => choice)
    const off = union(choices)
    const until = longest(choices.filter((choice) => (choice.until ?? 0) > model.now))
    const lacks =
      off.some((channel) => !last.choice.off.includes(channel)) ||
      (until !== null && until !== last.choice.until)
    if (lacks) keep(last.contact, { at: model.now, off, until })
  }
}
