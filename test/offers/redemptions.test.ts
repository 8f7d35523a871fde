import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { isMistyped } from '../../src/offers/codes.ts'
import { outstandingGrant } from '../../src/offers/grants.ts'
import { importRedemptions } from '../../src/offers/import.ts'
import { offer } from '../../src/offers/offers.ts'
import { type RedemptionClaim, redeem, redeemActivity } from '../../src/offers/redemptions.ts'
import { readOffers } from '../../src/reports/offers.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { file, options } from '../contacts/files.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'

async function open(contacts = 2): Promise<Pipeline & { codes: string[] }> {
  const terms = offer.parse({
    kind: 'coupon',
    amount: '5 CNY',
    valid: '7d',
    expected_redemption: '10%',
    deliver: 'code',
  })
  const steps = [{ id: 'one', offer: { name: 'five', terms } }]
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
  })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let made = 0; made < contacts; made += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  await pipeline.work()
  const found = await rows<{ code: string }>(
    pipeline.database,
    sql`SELECT code FROM grants ORDER BY contact_id`,
  )
  return { ...pipeline, codes: found.map(({ code }) => code) }
}

const hour = (hours: number) => new Date(START.getTime() + hours * 3600_000)
const say = async ({ database, clock }: Pipeline, ...claims: RedemptionClaim[]) => {
  const answers = await transaction(database, (tx) => redeem(tx, clock.now(), claims))
  return answers.map((answer) => (answer.outcome === 'refused' ? answer.reason : answer.outcome))
}
const owed = async ({ database }: Pipeline) => {
  const [sum] = await rows<{ amount: number }>(
    database,
    sql`SELECT coalesce(sum(amount), 0)::bigint AS amount FROM ledger WHERE kind = 'liability'`,
  )
  return sum?.amount
}

