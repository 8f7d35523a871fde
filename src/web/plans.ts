import { sql } from 'drizzle-orm'
import { bigints } from '../database/arrays.ts'
import { execute, rows, type Session } from '../database/connect.ts'
import type { DraftPlan, KeptPlan } from './desk.ts'

// Plans that wait for approval. What is approved is a hash over every input: whoever approves has seen what will run.

export interface PlanRow {
  readonly planId: number
  readonly campaign: string
  readonly inputs: string
  readonly figures: KeptPlan
  readonly plannedAt: Date
  readonly plannedBy: number
  readonly planner: string
  /** Null while it waits. */
  readonly approved: boolean | null
  readonly decider: string | null
}

/** What a plan holds since others were stored: an older one knew nothing of it. */
const LATER = { variants: [], between: [] } satisfies Partial<KeptPlan>
type StoredPlan = Omit<KeptPlan, keyof typeof LATER> & Partial<KeptPlan>

export async function storePlan(session: Session, plan: DraftPlan, by: number, now: Date): Promise<void> {
  await execute(
    session,
    sql`INSERT INTO campaign_plans (campaign, inputs, figures, planned_at, planned_by)
        VALUES (${plan.campaign}, ${plan.inputs}, ${JSON.stringify(plan.figures)}::jsonb, ${now}, ${by})`,
  )
}

/** The plan that was made last: an older one cannot be approved any more. */
export async function newestPlan(session: Session, campaign: string): Promise<PlanRow | undefined> {
  const [plan] = await rows<Omit<PlanRow, 'figures'> & { figures: StoredPlan }>(
    session,
    sql`SELECT p.plan_id AS "planId", p.campaign, p.inputs, p.figures, p.planned_at AS "plannedAt",
          p.planned_by AS "plannedBy", u.name AS planner, p.approved, d.name AS decider
        FROM campaign_plans p JOIN users u ON u.user_id = p.planned_by LEFT JOIN users d ON d.user_id = p.decided_by
        WHERE p.campaign = ${campaign} ORDER BY p.plan_id DESC LIMIT 1`,
  )
  return plan && { ...plan, figures: { ...LATER, ...plan.figures } }
}

/**
 * Keeps what was decided of a plan. While it is being applied somebody may turn it down: what runs then counts as approved.
 * @returns false where it had been decided before
 */
export async function decidePlan(
  session: Session,
  planId: number,
  decision: { approved: boolean; by: number; now: Date; version?: number },
): Promise<boolean> {
  const decided = await execute(
    session,
    sql`UPDATE campaign_plans SET approved = ${decision.approved}, decided_by = ${decision.by},
          decided_at = ${decision.now}, version = ${decision.version ?? null}
        WHERE plan_id = ${planId} AND approved IS NOT TRUE AND (approved IS NULL OR ${decision.approved})`,
  )
  return decided > 0
}

/** Whether anybody but this user could approve: with two operators, a second pair of eyes is asked for. */
export async function othersMayApprove(session: Session, userId: number): Promise<boolean> {
  const found = await rows(
    session,
    sql`SELECT FROM users WHERE user_id <> ${userId} AND role IN ('operator', 'admin') AND disabled_at IS NULL
          AND password IS NOT NULL LIMIT 1`,
  )
  return found.length > 0
}

/** What the contacts of a plan's samples are called; those erased since have no name any more. */
export async function sampleNames(
  session: Session,
  contactIds: readonly number[],
): Promise<Map<number, string>> {
  const found = await rows<{ contactId: number; externalId: string }>(
    session,
    sql`SELECT contact_id AS "contactId", external_id AS "externalId" FROM contacts
        WHERE contact_id = ANY (${bigints(contactIds)})`,
  )
  return new Map(found.map(({ contactId, externalId }) => [contactId, externalId]))
}
