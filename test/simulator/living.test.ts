import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseTemplates, readTemplateFiles } from '../../src/channels/templates.ts'
import { writeWorkspace } from '../../src/cli/verbs/init.ts'
import { manualClock } from '../../src/clock.ts'
import { applyCampaign } from '../../src/config/apply.ts'
import { environmentFrom } from '../../src/config/environment.ts'
import { loadCampaign, loadWorkspace } from '../../src/config/load.ts'
import { registerDevices } from '../../src/contacts/devices.ts'
import { importActivity, importContacts, importSuppressions } from '../../src/contacts/import.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { replay } from '../../src/service/replay.ts'
import { openRuntime } from '../../src/service/runtime.ts'
import { plantActs } from '../../src/simulator/acts.ts'
import { writeFiles } from '../../src/simulator/files.ts'
import { openLiving } from '../../src/simulator/living.ts'
import { openMailbox } from '../../src/simulator/mailbox.ts'
import { formatChannels } from '../../src/simulator/messages.ts'
import { drawPopulation } from '../../src/simulator/population.ts'
import { MEASURED, plantRenewals } from '../../src/simulator/programme.ts'
import { openProviders } from '../../src/simulator/providers/providers.ts'
import { reportBetween } from '../../src/simulator/providers/reports.ts'
import { openWorld } from '../../src/simulator/world.ts'
import { freshDatabase } from '../support/database.ts'

// The demo in small: the shipped campaign over a simulated town, by real import, real SMTP and the real pipeline.

const START = new Date('2025-09-01T00:00:00+08:00')
const DAYS = 8

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'winback-town-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function rehearse(seed: number) {
  const clock = manualClock(START)
  const population = drawPopulation({ seed, size: 220, start: START })
  const world = openWorld(population)
  const history = world.advance(population.start)
  const mailbox = await openMailbox(population, clock)
  const providers = await openProviders(population, folder)
  const database = await freshDatabase()
  try {
    const values = { name: 'Town', timezone: 'Asia/Shanghai', overwrite: true }
    const smtp = { host: '127.0.0.1', port: mailbox.port, connections: 5 }
    const settings = 'web: { url: "http://127.0.0.1:7420" }'
    await writeWorkspace(folder, { ...values, smtp, channels: providers.channels, settings })
    const workspace = await loadWorkspace(join(folder, 'winback.yaml'), environmentFrom({}))
    const templateFiles = await readTemplateFiles(join(folder, 'templates'))
    const files = await writeFiles(join(folder, 'data'), population, history)
    const options = { clock, workspace: workspace.definition, asOf: START }
    const summaries = [
      await importContacts(database, files.contacts, options),
      await importActivity(database, files.activity, options),
      await importSuppressions(database, files.suppressions, options),
    ]
    const file = join(folder, 'campaigns/graded-recall.yaml')
    const loaded = await loadCampaign(file, workspace, parseTemplates(templateFiles, workspace.definition))
    await applyCampaign(database, { loaded, templateFiles, workspace, clock, by: 'test' })
    // Salts are drawn by every installation for itself; the same ones, and everything is the same.
    await execute(database, sql`UPDATE settings SET value = 'test' WHERE name = 'workspace_salt'`)
    await execute(database, sql`UPDATE campaigns SET salt = 'test'`)
    await transaction(database, (tx) =>
      registerDevices(
        tx,
        providers.devices.map((device) => ({ ...device, at: START })),
      ),
    )
    const runtime = {
      ...(await openRuntime({ database, workspace: workspace.definition, clock })),
      clock,
    }
    const to = new Date(START.getTime() + DAYS * 86_400_000)
    try {
      const reveal = await openLiving(runtime, {
        ...{ world, mailbox, moving: MEASURED, acts: plantRenewals(population, plantActs(world)) },
        report: (after, upTo) => reportBetween(runtime, population, providers, after, upTo),
      })
      await replay(runtime, { from: START, to, step: 21_600, beside: 3, reveal })
    } finally {
      await runtime.close()
    }
    const sent = await rows<{ externalId: string; settledAt: Date }>(
      database,
      sql`SELECT x.external_id AS "externalId", r.settled_at AS "settledAt"
          FROM touchpoint_records r JOIN external_ids x USING (contact_id)
          WHERE r.state = 'sent' AND r.channel = 'email' ORDER BY 2, 1`,
    )
    const channels = await rows<{ channel: string; sent: number; refused: number }>(
      database,
      sql`SELECT channel, count(*) FILTER (WHERE state = 'sent') AS sent, count(*) FILTER (WHERE state = 'failed') AS refused
          FROM touchpoint_records WHERE channel IS NOT NULL GROUP BY channel ORDER BY channel`,
    )
    const told = await rows<{ what: string; count: number }>(
      database,
      sql`SELECT 'delivered' AS what, count(*) FROM delivery_events WHERE kind = 'delivered'
          UNION ALL SELECT 'called', count(*) FROM call_attempts ORDER BY what`,
    )
    // By the session that a mail led to, a second before it; by the order or the visit that an offer was used at.
    const clicked = await rows<{ externalId: string; at: Date; led: boolean }>(
      database,
      sql`SELECT x.external_id AS "externalId", d.occurred_at AS at, EXISTS (SELECT FROM activity a
            WHERE a.contact_id = d.contact_id AND a.type = 'session' AND a.occurred_at = d.occurred_at + interval '1 second') AS led
          FROM delivery_events d JOIN external_ids x USING (contact_id) WHERE d.kind = 'clicked' ORDER BY 2, 1`,
    )
    const redeemed = await rows<{ externalId: string; offer: string; at: Date; said: boolean }>(
      database,
      sql`SELECT x.external_id AS "externalId", g.offer, g.redeemed_at AS at,
            EXISTS (SELECT FROM activity a WHERE a.contact_id = g.contact_id AND a.occurred_at = g.redeemed_at
              AND (g.kind <> 'coupon' OR a.type = 'order' AND a.properties->>'coupon' = coalesce(g.code, g.offer))) AS said
          FROM grants g JOIN external_ids x USING (contact_id) WHERE g.state = 'redeemed' ORDER BY 3, 1`,
    )
    const story = await formatChannels(database, false)
    const [known] = await rows<{ events: number }>(database, sql`SELECT count(*) AS events FROM activity`)
    return {
      ...{ summaries, history, population, sent, channels, told, story, clicked, redeemed },
      ...{ events: known?.events ?? 0, mail: mailbox.counts(), taken: providers.counts() },
    }
  } finally {
    await Promise.all([mailbox.close(), providers.close()])
  }
}

