import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ageEpisodes } from '../../src/audience/age.ts'
import { draw } from '../../src/audience/holdout.ts'
import { drawVariant, variantSql } from '../../src/audience/stages.ts'
import type { CompiledCampaign, CompiledStep } from '../../src/config/compiled.ts'
import { execute, rows } from '../../src/database/connect.ts'
import { offer } from '../../src/offers/offers.ts'
import { previewStep } from '../../src/touchpoints/preview.ts'
import { testChannel } from '../support/channel.ts'
import { emptiedDatabase } from '../support/emptied.ts'
import { DAY, openPipeline, START } from '../support/pipeline.ts'

/** A step that compares variants of these shares, named v0, v1, … */
function stepOf(id: string, shares: readonly number[]): CompiledStep {
  const step = { id, stepId: 7, tierNo: 1 } as CompiledStep
  return { ...step, variants: shares.map((share, at) => ({ name: `v${at}`, share, step })) }
}

/** Shares that come to a whole, each of some hundredths. */
const shares = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 5 }).map((parts) => {
  const whole = parts.reduce((sum, part) => sum + part, 0)
  const rounded = parts.map((part) => Math.round((part / whole) * 1e4) / 1e4)
  const rest = rounded.slice(1).reduce((sum, part) => sum + part, 0)
  return [Math.round((1 - rest) * 1e4) / 1e4, ...rounded.slice(1)]
})

