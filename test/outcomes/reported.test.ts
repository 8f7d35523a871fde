import { sql } from 'drizzle-orm'
import { beforeAll, expect, it } from 'vitest'
import type { DeliveryEvent } from '../../src/channels/channel.ts'
import { type Database, execute, rows } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { acknowledgeMessage } from '../../src/outcomes/inbox.ts'
import { recordReceipts } from '../../src/outcomes/receipts.ts'
import type { ReportingChannel } from '../../src/outcomes/reporting.ts'
import { recordUnsubscribe } from '../../src/outcomes/unsubscribes.ts'
import { watchChannels } from '../../src/touchpoints/breakers.ts'
import { freshDatabase } from '../support/database.ts'
import { openPipeline } from '../support/pipeline.ts'

const EMAIL: ReportingChannel = {
  name: 'email',
  kind: 'email',
  channelsOf: { email: ['email'], phone: [] },
  phoneKeys: () => [],
}
const NOW = new Date('2026-03-20T12:00:00Z')

// One connection: of what it has read, it can be asked.
let database: Database
let contactId: number

beforeAll(async () => {
  database = await freshDatabase({ max: 1 })
  contactId = await (await openPipeline({ database })).addContact()
  await ensurePartitions(database, 'touchpoint_records', { from: new Date('2025-03-20T12:00:00Z'), to: NOW })
  // Message 1 is of this month, 2 of the one before, and so on; each month has many of other people.
  await execute(
    database,
    sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt, planned_for,
        settled_at)
      SELECT CASE other WHEN 0 THEN ${contactId} ELSE 1000 + other END, age + 100 * other, age, 1, 'sent', 'email', 1, at, at
      FROM generate_series(1, 12) age, generate_series(0, 400) other,
        LATERAL (SELECT ${NOW}::timestamptz - make_interval(months => age - 1) AS at) t`,
  )
  await execute(
    database,
    sql`INSERT INTO send_counts (campaign, channel, sent_at, sent) VALUES ('test', 'email', ${NOW}, 100)`,
  )
})

/** The months whose records are looked into, be it in vain, newest first. */
async function monthsLookedInto(work: () => Promise<unknown>): Promise<string[]> {
  const scans = async () => {
    await rows(database, sql`SELECT pg_stat_force_next_flush()`)
    return await rows<{ month: string; scans: number }>(
      database,
      sql`SELECT right(relname, 7) AS month, seq_scan + coalesce(idx_scan, 0) AS scans FROM pg_stat_user_tables
        WHERE relname LIKE 'touchpoint_records_%' ORDER BY 1 DESC`,
    )
  }
  const before = new Map((await scans()).map((row) => [row.month, row.scans]))
  await work()
  return (await scans()).filter((row) => row.scans > (before.get(row.month) ?? 0)).map(({ month }) => month)
}

const told = (touchpointId: number, kind: DeliveryEvent['kind'], whom = contactId) =>
  recordReceipts(database, NOW, EMAIL, [
    { contactId: whom, touchpointId, kind, eventId: `${kind} ${touchpointId}`, at: NOW },
  ])

it.each(['delivered', 'hard_bounce'] as const)(
  'what is said (%s) of a message of this month is looked up in no month before',
  async (kind) => {
    expect(await monthsLookedInto(() => told(1, kind))).toEqual(['2026_03'])
  },
)

it('what is said of a message of long ago is looked up in no month before that', async () => {
  expect(await monthsLookedInto(() => told(4, 'delivered'))).toEqual([
    '2026_03',
    '2026_02',
    '2026_01',
    '2025_12',
  ])
})

it('who unsubscribes by its link, or has it shown by the app, is looked up in the month of the message', async () => {
  const leaving = { contactId, touchpointId: 1, way: 'page' as const }
  expect(await monthsLookedInto(() => recordUnsubscribe(database, NOW, EMAIL, leaving))).toEqual(['2026_03'])
  await execute(
    database,
    sql`INSERT INTO inapp_messages (contact_id, touchpoint_id, episode_id, step_id, locale, title, text, html, created_at)
        SELECT contact_id, touchpoint_id, episode_id, step_id, 'en', '', '', '', settled_at FROM touchpoint_records
        WHERE contact_id = ${contactId} AND touchpoint_id = 2`,
  )
  const message = { externalId: 'u1', contactId, touchpointId: 2, tapped: true }
  let shown: boolean | undefined
  const looked = await monthsLookedInto(async () => {
    shown = await acknowledgeMessage(database, NOW, message)
  })
  expect([shown, looked]).toEqual([true, ['2026_02']])
})

it('what is said of no message of ours is looked up in every month, once', async () => {
  let added: unknown
  const looked = await monthsLookedInto(async () => {
    added = await told(77, 'delivered')
  })
  expect(added).toMatchObject({ added: 0, ignored: 1 })
  expect(looked).toHaveLength(13)
})

it('breakers look no message up to count what went wrong', async () => {
  for (const other of [1, 2, 3])
    await told(100 * other + 1, other === 3 ? 'hard_bounce' : 'complaint', 1000 + other)
  let tripped: unknown
  const looked = await monthsLookedInto(async () => {
    tripped = await watchChannels(database, NOW, {})
  })
  expect(tripped).toMatchObject([{ reason: expect.stringContaining('(2 of 100)') }])
  expect(looked).toEqual([])
})
