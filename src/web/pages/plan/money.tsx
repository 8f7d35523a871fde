import { planWord } from '../../../service/plan/sentences.ts'
import { Table } from '../parts.tsx'
import type { PlanPart } from './plan-part.ts'

/** Who is held out, and what it costs at most. */
export function Money({ visit, figures }: PlanPart) {
  const { speech, say } = visit
  const heldOut = planWord('heldOut', speech)
  const sameDraws = figures.heldOut.every((share) => share.withTierDraws === share.episode)
  return (
    <div class="cards">
      <div class="card">
        <h2>{heldOut}</h2>
        <Table
          label={heldOut}
          columns={[
            { title: planWord('entering', speech) },
            { title: planWord('notContacted', speech), num: true },
            ...(sameDraws ? [] : [{ title: planWord('withDraws', speech), num: true }]),
          ]}
          rows={figures.heldOut.map((share) => [
            share.tier,
            speech.percent(share.episode),
            ...(sameDraws ? [] : [speech.percent(share.withTierDraws)]),
          ])}
        />
      </div>
      {figures.audience.outside.total === 0 ? null : (
        <div class="card">
          <h2>{say('Cost, at most', '成本上限')}</h2>
          <dl class="figures">
            <div>
              <dt>{say('sending', '发送费用')}</dt>
              <dd>{speech.money(figures.spend)}</dd>
            </div>
            <div>
              <dt>{say('expected redemptions', '优惠（预计核销）')}</dt>
              <dd>{speech.money(figures.liability)}</dd>
            </div>
          </dl>
          <p class="soft">{planWord('cost', speech)}</p>
          {figures.released ? (
            <>
              <dl class="figures">
                <div>
                  <dt>{say('on their return', '回归奖励')}</dt>
                  <dd>{speech.money(figures.released)}</dd>
                </div>
              </dl>
              <p class="soft">
                {say(
                  'What returns release, at most: were everybody contacted to come back. Whoever does is spared the rest of the ladder.',
                  '回归后发放的上限（假设触达的人全部回来）；回来的人不再走后续阶段。',
                )}
              </p>
            </>
          ) : null}
        </div>
      )}
    </div>
  )
}