describe('which variant a touchpoint is', () => {
  it('is the same in PostgreSQL and in JavaScript, at every repetition', async () => {
    const database = await emptiedDatabase()
    await fc.assert(
      fc.asyncProperty(fc.nat().map(String), shares, fc.nat(), async (salt, parts, first) => {
        const step = stepOf('letter', parts)
        const campaign = { salt, tiers: [{ steps: [step] }] } as unknown as CompiledCampaign
        const drawn = variantSql(campaign, {
          stepId: sql`step_id`,
          person: sql`person_id`,
          episodeNo: sql`episode_no`,
        })
        const found = await rows<{
          person: number
          no: number
          variant: string | null
          other: string | null
        }>(
          database,
          sql`SELECT person_id AS person, episode_no AS no, ${drawn} AS variant,
              (SELECT ${drawn} FROM (SELECT 8 AS step_id) other) AS other
            FROM (SELECT ${first}::bigint + n AS person_id, n % 3 + 1 AS episode_no, 7 AS step_id
              FROM generate_series(1, 20) AS n) people`,
        )
        for (const { person, no, variant, other } of found) {
          expect(variant).toBe(drawVariant(salt, step, person, no))
          expect(other).toBeNull()
        }
      }),
      { numRuns: 50 },
    )
  })

  it('comes out as often as its share says, whatever the shares', () => {
    const people = 20_000
    fc.assert(
      fc.property(fc.nat().map(String), shares, (salt, parts) => {
        const step = stepOf('letter', parts)
        const counts = new Map<string | undefined, number>()
        for (let person = 1; person <= people; person += 1) {
          const variant = drawVariant(salt, step, person, 1)
          counts.set(variant, (counts.get(variant) ?? 0) + 1)
        }
        for (const [at, share] of parts.entries()) {
          // Five standard errors: some two hundred counts are looked at.
          const error = 5 * Math.sqrt((share * (1 - share)) / people)
          expect(Math.abs((counts.get(`v${at}`) ?? 0) / people - share)).toBeLessThan(error)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('says nothing of the arm, of the tier’s own draw, of another step’s variant, nor of the next episode’s', () => {
    const people = 20_000
    const letter = stepOf('letter', [0.5, 0.5])
    const nudge = stepOf('nudge', [0.5, 0.5])
    const first = (step: CompiledStep, no: number) => (person: number) =>
      drawVariant('salt', step, person, no) === 'v0'
    const others: ((person: number) => boolean)[] = [
      (person) => draw('salt', 'arm', person, 1) < 0.5,
      (person) => draw('salt', 'tier:letter', person, 1) < 0.5,
      first(nudge, 1),
      first(letter, 2),
    ]
    for (const other of others) {
      let both = 0
      for (let person = 1; person <= people; person += 1) {
        both += first(letter, 1)(person) && other(person) ? 1 : 0
      }
      expect(Math.abs(both / people - 0.25)).toBeLessThan(4 * Math.sqrt(0.1875 / people))
    }
  })
})

describe('a touchpoint of a step with variants', () => {
  it('keeps the one it drew: over retries, skips, a return and the next tier; its template and offer follow', async () => {
    const terms = offer.parse({ kind: 'coupon', amount: '5 CNY', valid: '7d', expected_redemption: '10%' })
    const gift = { name: 'gift', share: 0.5, offer: { name: 'five_off', terms } }
    const variants = [{ name: 'plain', share: 0.5 }, gift]
    const channel = testChannel()
    const pipeline = await openPipeline({
      channel,
      holdout: 0.3,
      definition: { limits: { budget: { liability: '1000 CNY' } } },
      tiers: [
        { name: 'coupon', from: 3 * DAY, to: 7 * DAY, steps: [{ id: 'coupon', variants }] },
        { name: 'letter', from: 7 * DAY, to: 15 * DAY, steps: [{ id: 'letter', variants, after: DAY }] },
      ],
    })
    const { database, clock, campaign } = pipeline
    for (let n = 0; n < 60; n += 1) {
      await pipeline.addContact({
        silentSince: new Date(START.getTime() - 4 * DAY * 1000),
        email: n % 5 === 0 ? null : `u${n}@example.com`,
      })
    }
    await pipeline.runNow()
    const drawnOf = (contactId: number, id: string) => {
      const step = campaign.tiers.flatMap((tier) => tier.steps).find((each) => each.id === id)
      return step && drawVariant(campaign.salt, step, contactId, 1)
    }
    const seen = async () => {
      const found = await rows<{
        contactId: number
        arm: string
        step: string
        variant: string
        template: string
        state: string
      }>(
        database,
        sql`
        SELECT contact_id AS "contactId", e.arm, s.step, t.variant, t.template, t.state FROM (
          SELECT contact_id, episode_id, step_id, variant, state, NULL AS template FROM touchpoints
          UNION ALL SELECT contact_id, episode_id, step_id, variant, state, template FROM touchpoint_records) t
        JOIN episodes e USING (contact_id, episode_id) JOIN steps s USING (step_id)`,
      )
      for (const each of found) {
        expect(each.arm).toBe('treated')
        expect(each.variant).toBe(drawnOf(each.contactId, each.step))
        if (each.state === 'sent') expect(each.template).toBe(each.variant)
      }
      return found
    }
    const planned = await seen()
    expect(new Set(planned.map(({ variant }) => variant))).toEqual(new Set(['plain', 'gift']))

    // Nothing gets through, then everything does: what is tried again says the same.
    channel.answer = () => ({ outcome: 'retry', detail: 'busy' })
    await pipeline.work()
    channel.answer = () => ({ outcome: 'sent' })
    channel.sent.length = 0
    clock.advance(120)
    await pipeline.work()
    expect((await seen()).map(({ contactId, variant }) => [contactId, variant]).toSorted()).toEqual(
      planned.map(({ contactId, variant }) => [contactId, variant]).toSorted(),
    )
    for (const { contactId, content } of channel.sent) {
      const says = JSON.parse(content) as { offer?: { name: string } }
      expect(says.offer?.name).toBe(drawnOf(contactId, 'coupon') === 'gift' ? 'five_off' : undefined)
    }
    // Who got the gift holds it, and nobody else.
    const gifted = channel.sent
      .map(({ contactId }) => contactId)
      .filter((id) => drawnOf(id, 'coupon') === 'gift')
    const grants = await rows<{ contactId: number; state: string }>(
      database,
      sql`SELECT contact_id AS "contactId", state FROM grants ORDER BY contact_id`,
    )
    expect(grants).toEqual(
      gifted.toSorted((a, b) => a - b).map((contactId) => ({ contactId, state: 'granted' })),
    )
    const [booked] = await rows(
      database,
      sql`SELECT sum(amount)::bigint AS liability FROM ledger WHERE kind = 'liability'`,
    )
    expect(booked).toEqual({ liability: gifted.length * 500_000 })

    // The next tier draws anew; a return ends its touchpoints, which stay what they were.
    clock.set(new Date(START.getTime() + 4 * DAY * 1000))
    await pipeline.runNow()
    const back = gifted[0] ?? 0
    await pipeline.addActivity(back, clock.now())
    const letters = (await seen()).filter(({ step }) => step === 'letter')
    expect(letters.find(({ contactId }) => contactId === back)?.state).toBe('cancelled')
    expect(letters).toHaveLength(planned.length)
  })
})

it('a preview says the variant that somebody gets, whoever they were when their lapse began, and in their next one', async () => {
  const variants = ['plain', 'gift'].map((name) => ({ name, share: 0.5 }))
  const pipeline = await openPipeline({
    database: await emptiedDatabase(),
    definition: { window: '12d', grace: '1d', reentry: { wait: '0s' } },
    tiers: [
      { name: 'coupon', from: 3 * DAY, to: 7 * DAY, steps: [{ id: 'coupon', variants }] },
      { name: 'letter', from: 7 * DAY, to: null, steps: [{ id: 'letter', variants }] },
    ],
  })
  const { database, clock, campaign, worker } = pipeline
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  const people: number[] = []
  for (let n = 0; n < 12; n += 1) people.push(await pipeline.addContact({ silentSince }))
  const letter = campaign.tiers.flatMap(({ steps }) => steps).find(({ id }) => id === 'letter')
  if (!letter) throw new Error('there is no such step')
  const previewed = () =>
    Promise.all(people.map((id) => previewStep(worker, campaign, letter, id).then(({ variant }) => variant)))
  const drawn = async () => {
    await pipeline.runNow()
    const found = await rows<{ contactId: number; variant: string }>(
      database,
      sql`SELECT contact_id AS "contactId", variant FROM touchpoints WHERE step_id = ${letter.stepId}`,
    )
    return people.map((id) => found.find(({ contactId }) => contactId === id)?.variant)
  }
  await pipeline.runNow()
  // They are other people's accounts, as it turns out.
  await execute(database, sql`UPDATE contacts SET person_id = person_id + 1000`)
  clock.advance(4 * DAY)
  const foreseen = await previewed()
  expect(foreseen).toEqual(await drawn())
  clock.advance(20 * DAY)
  await ageEpisodes(pipeline.run, campaign.name, clock.now())
  const next = await previewed()
  expect(next).not.toEqual(foreseen)
  expect(next).toEqual(await drawn())
})
