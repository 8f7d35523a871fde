import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { ageEpisodes } from '../../src/audience/age.ts'
import { draw } from '../../src/audience/holdout.ts'
import { runCampaign } from '../../src/audience/run.ts'
import { execute, rows, type Transaction, transaction } from '../../src/database/connect.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { recordMerges, recordRefusals, recordStop, recordSuppressions } from '../../src/outcomes/silence.ts'
import { processBatch } from '../../src/touchpoints/batch.ts'
import { type Batch, dispatchDue } from '../../src/touchpoints/dispatch.ts'
import { claim, markSending, putBack } from '../../src/touchpoints/lifecycle.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { eventually } from '../support/eventually.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START } from '../support/pipeline.ts'
import { countWaiting, untilWaiting } from '../support/waiting.ts'

const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
const ONE_TIER = [
  { name: 'only', from: 3 * DAY, to: null, steps: [{ id: 'remind' }, { id: 'more', after: DAY }] },
]

const open = async (options: PipelineOptions = {}) =>
  await openPipeline({ tiers: ONE_TIER, ...options, database: await emptiedDatabase() })

async function merge(pipeline: Pipeline, ...merged: readonly [from: number, to: number][]): Promise<void> {
  await transaction(pipeline.database, async (tx) => {
    await execute(
      tx,
      sql`CREATE TEMP TABLE merged_persons (old_person bigint, new_person bigint) ON COMMIT DROP`,
    )
    for (const [from, to] of merged) {
      await execute(tx, sql`UPDATE contacts SET person_id = ${to} WHERE person_id = ${from}`)
      await execute(tx, sql`INSERT INTO merged_persons VALUES (${from}, ${to})`)
    }
    await recordMerges(tx, pipeline.clock.now())
  })
}

const episodes = (pipeline: Pipeline) =>
  rows<{ contact: number; arm: string; silencedBy: string | null; contaminated: boolean }>(
    pipeline.database,
    sql`SELECT contact_id AS contact, arm, silenced_by AS "silencedBy", contaminated FROM episodes ORDER BY 1`,
  )

/** An open call of each episode there is. */
const addCalls = ({ database }: Pipeline, campaign = 'test') =>
  execute(
    database,
    sql`INSERT INTO calls (contact_id, touchpoint_id, episode_id, step_id, campaign, kind, script, taker, priority, state,
        opened_at, due_at, next_attempt_at)
      SELECT contact_id, ${campaign === 'test' ? -1 : -2}, episode_id, 1, ${campaign}, 'recall', 's', 'agent', 0, 'open', ${START}, ${START}, ${START}
      FROM episodes ORDER BY contact_id LIMIT 1`,
  )
const callsOf = async ({ database }: Pipeline) =>
  (
    await rows<{ call: string }>(
      database,
      sql`SELECT concat_ws(' ', state, closed_by) AS call FROM calls ORDER BY 1`,
    )
  ).map(({ call }) => call)

/** Two contacts that draw the wanted arms at a holdout of one half. */
async function pair(pipeline: Pipeline, first: string, second: string): Promise<[number, number]> {
  const found: number[] = []
  for (const wanted of [first, second]) {
    for (let tries = 0; tries < 50; tries += 1) {
      const contact = await pipeline.addContact()
      const arm = draw(pipeline.campaign.salt, 'arm', contact, 1) < 0.5 ? 'holdout' : 'treated'
      if (arm !== wanted) continue
      await execute(
        pipeline.database,
        sql`UPDATE contact_activity SET silent_since = ${silentSince} WHERE contact_id = ${contact}`,
      )
      found.push(contact)
      break
    }
  }
  return [found[0] ?? 0, found[1] ?? 0]
}

