import { Readable } from 'node:stream'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { consentHistory, consentStates, recordConsents } from '../../src/contacts/consent.ts'
import { findContact } from '../../src/contacts/external-ids.ts'
import { importContacts } from '../../src/contacts/import.ts'
import { ANYTHING, type Preferences, readChoice, recordChoice } from '../../src/contacts/preferences.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { readLeaving } from '../../src/reports/leaving.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { untilWaiting } from '../support/waiting.ts'
import { clock, file, options } from './files.ts'

const now = clock.now()
const ago = (hours: number) => new Date(now.getTime() - hours * 3_600_000)
const PHONE = '+8613800138000'

/** Accounts a, b and c with one number. */
async function open() {
  const database = await freshDatabase()
  const put = async (rows: string) =>
    await importContacts(database, file('contacts.csv', `external_id,phone\n${rows}`), options())
  await put(['a', 'b', 'c'].map((id) => `${id},${PHONE}\n`).join(''))
  const idOf = async (name: string) => await findContact(database, name)
  return {
    database,
    put,
    idOf,
    choose: async (name: string, chosen: Partial<Preferences>, at: Date) => {
      const contactId = await idOf(name)
      await transaction(database, (tx) =>
        recordChoice(tx, contactId, { ...ANYTHING, ...chosen, source: 'test' }, { now: at, hooks: {} }),
      )
    },
    choiceOf: async (name: string) => await readChoice(database, await idOf(name), now),
  }
}

it('what a person refused holds on for each account that another address makes a person of its own', async () => {
  const { database, put, idOf, choose, choiceOf } = await open()
  await choose('b', { channelsOff: ['push'], pausedUntil: new Date('2026-05-01T00:00:00Z') }, ago(9))
  await choose('a', { channelsOff: ['sms'], topicsOff: ['news'] }, ago(8))
  const withdrawn = { channel: 'email', decision: 'withdrawn', wording: null, source: 'test' } as const
  const given = { ...withdrawn, decision: 'given', proof: null } as const
  const [a, b, c] = [await idOf('a'), await idOf('b'), await idOf('c')]
  await transaction(database, (tx) =>
    recordConsents(
      tx,
      [
        { ...withdrawn, contactId: a, decidedAt: ago(5), proof: 'a letter' },
        { ...given, contactId: b, decidedAt: ago(6) },
        { ...given, contactId: c, decidedAt: ago(4) },
      ],
      { now, hooks: {} },
    ),
  )
  await put('a,+8613900139000\n')
  // Beside what it had refused itself before.
  expect(await choiceOf('b')).toMatchObject({
    channelsOff: ['push', 'sms'],
    topicsOff: ['news'],
    pausedUntil: new Date('2026-05-01T00:00:00Z'),
    chosenAt: ago(8),
    source: 'parting of accounts',
    reason: null,
  })
  expect(await choiceOf('a')).toMatchObject({ channelsOff: ['sms'], source: 'test' })
  expect(await consentStates(database, b, now)).toEqual([{ channel: 'email', state: 'withdrawn' }])
  // What was given since was given.
  expect(await consentStates(database, c, now)).toEqual([{ channel: 'email', state: 'given' }])
  expect(await consentHistory(database, b)).toContainEqual(
    expect.objectContaining({ decision: 'withdrawn', decidedAt: ago(5), proof: null }),
  )
  const { said } = await readLeaving(database, { campaign: 'any', now, split: new Map() })
  expect(said.filter(({ source }) => source === 'consent')).toMatchObject([{ what: 'email', people: 1 }])
  // One that refuses nothing takes nothing back.
  await choose('b', { channelsOff: ['*'] }, ago(3))
  await choose('c', {}, ago(2))
  await put('b,+8613700137000\n')
  expect(await choiceOf('b')).toMatchObject({ channelsOff: ['*'], source: 'test' })
})

it('what is being refused as an account parts holds on, too', async () => {
  const { database, put, idOf, choiceOf } = await open()
  const a = await idOf('a')
  let parting: Promise<unknown> | undefined
  await transaction(database, async (tx) => {
    await recordChoice(tx, a, { ...ANYTHING, channelsOff: ['*'], source: 'test' }, { now: ago(1), hooks: {} })
    parting = put('b,+8613900139000\n')
    await untilWaiting(database)
  })
  await parting
  expect(await choiceOf('b')).toMatchObject({ channelsOff: ['*'], source: 'parting of accounts' })
  await execute(database, sql`DELETE FROM preferences WHERE contact_id = ${a}`)
  expect(await choiceOf('b')).toMatchObject({ channelsOff: ['*'] })
})

