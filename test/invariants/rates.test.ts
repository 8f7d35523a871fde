import { sql } from 'drizzle-orm'
import { afterAll, expect, it, vi } from 'vitest'
import { execute, rows } from '../../src/database/connect.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { zoneAtNoon } from '../support/noon.ts'
import { killProcesses } from '../support/processes.ts'
import { openScene } from '../support/scene.ts'

// A day of a warm-up and a provider's rate with several dispatchers and workers, each a process of its own, that have
// more to send than they may: all of them together send that many, and none more.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

/** Less than is due, and no multiple of what anybody takes at once. */
const WARM_UP = 37
const PROVIDER = 57
const PEOPLE = 90

afterAll(killProcesses)

// Counted in PostgreSQL, whatever queues: on one engine alone.
it('a warm-up’s day and a provider’s rate are one for all processes', async () => {
  const database = await freshDatabase({ max: 4 })
  const { zone: timezone, today } = zoneAtNoon()
  const scene = await openScene({
    database,
    engine: { kind: 'postgres', url: database.url, schema: 'winback_queue' },
    delay: 2,
    timezone,
    rates: `{ email: { at_most: ${PROVIDER} per 1d, warm_up: { starts: "${today}", from: ${WARM_UP}, to: 5000 } } }`,
  })
  await scene.wave(PEOPLE)
  // All of them are there before anybody may begin: who comes first would else take everything.
  await execute(
    database,
    sql`INSERT INTO switches (scope, name, state, reason, since)
      VALUES ('channel', 'email', 'paused', 'not yet', now())`,
  )
  await Promise.all(
    (['scheduler', 'scheduler', 'worker', 'worker'] as const).map((role) => scene.start(role)),
  )
  await execute(database, sql`DELETE FROM switches`)

  /** Holds that so many went out, after somebody has looked for more and was given nothing. */
  const only = async (sent: number) => {
    const gone = () => rows(database, sql`SELECT FROM touchpoint_records WHERE state = 'sent'`)
    await eventually('they are sent', gone, (records) => records.length >= sent)
    // Each look writes what it has left.
    const look = async () =>
      (await rows<{ by: string }>(database, sql`SELECT xmin::text AS by FROM send_rates`))[0]?.by
    const by = await look()
    await eventually('the dispatchers look again', look, (later) => later !== by)
    expect(
      await rows(
        database,
        sql`SELECT state, count(*) FROM touchpoints GROUP BY state UNION ALL
            SELECT state, count(*) FROM touchpoint_records GROUP BY state ORDER BY state`,
      ),
    ).toEqual([
      { state: 'planned', count: PEOPLE - sent },
      { state: 'sent', count: sent },
    ])
    expect(scene.smtp.messages).toHaveLength(sent)
  }
  await only(WARM_UP)
  // As if it had been yesterday: the warm-up gives again, and the provider what is left of its rate.
  await execute(database, sql`UPDATE send_rates SET day = day - 1`)
  await only(PROVIDER)
  await killProcesses()
  await scene.close()
})
