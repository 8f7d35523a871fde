import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { connect, rows } from '../../src/database/connect.ts'
import { markSending } from '../../src/touchpoints/lifecycle.ts'
import { freshDatabase } from '../support/database.ts'

it('a connection soon stops planning how a slice is marked, however few its messages are', async () => {
  const { url, schema } = await freshDatabase()
  const one = connect(url, { schema, max: 1 })
  try {
    const look = { campaign: 'test', now: new Date('2026-03-02T01:00:00Z'), needsConsent: [] }
    for (let slice = 1; slice <= 12; slice += 1) {
      const keys = [{ contactId: slice, touchpointId: slice, channel: 'email' }]
      expect(await markSending(one, randomUUID(), { ...look, keys })).toEqual([])
    }
    const plans = await rows(
      one,
      sql`SELECT custom_plans AS own, generic_plans AS kept FROM pg_prepared_statements
          WHERE statement LIKE '%''sending''%'`,
    )
    expect(plans).toEqual([{ own: 5, kept: 7 }])
  } finally {
    await one.close()
  }
})
