import { type SQL, sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect, type Database, execute, rows } from '../../../src/database/connect.ts'
import { migrate } from '../../../src/database/migrate.ts'
import { readCampaigns } from '../../../src/reports/campaigns.ts'
import { addCounts } from '../../../src/reports/effect.ts'
import { readLadder } from '../../../src/reports/ladder.ts'
import { readMonday } from '../../../src/reports/monday/monday.ts'
import { countsOf, readPeople } from '../../../src/reports/people-cells.ts'
import { countEpisodes } from '../../../src/reports/people-sql.ts'
import { readRepeats, repeatedHeads } from '../../../src/reports/repeats.ts'
import type { CountingRules } from '../../../src/reports/rollup/cohort-sql.ts'
import type { Letter } from '../../../src/reports/rollup/repeats.ts'
import { type RolledUp, rollUp } from '../../../src/reports/rollup/rollup.ts'
import { freshDatabase } from '../../support/database.ts'
import { seeded } from '../../support/draws.ts'
import { clearHistory, DAY, day, type History, writeHistory } from '../../support/episodes.ts'
import { assertPatiently } from '../../support/patience.ts'
import { clearReports, FIGURES, RULES } from '../../support/report-scene.ts'

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 3 })
  history = await writeHistory(database, 'graded', { coupon: ['remind', 'coupon'], letter: ['letter'] })
})
beforeEach(async () => {
  await clearHistory(database)
  await clearReports(database)
})

/** All report tables as text, in a fixed order. */
async function figures(): Promise<string> {
  const found = await Promise.all(
    FIGURES.map((table) =>
      rows<{ row: string }>(
        database,
        sql`SELECT t::text AS row FROM ${sql.identifier(`report_${table}`)} t ORDER BY 1`,
      ),
    ),
  )
  return JSON.stringify(found, null, 1)
}

async function rebuilt(now: Date, rules: CountingRules = RULES): Promise<string> {
  await rollUp(database, now, rules, { rebuild: true })
  return await figures()
}

const pick = (of: SQL) =>
  sql`(SELECT contact_id, episode_id FROM episodes ORDER BY md5(episode_id::text || ${of}) LIMIT 3)`

/** What may happen late: each leaves figures of closed days out of date. */
const LATE = {
  receipt: (at: Date, seed: number) =>
    sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
        SELECT r.contact_id, r.touchpoint_id, 'late ' || ${seed}::text, (ARRAY['delivered', 'clicked', 'hard_bounce'])[${(seed % 3) + 1}::int], ${at}::timestamptz, ${at}::timestamptz
        FROM touchpoint_records r JOIN ${pick(sql`${seed}::text`)} p USING (contact_id, episode_id) ON CONFLICT DO NOTHING`,
  // What an episode costs is booked while it is open, but for a call that was made after it; later, an offer's redemption
  // says so.
  booked: (at: Date, seed: number) =>
    sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
        SELECT r.contact_id, r.touchpoint_id, r.episode_id, r.step_id, booked.kind, 'email', ${seed}::bigint * 1000, ${at}::timestamptz
        FROM (SELECT (ARRAY['spend', 'liability', 'labour'])[${(seed % 3) + 1}::int] AS kind) booked,
          touchpoint_records r JOIN episodes e USING (contact_id, episode_id)
        WHERE (booked.kind = 'labour' OR e.ended_at > ${at}) AND r.touchpoint_id % 2 = ${seed % 2}::int`,
  // A provider that is asked, or a worker that was thought dead, says how a send ended.
  known: (_: Date, seed: number) =>
    sql`UPDATE touchpoint_records r SET state = ${seed % 2 ? 'sent' : 'failed'}, reason = ${seed % 2 ? null : 'refused'}::text
        FROM ${pick(sql`${seed}::text`)} p WHERE (r.contact_id, r.episode_id) = (p.contact_id, p.episode_id)
          AND r.state IN ('sent', 'failed', 'uncertain')`,
  opened: undefined,
  activity: (at: Date, seed: number) =>
    sql`WITH e AS (SELECT e.contact_id, e.assigned_at + make_interval(days => ${(seed % 80) + 1}::int) AS at
                   FROM episodes e JOIN ${pick(sql`${seed}::text`)} p USING (contact_id, episode_id)
                   WHERE e.assigned_at + make_interval(days => ${(seed % 80) + 1}::int) <= ${at}),
          made AS (INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
                   SELECT DISTINCT contact_id, at, ${seed}::bigint, (ARRAY['session', 'order', 'uninstalled'])[${(seed % 3) + 1}::int], 5000000::bigint, NULL::jsonb, ${at}::timestamptz FROM e
                   ON CONFLICT DO NOTHING RETURNING occurred_at)
        INSERT INTO feed_days AS f (day, events, newest_at)
        SELECT occurred_at::date, count(*), max(occurred_at) FROM made GROUP BY 1
        ON CONFLICT (day) DO UPDATE SET events = f.events + excluded.events`,
} as const

