import { sql } from 'drizzle-orm'
import { segmentSql } from '../audience/select.ts'
import { drawVariant } from '../audience/stages.ts'
import type { ContactView } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import type { Mask } from '../config/masking.ts'
import { inVariant } from '../config/variants.ts'
import { rows, type Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import type { WorkerDependencies } from './batch.ts'
import { type Candidate, imagine } from './gather.ts'
import { reachesDevices, readGuardContext } from './guards/guard-context.ts'
import { judge, type Verdict } from './guards/guards.ts'
import { type Composed, clearedFor, composer } from './message.ts'
import { overflowOf } from './reservations/capacity.ts'
import { dummyGrant } from './reservations/promises.ts'
import { type ForeseenVerdict, foreseeReservation } from './reservations/scarce.ts'
import { viewContact } from './view.ts'

/** What a contact would get of a step, were it due now. */
export interface Preview {
  readonly contact: ContactView
  readonly segment: string
  /** Of the step; null where it has none. */
  readonly variant: string | null
  readonly verdict: Verdict
  /** What the channel made of it, where the guards let it through; why it could not be made, where it could not. */
  readonly composed: Composed | undefined
  /** What the day's calls, caps, offer and budgets would say now, where they were asked and speak against it. */
  readonly scarce: ForeseenVerdict | undefined
}

/**
 * Runs a step's guards and templates for one contact exactly as a worker would, without a touchpoint: for previews,
 * test mails and the samples of a plan.
 * @param as.locale instead of the contact's own
 * @param as.anyTime leaves the send window out: a sample is looked at by day and by night
 * @param as.limits asks the day's calls, caps, offer and budgets, too; nothing is reserved
 * @param as.mask how names and addresses are shown in the message; as they are by default
 * @param as.variant instead of the one the contact has, or would draw
 * @param as.to an address instead of the contact's own, which then is neither suppressed nor refused: for tests
 * @throws WinbackError `contact.unknown`
 */
export async function previewStep(
  dependencies: WorkerDependencies,
  campaign: CompiledCampaign,
  step: CompiledStep,
  contactId: number,
  as: {
    locale?: string | undefined
    anyTime?: boolean
    limits?: boolean
    variant?: string | undefined
    to?: { readonly kind: 'email' | 'phone'; readonly address: string }
    mask?: Mask
  } = {},
): Promise<Preview> {
  const { database, clock, sender } = dependencies
  const now = clock.now()
  const segment = segmentSql(campaign, now)
  const found = await imagine(database, {
    contactId,
    campaign,
    step,
    now,
    segment,
    devices: reachesDevices(dependencies, step),
  })
  if (!found) throw new WinbackError('contact.unknown', `there is no contact ${contactId}`)
  const variant = step.variants
    ? (as.variant ?? (await variantOf(database, campaign, step, contactId)))
    : null
  const candidate: Candidate = {
    ...found,
    variant,
    facts: as.mask ? as.mask.facts(found.facts) : found.facts,
    ...(as.locale === undefined ? {} : { locale: as.locale }),
    ...(as.to === undefined
      ? {}
      : {
          [as.to.kind]: as.to.address,
          suppressed: { ...found.suppressed, [as.to.kind]: null },
          consent: Object.fromEntries(step.channels.map((channel) => [channel, 'given' as const])),
          choice: null,
        }),
  }
  const contact = viewContact(candidate, sender, campaign)
  const context = await readGuardContext(dependencies, campaign, step, now)
  const channels = context.channels.map((reach) =>
    as.anyTime ? { ...reach, window: undefined, opening: () => undefined } : reach,
  )
  const verdict = judge(candidate, contact, { ...context, channels })
  if (verdict.kind !== 'send')
    return { contact, segment: candidate.segment, variant, verdict, composed: undefined, scarce: undefined }
  const templates = await dependencies.templates(campaign)
  const compose = composer({ templates, sender, campaign, step, channels: dependencies.channels })
  const own = inVariant(step, variant)
  const grant = dummyGrant(own, now)
  const cleared = { ...clearedFor(candidate, contact, verdict), ...(grant ? { grant } : {}) }
  const composed = compose(cleared)
  const overflow = overflowOf(dependencies.channels)
  const scarce = as.limits
    ? await foreseeReservation(database, { campaign, step: own, now, overflow }, cleared, composed)
    : undefined
  return { contact, segment: candidate.segment, variant, verdict, composed, scarce }
}

/** The variant of a step that a contact has in their open episode, or would draw in it, or in the next one. */
async function variantOf(
  session: Session,
  campaign: CompiledCampaign,
  step: CompiledStep,
  contactId: number,
): Promise<string | null> {
  const touched = (
    table: string,
  ) => sql`SELECT t.variant FROM ${sql.identifier(table)} t JOIN steps s USING (step_id)
      WHERE t.contact_id = e.contact_id AND t.episode_id = e.episode_id AND s.step = ${step.id} AND t.variant IS NOT NULL`
  const [found] = await rows<{ personId: number; episodeNo: number; variant: string | null }>(
    session,
    sql`
    SELECT e.person_id AS "personId", e.episode_no AS "episodeNo",
      (${touched('touchpoints')} UNION ALL ${touched('touchpoint_records')} LIMIT 1) AS variant
    FROM contacts c CROSS JOIN LATERAL (
      -- Drawn for whoever they were when it opened; the next one, for whoever they are now.
      SELECT e.contact_id, e.episode_id, e.person_id, e.episode_no FROM episodes e
      WHERE e.contact_id = c.contact_id AND e.campaign = ${campaign.name} AND e.ended_at IS NULL
      UNION ALL
      SELECT c.contact_id, 0, c.person_id, coalesce(max(e.episode_no), 0) + 1
      FROM contacts o JOIN episodes e USING (contact_id)
      WHERE o.person_id = c.person_id AND e.campaign = ${campaign.name} AND e.arm <> 'seed' LIMIT 1
    ) e WHERE c.contact_id = ${contactId}`,
  )
  if (!found) return null
  const known = step.variants?.some(({ name }) => name === found.variant)
  if (found.variant !== null && known) return found.variant
  return drawVariant(campaign.salt, step, found.personId, found.episodeNo) ?? null
}
