import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { everybody } from '../../src/audience/entries/entry.ts'
import { answersSql } from '../../src/audience/select.ts'
import {
  pause as pauseReally,
  resume as resumeReally,
  stop as stopReally,
} from '../../src/config/switches.ts'
import { ANYTHING, recordChoice } from '../../src/contacts/preferences.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { STRIPE_WIDTH } from '../../src/database/stripes.ts'
import { recordStop } from '../../src/outcomes/silence.ts'
import { eraseEverywhere } from '../../src/service/privacy.ts'
import { ageIdle } from '../../src/service/ticks.ts'
import { type CampaignName, DAY, HOUR } from './campaign.ts'
import { CAMPAIGNS, NAMES } from './campaigns.ts'
import { recordChosen } from './choices.ts'
import { command, pick, started } from './command.ts'
import { erase, isErasable } from './erasure.ts'
import { type Contact, type Course, isPending, type Model, textOf } from './model.ts'
import { act, relink, stop, suppress } from './people.ts'
import type { Real } from './real.ts'
import { age, run } from './runs.ts'

// What happens around the machine: time, files that come in, switches, versions, and the runs of the campaign.

export const advance = (ms: number) =>
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

/** The next contacts stand in another chunk of the selection than those there are. */
async function leaveChunk({ shop }: Real): Promise<void> {
  const [last] = await rows<{ id: number }>(
    shop.database,
    sql`SELECT last_value::bigint AS id FROM contacts_contact_id_seq`,
  )
  const next = (Math.floor((last?.id ?? 0) / STRIPE_WIDTH) + 1) * STRIPE_WIDTH
  await execute(
    shop.database,
    sql`ALTER SEQUENCE contacts_contact_id_seq RESTART WITH ${sql.raw(String(next))}`,
  )
}

interface SignedUp {
  readonly days: number
  readonly email: number | null
  readonly named: boolean
}