describe('two persons that turn out to be one', () => {
  it('with different arms are contaminated: no new touches, each kept in its arm', async () => {
    const pipeline = await open({ holdout: 0.5 })
    const [one, other] = await pair(pipeline, 'treated', 'holdout')
    await pipeline.runNow()
    await merge(pipeline, [other, one])
    expect(await episodes(pipeline)).toEqual([
      { contact: one, arm: 'treated', silencedBy: 'contaminated', contaminated: true },
      { contact: other, arm: 'holdout', silencedBy: 'contaminated', contaminated: true },
    ])
    pipeline.clock.advance(2 * DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toEqual([])
    expect((await pipeline.records()).map((row) => row.reason)).toEqual(['contaminated', 'contaminated'])
  })

  it('with the same arm go on as the earlier one; the later falls silent', async () => {
    const pipeline = await open({ holdout: 0.5 })
    const [one, other] = await pair(pipeline, 'treated', 'treated')
    await pipeline.runNow()
    await merge(pipeline, [other, one])
    expect(await episodes(pipeline)).toEqual([
      { contact: one, arm: 'treated', silencedBy: null, contaminated: false },
      { contact: other, arm: 'treated', silencedBy: 'merged', contaminated: false },
    ])
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent.map((message) => message.address)).toEqual([
      `u${one}@example.com`,
      `u${one}@example.com`,
    ])
  })

  it('in two campaigns go on in both, whatever their arms, and are greeted by both', async () => {
    const apart = async (pipeline: Pipeline, contact: number) => {
      await execute(
        pipeline.database,
        sql`UPDATE episodes SET campaign = 'other', exclusive = 'other' WHERE contact_id = ${contact}`,
      )
    }
    const pipeline = await open({ holdout: 0.5 })
    const [one, other] = await pair(pipeline, 'treated', 'holdout')
    await pipeline.runNow()
    await apart(pipeline, other)
    await merge(pipeline, [other, one])
    expect(await episodes(pipeline)).toEqual([
      { contact: one, arm: 'treated', silencedBy: null, contaminated: false },
      { contact: other, arm: 'holdout', silencedBy: null, contaminated: false },
    ])

    const back = await open({ onReturn: [{ id: 'welcome', after: 3600 }] })
    const [third, fourth] = [await back.addContact({ silentSince }), await back.addContact({ silentSince })]
    await back.runNow()
    for (const contact of [third, fourth]) await back.addActivity(contact, new Date(START.getTime() + 1000))
    await apart(back, fourth)
    await merge(back, [fourth, third])
    expect((await back.open()).map(({ step }) => step)).toEqual(['welcome', 'welcome'])
  })

  it('in two campaigns of an exclusive group go on in the earlier one alone, whatever their arms', async () => {
    const pipeline = await open({ holdout: 0.5, onReturn: [{ id: 'welcome', after: 3600 }] })
    const [one, other] = await pair(pipeline, 'holdout', 'treated')
    const [third, fourth] = await pair(pipeline, 'treated', 'treated')
    await pipeline.runNow()
    for (const contact of [third, fourth]) {
      await pipeline.addActivity(contact, new Date(START.getTime() + 1000))
    }
    await execute(
      pipeline.database,
      sql`UPDATE episodes SET campaign = 'other', assigned_at = assigned_at + interval '1 hour'
        WHERE contact_id IN (${other}, ${fourth})`,
    )
    await merge(pipeline, [other, one], [fourth, third])
    expect(
      (await episodes(pipeline)).map(({ silencedBy, contaminated }) => [silencedBy, contaminated]),
    ).toEqual([
      [null, false],
      ['merged', false],
      ['returned', false],
      ['returned', false],
    ])
    expect((await pipeline.open()).map(({ contactId, step }) => [contactId, step])).toEqual([
      [third, 'welcome'],
    ])
  })

  it.each([
    ['with different arms are greeted by neither', 'holdout', ['contaminated'], 0],
    ['with the same arm are greeted once', 'treated', ['merged', null], 1],
  ] as const)('after one or both came back, %s', async (_, arm, reasons, greeted) => {
    const pipeline = await open({ holdout: 0.5, onReturn: [{ id: 'welcome', after: 3600 }] })
    const [one, other] = await pair(pipeline, 'treated', arm)
    await pipeline.runNow()
    for (const contact of [one, other]) await pipeline.addActivity(contact, new Date(START.getTime() + 1000))
    await merge(pipeline, [other, one])
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(greeted)
    const ended = (await pipeline.records()).filter(({ step }) => step === 'welcome')
    expect(ended.map(({ reason }) => reason).toSorted()).toEqual(reasons)
  })

  it('and are of different arms get nothing that was being sent and is tried again', async () => {
    const pipeline = await open({ holdout: 0.5, onReturn: [{ id: 'welcome' }] })
    const [one, other] = await pair(pipeline, 'treated', 'holdout')
    await pipeline.runNow()
    await pipeline.addActivity(one, new Date(START.getTime() + 1000))
    pipeline.channel.answer = async () => {
      await merge(pipeline, [other, one])
      return { outcome: 'retry', detail: '451' }
    }
    await pipeline.work()
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
    expect((await pipeline.records()).filter(({ step }) => step === 'welcome')).toMatchObject([
      { state: 'cancelled', reason: 'contaminated' },
    ])
  })

  it('keep what silenced them before, and episodes that are over stay as they were', async () => {
    const pipeline = await open({ holdout: 0.5 })
    const [one, other] = await pair(pipeline, 'treated', 'holdout')
    await pipeline.runNow()
    await pipeline.addActivity(other, new Date(START.getTime() + 1000))
    await merge(pipeline, [other, one])
    expect(await episodes(pipeline)).toMatchObject([
      { silencedBy: 'contaminated', contaminated: true },
      { silencedBy: 'returned', contaminated: true },
    ])

    const ended = await open({ holdout: 0.5 })
    const [third, fourth] = await pair(ended, 'treated', 'holdout')
    await ended.runNow()
    await ageEpisodes(ended.run, ended.campaign.name, new Date(START.getTime() + 40 * DAY * 1000))
    await merge(ended, [fourth, third])
    expect(await episodes(ended)).toMatchObject([{ contaminated: false }, { contaminated: false }])
  })

  it.each(['test', 'other'])(
    'go on in what an episode of %s that is over keeps nobody from',
    async (campaign) => {
      const pipeline = await open({ holdout: 0.5, definition: { exclusive: 'winback' } })
      const [over, live] = await pair(pipeline, 'holdout', 'treated')
      await pipeline.runNow()
      await execute(
        pipeline.database,
        sql`UPDATE episodes SET campaign = ${campaign}, lapsed_at = lapsed_at - interval '40 days',
          assigned_at = assigned_at - interval '40 days', outcome_until = ${START}
        WHERE contact_id = ${over}`,
      )
      await merge(pipeline, [live, over])
      expect(await episodes(pipeline)).toEqual([
        { contact: over, arm: 'holdout', silencedBy: null, contaminated: false },
        { contact: live, arm: 'treated', silencedBy: null, contaminated: false },
      ])
    },
  )
})

