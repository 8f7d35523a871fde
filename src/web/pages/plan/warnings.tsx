import { lackText, modelText } from '../../../service/plan/sentences.ts'
import { Coded } from '../parts.tsx'
import type { PlanPart } from './plan-part.ts'

/** What has to be seen to before this runs. */
export function Warnings({ visit, figures }: PlanPart) {
  const { say, speech } = visit
  const next = figures.nextRun === null ? undefined : new Date(figures.nextRun)
  const model = modelText(figures, speech)
  return (
    <>
      {figures.held === null ? null : (
        <p class="note bad">
          <Coded text={figures.held[visit.language]} />
        </p>
      )}
      {figures.shortages.map((shortage) => (
        <p class={shortage.state === 'out' ? 'note bad' : 'note'}>{lackText(shortage, speech)}</p>
      ))}
      {model === undefined ? null : (
        <p class="note">
          <Coded text={model} />
        </p>
      )}
      <p class="soft">
        {next === undefined
          ? say('No further run.', '不再运行。')
          : say(
              `Once it is what runs, it runs next at ${speech.moment(next)} (${visit.runtime.workspace.timezone}).`,
              `生效后下次运行：${speech.moment(next)}（${visit.runtime.workspace.timezone}）。`,
            )}
      </p>
    </>
  )
}
