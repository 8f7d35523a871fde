import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { execute } from '../../src/database/connect.ts'
import { testChannel } from '../support/channel.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

it('a call that is put off to another day takes nobody’s place today', async () => {
  const calls = testChannel('callback')
  const pipeline = await openPipeline({
    definition: {
      limits: { max_delay: '60d', per_person: [{ at_most: '1 per week', then: 'defer' }] },
    },
    tiers: [
      {
        name: 'only',
        from: 3 * DAY,
        to: null,
        steps: [{ id: 'one', channels: ['callback'], call: { capacity: 2, sla: 3600 } }],
      },
    ],
    others: [calls],
  })
  const add = (phone: string) =>
    pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000), phone })
  for (const phone of ['+491701234501', '+491701234502']) {
    // They had a mail a minute ago: the cap puts their calls off to next week.
    await execute(
      pipeline.database,
      sql`INSERT INTO outside_sends (contact_id, sent_at, channel, topic, imported_at)
        VALUES (${await add(phone)}, ${new Date(START.getTime() - 60_000)}, 'email', '', ${START})`,
    )
  }
  await pipeline.runNow()
  await pipeline.work()
  expect(calls.sent).toHaveLength(0)
  for (const phone of ['+491701234503', '+491701234504', '+491701234505']) await add(phone)
  pipeline.clock.set(new Date(START.getTime() + 60_000))
  await pipeline.runNow()
  await pipeline.work()
  expect(calls.sent).toHaveLength(2)
})
