import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, type Session } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { OUTBOX_LINES, readOutbox } from '../../src/web/pages/outbox/outbox-lines.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { openShop } from '../support/shop.ts'

const NOW = new Date('2026-03-28T12:00:00Z')
const HOUR = 3_600_000
const CAMPAIGN = `
version: 1
campaign: spring
title: Spring
schedule: "0 9 * * *"
goals: { recall: { event: session } }
window: 30d
holdout: 20%
tiers:
  - name: only
    inactive: 3d..
    steps: [{ id: remind, channel: email, template: hello }]
`

it('looks no further back than until a page is full: of a month with a million messages, all were sorted', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(NOW), channels: [testChannel('email')] })
  await shop.apply(CAMPAIGN)
  await ensurePartitions(database, 'touchpoint_records', [new Date('2026-02-26'), NOW])
  // As many as `count`, the first `hours` ago, each a second before.
  const settle = (count: number, hours: number, state: string) =>
    execute(
      database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, channel, attempt,
            planned_for, settled_at)
          SELECT no, no, no, (SELECT min(step_id) FROM steps), ${state},
            CASE WHEN ${state} = 'failed' THEN 'refused' END, 'email', 1, at, at
          FROM generate_series(1, ${count}::int) AS no,
            LATERAL (SELECT ${new Date(NOW.getTime() - hours * HOUR)}::timestamptz - make_interval(secs => no) AS at) AS t`,
    )
  await settle(120, 0, 'sent')
  await settle(60, 24, 'failed')
  await settle(60, 20 * 24, 'failed')
  await settle(60, 40 * 24, 'failed')

  /** How many lines there are, how old the last is, and how far back was looked for them, in hours. */
  const read = async (what: 'sent' | 'failed') => {
    const looked: number[] = []
    const watched: Session = {
      ...database,
      client: {
        query: (text: string, values: readonly unknown[]) => {
          looked.push((NOW.getTime() - new Date(values[0] as Date).getTime()) / HOUR)
          return database.client.query(text, [...values])
        },
      } as Session['client'],
    }
    const lines = await readOutbox(watched, { what }, NOW)
    const ages = lines.map(({ at }) => NOW.getTime() - at.getTime())
    expect(ages).toEqual(ages.toSorted((one, other) => one - other))
    return { lines: lines.length, oldest: Math.floor((ages.at(-1) ?? 0) / HOUR), looked }
  }
  expect(await read('sent')).toEqual({ lines: OUTBOX_LINES, oldest: 0, looked: [6] })
  expect(await read('failed')).toEqual({ lines: 100, oldest: 20 * 24, looked: [6, 48, 31 * 24] })
  await shop.runtime.close()
})
