import { sql } from 'drizzle-orm'
import { describe, expect, it, vi } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { rows } from '../../src/database/connect.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startProcess, type WorkerProcess } from '../support/processes.ts'
import { openShop, parseWorkspace, WORKSPACE } from '../support/shop.ts'

const SOURCE = oneTierCampaign('clocks', ['{ id: ping, channel: log }'], {
  schedule: '0 * * * *',
  holdout: '30%',
})

// Real processes, which start slowly where the machine is busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

describe('schedulers whose clocks differ', () => {
  it('run each tick once between them, all at the same moment', async () => {
    const database = await freshDatabase({ max: 4 })
    // The hour is full for some of them and not yet for the others.
    const hour = Date.UTC(2026, 5, 1, 12)
    const clock = manualClock(new Date(hour - 5 * 3_600_000))
    const shop = await openShop({ database, clock, channels: [] })
    await shop.apply(SOURCE)
    await shop.importContacts(
      Array.from({ length: 300 }, (_, n) => ({
        external_id: `c${n}`,
        signed_up_at: new Date(hour - 5 * 86_400_000).toISOString(),
      })),
    )
    const engine: Engine = { kind: 'postgres', url: database.url, schema: 'winback_queue' }
    const skews = [-40_000, 40_000, 55_000]
    const processes: WorkerProcess[] = await Promise.all(
      skews.map((skew) =>
        startProcess({
          role: 'scheduler',
          databaseUrl: database.url,
          workspace: parseWorkspace(WORKSPACE),
          engine,
          leases: { queued: 60, claim: 60, send: 60 },
          lock: { duration: 60_000, check: 30_000 },
          pace: { idle: 1000, busy: 1000, sweep: 60_000, age: 3_600_000 },
          begins: hour + skew,
        }),
      ),
    )
    const seen = () =>
      processes.map((process) =>
        process.notes.filter((note) => note.event === 'run').map((note) => note.tick),
      )
    await eventually(
      'both ticks have run',
      () =>
        rows<{ tick: Date }>(
          database,
          sql`SELECT scheduled_for AS tick FROM runs WHERE state = 'done' ORDER BY 1`,
        ),
      (done) => done.length >= 2,
    )
    await Promise.all(processes.map((process) => process.stop()))
    expect(processes.flatMap((process) => process.notes).filter((note) => note.event === 'error')).toEqual([])
    // The slow one knows only of 11:00, the fast ones of 12:00.
    expect(new Set(seen().flat())).toEqual(new Set(['2026-06-01T11:00:00.000Z', '2026-06-01T12:00:00.000Z']))
    const runs = await rows<{ tick: Date; opened: number }>(
      database,
      sql`SELECT scheduled_for AS tick, coalesce((SELECT sum(contacts) FROM run_answers a
          WHERE a.run_id = r.run_id AND answer = 'opened'), 0)::bigint AS opened
        FROM runs r ORDER BY scheduled_for`,
    )
    expect(runs.map((row) => row.tick.toISOString())).toEqual([
      '2026-06-01T11:00:00.000Z',
      '2026-06-01T12:00:00.000Z',
    ])
    expect(runs.reduce((sum, row) => sum + row.opened, 0)).toBe(300)
    const [episodes] = await rows(
      database,
      sql`SELECT count(*) AS episodes, count(DISTINCT contact_id) AS contacts FROM episodes`,
    )
    expect(episodes).toEqual({ episodes: 300, contacts: 300 })
  })
})
