import { sql } from 'drizzle-orm'
import { segmentSql } from '../audience/select.ts'
import type { ContactView } from '../channels/channel.ts'
import type { CompiledCampaign, CompiledStep } from '../config/compiled.ts'
import type { Mask } from '../config/masking.ts'
import { rows, type Session } from '../database/connect.ts'
import { WinbackError } from '../errors.ts'
import { type Composed, composer, guardContext, reachesDevices, type WorkerDependencies } from './batch.ts'
import { type Candidate, imagine } from './gather.ts'
import { judge, type Verdict } from './guards.ts'
import { dummyGrant } from './reserve.ts'
import { type Foreseen, foreseeReservation } from './scarce.ts'
import { viewContact } from './view.ts'

/** What a contact would get of a step, were it due now. */
export interface Preview {
  readonly contact: ContactView
  readonly segment: string
  readonly verdict: Verdict
  /** What the channel made of it, where the guards let it through; why it could not be made, where it could not. */
  readonly composed: Composed | undefined
  /** What caps, offer and budgets would say now, where they were asked and speak against it. */
  readonly scarce: Foreseen | undefined
}

/**
 * Runs a step's guards and templates for one contact exactly as a worker would, without a touchpoint: for previews,
 * test mails and the samples of a plan.
 * @param variant.locale instead of the contact's own
 * @param variant.anyTime leaves the send window out: a sample is looked at by day and by night
 * @param variant.limits asks caps, offer and budgets, too; nothing is reserved
 * @param variant.mask how names and addresses are shown in the message; as they are by default
 * @param variant.email instead of the contact's own, which then is neither suppressed nor refused: for test mails
 * @throws WinbackError `contact.unknown`
 */
export async function previewStep(
  dependencies: WorkerDependencies,
  campaign: CompiledCampaign,
  step: CompiledStep,
  contactId: number,
  variant: {
    locale?: string | undefined
    anyTime?: boolean
    limits?: boolean
    email?: string | undefined
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
  const candidate: Candidate = {
    ...found,
    facts: variant.mask ? variant.mask.facts(found.facts) : found.facts,
    ...(variant.locale === undefined ? {} : { locale: variant.locale }),
    ...(variant.email === undefined
      ? {}
      : {
          email: variant.email,
          suppressed: { ...found.suppressed, email: null },
          erased: false,
          consent: Object.fromEntries(step.channels.map((channel) => [channel, 'given' as const])),
          choice: null,
        }),
  }
  const contact = viewContact(candidate, sender)
  const context = await guardContext(dependencies, campaign, step, now)
  const channels = context.channels.map((reach) =>
    variant.anyTime ? { ...reach, window: undefined, opening: () => undefined } : reach,
  )
  const verdict = judge(candidate, contact, { ...context, channels })
  if (verdict.kind !== 'send')
    return { contact, segment: candidate.segment, verdict, composed: undefined, scarce: undefined }
  const templates = await dependencies.templates(campaign.templateSet)
  const compose = composer({ templates, sender, campaign, step, channels: dependencies.channels })
  const grant = dummyGrant(step, now)
  const cleared = {
    candidate,
    contact,
    channel: verdict.channel,
    template: verdict.template?.name,
    instead: verdict.instead !== undefined,
    ...(grant ? { grant } : {}),
  }
  const composed = compose(cleared)
  const scarce = variant.limits
    ? await foreseeReservation(database, { campaign, step, now }, cleared, composed)
    : undefined
  return { contact, segment: candidate.segment, verdict, composed, scarce }
}

/** The internal id of a contact of the user's system. @throws WinbackError `contact.unknown` */
export async function findContact(session: Session, externalId: string): Promise<number> {
  const [row] = await rows<{ contactId: number }>(
    session,
    sql`SELECT contact_id AS "contactId" FROM external_ids WHERE external_id = ${externalId}`,
  )
  if (row) return row.contactId
  throw new WinbackError('contact.unknown', `there is no contact \`${externalId}\``, {
    remedy: 'Contacts are named by the external id they were imported with.',
  })
}
