import { shortHash } from '../../config/inputs.ts'
import { othersMayApprove, type PlanRow } from '../plans.ts'
import { Act } from './parts.tsx'
import type { Visit } from './visit.ts'

/** A plan, and who may approve it: the one who looks, or somebody else. */
export async function PlanCard({ visit, plan }: { visit: Visit; plan: PlanRow }) {
  const { say, speech, user } = visit
  const waits = plan.approved === null
  const others = await othersMayApprove(visit.runtime.database, user.userId)
  const mine = plan.plannedBy === user.userId
  return (
    <div class="card" id="plan">
      <h2>
        {say('Plan', '计划')} <code>{shortHash(plan.inputs)}</code>
      </h2>
      <p class="soft">
        {say(
          `by ${plan.planner}, ${speech.moment(plan.plannedAt)}`,
          `${plan.planner}，${speech.moment(plan.plannedAt)}`,
        )}
        {waits
          ? ''
          : plan.approved
            ? say(`; approved by ${plan.decider}`, `；由 ${plan.decider} 批准`)
            : say(`; turned down by ${plan.decider}`, `；被 ${plan.decider} 退回`)}
      </p>
      <pre tabindex={0}>{plan.shown[visit.language]}</pre>
      {waits && visit.may('operate') ? (
        <div class="row">
          {mine && others ? (
            <p>{say('Another operator has to approve this very plan.', '须由另一位运营批准此计划。')}</p>
          ) : (
            <Act
              visit={visit}
              to={`/campaigns/${plan.campaign}/decide`}
              words={
                others
                  ? say('Approve this very plan', '批准此计划')
                  : say('Apply this very plan', '应用此计划')
              }
              fields={{ plan: String(plan.planId), do: 'approve' }}
            />
          )}
          <Act
            visit={visit}
            to={`/campaigns/${plan.campaign}/decide`}
            kind="quiet"
            words={say('Turn down', '退回')}
            fields={{ plan: String(plan.planId), do: 'reject' }}
          />
        </div>
      ) : null}
    </div>
  )
}
