import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { ageEpisodes } from '../../src/audience/age.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { recordReturns } from '../../src/outcomes/returns.ts'
import { recordStop } from '../../src/outcomes/silence.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../support/pipeline.ts'

const ago = (days: number) => new Date(START.getTime() - days * DAY * 1000)
const later = (seconds: number) => new Date(START.getTime() + seconds * 1000)
const WINDOW = 30 * DAY

/** One contact, silent for four days, whose episode opened at START. */
async function lapsed(options: PipelineOptions = {}): Promise<{ pipeline: Pipeline; contact: number }> {
  const pipeline = await openPipeline({ ...options, database: await emptiedDatabase() })
  const contact = await pipeline.addContact({ silentSince: ago(4) })
  await pipeline.runNow()
  return { pipeline, contact }
}

interface Episode {
  silencedBy: string | null
  silencedAt: Date | null
  returnedAt: Date | null
  endReason: string | null
}

async function episode(pipeline: Pipeline): Promise<Episode> {
  const [row] = await rows<Episode>(
    pipeline.database,
    sql`SELECT silenced_by AS "silencedBy", silenced_at AS "silencedAt", returned_at AS "returnedAt",
      end_reason AS "endReason" FROM episodes WHERE campaign = 'test'`,
  )
  if (!row) throw new Error('no episode')
  return row
}

const recalls = (pipeline: Pipeline) =>
  rows<{ goal: number; at: Date }>(
    pipeline.database,
    sql`SELECT goal_no AS goal, recalled_at AS at FROM recalls ORDER BY goal_no`,
  )