describe('a suppression', () => {
  const twoWays = () => {
    const email = testChannel('email', { concurrency: 1 })
    const sms = testChannel('sms')
    const steps = [{ id: 'remind', channels: ['email', 'sms'] }, { id: 'mail' }]
    const tiers = [{ name: 'only', from: 3 * DAY, to: null, steps }]
    return { email, sms, options: { channel: email, others: [sms], tiers } }
  }

  it('skips at once what has no other way, and lets the rest take another', async () => {
    const { email, sms, options } = twoWays()
    const pipeline = await open(options)
    await pipeline.addContact({ silentSince, phone: '+8613800000000' })
    await pipeline.runNow()
    await addCalls(pipeline)
    await pipeline.suppress('email', 'u1@example.com')
    expect(await pipeline.records()).toMatchObject([{ step: 'mail', state: 'skipped', reason: 'suppressed' }])
    expect(await callsOf(pipeline)).toEqual(['open'])
    await pipeline.work()
    expect(email.sent).toEqual([])
    expect(sms.sent.map((message) => message.address)).toEqual(['+8613800000000'])
    await pipeline.suppress('phone', '+8613800000000')
    expect(await callsOf(pipeline)).toEqual(['closed suppressed'])
  })

  it('reaches what a worker has claimed already', async () => {
    const { email, sms, options } = twoWays()
    const pipeline = await open(options)
    for (let n = 0; n < 3; n += 1) await pipeline.addContact({ silentSince, phone: `+861380000000${n}` })
    await pipeline.runNow()
    // The first e-mail is under way; the others were guarded with it and wait for its place.
    email.answer = async () => {
      email.answer = () => ({ outcome: 'sent' })
      await pipeline.suppress('email', 'u2@example.com')
      await pipeline.suppress('email', 'u3@example.com')
      return { outcome: 'sent' }
    }
    await pipeline.work()
    await pipeline.work()
    expect(new Set(email.sent.map((message) => message.address))).toEqual(new Set(['u1@example.com']))
    expect(sms.sent.map((message) => message.address)).toEqual(['+8613800000001', '+8613800000002'])
  })

  it('of somebody else’s address, or of no address at all, changes nothing', async () => {
    const pipeline = await open()
    await pipeline.addContact({ silentSince })
    await pipeline.runNow()
    await pipeline.suppress('email', 'nobody@example.com')
    await pipeline.suppress('phone', '+8613800000000')
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })
})

