import { sql } from 'drizzle-orm'
import type { ManualClock } from '../clock.ts'
import { ingestActivity, prepareIngest } from '../contacts/ingest.ts'
import { bigints } from '../database/arrays.ts'
import { execute, rows, transaction } from '../database/connect.ts'
import { ensurePartitions } from '../database/partitions.ts'
import type { Runtime } from '../service/runtime.ts'
import type { SimulatedAct } from './acts.ts'
import { clickThrough, followsLink, type MailAnswer } from './clicks.ts'
import type { Mailbox } from './mailbox.ts'
import { findUses, redeemUses, type Use } from './redemptions.ts'
import type { SimulatedActivity, World } from './world.ts'

const CHUNK = 10_000

/** What a replay brings to life. */
export interface Living {
  readonly world: World
  readonly mailbox: Pick<Mailbox, 'take'>
  /** The campaign whose mail moves people; that of any other is read and changes nothing. */
  readonly moving: string
  /** What people do beside visiting, in order of time. */
  readonly acts?: readonly SimulatedAct[]
  /** What providers have to tell of what was sent at `after`, taken in as they would post it. */
  report?(after: Date, upTo: Date): Promise<void>
}

/**
 * Joins a world to a replay: each call lets providers report, hands the world the mail that arrived, lets it live up to
 * `upTo`, and takes in what its people did: the links they came by, their events, the offers they used, exactly as live
 * ones are.
 */
export async function openLiving(
  runtime: Runtime & { readonly clock: ManualClock },
  { world, mailbox, moving, acts = [], report }: Living,
): Promise<(after: Date, upTo: Date) => Promise<void>> {
  const known = await rows<{ externalId: string; contactId: number }>(
    runtime.database,
    sql`SELECT external_id AS "externalId", contact_id AS "contactId" FROM external_ids`,
  )
  const contactIds = new Map(known.map((row) => [row.externalId, row.contactId]))
  const { seed, people } = world.population
  const persons = new Map(people.map(({ externalId, index }) => [externalId, index]))
  const events = openEvents(runtime, contactIds)
  /** The first act that has not been done. */
  let next = 0
  let answers: MailAnswer[] = []
  return async (after, upTo) => {
    await report?.(after, upTo)
    for (const { externalId, at, campaign, raw } of mailbox.take()) {
      const answer = campaign === moving ? world.deliver(externalId, at) : undefined
      if (answer !== undefined && followsLink(seed, persons.get(externalId) ?? 0, answer)) {
        answers.push({ externalId, at: answer, raw })
      }
    }
    const until = acts.findIndex((act) => act.at > upTo.getTime())
    const acted = acts.slice(next, until === -1 ? acts.length : until)
    next += acted.length
    const visited = world.advance(upTo.getTime())
    await clickThrough(runtime, answers, visited)
    answers = answers.filter(({ at }) => at > upTo.getTime())
    const uses = await findUses(runtime, { seed, persons, contactIds }, visited)
    await events.take([...withCoupons(visited, uses), ...acted.map((act) => ({ ...act, value: null }))], upTo)
    await redeemUses(runtime, uses, upTo)
  }
}

/** Orders name the coupon they were cheaper by. */
function withCoupons(visited: readonly SimulatedActivity[], uses: readonly Use[]): Done[] {
  const coupons = new Map(
    uses.flatMap(({ externalId, at, coupon }) =>
      coupon === null ? [] : [[`${externalId} ${at}`, coupon] as const],
    ),
  )
  return visited.map((activity) => {
    const coupon = coupons.get(`${activity.externalId} ${activity.at}`)
    return { ...activity, properties: coupon === undefined ? null : { coupon } }
  })
}

/** Something done, as an event tells of it. Time in epoch milliseconds, value in currency units. */
interface Done {
  readonly externalId: string
  readonly at: number
  readonly type: string
  readonly value: number | null
  readonly properties: SimulatedAct['properties'] | null
}

/** Takes in what was done as the API does, in order of time; what nobody known did is left out. */
function openEvents({ database, hooks, workspace }: Runtime, contactIds: ReadonlyMap<string, number>) {
  let key = 0
  return {
    take: async (done: readonly Done[], now: Date): Promise<void> => {
      const events = done
        .flatMap(({ externalId, ...event }) => {
          const contactId = contactIds.get(externalId)
          return contactId === undefined ? [] : [{ contactId, ...event }]
        })
        .sort((a, b) => a.at - b.at)
      const [first, last] = [events[0], events.at(-1)]
      if (!first || !last) return
      await ensurePartitions(database, 'activity', { from: new Date(first.at), to: new Date(last.at) })
      for (let from = 0; from < events.length; from += CHUNK) {
        const chunk = events.slice(from, from + CHUNK)
        const keys = chunk.map(() => {
          key += 1
          return key
        })
        await transaction(database, async (tx) => {
          await prepareIngest(tx)
          await execute(
            tx,
            sql`INSERT INTO incoming_activity (contact_id, occurred_at, key, type, value, properties)
                SELECT * FROM unnest(${bigints(chunk.map((each) => each.contactId))},
                  ${sql.param(chunk.map(({ at }) => new Date(at).toISOString()))}::timestamptz[], ${bigints(keys)},
                  ${sql.param(chunk.map((each) => each.type))}::text[],
                  ${sql.param(chunk.map(({ value }) => (value === null ? null : Math.round(value * 1e6))))}::bigint[],
                  ${sql.param(chunk.map(({ properties }) => properties && JSON.stringify(properties)))}::jsonb[])`,
          )
          await ingestActivity(tx, { now, workspace, hooks, last: true })
        })
      }
    },
  }
}
