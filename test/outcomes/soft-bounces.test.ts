import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { DeliveryEvent } from '../../src/channels/channel.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import type { ReportingChannel } from '../../src/outcomes/reporting.ts'
import { tellsOfAddress } from '../../src/outcomes/soft-bounces.ts'
import { type Fate, isWornOut } from '../../src/outcomes/worn-out.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'

const EMAIL: ReportingChannel = {
  name: 'email',
  kind: 'email',
  channelsOf: { email: ['email'], phone: [] },
  phoneKeys: () => [],
}

describe('a row of soft bounces', () => {
  const fate = (came: Fate['came'], day = 'good'): Fate => ({ came, day })
  const five = Array.from({ length: 5 }, () => fate('back'))
  const isWorn = (...fates: Fate[]) => isWornOut(fates, (day) => day === 'good')

  it('is worn out by five that tell of the address; what tells nothing of it is neither for nor against', () => {
    expect(isWorn(...five)).toBe(true)
    expect(isWorn(...five.slice(1))).toBe(false)
    const mixed = [fate('ours'), fate('back', 'bad'), ...five.slice(2), fate('ours'), fate('back')]
    expect(isWorn(...mixed)).toBe(false)
    expect(isWorn(...mixed, fate('back'))).toBe(true)
    expect(isWorn(...five.slice(1), fate('through'), ...five)).toBe(false)
    expect(isWorn(...five.slice(1), fate('unknown'), ...five)).toBe(false)
  })

  it('tells of no address while more than one in five of the others comes back, or nobody else was sent anything', () => {
    expect(tellsOfAddress({ sent: 1, returned: 1 })).toBe(false)
    expect(tellsOfAddress({ sent: 2, returned: 1 })).toBe(true)
    expect(tellsOfAddress({ sent: 11, returned: 3 })).toBe(true)
    expect(tellsOfAddress({ sent: 11, returned: 4 })).toBe(false)
    fc.assert(
      fc.property(fc.nat(1e6), (others) => !tellsOfAddress({ sent: others + 1, returned: others + 1 })),
    )
  })
})

describe('soft bounces', () => {
  const PEOPLE = 20
  let scene: Pipeline
  let people: number[]

  beforeEach(async () => {
    scene = await openPipeline({ database: await emptiedDatabase() })
    people = []
    for (let no = 0; no < PEOPLE; no += 1)
      people.push(await scene.addContact({ email: `p${no}@people.test` }))
    await ensurePartitions(scene.database, 'touchpoint_records', [START])
  })

  /** To each, once. */
  const send = async (day: number) => {
    const at = new Date(START.getTime() + day * DAY * 1000)
    const sent = await execute(
      scene.database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt, planned_for,
          settled_at)
        SELECT contact_id, contact_id * 100 + ${day}, 1, (SELECT min(step_id) FROM steps), 'sent', 'email', 1, ${at}, ${at}
        FROM contacts ON CONFLICT DO NOTHING`,
    )
    if (sent === 0) return
    await execute(
      scene.database,
      sql`INSERT INTO send_counts (campaign, channel, sent_at, sent) VALUES ('test', 'email', ${at}, ${sent})`,
    )
  }
  const returned = async (day: number, who: readonly number[], more: Partial<DeliveryEvent> = {}) => {
    const at = new Date(START.getTime() + (day * DAY + 3600) * 1000)
    await send(day)
    for (const contactId of who) {
      const touchpointId = contactId * 100 + day
      const event = {
        contactId,
        touchpointId,
        kind: 'soft_bounce',
        eventId: `back ${touchpointId}`,
        at,
        ...more,
      } as const
      await recordReceipts(scene.database, at, EMAIL, [event])
    }
  }
  const listed = async () =>
    (
      await rows<{ id: number }>(
        scene.database,
        sql`SELECT c.contact_id AS id FROM suppressions s JOIN contacts c ON c.email_key = s.key ORDER BY 1`,
      )
    ).map(({ id }) => id)

  it('of everybody list nobody, however many there are in a row; those after it list who alone had them', async () => {
    for (let day = 1; day <= 6; day += 1) await returned(day, people)
    expect(await listed()).toEqual([])
    const gone = people.slice(3, 5)
    for (let day = 7; day <= 10; day += 1) await returned(day, gone)
    expect(await listed()).toEqual([])
    await returned(11, gone)
    expect(await listed()).toEqual(gone)
  })

  it('count a message once among those of its day, whatever its provider says of it twice', async () => {
    const gone = people.slice(0, 1)
    for (let day = 1; day <= 5; day += 1) {
      for (let no = 0; no < 8; no += 1) await returned(day, gone, { eventId: `back ${no}` })
    }
    expect(await listed()).toEqual(gone)
    expect(await rows(scene.database, sql`SELECT sum(messages)::int AS messages FROM soft_bounces`)).toEqual([
      { messages: 5 },
    ])
  })

  it('count a message once where what is said of another beside it has the same id', async () => {
    await send(1)
    const [one = 0, other = 0] = people
    await returned(1, [one], { eventId: 'a' })
    const at = new Date(START.getTime() + (DAY + 3600) * 1000)
    const said = (contactId: number, eventId: string) => {
      return { contactId, touchpointId: contactId * 100 + 1, kind: 'soft_bounce', eventId, at } as const
    }
    await recordReceipts(scene.database, at, EMAIL, [said(one, 'b'), said(other, 'a'), said(other, 'c')])
    expect(await rows(scene.database, sql`SELECT sum(messages)::int AS messages FROM soft_bounces`)).toEqual([
      { messages: 2 },
    ])
  })

  it('count a message once where its provider says of it twice at a time', async () => {
    await send(1)
    for (const contactId of people.slice(0, 5)) {
      const told = ['a', 'b', 'c', 'd'].map((eventId) => returned(1, [contactId], { eventId }))
      await Promise.all(told)
    }
    expect(await rows(scene.database, sql`SELECT sum(messages)::int AS messages FROM soft_bounces`)).toEqual([
      { messages: 5 },
    ])
  })

  it('that are said to be the sender’s list nobody, be it a single one’s', async () => {
    const blocked = people.slice(0, 1)
    for (let day = 1; day <= 6; day += 1) await returned(day, blocked, { ours: true })
    expect(await listed()).toEqual([])
    for (let day = 7; day <= 11; day += 1) await returned(day, blocked)
    expect(await listed()).toEqual(blocked)
  })
})