describe('what is rolled up', () => {
  it('counts what counting every episode counts', async () => {
    await history.assign({ arm: 'treated', count: 40, recalled: 10, at: day(0) })
    await history.assign({
      arm: 'treated',
      count: 20,
      recalled: 5,
      at: day(3),
      tier: 'letter',
      segment: 'vip',
    })
    await history.assign({ arm: 'holdout', count: 12, recalled: 2, at: day(3) })
    await history.assign({ arm: 'seed', count: 2, recalled: 1, at: day(3) })
    await history.assign({ arm: 'control', count: 4, recalled: 1, at: day(40), contaminated: true })
    const now = day(60)
    const told: number[] = []
    const onProgress = (done: number, of: number) => told.push(done / of)
    expect(await rollUp(database, now, RULES, { onProgress })).toEqual({ days: 3, busy: false })
    // A day may take minutes: it is told of on the way, too.
    expect(told.filter((share) => share < 1 / 3).length).toBeGreaterThan(5)
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b))
    const cells = await readPeople(database, { campaign: 'graded', now })
    const counted = await countEpisodes(database, { campaign: 'graded', now })
    for (const arm of ['treated', 'holdout', 'control'] as const) {
      const { assigned, contaminated, matured, recalled } = addCounts(
        counted.filter((cell) => cell.arm === arm),
      )
      expect(countsOf(cells, arm)).toEqual({ assigned, contaminated, matured, recalled })
    }
  })

  it('counts as opted out who does so anew, not who had refused before and says it again', async () => {
    const made = await history.assign({ arm: 'treated', count: 7, at: day(0) })
    const [again, more, all, back, repeated, first, renewed] = made.map(({ contactId }) => contactId)
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source) VALUES
          -- Another topic, and what was refused before stands there again.
          (${again}, ${day(-9)}, ARRAY['sms'], '{}', 'page'), (${again}, ${day(1)}, ARRAY['sms'], ARRAY['news'], 'page'),
          (${more}, ${day(-9)}, ARRAY['sms'], '{}', 'page'), (${more}, ${day(1)}, ARRAY['sms', 'email'], '{}', 'page'),
          (${all}, ${day(-9)}, ARRAY['*'], '{}', 'page'), (${all}, ${day(1)}, ARRAY['email'], '{}', 'page'),
          (${back}, ${day(-9)}, ARRAY['sms'], '{}', 'page'), (${back}, ${day(1)}, '{}', '{}', 'page'),
          (${back}, ${day(2)}, ARRAY['sms'], '{}', 'page')`,
    )
    await execute(
      database,
      sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
          SELECT c, channel, decision, at, 'list', at FROM (VALUES
            (${repeated}::bigint, 'sms', 'withdrawn', ${day(-9)}::timestamptz), (${repeated}, 'sms', 'withdrawn', ${day(1)}),
            (${first}, 'email', 'withdrawn', ${day(-9)}), (${first}, 'sms', 'withdrawn', ${day(1)}),
            (${renewed}, 'sms', 'withdrawn', ${day(-9)}), (${renewed}, 'sms', 'given', ${day(-8)}),
            (${renewed}, 'sms', 'withdrawn', ${day(1)})
          ) AS said(c, channel, decision, at)`,
    )
    await rollUp(database, day(60), RULES)
    // Those who refused more, took it back and refused again, and withdrew for the first time or again after having agreed.
    const found = await rows(database, sql`SELECT assigned, opted_out FROM report_people`)
    expect(found).toEqual([{ assigned: 7, opted_out: 4 }])
  })

  it('looks at the whole of a window that is longer than ninety days, to its last moment', async () => {
    const made = await history.assign({
      arm: 'holdout',
      count: 3,
      recalled: 1,
      recalledAfter: 120,
      at: day(0),
    })
    const [inTime, last, late] = made.map(({ contactId }) => contactId)
    await execute(
      database,
      sql`UPDATE episodes SET window_ends_at = ${day(120)}, outcome_until = ${day(122)}`,
    )
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
          SELECT contact_id, at, 1, 'uninstalled', 1, NULL, at FROM (VALUES (${inTime}::bigint, ${day(50)}::timestamptz),
            (${last}, ${day(120)}), (${late}, ${day(121)})) AS acts(contact_id, at)`,
    )
    await rollUp(database, day(130), RULES)
    expect(await rows(database, sql`SELECT recalled, uninstalled FROM report_people`)).toEqual([
      { recalled: 1, uninstalled: 2 },
    ])
    // In the curve of 120 days, too, whose last day ends with the window.
    expect(await rows(database, sql`SELECT age, recalls FROM report_recalls`)).toEqual([
      { age: 119, recalls: 1 },
    ])
  })

  it('counts of a person what is theirs and was in time: neither what was given, nor what came before or after', async () => {
    const [a, b, c] = (await history.assign({ arm: 'treated', count: 3, recalled: 1, at: day(0) })).map(
      ({ contactId }) => contactId,
    )
    // Midnight is the next day's.
    await history.assign({ arm: 'treated', count: 2, at: day(1) })
    // A lapse as a seed, and one of the contact while it was somebody else, are no earlier lapses of the person.
    await history.assign({ arm: 'seed', count: 1, persons: [a ?? 0], at: day(-20) })
    await history.assign({ arm: 'holdout', count: 1, persons: [b ?? 0], at: day(-20) })
    await execute(database, sql`UPDATE episodes SET person_id = -7 WHERE arm = 'holdout'`)
    await execute(
      database,
      sql`INSERT INTO preferences (contact_id, chosen_at, channels_off, topics_off, source) VALUES
          (${a}, ${day(1)}, ARRAY['*'], '{}', 'page'), (${b}, ${day(1)}, '{}', ARRAY['news'], 'page'),
          (${c}, ${day(31)}, ARRAY['*'], '{}', 'page')`,
    )
    await execute(
      database,
      sql`INSERT INTO consents (contact_id, channel, decision, decided_at, source, recorded_at)
          VALUES (${b}, 'email', 'given', ${day(1)}, 'page', ${day(1)})`,
    )
    await execute(
      database,
      sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, properties, received_at)
          SELECT contact_id, at, 1, type, 1, properties::jsonb, at FROM (VALUES
            (${a}::bigint, ${day(-5)}::timestamptz, 'session', NULL), (${a}, ${day(2)}, 'session', NULL),
            (${a}, ${day(3)}, 'order', '{"coupon":"false"}'), (${a}, ${day(4)}, 'order', '{"coupon":"X"}'),
            (${b}, ${day(0)}, 'session', NULL), (${b}, ${day(30)}, 'order', '{"coupon":"X"}'),
            (${b}, ${day(-5)}, 'uninstalled', NULL), (${c}, ${day(6)}, 'uninstalled', NULL)
          ) AS acts(contact_id, at, type, properties)`,
    )
    await execute(
      database,
      sql`UPDATE touchpoint_records SET state = 'skipped', reason = 'condition', settled_at = ${day(0.9)}
          WHERE contact_id = ${a} AND settled_at = ${day(0)} AND step_id = ${history.stepIds.get('coupon/coupon')}`,
    )
    await execute(
      database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, channel, attempt,
            planned_for, settled_at)
          SELECT contact_id, nextval('touchpoint_ids'), episode_id, ${history.stepIds.get('letter/letter')}, 'sent', 'email',
            1, at, at
          FROM episodes CROSS JOIN (VALUES (${day(0.8)}::timestamptz), (${day(2)})) AS sent(at)
          WHERE contact_id = ${a} AND arm = 'treated'`,
    )
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, kind, kind, ${day(1)}, ${day(1)} FROM touchpoint_records
          JOIN (VALUES (${a}::bigint, 'skipped', 'delivered'), (${b}, 'sent', 'complaint')) AS said(contact_id, state, kind)
            USING (contact_id, state)
          WHERE state = 'skipped' OR step_id = ${history.stepIds.get('coupon/remind')}`,
    )
    await execute(
      database,
      sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
            reserved_at, granted_at, expires_at)
          SELECT contact_id, episode_id, 'graded', 'five', 'coupon', 1, 1, 'granted', 1, 1, ${day(0)}, ${day(0)}, ${day(7)}
          FROM episodes WHERE contact_id = ${b} AND arm = 'treated'`,
    )
    await rollUp(database, day(60), RULES)
    const mine = sql`campaign = 'graded' AND day = ${day(0)}::date AND arm = 'treated'`
    const [people] = await rows(
      database,
      sql`SELECT assigned, opted_out, complained, uninstalled, active_7, active_90, orders_30, full_price_30, before,
            firsts, firsts_recalled
          FROM report_people WHERE ${mine}`,
    )
    expect(people).toEqual({
      ...{ assigned: 3, firsts: 3, firsts_recalled: 1, opted_out: 1, complained: 1, uninstalled: 1 },
      ...{ before: 2, active_7: 1, active_90: 0, orders_30: 3, full_price_30: 1 },
    })
    const [funnel] = await rows(
      database,
      sql`SELECT sum(redeemed)::int AS redeemed FROM report_funnel WHERE ${mine}`,
    )
    expect(funnel).toEqual({ redeemed: 0 })
    const attributed = await rows(
      database,
      sql`SELECT step_id AS step, state, sent_on::text FROM report_messages WHERE campaign = 'graded' AND recalled > 0`,
    )
    const last = history.stepIds.get('letter/letter')
    expect(attributed).toEqual([{ step: last, state: 'sent', sent_on: '2026-01-01' }])
    // Who complains has got it; what was never sent has not arrived, whatever is said of it.
    const delivered = await rows(
      database,
      sql`SELECT state, sum(delivered)::int AS delivered FROM report_messages
          WHERE campaign = 'graded' AND day = ${day(0)}::date GROUP BY state ORDER BY state`,
    )
    expect(delivered).toEqual([
      { state: 'sent', delivered: 1 },
      { state: 'skipped', delivered: 0 },
    ])
    for (const table of ['preferences', 'consents', 'grants', 'delivery_events'])
      await execute(database, sql`DELETE FROM ${sql.identifier(table)}`)
  })

  it('tells of each step what became of its messages, seeds left out', async () => {
    await history.assign({ arm: 'treated', count: 6, at: day(0) })
    await history.assign({ arm: 'treated', count: 3, at: day(0), tier: 'letter', settle: 'skipped' })
    await history.assign({ arm: 'seed', count: 2, at: day(0) })
    const toCome = await history.assign({ arm: 'treated', count: 1, at: day(0), settle: false })
    for (const { contactId, episodeId } of toCome) {
      await execute(
        database,
        sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, due_at, planned_for, state)
            VALUES (${contactId}, ${episodeId}, ${history.stepIds.get('coupon/remind')}, ${day(9)}, ${day(9)}, 'planned')`,
      )
    }
    for (const [at, state] of ['failed', 'uncertain', 'cancelled'].entries()) {
      await execute(
        database,
        sql`UPDATE touchpoint_records SET state = ${state}, reason = CASE WHEN ${state} = 'uncertain' THEN NULL ELSE 'returned' END
            WHERE touchpoint_id = (SELECT touchpoint_id FROM touchpoint_records JOIN episodes USING (contact_id, episode_id)
              WHERE arm = 'treated' AND step_id = ${history.stepIds.get('coupon/coupon')}
              ORDER BY touchpoint_id OFFSET ${at} LIMIT 1)`,
      )
    }
    await rollUp(database, day(5), RULES)
    const none = { failed: 0, unsent: 0, waiting: 0, reasons: [] }
    expect((await readLadder(database, 'graded')).sort((a, b) => a.step.localeCompare(b.step))).toEqual([
      {
        tier: 'coupon',
        step: 'coupon',
        planned: 6,
        sent: 3,
        failed: 2,
        unsent: 1,
        waiting: 0,
        reasons: [{ reason: 'returned', messages: 1 }],
      },
      {
        ...none,
        tier: 'letter',
        step: 'letter',
        planned: 3,
        sent: 0,
        unsent: 3,
        reasons: [{ reason: 'condition', messages: 3 }],
      },
      { ...none, tier: 'coupon', step: 'remind', planned: 7, sent: 6, waiting: 1 },
    ])
    expect(await readLadder(database, 'another')).toEqual([])
  })

  it('does only what is out of date: open days, late receipts, late activity, days that fall due', async () => {
    await history.assign({ arm: 'treated', count: 5, at: day(0) })
    await history.assign({ arm: 'holdout', count: 5, at: day(1) })
    const at = (days: number) => rollUp(database, day(days), RULES).then(({ days: counted }) => counted)
    expect(await at(10)).toBe(2)
    // The history's episodes end on day 32 and 33 after their start; until a day later they count as open.
    expect(await at(11)).toBe(2)
    expect(await at(36)).toBe(2)
    expect(await at(37)).toBe(0)
    for (const late of [LATE.receipt(day(37), 1), LATE.booked(day(37), 2), LATE.known(day(37), 2)]) {
      await execute(database, late)
      expect(await at(37)).toBeGreaterThan(0)
      expect(await at(37)).toBe(0)
    }
    // Known events of past days alone are held against what was known then.
    await execute(database, LATE.activity(day(36), 4))
    expect(await at(38)).toBe(2)
    expect(await at(38)).toBe(0)
    // Day 90 of both falls due on day 91 and 92.
    expect(await at(90)).toBe(0)
    expect(await at(91)).toBe(1)
    expect(await at(92)).toBe(1)
    expect(await at(200)).toBe(0)
  })

  it('counts a later lapse again with the earlier one of its person, and no other', async () => {
    const [made] = await history.assign({ arm: 'treated', count: 1, at: day(0) })
    if (!made) throw new Error('an episode')
    await history.assign({ arm: 'treated', count: 3, at: day(50) })
    await history.assign({ arm: 'treated', count: 1, at: day(110), episodeNo: 2, persons: [made.contactId] })
    const roll = () => rollUp(database, day(250), RULES).then(({ days }) => days)
    expect(await roll()).toBe(3)
    expect(await roll()).toBe(0)
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, 'late', 'delivered', settled_at, ${day(250)}
          FROM touchpoint_records WHERE episode_id = ${made.episodeId} LIMIT 1`,
    )
    expect(await roll()).toBe(2)
    // More than ninety days before the later lapse: the earlier one's figures move, and so does what they are multiplied with.
    const late = sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
      VALUES (${made.contactId}, ${day(3)}, 7, 'order', 5000000, ${day(250)})`
    await execute(database, late)
    await execute(
      database,
      sql`INSERT INTO feed_days (day, events, newest_at) VALUES ('2026-01-04', 1, ${day(3)})`,
    )
    expect(await roll()).toBe(3)
    const kept = await figures()
    expect(kept).toBe(await rebuilt(day(250)))
  })

  it('knows whose lapse it is by who they were when it was drawn, also where they have become two since', async () => {
    const [one] = await history.assign({ arm: 'treated', count: 1, recalled: 1, at: day(0) })
    const [other] = await history.assign({ arm: 'treated', count: 1, recalled: 1, at: day(50), episodeNo: 2 })
    if (!(one && other)) throw new Error('two')
    for (const table of ['contacts', 'episodes'])
      await execute(database, sql`UPDATE ${sql.identifier(table)} SET person_id = ${one.personId}`)
    await rollUp(database, day(250), RULES)
    const found = () =>
      rows(
        database,
        sql`SELECT (SELECT string_agg(firsts::text, ' ' ORDER BY day) FROM report_people) AS firsts,
              (SELECT sum(yy)::int FROM report_repeats WHERE unit = 'episode') AS pairs`,
      )
    const expected = [{ firsts: '1 0', pairs: 1 }]
    expect(await found()).toEqual(expected)
    await execute(database, sql`UPDATE contacts SET person_id = contact_id`)
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, 'late', 'delivered', settled_at, ${day(251)}
          FROM touchpoint_records WHERE contact_id = ${one.contactId} LIMIT 1`,
    )
    // What is new of the earlier lapse moves its product with the later.
    expect(await rollUp(database, day(251), RULES)).toEqual({ days: 2, busy: false })
    expect(await found()).toEqual(expected)
  })

  it('is complete as of when it was counted: what has ended since is not, whoever asks', async () => {
    await history.assign({ arm: 'treated', count: 90, recalled: 60, recalledAfter: 20, at: day(4) })
    await history.assign({ arm: 'holdout', count: 30, recalled: 15, recalledAfter: 20, at: day(4) })
    const told = async (now: Date) => {
      const question = { campaign: 'graded', now, split: new Map([[1, { holdout: 0.25, control: 0 }]]) }
      const { overall, lastFinal, running, stayed } = await readMonday(database, question)
      const [line] = await readCampaigns(database, [question], now)
      return {
        ...{
          rate: overall.treated.rate,
          matured: overall.treated.matured,
          line: line?.effect.treated.matured,
        },
        ...{ week: lastFinal?.day, age: running?.age },
        month: stayed.find(({ name }) => name === 'active30')?.treated.of,
      }
    }
    const nothing = {
      rate: { kind: 'not_enough', why: 'nobody' },
      matured: 0,
      line: 0,
      week: undefined,
      month: 0,
    }
    // Before any of them comes back; the process that counts stands still from then on.
    await execute(database, sql`UPDATE recalls SET goal_no = 1`)
    await rollUp(database, day(23), RULES)
    await execute(database, sql`UPDATE recalls SET goal_no = 0`)
    expect(await told(day(23))).toEqual({ ...nothing, age: 12 })
    expect(await told(day(60))).toEqual({ ...nothing, age: 12 })
    await rollUp(database, day(60), RULES)
    expect(await told(day(60))).toMatchObject({ matured: 90, line: 90, week: '2026-01-05', month: 90 })
  })

  it('is complete when its window is over, also where everybody was erased before', async () => {
    await history.assign({ arm: 'treated', count: 9, recalled: 6, at: day(4) })
    await execute(database, sql`UPDATE episodes SET ended_at = ${day(6)}, end_reason = 'erased'`)
    const complete = async (now: Date) => {
      await rollUp(database, now, RULES)
      const cells = await readPeople(database, { campaign: 'graded', now }, [])
      return cells.reduce((sum, { final, assigned }) => sum + (final ? assigned : 0), 0)
    }
    expect(await complete(day(20))).toBe(0)
    expect(await complete(day(34.5))).toBe(9)
  })

  it('never differs from a rebuild, whatever happens in whatever order', async () => {
    const act = fc.record({
      what: fc.constantFrom(
        'opened',
        'again',
        'again',
        'receipt',
        'activity',
        'booked',
        'known',
        'roll',
        'end',
      ),
      seed: fc.nat(10_000),
      days: fc.integer({ min: 0, max: 20 }),
    })
    await assertPatiently(
      fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 9 }), async (acts) => {
        await clearHistory(database)
        await clearReports(database)
        let now = 1
        let last: { at: number; persons: number[]; episodeNo: number } | undefined
        for (const { what, seed, days } of [{ what: 'opened', seed: 7, days: 1 }, ...acts]) {
          now += days
          if (what === 'opened') {
            const arm = seed % 4 === 0 ? 'holdout' : 'treated'
            const at = Math.max(0, now - (seed % 50))
            const made = await history.assign({
              arm,
              count: 4,
              recalled: seed % 3,
              at: day(at),
              tier: seed % 2 ? 'letter' : 'coupon',
              ...(seed % 3 ? { variant: seed % 5 ? 'plain' : 'story' } : {}),
            })
            last = { at, persons: made.map(({ personId }) => personId), episodeNo: 1 }
          } else if (what === 'again') {
            if (!last || last.at > 120) continue
            last = { ...last, at: last.at + 33 + (seed % 9), episodeNo: last.episodeNo + 1 }
            now = Math.max(now, last.at)
            const arm = seed % 3 === 0 ? 'holdout' : 'treated'
            const variant = seed % 2 ? {} : { variant: seed % 5 ? 'plain' : 'story' }
            await history.assign({ ...last, ...variant, count: 4, arm, recalled: seed % 3, at: day(last.at) })
          } else if (what === 'end') {
            await execute(
              database,
              sql`UPDATE episodes SET ended_at = ${day(now)} WHERE ended_at > ${day(now)} AND episode_id % 2 = 0`,
            )
          } else if (what === 'roll') await rollUp(database, day(now), RULES)
          else
            await execute(database, LATE[what as 'receipt' | 'activity' | 'booked' | 'known'](day(now), seed))
        }
        // What came late is known by the day after.
        now += 1
        await rollUp(database, day(now), RULES)
        const kept = await figures()
        expect(kept).toBe(await rebuilt(day(now)))
      }),
      { numRuns: 8, milliseconds: 15_000 },
    )
  })

  it('multiplies the lapses of a person as adding up each person does, over tiers, contacts and a range', async () => {
    const drawing = await writeHistory(
      database,
      'drawing',
      { first: ['hello'], second: ['more'] },
      { drawing: ['first', 'second'] },
    )
    const random = seeded('lapses')
    type Kept = Readonly<Record<Letter, number>> & { person: number; tier: string; arm: string; on: number }
    const kept: Kept[] = []
    const people = await drawing.assign({ arm: 'treated', count: 10, at: day(0), settle: false })
    // Two of them are contacts of one person.
    const [one, other] = people
    if (!(one && other)) throw new Error('two')
    for (const table of ['contacts', 'episodes'])
      await execute(
        database,
        sql`UPDATE ${sql.identifier(table)} SET person_id = ${one.personId} WHERE person_id = ${other.personId}`,
      )
    // A person is in a campaign with one contact at a time.
    for (const table of ['episodes', 'stages'])
      await execute(database, sql`DELETE FROM ${sql.identifier(table)} WHERE contact_id = ${other.contactId}`)
    const personOf = (contact: number) => (contact === other.contactId ? one.contactId : contact)
    for (const [round, on] of [0, 40, 80].entries()) {
      for (const [at, { contactId }] of people.entries()) {
        const tier = random() < 0.6 ? 'first' : 'second'
        const arm = random() < 0.5 ? 'treated' : 'holdout'
        // The first round is there already.
        if (round === 0 && contactId === other.contactId) continue
        const [made] =
          round === 0
            ? [people[at]]
            : await drawing.assign({
                ...{ arm, tier, count: 1, at: day(on + at / 10), episodeNo: round + 1 },
                ...{ persons: [contactId], settle: false, recalled: random() < 0.5 ? 1 : 0 },
              })
        if (!made) throw new Error('an episode')
        await execute(
          database,
          sql`UPDATE episodes SET person_id = ${personOf(contactId)} WHERE contact_id = ${contactId}`,
        )
        const amounts = [Math.floor(random() * 100), Math.floor(random() * 100)]
        for (const [no, kind] of ['spend', 'labour'].entries())
          await execute(
            database,
            sql`INSERT INTO ledger (contact_id, touchpoint_id, episode_id, step_id, kind, channel, amount, booked_at)
                VALUES (${contactId}, nextval('touchpoint_ids'), ${made.episodeId},
                  ${drawing.stepIds.get('first/hello') ?? 0}, ${kind}, 'email', ${amounts[no]}, ${day(on + 2)})`,
          )
        const value = Math.floor(random() * 50) * 10
        await execute(
          database,
          sql`INSERT INTO activity (contact_id, occurred_at, key, type, value, received_at)
              VALUES (${contactId}, ${day(on + 5)}, ${on}, 'order', ${value}, ${day(on + 5)})`,
        )
        const [found] = await rows<{ y: number; tier: string; arm: string }>(
          database,
          sql`SELECT e.entry_tier AS tier, e.arm, (SELECT count(*) FROM recalls r WHERE r.episode_id = e.episode_id)::int AS y
              FROM episodes e WHERE e.contact_id = ${contactId} AND e.episode_id = ${made.episodeId}`,
        )
        if (!found) throw new Error('an episode')
        const [spend = 0, labour = 0] = amounts
        kept.push({
          ...{ ...found, person: personOf(contactId), on, n: 1, c: spend + labour, u: spend, m: value * 0.3 },
        })
      }
    }
    const now = day(200)
    await rollUp(database, now, RULES)
    for (const from of [undefined, day(30).toISOString().slice(0, 10)]) {
      const repeats = await readRepeats(database, { campaign: 'drawing', now, from })
      const lapses = kept.filter(({ on }) => from === undefined || on > 30)
      for (const [unit, tier, figures] of [
        ['episode', undefined, { x: 'm', y: 'c' }],
        ['episode', 'second', { x: 'm', y: 'u' }],
        // Each episode has one stage here, and all cost was booked after it was entered.
        ['stage', 'first', { x: 'c', y: 'y' }],
      ] as const) {
        const own = lapses.filter(
          (lapse) =>
            (tier === undefined || lapse.tier === tier) && (unit === 'episode' || lapse.arm === 'treated'),
        )
        const product = (first: string, second: string, x: Letter, y: Letter) =>
          own.reduce(
            (all, lapse) =>
              all +
              own
                .filter((beside) => beside !== lapse && beside.person === lapse.person)
                .filter((beside) => lapse.arm === first && beside.arm === second)
                .reduce((sum, beside) => sum + lapse[x] * beside[y], 0),
            0,
          )
        const expected = (first: string, second: string) => {
          const of = (a: Letter, b: Letter) => expect.closeTo(product(first, second, a, b), 6)
          const { x, y } = figures
          return {
            ...{ nn: of('n', 'n'), nx: of('n', x), ny: of('n', y), xn: of(x, 'n'), xx: of(x, x) },
            ...{ xy: of(x, y), yn: of(y, 'n'), yx: of(y, x), yy: of(y, y) },
          }
        }
        expect(repeatedHeads(repeats, { unit, tier }, figures)).toEqual({
          first: expected('treated', 'treated'),
          second: expected('holdout', 'holdout'),
          both: expected('treated', 'holdout'),
        })
      }
    }
  })

  /** What becomes of rolling up while a day of `other` is being counted, perhaps by another process. */
  async function rolledUpBeside(other: Database) {
    let beside: RolledUp | undefined
    await rollUp(other, day(1), {
      ...RULES,
      // Asked within the transaction that counts the day.
      earnedOf: async (campaign) => {
        beside ??= await rollUp(database, day(1), RULES)
        return await RULES.earnedOf(campaign)
      },
    })
    return beside
  }

  it('is done by one process at a time', async () => {
    await history.assign({ arm: 'treated', count: 3, at: day(0) })
    expect(await rolledUpBeside(database)).toEqual({ days: 0, busy: true })
  })

  it('waits for nobody who counts in another schema: a replay has figures while the real ones are counted', async () => {
    const replay = connect(database.url, { schema: 'winback_replay', max: 2 })
    try {
      await migrate(replay)
      const rehearsed = await writeHistory(replay, 'graded', { coupon: ['remind'] })
      await rehearsed.assign({ arm: 'treated', count: 3, at: day(0) })
      await history.assign({ arm: 'treated', count: 3, at: day(0) })
      expect(await rolledUpBeside(replay)).toEqual({ days: 1, busy: false })
    } finally {
      await replay.close()
    }
  })

  it('forgets a day whose episodes are gone, when it is rebuilt', async () => {
    await history.assign({ arm: 'treated', count: 3, at: day(0) })
    await rollUp(database, day(1), RULES)
    await clearHistory(database)
    await rollUp(database, new Date(day(1).getTime() + DAY), RULES, { rebuild: true })
    expect(await readPeople(database, { campaign: 'graded', now: day(2) })).toEqual([])
  })

  it('has everybody once in the funnel, who waits with the cause of what goes next', async () => {
    const people = await history.assign({ arm: 'treated', count: 4, at: day(0), settle: false })
    const plan = (person: number, planned: number, due: number, waits: string | null) =>
      execute(
        database,
        sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, due_at, planned_for, state, waits)
            VALUES (${people[person]?.contactId}, ${people[person]?.episodeId}, ${history.stepIds.get('coupon/remind')},
              ${day(due)}, ${day(planned)}, 'planned', ${waits})`,
      )
    // Planned later, and to go later.
    await plan(0, 2, 2, null)
    await plan(0, 1, 1, 'quiet_hours')
    // Planned first, and put back behind the other.
    await plan(1, 1, 4, 'frequency_cap')
    await plan(1, 2, 3, 'budget_exhausted')
    // Nothing keeps what goes next.
    await plan(2, 1, 4, 'frequency_cap')
    await plan(2, 2, 2, null)
    await plan(3, 1, 1, 'retry')
    await execute(
      database,
      sql`INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, attempt, planned_for,
            settled_at)
          VALUES (${people[3]?.contactId}, nextval('touchpoint_ids'), ${people[3]?.episodeId},
            ${history.stepIds.get('coupon/coupon')}, 'skipped', 'condition', 0, ${day(0.5)}, ${day(0.5)})`,
    )
    await rollUp(database, day(1), RULES)
    const funnel = await rows(
      database,
      sql`SELECT answer, reason, people FROM report_funnel WHERE day = ${day(0)}::date ORDER BY reason`,
    )
    const causes = ['', 'budget_exhausted', 'quiet_hours', 'retry']
    expect(funnel).toEqual(causes.map((reason) => ({ answer: 'waiting', reason, people: 1 })))
    await execute(database, sql`DELETE FROM touchpoints`)
  })

  it('counts who left by a message also where its address is theirs no more', async () => {
    const made = await history.assign({ arm: 'treated', count: 5, at: day(0) })
    const [renamed, erased, late, clicked] = made.map(({ contactId }) => contactId)
    await execute(
      database,
      sql`INSERT INTO delivery_events (contact_id, touchpoint_id, event_id, kind, occurred_at, received_at)
          SELECT contact_id, touchpoint_id, said.kind, said.kind, said.at, said.at FROM touchpoint_records
          JOIN (VALUES (${renamed}::bigint, 'unsubscribed', ${day(30)}::timestamptz), (${erased}, 'unsubscribed', ${day(1)}),
            (${late}, 'unsubscribed', ${day(30.1)}), (${clicked}, 'clicked', ${day(1)})) AS said(contact_id, kind, at)
            USING (contact_id)`,
    )
    await execute(database, sql`DELETE FROM contacts WHERE contact_id = ${erased}`)
    await rollUp(database, day(60), RULES)
    const found = await rows(database, sql`SELECT assigned, opted_out FROM report_people`)
    expect(found).toEqual([{ assigned: 5, opted_out: 2 }])
  })

  it('counts who left by an address of theirs, in which way, and only within the window', async () => {
    const made = await history.assign({ arm: 'treated', count: 6, at: day(0) })
    const ids = made.map(({ contactId }) => contactId)
    const [byMail, byPhone, complained, both, early, late] = ids
    await execute(
      database,
      sql`UPDATE contacts SET email_key = ('e' || contact_id)::bytea, phone_key = ('p' || contact_id)::bytea
          WHERE contact_id = ANY (${sql.param(ids)}::bigint[])`,
    )
    await execute(
      database,
      sql`INSERT INTO suppressions (kind, key, reason, source, suppressed_at)
          SELECT kind, (left(kind, 1) || contact_id)::bytea, reason, 'test', at FROM (VALUES
            (${byMail}::bigint, 'email', 'unsubscribe', ${day(1)}::timestamptz),
            (${byPhone}, 'phone', 'unsubscribe', ${day(30)}),
            (${complained}, 'phone', 'complaint', ${day(2)}),
            (${both}, 'email', 'complaint', ${day(2)}), (${both}, 'phone', 'unsubscribe', ${day(3)}),
            (${early}, 'email', 'unsubscribe', ${day(0)}), (${early}, 'phone', 'hard_bounce', ${day(1)}),
            (${late}, 'email', 'complaint', ${day(30.1)})
          ) AS s(contact_id, kind, reason, at)`,
    )
    await rollUp(database, day(60), RULES)
    const found = await rows(
      database,
      sql`SELECT assigned, opted_out, complained FROM report_people WHERE campaign = 'graded' AND day = ${day(0)}::date`,
    )
    await execute(database, sql`DELETE FROM suppressions`)
    expect(found).toEqual([{ assigned: 6, opted_out: 3, complained: 2 }])
  })
})
