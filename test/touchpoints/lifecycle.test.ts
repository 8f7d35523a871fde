import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { connect, execute, rows } from '../../src/database/connect.ts'
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

it('a touchpoint is born planned, and changes along the edges of the life-cycle alone, whoever writes it', async () => {
  const database = await freshDatabase()
  const states = ['planned', 'queued', 'claimed', 'sending'] as const
  const held = (
    state: string,
  ) => sql`claim_id = ${state === 'claimed' || state === 'sending' ? randomUUID() : null},
    lease_until = ${state === 'planned' ? null : '2026-03-02T01:00:00Z'}`
  const make = (state: string) =>
    execute(
      database,
      sql`INSERT INTO touchpoints (contact_id, touchpoint_id, episode_id, step_id, state, planned_for, due_at)
          VALUES (1, 1, 1, 1, ${state}, now(), now())`,
    )
  await expect(make('queued')).rejects.toThrow('born queued, not planned')
  await make('planned')
  /** How a new one gets into each state. */
  const ways = {
    planned: [],
    queued: ['queued'],
    claimed: ['queued', 'claimed'],
    sending: [...states.slice(1)],
  }
  const move = (to: string) =>
    execute(database, sql`UPDATE touchpoints SET state = ${to}, ${held(to)} WHERE touchpoint_id = 1`)
  const edges: string[] = []
  for (const from of states) {
    for (const to of states.filter((each) => each !== from)) {
      await move('planned')
      for (const state of ways[from]) await move(state)
      const moved = await move(to).catch((error: Error) => error.message)
      if (moved === 1) edges.push(`${from} → ${to}`)
      else expect(moved).toContain(`no edge from ${from} to ${to}`)
    }
  }
  expect(edges).toEqual([
    ...['planned → queued', 'queued → planned', 'queued → claimed'],
    ...['claimed → planned', 'claimed → sending', 'sending → planned'],
  ])
})
