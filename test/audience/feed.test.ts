import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { type FeedState, judgeFeed, readFeed } from '../../src/audience/feed.ts'
import { execute } from '../../src/database/connect.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openPipeline, START } from '../support/pipeline.ts'

const hours = (count: number) => new Date(START.getTime() - count * 3_600_000)
const fine: FeedState = { newestAt: hours(1), lastDay: 100, normal: 100 }

describe('the feed check', () => {
  it('refuses activity older than max_lag, from the first millisecond', () => {
    const feed = { max_lag: 6 * 3600, min_volume: undefined }
    expect(judgeFeed({ ...fine, newestAt: hours(6) }, feed, START)).toEqual({ ok: true })
    const late = new Date(hours(6).getTime() - 1)
    expect(judgeFeed({ ...fine, newestAt: late }, feed, START)).toMatchObject({ ok: false })
    expect(judgeFeed({ ...fine, newestAt: null }, feed, START)).toEqual({
      ok: false,
      fault: 'never',
      reason: 'no activity has ever arrived',
    })
  })

  it('refuses a day thinner than min_volume of normal, and says nothing before there is a normal', () => {
    const feed = { max_lag: undefined, min_volume: 0.5 }
    expect(judgeFeed({ ...fine, lastDay: 50 }, feed, START)).toEqual({ ok: true })
    expect(judgeFeed({ ...fine, lastDay: 49 }, feed, START)).toMatchObject({ ok: false })
    expect(judgeFeed({ ...fine, lastDay: 0, normal: null }, feed, START)).toEqual({ ok: true })
  })

  it('checks nothing where the campaign asks for nothing', () => {
    const silent = { newestAt: null, lastDay: 0, normal: 1000 }
    expect(judgeFeed(silent, { max_lag: undefined, min_volume: undefined }, START)).toEqual({ ok: true })
  })

  it('knows the last whole day and the mean of those before, days without any counted as none', async () => {
    const database = await emptiedDatabase()
    // START is 2026-03-02: today, yesterday with 30, ten days with 100 each but for two without any.
    await execute(
      database,
      sql`INSERT INTO feed_days VALUES ('2026-03-02', 7, '2026-03-02T00:30Z'), ('2026-03-01', 30, '2026-03-01T23:00Z')`,
    )
    await execute(
      database,
      sql`INSERT INTO feed_days SELECT day::date, 100, day + interval '23 hours'
        FROM generate_series('2026-02-19'::timestamptz, '2026-02-28', '1 day') AS day
        WHERE day NOT IN ('2026-02-21', '2026-02-24')`,
    )
    expect(await readFeed(database, START)).toEqual({
      newestAt: new Date('2026-03-02T00:30:00Z'),
      lastDay: 30,
      normal: 80,
    })
  })

  it('is not late because something came while a run was at work', async () => {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      definition: { feed: { max_lag: '1h' } },
    })
    await pipeline.addContact({ silentSince: hours(100) })
    const soon = new Date(START.getTime() + 1000)
    await execute(
      pipeline.database,
      sql`INSERT INTO feed_days VALUES ('2026-03-02', 5000, ${soon}), ('2026-03-01', 90000, '2026-03-01T23:59Z')`,
    )
    expect(await readFeed(pipeline.database, START)).toMatchObject({ newestAt: START })
    expect(await pipeline.runNow()).toMatchObject({ state: 'done', answers: { opened: 1 } })
    // What is known of the next day is nothing that was known then.
    expect(await readFeed(pipeline.database, hours(5))).toMatchObject({
      newestAt: new Date('2026-03-01T20:00:00Z'),
    })
  })

  it('has no normal before there are seven days', async () => {
    const database = await emptiedDatabase()
    await execute(
      database,
      sql`INSERT INTO feed_days SELECT day::date, 100, day
        FROM generate_series('2026-02-23'::timestamptz, '2026-02-28', '1 day') AS day`,
    )
    expect(await readFeed(database, START)).toMatchObject({ lastDay: 0, normal: null })
  })

  it('makes a run refuse for good, and open nothing', async () => {
    const pipeline = await openPipeline({
      database: await emptiedDatabase(),
      definition: { feed: { max_lag: '6h' } },
    })
    await pipeline.addContact({ silentSince: hours(100) })
    expect(await pipeline.runNow()).toMatchObject({ state: 'refused', considered: 0 })
    expect(await pipeline.runNow()).toMatchObject({ state: 'refused' })
    expect(await pipeline.open()).toEqual([])
  })
})
