import { planWord } from '../../../service/plan/sentences.ts'
import type { KeptPlan } from '../../desk.ts'
import type { Visit } from '../visit.ts'

/** What real contacts would get, each in a frame of its own. */
export function Samples(props: {
  visit: Visit
  campaign: string
  samples: readonly (KeptPlan['samples'][number] & { readonly contact: string })[]
}) {
  const { say, language } = props.visit
  if (props.samples.length === 0) return null
  return (
    <div class="card">
      <h2>{planWord('samples', props.visit.speech)}</h2>
      <p class="soft">
        {say(
          'Made of the files as they are now, for contacts that would be taken in.',
          '按当前文件为将被纳入的联系人生成。',
        )}
      </p>
      <div class="cards">
        {props.samples.map(({ contact, tier, step, variant, outcome }) => {
          const query = new URLSearchParams({
            step: `${props.campaign}/${step}`,
            contact,
            ...(variant === null ? {} : { variant }),
          })
          const place = [tier, step, ...(variant === null ? [] : [variant])].join(' · ')
          return (
            <div>
              <h3>{place}</h3>
              <p class="soft">
                <a href={`/templates?${query}`}>{contact}</a>
                {say(': ', '：')}
                {outcome[language]}
              </p>
              <iframe
                sandbox=""
                class="sample"
                title={`${place} · ${contact}`}
                src={`/templates/message?${query}`}
              />
            </div>
          )
        })}
      </div>
    </div>
  )
}
