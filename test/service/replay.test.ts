import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { later, manualClock } from '../../src/clock.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { prepareRehearsal, revealActivity } from '../../src/service/rehearsal.ts'
import { replay } from '../../src/service/replay.ts'
import { asksForSignals } from '../../src/service/signals.ts'
import { testChannel } from '../support/channel.ts'
import { freshDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { openShop } from '../support/shop.ts'

// No scheduler sweeps a replay: what the clock ends, it ends itself.

const START = new Date('2026-03-10T00:00:00Z')
const DAY = 86_400

const CAMPAIGN = `
version: 1
campaign: promises
title: With a coupon
schedule: "0 0 * * *"
timezone: UTC
goals: { recall: { event: session } }
window: 20d
holdout: 0%
offers:
  five_off: { kind: coupon, amount: 5 CNY, valid: 7d, expected_redemption: 50% }
tiers:
  - name: only
    inactive: 3d..40d
    steps: [{ id: hello, channel: email, template: hello, offer: five_off }]
`

test('offers that nobody used expire in a replay, and calls end with their episode', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(START), channels: [] })
  const people = ['ada', 'bo', 'cy']
  await shop.importContacts(people.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  await shop.importActivity(
    people.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-05T00:00:00Z' })),
  )
  const rehearsal = await prepareRehearsal(database, 'promises_replay', START, ['promises'])
  try {
    const clock = manualClock(later(START, -1))
    const past = await openShop({ database: rehearsal, clock, channels: [testChannel('email')] })
    await past.apply(CAMPAIGN)
    const runtime = { ...past.runtime, clock }
    const replayUntil = async (from: Date, to: Date) => {
      await replay(runtime, {
        from,
        to,
        step: 3600,
        reveal: async (_after, upTo) => {
          await revealActivity(runtime, shop.workspace, upTo)
        },
      })
      return await rows(
        rehearsal,
        sql`SELECT g.state, count(*) AS grants,
            (SELECT sum(amount) FROM ledger WHERE kind = 'liability')::bigint AS booked
          FROM grants g GROUP BY g.state`,
      )
    }
    expect(await replayUntil(START, later(START, 6 * DAY))).toEqual([
      { state: 'granted', grants: 3, booked: 7_500_000 },
    ])
    // Nobody calls in a replay.
    await execute(
      rehearsal,
      sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
            opened_at, due_at, next_attempt_at)
          SELECT contact_id, touchpoint_id, episode_id, step_id, 'promises', 'recall', 'adviser', 'agent', 50, 'open',
            reserved_at, reserved_at, reserved_at FROM grants`,
    )
    expect(await replayUntil(later(START, 6 * DAY), later(START, 8 * DAY))).toEqual([
      { state: 'expired', grants: 3, booked: 0 },
    ])
    await replayUntil(later(START, 8 * DAY), later(START, 30 * DAY))
    expect(
      await rows(rehearsal, sql`SELECT state, closed_by AS by, count(*) AS calls FROM calls GROUP BY 1, 2`),
    ).toEqual([{ state: 'closed', by: 'expired', calls: 3 }])
  } finally {
    await rehearsal.close()
    await shop.runtime.close()
  }
})

test('a replay has the imported codes, also those that somebody has by now', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(START), channels: [] })
  const people = ['ada', 'bo', 'cy']
  await shop.importContacts(people.map((id) => ({ external_id: id, email: `${id}@people.test` })))
  await shop.importActivity(
    people.map((id) => ({ external_id: id, type: 'session', occurred_at: '2026-03-05T00:00:00Z' })),
  )
  await execute(
    database,
    sql`INSERT INTO offer_codes (code, shown, campaign, offer, contact_id, grant_id, imported_at)
        VALUES ('A1', 'A-1', 'promises', 'five_off', NULL, NULL, ${START}), ('B2', 'B-2', 'promises', 'five_off', 1, 1, ${START}),
          ('C3', 'C-3', 'others', 'five_off', NULL, NULL, ${START}), ('GENERATED', 'GENERATED', 'promises', 'other', 1, 2, NULL)`,
  )
  const rehearsal = await prepareRehearsal(database, 'codes_replay', START, ['promises'])
  try {
    const clock = manualClock(later(START, -1))
    const past = await openShop({ database: rehearsal, clock, channels: [testChannel('email')] })
    await past.apply(CAMPAIGN.replace('valid: 7d', 'valid: 7d, deliver: code, codes: imported'))
    const runtime = { ...past.runtime, clock }
    const reveal = async (_after: Date, upTo: Date) => {
      await revealActivity(runtime, shop.workspace, upTo)
    }
    await replay(runtime, { from: START, to: later(START, DAY), step: 3600, reveal })
    expect(await rows(rehearsal, sql`SELECT code FROM grants ORDER BY code`)).toEqual([
      { code: 'A-1' },
      { code: 'B-2' },
    ])
    // In truth, everybody has what they had.
    expect(await rows(database, sql`SELECT code, contact_id AS of FROM offer_codes ORDER BY code`)).toEqual([
      { code: 'A1', of: null },
      { code: 'B2', of: 1 },
      { code: 'C3', of: null },
      { code: 'GENERATED', of: 1 },
    ])
  } finally {
    await rehearsal.close()
    await shop.runtime.close()
  }
})

test('a replay computes the signals that an entry, a limit by quadrant or a step released by the return asks for', async () => {
  const database = await freshDatabase()
  const shop = await openShop({
    database,
    clock: manualClock(later(START, 5 * DAY)),
    channels: [],
  })
  await shop.importContacts([{ external_id: 'ada', email: 'ada@people.test' }])
  const days = ['2026-03-05', '2026-03-12']
  await shop.importActivity(
    days.map((day) => ({ external_id: 'ada', type: 'session', occurred_at: `${day}T00:00:00Z` })),
  )
  const rehearsal = await prepareRehearsal(database, 'signals_replay', later(START, 5 * DAY), ['promises'])
  try {
    const clock = manualClock(later(START, -1))
    const past = await openShop({ database: rehearsal, clock, channels: [testChannel('email')] })
    const asks = async (campaign: string) => {
      await past.apply(campaign)
      const current = await past.runtime.book.current('promises')
      return current && asksForSignals(current, past.workspace)
    }
    expect(await asks(CAMPAIGN)).toBe(false)
    expect(await asks(`${CAMPAIGN}limits: { effort: { light: 1 } }\n`)).toBe(true)
    const entering = CAMPAIGN.replace('inactive: 3d..40d', 'enter: 7d before membership.ends')
    expect(await asks(`${entering}silenced_by: goal\n`)).toBe(true)
    const welcome = '{ id: welcome, channel: email, template: hello, when: use.days == 2 }'
    expect(await asks(`${CAMPAIGN}on_return: [${welcome}]\n`)).toBe(true)
    const runtime = { ...past.runtime, clock }
    const reveal = async (_after: Date, upTo: Date) => {
      await revealActivity(runtime, shop.workspace, upTo)
    }
    await replay(runtime, { from: START, to: later(START, 5 * DAY), step: 3600, reveal })
    expect(
      await rows(
        rehearsal,
        sql`SELECT s.step, r.state FROM touchpoint_records r JOIN steps s USING (step_id) ORDER BY 1`,
      ),
    ).toEqual([
      { step: 'hello', state: 'sent' },
      { step: 'welcome', state: 'sent' },
    ])
  } finally {
    await rehearsal.close()
    await shop.runtime.close()
  }
})

test('a rehearsal that is not laid out to its end holds no connection', async () => {
  const database = await freshDatabase()
  const interrupted = prepareRehearsal(database, 'broken', START, [], () => {
    throw new Error('interrupted')
  })
  await expect(interrupted).rejects.toThrow('interrupted')
  const open = sql`SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'winback replay'`
  // A pool says it has ended once it told its connections to: the server hears of it a moment later. What is left open
  // would go by itself after the ten seconds a pool keeps what is idle.
  await eventually(
    'no connection is left',
    () => rows(database, open),
    (left) => left.length === 0,
    6,
  )
})

test('whoever is erased while people are copied is in no rehearsal', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(START), channels: [] })
  await shop.importContacts([{ external_id: 'ada', email: 'ada@people.test' }, { external_id: 'bo' }])
  const [ada] = await rows<{ id: number }>(
    database,
    sql`SELECT contact_id AS id FROM contacts WHERE external_id = 'ada'`,
  )
  let copying: Promise<unknown> | undefined
  await transaction(database, async (tx) => {
    // The contacts are copied by then, and the key that tells whose rehearsal it is is not.
    await execute(tx, sql`LOCK TABLE outside_sends IN ACCESS EXCLUSIVE MODE`)
    copying = prepareRehearsal(database, 'erased_replay', START, [])
    copying.catch(() => {})
    await eventually(
      'the contacts are copied',
      () =>
        rows(
          database,
          sql`SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database()
              AND a.application_name = 'winback replay' AND l.relation = 'outside_sends'::regclass AND NOT l.granted`,
        ),
      (waiting) => waiting.length > 0,
    )
    const options = { now: START, hooks: shop.runtime.hooks, phoneKeys: () => [] }
    expect(await eraseContact(tx, ada?.id ?? 0, options)).toBeDefined()
  })
  await expect(copying).rejects.toMatchObject({ code: 'replay.erased', remedy: 'Run it again.' })
  const left = sql`SELECT FROM pg_namespace WHERE nspname = 'erased_replay'`
  expect(await rows(database, left)).toEqual([])
  const rehearsal = await prepareRehearsal(database, 'erased_replay', START, [])
  expect(await rows(rehearsal, sql`SELECT external_id AS id FROM contacts`)).toEqual([{ id: 'bo' }])
  await rehearsal.close()
})

test('a campaign whose last day has passed takes nobody in, and brings those under way from tier to tier as it does live', async () => {
  const database = await freshDatabase()
  const shop = await openShop({ database, clock: manualClock(START), channels: [] })
  await shop.importContacts([{ external_id: 'ada', email: 'ada@people.test' }])
  await shop.importActivity([{ external_id: 'ada', type: 'session', occurred_at: '2026-03-05T00:00:00Z' }])
  const rehearsal = await prepareRehearsal(database, 'over_replay', START, ['promises'])
  try {
    const clock = manualClock(later(START, -1))
    const past = await openShop({ database: rehearsal, clock, channels: [testChannel('email')] })
    await past.apply(`${CAMPAIGN.replace('holdout: 0%', 'holdout: 0%\nends: 2026-03-11').replace('3d..40d', '3d..10d')}
  - name: then
    inactive: 10d..12d
    steps: [{ id: more, channel: email, template: hello }]
`)
    const runtime = { ...past.runtime, clock }
    const reveal = async (_after: Date, upTo: Date) => {
      await revealActivity(runtime, shop.workspace, upTo)
    }
    await replay(runtime, { from: START, to: later(START, 9 * DAY), step: 3600, reveal })
    expect(await rows(rehearsal, sql`SELECT entered_at AS at FROM stages ORDER BY entered_at`)).toEqual([
      { at: START },
      { at: later(START, 5 * DAY) },
    ])
  } finally {
    await rehearsal.close()
    await shop.runtime.close()
  }
})