describe('a stop', () => {
  it('cancels what is planned and measures to the end', async () => {
    const pipeline = await open()
    const contact = await pipeline.addContact({ silentSince })
    await pipeline.addContact({ silentSince })
    const before = await pipeline.addContact({ silentSince })
    await pipeline.runNow()
    await pipeline.addActivity(before, new Date(START.getTime() + 1000))
    // What others have with the same people is none of its business.
    for (const campaign of ['test', 'other']) await addCalls(pipeline, campaign)
    await execute(
      pipeline.database,
      sql`WITH step AS (
          INSERT INTO steps (campaign, version, tier_no, tier, step_no, step, channels)
          VALUES ('other', 1, 1, 'only', 1, 'theirs', '{email}') RETURNING step_id
        )
        INSERT INTO touchpoints (contact_id, episode_id, step_id, planned_for, due_at)
        SELECT contact_id, episode_id, step_id, ${START}, ${new Date('2027-01-01')} FROM episodes, step LIMIT 1`,
    )
    await execute(
      pipeline.database,
      sql`INSERT INTO switches VALUES ('campaign', 'test', 'stopped', 'over', ${START})`,
    )
    const cancelled = await recordStop(pipeline.database, pipeline.clock.now(), 'test')
    expect(cancelled).toBe(4)
    expect(await callsOf(pipeline)).toEqual(['closed stopped', 'open'])
    expect((await pipeline.open()).map(({ step }) => step)).toEqual(['theirs'])
    expect((await episodes(pipeline)).map(({ silencedBy }) => silencedBy)).toEqual([
      'stopped',
      'stopped',
      'returned',
    ])
    pipeline.clock.advance(DAY)
    await pipeline.work()
    expect(pipeline.channel.sent).toEqual([])
    expect(await pipeline.runNow()).toMatchObject({ state: 'stopped' })
    await pipeline.addActivity(contact, pipeline.clock.now())
    await ageEpisodes(pipeline.run, 'test', new Date(START.getTime() + 33 * DAY * 1000))
    const ends = await rows<{ reason: string }>(
      pipeline.database,
      sql`SELECT end_reason AS reason FROM episodes ORDER BY contact_id`,
    )
    expect(ends.map((row) => row.reason)).toEqual(['recalled', 'withdrawn', 'recalled'])
  })

  it('in the middle of a run takes in nobody more, and leaves nothing planned', async () => {
    const pipeline = await open()
    const contacts = [await pipeline.addContact({ silentSince })]
    // Each in a stripe of its own, so in a chunk of its own.
    for (const before of [10_000, 20_000, 30_000, 40_000]) {
      await execute(pipeline.database, sql`SELECT setval('contacts_contact_id_seq', ${before}::bigint)`)
      contacts.push(await pipeline.addContact({ silentSince }))
    }
    let stopping: Promise<unknown> = Promise.resolve()
    const stop = async () => {
      await execute(
        pipeline.database,
        sql`INSERT INTO switches VALUES ('campaign', 'test', 'stopped', 'over', ${START})`,
      )
      await recordStop(pipeline.database, START, 'test')
    }
    const run = {
      ...pipeline.run,
      onProgress: (done: number) => {
        if (done === 1) stopping = stop()
      },
    }
    const result = await runCampaign(run, pipeline.campaign, START)
    await stopping
    const opened = await rows<{ contact: number; silencedBy: string | null }>(
      pipeline.database,
      sql`SELECT contact_id AS contact, silenced_by AS "silencedBy" FROM episodes ORDER BY 1`,
    )
    // The chunk that was done first has opened one; whether or not the stop came before others: nobody is left unsilenced.
    expect(contacts).toEqual(expect.arrayContaining(opened.map(({ contact }) => contact)))
    expect(opened.length).toBeGreaterThan(0)
    expect(new Set(opened.map((row) => row.silencedBy))).toEqual(new Set(['stopped']))
    expect(['stopped', 'done']).toContain(result.state)
    expect(await pipeline.open()).toEqual([])
  })
})