/** The next lapse brings the next grant of the offer to each, while the first still holds: from the sixth to the 13th day. */
const grantAgain = ({ database }: Pipeline) =>
  rows(
    database,
    sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
          reserved_at, granted_at, expires_at)
        SELECT contact_id, episode_id + 1000, campaign, offer, kind, step_id, touchpoint_id + 1000, 'granted', face,
          expected, ${hour(24 * 6)}, ${hour(24 * 6)}, ${hour(24 * 13)} FROM grants`,
  )

describe('a redemption', () => {
  it('of a code whose owner was erased is nobody’s, and keeps none that is told of beside it from being booked', async () => {
    const pipeline = await open()
    const { database, clock, codes } = pipeline
    const [gone = '', there = ''] = codes
    clock.set(hour(2))
    await transaction(database, async (tx) => {
      const [owner] = await rows<{ id: number }>(
        tx,
        sql`SELECT contact_id AS id FROM grants WHERE code = ${gone}`,
      )
      await eraseContact(tx, owner?.id ?? 0, { now: hour(1), hooks: {}, phoneKeys: () => [] })
    })
    const claim = (code: string) => ({ key: `order of ${code}`, code, at: hour(2) })
    expect(await say(pipeline, claim(gone), claim(there))).toEqual(['unknown_code', 'redeemed'])
    expect(await say(pipeline, claim(there), claim(gone))).toEqual(['repeated', 'unknown_code'])
  })

  it('settles what the offer costs at its value, once, however often it is told', async () => {
    const pipeline = await open()
    const [code = ''] = pipeline.codes
    expect(await owed(pipeline)).toBe(2 * 500_000)
    pipeline.clock.set(hour(2))
    const claim = {
      key: 'order-1',
      code: code.toLowerCase().replaceAll('-', ' '),
      // As it was given, at the earliest.
      at: START,
      value: 30_000_000,
    }
    expect(await say(pipeline, claim)).toEqual(['redeemed'])
    expect(await owed(pipeline)).toBe(5_000_000 + 500_000)
    expect(await say(pipeline, claim, claim)).toEqual(['repeated', 'repeated'])
    expect(await say(pipeline, { ...claim, key: 'order-2' })).toEqual(['already_redeemed'])
    expect(await owed(pipeline)).toBe(5_500_000)
    // What is left expires; what was used does not.
    pipeline.clock.set(hour(24 * 8))
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await owed(pipeline)).toBe(5_000_000)
  })

  it('gets a reason and changes nothing where it is late, early, unknown or somebody else’s', async () => {
    const pipeline = await open()
    const [code = '', other = ''] = pipeline.codes
    pipeline.clock.set(hour(24 * 10))
    const at = hour(1)
    // An imported code looks as it likes, and has no check letter.
    const POOLED = '1234567890ABCDEF'
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at)
          VALUES (${POOLED}, ${POOLED}, 'other', 'pool', ${START})`,
    )
    expect(isMistyped(POOLED)).toBe(true)
    const before = await rows(pipeline.database, sql`SELECT * FROM grants ORDER BY grant_id`)
    expect(
      await say(
        pipeline,
        { key: 'a', code, at: hour(24 * 7) },
        { key: 'b', code, at: hour(-1) },
        { key: 'c', code, at: hour(24 * 11) },
        { key: 'd', code: '0000-0000-0000-0000', at },
        { key: 'e', code: other, externalId: 'u1', at },
        { key: 'f', externalId: 'u1', offer: 'ten', at },
        { key: 'g', externalId: 'nobody', offer: 'five', at },
        { key: 'h', at },
        { key: 'i', code: "'; DROP TABLE grants; --", at },
        { key: 'j', code: `${code.slice(0, -1)}${code.endsWith('7') ? '8' : '7'}`, at },
        { key: 'k', code: POOLED, at },
        { key: 'l', code: other, externalId: 'nobody', at },
      ),
    ).toEqual([
      'expired',
      'too_early',
      'future',
      'unknown_code',
      'foreign',
      'unknown_grant',
      'unknown_contact',
      'incomplete',
      'unknown_code',
      'mistyped_code',
      'unknown_code',
      'foreign',
    ])
    expect(await rows(pipeline.database, sql`SELECT * FROM grants ORDER BY grant_id`)).toEqual(before)
    expect(await owed(pipeline)).toBe(2 * 500_000)
  })

  it('counts by its own time where it is heard of after the grant has expired, and whoever has come back', async () => {
    const pipeline = await open()
    const [contact] = await rows<{ id: number }>(
      pipeline.database,
      sql`SELECT min(contact_id) AS id FROM contacts`,
    )
    pipeline.clock.set(hour(1))
    await pipeline.addActivity(contact?.id ?? 0, hour(1))
    pipeline.clock.set(hour(24 * 9))
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await owed(pipeline)).toBe(0)
    expect(await say(pipeline, { key: 'late', externalId: 'u1', offer: 'five', at: hour(20) })).toEqual([
      'redeemed',
    ])
    expect(await owed(pipeline)).toBe(5_000_000)
    // The next lapse brings the next grant; what is told again is still of the first.
    await rows(
      pipeline.database,
      sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face, expected,
            reserved_at, granted_at, expires_at)
          SELECT contact_id, episode_id + 1000, campaign, offer, kind, step_id, touchpoint_id + 1000, 'granted', face,
            expected, ${hour(24 * 8)}, ${hour(24 * 8)}, ${hour(24 * 15)} FROM grants WHERE contact_id = ${contact?.id ?? 0}`,
    )
    const again = { externalId: 'u1', offer: 'five', at: hour(24 * 9) }
    expect(await say(pipeline, { key: 'late', ...again }, { key: 'next', ...again })).toEqual([
      'repeated',
      'redeemed',
    ])
  })

  it('is of the grant that was good when it was used, whichever else the contact has, many told at once', async () => {
    const pipeline = await open(1)
    await grantAgain(pipeline)
    pipeline.clock.set(hour(24 * 9))
    await sweep(pipeline.database, pipeline.clock.now(), [])
    const used = (key: string, hours: number) => ({ key, externalId: 'u1', offer: 'five', at: hour(hours) })
    expect(await say(pipeline, used('next', 24 * 8), used('late', 20), used('none', 24 * 8))).toEqual([
      ...['redeemed', 'redeemed', 'already_redeemed'],
    ])
    expect(
      await rows(pipeline.database, sql`SELECT redemption_key AS key FROM grants ORDER BY expires_at`),
    ).toEqual([{ key: 'late' }, { key: 'next' }])
  })

  it('of a file without keys is one for each time it names, however often the file comes', async () => {
    const pipeline = await open(1)
    await grantAgain(pipeline)
    pipeline.clock.set(hour(24 * 9))
    const lines = [20, 24 * 8].map((hours) => `u1,five,${hour(hours).toISOString()}\n`)
    const path = file('used.csv', `external_id,offer,redeemed_at\n${lines.join('')}`)
    const take = async () => {
      const { inserted, rejected } = await importRedemptions(
        pipeline.database,
        path,
        options({ clock: pipeline.clock }),
      )
      return { inserted, rejected }
    }
    expect(await take()).toEqual({ inserted: 2, rejected: 0 })
    expect(await take()).toEqual({ inserted: 0, rejected: 0 })
  })

  it('ends the promise: a message that is written anew speaks of it no more', async () => {
    const pipeline = await open(3)
    const { database, codes } = pipeline
    const grants = await rows<{ contactId: number; episodeId: number }>(
      database,
      sql`SELECT contact_id AS "contactId", episode_id AS "episodeId" FROM grants ORDER BY contact_id`,
    )
    const outstanding = () =>
      Promise.all(
        grants.map(
          async (grant) =>
            (await outstandingGrant(database, { campaign: 'test', offer: 'five', ...grant }))?.code,
        ),
      )
    expect(await outstanding()).toEqual(codes)
    pipeline.clock.set(hour(1))
    expect(await say(pipeline, { key: 'one', code: codes[1] ?? '', at: hour(1) })).toEqual(['redeemed'])
    expect(await outstanding()).toEqual([codes[0], undefined, codes[2]])
    const [first] = grants
    for (const other of [{ offer: 'ten' }, { campaign: 'another' }, { episodeId: 987_654 }])
      expect(
        await outstandingGrant(database, {
          ...{ campaign: 'test', offer: 'five', contactId: 0, episodeId: 0, ...first },
          ...other,
        }),
      ).toBeUndefined()
    pipeline.clock.set(hour(24 * 8))
    await sweep(database, pipeline.clock.now(), [])
    expect(await outstanding()).toEqual([undefined, undefined, undefined])
  })

  it('is of the code as it was typed, before what a generated one would read', async () => {
    const pipeline = await open()
    const { database } = pipeline
    await rows(
      database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, contact_id, grant_id)
          SELECT given.code, given.code, 'test', 'five', ${START}, contact_id, grant_id
          FROM grants JOIN (VALUES (1, 'F011'), (2, 'FOIL')) AS given(place, code)
            ON place = (SELECT count(*) FROM grants g WHERE g.contact_id <= grants.contact_id)`,
    )
    pipeline.clock.set(hour(1))
    expect(await say(pipeline, { key: 'typed', code: 'foil', at: hour(1) })).toEqual(['redeemed'])
    const used = await rows(
      database,
      sql`SELECT x.external_id AS id FROM grants JOIN external_ids x USING (contact_id) WHERE state = 'redeemed'`,
    )
    expect(used).toEqual([{ id: 'u2' }])
  })

  it('comes as an event with the code, in the transaction that records it', async () => {
    const pipeline = await open()
    const [code = ''] = pipeline.codes
    pipeline.clock.set(hour(2))
    const told = await transaction(pipeline.database, async (tx) => {
      await tx.client.query(`CREATE TEMP TABLE incoming_activity (contact_id bigint, occurred_at timestamptz,
        key bigint, type text, value bigint, properties jsonb) ON COMMIT DROP`)
      await tx.client.query(`CREATE TEMP TABLE new_activity (contact_id bigint, occurred_at timestamptz, type text,
        value bigint) ON COMMIT DROP`)
      await rows(
        tx,
        sql`INSERT INTO incoming_activity SELECT contact_id, ${hour(1)}, 7, 'coupon_used', 100,
          jsonb_build_object('code', ${code}::text) FROM contacts`,
      )
      await rows(
        tx,
        sql`INSERT INTO new_activity SELECT contact_id, occurred_at, type, value FROM incoming_activity`,
      )
      return await redeemActivity(tx, pipeline.clock.now(), { type: 'coupon_used', code: 'code' })
    })
    // The second contact says the first one's code.
    expect(
      told.map((answer) => (answer.outcome === 'refused' ? answer.reason : answer.outcome)).toSorted(),
    ).toEqual(['foreign', 'redeemed'])
    // Nobody waits for the answer: it is kept, with whose offer the code is.
    expect(
      await rows(
        pipeline.database,
        sql`SELECT code, reason, campaign, offer, value FROM refused_redemptions`,
      ),
    ).toEqual([{ code, reason: 'foreign', campaign: 'test', offer: 'five', value: 100 }])
    const question = { campaign: 'test', now: hour(3), split: new Map() }
    expect((await readOffers(pipeline.database, question)).refused).toEqual([
      { offer: 'five', reason: 'foreign', times: 1 },
    ])
  })
})

it('is added up in the report beyond what a number holds exactly', async () => {
  const { database } = await openPipeline({ database: await emptiedDatabase() })
  const value = '10000000000000000'
  await execute(
    database,
    sql`INSERT INTO report_offers VALUES
      ('test', ${START}, 'five', 'coupon', 'only', 'everyone', 20000, 20000, 0, 0, ${value}::bigint, ${value}::bigint)`,
  )
  const { offers } = await readOffers(database, { campaign: 'test', now: START, split: new Map() })
  expect(offers).toMatchObject([{ face: 1e16, value: 1e16 }])
})
