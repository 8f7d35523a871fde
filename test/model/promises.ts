import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { rows } from '../../src/database/connect.ts'
import type { CreditRequest } from '../../src/offers/provider.ts'
import { brokenPromises } from '../invariants/promises.ts'
import type { OfferName } from './campaign.ts'
import { CAMPAIGNS, NAMES, RATE } from './campaigns.ts'
import { CREDITED_WORDS, OFFERS } from './game.ts'
import type { Real, Seen } from './real.ts'

// What must hold whatever happened, read from the database and from what the far end received. The model has no part in it:
// were it as wrong as the machine, this would still be right.

/** Messages the far end did not take: not handovers. */
export const refused = new WeakSet<object>()

export async function checkInvariants(real: Real, seen: Seen): Promise<void> {
  const [broken, overspent] = await Promise.all([
    brokenPromises(real.shop.database, real.shop.clock.now()),
    readOverspent(real),
  ])
  expect([...broken, ...overspent]).toEqual([])
  checkMessages(real, seen)
  checkAccounts(real, seen)
  checkRate(real)
}

function checkMessages({ email, log, accounts, erased }: Real, { touches }: Seen): void {
  // I1: at most one handover where repeats are not recognised.
  const handed = email.sent.filter((message) => !refused.has(message)).map((message) => message.key)
  expect(new Set(handed).size).toBe(handed.length)
  // I11: whatever is sent says what was drawn.
  const texts = new Map(email.sent.map(({ touchpointId, content }) => [touchpointId, content]))
  for (const { id, variant } of touches) {
    const text = variant === null ? undefined : texts.get(id)
    if (text !== undefined) expect(text.includes('Once upon a time')).toBe(variant === 'story')
  }
  // I9: no blank.
  for (const { content } of [...email.sent, ...log.sent]) expect(content).not.toContain('[]')
  // What a message says is in the account, is there.
  const there = new Set(
    [...accounts.credited.values()].map(({ external_id, offer }) => `${external_id} ${offer}`),
  )
  for (const { contactId, touchpointId, content } of [...email.sent, ...log.sent]) {
    if (!content.includes(CREDITED_WORDS) || erased.has(contactId)) continue
    const { contact = '' } = touches.find(({ id }) => id === touchpointId) ?? {}
    expect([`${contact} gift`, `${contact} five`].filter((one) => there.has(one))).not.toEqual([])
  }
}

/** Whatever stands in an account is a grant's, once an episode, and there is enough of it. */
function checkAccounts({ accounts, erased }: Real, seen: Seen): void {
  const grants = new Map(seen.grants.map((grant) => [grant.key, grant]))
  for (const [key, texts] of accounts.asked) expect([key, ...texts]).toHaveLength(2)
  const episodes = new Map<string, CreditRequest>()
  for (const [key, request] of accounts.credited) {
    if (erased.has(request.external_id)) {
      episodes.set(key, request)
      continue
    }
    const grant = grants.get(key)
    expect(grant).toMatchObject({ contact: request.external_id, offer: request.offer })
    expect(grant?.credit).not.toBeNull()
    const place = `${grant?.contact}#${grant?.no} ${request.offer}`
    expect(episodes.get(place)).toBeUndefined()
    episodes.set(place, request)
  }
  const stocks = Object.entries(OFFERS).map(([offer, { stock }]) => {
    const credited = [...episodes.values()].filter((request) => request.offer === offer).length
    return { offer, over: Math.max(0, credited - stock) }
  })
  expect(stocks.filter(({ over }) => over > 0)).toEqual([])
  const owed = [...episodes.values()].reduce((sum, { offer }) => sum + OFFERS[offer as OfferName].expected, 0)
  expect(owed).toBeLessThanOrEqual(CAMPAIGNS.game.budgets?.liability ?? 0)
}

/** I8: days that cost a campaign more than they may, and more outstanding than there may be. */
function readOverspent({ shop }: Real): Promise<object[]> {
  const bounds = NAMES.flatMap((name) => {
    const { budgets } = CAMPAIGNS[name]
    return budgets ? [sql`(${name}::text, ${budgets.spend}::bigint, ${budgets.liability}::bigint)`] : []
  })
  return rows<object>(
    shop.database,
    sql`SELECT campaign, kind, day, sum(amount) FROM (
        SELECT s.campaign, kind, amount, CASE kind WHEN 'spend' THEN (booked_at AT TIME ZONE 'UTC')::date END AS day
        FROM ledger JOIN steps s USING (step_id)) l
      JOIN (VALUES ${sql.join(bounds, sql`, `)}) AS b(campaign, spend, liability) USING (campaign)
      GROUP BY campaign, kind, day, spend, liability
      HAVING sum(amount) > CASE kind WHEN 'spend' THEN spend ELSE liability END`,
  )
}

/** By when they were dispatched: in no stretch of time more mails than the spans hold that it may lie in. */
function checkRate({ email, dispatchedAt, mailedAt }: Real): void {
  for (const { touchpointId } of email.sent.slice(mailedAt.length)) {
    mailedAt.push(dispatchedAt.get(touchpointId) ?? Number.NaN)
  }
  const times = mailedAt.toSorted((a, b) => a - b)
  for (const [first, from] of times.entries()) {
    for (const [place, to] of times.slice(first).entries()) {
      expect(place + 1).toBeLessThanOrEqual(RATE.count * (Math.floor((to - from) / RATE.per) + 2))
    }
  }
}
