import { Hono } from 'hono'
import { z } from 'zod'
import { toldAt } from '../../clock.ts'
import { transaction } from '../../database/connect.ts'
import { REFUSALS, type RedemptionAnswer, type RedemptionClaim, redeem } from '../../offers/redemptions.ts'
import type { Runtime } from '../../service/runtime.ts'
import { refuse } from '../answers.ts'
import type { KeyRing } from '../api-keys.ts'
import { type Authorised, requireScope } from '../authorise.ts'
import { moment, readAs, readJson, refuseQuery } from '../requests.ts'

/** Text that an index can hold. */
const text = z.string().min(1).max(200)

const claim = z.strictObject({
  key: text
    .optional()
    .describe(
      'Names this use: it counts once. A single one may be named by the header Idempotency-Key instead',
    ),
  code: text.optional(),
  external_id: text.optional(),
  offer: text.optional(),
  redeemed_at: moment.optional(),
  value: z.number().nonnegative().max(1e9).optional(),
})
const claims = z.strictObject({ redemptions: z.array(claim).min(1).max(1000) })
/** What `POST /v1/redemptions` takes: one, or many. */
export const redemptionsBody = z.union([claim, claims])

/**
 * POST /v1/redemptions: an offer was used. One, named by its `key` or the header Idempotency-Key, or up to a thousand
 * under `redemptions`, each with a key. The same key again answers the same and changes nothing.
 */
export function redemptionsApi(options: { runtime: Runtime; keys: KeyRing }): Hono<Authorised> {
  const { database, clock } = options.runtime
  return new Hono<Authorised>().post(
    '/v1/redemptions',
    requireScope(options.keys, 'redemptions'),
    refuseQuery,
    async (c) => {
      const body = await readJson(c)
      const many = typeof body === 'object' && body !== null && 'redemptions' in body
      const given = many ? readAs(claims, body, 'the body').redemptions : [readAs(claim, body, 'the body')]
      const now = clock.now()
      const header = c.req.header('Idempotency-Key') || undefined
      // Cut off, it would be the name of others, too.
      const own = many ? undefined : readAs(text.optional(), header, 'the header Idempotency-Key')
      const named: RedemptionClaim[] = []
      for (const { external_id: externalId, redeemed_at: at, value, ...rest } of given) {
        const key = rest.key ?? own
        if (!key) return refuse(c, 400, 'malformed', 'name each redemption by a `key`, or by Idempotency-Key')
        named.push({
          ...rest,
          key,
          externalId,
          at: at === undefined ? now : new Date(toldAt(Date.parse(at), now.getTime())),
          ...(value === undefined ? {} : { value: Math.round(value * 1e6) }),
        })
      }
      c.set('detail', { redemptions: named.length })
      const answers = await transaction(database, async (tx) => {
        const redeemed = await redeem(tx, now, named)
        if (many || redeemed[0]?.outcome !== 'refused') await c.get('record')(tx)
        return redeemed
      })
      if (many) return c.json({ results: answers.map(described) })
      const [answer] = answers
      if (answer?.outcome === 'refused') return refuse(c, 422, answer.reason, REFUSALS[answer.reason])
      return c.json(answer)
    },
  )
}

function described(answer: RedemptionAnswer): object {
  return answer.outcome === 'refused' ? { ...answer, message: REFUSALS[answer.reason] } : answer
}
