import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../src/clock.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { recordStop } from '../../src/outcomes/silence.ts'
import { ageIdle, runDue } from '../../src/service/ticks.ts'
import { oneTierCampaign } from '../support/campaign.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { openShop, type Shop } from '../support/shop.ts'

const START = new Date('2026-03-02T08:30:00Z')
const DAY = 86_400

const source = (name: string) => oneTierCampaign(name, ['{ id: ping, channel: log }'])

async function openTwo(): Promise<Shop & { ran(): Promise<string[]> }> {
  const database = await emptiedDatabase()
  const clock = manualClock(START)
  const shop = await openShop({ database, clock, channels: [] })
  await shop.apply(source('alpha'))
  await shop.apply(source('beta'))
  await shop.importContacts([{ external_id: 'c', signed_up_at: '2026-02-20T00:00:00Z' }])
  const ran = async () =>
    (
      await rows<{ run: string }>(
        database,
        sql`SELECT campaign AS run FROM runs ORDER BY scheduled_for, run_id`,
      )
    ).map((row) => row.run)
  return { ...shop, ran }
}

describe('a scheduler', () => {
  it('runs no tick from before a campaign was applied, and catches up the newest one alone', async () => {
    const shop = await openTwo()
    await runDue(shop.runtime)
    expect(await shop.ran()).toEqual([])
    shop.clock.advance(3600)
    await runDue(shop.runtime)
    await runDue(shop.runtime)
    expect(await shop.ran()).toEqual(['alpha', 'beta'])
    shop.clock.advance(5 * DAY)
    await runDue(shop.runtime)
    expect(await shop.ran()).toEqual(['alpha', 'beta', 'alpha', 'beta'])
  })

  it('begins on the first day when the schedule says so, and does not catch up with the day before at midnight', async () => {
    const database = await emptiedDatabase()
    const clock = manualClock(START)
    const shop = await openShop({ database, clock, channels: [] })
    await shop.apply(oneTierCampaign('gamma', ['{ id: ping, channel: log }'], { more: 'starts: 2026-03-04' }))
    const told: [tick: string, state: string][] = []
    const look = (moment: string) => {
      clock.set(new Date(moment))
      return runDue(shop.runtime, (_, tick, { state }) => told.push([tick.toISOString(), state]))
    }
    await look('2026-03-03T23:59:00Z')
    await look('2026-03-04T00:00:00Z')
    await look('2026-03-04T09:00:00Z')
    expect(told).toEqual([
      ['2026-03-03T09:00:00.000Z', 'not_yet'],
      ['2026-03-03T09:00:00.000Z', 'not_yet'],
      ['2026-03-04T09:00:00.000Z', 'done'],
    ])
  })

  it('keeps no campaign waiting for what is wrong with another', async () => {
    const shop = await openTwo()
    await execute(
      shop.database,
      sql`UPDATE campaign_versions SET source = 'no campaign at all' WHERE campaign = 'alpha'`,
    )
    shop.clock.advance(3600)
    // A process that has not read the file yet.
    const other = await openShop({ database: shop.database, clock: shop.clock, channels: [] })
    await expect(runDue(other.runtime)).rejects.toThrow(/alpha/)
    expect(await shop.ran()).toEqual(['beta'])
  })

  it('runs a version though an older one can no longer be read, and measures that, or one in force, to the end', async () => {
    const shop = await openTwo()
    const { database, clock } = shop
    const spoil = (campaign: string) =>
      execute(
        database,
        sql`UPDATE campaign_versions SET source = 'of another Winback' WHERE campaign = ${campaign} AND version = 1`,
      )
    clock.advance(3600)
    await runDue(shop.runtime)
    await shop.apply(source('alpha').replace('title: Alpha', 'title: Alpha again'))
    await shop.importContacts([{ external_id: 'd', signed_up_at: '2026-02-20T00:00:00Z' }])
    await spoil('alpha')
    await spoil('beta')
    // A process that has not read them yet.
    const other = await openShop({ database, clock, channels: [] })
    clock.advance(DAY)
    await expect(runDue(other.runtime)).rejects.toThrow(/beta/)
    const episodes = () =>
      rows<{ version: number }>(
        database,
        sql`SELECT campaign, version, end_reason AS reason FROM episodes ORDER BY campaign, version, contact_id`,
      )
    expect(await episodes()).toEqual([
      { campaign: 'alpha', version: 1, reason: null },
      { campaign: 'alpha', version: 2, reason: null },
      { campaign: 'beta', version: 1, reason: null },
    ])
    clock.advance(32.5 * DAY)
    await expect(runDue(other.runtime)).rejects.toThrow(/beta/)
    await ageIdle(other.runtime)
    expect((await episodes()).filter(({ version }) => version === 1)).toEqual([
      { campaign: 'alpha', version: 1, reason: 'expired' },
      { campaign: 'beta', version: 1, reason: 'expired' },
    ])
  })

  it('measures a stopped or paused campaign to the end, and sets its contacts free', async () => {
    const shop = await openTwo()
    shop.clock.advance(3600)
    await runDue(shop.runtime)
    await execute(
      shop.database,
      sql`INSERT INTO switches VALUES ('campaign', 'alpha', 'stopped', 'over', ${START})`,
    )
    await execute(
      shop.database,
      sql`INSERT INTO switches VALUES ('campaign', 'beta', 'paused', 'wait', ${START})`,
    )
    await recordStop(shop.database, shop.clock.now(), 'alpha')
    shop.clock.advance(33 * DAY)
    await runDue(shop.runtime)
    await ageIdle(shop.runtime)
    const ends = await rows(
      shop.database,
      sql`SELECT campaign, end_reason AS reason FROM episodes ORDER BY campaign`,
    )
    expect(ends).toEqual([
      { campaign: 'alpha', reason: 'withdrawn' },
      { campaign: 'beta', reason: 'expired' },
    ])
    const left = await rows(shop.database, sql`SELECT FROM touchpoints`)
    expect(left).toEqual([])
  })
})
