import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { importActivity, importContacts } from '../../src/contacts/import.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { file, options, workspace } from './files.ts'

// Whatever the order, the chunks and the repeats: the same sums and the same persons as adding everything up once.

interface Person {
  id: string
  email: string
  phone: string
}
interface Event {
  id: string
  type: string
  day: number
  value: number
}

const people = fc.uniqueArray(
  fc.record({
    id: fc.integer({ min: 0, max: 30 }).map((n) => `u${n}`),
    email: fc.integer({ min: 0, max: 9 }).map((n) => (n === 0 ? '' : `m${n}@example.com`)),
    phone: fc.integer({ min: 0, max: 9 }).map((n) => (n === 0 ? '' : `1380000000${n}`)),
  }),
  { selector: ({ id }) => id, maxLength: 25 },
)
const events = fc.array(
  fc.record({
    id: fc.integer({ min: 0, max: 4 }).map((n) => `u${n}`),
    type: fc.constantFrom('session', 'order', 'email_open'),
    // Few different ones, so that many rows are alike.
    day: fc.constantFrom(1, 2, 30, 70),
    value: fc.integer({ min: 0, max: 1 }),
  }),
  { maxLength: 40 },
)
const order = <T>(list: T[], seed: number): T[] => {
  let state = seed
  return list
    .map((item) => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return { item, at: state }
    })
    .sort((one, two) => one.at - two.at)
    .map(({ item }) => item)
}
const instant = (day: number) => new Date(Date.UTC(2025, 11, day))
const empty = (database: Database) =>
  rows(database, sql`TRUNCATE contacts, external_ids, contact_activity, activity, feed_days, imports`)

function groupsOf(list: readonly Person[], limit: number): string[] {
  const links = (person: Person) => [person.email, person.phone].filter((link) => link !== '')
  const carriers = new Map<string, number>()
  for (const link of list.flatMap(links)) carriers.set(link, (carriers.get(link) ?? 0) + 1)
  let groups = list.map((person) => ({ ids: [person.id], links: new Set(links(person)) }))
  for (let merged = true; merged; ) {
    merged = false
    for (const one of groups) {
      const other = groups.find(
        (group) =>
          group !== one &&
          [...group.links].some((link) => one.links.has(link) && (carriers.get(link) ?? 0) <= limit),
      )
      if (!other) continue
      one.ids.push(...other.ids)
      for (const link of other.links) one.links.add(link)
      groups = groups.filter((group) => group !== other)
      merged = true
      break
    }
  }
  return groups.map(({ ids }) => ids.sort().join(' ')).sort()
}

const storedGroups = async (database: Database) =>
  (
    await rows<{ ids: string }>(
      database,
      sql`SELECT string_agg(external_id, ' ' ORDER BY external_id COLLATE "C") AS ids FROM contacts GROUP BY person_id`,
    )
  )
    .map(({ ids }) => ids)
    .sort()

const contactsFile = (list: readonly Person[]) =>
  file(
    'c.csv',
    `external_id,email,phone\n${list.map(({ id, email, phone }) => `${id},${email},${phone}\n`).join('')}`,
  )

describe('importing in any order, any chunks, with repeats', () => {
  it('links the same persons, each named after its first contact', { timeout: 60_000 }, async () => {
    const database = await freshDatabase()
    const limit = workspace.persons.shared_by_at_most
    await fc.assert(
      fc.asyncProperty(
        people,
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        fc.nat({ max: 25 }),
        async (list, seed, chunk, cut) => {
          await empty(database)
          const shuffled = order(list, seed)
          const parts = [shuffled.slice(0, cut), [...shuffled.slice(cut), ...shuffled.slice(0, 3)], list]
          for (const part of parts) await importContacts(database, contactsFile(part), options({ chunk }))
          expect(await storedGroups(database)).toEqual(groupsOf(list, limit))
          const [named] = await rows(
            database,
            sql`SELECT count(*) AS wrong FROM (SELECT person_id, min(contact_id) AS first FROM contacts GROUP BY 1) AS p
                WHERE person_id <> first`,
          )
          expect(named).toEqual({ wrong: 0 })
          const again = await importContacts(database, contactsFile(list), options())
          expect(again).toMatchObject({ inserted: 0, updated: 0, unchanged: list.length })
        },
      ),
      { numRuns: 20 },
    )
  })

  it('links by the addresses of today when they change', { timeout: 60_000 }, async () => {
    const database = await freshDatabase()
    const limit = workspace.persons.shared_by_at_most
    const steps = fc.array(people, { minLength: 2, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 9 }), async (files, chunk) => {
        await empty(database)
        const state = new Map<string, Person>()
        for (const list of files) {
          for (const person of list) state.set(person.id, person)
          await importContacts(database, contactsFile(list), options({ chunk }))
        }
        expect(await storedGroups(database)).toEqual(groupsOf([...state.values()], limit))
      }),
      { numRuns: 15 },
    )
  })

  it('sums the same activity', { timeout: 60_000 }, async () => {
    const database = await freshDatabase()
    const write = (list: readonly Event[]) =>
      file(
        'a.csv',
        `external_id,type,occurred_at,value\n${list
          .map(({ id, type, day, value }) => `${id},${type},${instant(day).toISOString()},${value}\n`)
          .join('')}`,
      )
    await fc.assert(
      fc.asyncProperty(
        events,
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        fc.nat({ max: 40 }),
        async (list, seed, chunk, cut) => {
          await empty(database)
          const shuffled = order(list, seed)
          for (const part of [shuffled.slice(0, cut), shuffled, shuffled.slice(0, 5), list]) {
            await importActivity(database, write(part), options({ chunk }))
          }
          const expected = [...new Set(list.map(({ id }) => id))].sort().map((id) => {
            const mine = list.filter((event) => event.id === id)
            const active = mine.filter(({ type }) => type !== 'email_open').map(({ day }) => day)
            const orders = mine.filter(({ type }) => type === 'order')
            const first = (days: number[]) => (days.length === 0 ? null : instant(Math.min(...days)))
            const last = (days: number[]) => (days.length === 0 ? null : instant(Math.max(...days)))
            return {
              external_id: id,
              silent_since: last(active),
              last_active_at: last(active),
              first_active_at: first(active),
              activity_count: active.length,
              orders_count: orders.length,
              orders_total: orders.reduce((sum, { value }) => sum + value * 1e6, 0),
              first_order_at: first(orders.map(({ day }) => day)),
              last_order_at: last(orders.map(({ day }) => day)),
            }
          })
          const found = await rows(
            database,
            sql`SELECT external_id, silent_since, last_active_at, first_active_at, activity_count, orders_count,
                orders_total, first_order_at, last_order_at
              FROM contacts JOIN contact_activity USING (contact_id) ORDER BY external_id COLLATE "C"`,
          )
          expect(found).toEqual(expected)
          const [feed] = await rows(
            database,
            sql`SELECT coalesce(sum(events), 0)::int AS events FROM feed_days`,
          )
          expect(feed).toEqual({ events: list.filter(({ type }) => type !== 'email_open').length })
        },
      ),
      { numRuns: 20 },
    )
  })
})