describe('a pause', () => {
  const turn = (pipeline: Pipeline, scope: string, name: string) =>
    execute(
      pipeline.database,
      sql`INSERT INTO switches VALUES (${scope}, ${name}, 'paused', 'test', ${START})`,
    )
  const release = (pipeline: Pipeline) => execute(pipeline.database, sql`DELETE FROM switches`)

  for (const [scope, name] of [
    ['workspace', '*'],
    ['campaign', 'test'],
    ['channel', 'email'],
  ] as const) {
    it(`of the ${scope} holds back without touching a row`, async () => {
      const pipeline = await open()
      await pipeline.addContact({ silentSince })
      await pipeline.runNow()
      const before = await rows(pipeline.database, sql`SELECT xmin::text, t.* FROM touchpoints t`)
      await turn(pipeline, scope, name)
      await pipeline.work()
      expect(await rows(pipeline.database, sql`SELECT xmin::text, t.* FROM touchpoints t`)).toEqual(before)
      await release(pipeline)
      await pipeline.work()
      expect(pipeline.channel.sent).toHaveLength(1)
    })

    it(`of the ${scope} stops what was queued before it`, async () => {
      const pipeline = await open()
      await pipeline.addContact({ silentSince })
      await pipeline.runNow()
      const { database, clock } = pipeline
      const [key] = await rows<{ contactId: number; touchpointId: number }>(
        database,
        sql`SELECT contact_id AS "contactId", touchpoint_id AS "touchpointId" FROM touchpoints WHERE due_at <= ${clock.now()}`,
      )
      if (!key) throw new Error('nothing is due')
      await dispatchDue(database, { now: clock.now(), jobs: 1 }, async () => {})
      const claimId = '00000000-0000-4000-8000-000000000001'
      expect(await claim(database, claimId, [key])).toEqual([key])
      await turn(pipeline, scope, name)
      const keys = [{ ...key, channel: 'email' }]
      expect(
        await markSending(database, claimId, { keys, campaign: 'test', now: clock.now(), needsConsent: [] }),
      ).toEqual([])
      await putBack(database, claimId, clock.now(), [
        { ...key, dueAt: clock.now(), tried: false, why: 'changed' },
      ])
      await pipeline.work()
      await release(pipeline)
      await pipeline.work()
      expect(pipeline.channel.sent).toHaveLength(1)
    })
  }

  it('of one channel lets a step take its other one', async () => {
    const sms = testChannel('sms')
    const steps = [{ id: 'remind', channels: ['email', 'sms'] }]
    const pipeline = await open({ others: [sms], tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }] })
    await pipeline.addContact({ silentSince, email: null, phone: '+8613800000000' })
    await pipeline.addContact({ silentSince, phone: '+8613800000001' })
    await pipeline.runNow()
    await turn(pipeline, 'channel', 'email')
    await pipeline.work()
    expect(sms.sent.map((message) => message.address)).toEqual(['+8613800000000'])
    // Who has an e-mail address waits for e-mail: it comes first in the list.
    expect(await pipeline.open()).toMatchObject([{ contactId: 2, state: 'planned' }])
    await release(pipeline)
    pipeline.clock.advance(300)
    await pipeline.work()
    expect(pipeline.channel.sent).toHaveLength(1)
  })
})

