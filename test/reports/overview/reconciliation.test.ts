import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Database, execute, rows } from '../../../src/database/connect.ts'
import { readReport } from '../../../src/reports/overview/overview.ts'
import { formatReport } from '../../../src/reports/overview/overview-text.ts'
import { freshDatabase } from '../../support/database.ts'
import { clearHistory, day, type History, writeHistory } from '../../support/episodes.ts'
import { assertPatiently } from '../../support/patience.ts'

const LADDER = { coupon: ['remind', 'coupon'], trial: ['call'], letter: ['letter', 'nudge', 'last'] }
const TIERS = Object.keys(LADDER)

let database: Database
let history: History
beforeAll(async () => {
  database = await freshDatabase({ max: 2 })
  history = await writeHistory(database, 'graded', LADDER, { versions: 2, drawing: ['letter'] })
})

async function read(now = day(60)) {
  return await readReport(database, {
    campaign: 'graded',
    now,
    split: { holdout: 0.1, control: 0 },
    goals: new Map([1, 2, 3].map((version) => [version, 'session'])),
  })
}

/** Touchpoints of the second tier, at work and settled in every way, for the treated of an assignment. */
async function advance(
  people: readonly { contactId: number; episodeId: number }[],
  version: number,
): Promise<void> {
  const episodes = sql.param(people.map((each) => each.episodeId))
  await execute(
    database,
    sql`WITH entered AS (
          INSERT INTO stages (contact_id, episode_id, tier_no, entered_at, arm, drawn)
          SELECT contact_id, episode_id, 3, ${day(10)}, 'treated', true FROM episodes
          WHERE episode_id = ANY (${episodes}::bigint[]) RETURNING contact_id, episode_id
        )
        INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        SELECT contact_id, episode_id, p.step_id, ${day(10)}, ${day(10)}::timestamptz + (p.step_no - 1) * interval '1 day'
        FROM entered JOIN steps p ON p.campaign = 'graded' AND p.version = ${version} AND p.tier_no = 3`,
  )
  const touchpoints = await rows<{ contactId: number; touchpointId: number }>(
    database,
    sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId" FROM touchpoints
        WHERE episode_id = ANY (${episodes}::bigint[]) ORDER BY touchpoint_id`,
  )
  for (const [i, { contactId, touchpointId }] of touchpoints.entries()) {
    const at = sql`contact_id = ${contactId} AND touchpoint_id = ${touchpointId}`
    const settled = (state: string, reason: string | null, settledAt: Date) => sql`
      INSERT INTO touchpoint_records (contact_id, touchpoint_id, episode_id, step_id, state, reason, attempt, planned_for, settled_at)
      SELECT contact_id, touchpoint_id, episode_id, step_id, ${state}, ${reason}::text, 1, planned_for, ${settledAt}
      FROM touchpoints WHERE ${at}`
    const fate = i % 5
    if (fate === 0) continue
    if (fate === 1) {
      await execute(
        database,
        sql`UPDATE touchpoints SET state = 'queued', lease_until = ${day(61)} WHERE ${at}`,
      )
      continue
    }
    if (fate === 2) {
      // A late receipt cleared it up.
      await execute(database, settled('uncertain', null, day(11)))
      await execute(
        database,
        sql`UPDATE touchpoint_records SET state = 'failed', reason = 'bad_address' WHERE ${at}`,
      )
    } else if (fate === 3) await execute(database, settled('uncertain', null, day(11)))
    else await execute(database, settled('cancelled', 'returned', day(11)))
    await execute(database, sql`DELETE FROM touchpoints WHERE ${at}`)
  }
}

const assignment = fc.record({
  count: fc.nat(4),
  arm: fc.constantFrom('treated', 'holdout', 'control', 'seed'),
  tier: fc.constantFrom(...TIERS),
  version: fc.constantFrom(1, 2),
  at: fc.integer({ min: 0, max: 5 }).map(day),
  settle: fc.constantFrom('sent', 'skipped'),
  advances: fc.boolean(),
})
const leftOut = fc.record({
  reason: fc.constantFrom('audience', 'backlog', 'exclusive'),
  count: fc.nat(50),
  at: fc.integer({ min: 0, max: 5 }).map(day),
})

describe('the reconciliation', () => {
  it('adds up on every history, and notices one row more or less', async () => {
    await assertPatiently(
      fc.asyncProperty(
        fc.array(assignment, { maxLength: 5 }),
        fc.array(leftOut, { maxLength: 3 }),
        fc.constantFrom('none', 'lost', 'extra', 'twice', 'held out', 'uncounted'),
        async (assignments, answers, damage) => {
          await clearHistory(database)
          const people = { counted: 0, steps: 0 }
          for (const { advances, ...each } of assignments) {
            const made = await history.assign(each)
            if (each.arm !== 'seed') people.counted += each.count
            const ladder = (LADDER as Record<string, readonly string[]>)[each.tier] ?? []
            if (each.arm === 'treated') people.steps += each.count * ladder.length
            if (each.arm === 'treated' && advances && each.tier !== 'letter' && made.length > 0) {
              await advance(made, each.version)
              people.steps += each.count * LADDER.letter.length
            }
          }
          for (const each of answers) await history.answer(each.reason, each.count, each.at)

          const sound = await read()
          const { reconciliation } = sound
          const left = answers.reduce((sum, each) => sum + each.count, 0)
          expect(reconciliation).toMatchObject({
            considered: people.counted + left,
            opened: people.counted,
            ladder: { expected: people.steps, found: people.steps, missing: 0, unexpected: 0, repeated: 0 },
            holds: true,
          })
          const stated = sound.touchpoints.reduce((sum, cell) => sum + cell.touchpoints, 0)
          expect(stated).toBe(people.steps)
          expect(reconciliation.leftOut.reduce((sum, row) => sum + row.contacts, 0)).toBe(left)

          // As it stood before the second tier was entered: messages are told as they stand today, and still add up.
          expect((await read(day(3))).reconciliation.off).toEqual([])

          const kind = await harm(damage)
          if (kind === undefined) return
          const harmed = (await read()).reconciliation
          expect(harmed.holds).toBe(false)
          expect(harmed.off.map((off) => off.kind)).toContain(kind)
        },
      ),
      { numRuns: 25, milliseconds: 15_000 },
    )
  })

  it('names a contact to look at, and says in words what is off', async () => {
    await clearHistory(database)
    await history.assign({ arm: 'treated', count: 3 })
    await harm('lost')
    const data = await read()
    const contact = data.reconciliation.off[0]?.contact
    expect(contact).toMatch(/^c/)
    const style = { locale: 'en', currency: 'CNY', color: false, width: 160 }
    expect(formatReport(data, style)).toContain(
      `OFF: no state is recorded of 1 of the messages of contacted stays, such as contact ${contact}`,
    )
    expect(formatReport(data, { ...style, locale: 'zh-CN' })).toContain(
      '不符：触达阶段有 1 条消息没有记录状态',
    )
  })
})

/** Breaks one row of the history; returns what the report must find, or undefined where there is nothing to break. */
async function harm(damage: string): Promise<string | undefined> {
  const one = (table: string, where = sql`true`) =>
    sql`${sql.identifier(table)} WHERE (contact_id, episode_id) = (
      SELECT x.contact_id, x.episode_id FROM ${sql.identifier(table)} x JOIN episodes e USING (contact_id, episode_id)
      WHERE e.arm <> 'seed' AND ${where} LIMIT 1)`
  switch (damage) {
    case 'lost': {
      const gone = await execute(
        database,
        sql`DELETE FROM touchpoint_records WHERE (contact_id, touchpoint_id) = (
              SELECT r.contact_id, r.touchpoint_id FROM touchpoint_records r
              JOIN episodes e USING (contact_id, episode_id)
              WHERE e.arm <> 'seed' AND r.state IN ('sent', 'skipped') LIMIT 1)`,
      )
      return gone > 0 ? 'missing' : undefined
    }
    case 'twice':
    case 'extra': {
      const added = await execute(
        database,
        sql`INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
            SELECT contact_id, episode_id, ${damage === 'twice' ? sql`step_id` : (history.stepIds.get('trial/call') ?? 0)},
              planned_for, planned_for
            FROM touchpoint_records r JOIN episodes e USING (contact_id, episode_id)
            JOIN steps p USING (step_id)
            WHERE e.arm <> 'seed' AND p.tier <> 'trial' AND e.entry_tier <> 'trial' LIMIT 1`,
      )
      return added > 0 ? (damage === 'twice' ? 'repeated' : 'unexpected') : undefined
    }
    case 'held out': {
      const turned = await execute(
        database,
        sql`UPDATE stages s SET arm = 'holdout' FROM episodes e
            WHERE e.contact_id = s.contact_id AND e.episode_id = s.episode_id AND e.arm = 'treated' AND s.arm = 'treated'`,
      )
      return turned > 0 ? 'unexpected' : undefined
    }
    case 'uncounted': {
      const gone = await execute(database, sql`DELETE FROM ${one('episodes')}`)
      return gone > 0 ? 'episodes' : undefined
    }
    default:
      return undefined
  }
}