describe('activity', () => {
  it('older than the lapse changes nothing', async () => {
    const { pipeline, contact } = await lapsed()
    await pipeline.addActivity(contact, ago(5))
    await pipeline.addActivity(contact, ago(4))
    expect(await episode(pipeline)).toMatchObject({ silencedBy: null, returnedAt: null })
    expect(await pipeline.open()).toHaveLength(2)
  })

  it('newer than the lapse but older than the assignment silences, and is no return', async () => {
    const { pipeline, contact } = await lapsed()
    await pipeline.addActivity(contact, ago(3))
    expect(await episode(pipeline)).toMatchObject({ silencedBy: 'returned', returnedAt: null })
    expect(await recalls(pipeline)).toEqual([])
    expect(await pipeline.open()).toEqual([])
  })

  it('at the very moment of the assignment is no return; a moment later it is', async () => {
    const { pipeline, contact } = await lapsed()
    await pipeline.addActivity(contact, START)
    expect(await episode(pipeline)).toMatchObject({ silencedBy: 'returned', returnedAt: null })
    await pipeline.addActivity(contact, later(0.001))
    expect(await episode(pipeline)).toMatchObject({ returnedAt: later(0.001) })
    expect(await recalls(pipeline)).toEqual([{ goal: 0, at: later(0.001) }])
  })

  it('that arrives late and out of order ends at the same answer', async () => {
    const { pipeline, contact } = await lapsed()
    const moments = [later(9 * DAY), later(3 * DAY), later(20 * DAY), later(5 * DAY)]
    pipeline.clock.set(later(21 * DAY))
    for (const moment of moments) await pipeline.addActivity(contact, moment)
    expect(await episode(pipeline)).toMatchObject({
      returnedAt: later(3 * DAY),
      silencedAt: later(21 * DAY),
    })
    expect(await recalls(pipeline)).toEqual([{ goal: 0, at: later(3 * DAY) }])
  })

  it('of a type that does not count as activity recalls where it is a goal, and silences nobody', async () => {
    const { pipeline, contact } = await lapsed({
      definition: { goals: { recall: { event: 'session' }, review: { event: 'review' } } },
    })
    await pipeline.addActivity(contact, later(60), 'review')
    expect(await episode(pipeline)).toMatchObject({ silencedBy: null, returnedAt: null })
    expect(await recalls(pipeline)).toEqual([{ goal: 1, at: later(60) }])
  })

  it('recalls to the last moment of the window and not beyond', async () => {
    const { pipeline, contact } = await lapsed()
    await pipeline.addActivity(contact, later(WINDOW + 0.001))
    expect(await recalls(pipeline)).toEqual([])
    expect(await episode(pipeline)).toMatchObject({ returnedAt: later(WINDOW + 0.001) })
    await pipeline.addActivity(contact, later(WINDOW))
    expect(await recalls(pipeline)).toEqual([{ goal: 0, at: later(WINDOW) }])
  })

  it('is held against the goals, and what silences, of the version that took them in', async () => {
    const pipeline = await openPipeline({ database: await emptiedDatabase() })
    const { database, campaign } = pipeline
    const [older, newer] = [
      await pipeline.addContact({ silentSince: ago(4) }),
      await pipeline.addContact({ silentSince: ago(4) }),
    ]
    await pipeline.runNow()
    const goals = { order: { ...campaign.definition.goals.recall, event: 'order' } }
    const second: typeof campaign = {
      ...campaign,
      version: 2,
      silencedBy: 'goal',
      definition: { ...campaign.definition, goals },
    }
    Object.assign(pipeline.run.book, {
      campaign: async (_name: string, version: number) => (version === 2 ? second : campaign),
    })
    await rows(database, sql`UPDATE episodes SET version = 2 WHERE contact_id = ${newer}`)
    await transaction(database, async (tx) => {
      await execute(
        tx,
        sql`CREATE TEMP TABLE new_activity ON COMMIT DROP AS SELECT contact_id, ${later(60)}::timestamptz AS occurred_at,
          'session'::text AS type, NULL::bigint AS value FROM contacts`,
      )
      await recordReturns(tx, later(60), { book: pipeline.run.book, activityTypes: ['session', 'order'] })
    })
    const silenced = await rows(
      database,
      sql`SELECT contact_id AS contact FROM episodes WHERE silenced_by = 'returned'`,
    )
    expect(silenced).toEqual([{ contact: older }])
    const reached = await rows(database, sql`SELECT contact_id AS contact FROM recalls`)
    expect(reached).toEqual([{ contact: older }])
  })

  it('counts alike for those held out', async () => {
    const { pipeline, contact } = await lapsed({ holdout: 1 })
    await pipeline.addActivity(contact, later(60))
    expect(await episode(pipeline)).toMatchObject({ silencedBy: 'returned', returnedAt: later(60) })
    expect(await recalls(pipeline)).toHaveLength(1)
    expect(await pipeline.records()).toEqual([])
  })

  it('leaves alone what is being sent, and stops what comes after', async () => {
    const { pipeline, contact } = await lapsed()
    let answer = () => {}
    pipeline.channel.answer = () =>
      new Promise((resolve) => {
        answer = () => resolve({ outcome: 'retry', detail: '451 later' })
      })
    const working = pipeline.work()
    await new Promise<void>((resolve) => {
      const look = () => (pipeline.channel.sent.length > 0 ? resolve() : setImmediate(look))
      look()
    })
    pipeline.clock.advance(30)
    await pipeline.addActivity(contact, later(30))
    expect(await pipeline.open()).toMatchObject([{ step: 'remind', state: 'sending' }])
    answer()
    await working
    // It was not taken after all and came back; nobody tries again.
    expect(await pipeline.open()).toMatchObject([{ step: 'remind', state: 'planned' }])
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(await pipeline.records()).toMatchObject([
      { step: 'coupon', state: 'cancelled', reason: 'returned' },
      { step: 'remind', state: 'cancelled', reason: 'returned' },
    ])
  })
})

