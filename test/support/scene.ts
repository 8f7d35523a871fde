import { sql } from 'drizzle-orm'
import { Temporal } from 'temporal-polyfill'
import { expect } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { type Database, rows } from '../../src/database/connect.ts'
import { throughOutage } from '../../src/database/outage.ts'
import type { Engine } from '../../src/touchpoints/queue/engine.ts'
import { BACK_OFF } from '../../src/touchpoints/sending/sends.ts'
import { oneTierCampaign } from './campaign.ts'
import { eventually } from './eventually.ts'
import { assertRunning, startProcess, type WorkerProcess, type WorkerTask } from './processes.ts'
import { openShop, parseWorkspace, type Shop, TEMPLATES, WORKSPACE } from './shop.ts'
import { type CaptureServer, startSmtp } from './smtp.ts'

// A campaign whose messages go out over real SMTP from processes of their own, for tests that ill-treat those.

/**
 * The schedule of a campaign whose next tick is half a day away. The processes' clocks are right: a run of their own, on
 * the hour, would take in whom the test's own run is to find.
 */
export function distantSchedule(timezone = 'UTC'): string {
  return `0 ${(Temporal.Now.zonedDateTimeISO(timezone).hour + 12) % 24} * * *`
}

const source = (timezone: string) =>
  oneTierCampaign('faults', ['{ id: remind, channel: email, template: hello }'], {
    schedule: distantSchedule(timezone),
  })

/** Sends a process may have under way: what one that is killed may leave in doubt. */
export const WIDTH = 4

export interface Scene {
  readonly shop: Shop
  readonly smtp: CaptureServer
  /** Starts a process on the scene's database and engine. */
  start(role: WorkerTask['role']): Promise<WorkerProcess>
  /** Has so many new people written to: they are planned when it resolves. */
  wave(people: number): Promise<void>
  /** Resolves when at least `count` messages of this wave have arrived. */
  received(count: number): Promise<void>
  /**
   * Waits until every touchpoint has ended, and holds what arrived against what is recorded: nobody twice, nobody
   * lost, nobody in doubt but `doubts` at most.
   */
  settled(doubts: number): Promise<{ sent: number; uncertain: number; resolved: number }>
  close(): Promise<void>
}

/** @param options.delay milliseconds the server thinks about each message */
export async function openScene(options: {
  database: Database
  engine: Engine
  delay?: number
  /** The campaign `faults`, instead of the one of this file. */
  source?: string
  templates?: Readonly<Record<string, string>>
  /** Of one message, in units. */
  price?: string
  /** The workspace's `rates`, as YAML, and the zone whose days they count. */
  rates?: string
  timezone?: string
}): Promise<Scene> {
  const { database, engine } = options
  const smtp = await startSmtp({ faults: [{ at: 'dot', delay: options.delay ?? 40 }] })
  const { rates = '{}', timezone = 'UTC' } = options
  const workspace = `${WORKSPACE.replace('timezone: UTC', `timezone: ${timezone}`)}rates: ${rates}\n`
  const clock = manualClock(new Date())
  const shop = await openShop({
    database,
    clock,
    channels: [],
    workspace,
    ...(options.templates ? { templates: { ...TEMPLATES, ...options.templates } } : {}),
  })
  await shop.apply(options.source ?? source(timezone))
  let people = 0
  let begun = 0
  const task = (role: WorkerTask['role']): WorkerTask => ({
    role,
    databaseUrl: database.url,
    workspace: parseWorkspace(workspace),
    engine,
    leases: { queued: 3, claim: 3, send: 3 },
    lock: { duration: 800, check: 400 },
    pace: { idle: 200, busy: 50, sweep: 500, age: 3_600_000 },
    smtp: {
      port: smtp.port,
      connections: WIDTH,
      price: options.price ?? '0',
      timing: { connect: 2000, greeting: 2000, socket: 2000, deadline: 2500 },
    },
  })
  const count = async (table: 'touchpoints' | 'touchpoint_records', state?: string) => {
    const where = state === undefined ? sql`true` : sql`state = ${state}`
    const [row] = await throughOutage(
      () =>
        rows<{ count: number }>(
          database,
          sql`SELECT count(*) AS count FROM ${sql.identifier(table)} WHERE ${where}`,
        ),
      20,
    )
    return row?.count ?? 0
  }
  return {
    shop,
    smtp,
    start: (role) => startProcess(task(role)),
    wave: async (more) => {
      begun = smtp.messages.length
      // A few seconds back: the processes' clocks may not have come as far as ours.
      clock.set(new Date(Date.now() - 2000))
      const signedUp = new Date(Date.now() - 4 * 86_400_000).toISOString()
      await shop.importContacts(
        Array.from({ length: more }, () => {
          people += 1
          return { external_id: `p${people}`, email: `p${people}@people.test`, signed_up_at: signedUp }
        }),
      )
      expect((await shop.run('faults')).answers).toEqual({ opened: more })
    },
    received: (wanted) => smtp.received(begun + wanted),
    settled: async (doubts) => {
      await eventually(
        'every touchpoint ends',
        () => {
          assertRunning()
          return count('touchpoints')
        },
        (open) => open === 0,
        // What a worker had no time left to hand over is tried again after the first pause.
        (BACK_OFF[0] ?? 0) + 60,
      )
      // A worker that was only slow may still tell what the sweeper did not know.
      await eventually(
        `at most ${doubts} uncertain`,
        () => count('touchpoint_records', 'uncertain'),
        (doubtful) => doubtful <= doubts,
        10,
      )
      const records = await rows<{ name: string; state: string; attempt: number }>(
        database,
        sql`SELECT c.external_id AS name, r.state, r.attempt::int FROM touchpoint_records r JOIN contacts c USING (contact_id)`,
      )
      expect(new Set(records.map((row) => row.name)).size).toBe(people)
      expect(records).toHaveLength(people)
      const arrived = smtp.messages.flatMap(({ to }) => to.map((address) => address.split('@')[0] ?? ''))
      expect(arrived.filter((name, place) => arrived.indexOf(name) !== place)).toEqual([])
      const heard = new Set(arrived)
      const states = new Map(records.map((row) => [row.name, row.state]))
      for (const [name, state] of states) {
        if (state === 'sent') expect(`${name} ${heard.has(name)}`).toBe(`${name} true`)
        else expect(state).toBe('uncertain')
      }
      const tally = (state: string) => records.filter((row) => row.state === state).length
      return { sent: tally('sent'), uncertain: tally('uncertain'), resolved: heard.size - tally('sent') }
    },
    close: async () => {
      await shop.runtime.close()
      await smtp.stop()
    },
  }
}