it('what two accounts refused each holds for both once they are one person’s, until they choose anew', async () => {
  const { database, put, choose, choiceOf } = await open()
  await put('a,+8613900139000\nb,+8613700137000\n')
  const weekly = { atMost: 1, withinDays: 7 }
  const spring = new Date('2026-04-01T00:00:00Z')
  await choose('a', { channelsOff: ['*'], topicsOff: ['news'], pausedUntil: spring }, ago(9))
  await choose('b', { channelsOff: ['sms'], frequency: { atMost: 4, withinDays: 30 } }, ago(8))
  await choose('c', { frequency: weekly }, ago(7))
  await put(`a,${PHONE}\nb,${PHONE}\n`)
  for (const name of ['a', 'b', 'c']) {
    expect(await choiceOf(name)).toMatchObject({
      channelsOff: ['*', 'sms'],
      topicsOff: ['news'],
      frequency: { atMost: 4, withinDays: 30 },
      pausedUntil: spring,
      chosenAt: now,
      source: 'merging of accounts',
    })
  }
  // Nobody opted out by that.
  const { said } = await readLeaving(database, { campaign: 'any', now, split: new Map() })
  expect(said.map(({ what, people }) => [what, people])).toEqual([
    ['*', 1],
    ['sms', 1],
  ])
})

it('a merge writes nothing down where the latest choice refuses as much as the others', async () => {
  const { database, put, choose, choiceOf } = await open()
  await put('a,+8613900139000\n')
  await choose('a', { channelsOff: ['sms'] }, ago(9))
  await choose('b', { channelsOff: ['sms', 'push'] }, ago(8))
  await put(`a,${PHONE}\n`)
  expect(await choiceOf('a')).toMatchObject({ channelsOff: ['sms', 'push'], source: 'test' })
  expect(await execute(database, sql`SELECT FROM preferences`)).toBe(2)
})

it('what somebody refuses while a file of contacts is read holds as its rows make them one with another', async () => {
  const { database, put, idOf, choose } = await open()
  await put('b,+8613900139000\n')
  await choose('a', { channelsOff: ['*'] }, ago(9))
  const later = manualClock(now)
  async function* lines() {
    yield Buffer.from('external_id,phone\nd,+8613600136000\n')
    const known = () => execute(database, sql`SELECT FROM external_ids WHERE external_id = 'd'`)
    await eventually('the first row is there', known, (found) => found > 0)
    later.advance(3600)
    await choose('b', { channelsOff: ['sms'] }, later.now())
    later.advance(1)
    yield Buffer.from(`b,${PHONE}\n`)
  }
  const input = Readable.from(lines())
  await importContacts(database, 'contacts.csv', {
    ...options({ clock: later, chunk: 1, input }),
    rejectFile: file('rejects.csv', ''),
  })
  later.advance(1)
  expect(await readChoice(database, await idOf('b'), later.now())).toMatchObject({
    channelsOff: ['*', 'sms'],
    source: 'merging of accounts',
  })
})

it('what is refused while a row waits for whoever refuses it, too', async () => {
  const { database, put, idOf, choose } = await open()
  await put('b,+8613900139000\n')
  await choose('a', { channelsOff: ['*'] }, ago(9))
  const b = await idOf('b')
  const moment = new Date(now.getTime() + 30_000)
  let merging: Promise<unknown> | undefined
  await transaction(database, async (tx) => {
    const refused = { ...ANYTHING, channelsOff: ['sms'], source: 'test' }
    await recordChoice(tx, b, refused, { now: moment, hooks: {} })
    merging = put(`b,${PHONE}\n`)
    await untilWaiting(database)
  })
  await merging
  const choice = await readChoice(database, b, new Date(moment.getTime() + 1000))
  expect(choice).toMatchObject({ channelsOff: ['*', 'sms'], source: 'merging of accounts' })
})

it('a person stays who they are once the account they were named after is erased: draws are by that name', async () => {
  const { database, put, idOf } = await open()
  const a = await idOf('a')
  await transaction(database, (tx) => eraseContact(tx, a, { now, hooks: {}, phoneKeys: () => [] }))
  const personsOf = async () =>
    await rows<{ person: number }>(database, sql`SELECT DISTINCT person_id AS person FROM contacts`)
  const mails = file('mails.csv', 'external_id,email\nb,b@shop.example\n')
  await importContacts(database, mails, options())
  expect(await personsOf()).toEqual([{ person: a }])
  await put(`d,${PHONE}\n`)
  expect(await personsOf()).toEqual([{ person: a }])
  // Of two, each is somebody else from now on.
  await put('b,+8613900139000\n')
  const [b, c] = [await idOf('b'), await idOf('c')]
  expect((await personsOf()).map(({ person }) => person).toSorted()).toEqual([b, c])
})
