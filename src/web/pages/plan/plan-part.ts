import type { KeptPlan } from '../../desk.ts'
import type { Visit } from '../visit.ts'

/** What each part of a plan's page is made from, in the words the terminal has for it. */
export interface PlanPart {
  readonly visit: Visit
  readonly figures: KeptPlan
}
