import { shortHash } from '../../../config/inputs.ts'
import { othersMayApprove, type PlanRow, sampleNames } from '../../plans.ts'
import { Act } from '../parts.tsx'
import type { Visit } from '../visit.ts'
import { AudienceGrid, LeftOut, OnlyQuiet, Outside } from './audience.tsx'
import { EffectOverTime } from './effect.tsx'
import { Money } from './money.tsx'
import { Samples } from './samples.tsx'
import { Steps } from './steps.tsx'
import { Warnings } from './warnings.tsx'

// A plan that waits, as a page: whom, by what, at what cost, what it could prove; then who may approve it.

/** The newest plan of a campaign. The one who looks may approve it, or somebody else has to. */
export async function PlanCard({ visit, plan }: { visit: Visit; plan: PlanRow }) {
  const { say, runtime } = visit
  const { figures } = plan
  const names = await sampleNames(
    runtime.database,
    figures.samples.map(({ contactId }) => contactId),
  )
  const samples = figures.samples.flatMap((sample) => {
    const contact = names.get(sample.contactId)
    return contact === undefined ? [] : [{ ...sample, contact }]
  })
  const parts = { visit, figures }
  const body = (
    <>
      <Warnings {...parts} />
      <AudienceGrid {...parts} />
      <div class="cards">
        <LeftOut {...parts} />
        <Outside {...parts} />
      </div>
      <OnlyQuiet {...parts} />
      <Steps {...parts} />
      <Money {...parts} />
      <EffectOverTime {...parts} />
    </>
  )
  return (
    <section id="plan" aria-label={say('Plan', '计划')}>
      <Head visit={visit} plan={plan} />
      {plan.approved === null ? (
        <>
          {body}
          <Samples visit={visit} campaign={plan.campaign} samples={samples} />
        </>
      ) : (
        <details>
          <summary>{say('What it showed', '当时的内容')}</summary>
          {body}
        </details>
      )}
      {await Decision({ visit, plan })}
    </section>
  )
}

function Head({ visit, plan }: { visit: Visit; plan: PlanRow }) {
  const { say, speech } = visit
  return (
    <div class="card">
      <h2>
        {say('Plan', '计划')} <code>{shortHash(plan.inputs)}</code> <PlanState visit={visit} plan={plan} />
      </h2>
      <p class="soft">
        {say(
          `Made by ${plan.planner}, ${speech.moment(plan.plannedAt)}; the figures are of that moment.`,
          `由 ${plan.planner} 于 ${speech.moment(plan.plannedAt)} 生成，数字为当时情况。`,
        )}
      </p>
      {plan.approved === null && visit.may('operate') ? (
        <p>
          {say('Look it through, then', '看完后请')}{' '}
          <a href="#decide">{say('approve it or turn it down', '批准或退回')}</a>
        </p>
      ) : null}
    </div>
  )
}

function PlanState({ visit: { say }, plan }: { visit: Visit; plan: PlanRow }) {
  if (plan.approved === null) return <span class="tag warn">{say('waits for approval', '待批准')}</span>
  return plan.approved ? (
    <span class="tag good">{say(`approved by ${plan.decider}`, `由 ${plan.decider} 批准`)}</span>
  ) : (
    <span class="tag bad">{say(`turned down by ${plan.decider}`, `被 ${plan.decider} 退回`)}</span>
  )
}

/** What can be done with a plan that waits; nothing for who only looks. */
async function Decision({ visit, plan }: { visit: Visit; plan: PlanRow }) {
  const { say, user } = visit
  if (plan.approved !== null || !visit.may('operate')) return null
  const others = await othersMayApprove(visit.runtime.database, user.userId)
  const hash = shortHash(plan.inputs)
  const to = `/campaigns/${plan.campaign}/decide`
  const fields = { plan: String(plan.planId) }
  return (
    <div class="card" id="decide">
      <h2>{say('Make it run', '投入运行')}</h2>
      <p>
        {say(
          'What is approved is exactly this plan: it is refused if a file changed since, or another version was applied. Whoever is under way keeps the version they began with.',
          '批准的正是此计划：此后若有文件改动或应用了其他版本，将被拒绝。进行中的人沿用其开始时的版本。',
        )}
      </p>
      <div class="row">
        {plan.plannedBy === user.userId && others ? (
          <p>{say('Another operator has to approve this very plan.', '须由另一位运营批准此计划。')}</p>
        ) : (
          <Act
            visit={visit}
            to={to}
            words={others ? say(`Approve ${hash}`, `批准 ${hash}`) : say(`Apply ${hash}`, `应用 ${hash}`)}
            fields={{ ...fields, do: 'approve' }}
          />
        )}
        <Act
          visit={visit}
          to={to}
          kind="quiet"
          words={say('Turn down', '退回')}
          fields={{ ...fields, do: 'reject' }}
        />
      </div>
    </div>
  )
}
