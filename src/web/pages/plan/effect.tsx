import type { LineChart } from '../../../charts/chart.ts'
import { effectText, pastText, planWord, poolText, whenText } from '../../../service/plan/sentences.ts'
import { Table } from '../parts.tsx'
import { ChartView } from '../sheet.tsx'
import type { PlanPart } from './plan-part.ts'

/** The smallest effect that can be shown, over time. */
export function EffectOverTime({ visit, figures }: PlanPart) {
  const { speech, say, language } = visit
  if (figures.audience.outside.total === 0) return null
  const chart: LineChart = {
    kind: 'lines',
    id: 'effect',
    title: say(
      'The smallest difference that can be shown, in percentage points',
      '可检出的最小差异（百分点）',
    ),
    xTitle: say('days from now, the observation included', '距今天数（含观察期）'),
    x: 'number',
    unit: 'points',
    series: [
      {
        name: planWord('smallest', speech),
        points: figures.curve.map(({ afterDays, difference }) => ({ x: afterDays, y: difference })),
      },
    ],
    marks: [],
  }
  const title = planWord('showable', speech)
  return (
    <>
      <div class="card">
        <h2>{title}</h2>
        <p>{pastText(figures, speech)}</p>
        <Table
          label={title}
          columns={[
            { title: planWord('afterDays', speech), num: true },
            { title: planWord('assigned', speech), num: true },
            { title: planWord('smallest', speech) },
          ]}
          rows={figures.detectable.map((each) => [
            speech.count(each.afterDays),
            speech.count(each.assigned),
            effectText(each, speech),
          ])}
        />
        <p>{whenText(figures, speech)}</p>
        <p class="soft">{poolText(figures, speech)}</p>
      </div>
      {figures.curve.some(({ difference }) => difference !== null) ? (
        <ChartView chart={chart} language={language} />
      ) : null}
    </>
  )
}
