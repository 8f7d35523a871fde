import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { heldBack } from '../../src/audience/hindrances.ts'
import { openSeeds } from '../../src/audience/seeds.ts'
import { eraseContact } from '../../src/contacts/privacy/erase.ts'
import { lockKey } from '../../src/database/advisory-locks.ts'
import { execute, rows, transaction } from '../../src/database/connect.ts'
import { lockStripe, STRIPE_WIDTH, stripeOf } from '../../src/database/stripes.ts'
import { eventually } from '../support/eventually.ts'
import { DAY, openPipeline, type Pipeline, START } from '../support/pipeline.ts'
import { rowsRead } from '../support/rows-read.ts'

/**
 * A pipeline with a contact in each of some chunks. `person`: the place of the contact who is the same person; `days`: how
 * long they are silent, four unless said.
 */
async function openChunks(
  chunks: readonly { person?: number; days?: number }[],
): Promise<Pipeline & { contacts: number[] }> {
  const pipeline = await openPipeline()
  const contacts: number[] = []
  for (const [place, { person, days = 4 }] of chunks.entries()) {
    const before = Math.max(1, place * STRIPE_WIDTH)
    await execute(pipeline.database, sql`SELECT setval('contacts_contact_id_seq', ${before}::bigint)`)
    const same = person === undefined ? undefined : contacts[person]
    const silentSince = new Date(START.getTime() - days * DAY * 1000)
    contacts.push(await pipeline.addContact({ silentSince, ...(same === undefined ? {} : { person: same }) }))
  }
  return { ...pipeline, contacts }
}

const openedIn = async ({ database }: Pipeline) =>
  (
    await rows<{ contact: number }>(
      database,
      sql`SELECT contact_id AS contact FROM episodes ORDER BY contact_id`,
    )
  ).map(({ contact }) => contact)

const waiting =
  ({ database }: Pipeline, locktype: string) =>
  () =>
    rows(
      database,
      sql`SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE a.datname = current_database() AND l.locktype = ${locktype} AND NOT l.granted`,
    )