test('every mail that was sent arrived, every act became an event, clicks and used offers belong to one, and a seed repeats', async () => {
  const first = await rehearse(10)
  expect(first.summaries.map(({ inserted, rejected }) => ({ inserted, rejected }))).toEqual([
    { inserted: 220, rejected: 0 },
    { inserted: first.history.length, rejected: 0 },
    {
      inserted: first.population.people.filter((each) => each.unsubscribed && each.email).length,
      rejected: 0,
    },
  ])
  expect(first.sent.length).toBeGreaterThan(100)
  expect(first.mail.arrived).toBe(first.sent.length)
  expect(first.events).toBeGreaterThan(first.history.length)
  const unreachable = new Set(
    first.population.people
      .filter((each) => !each.mailbox || each.unsubscribed)
      .map((each) => each.externalId),
  )
  expect(first.sent.filter(({ externalId }) => unreachable.has(externalId))).toEqual([])

  // Texts, pushes and calls alike: what a provider took was sent, and its report is known.
  const sentBy = (channel: string) => first.channels.find((each) => each.channel === channel)?.sent ?? 0
  const { texts, pushes, calls } = first.taken
  expect([sentBy('sms'), sentBy('push'), sentBy('callback')]).toEqual([texts, pushes, calls])
  expect(Math.min(texts, pushes, calls)).toBeGreaterThan(0)
  expect(first.told).toEqual([
    { what: 'called', count: calls },
    { what: 'delivered', count: texts },
  ])
  expect(first.story).toMatch(new RegExp(`\\n {2}Text message +${texts} +${texts} +– +\\d`))

  expect(first.clicked.length).toBeGreaterThan(2)
  expect(first.clicked.filter(({ led }) => !led)).toEqual([])
  expect(new Set(first.redeemed.map(({ offer }) => offer))).toEqual(
    new Set(['five_off', 'trial_card', 'welcome_gift']),
  )
  expect(first.redeemed.filter(({ said }) => !said)).toEqual([])

  const second = await rehearse(10)
  expect(second.clicked).toEqual(first.clicked)
  expect(second.redeemed).toEqual(first.redeemed)
  expect(second.sent).toEqual(first.sent)
  expect(second.events).toBe(first.events)
}, 180_000)
