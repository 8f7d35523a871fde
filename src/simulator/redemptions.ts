import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { rows, transaction } from '../database/connect.ts'
import { redeem } from '../offers/redemptions.ts'
import type { Runtime } from '../service/runtime.ts'
import { uniform } from './draws.ts'
import type { SimulatedActivity } from './world.ts'

// What people do with what they were promised: some use it, with their next order or at their next visit. It changes what
// a campaign costs, and neither when anybody comes nor what they buy.

/** Of those who could use an offer, the share that does; a coupon wants an order, the rest only that they are there. */
const USED: Readonly<Record<string, number>> = { coupon: 0.25, trial: 0.12, benefit: 0.6 }

/** An offer that somebody uses while they do something. */
export interface Use {
  readonly externalId: string
  readonly offer: string
  /** Null where the account was credited. */
  readonly code: string | null
  /** What the order names as the reason it was cheaper; null where it was not. */
  readonly coupon: string | null
  readonly at: number
  /** Currency units of the order it was used with. */
  readonly value: number | null
}

interface Held {
  readonly externalId: string
  readonly offer: string
  readonly kind: string
  readonly code: string | null
  readonly grantedAt: Date
  readonly expiresAt: Date
}

/** Who uses what while they do what they have `done`, in its order; each offer once. */
export async function findUses(
  { database }: Pick<Runtime, 'database'>,
  people: {
    readonly seed: number
    /** The index of each, and their contact, by external id. */
    readonly persons: ReadonlyMap<string, number>
    readonly contactIds: ReadonlyMap<string, number>
  },
  done: readonly SimulatedActivity[],
): Promise<Use[]> {
  const ids = [...new Set(done.flatMap(({ externalId }) => people.contactIds.get(externalId) ?? []))]
  const held = await rows<Held>(
    database,
    sql`SELECT x.external_id AS "externalId", g.offer, g.kind, g.code, g.granted_at AS "grantedAt",
          g.expires_at AS "expiresAt"
        FROM grants g JOIN external_ids x USING (contact_id)
        WHERE g.state = 'granted' AND g.contact_id = ANY (${bigints(ids)}) ORDER BY g.contact_id, g.grant_id`,
  )
  return held.flatMap(({ externalId, offer, kind, code, grantedAt, expiresAt }) => {
    if (uniform(people.seed, people.persons.get(externalId) ?? 0, `uses ${offer}`) >= (USED[kind] ?? 0))
      return []
    const used = done.find(
      (each) =>
        each.externalId === externalId &&
        (kind !== 'coupon' || each.type === 'order') &&
        grantedAt.getTime() < each.at &&
        each.at < expiresAt.getTime(),
    )
    return used
      ? [
          {
            externalId,
            offer,
            code,
            coupon: kind === 'coupon' ? (code ?? offer) : null,
            at: used.at,
            value: used.value,
          },
        ]
      : []
  })
}

/** Tells of the uses as the shop would. @throws Error where one was refused, which none of these is */
export async function redeemUses(
  { database }: Pick<Runtime, 'database'>,
  uses: readonly Use[],
  now: Date,
): Promise<void> {
  if (uses.length === 0) return
  const claims = uses.map(({ externalId, offer, code, at, value }) => ({
    ...(code === null ? { externalId, offer } : { code }),
    ...(value === null ? {} : { value: Math.round(value * 1e6) }),
    key: `${externalId} ${offer} ${at}`,
    at: new Date(at),
  }))
  const answers = await transaction(database, (tx) => redeem(tx, now, claims))
  const refused = answers.find(({ outcome }) => outcome === 'refused')
  if (refused) throw new Error(`a redemption was refused: ${JSON.stringify(refused)}`)
}
