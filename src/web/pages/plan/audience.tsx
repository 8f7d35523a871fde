import {
  type CountLine,
  gridOf,
  leftOutLines,
  outsideLines,
  planWord,
  quietLines,
} from '../../../service/plan/sentences.ts'
import { Bar, Coded, headed, Table } from '../parts.tsx'
import type { Visit } from '../visit.ts'
import type { PlanPart } from './plan-part.ts'

// Who would be taken in, and who not and why.

/** A name as files have it, parted after an underscore where it is too long. */
function Underscored({ text }: { text: string }) {
  const [first = '', ...others] = text.split('_')
  return (
    <>
      {first}
      {others.map((part) => (
        <>
          _<wbr />
          {part}
        </>
      ))}
    </>
  )
}

/** Who would be taken in, by tier and segment: the more, the darker. */
export function AudienceGrid({ visit, figures }: PlanPart) {
  const { speech } = visit
  const word = (name: Parameters<typeof planWord>[0]) => planWord(name, speech)
  if (figures.audience.outside.total === 0) {
    return (
      <p class="note">
        <Coded text={word('noContacts')} />
      </p>
    )
  }
  const { segments, count } = gridOf(figures)
  const tiers = figures.heldOut.map(({ tier }) => tier)
  const most = Math.max(1, ...tiers.flatMap((tier) => segments.map((segment) => count(tier, segment))))
  const total = count(undefined, undefined)
  return (
    <div class="card">
      <h2>{word('audience')}</h2>
      {segments.length === 0 ? (
        <p>{word('nobody')}</p>
      ) : (
        <section class="wide" aria-label={word('audience')} tabindex={0}>
          <table class="heat">
            <thead>
              <tr>
                <th scope="col">{headed(word('tier'))}</th>
                {segments.map((segment) => (
                  <th scope="col" class="num">
                    <Underscored text={speech.segment(segment)} />
                  </th>
                ))}
                <th scope="col" class="num">
                  {headed(word('all'))}
                </th>
              </tr>
            </thead>
            <tbody>
              {tiers.map((tier) => (
                <tr>
                  <th scope="row">{tier}</th>
                  {segments.map((segment) => (
                    <td class={`num heat-${shade(count(tier, segment), most)}`}>
                      {speech.count(count(tier, segment))}
                    </td>
                  ))}
                  <td class="num">{speech.count(count(tier, undefined))}</td>
                </tr>
              ))}
              <tr class="sum">
                <th scope="row">{headed(word('all'))}</th>
                {segments.map((segment) => (
                  <td class="num">{speech.count(count(undefined, segment))}</td>
                ))}
                <td class="num">{speech.count(total)}</td>
              </tr>
            </tbody>
          </table>
        </section>
      )}
    </div>
  )
}

/** 0 for nobody, else 1 to 5: by the root, for one crowded cell would leave all the others pale. */
function shade(count: number, most: number): number {
  return count === 0 ? 0 : Math.max(1, Math.round(5 * Math.sqrt(count / most)))
}

/** Whose time has come, and who is left out nevertheless. */
export function LeftOut({ visit, figures }: PlanPart) {
  const title = figures.entry === 'silence' ? 'leftOut' : 'leftOutInTime'
  return (
    <BarCard
      title={planWord(title, visit.speech)}
      visit={visit}
      lines={leftOutLines(figures, visit.speech)}
    />
  )
}

export function Outside({ visit, figures }: PlanPart) {
  return (
    <BarCard
      title={planWord('outside', visit.speech)}
      visit={visit}
      lines={outsideLines(figures, visit.speech)}
      of={figures.audience.outside.total}
    />
  )
}

function BarCard(props: { visit: Visit; title: string; lines: readonly CountLine[]; of?: number }) {
  if (props.lines.length === 0) return null
  return (
    <div class="card">
      <h2>{props.title}</h2>
      <Bars {...props} />
    </div>
  )
}

/** A bar a line, long sentences included; as long as its share of `of`, or of the longest. */
function Bars({ visit, lines, of }: { visit: Visit; lines: readonly CountLine[]; of?: number | undefined }) {
  const whole = of ?? Math.max(1, ...lines.map(({ count }) => count))
  return (
    <ul class="bars">
      {lines.map(({ count, words }) => (
        <li>
          <span>{words}</span>
          <strong>{visit.speech.count(count)}</strong>
          <Bar share={count / whole} />
        </li>
      ))}
    </ul>
  )
}

export function OnlyQuiet({ visit, figures }: PlanPart) {
  const { speech } = visit
  const lines = quietLines(figures, speech)
  if (lines.length === 0) return null
  const title = planWord('falseChurn', speech)
  return (
    <div class="card">
      <h2>{title}</h2>
      <Table
        label={title}
        columns={[
          { title: planWord('tier', speech) },
          { title: planWord('onlyQuiet', speech), num: true },
          { title: planWord('ofBand', speech), num: true },
          { title: visit.say('by', '依据') },
        ]}
        rows={lines.map(({ tier, quiet, of, why }) => [tier, speech.count(quiet), speech.count(of), why])}
      />
    </div>
  )
}