describe('a run over several chunks', () => {
  it('takes in everybody, counts everybody, and leaves nothing to remember', async () => {
    const pipeline = await openChunks([{}, {}, {}, {}, {}])
    const result = await pipeline.runNow()
    expect(result).toMatchObject({ state: 'done', considered: 5, answers: { opened: 5 } })
    expect(await openedIn(pipeline)).toEqual(pipeline.contacts)
    const [run] = await rows(pipeline.database, sql`SELECT cursor, ahead FROM runs`)
    expect(run).toEqual({ cursor: 5 * STRIPE_WIDTH - 1, ahead: [] })
  })

  it('goes on, as of now, with the chunks that were not done when it was interrupted', async () => {
    const pipeline = await openChunks([{}, {}, {}, {}])
    const begun = new Date(START.getTime() - 3_600_000)
    await execute(
      pipeline.database,
      sql`INSERT INTO runs (campaign, scheduled_for, version, as_of, state, cursor, ahead, started_at)
          VALUES ('test', ${START}, 1, ${begun}, 'running', ${STRIPE_WIDTH - 1}, ARRAY[${3 * STRIPE_WIDTH - 1}::bigint], ${begun})`,
    )
    expect(await pipeline.runNow()).toMatchObject({ state: 'done', answers: { opened: 2 } })
    expect(await openedIn(pipeline)).toEqual([pipeline.contacts[1], pipeline.contacts[3]])
    const moments = await rows(pipeline.database, sql`SELECT DISTINCT assigned_at AS at FROM episodes`)
    expect(moments).toEqual([{ at: START }])
  })

  it('ends the one before that was interrupted and has nothing left to do', async () => {
    const pipeline = await openChunks([{}, {}])
    const before = new Date(START.getTime() - DAY * 1000)
    await execute(
      pipeline.database,
      sql`INSERT INTO runs (campaign, scheduled_for, version, as_of, state, started_at)
          VALUES ('test', ${before}, 1, ${before}, 'running', ${before}), ('other', ${before}, 1, ${before}, 'running', ${before}),
            ('test', ${new Date(START.getTime() + 1)}, 1, ${START}, 'running', ${START})`,
    )
    expect(await pipeline.runNow()).toMatchObject({ state: 'done', answers: { opened: 2 } })
    const runs = await rows(
      pipeline.database,
      sql`SELECT campaign, state, note FROM runs ORDER BY scheduled_for, campaign DESC`,
    )
    // One that came later is not behind, and another campaign's is none of its business.
    expect(runs).toEqual([
      { campaign: 'test', state: 'done', note: 'overtaken by the next run' },
      { campaign: 'other', state: 'running', note: null },
      { campaign: 'test', state: 'done', note: null },
      { campaign: 'test', state: 'running', note: null },
    ])
  })

  it('waits for the group where a person has a contact elsewhere, and there alone', async () => {
    const apart = await openChunks([{}, {}])
    const across = await openChunks([{}, { person: 0 }])
    const holding = (pipeline: Pipeline, work: () => Promise<void>) =>
      transaction(pipeline.database, async (tx) => {
        await execute(
          tx,
          sql`SELECT pg_advisory_xact_lock(${lockKey('exclusiveGroup', sql`${pipeline.campaign.exclusive}::text`)})`,
        )
        await work()
      })
    await holding(apart, async () => {
      expect((await apart.runNow()).answers).toEqual({ opened: 2 })
    })
    let running: Promise<{ answers: Readonly<Record<string, number>> }> | undefined
    await holding(across, async () => {
      running = across.runNow()
      await eventually('both chunks wait', waiting(across, 'advisory'), (found) => found.length === 2)
      expect(await openedIn(across)).toEqual([])
    })
    expect((await running)?.answers).toEqual({ opened: 1, same_person: 1 })
    expect(await openedIn(across)).toHaveLength(1)
  })

  it('takes in the contact of a person that was active last, whichever chunk it is in', async () => {
    const pipeline = await openChunks([
      { days: 6 },
      { person: 0, days: 4 },
      { person: 0, days: 5 },
      { days: 4 },
      { person: 3, days: 6 },
      // Whoever is in no band stands in nobody's way.
      { days: 6 },
      { person: 5, days: 2 },
    ])
    expect((await pipeline.runNow()).answers).toEqual({ opened: 3, same_person: 3 })
    expect(await openedIn(pipeline)).toEqual([1, 3, 5].map((place) => pipeline.contacts[place]))
  })

  it('counts each contact once where two processes do the same run, and goes on through a pause', async () => {
    const pipeline = await openChunks([{}, {}])
    const { database, contacts } = pipeline
    const [second = 0, first = 0] = contacts
    const silentSince = new Date(START.getTime() - 5 * DAY * 1000)
    await pipeline.addContact({ silentSince, person: first })
    const wait = (chunks: number) =>
      eventually(`${chunks} wait`, waiting(pipeline, 'advisory'), (found) => found.length === chunks)
    let running: Promise<unknown[]> | undefined
    await transaction(database, async (last) => {
      await lockStripe(last, stripeOf(second))
      await transaction(database, async (tx) => {
        await lockStripe(tx, stripeOf(first))
        running = Promise.all([pipeline.runNow(), pipeline.runNow()])
        await wait(4)
        await execute(
          database,
          sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('campaign', 'test', 'paused', 'lunch', ${START})`,
        )
      })
      await wait(2)
      // Whoever had the first chunk second has nothing more to do with it.
      await transaction(database, (tx) => lockStripe(tx, stripeOf(first)))
    })
    expect(await running).toMatchObject([{ considered: 3 }, { considered: 3 }])
    const answers = await rows(database, sql`SELECT answer, contacts FROM run_answers ORDER BY answer`)
    expect(answers).toEqual([
      { answer: 'opened', contacts: 2 },
      { answer: 'same_person', contacts: 1 },
    ])
  })

  it('opens nothing in a chunk during which the campaign was stopped', async () => {
    const pipeline = await openChunks([{}])
    const { database, contacts } = pipeline
    let running: ReturnType<Pipeline['runNow']> | undefined
    await transaction(database, async (stopping) => {
      await transaction(database, async (tx) => {
        await lockStripe(tx, stripeOf(contacts[0] ?? 0))
        running = pipeline.runNow()
        await eventually(
          'the chunk waits for its stripe',
          waiting(pipeline, 'advisory'),
          (found) => found.length > 0,
        )
        expect(await rows(stopping, sql`SELECT FROM runs FOR UPDATE`)).toHaveLength(1)
      })
      await eventually(
        'it waits for the run',
        waiting(pipeline, 'transactionid'),
        (found) => found.length > 0,
      )
      await execute(
        database,
        sql`INSERT INTO switches (scope, name, state, reason, since) VALUES ('campaign', 'test', 'stopped', 'enough', ${START})`,
      )
    })
    expect(await running).toMatchObject({ state: 'stopped', considered: 0 })
    expect(await openedIn(pipeline)).toEqual([])
    expect(await rows(database, sql`SELECT cursor FROM runs`)).toEqual([{ cursor: 0 }])
  })
})

it('opens no episode of a seed once the campaign is stopped, though everybody was taken in before', async () => {
  const pipeline = await openPipeline({ definition: { seeds: ['u2'] } })
  const { database } = pipeline
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  const contact = await pipeline.addContact({ silentSince })
  await pipeline.addContact({ silentSince })
  // The stop stands from the very moment the last chunk is committed.
  await execute(
    database,
    sql`CREATE FUNCTION stop_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO switches (scope, name, state, reason, since)
        VALUES ('campaign', 'test', 'stopped', 'enough', '2026-03-02'); RETURN NULL; END $$`,
  )
  await execute(
    database,
    sql`CREATE TRIGGER stop_it AFTER UPDATE OF cursor ON runs FOR EACH ROW EXECUTE FUNCTION stop_it()`,
  )
  expect(await pipeline.runNow()).toMatchObject({ state: 'stopped', considered: 1 })
  expect(await openedIn(pipeline)).toEqual([contact])
})

it('opens no episode of a seed who is being erased', async () => {
  const pipeline = await openPipeline({ definition: { seeds: ['u1', 'u2'] } })
  const { database, campaign } = pipeline
  const gone = await pipeline.addContact()
  const stays = await pipeline.addContact()
  let opening: Promise<void> | undefined
  await transaction(database, async (tx) => {
    await eraseContact(tx, gone, { now: START, hooks: {}, phoneKeys: () => [] })
    opening = transaction(database, (beside) => openSeeds(beside, campaign, START))
    opening.catch(() => {})
    await eventually(
      'it waits for the erasure',
      waiting(pipeline, 'transactionid'),
      (found) => found.length > 0,
    )
  })
  await opening
  expect(await openedIn(pipeline)).toEqual([stays])
})

it('finds its seeds by the index on names, and reads nobody else', async () => {
  const pipeline = await openPipeline({ definition: { seeds: ['u7'] } })
  const { database, campaign } = pipeline
  const many = sql`generate_series(1, 20000) n`
  await execute(
    database,
    sql`INSERT INTO contacts (contact_id, person_id, external_id, imported_at) OVERRIDING SYSTEM VALUE
        SELECT n, n, 'u' || n, ${START} FROM ${many}`,
  )
  await execute(database, sql`INSERT INTO external_ids SELECT external_id, contact_id FROM contacts`)
  await execute(database, sql`ANALYZE contacts, external_ids`)
  const read = await transaction(database, (tx) => rowsRead(tx, () => openSeeds(tx, campaign, START)))
  expect(read.contacts).toBeLessThan(10)
  expect(await openedIn(pipeline)).toEqual([7])
})

it('is held back by the campaign’s days, as they are where it lives, and by what is switched off', async () => {
  const pipeline = await openPipeline({ definition: { starts: '2026-03-03', ends: '2026-03-04' } })
  const { database, campaign } = pipeline
  expect(await pipeline.runNow()).toMatchObject({ state: 'not_yet', note: 'starts 2026-03-03', runId: 0 })
  expect(await rows(database, sql`SELECT FROM runs`)).toEqual([])
  const noteAt = async (moment: string) =>
    (await heldBack(database, { ...campaign, timezone: 'Asia/Shanghai' }, new Date(moment)))?.note
  expect(await noteAt('2026-03-02T15:59:59Z')).toBe('starts 2026-03-03')
  expect(await noteAt('2026-03-02T16:00:00Z')).toBeUndefined()
  expect(await noteAt('2026-03-04T15:59:59Z')).toBeUndefined()
  expect(await noteAt('2026-03-04T16:00:00Z')).toBe('ended 2026-03-04')
  const switchOff = (scope: string, name: string, state: string) =>
    execute(
      database,
      sql`INSERT INTO switches (scope, name, state, reason, since) VALUES (${scope}, ${name}, ${state}, 'enough', ${START})`,
    )
  await switchOff('campaign', 'other', 'stopped')
  await switchOff('channel', 'test', 'paused')
  expect(await noteAt('2026-03-03T12:00:00Z')).toBeUndefined()
  await switchOff('workspace', '', 'paused')
  expect(await noteAt('2026-03-03T12:00:00Z')).toBe('the workspace is paused: enough')
  await switchOff('campaign', 'test', 'stopped')
  expect(await noteAt('2026-03-03T12:00:00Z')).toBe('the campaign is stopped: enough')
})

it.each([
  ['workspace', 'campaign'],
  ['campaign', 'workspace'],
])(
  'names the widest of two pauses, which must be lifted in any case: first the %s, then the %s',
  async (...scopes) => {
    const pipeline = await openPipeline()
    for (const scope of scopes) {
      const name = scope === 'workspace' ? '*' : 'test'
      await execute(
        pipeline.database,
        sql`INSERT INTO switches (scope, name, state, reason, since) VALUES (${scope}, ${name}, 'paused', 'a look', ${START})`,
      )
    }
    expect((await pipeline.runNow()).hindrance).toMatchObject({ by: 'workspace', why: 'a look' })
  },
)
