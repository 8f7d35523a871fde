import { sql } from 'drizzle-orm'
import { rows } from '../../src/database/connect.ts'
import { type Offer, offer } from '../../src/offers/offers.ts'
import { DAY, openPipeline, type Pipeline, type PipelineOptions, START, type StepSketch } from './pipeline.ts'

// A campaign of two steps that promise the same coupon, and what became of the promises.

export function coupon(changes: Record<string, unknown> = {}): Offer {
  return offer.parse({
    kind: 'coupon',
    amount: '5 CNY',
    valid: '7d',
    expected_redemption: '8%',
    deliver: 'code',
    ...changes,
  })
}

export async function openGranting(
  contacts: number,
  terms: Offer,
  options: PipelineOptions & { step?: Partial<StepSketch> } = {},
): Promise<Pipeline> {
  const steps = [
    { id: 'one', offer: { name: 'five', terms }, ...options.step },
    { id: 'two', after: DAY, offer: { name: 'five', terms } },
  ]
  const pipeline = await openPipeline({
    tiers: [{ name: 'only', from: 3 * DAY, to: null, steps }],
    ...options,
  })
  const silentSince = new Date(START.getTime() - 4 * DAY * 1000)
  for (let made = 0; made < contacts; made += 1) await pipeline.addContact({ silentSince })
  await pipeline.runNow()
  return pipeline
}

export interface GrantRow {
  state: string
  code: string | null
  credit: string | null
  expiresAt: Date
}

export const grantsOf = ({ database }: Pipeline) =>
  rows<GrantRow>(
    database,
    sql`SELECT state, code, credit, expires_at AS "expiresAt" FROM grants ORDER BY contact_id, grant_id`,
  )
export const takenOf = async ({ database }: Pipeline) => {
  const [stock] = await rows<{ taken: number }>(database, sql`SELECT taken FROM offer_stocks`)
  return stock?.taken ?? 0
}
export const liability = async ({ database }: Pipeline) => {
  const [sum] = await rows<{ amount: number }>(
    database,
    sql`SELECT coalesce(sum(amount), 0)::bigint AS amount FROM ledger WHERE kind = 'liability'`,
  )
  return sum?.amount
}
export const promised = (pipeline: Pipeline) =>
  pipeline.channel.sent.map(
    ({ content }) => (JSON.parse(content) as { offer?: { code?: string } }).offer?.code,
  )
export const wait = (pipeline: Pipeline, seconds: number) =>
  pipeline.clock.set(new Date(pipeline.clock.now().getTime() + seconds * 1000))