describe('an episode ends', () => {
  const end = async (pipeline: Pipeline, seconds = WINDOW + 2 * DAY) => {
    pipeline.clock.set(later(seconds))
    return (await ageEpisodes(pipeline.run, pipeline.campaign.name, pipeline.clock.now())).ended
  }

  it('when window and grace are over, and not a moment sooner', async () => {
    const { pipeline } = await lapsed()
    // What another campaign plans for the same contact goes on.
    await rows(
      pipeline.database,
      sql`WITH other AS (
          INSERT INTO episodes (contact_id, campaign, version, exclusive, person_id, episode_no, arm, entry_tier, segment,
            lapsed_at, assigned_at, window_ends_at, outcome_until, tier_no)
          SELECT contact_id, 'other', 1, 'other', person_id, 1, arm, entry_tier, segment, lapsed_at, assigned_at,
            window_ends_at, outcome_until, tier_no FROM episodes
          RETURNING contact_id, episode_id, lapsed_at
        )
        INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        SELECT contact_id, episode_id, 1, lapsed_at, lapsed_at FROM other`,
    )
    expect(await end(pipeline, WINDOW + 2 * DAY - 1)).toBe(0)
    expect(await end(pipeline)).toBe(1)
    expect(await end(pipeline)).toBe(0)
    expect(await episode(pipeline)).toMatchObject({ endReason: 'expired' })
    expect(await pipeline.open()).toMatchObject([{ dueAt: ago(4) }])
  })

  it('as recalled, or as returned where the goal was not reached', async () => {
    const recalled = await lapsed()
    await recalled.pipeline.addActivity(recalled.contact, later(60))
    await end(recalled.pipeline)
    expect(await episode(recalled.pipeline)).toMatchObject({ endReason: 'recalled' })

    const returned = await lapsed({ definition: { goals: { order: { event: 'order' } } } })
    await returned.pipeline.addActivity(returned.contact, later(60))
    await end(returned.pipeline)
    expect(await episode(returned.pipeline)).toMatchObject({ endReason: 'returned' })

    // A second goal is no recall, and a stop takes no return back.
    const second = await lapsed({
      definition: { goals: { recall: { event: 'session' }, review: { event: 'review' } } },
    })
    await second.pipeline.addActivity(second.contact, later(60), 'review')
    await end(second.pipeline)
    expect(await episode(second.pipeline)).toMatchObject({ endReason: 'expired' })

    const stopped = await lapsed({ definition: { goals: { order: { event: 'order' } } } })
    await recordStop(stopped.pipeline.database, later(30), 'test')
    await stopped.pipeline.addActivity(stopped.contact, later(60))
    await end(stopped.pipeline)
    expect(await episode(stopped.pipeline)).toMatchObject({ silencedBy: 'stopped', endReason: 'returned' })
  })

  it('and late events do not touch it any more', async () => {
    const { pipeline, contact } = await lapsed()
    await end(pipeline)
    await pipeline.addActivity(contact, later(60))
    expect(await episode(pipeline)).toMatchObject({ endReason: 'expired', returnedAt: null })
    expect(await recalls(pipeline)).toEqual([])
  })

  it('and what was being sent then is not tried again', async () => {
    const { pipeline } = await lapsed({
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }] }],
      definition: { limits: { max_delay: '60d' } },
    })
    pipeline.channel.answer = () => ({ outcome: 'retry', detail: '451 later', after: WINDOW })
    await pipeline.work()
    expect(await pipeline.open()).toHaveLength(1)
    const [step] = pipeline.campaign.tiers[0]?.steps ?? []
    // As if its worker had still been at it while the episode closed.
    await end(pipeline, WINDOW + DAY)
    await rows(pipeline.database, sql`UPDATE episodes SET ended_at = assigned_at, end_reason = 'expired'`)
    await pipeline.work()
    expect(step?.id).toBe('remind')
    expect(pipeline.channel.sent).toHaveLength(1)
    expect(await pipeline.records()).toMatchObject([{ state: 'cancelled', reason: 'expired' }])
  })
})