describe('an address that is being suppressed', () => {
  it.each(['planned', 'queued'])(
    'is not written to by a batch that begins before it is committed, on a step with another way: %s',
    async (state) => {
      const sms = testChannel('sms')
      const steps = [{ id: 'remind', channels: ['email', 'sms'] }]
      const pipeline = await open({
        others: [sms],
        tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
      })
      const { database, clock, worker } = pipeline
      const contactId = await pipeline.addContact({ silentSince, phone: '+8613800000001' })
      await pipeline.runNow()
      // The month is there, as on any day but its first: else everybody would wait for whoever makes it.
      await ensurePartitions(database, 'touchpoint_records', [clock.now()])
      const batches: Batch[] = []
      const dispatch = () =>
        dispatchDue(database, { now: clock.now(), jobs: 10 }, async (batch) => {
          batches.push(batch)
        })
      if (state === 'queued') await dispatch()
      let commit = () => {}
      const committed = new Promise<void>((resolve) => {
        commit = resolve
      })
      let judged = 0
      const templates = async () => {
        judged += 1
        await committed
        return { find: () => undefined }
      }
      const working = await transaction(database, async (tx) => {
        await execute(
          tx,
          sql`INSERT INTO suppressions SELECT 'email', email_key, 'unsubscribe', 'test', ${clock.now()} FROM contacts
            WHERE contact_id = ${contactId}`,
        )
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_suppressions ON COMMIT DROP AS SELECT kind, key FROM suppressions`,
        )
        await recordSuppressions(tx, clock.now(), { email: ['email'], phone: ['sms'] })
        if (state === 'planned') await dispatch()
        const begun = Promise.all(batches.map((batch) => processBatch({ ...worker, templates }, batch)))
        await eventually(
          'every batch has judged, or waits',
          async () => judged + (await countWaiting(database)),
          (number) => number === batches.length,
        )
        return { begun }
      })
      commit()
      await working.begun
      await pipeline.work()
      expect(pipeline.channel.sent).toEqual([])
      expect(sms.sent).toHaveLength(1)
    },
  )
})

describe('who silences somebody', () => {
  it.each([
    [
      'suppresses an address',
      async (tx: Transaction, now: Date) => {
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_suppressions ON COMMIT DROP AS
          SELECT 'email' AS kind, email_key AS key FROM contacts`,
        )
        await recordSuppressions(tx, now, { email: ['email'], phone: ['sms'] })
      },
    ],
    [
      'records a refusal',
      async (tx: Transaction, now: Date) => {
        await execute(
          tx,
          sql`CREATE TEMP TABLE new_refusals ON COMMIT DROP AS
          SELECT contact_id, 'email' AS channel, 'opted_out' AS reason FROM contacts`,
        )
        await recordRefusals(tx, now)
      },
    ],
  ])('and %s holds none of their touchpoints while waiting for an earlier one', async (_name, record) => {
    const steps = [
      { id: 'either', channels: ['email', 'sms'] },
      { id: 'mail', channels: ['email'] },
    ]
    const pipeline = await open({
      others: [testChannel('sms')],
      tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    })
    const { database, clock } = pipeline
    await pipeline.addContact({ silentSince, phone: '+8613800000001' })
    await pipeline.runNow()
    await addCalls(pipeline)
    await ensurePartitions(database, 'touchpoint_records', [clock.now()])
    const [first, second] = await rows<{ touchpointId: number }>(
      database,
      sql`SELECT touchpoint_id AS "touchpointId" FROM touchpoints JOIN steps s USING (step_id)
          ORDER BY touchpoint_id`,
    )
    const lock = (tx: Transaction, { touchpointId = 0 } = {}) =>
      execute(tx, sql`SELECT FROM touchpoints WHERE touchpoint_id = ${touchpointId} FOR UPDATE`)
    // Somebody who goes by all of the contact's touchpoints in their order, as a return does.
    const silencing = await transaction(database, async (tx) => {
      await lock(tx, first)
      const begun = transaction(database, (other) => record(other, clock.now()))
      begun.catch(() => {})
      await untilWaiting(database)
      expect(await lock(tx, second)).toBe(1)
      return { begun }
    })
    await silencing.begun
    expect(await pipeline.records()).toHaveLength(1)
    expect(await pipeline.open()).toHaveLength(1)
    // Neither was about calls.
    expect(await callsOf(pipeline)).toEqual(['open'])
  })
  it('and merges persons holds no touchpoint while waiting for an earlier one', async () => {
    const pipeline = await open({ holdout: 0.5 })
    const { database, clock } = pipeline
    const [one, same] = await pair(pipeline, 'treated', 'treated')
    const [third, held] = await pair(pipeline, 'treated', 'holdout')
    await pipeline.runNow()
    await ensurePartitions(database, 'touchpoint_records', [clock.now()])
    const lock = (tx: Transaction, contact: number) =>
      execute(
        tx,
        sql`SELECT FROM touchpoints WHERE contact_id = ${contact} ORDER BY touchpoint_id FOR UPDATE`,
      )
    // Somebody who goes by touchpoints in their order, as a claim does.
    const merging = await transaction(database, async (tx) => {
      await lock(tx, same)
      const begun = merge(pipeline, [same, one], [held, third])
      begun.catch(() => {})
      await untilWaiting(database)
      expect(await lock(tx, third)).toBe(2)
      return { begun }
    })
    await merging.begun
    expect((await pipeline.records()).map(({ reason }) => reason)).toEqual([
      ...['merged', 'merged'],
      ...['contaminated', 'contaminated'],
    ])
  })
})