/** @param elsewhere in a chunk of their own */
export const signUp = (people: readonly SignedUp[], elsewhere = false) =>
  command(`import ${JSON.stringify(people)}${elsewhere ? ' elsewhere' : ''}`, async (model, real) => {
    if (elsewhere) await leaveChunk(real)
    const made = people.map(({ days, email, named }) => {
      const name = `u${model.contacts.length + model.forgotten.contacts.length + 1}`
      const contact = {
        name,
        id: 0,
        email: email === null ? null : email === 0 ? `${name}@x.test` : `shared${email}@x.test`,
        firstName: named ? 'Li' : null,
        signedUpAt: model.now - days * DAY,
        lastActiveAt: null,
        person: 0,
        choices: [],
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

export const moveIn = (from: number, to: number | null) =>
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

/** One who has come back, and is to be greeted yet, turns out to be the person of another. */
export const turnOutSame = (who: number, other: number) =>
  command(
    `number ${who} of those to be greeted takes the address of number ${other} of the rest`,
    async (model, real) => {
      const contact = pick(toBeGreeted(model), who)
      const email = pick(
        model.contacts.filter((one) => one.email !== null && one.person !== contact?.person),
        other,
      )?.email
      if (!contact || !email) return
      await real.shop.importContacts([{ external_id: contact.name, email }])
      contact.email = email
      relink(model, new Set())
    },
    (model) => toBeGreeted(model).length > 0,
  )

const toBeGreeted = ({ episodes }: Model) =>
  episodes
    .filter(({ touches }) => touches.some((touch) => touch.step.onReturn && isPending(touch)))
    .map(({ contact }) => contact)

export const doSomething = (who: number, hoursAgo: number, type: 'session' | 'order') =>
  command(
    `contact ${who} had a ${type} ${hoursAgo} h ago`,
    async (model, real) => {
      const contact = pick(model.contacts, who)
      if (contact) await importEvent(model, real, contact, hoursAgo, type)
    },
    started,
  )

/** Of those who are written to, one comes back. */
export const comeBack = (who: number, hoursAgo: number) =>
  command(
    `number ${who} of those who are written to comes back ${hoursAgo} h ago`,
    async (model, real) => {
      const contact = pick(writtenTo(model), who)?.contact
      if (contact) await importEvent(model, real, contact, hoursAgo, 'session')
    },
    (model) => writtenTo(model).length > 0,
  )

const writtenTo = ({ episodes }: Model) =>
  episodes.filter(
    ({ arm, silencedAt, endedAt }) => arm === 'treated' && silencedAt === null && endedAt === null,
  )

async function importEvent(
  model: Model,
  real: Real,
  contact: Contact,
  hoursAgo: number,
  type: 'session' | 'order',
): Promise<void> {
  const at = model.now - hoursAgo * HOUR
  const id = `m${model.events.length + 1}`
  act(model, contact, at, type, id)
  const row = { external_id: contact.name, type, occurred_at: new Date(at).toISOString(), message_id: id }
  expect(await real.shop.importActivity([row])).toMatchObject({ inserted: 1 })
}

export const sameAgain = (which: number) =>
  command(
    `event ${which} comes again`,
    async (model, real) => {
      const event = pick(
        model.events.filter(({ contact }) => model.contacts.includes(contact)),
        which,
      )
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

export const unsubscribe = (who: number) =>
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

export const turn = (what: CampaignName | 'email') =>
  command(
    `${what} is paused or resumed`,
    async (model, real) => {
      const { database, clock } = real.shop
      const target = { scope: what === 'email' ? 'channel' : 'campaign', name: what } as const
      const paused = what === 'email' ? model.mailPaused : model.courses[what].state === 'paused'
      if (paused) await resumeReally(database, target)
      else await pauseReally(database, target, { reason: 'test', clock })
      if (what === 'email') model.mailPaused = !paused
      else model.courses[what].state = paused ? 'on' : 'paused'
    },
    ({ courses }) => what === 'email' || courses[what].state !== 'stopped',
  )

export const endForGood = (campaign: CampaignName) =>
  command(
    `${campaign} is stopped`,
    async (model, real) => {
      const { database, clock } = real.shop
      await stopReally(database, { scope: 'campaign', name: campaign }, { reason: 'test', clock })
      await recordStop(database, clock.now(), campaign)
      stop(model, campaign)
    },
    ({ courses }) => courses[campaign].state !== 'stopped',
  )

/** As the scheduler does each minute. */
export const idle = command('time goes on for campaigns that are paused or stopped', async (model, real) => {
  await ageIdle(real.shop.runtime)
  for (const name of NAMES) if (model.courses[name].state !== 'on') age(model, name)
  await learnEpisodes(model, real)
})

async function learnEpisodes(model: Model, real: Real): Promise<void> {
  const found = await rows<{ campaign: string; contact: string; no: number; id: number }>(
    real.shop.database,
    sql`SELECT e.campaign, c.external_id AS contact, e.episode_no AS no, e.episode_id AS id
      FROM episodes e JOIN contacts c USING (contact_id)`,
  )
  for (const { campaign, contact, no, id } of found) {
    const episode = model.episodes.find(
      (one) => one.campaign === campaign && one.contact.name === contact && one.no === no,
    )
    if (episode) episode.id = id
  }
}

/** What the query of `plan` and `explain` answers to everybody, before a run has ended or moved anything. */
async function foresee({ shop }: Real, name: CampaignName): Promise<Record<string, number>> {
  const campaign = await shop.runtime.book.current(name)
  if (!campaign) throw new Error(`${name} was not applied`)
  const found = await rows<{ answer: string; contacts: number }>(
    shop.database,
    sql`SELECT answer, count(*) AS contacts
      FROM (${answersSql({ campaign, now: shop.clock.now() }, everybody)}) a GROUP BY answer`,
  )
  return Object.fromEntries(found.map(({ answer, contacts }) => [answer, contacts]))
}

/** @param schedulers how many run the same tick at the same moment */
export const runNow = (campaign: CampaignName, schedulers: number) =>
  command(`${campaign} is run by ${schedulers}`, async (model, real) => {
    const foreseen = await foresee(real, campaign)
    const results = await Promise.all(
      Array.from({ length: schedulers }, () => real.shop.run(campaign, new Date(model.now))),
    )
    const { state } = model.courses[campaign]
    const answers = run(model, campaign)
    if (answers) expect(foreseen).toEqual(answers)
    for (const result of results) {
      if (answers === undefined) {
        expect(result.state).toBe(state === 'on' ? 'already_done' : state)
      } else if (result.state === 'done') {
        expect(result.answers).toEqual(answers)
        expect(result.considered).toBe(Object.values(answers).reduce((sum, count) => sum + count, 0))
      } else expect(result.state).toBe('already_done')
    }
    await learnEpisodes(model, real)
  })

function becomeNext(course: Course, text: number, original = course.version + 1): void {
  course.version += 1
  course.versions.set(course.version, { text, original })
}

/** @param text the number of its text; by default, the one after the current version’s */
export const applyNext = (campaign: CampaignName, text?: number) =>
  command(`another version of ${campaign} is applied`, async ({ courses }, real) => {
    const course = courses[campaign]
    const number = text ?? textOf(course, course.version) + 1
    const source = CAMPAIGNS[campaign].source(number)
    expect(await real.shop.apply(source)).toBe(course.version + 1)
    becomeNext(course, number)
    // The same again is no new version.
    expect(await real.shop.apply(source)).toBe(course.version)
  })

/** @param to which of the versions there are; null: the one before the current, which may restore one itself */
export const rollBack = (campaign: CampaignName, to: number | null) =>
  command(
    `rollback of ${campaign} to ${to === null ? 'the version before' : `version number ${to}`}`,
    async ({ courses }, real) => {
      const course = courses[campaign]
      const originalOf = (version: number) => course.versions.get(version)?.original ?? 0
      const target =
        to === null ? originalOf(originalOf(course.version) - 1) : pick([...course.versions.keys()], to)
      const done = real.shop.rollback(campaign, to === null ? undefined : target)
      if (!target) return await expect(done).rejects.toThrow('there is nothing before version')
      expect(await done).toMatchObject({ version: course.version + 1, restores: target })
      becomeNext(course, textOf(course, target), originalOf(target))
    },
  )

/** Not the account that a person with others is named after: those keep its name, and the model names by who is there. */
const erasable = ({ contacts }: Model) =>
  contacts.filter(
    ({ id, person }) =>
      id !== person || contacts.every((other) => other.id === id || other.person !== person),
  )

export const forget = (who: number) =>
  command(
    `contact ${who} of the erasable is erased`,
    async (model, real) => {
      const contact = pick(erasable(model), who)
      if (!contact) return
      const { name, id } = contact
      const done = eraseEverywhere(real.shop.runtime, name)
      if (!isErasable(model, contact)) {
        return await expect(done).rejects.toThrow('a message to the contact is being handed over')
      }
      expect(await done).toBeDefined()
      real.erased.add(name).add(id)
      erase(model, contact)
      // Tonight's file has them still.
      const { database } = real.shop
      await real.shop.importContacts([{ external_id: name }])
      expect(await rows(database, sql`SELECT FROM contacts WHERE external_id = ${name}`)).toEqual([])
    },
    started,
  )

/** What somebody chooses on the page of their preferences: nothing by these channels, or nothing for so many hours. */
export const choose = (who: number, off: readonly string[], hours: number) =>
  command(
    `contact ${who} wants nothing by ${off.join(', ') || 'no channel'}${hours > 0 ? `, nothing for ${hours} h` : ''}`,
    async (model, real) => {
      const contact = pick(model.contacts, who)
      if (!contact) return
      const { shop } = real
      const until = hours > 0 ? model.now + hours * HOUR : null
      const pausedUntil = until === null ? null : new Date(until)
      await transaction(shop.database, (tx) =>
        recordChoice(
          tx,
          contact.id,
          { ...ANYTHING, channelsOff: off, pausedUntil, source: 'test' },
          { now: shop.clock.now(), hooks: shop.runtime.hooks },
        ),
      )
      recordChosen(model, contact, { at: model.now, off, until })
    },
    started,
  )
