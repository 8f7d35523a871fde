import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { readPools } from '../../src/offers/pools.ts'
import { findReleased } from '../../src/reports/timeline/dealings-sql.ts'
import { sweep } from '../../src/touchpoints/sweep.ts'
import { testChannel } from '../support/channel.ts'
import { coupon, grantsOf, liability, openGranting, promised, takenOf, wait } from '../support/grants.ts'
import { DAY, expireLeases, type Pipeline, START } from '../support/pipeline.ts'
import { rowsRead } from '../support/rows-read.ts'

// One promise an episode: reserved while a message is under way, granted once it is out, given back otherwise.

/** How the messages had ended whose grants were given back, as the contacts' stories tell it. */
const releasedOf = async ({ database, clock }: Pipeline) => {
  const found = await rows<{ id: number }>(database, sql`SELECT contact_id AS id FROM contacts`)
  const told = await Promise.all(found.map(({ id }) => findReleased(database, id, clock.now())))
  return told.flat().map(({ state, reason }) => `${state} ${reason}`)
}
describe('a grant', () => {
  it('is one for the whole episode: its second step speaks of the same code', async () => {
    const pipeline = await openGranting(3, coupon())
    await pipeline.work()
    wait(pipeline, DAY)
    await pipeline.work()
    const codes = promised(pipeline)
    expect(codes).toHaveLength(6)
    expect(new Set(codes).size).toBe(3)
    expect(await grantsOf(pipeline)).toMatchObject([
      { state: 'granted' },
      { state: 'granted' },
      { state: 'granted' },
    ])
    expect((await grantsOf(pipeline)).map(({ code }) => code).toSorted()).toEqual(
      [...new Set(codes)].toSorted(),
    )
    expect(await takenOf(pipeline)).toBe(3)
    expect(await liability(pipeline)).toBe(3 * 400_000)
  })

  it('is given back where the message was refused, and where it is tried again', async () => {
    const channel = testChannel()
    channel.answer = () => ({ outcome: 'rejected', reason: 'refused', detail: '550' })
    const refused = await openGranting(2, coupon(), { channel })
    await refused.work()
    expect(await grantsOf(refused)).toEqual([])
    expect(await takenOf(refused)).toBe(0)
    expect(await liability(refused)).toBe(0)
    expect(await releasedOf(refused)).toEqual(['failed refused', 'failed refused'])

    const slow = testChannel()
    slow.answer = () => ({ outcome: 'retry', detail: '451' })
    const retried = await openGranting(1, coupon(), { channel: slow })
    await retried.work()
    expect(await takenOf(retried)).toBe(0)
    slow.answer = () => ({ outcome: 'sent' })
    wait(retried, 60)
    await retried.work()
    expect(await grantsOf(retried)).toMatchObject([{ state: 'granted' }])
    // The story tells of the try that came to nothing, too.
    expect(await releasedOf(retried)).toEqual(['null null'])
  })

  it.each([
    ['tried again', async () => ({ outcome: 'retry', detail: 'silence' }) as const],
    [
      'found where its worker died',
      async (pipeline: Pipeline) => {
        await expireLeases(pipeline.database)
        await sweep(pipeline.database, pipeline.clock.now(), ['email'])
        return { outcome: 'uncertain', detail: 'too late' } as const
      },
    ],
  ])('stays with a message that may be out and is sent again with its key: %s', async (_, first) => {
    const channel = testChannel('email', { idempotent: true })
    const pipeline = await openGranting(2, coupon({ stock: 1 }), { channel })
    channel.answer = () => {
      channel.answer = () => ({ outcome: 'sent' })
      return first(pipeline)
    }
    await pipeline.work()
    // Whoever has the code may have it by now: nobody else gets it.
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
    expect(await takenOf(pipeline)).toBe(1)
    expect(await liability(pipeline)).toBe(400_000)
    wait(pipeline, 60)
    await pipeline.work()
    const [code, again] = promised(pipeline)
    expect(again).toBe(code)
    expect(promised(pipeline)).toHaveLength(2)
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted', code }])
    expect(await liability(pipeline)).toBe(400_000)
  })

  describe('of a message in doubt whose first try promised none', () => {
    /** Two first tries by the neutral template, both without an answer; the second ones may promise something. */
    const begin = async (definition: Record<string, unknown> = {}) => {
      const channel = testChannel('email', { idempotent: true, concurrency: 1 })
      channel.answer = () => ({ outcome: 'retry', detail: 'silence' })
      const facts = [{ path: 'vip', value: sql`c.attributes -> 'vip'` }]
      const pipeline = await openGranting(2, coupon(), {
        channel,
        definition,
        step: { otherwise: true, facts },
      })
      await pipeline.work()
      expect(await grantsOf(pipeline)).toEqual([])
      await execute(pipeline.database, sql`UPDATE contacts SET attributes = '{"vip":"yes"}'`)
      channel.answer = () => ({ outcome: 'sent' })
      wait(pipeline, 60)
      return pipeline
    }

    it('is given back where there is no budget for it', async () => {
      const pipeline = await begin({ limits: { budget: { liability: '0.5 CNY' } } })
      await pipeline.work()
      expect((await pipeline.records()).map(({ state }) => state)).toEqual(['sent', 'uncertain'])
      expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
      expect(await takenOf(pipeline)).toBe(1)
      expect(await liability(pipeline)).toBe(400_000)
    })

    it('is given back where its person returns before it is handed over', async () => {
      const pipeline = await begin()
      const { channel, clock } = pipeline
      channel.answer = async ({ contactId }) => {
        await pipeline.addActivity(contactId === 1 ? 2 : 1, clock.now())
        return { outcome: 'sent' }
      }
      await pipeline.work()
      const first = (await pipeline.records()).filter(({ step }) => step === 'one')
      expect(first.map(({ state }) => state).toSorted()).toEqual(['sent', 'uncertain'])
      expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
      expect(await liability(pipeline)).toBe(400_000)
    })

    it('is given back where its worker dies before it is handed over', async () => {
      const pipeline = await begin()
      const { database, clock, channel } = pipeline
      await new Promise<void>((sending) => {
        channel.answer = () => {
          sending()
          return new Promise(() => {})
        }
        void pipeline.work().catch(() => {})
      })
      await expireLeases(database)
      await sweep(database, clock.now(), ['email'])
      expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
      expect(await takenOf(pipeline)).toBe(1)
      expect(await liability(pipeline)).toBe(400_000)
    })
  })

  it('is never more than the stock, and those who come too late get the neutral message or none', async () => {
    const none = await openGranting(5, coupon({ stock: 3 }))
    await none.work()
    expect(await takenOf(none)).toBe(3)
    const skipped = (await none.records()).filter(({ state }) => state === 'skipped')
    expect(skipped).toMatchObject([{ reason: 'offer_unavailable' }, { reason: 'offer_unavailable' }])

    const neutral = await openGranting(5, coupon({ stock: 3 }), { step: { otherwise: true, facts: [] } })
    await neutral.work()
    expect(neutral.channel.sent).toHaveLength(5)
    expect(promised(neutral).filter((code) => code !== undefined)).toHaveLength(3)
    expect(await takenOf(neutral)).toBe(3)
  })

  it('takes imported codes one by one, and says when there are no more', async () => {
    const pipeline = await openGranting(3, coupon({ codes: 'imported' }))
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at) VALUES
        ('A1', 'a-1', 'test', 'five', ${START}, ${new Date(START.getTime() + 2 * DAY * 1000)}),
        ('B2', 'b-2', 'test', 'five', ${START}, NULL),
        ('C3', 'c-3', 'test', 'five', ${START}, ${START})`,
    )
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['a-1', 'b-2'])
    const [first] = (await grantsOf(pipeline)).filter(({ code }) => code === 'a-1')
    expect(first?.expiresAt).toEqual(new Date(START.getTime() + 2 * DAY * 1000))
    const [skip] = await rows(
      pipeline.database,
      sql`SELECT reason, detail FROM touchpoint_records WHERE state = 'skipped'`,
    )
    expect(skip).toEqual({ reason: 'offer_unavailable', detail: 'codes' })
  })

  it('lacks codes and no stock where codes end first, for everybody who comes too late', async () => {
    const pipeline = await openGranting(5, coupon({ codes: 'imported', stock: 3 }))
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at) VALUES
        ('A1', 'a-1', 'test', 'five', ${START}), ('B2', 'b-2', 'test', 'five', ${START})`,
    )
    await pipeline.work()
    expect(await takenOf(pipeline)).toBe(2)
    const skipped = await rows(
      pipeline.database,
      sql`SELECT detail FROM touchpoint_records WHERE state = 'skipped'`,
    )
    expect(skipped).toEqual([{ detail: 'codes' }, { detail: 'codes' }, { detail: 'codes' }])
  })

  it('gives imported codes by their end: the earliest first, those without one last, none that has ended', async () => {
    const pipeline = await openGranting(3, coupon({ codes: 'imported' }))
    const until = (days: number) => new Date(START.getTime() + days * DAY * 1000)
    await rows(
      pipeline.database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, imported_at, expires_at) VALUES
        ('A', 'a', 'test', 'five', ${START}, NULL), ('B', 'b', 'test', 'five', ${START}, ${until(3)}),
        ('C', 'c', 'test', 'five', ${START}, ${until(-1)}), ('D', 'd', 'test', 'five', ${START}, ${until(2)}),
        ('E', 'e', 'test', 'five', ${START}, ${until(2)}), ('F', 'f', 'test', 'five', ${START}, NULL),
        -- As the offer generated them before.
        ('G', 'g', 'test', 'five', NULL, NULL)`,
    )
    const [pool] = await readPools(pipeline.database, START, 'test', { five: coupon({ codes: 'imported' }) })
    expect(pool).toMatchObject({ taken: 0, codes: 6, free: 5, ending: 3 })
    await execute(pipeline.database, sql`DELETE FROM offer_codes WHERE code = 'G'`)
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['b', 'd', 'e'])
    await pipeline.addContact({ silentSince: new Date(START.getTime() - 4 * DAY * 1000) })
    pipeline.clock.set(until(0.5))
    await pipeline.runNow()
    await pipeline.work()
    expect(promised(pipeline).toSorted()).toEqual(['a', 'b', 'd', 'e'])
  })

  it('tells what is left of imported codes without reading those it made up', async () => {
    const { database } = await openGranting(1, coupon({ codes: 'imported' }))
    await execute(
      database,
      sql`INSERT INTO offer_codes (code, shown, campaign, offer, contact_id, grant_id, imported_at)
          SELECT 'M' || n, 'm' || n, 'test', 'five', n, n, CASE WHEN n <= 5 THEN ${START}::timestamptz END
          FROM generate_series(1, 20000) n`,
    )
    await execute(database, sql`ANALYZE offer_codes`)
    const five = { five: coupon({ codes: 'imported' }) }
    const read = await transaction(database, (tx) => rowsRead(tx, () => readPools(tx, START, 'test', five)))
    expect(read.offer_codes).toBeLessThan(20)
  })

  it('counts what the person had of the kind over all campaigns and accounts', async () => {
    for (const [limit, detail, kind] of [
      [{ per_contact: '1 per 30d' }, 'per_contact', 'coupon'],
      [{ lifetime: 1 }, 'lifetime', 'coupon'],
      [{ cool_down: '30d' }, 'cool_down', 'coupon'],
      [{ lifetime: 1, per_contact: '1 per 30d', cool_down: '30d' }, null, 'benefit'],
    ] as const) {
      const pipeline = await openGranting(1, coupon(limit))
      // Another account of the person had a coupon of another campaign ten days ago.
      const person = await rows<{ id: number }>(pipeline.database, sql`SELECT person_id AS id FROM contacts`)
      const other = await pipeline.addContact({ person: person[0]?.id ?? 0 })
      const before = new Date(START.getTime() - 10 * DAY * 1000)
      await rows(
        pipeline.database,
        sql`INSERT INTO grants (contact_id, episode_id, campaign, offer, kind, step_id, touchpoint_id, state, face,
            expected, reserved_at, granted_at, expires_at)
          VALUES (${other}, 1, 'earlier', 'ten', ${kind}, 1, 1, 'expired', 1, 1, ${before}, ${before}, ${before})`,
      )
      await pipeline.work()
      const [skip] = await rows(pipeline.database, sql`SELECT reason, detail FROM touchpoint_records`)
      expect(skip).toEqual({ reason: detail && 'offer_unavailable', detail })
    }
  })

  it('ends with its time, and what it was expected to cost is taken back', async () => {
    const pipeline = await openGranting(2, coupon())
    await pipeline.work()
    expect(await liability(pipeline)).toBe(800_000)
    wait(pipeline, 7 * DAY - 1)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await liability(pipeline)).toBe(800_000)
    wait(pipeline, 1)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'expired' }, { state: 'expired' }])
    expect(await liability(pipeline)).toBe(0)
  })

  it('is granted, and owed, with the settlement of its message, while the rest of the batch is on its way', async () => {
    const channel = testChannel('email', { concurrency: 1 })
    const pipeline = await openGranting(2, coupon(), { channel })
    let seen: unknown
    channel.answer = async () => {
      seen = [(await grantsOf(pipeline)).map(({ state }) => state), await liability(pipeline)]
      return { outcome: 'sent' }
    }
    await pipeline.work()
    // As the second message was being sent.
    expect(seen).toEqual([['granted', 'reserved'], 400_000])
    expect(await liability(pipeline)).toBe(2 * 400_000)
  })

  it('of a worker that died comes back with its touchpoint, or stays where the message may be out', async () => {
    const channel = testChannel('email', { concurrency: 1 })
    const pipeline = await openGranting(2, coupon(), { channel })
    // Dies with its first message in the air: the answer never comes back from this one.
    await new Promise<void>((sending) => {
      channel.answer = () => {
        sending()
        return new Promise(() => {})
      }
      void pipeline.work().catch(() => {})
    })
    await expireLeases(pipeline.database)
    await sweep(pipeline.database, pipeline.clock.now(), [])
    expect(await grantsOf(pipeline)).toMatchObject([{ state: 'granted' }])
    expect(await takenOf(pipeline)).toBe(1)
    expect(await pipeline.records()).toMatchObject([{ state: 'uncertain' }])
  })
})
